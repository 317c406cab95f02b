#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draw what run.py wrote: bandwidth over the size of a copy, and what launches cost.

The same numbers give the same file, so that a picture in the docs changes only with them.
"""

import argparse
import json
import pathlib
import re
import sys

import goals

# Distinguishable by those who see no red or green, and in grey.
WAYS = {'direct': ('local', '#444444', 'o'), 'unix': ('Outboard, shared memory', '#d55e00', 's'),
        'tcp': ('Outboard, TCP', '#0072b2', '^')}
RAW = {'raw_stream': ('raw TCP stream', ':'), 'raw_stream_4': ('raw TCP, 4 connections', '--')}
LAUNCHES = [('launch_issue', 'launch:\nthe call'),
            ('launch_each', 'launch: each\nof many, done'),
            ('launch_sync', 'launch and\nsynchronise'),
            ('sync_idle', 'synchronise,\nnothing to do'),
            ('malloc_free', 'malloc\nand free')]
STYLE = {'svg.hashsalt': 'outboard', 'svg.fonttype': 'none', 'font.size': 9,
         'font.family': 'sans-serif', 'axes.spines.top': False, 'axes.spines.right': False,
         'axes.axisbelow': True, 'legend.frameon': False}


def value(results, name, metric):
    return results.get(name, {}).get(metric, {}).get('value')


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


def plain(number, _=None):
    return f'{number:g}'


def draw_bandwidth(plt, report, kind):
    results = report['results']
    figure, grid = plt.subplots(2, 2, figsize=(9, 6.6), sharex=True, sharey=True)
    for row, memory in zip(grid, ('pinned', 'pageable')):
        for axis, way, title in zip(row, ('h2d', 'd2h'), ('to the device', 'from the device')):
            for how, (label, colour, marker) in WAYS.items():
                points = sizes_of(results.get(f'{how} {kind}', {}), f'{way}_{memory}')
                if points:
                    axis.plot(*zip(*points), color=colour, marker=marker, markersize=4,
                              label=label)
            for metric, (label, line) in RAW.items():
                raw = value(results, 'raw tcp', metric)
                if raw:
                    axis.axhline(raw, color=WAYS['tcp'][1], linestyle=line, linewidth=1,
                                 alpha=0.7, label=label)
            axis.set_title(f'{memory} memory, {title}')
            axis.grid(True, which='major', alpha=0.25)
    axis = grid[0][0]
    axis.set_xscale('log', base=2)
    axis.set_yscale('log')
    axis.set_xticks([4096 << i for i in range(0, 18, 4)])
    axis.xaxis.set_major_formatter(size_text)
    axis.yaxis.set_major_formatter(plain)
    axis.minorticks_off()
    for row in grid:
        row[0].set_ylabel('GiB/s')
    for axis in grid[1]:
        axis.set_xlabel('size of a copy')
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='lower center', ncols=len(labels))
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    return figure


def draw_launch(plt, report, kind):
    results = report['results']
    figure, axis = plt.subplots(figsize=(9, 4.2))
    width = 0.8 / len(WAYS)
    for i, (how, (label, colour, _)) in enumerate(WAYS.items()):
        values = [value(results, f'{how} {kind}', metric) for metric, _ in LAUNCHES]
        places = [n + (i - (len(WAYS) - 1) / 2) * width for n in range(len(LAUNCHES))]
        bars = axis.bar(places, [v or 0 for v in values], width * 0.92, color=colour, label=label)
        axis.bar_label(bars, [f'{v:.2g}' if v and v < 10 else f'{v:.0f}' if v else ''
                              for v in values], fontsize=7, padding=-11, color='white')
        # The goals are a GPU's.
        for place, (metric, _) in zip(places, LAUNCHES):
            goal = dict(zip(('tcp', 'unix'), goals.of_metric(metric))).get(how)
            limit = goal and goal.limit(value(results, f'direct {kind}', metric), None)
            if limit and report['driver'] == 'nvidia':
                axis.hlines(limit, place - width / 2, place + width / 2, color='black',
                            linewidth=1.5, zorder=3)
    if report['driver'] == 'nvidia':
        axis.plot([], [], color='black', linewidth=1.5, label='goal: at most')
    axis.set_yscale('log')
    axis.yaxis.set_major_formatter(plain)
    axis.set_ylabel('microseconds')
    axis.set_xticks(range(len(LAUNCHES)), [text for _, text in LAUNCHES])
    axis.tick_params(axis='x', length=0)
    axis.grid(True, which='major', axis='y', alpha=0.25)
    axis.legend(loc='upper left')
    figure.tight_layout()
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('json', help='what run.py --json wrote')
    parser.add_argument('--out', default='.', metavar='FOLDER')
    parser.add_argument('--format', choices=['svg', 'png'], default='svg')
    parser.add_argument('--kind', choices=['shared', 'static'], default='shared')
    options = parser.parse_args()
    try:
        import matplotlib
    except ImportError:
        sys.exit('no plots: matplotlib is not installed (apt install python3-matplotlib)')
    matplotlib.use('Agg')
    matplotlib.rcParams.update(STYLE)
    from matplotlib import pyplot as plt

    report = json.loads(pathlib.Path(options.json).read_text(encoding='utf-8'))
    for name, draw in ('bandwidth', draw_bandwidth), ('launch', draw_launch):
        path = pathlib.Path(options.out) / f'{name}.{options.format}'
        figure = draw(plt, report, options.kind)
        figure.savefig(path, dpi=150, metadata={'Date': None} if options.format == 'svg' else {})
        print(path)


if __name__ == '__main__':
    main()
