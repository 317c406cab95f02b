#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_threads PROGRAM: 16 threads at once, over TCP and unix, and with nobody spinning.

The program is linked with our libcuda and starts without `outboard run`: so a sanitizer's
library can come first, and library, program, daemon, worker and software device are all
looked at.  What a sanitizer finds in the guest is in the exit status, what it finds in a
worker stands in the log.
"""

import os
import subprocess
import sys

from harness import Daemon, expect, wait_for


def main():
    program = sys.argv[1]
    os.environ.pop('LD_LIBRARY_PATH', None)  # Meson's names the software device
    for spin in {}, {'OUTBOARD_SPIN_US': '0'}:
        os.environ.update(spin)
        with Daemon() as daemon:
            for server in daemon.tcp, daemon.unix:
                result = subprocess.run(
                    [program], capture_output=True, text=True, timeout=200,
                    env={**os.environ, 'OUTBOARD_SERVER': server})
                expect(result.returncode == 0 and result.stdout.endswith('PASS\n'),
                       f'{server} {spin}', result)
                expect('Sanitizer' not in result.stderr, 'nothing is found', result)
            wait_for(lambda: not daemon.status_value(r'guests   (\d+)'), 20, 'the guests\' end')
            expect(daemon.status_value(r'(\d+) guests served') == 2, 'the daemon served them')
            log = daemon.log()
            expect('Sanitizer' not in log and 'runtime error' not in log, f'a worker:\n{log}')


if __name__ == '__main__':
    main()
