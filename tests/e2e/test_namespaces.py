#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_namespaces PROGRAM...: a guest in other namespaces than the daemon, which is what two
containers on one host are to each other.

All that they have in common is a unix socket.  Memory is shared through it nevertheless, and
pinned; the programs check their data themselves.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

from harness import Daemon, expect, skip

UNSHARE = 'unshare', '--net', '--mount', '--pid', '--fork', '--ipc', '--uts'
# Without the second a user namespace is not needed, where root may do the rest anyway.
USERS = ('--user', '--map-root-user'), ()
# A socket is mounted elsewhere, and where it was it is not seen any more.
MOVE = 'mount --bind "$1" "$2" && mount -t tmpfs none "${1%/*}" && shift 2 && exec "$@"'


def enter(elsewhere):
    """A command's beginning that puts the rest into namespaces of its own."""
    if shutil.which('unshare') is None:
        skip('there is no unshare of util-linux')
    for user in USERS:
        command = [*UNSHARE, *user]
        tried = subprocess.run([*command, 'mount', '-t', 'tmpfs', 'none', elsewhere],
                               capture_output=True, text=True, timeout=60)
        if tried.returncode == 0:
            return command
    skip(f'namespaces cannot be made here: {tried.stderr.strip()}')


def check(command):
    result = subprocess.run(command, capture_output=True, text=True, timeout=120,
                            stdin=subprocess.DEVNULL, env={**os.environ, 'OUTBOARD_STATS': '1'})
    expect(result.returncode == 0 and result.stdout.endswith('PASS\n'), f'{command}', result)
    for call, count in ('arena_open', '1'), ('arena_ring', '1'), (r'copy_arena_\wto\w', r'\d+'):
        expect(re.search(rf'^  {call} +[\w-]+ +{count} ', result.stderr, re.M),
               f'{call}: memory is not shared', result)


def main():
    with Daemon() as daemon, tempfile.TemporaryDirectory() as elsewhere:
        inside = enter(elsewhere)
        socket, moved = daemon.unix.removeprefix('unix://'), f'{elsewhere}/gpu'
        with open(moved, 'x', encoding='utf-8'):    # something to mount on
            pass
        for program in sys.argv[1:]:
            check([*inside, *daemon.command(program, server=daemon.unix)])
            check([*inside, 'sh', '-c', MOVE, 'sh', socket, moved,
                   *daemon.command(program, server=f'unix://{moved}')])
        result = subprocess.run(
            [*inside, 'sh', '-c', MOVE, 'sh', socket, moved,
             *daemon.command(sys.argv[1], server=daemon.unix)], capture_output=True, text=True,
            timeout=120)
        expect(result.returncode != 0 and 'cannot reach' in result.stderr,
               'the socket is still seen where it was', result)


if __name__ == '__main__':
    main()
