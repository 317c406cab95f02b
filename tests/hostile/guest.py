# SPDX-License-Identifier: Apache-2.0
"""A guest made of a socket and struct.pack, so that it can lie about everything."""

import pathlib
import re
import socket
import struct

CONTRACT = (pathlib.Path(__file__).parent.parent.parent / 'rpc/outboard.x').read_text()
NUMBER = {name: int(number) for name, number in
          re.findall(r'CALL_(\w+)\(\w+\) = (\d+);', CONTRACT)}
PROGRAM = int(re.search(r'= (0x[0-9a-f]{8});', CONTRACT)[1], 16)
LAST = 0x80000000

CONTEXT, MODULE, FUNCTION, LIBRARY, KERNEL, STREAM, EVENT = range(1, 8)


def handle(kind, index, generation=1):
    return kind << 56 | generation << 32 | index


def u32(*values):
    return struct.pack(f'>{len(values)}I', *values)


def u64(*values):
    return struct.pack(f'>{len(values)}Q', *values)


def opaque(data, claimed=None):
    return u32(len(data) if claimed is None else claimed) + data + b'\0' * (-len(data) % 4)


def call_header(number, xid=1, program=PROGRAM, version=1, rpc=2, auth=u32(0, 0, 0, 0)):
    return u32(xid, 0, rpc, program, version, number) + auth


def record(body, mark=None):
    return u32(LAST | len(body) if mark is None else mark) + body


class Closed(Exception):
    """The host has ended the connection."""


class Guest:
    """where: a TCP port, or the path of a unix socket."""

    def __init__(self, where, timeout=20):
        if isinstance(where, int):
            self.socket = socket.create_connection(('127.0.0.1', where), timeout=timeout)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(where)
        self.xid = 100

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Closed from error

    def receive(self, size):
        data = b''
        while len(data) < size:
            try:
                got = self.socket.recv(size - len(data))
            except ConnectionResetError as error:
                raise Closed from error
            if not got:
                raise Closed
            data += got
        return data

    def tell(self, name, args=b''):
        """A one-way call."""
        self.xid += 1
        self.send(record(call_header(NUMBER[name], self.xid) + args))

    def reply(self):
        """(accept status, head of the lane, CUDA result, rest) of the next reply."""
        size, = struct.unpack('>I', self.receive(4))
        body = self.receive(size & ~LAST)
        xid, kind, denied = struct.unpack('>III', body[:12])
        assert kind == 1, f'not a reply: {body!r}'
        if denied:
            return 'denied', None, None, body
        status, = struct.unpack('>I', body[20:24])
        if status or len(body) < 48:
            return status, None, None, body[24:]
        done, latched, latched_call, output = struct.unpack('>QiII', body[24:44])
        result, = struct.unpack('>i', body[44:48])
        return status, (done, latched, latched_call, output), result, body[48:]

    def ask(self, name, args=b''):
        self.tell(name, args)
        return self.reply()

    def send_fds(self, data, fds):
        try:
            sent = socket.send_fds(self.socket, [data], fds)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Closed from error
        self.send(data[sent:])

    def ask_with_fds(self, name, args, fds):
        self.xid += 1
        self.send_fds(record(call_header(NUMBER[name], self.xid) + args), fds)
        return self.reply()

    def hello(self, name=b'hostile', features=0):
        """The features that the host grants."""
        status, _, result, rest = self.ask('session_hello', u32(1, features) + u64(1) +
                                           opaque(name))
        assert (status, result) == (0, 0), f'HELLO: {status} {result}'
        _, granted, _, self.id = struct.unpack('>IIIQ', rest[:20])
        return granted

    def enter(self, features=0):
        """HELLO, a context, and it is current."""
        self.hello(features=features)
        status, _, result, _ = self.ask('cuDevicePrimaryCtxRetain',
                                        u64(handle(CONTEXT, 0)) + u32(0))
        assert (status, result) == (0, 0), f'context: {status} {result}'
        self.tell('session_context', u64(handle(CONTEXT, 0)))

    def allocate(self, size):
        status, _, result, rest = self.ask('cuMemAlloc_v2', u64(size))
        assert (status, result) == (0, 0), f'allocation: {status} {result}'
        return struct.unpack('>Q', rest)[0]

    def expect_closed(self):
        """Everything up to the end; nothing that comes counts."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
