#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_threads PROGRAM: 16 threads at once, over TCP and unix, and with nobody spinning:
only who sleeps uses the worker's waiters.

The program is linked with our libcuda, so a sanitizer looks at all of it: program, library,
daemon, worker, software device.  What it finds in the guest is in the exit status.
"""

import os
import sys

from harness import Daemon, expect


def main():
    program = sys.argv[1]
    seed, rounds = str(os.getpid()), '80' if 'SANITIZED' in os.environ else '150'
    for spin in {}, {'OUTBOARD_SPIN_US': '0'}:
        os.environ.update(spin)
        with Daemon() as daemon:
            for server in daemon.tcp, daemon.unix:
                result = daemon.run_linked(program, seed, rounds, server=server)
                expect(result.returncode == 0 and result.stdout.endswith('PASS\n'),
                       f'{server} {spin}, seed {seed}', result)
            daemon.expect_no_reports()
            expect(daemon.status_value(r'(\d+) guests served') == 2, 'the daemon served them')


if __name__ == '__main__':
    main()
