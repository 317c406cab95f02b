#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_bulk BANDWIDTH_TEST COPY_STRESS: large copies over several connections: used where
they are asked for and only there, with the right data, and gone with their program."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

from harness import Daemon, expect, wait_for


def bulk_bytes(result, call):
    """What OUTBOARD_STATS says that a call carried."""
    row = re.search(rf'^\s*{call}\s+\S+\s+\d+\s+(\d+)', result.stderr, re.M)
    return int(row[1]) if row else 0


def ends(daemon):
    """(bytes in, bytes out) of every guest that has left."""
    return [tuple(map(int, end)) for end in
            re.findall(r'guest: end .* bytes_in=(\d+) bytes_out=(\d+)', daemon.log())]


def run(daemon, program, *arguments, **env):
    result = daemon.run(program, *arguments, env={'OUTBOARD_STATS': '1', **env})
    expect(result.returncode == 0 and result.stdout.rstrip().endswith('PASS'),
           f'{os.path.basename(program)} with {env}', result)
    return result


def used_where_asked_for(daemon, bandwidth_test):
    config = pathlib.Path(daemon.folder.name) / 'client.conf'
    config.write_text(f'server = {daemon.tcp}\n connections = 2 \n', encoding='utf-8')
    for env in ({'OUTBOARD_CONNECTIONS': '2'}, {'OUTBOARD_CONNECTIONS': '1000'},
                {'OUTBOARD_CONFIG': str(config)}):
        before = len(ends(daemon))
        result = run(daemon, bandwidth_test, **env)
        for call in 'copy_bulk_htod', 'copy_bulk_dtoh':
            expect(bulk_bytes(result, call) > 64 << 20, f'{call} was not used with {env}', result)
        # The daemon counts what goes over all connections.
        wait_for(lambda: len(ends(daemon)) > before, 10, 'the end of the guest in the log')
        end = ends(daemon)[-1]
        expect(min(end) > 64 << 20, f'the account says {end}', result)
    for env in {'OUTBOARD_CONNECTIONS': '0'}, {'OUTBOARD_CONNECTIONS': '1'}:
        result = run(daemon, bandwidth_test, **env)
        expect('bulk' not in result.stderr, f'links with {env}', result)


def several_threads(daemon, copy_stress):
    result = run(daemon, copy_stress, '40', '4', OUTBOARD_CONNECTIONS='3')
    expect(bulk_bytes(result, 'copy_bulk_htod') > 0, 'no bulk copy to the device', result)
    expect(bulk_bytes(result, 'copy_bulk_dtoh') > 0, 'no bulk copy from the device', result)


def pump(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 18):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def only_one_connection(daemon, bandwidth_test):
    """As behind a firewall that lets the first one through and no other."""
    listener = socket.create_server(('127.0.0.1', 0))

    def serve():
        guest, _ = listener.accept()
        listener.close()
        host = socket.create_connection(('127.0.0.1', daemon.port))
        back = threading.Thread(target=pump, args=(host, guest))
        back.start()
        pump(guest, host)
        back.join()

    proxy = threading.Thread(target=serve)
    url = f'tcp://127.0.0.1:{listener.getsockname()[1]}'
    proxy.start()
    result = daemon.run(bandwidth_test, server=url, env={'OUTBOARD_STATS': '1',
                                                         'OUTBOARD_CONNECTIONS': '3'})
    proxy.join()
    expect(result.returncode == 0, 'with one connection only', result)
    expect('copy_bulk' not in result.stderr, 'links through a firewall', result)
    expect('bulk_open' in result.stderr, 'links were not tried', result)


def killed_in_the_middle(daemon, bandwidth_test):
    """Wherever it is: no worker stays behind."""
    for delay in 0.5, 1, 1.5:
        program = subprocess.Popen(daemon.command(bandwidth_test, '134217728'), stdout=subprocess.DEVNULL,
                                   env={**os.environ, 'OUTBOARD_CONNECTIONS': '4'})
        time.sleep(delay)
        program.send_signal(signal.SIGKILL)
        program.wait()
        wait_for(lambda: daemon.status_value(r'guests   (\d+)') == 0, 10,
                 f'the end of a guest that was killed after {delay} s')


def main():
    bandwidth_test, copy_stress = sys.argv[1:]
    with Daemon() as daemon:
        used_where_asked_for(daemon, bandwidth_test)
        several_threads(daemon, copy_stress)
        only_one_connection(daemon, bandwidth_test)
        killed_in_the_middle(daemon, bandwidth_test)
        crashed = [line for line in daemon.log().splitlines() if 'signal=' in line]
        expect(not crashed, f'workers crashed: {crashed}')


if __name__ == '__main__':
    main()
