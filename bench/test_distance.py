#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_distance DELAY_LINK TRAINING_LOOP: programs run with distance, and wait no less for it.

Only lower bounds are compared: a busy machine may take longer, none can take shorter.
"""

import os
import pathlib
import socket
import struct
import sys
import time

import measure
import network
from distance import distant_daemon
from harness import expect, skip

MS = 2


def first_window(net):
    """How many packets a new connection may send at once."""
    with net.socket(net.host) as listener, net.socket(net.guest) as here:
        listener.bind((network.THERE, 0))
        listener.listen()
        here.connect(listener.getsockname())
        info = here.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        return struct.unpack_from('I', info, 80)[0]     # tcpi_snd_cwnd, <linux/tcp.h>


def main():
    delay_link, program = sys.argv[1:]
    if os.geteuid() != 0:
        skip('network namespaces need root')
    try:
        with network.Network(delay_link, MS) as net:
            print(f'{MS} ms by {net.how}: {net.round_trip_us(50):.0f} us')
            expect(net.round_trip_us(50) >= MS * 1000, 'messages come too early')
            with distant_daemon(net) as daemon:
                start = time.monotonic()
                result = daemon.run(program, '20', env={'OUTBOARD_STATS': '1'})
                ms = (time.monotonic() - start) * 1000
            expect(result.returncode == 0 and result.stdout.endswith('PASS\n'),
                   'the program failed', result)
            trips = measure.statistics(result.stderr)['round_trips']
            expect(4 <= trips and ms >= trips * MS, f'{trips} round trips in {ms:.1f} ms', result)
        with network.Network(delay_link, MS, slow_start=False) as net:
            packets = first_window(net)
            expect(packets == network.AT_ONCE, f'only {packets} packets may go at once')
    except network.Failed as failed:
        skip(str(failed))
    left = [name for name in (net.guest, net.host) if pathlib.Path(f'/run/netns/{name}').exists()]
    expect(not left, f'{left} are left behind')


if __name__ == '__main__':
    main()
