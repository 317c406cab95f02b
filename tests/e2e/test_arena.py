#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_arena BANDWIDTH STRESS: memory shared with a daemon on the same machine.

That the bytes of copies do not cross the socket any more, and that programs are right where
there is no shared memory, or little of it.
"""

import re
import resource
import subprocess
import sys

from harness import Daemon, expect, wait_for


def n_ended(daemon):
    return len(re.findall(r'guest: end ', daemon.log()))


def bytes_moved(daemon, command, server, env=None):
    """Bytes that the daemon's end of the socket received and sent for a program."""
    before = n_ended(daemon)
    result = daemon.run(*command, server=server, env=env)
    expect(result.returncode == 0, f'{command} over {server} with {env}', result)
    wait_for(lambda: n_ended(daemon) > before, 15, 'the end of the guest in the log')
    counts = re.findall(r'guest: end .* bytes_in=(\d+) bytes_out=(\d+)', daemon.log())[-1]
    return sum(map(int, counts))


def little_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))


def main():
    bandwidth, stress = [sys.argv[1]], [sys.argv[2], '20', '2']
    with Daemon() as daemon:
        shared = bytes_moved(daemon, bandwidth, daemon.unix)
        for server, env in ((daemon.unix, {'OUTBOARD_ARENA': '0'}), (daemon.tcp, None)):
            sent = bytes_moved(daemon, bandwidth, server, env)
            expect(sent > 20 * shared, f'{shared} bytes with shared memory, {sent} without')
        # Too small for all that is wanted, too small to begin with, and nonsense.
        for size in '64M', '70000000', '1M', '0', 'much', '99999999999999G':
            bytes_moved(daemon, stress, daemon.unix, {'OUTBOARD_ARENA_SIZE': size})
        # A limit that would be a signal.
        command = daemon.command(*stress, server=daemon.unix)
        result = subprocess.run(command, capture_output=True, text=True, timeout=120,
                                stdin=subprocess.DEVNULL, preexec_fn=little_files)
        expect(result.returncode == 0, 'with a limit on the size of files', result)


if __name__ == '__main__':
    main()
