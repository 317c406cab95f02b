#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_gate MICROBENCH TRAINING_LOOP RAW_SOCKET: what must never wait for the server, does not.

Counts do not depend on the machine or its load, so they are compared exactly.  The two
times, what a launch costs its caller and what the preload costs a program that never calls
CUDA, have generous bounds, and the best of several tries counts.
"""

import os
import sys

import measure
import start
from harness import Daemon, expect

NOTHING = {'launches': 0, 'rounds': 0, 'mallocs': 0, 'copy_max': 0}
# A launch is a message of about this many bytes; more would be felt on a network.
LAUNCH_BYTES_MAX = 200
TRIES = 5


class Gate:
    def __init__(self, program, daemon, server):
        self.program, self.daemon, self.server = program, daemon, server
        self.base = self.measure()

    def measure(self, env=None, **settings):
        words = [f'{name}={value}' for name, value in {**NOTHING, **settings}.items()]
        result = self.daemon.run(self.program, *words, server=self.server,
                                 env={'OUTBOARD_STATS': '1', **(env or {})})
        statistics = measure.statistics(result.stderr)
        expect(result.returncode == 0 and statistics is not None, f'microbench {words}', result)
        return statistics

    def trips(self, env=None, **settings):
        """Round trips that these settings add."""
        return self.measure(env, **settings)['round_trips'] - self.base['round_trips']


def counts(gate, kind):
    launches = gate.measure(launches=20000, bursts=1)
    trips = launches['round_trips'] - gate.base['round_trips']
    # One launch and a wait before the measurement, one wait after it.
    expect(trips == 2, f'20000 launches and a synchronisation take {trips} round trips, not 2')
    size = (launches['bytes_out'] - gate.base['bytes_out']) / 20000
    expect(60 <= size <= LAUNCH_BYTES_MAX, f'a launch is {size:.0f} bytes')
    # Some hundreds, unless the machine is very busy.  Into a ring each goes by itself.
    flushes = launches['flushes'] - gate.base['flushes']
    expect(flushes < 10000 or kind == 'unix', f'20000 launches leave in {flushes} system calls')

    for what, settings, wanted in (
            ('200 times launch and synchronise', {'rounds': 200}, 200),
            ('1000 synchronisations with nothing to wait for', {'syncs': 1000}, 0),
            ('1000 queries of the device', {'queries': 1000}, 0),
            # Where it is, and its value at the end.
            ('1000 copies to a variable', {'variables': 1000}, 2),
            ('100 pairs of malloc and free', {'mallocs': 100}, 1)):
        trips = gate.trips(**settings)
        expect(trips == wanted, f'{what} take {trips} round trips, not {wanted}')
    # A block of 1 MiB is kept if it is at most a quarter of all.
    for size, wanted in ('0', 100), ('3M', 100), ('4M', 1):
        trips = gate.trips({'OUTBOARD_MEMORY_CACHE': size}, mallocs=100)
        expect(trips == wanted, f'with {size} for freed memory 100 pairs of malloc and free take '
                                f'{trips} round trips, not {wanted}')
    few, many = gate.trips(loop=20), gate.trips(loop=320)
    expect(few == many, f'300 more rounds of an asynchronous loop take {many - few} round trips')
    expect(few <= 6, f'an asynchronous loop takes {few} round trips')


def training(daemon, server, program):
    """A program that trains waits when it looks at the loss, once, and never else."""
    trips = []
    for steps in 100, 400:
        result = daemon.run(program, str(steps), server=server, env={'OUTBOARD_STATS': '1'})
        statistics = measure.statistics(result.stderr)
        expect(result.returncode == 0 and statistics is not None, f'{steps} steps', result)
        trips.append(statistics['round_trips'])
    expect(trips[1] - trips[0] == 30,
           f'300 steps that look 30 times take {trips[1] - trips[0]} round trips')


def caller_cost(daemon, server, kind, program, raw_socket):
    """A launch returns long before a message could have gone there and back."""
    tries = []
    for _ in range(TRIES):
        raw = measure.run([raw_socket, kind, '300', '4'], timeout=60)
        words = [f'{name}={value}' for name, value in {**NOTHING, 'launches': 4000}.items()]
        result = daemon.run(program, *words, server=server)
        found = measure.metrics(result.stdout)
        expect(raw is not None and 'launch_issue' in found, 'a measurement failed', result)
        tries.append((found['launch_issue'][0], raw['raw_round_trip_blocking'][0]))
        if tries[-1][0] < 0.5 * tries[-1][1]:
            print(f'{kind}: launch {tries[-1][0]:.2f} us, round trip of a raw socket '
                  f'{tries[-1][1]:.2f} us')
            return
    expect(False, f'{kind}: (launch, raw round trip) in us: {tries}')


def preload_cost():
    for _ in range(TRIES):
        ms = start.start_without_cuda(os.environ['OUTBOARD_LIBDIR'], 20, of=min)['true']
        added = ms['preloaded'] - ms['plain']
        if added < 2 * start.GOAL_MS:
            print(f'the preload adds {added:.2f} ms to a program that never calls CUDA')
            return
    expect(False, f'the preload adds {added:.2f} ms to a program that never calls CUDA')


def main():
    program, training_loop, raw_socket = sys.argv[1:]
    with Daemon() as daemon:
        for kind, server in ('tcp', daemon.tcp), ('unix', daemon.unix):
            counts(Gate(program, daemon, server), kind)
            training(daemon, server, training_loop)
            caller_cost(daemon, server, kind, program, raw_socket)
    preload_cost()


if __name__ == '__main__':
    main()
