#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_idle PROGRAM: a guest that does nothing costs nothing, on either side.

The program has used CUDA, and has left work and a copy that nobody waits for.  Processor
time is counted for the guest, the daemon and its workers: the one that serves and the one
that waits for the next guest.
"""

import os
import pathlib
import subprocess
import sys
import time

from harness import Daemon, expect

SECONDS = 2
# Ticks of 10 ms: what is counted is rounded, so one of them says nothing.
ALLOWED_MS = 20


def children(pid):
    return [int(pid) for pid in subprocess.run(
        ['ps', '-o', 'pid=', '--ppid', str(pid)], capture_output=True, text=True).stdout.split()]


def used_ms(pid):
    """utime and stime of all its threads: proc(5)."""
    text = pathlib.Path(f'/proc/{pid}/stat').read_text(encoding='utf-8')
    fields = text.rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf('SC_CLK_TCK')


def idle_ms(daemon, server, program):
    """{who: processor time} of some seconds in which nothing happens."""
    guest = subprocess.Popen(daemon.command(program, server=server), text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        expect(guest.stdout.readline() == 'READY\n', 'the program did not get ready')
        time.sleep(0.5)     # what it began ends, and another worker gets ready
        who = {'guest': guest.pid, 'daemon': daemon.process.pid,
               **{f'worker {pid}': pid for pid in children(daemon.process.pid)}}
        expect(len(who) >= 3, f'no worker among {who}')
        before = {name: used_ms(pid) for name, pid in who.items()}
        time.sleep(SECONDS)
        used = {name: used_ms(pid) - before[name] for name, pid in who.items()}
        output, _ = guest.communicate(timeout=60)
        expect(guest.returncode == 0 and output == 'PASS\n', f'it ended with {output!r}')
    finally:
        guest.kill()
        guest.wait()
    return used


def main():
    program = sys.argv[1]
    with Daemon() as daemon:
        for server in daemon.tcp, daemon.unix:
            used = idle_ms(daemon, server, program)
            print(f'{server}: {used}')
            expect(all(ms <= ALLOWED_MS for ms in used.values()),
                   f'in {SECONDS} s of idleness over {server}, ms: {used}')


if __name__ == '__main__':
    main()
