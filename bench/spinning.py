#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does spinning hurt when more threads want to run than there are processors?

Four times as many threads as processors launch and wait, in one guest, and as many guests
with one thread each as there are processors, twice over; with the usual spinning and with
none (OUTBOARD_SPIN_US=0) in turn.  What counts is how much all of them get done.
"""

import argparse
import json
import os
import subprocess
import sys

import measure

QUIET = 'launches=0', 'rounds=0', 'mallocs=0', 'copy_max=0'
# Spinning may cost this much of the throughput when there is nothing to spin on.
GOAL = 0.8


def rate(build, url, n_guests, n_threads, seconds):
    """Launches and waits a second, of all guests."""
    command = [os.environ['OUTBOARD'], 'run', '--server', url, build / 'bench/microbench_shared',
               *QUIET, f'threads={n_threads}', f'thread_seconds={seconds}']
    guests = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
              for _ in range(n_guests)]
    found = [measure.metrics(guest.communicate(timeout=120)[0]) for guest in guests]
    if any(guest.returncode != 0 for guest in guests):
        sys.exit('a guest failed')
    return sum(metrics['threads_launch_sync'][0] for metrics in found)


def compare(build, n_guests, n_threads, options):
    """{transport: {spin: best rate}}"""
    from harness import Daemon

    best = {}
    for _ in range(options.tries):
        for spin in 'usual', 'none':
            # Daemon, worker and guest all inherit it.
            os.environ.pop('OUTBOARD_SPIN_US', None)
            if spin == 'none':
                os.environ['OUTBOARD_SPIN_US'] = '0'
            with Daemon() as daemon:
                for name, url in ('tcp', daemon.tcp), ('unix', daemon.unix):
                    got = rate(build, url, n_guests, n_threads, options.seconds)
                    rates = best.setdefault(name, {})
                    rates[spin] = max(got, rates.get(spin, 0))
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('build', help='build folder')
    parser.add_argument('--tries', type=int, default=3, help='the best of these counts')
    parser.add_argument('--seconds', type=float, default=1)
    parser.add_argument('--json', metavar='FILE', help='write all numbers there')
    options = parser.parse_args()
    build = measure.use_build(options.build)
    cpus = len(os.sched_getaffinity(0))
    rows = [('launch and wait, per second', 'over', 'spinning', 'not', 'ratio', 'verdict')]
    report = {}
    for n_guests, n_threads in (1, 1), (1, 4 * cpus), (2 * cpus, 1):
        what = f'{n_guests} guests of {n_threads} threads on {cpus} processors'
        report[what] = compare(build, n_guests, n_threads, options)
        for name, rates in report[what].items():
            ratio = rates['usual'] / rates['none']
            rows.append((what, name, f'{rates["usual"]:.0f}', f'{rates["none"]:.0f}',
                         f'{ratio:.2f}', 'met' if ratio >= GOAL else 'missed'))
    measure.print_table(rows, left=(0, 1))
    if options.json:
        with open(options.json, 'w', encoding='utf-8') as file:
            json.dump(report, file, indent=1)


if __name__ == '__main__':
    main()
