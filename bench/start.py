#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What it costs to start a program: one that never calls CUDA, and one up to its first kernel.

Programs are started in turn with nothing preloaded, with our libraries preloaded as
`outboard run` does it, and by `outboard run` itself; medians of many runs are compared.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import time

import measure

PROGRAMS = [('true', ['true']), ('sh', ['sh', '-c', ':'])]
QUIET = 'launches=0', 'rounds=0', 'mallocs=0', 'copy_max=0'
LIBRARIES = 'libcuda.so.1', 'libcudart.so.13', 'libcudart.so.12'
# Where a program that never calls CUDA should stay below.
GOAL_MS = 2.0


def preloaded(libdir):
    return ':'.join(os.path.realpath(f'{libdir}/guest/{name}') for name in LIBRARIES)


def spawn_ms(command, environment):
    """From before exec until it has ended, of the process alone."""
    start = time.perf_counter()
    pid = os.posix_spawn(command[0], command, environment)
    _, status = os.waitpid(pid, 0)
    ms = (time.perf_counter() - start) * 1e3
    if status != 0:
        sys.exit(f'{command} ended with {status}')
    return ms


def start_without_cuda(libdir, rounds, of=statistics.median):
    """{program: {way: ms}}"""
    plain = {k: v for k, v in os.environ.items() if k != 'LD_PRELOAD'}
    preload = {**plain, 'LD_PRELOAD': preloaded(libdir)}
    found = {}
    for name, command in PROGRAMS:
        command = [shutil.which(command[0]), *command[1:]]
        ways = {'plain': (command, plain), 'preloaded': (command, preload),
                'outboard run': ([os.environ['OUTBOARD'], 'run', *command], plain)}
        times = {way: [] for way in ways}
        for _ in range(rounds):
            for way, arguments in ways.items():
                times[way].append(spawn_ms(*arguments))
        found[name] = {way: of(ms) for way, ms in times.items()}
    return found


def start_with_cuda(build, rounds):
    """{way: {metric: median ms}}: remoted, each with a worker that waits for it."""
    from harness import Daemon

    program = build / 'bench/microbench_shared'
    found = {}
    if not program.exists():
        return found
    with Daemon() as daemon:
        for way, url in ('tcp', daemon.tcp), ('unix', daemon.unix):
            command = [os.environ['OUTBOARD'], 'run', '--server', url, program]
            runs = []
            for _ in range(rounds):
                time.sleep(0.1)     # the daemon makes another worker ready
                runs.append(measure.timed_run(command, QUIET, timeout=60))
            runs = [run for run in runs if run is not None]
            found[way] = {metric: statistics.median(run[metric][0] for run in runs)
                          for metric in ('exec_to_first_kernel', 'main_to_first_kernel')
                          if runs}
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('build', help='build folder')
    parser.add_argument('--rounds', type=int, default=300)
    parser.add_argument('--json', metavar='FILE', help='write all numbers there')
    options = parser.parse_args()
    build = measure.use_build(options.build)

    without = start_without_cuda(build / 'lib/outboard', options.rounds)
    rows = [('never calls CUDA, ms', 'plain', 'preloaded', 'added', 'outboard run', 'added')]
    for name, ms in without.items():
        rows.append((name, f'{ms["plain"]:.3f}', f'{ms["preloaded"]:.3f}',
                     f'{ms["preloaded"] - ms["plain"]:.3f}', f'{ms["outboard run"]:.3f}',
                     f'{ms["outboard run"] - ms["plain"]:.3f}'))
    measure.print_table(rows)
    worst = max(ms['preloaded'] - ms['plain'] for ms in without.values())
    print(f'goal: at most {GOAL_MS} ms for the preload: '
          f'{"met" if worst <= GOAL_MS else "missed"}\n')

    with_cuda = start_with_cuda(build, max(5, options.rounds // 20))
    rows = [('to the first kernel, ms', 'from exec', 'from main')]
    for way, ms in with_cuda.items():
        rows.append((way, f'{ms["exec_to_first_kernel"]:.2f}',
                     f'{ms["main_to_first_kernel"]:.2f}'))
    measure.print_table(rows)
    if options.json:
        with open(options.json, 'w', encoding='utf-8') as file:
            json.dump({'without_cuda': without, 'with_cuda': with_cuda}, file, indent=1)


if __name__ == '__main__':
    main()
