#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How often each sample waits for the server: the number that distance multiplies.

Counts come from OUTBOARD_STATS=1 on the software device; unlike times they are the same in
every run, so that a change of them is a change of the code.
"""

import argparse
import json
import os
import sys

import measure

# With another network, waiting takes this long.
DISTANCES_MS = 0.1, 1, 10


def programs(build):
    # Every other kind of file there is an object or a folder of ninja's.
    names = sorted(p.name for p in (build / 'samples').iterdir()
                   if p.is_file() and '.' not in p.name and os.access(p, os.X_OK))
    return [build / 'samples' / name for name in names]


def top(statistics, most=3):
    """The calls that wait, the most frequent first."""
    waits = sorted(((call['count'], name) for name, call in statistics['calls'].items()
                    if call['kind'] == 'sync' and name != 'session_hello'), reverse=True)
    return ', '.join(f'{name} {count}' for count, name in waits[:most])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('build', help='build folder')
    parser.add_argument('--json', metavar='FILE', help='write the counts there')
    parser.add_argument('--markdown', action='store_true', help='a table for the docs')
    options = parser.parse_args()
    build = measure.use_build(options.build)
    from harness import Daemon

    rows, failed, report = [], 0, {}
    with Daemon() as daemon:
        for program in programs(build):
            result = daemon.run(program, env={'OUTBOARD_STATS': '1'}, timeout=300)
            statistics = measure.statistics(result.stderr)
            if result.returncode != 0 or statistics is None:
                print(f'{program.name}: failed, exit {result.returncode}', file=sys.stderr)
                failed += 1
                continue
            report[program.name] = statistics
            rows.append((program.name, statistics['round_trips'], statistics['one_way'],
                         f'{statistics["bytes_out"] / 2**20:.1f}',
                         f'{statistics["bytes_in"] / 2**20:.1f}',
                         *(f'{statistics["round_trips"] * ms:.0f}' for ms in DISTANCES_MS),
                         top(statistics)))
    head = ('program', 'round trips', 'one-way', 'MiB out', 'MiB in',
            *(f'ms at {ms} ms' for ms in DISTANCES_MS), 'what waits most often')
    measure.print_table([head, *(tuple(map(str, row)) for row in rows)], options.markdown,
                        left=(0, len(head) - 1))
    if options.json:
        with open(options.json, 'w', encoding='utf-8') as file:
            json.dump(report, file, indent=1)
    sys.exit(1 if failed or not report else 0)


if __name__ == '__main__':
    main()
