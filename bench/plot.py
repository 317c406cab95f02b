#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draw what run.py wrote: bandwidth over copy size, and what a launch costs."""

import argparse
import json
import pathlib
import re
import sys

COLOURS = {'direct': '#555555', 'tcp': '#1f77b4', 'unix': '#d95f02'}
SIZE = 10, 4.2      # inches


def sizes_of(result, prefix):
    """[(bytes, GiB/s)] of the metrics named PREFIX_BYTES."""
    points = []
    for name, metric in result.items():
        match = re.fullmatch(prefix + r'_(\d+)', name)
        if match:
            points.append((int(match[1]), metric['value']))
    return sorted(points)


def size_text(size, _=None):
    for unit in 'B', 'KiB', 'MiB', 'GiB':
        if size < 1024:
            return f'{size:.0f} {unit}'
        size /= 1024
    return f'{size:.0f} TiB'


def draw_bandwidth(plt, results, kind, path):
    figure, axes = plt.subplots(1, 2, figsize=SIZE, sharey=True)
    for axis, way, title in zip(axes, ('h2d', 'd2h'), ('host to device', 'device to host')):
        for how, colour in COLOURS.items():
            for memory, line in ('pageable', '--'), ('pinned', '-'):
                points = sizes_of(results.get(f'{how} {kind}', {}), f'{way}_{memory}')
                if points:
                    axis.plot(*zip(*points), line, color=colour, marker='.',
                              label=f'{how}, {memory}')
        for how in 'tcp', 'unix':
            raw = results.get(f'raw {how}', {}).get('raw_stream')
            if raw:
                axis.axhline(raw['value'], color=COLOURS[how], linestyle=':', linewidth=1,
                             label=f'raw {how} socket')
        axis.set_xscale('log', base=2)
        axis.set_yscale('log')
        axis.set_xticks([4096 << i for i in range(0, 20, 4)])
        axis.xaxis.set_major_formatter(size_text)
        axis.set_xlim(left=2048)
        axis.set_title(title)
        axis.set_xlabel('size of a copy')
        axis.grid(True, which='major', alpha=0.3)
    axes[0].set_ylabel('GiB/s')
    axes[1].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path)


def draw_launch(plt, results, kind, path):
    metrics = [('launch_issue', 'the call'), ('launch_each', 'many and a wait, each'),
               ('launch_sync', 'launch and wait'), ('sync_idle', 'wait for nothing'),
               ('malloc_free', 'malloc and free')]
    figure, axis = plt.subplots(figsize=SIZE)
    for i, (how, colour) in enumerate(COLOURS.items()):
        result = results.get(f'{how} {kind}', {})
        values = [result.get(name, {}).get('value', 0) for name, _ in metrics]
        places = [n + (i - 1) * 0.27 for n in range(len(metrics))]
        bars = axis.bar(places, values, 0.25, color=colour, label=how)
        axis.bar_label(bars, [f'{v:.3g}' if v else '' for v in values], fontsize=7)
    axis.set_yscale('log')
    axis.set_ylabel('microseconds')
    axis.set_xticks(range(len(metrics)), [text for _, text in metrics])
    axis.legend()
    figure.tight_layout()
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('json', help='what run.py --json wrote')
    parser.add_argument('--out', default='.', metavar='FOLDER')
    parser.add_argument('--format', choices=['svg', 'png'], default='svg')
    parser.add_argument('--kind', choices=['shared', 'static'], default='shared')
    options = parser.parse_args()
    try:
        import matplotlib
    except ImportError:
        print('no plots: matplotlib is not installed (apt install python3-matplotlib)',
              file=sys.stderr)
        return
    matplotlib.use('Agg')
    matplotlib.rcParams['svg.hashsalt'] = 'outboard'    # the same file from the same numbers
    from matplotlib import pyplot as plt

    results = json.loads(pathlib.Path(options.json).read_text(encoding='utf-8'))['results']
    for name, draw in ('bandwidth', draw_bandwidth), ('launch', draw_launch):
        path = pathlib.Path(options.out) / f'{name}.{options.format}'
        draw(plt, results, options.kind, path)
        print(path)


if __name__ == '__main__':
    main()
