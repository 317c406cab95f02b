#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure CUDA's common calls directly, remoted, and a raw socket, in one run on one machine.

Directly is NVIDIA's driver where there is one, else our software device without a wire.
What matters are the ratios: times differ from machine to machine and from run to run.
"""

import argparse
import ctypes
import json
import os
import pathlib
import platform
import sys

import goals
import measure

QUICK = ['launches=5000', 'bursts=3', 'rounds=300', 'mallocs=100', 'copy_max=16777216', 'seconds=0.1']
# Copies of these sizes are in the table; the others only in the JSON, for plot.py.
SIZES = 4096, 1 << 20, 16 << 20, 256 << 20
RUNTIMES = 'libcudart.so.13', 'libcudart.so.12'


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('build', help='build folder')
    parser.add_argument('--quick', action='store_true', help='few rounds, small copies')
    parser.add_argument('--json', metavar='FILE', help='write all numbers there')
    parser.add_argument('--markdown', action='store_true', help='tables for the docs')
    parser.add_argument('--driver', choices=['auto', 'nvidia', 'soft'], default='auto')
    parser.add_argument('--kind', choices=['shared', 'static', 'both'], default='both',
                        help='which runtime the program is linked with')
    parser.add_argument('settings', nargs='*', metavar='NAME=NUMBER',
                        help='settings of microbench.cu')
    return parser.parse_intermixed_args()


def has_nvidia():
    try:
        return ctypes.CDLL('libcuda.so.1').cuInit(0) == 0
    except OSError:
        return False


def direct_environment(driver, libdir):
    """The program with no wire: what to preload, and which libraries to find."""
    if driver == 'nvidia':
        return {'LD_LIBRARY_PATH': f'{os.environ.get("CUDA_HOME", "/usr/local/cuda")}/lib64'}
    libraries = [libdir / 'soft/libcuda.so.1', *(libdir / 'guest' / r for r in RUNTIMES)]
    return {'LD_PRELOAD': ':'.join(map(str, libraries))}


def measure_all(options, build, driver):
    from harness import Daemon

    settings = (QUICK if options.quick else []) + options.settings
    libdir = build / 'lib/outboard'
    kinds = ['shared', 'static'] if options.kind == 'both' else [options.kind]
    results = {}

    def say(text):
        print(text, file=sys.stderr, flush=True)

    for kind in 'tcp', 'unix':
        say(f'raw {kind} socket')
        results[f'raw {kind}'] = measure.run(
            [build / 'bench/raw_socket', kind, *(['1000', '64'] if options.quick else [])])
    with Daemon() as daemon:
        for kind in kinds:
            program = build / f'bench/microbench_{kind}'
            say(f'{kind}: directly on the {driver} driver')
            results[f'direct {kind}'] = measure.timed_run(
                [program], settings, env=direct_environment(driver, libdir))
            for name, url in ('tcp', daemon.tcp), ('unix', daemon.unix):
                say(f'{kind}: remoted over {name}')
                command = [os.environ['OUTBOARD'], 'run', '--server', url, program]
                results[f'{name} {kind}'] = measure.timed_run(command, settings)
    return {name: result for name, result in results.items() if result is not None}


# ---- the table ----

def ratio(a, b):
    return f'{a / b:.2f}' if a is not None and b else '-'


def number(value):
    return '-' if value is None else f'{value:.4g}'


def value(of, name):
    return of[name][0] if name in of else None


def raw_name(name):
    """The part of a raw socket that bounds this metric."""
    if name.startswith(('h2d', 'd2h')):
        return 'raw_stream_cached' if int(name.split('_')[-1]) <= 4 << 20 else 'raw_stream'
    return 'raw_round_trip_spinning' if name in ('launch_sync', 'malloc_free') else None


def is_shown(name):
    size = name.split('_')[-1]
    return not size.isdigit() or int(size) in SIZES


def goal_cell(goal, *values):
    """The goal, and what became of it."""
    return f'{goal.text()}: {goal.verdict(*values) or "-"}' if goal else '-'


def table(results, kind, with_goals):
    """Rows of one kind of program, with the ratios that the goals are about."""
    direct, tcp, unix = (results.get(f'{how} {kind}', {}) for how in ('direct', 'tcp', 'unix'))
    raw_tcp, raw_unix = results.get('raw tcp', {}), results.get('raw unix', {})
    rows = [('metric', 'unit', 'direct', 'tcp', 'unix', 'tcp/direct', 'unix/direct', 'tcp/raw',
             'unix/raw', *(('tcp: goal', 'unix: goal') if with_goals else ()))]

    for name in filter(is_shown, dict.fromkeys([*direct, *tcp, *unix])):
        unit = next(of[name][1] for of in (direct, tcp, unix) if name in of)
        d, t, u = (value(of, name) for of in (direct, tcp, unix))
        raws = value(raw_tcp, raw_name(name)), value(raw_unix, raw_name(name))
        cells = [name, unit, number(d), number(t), number(u), ratio(t, d), ratio(u, d),
                 ratio(t, raws[0]), ratio(u, raws[1])]
        if with_goals:
            cells += [goal_cell(goal, got, d, raw)
                      for goal, got, raw in zip(goals.of_metric(name), (t, u), raws)]
        rows.append(tuple(cells))
    return rows


def main():
    options = arguments()
    build = measure.use_build(options.build)
    driver = options.driver
    if driver != 'soft' and not has_nvidia():
        if driver == 'nvidia':
            sys.exit('there is no NVIDIA driver with a device here')
        driver = 'soft'
    elif driver == 'auto':
        driver = 'nvidia'
    os.environ['OUTBOARD_DRIVER'] = 'soft' if driver == 'soft' else 'auto'
    if not (build / 'bench/microbench_shared').exists():
        sys.exit('microbench was not built: is there an nvcc?')
    results = measure_all(options, build, driver)

    print(f'driver: {driver}; {os.cpu_count()} processors; {platform.platform()}\n')
    measure.print_table([('raw socket', 'unit', 'tcp', 'unix'),
                         *((name, unit, number(tcp), number(value(results['raw unix'], name)))
                           for name, (tcp, unit) in results['raw tcp'].items())],
                        options.markdown, left=(0, 1))
    for kind in 'shared', 'static':
        if any(name.endswith(kind) for name in results):
            print(f'\n{kind} runtime: a time is better when low, GiB/s when high\n')
            # The goals are a GPU's.
            measure.print_table(table(results, kind, driver == 'nvidia'), options.markdown,
                                left=(0, 1, 9, 10))
    if options.json:
        report = {'driver': driver, 'processors': os.cpu_count(),
                  'results': {name: {metric: {'value': value, 'unit': unit}
                                     for metric, (value, unit) in result.items()}
                              for name, result in results.items()}}
        pathlib.Path(options.json).write_text(json.dumps(report, indent=1) + '\n',
                                              encoding='utf-8')
    expected = 2 + 3 * (2 if options.kind == 'both' else 1)
    sys.exit(0 if len(results) == expected else 1)


if __name__ == '__main__':
    main()
