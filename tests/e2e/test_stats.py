#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_stats PROGRAM: what OUTBOARD_STATS=1 prints for a program whose calls are known."""

import re
import sys

from harness import Daemon, expect


def calls(text):
    """Name -> (kind, count, payload) of the report's table."""
    table = {}
    for line in text.splitlines():
        match = re.match(r'  (\w+) +(sync|one-way) +(\d+) +(\d+) +[\d.]+ +[\d.]+ +[\d.]+$', line)
        if match:
            table[match[1]] = match[2], int(match[3]), int(match[4])
    return table


def numbers(text, title):
    match = re.search(rf'^  {title} (.*)$', text, re.M)
    return [float(n) for n in re.findall(r'\d+\.?\d*', match[1])] if match else []


def main():
    program = sys.argv[1]
    with Daemon() as daemon:
        for server, ending, status in ((daemon.tcp, 'return', 0), (daemon.unix, 'exit', 7)):
            # Without shared memory, so that the calls are the same over both.
            result = daemon.run(program, ending, server=server,
                                env={'OUTBOARD_STATS': '1', 'OUTBOARD_ARENA': '0'})
            expect(result.returncode == status, 'the exit status is the program\'s', result)
            expect(result.stdout == 'PASS\n', 'nothing is added to stdout', result)
            report = result.stderr
            expect(server in report, 'the server is named', result)
            table = calls(report)
            for name, wanted in {
                    'session_hello': ('sync', 1, 0),
                    'cuMemAlloc_v2': ('sync', 7, 0),
                    'copy_htod': ('one-way', 5, 5_000_000),
                    'copy_dtoh': ('sync', 3, 3_000_000),
                    'cuLaunchKernel': ('one-way', 1000, 0)}.items():
                expect(table.get(name) == wanted, f'{name} is {table.get(name)}, not {wanted}',
                       result)
            n_sync, n_one_way = numbers(report, 'calls')[:2]
            expect(n_sync == sum(n for kind, n, _ in table.values() if kind == 'sync') and
                   n_one_way == sum(n for kind, n, _ in table.values() if kind != 'sync'),
                   'the totals are the sums', result)
            trips, rate, waited = numbers(report, 'round trips')
            expect(trips == n_sync, 'here every synchronous call is a round trip', result)
            # HELLO is waited for, too, and before the time begins.
            seconds, connecting = numbers(report, 'time')[:2]
            expect(0 < waited < seconds + connecting and abs(rate * seconds - trips) <= 0.05 * trips + 1,
                   'times fit together', result)
            flushes, out, into = numbers(report, 'wire')
            expect(trips <= flushes and out > 5_000_000 and into > 3_000_000,
                   'the wire carried the payloads', result)
            places = re.findall(r'ms +\d+ x  (\S+)\+0x[0-9a-f]+', report)
            expect(1 <= len(places) <= 5 and any(p.endswith('/counted') for p in places) and
                   not any('libcuda' in p for p in places),
                   'places are in the program, not in our libraries', result)

        result = daemon.run(program, 'return')
        expect(result.returncode == 0 and result.stderr == '', 'it is off by default', result)


if __name__ == '__main__':
    main()
