#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_sample PROGRAM [ARGUMENT...]: an unmodified program through the daemon, over TCP
and unix."""

import os
import sys

from harness import Daemon, expect


def main():
    program, *arguments = sys.argv[1:]
    with Daemon() as daemon:
        for server in daemon.tcp, daemon.unix:
            result = daemon.run(program, *arguments, server=server)
            expect(result.returncode == 0, f'{os.path.basename(program)} over {server} failed',
                   result)
            lines = result.stdout.strip().splitlines()
            expect(lines and lines[-1] == 'PASS', 'the last line is not PASS', result)
        expect(daemon.status_value(r'(\d+) guests served') >= 2, 'the daemon served nobody')


if __name__ == '__main__':
    main()
