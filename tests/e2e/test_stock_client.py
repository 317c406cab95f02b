#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_stock_client CLIENT: libtirpc and rpcgen alone, and rpcinfo, against the daemon."""

import shutil
import subprocess
import sys

from harness import Daemon, expect

PROGRAM = '536891202'   # 0x20004f42


def main():
    with Daemon() as daemon:
        result = subprocess.run([sys.argv[1], '127.0.0.1', str(daemon.port)],
                                capture_output=True, text=True, timeout=60)
        expect(result.returncode == 0 and 'PASS' in result.stdout, 'the stock client', result)
        rpcinfo = shutil.which('rpcinfo', path='/usr/sbin:/usr/bin:/sbin:/bin')
        if rpcinfo is None:
            print('rpcinfo is not installed: its ping was not tried')
            return
        high, low = divmod(daemon.port, 256)
        result = subprocess.run([rpcinfo, '-a', f'127.0.0.1.{high}.{low}', '-T', 'tcp',
                                 PROGRAM, '1'], capture_output=True, text=True, timeout=60)
        expect(result.returncode == 0 and 'ready and waiting' in result.stdout,
               'rpcinfo does not see the program', result)
        result = subprocess.run([rpcinfo, '-a', f'127.0.0.1.{high}.{low}', '-T', 'tcp',
                                 PROGRAM, '9'], capture_output=True, text=True, timeout=60)
        expect(result.returncode != 0, 'version 9 must not be there', result)


if __name__ == '__main__':
    main()
