#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_freed PROGRAM: memory that is freed and allocated again, kept by the guest or not, on
a small device and under a quota."""

import os
import sys

from harness import Daemon, expect

QUOTA = 128 << 20


def main():
    program = sys.argv[1]
    os.environ['OUTBOARD_SOFT_MEMORY'] = '256M'
    ways = [((), ()), (('--guest-memory', '128M'), (str(QUOTA),))]
    sizes = [None, '0', '3M']
    if 'SANITIZED' in os.environ:   # slow, and the code is the same
        ways, sizes = ways[:1], sizes[:1]
    for options, words in ways:
        with Daemon(*options) as daemon:
            for kept in sizes:
                for server in daemon.tcp, daemon.unix:
                    env = {} if kept is None else {'OUTBOARD_MEMORY_CACHE': kept}
                    result = daemon.run_linked(program, *words, server=server, env=env)
                    expect(result.returncode == 0 and result.stdout.endswith('PASS\n'),
                           f'{server}, options {options}, OUTBOARD_MEMORY_CACHE={kept}', result)
            daemon.expect_no_reports()
            served = daemon.status_value(r'(\d+) guests served')
            expect(served == 2 * len(sizes), 'the daemon served them')


if __name__ == '__main__':
    main()
