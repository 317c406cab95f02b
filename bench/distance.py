#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What distance costs: programs, with their daemon behind a cable of 0, 0.1, 1 and 10 ms.

Beside each time stands what is expected from the number of round trips alone: the time
without distance, and for each trip, and one more for TCP's handshake, the round trip of the
cable.  Where both are the same, nothing else waits; where data are copied, what is missing
is TCP's, whose connections begin slowly.  Needs root, for network namespaces.
"""

import argparse
import json
import os
import signal
import sys
import time

import measure
import network

DISTANCES_MS = 0.1, 1, 10
QUIET = 'launches=0', 'rounds=0', 'mallocs=0', 'copy_max=0'
# Steady loops, each with few rounds and with many: name, program, rounds, arguments.
LOOPS = [(name, program, n, [*others, f'{setting}{n}'])
         for name, program, setting, rounds, others in (
             ('training', 'samples/training_loop_shared', '', (100, 400), ()),
             ('copies and launches', 'bench/microbench_shared', 'loop=', (20, 320), QUIET))
         for n in rounds]


def programs(build):
    """(name, command) of every sample once, and of the loops."""
    samples = sorted(p for p in (build / 'samples').iterdir() if os.access(p, os.X_OK) and
                     (p.name.endswith('_shared') or p.name == 'driver_ptx'))
    yield from ((p.name.removesuffix('_shared'), [p]) for p in samples
                if p.name != 'training_loop_shared')
    for name, program, n, arguments in LOOPS:
        yield f'{name}, {n} rounds', [build / program, *arguments]


def distant_daemon(net):
    from harness import Daemon

    class DistantDaemon(Daemon):
        host = network.THERE
        prefix = net.inside(net.host)

        def command(self, *command, server=None):
            return [*net.inside(net.guest), *super().command(*command, server=server)]

    return DistantDaemon()


def measure_program(daemon, command, tries):
    """The fastest of some runs: seconds, and what OUTBOARD_STATS=1 says."""
    best = None
    for _ in range(tries):
        start = time.perf_counter()
        # The same seed: the same work each time.
        result = daemon.run(*command, env={'OUTBOARD_STATS': '1', 'SEED': '1'}, timeout=120)
        seconds = time.perf_counter() - start
        statistics = measure.statistics(result.stderr)
        if result.returncode != 0 or statistics is None:
            return None
        if best is None or seconds < best['seconds']:
            best = {'seconds': seconds, 'round_trips': statistics['round_trips'],
                    'one_way': statistics['one_way'],
                    'mib': (statistics['bytes_out'] + statistics['bytes_in']) / 2**20}
    return best


def measure_distance(options, build, ms, near):
    """{program: what was measured} over one cable, and the cable itself."""
    found = {}
    with network.Network(build / 'bench/delay_link', ms, options.slow_start) as net:
        trip_us = net.round_trip_us()
        print(f'{ms} ms by {net.how}: a round trip takes {trip_us:.0f} us', file=sys.stderr)
        with distant_daemon(net) as daemon:
            for name, command in programs(build):
                # What would take too long is not measured, only counted.
                if near and near[name]['round_trips'] * ms / 1000 > options.longest:
                    continue
                measured = measure_program(daemon, command, options.tries)
                if measured is None:
                    sys.exit(f'{name} failed at {ms} ms')
                found[name] = measured
    return {'how': net.how, 'round_trip_us': trip_us, 'programs': found}


def expected(near, far, name):
    trip = (far['round_trip_us'] - near['round_trip_us']) * 1e-6
    return (near['programs'][name]['seconds'] +
            (far['programs'][name]['round_trips'] + 1) * trip)


# ---- the table ----

def table(report):
    near = report['0']
    rows = [('program', 'round trips', 'one-way', 'MiB', 's at 0',
             *(text for ms in DISTANCES_MS for text in (f'at {ms} ms', 'expected')))]
    for name, program in near['programs'].items():
        row = [name, str(program['round_trips']), str(program['one_way']),
               f'{program["mib"]:.1f}', f'{program["seconds"]:.3f}']
        for ms in DISTANCES_MS:
            far = report[str(ms)]
            if name in far['programs']:
                row += [f'{far["programs"][name]["seconds"]:.3f}',
                        f'{expected(near, far, name):.3f}']
            else:
                row += ['-', '-']
        rows.append(tuple(row))
    return rows


def steady(report):
    """Round trips of each further round of the loops."""
    found = report['0']['programs']
    for (name, _, few, _), (_, _, many, _) in zip(LOOPS[::2], LOOPS[1::2]):
        trips = [found[f'{name}, {n} rounds']['round_trips'] for n in (few, many)]
        yield f'{name}: {trips[1] - trips[0]} round trips for {many - few} more rounds'


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('build', help='build folder')
    parser.add_argument('--json', metavar='FILE', help='write all numbers there')
    parser.add_argument('--markdown', action='store_true', help='a table for the docs')
    parser.add_argument('--tries', type=int, default=3, help='runs each; the fastest counts')
    parser.add_argument('--longest', type=float, default=3, metavar='SECONDS',
                        help='leave out what would wait longer than this')
    parser.add_argument('--no-slow-start', dest='slow_start', action='store_false',
                        help='what the other end has room for may be sent at once')
    options = parser.parse_args()
    build = measure.use_build(options.build)
    if os.geteuid() != 0:
        sys.exit('network namespaces need root')
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # and take all down
    report = {}
    try:
        for ms in 0, *DISTANCES_MS:
            near = report.get('0', {}).get('programs')
            report[str(ms)] = measure_distance(options, build, ms, near)
    except network.Failed as failed:
        sys.exit(f'no network to measure with: {failed}')
    measure.print_table(table(report), options.markdown)
    print()
    for text in steady(report):
        print(text)
    for ms in DISTANCES_MS:
        far = report[str(ms)]
        print(f'{ms} ms by {far["how"]}: {far["round_trip_us"]:.0f} us there and back, '
              f'{report["0"]["round_trip_us"]:.0f} without (veth)')
    if options.json:
        with open(options.json, 'w', encoding='utf-8') as file:
            json.dump(report, file, indent=1)


if __name__ == '__main__':
    main()
