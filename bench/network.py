# SPDX-License-Identifier: Apache-2.0
"""Two network namespaces with a distance between them.

The delay is the kernel's own (netem) where it has that, else that of delay_link.c; both hold
packets back and limit nothing else.  Root is needed.
"""

import ctypes
import os
import socket
import subprocess
import threading
import time

CLONE_NEWNET = 0x40000000       # <sched.h>
HERE, THERE = '10.201.0.2', '10.201.0.1'
AT_ONCE = 10000                 # packets that may go before the first has been acknowledged
BUFFERS = '4096 33554432 67108864'      # bytes, of a socket: at least, at first, at most


class Failed(Exception):
    pass


def ip(*words, tool='ip', check=True):
    try:
        result = subprocess.run([tool, *words], capture_output=True, text=True)
    except FileNotFoundError:
        raise Failed(f'there is no {tool} here (apt install iproute2)') from None
    if check and result.returncode != 0:
        raise Failed(f'{tool} {" ".join(words)}: {result.stderr.strip()}')
    return result.returncode == 0


class Network:
    """guest and host: names of namespaces, connected when the with block begins.

    slow_start: TCP finds out how much the way carries, as it does; else it may send at once
    what the other end has room for: 64 KiB at first, three times as much each round trip.
    """

    def __init__(self, delay_link, round_trip_ms=0, slow_start=True):
        self.delay_link = delay_link
        self.slow_start = slow_start
        self.half_us = round_trip_ms * 1000 / 2
        self.guest, self.host = (f'outboard-{end}-{os.getpid()}' for end in ('guest', 'host'))
        self.link = None
        self.how = 'veth'

    def __enter__(self):
        try:
            for name in self.guest, self.host:
                ip('netns', 'add', name)
                ip('-n', name, 'link', 'set', 'lo', 'up')
            if not self.connect_veth():
                self.connect_link()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        if self.link is not None:
            self.link.stdin.close()
            self.link.wait(10)
            self.link.stdout.close()
            self.link = None
        for name in self.guest, self.host:
            ip('netns', 'del', name, check=False)

    def connect_veth(self):
        """False: this kernel cannot delay what goes through it."""
        ip('-n', self.guest, 'link', 'add', 'cable', 'type', 'veth', 'peer', 'name', 'cable',
           'netns', self.host)
        if self.half_us > 0:
            for name in self.guest, self.host:
                if not ip('-n', name, 'qdisc', 'add', 'dev', 'cable', 'root', 'netem', 'delay',
                          f'{self.half_us:.0f}us', 'limit', '100000', tool='tc', check=False):
                    ip('-n', self.guest, 'link', 'del', 'cable')
                    return False
            self.how = 'netem'
        for name, mine, other in self.ends():
            self.attach(name, 'cable', mine, other)
        return True

    def connect_link(self):
        self.how = 'delay_link'
        self.link = subprocess.Popen([self.delay_link, f'{self.half_us:.1f}'], text=True,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        devices = self.link.stdout.readline().split()
        if len(devices) != 2:
            raise Failed('delay_link made no devices')
        for device, (name, mine, other) in zip(devices, self.ends()):
            ip('link', 'set', device, 'netns', name)
            self.attach(name, device, mine, other)

    def ends(self):
        return (self.guest, HERE, THERE), (self.host, THERE, HERE)

    def attach(self, name, device, mine, other):
        ip('-n', name, 'addr', 'add', mine, 'peer', other, 'dev', device)
        ip('-n', name, 'link', 'set', device, 'up')
        if not self.slow_start:
            ip('-n', name, 'route', 'replace', other, 'dev', device, 'src', mine,
               'initcwnd', f'{AT_ONCE}')
            for buffers in 'tcp_rmem', 'tcp_wmem':
                ip('netns', 'exec', name, 'sysctl', '-qw', f'net.ipv4.{buffers}={BUFFERS}')

    @staticmethod
    def inside(name):
        """What to put before a command."""
        return ['nsenter', f'--net=/run/netns/{name}']

    def socket(self, name):
        """A TCP socket that lives in a namespace, for this process."""
        made = []

        def make():     # a thread has a namespace of its own
            with open(f'/run/netns/{name}', encoding='utf-8') as file:
                if ctypes.CDLL(None).setns(file.fileno(), CLONE_NEWNET) == 0:
                    made.append(socket.socket())

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        if not made:
            raise Failed(f'cannot enter {name}')
        made[0].settimeout(20)
        return made[0]

    def round_trip_us(self, rounds=200):
        """The median of small messages there and back, between two threads of this script."""
        times = []
        with self.socket(self.host) as listener, self.socket(self.guest) as here:
            listener.bind((THERE, 0))
            listener.listen()
            here.connect(listener.getsockname())
            there, _ = listener.accept()

            def answer():
                while message := there.recv(64):
                    there.sendall(message)

            thread = threading.Thread(target=answer)
            thread.start()
            for end in here, there:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(rounds):
                start = time.perf_counter()
                here.sendall(b'x' * 64)
                here.recv(64)
                times.append((time.perf_counter() - start) * 1e6)
            here.shutdown(socket.SHUT_WR)
            thread.join()
            there.close()
        return sorted(times)[rounds // 2]
