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
    for options, words in ((), ()), (('--guest-memory', '128M'), (str(QUOTA),)):
        with Daemon(*options) as daemon:
            for kept in None, '0', '3M':
                for server in daemon.tcp, daemon.unix:
                    env = {} if kept is None else {'OUTBOARD_MEMORY_CACHE': kept}
                    result = daemon.run(program, *words, server=server, env=env)
                    expect(result.returncode == 0 and result.stdout.endswith('PASS\n'),
                           f'{server}, options {options}, OUTBOARD_MEMORY_CACHE={kept}', result)


if __name__ == '__main__':
    main()
