#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_isolation PROGRAM: what must not be there is not there, and one guest's end is not
another's.

The guest maps no driver but ours and opens no device; a guest that is killed is cleaned up;
the daemon serves on; a daemon that is gone is one clear line and an error.
"""

import os
import signal
import subprocess
import sys
import time

from harness import Daemon, expect, wait_for


def start(daemon, program, *args):
    return subprocess.Popen([os.environ['OUTBOARD'], 'run', '--server', daemon.tcp, program,
                             *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def workers(daemon):
    out = subprocess.run(['ps', '-o', 'pid=', '--ppid', str(daemon.process.pid)],
                         capture_output=True, text=True).stdout
    return len(out.split())


def guests(daemon):
    return daemon.status_value(r'guests   (\d+)')


def main():
    program = sys.argv[1]           # vector_add; "forever" makes it run until it is killed
    with Daemon() as daemon:
        before = workers(daemon)
        guest = start(daemon, program, 'forever')
        wait_for(lambda: guests(daemon) == 1, 20, 'the guest')
        time.sleep(0.3)
        with open(f'/proc/{guest.pid}/maps', encoding='utf-8') as maps:
            text = maps.read()
        mapped = {line.split()[-1] for line in text.splitlines() if 'libcuda' in line}
        guest_folder = os.path.join(os.environ['OUTBOARD_LIBDIR'], 'guest')
        ours = {os.path.realpath(os.path.join(guest_folder, name))
                for name in os.listdir(guest_folder)}
        expect(mapped and mapped <= ours, f'mapped: {mapped}; ours: {ours}')
        expect('/dev/nvidia' not in text, '/dev/nvidia* is mapped')
        fds = [os.readlink(f'/proc/{guest.pid}/fd/{fd}')
               for fd in os.listdir(f'/proc/{guest.pid}/fd')]
        expect(not any('nvidia' in fd for fd in fds), f'open: {fds}')

        other = daemon.run(program)
        expect(other.returncode == 0, 'a second guest beside the first', other)
        guest.send_signal(signal.SIGKILL)
        guest.wait()
        wait_for(lambda: guests(daemon) == 0, 15, 'the end of the killed guest')
        wait_for(lambda: workers(daemon) <= before + 1, 15, 'the end of its worker')
        again = daemon.run(program)
        expect(again.returncode == 0, 'a guest after the killed one', again)
        url = daemon.tcp
    gone = subprocess.run([os.environ['OUTBOARD'], 'run', '--server', url, program],
                          capture_output=True, text=True, timeout=60)
    expect(gone.returncode != 0, 'without a daemon the program must fail', gone)
    said = [line for line in gone.stderr.splitlines() if line.startswith('outboard: ')]
    expect(len(said) == 1 and url in said[0], 'one clear line, with the URL', gone)


if __name__ == '__main__':
    main()
