#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_hostile PROGRAM: guests that lie.

After each of them the daemon answers, the worker of the liar is gone, and an honest guest
gets right results; at the end the daemon holds no more than at the start.
"""

import os
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / 'e2e'))

from guest import (CONTEXT, EVENT, FUNCTION, KERNEL, LAST, LIBRARY, MODULE, NUMBER, STREAM,  # noqa: E402
                   Closed, Guest, call_header, handle, opaque, record, u32, u64)
from harness import Daemon, expect, wait_for  # noqa: E402

INVALID_VALUE, INVALID_IMAGE, INVALID_HANDLE = 1, 200, 400
GARBAGE_ARGS = 4
PTX = (b'.version 6.4\n.target sm_75\n.address_size 64\n'
       b'.visible .entry one(.param .u64 p)\n{ ret; }\n')


# ---- before HELLO ----

def random_bytes(daemon):
    for seed in range(20):
        with Guest(daemon.port) as g:
            g.send(random.Random(seed).randbytes(2000))


def huge_record(daemon):
    with Guest(daemon.port) as g:
        g.send(u32(0xffffffff) + b'x' * 64)
        g.expect_closed()


def empty_fragments(daemon):
    with Guest(daemon.port) as g:
        try:
            g.send(u32(0) * 4096)
        except Closed:
            pass
        g.expect_closed()


def truncated_record(daemon):
    with Guest(daemon.port) as g:
        g.send(record(call_header(NUMBER['session_hello']))[:20])


def a_reply_instead_of_a_call(daemon):
    with Guest(daemon.port) as g:
        g.send(record(u32(1, 1, 0, 0, 0, 0) + b'\0' * 40))
        g.expect_closed()


def credentials_too_long(daemon):
    with Guest(daemon.port) as g:
        g.send(record(call_header(0, auth=u32(1, 401) + b'\0' * 404 + u32(0, 0))))
        g.expect_closed()


def a_call_before_hello(daemon):
    with Guest(daemon.port) as g:
        try:
            status, _, result, _ = g.ask('cuMemAlloc_v2', u64(4096))
            expect(status != 0 or result != 0, 'memory was given to a guest without HELLO')
        except Closed:
            pass


def silent_crowd(daemon):
    """Many connections that say nothing do not keep others out."""
    crowd = []
    for _ in range(150):
        try:
            crowd.append(Guest(daemon.port))
        except OSError:
            break
    daemon.status()
    for g in crowd:
        g.socket.close()


# ---- after HELLO ----

def unknown_handles(daemon):
    with Guest(daemon.port) as g:
        g.enter()
        for name, args in (
                ('cuStreamSynchronize', u64(handle(STREAM, 7))),
                ('cuEventSynchronize', u64(handle(EVENT, 7))),
                ('cuEventQuery', u64(handle(EVENT, 7))),
                ('cuFuncGetAttribute', u32(0) + u64(handle(FUNCTION, 7))),
                ('cuKernelGetAttribute', u32(0) + u64(handle(KERNEL, 7)) + u32(0)),
                ('cuModuleGetGlobal_v2', u64(handle(MODULE, 7)) + opaque(b'x')),
                ('cuLibraryGetGlobal', u64(handle(LIBRARY, 7)) + opaque(b'x')),
                ('cuStreamSynchronize', u64(0xdeadbeef)),
                ('cuStreamSynchronize', u64(2**64 - 1)),
                ('cuEventQuery', u64(0))):
            status, _, result, _ = g.ask(name, args)
            expect((status, result) == (0, INVALID_HANDLE), f'{name}: {status} {result}')


def stale_and_mistyped_handles(daemon):
    with Guest(daemon.port) as g:
        g.enter()
        event = u64(handle(EVENT, 3))
        g.tell('cuEventCreate', event + u32(0))
        g.tell('cuEventRecord', event + u64(0))
        _, head, result, _ = g.ask('cuEventSynchronize', event)
        expect((head[1], result) == (0, 0), f'an honest event: {head} {result}')
        _, _, result, _ = g.ask('cuStreamSynchronize', event)
        expect(result == INVALID_HANDLE, f'an event as a stream: {result}')
        g.tell('cuEventDestroy_v2', event)
        _, _, result, _ = g.ask('cuEventSynchronize', event)
        expect(result == INVALID_HANDLE, f'a destroyed event: {result}')
        g.tell('cuEventCreate', u64(handle(EVENT, 3, generation=2)) + u32(0))
        _, _, result, _ = g.ask('cuEventQuery', event)
        expect(result == INVALID_HANDLE, f'the generation before: {result}')


def handles_out_of_range(daemon):
    with Guest(daemon.port) as g:
        g.enter()
        g.tell('cuEventCreate', u64(handle(EVENT, 0xffffffff)) + u32(0))
        _, head, _, _ = g.ask('session_mark', u32(0))
        expect(head[1] == INVALID_HANDLE, f'index 2^32-1: {head}')
        g.tell('cuEventCreate', u64(handle(EVENT, 5)) + u32(0))
        g.tell('cuEventCreate', u64(handle(EVENT, 5)) + u32(0))
        _, head, _, _ = g.ask('session_mark', u32(0))
        expect(head[1] == INVALID_HANDLE, f'a number given twice: {head}')


def arguments_that_do_not_decode(daemon):
    with Guest(daemon.port) as g:
        g.enter()
        status, *_ = g.ask('cuMemAlloc_v2', b'\0\0')
        expect(status == GARBAGE_ARGS, f'too few bytes: {status}')
        status, *_ = g.ask('cuMemAlloc_v2', u64(1) + b'extra')
        expect(status == GARBAGE_ARGS, f'too many bytes: {status}')
        status, *_ = g.ask('cuModuleGetGlobal_v2', u64(1) + opaque(b'x', claimed=2**31))
        expect(status == GARBAGE_ARGS, f'a name of 2 GiB: {status}')
        g.tell('cuEventRecord', b'\0')
        g.expect_closed()


def payloads_that_lie(daemon):
    for claimed in (0, 1, 4096, 2**31, 2**32 - 1):
        with Guest(daemon.port) as g:
            g.enter()
            there = g.allocate(4096)
            g.tell('copy_htod', u64(there, 64, 64, 1, 0) + opaque(b'x' * 64, claimed=claimed))
            g.expect_closed()


def sizes_that_overflow(daemon):
    with Guest(daemon.port) as g:
        g.enter()
        there = g.allocate(4096)
        for width, height in ((2**63, 2), (2**32, 2**32), (65, 1), (0, 0), (64, 2**60)):
            g.tell('copy_htod', u64(there, width, width, height, 0) + opaque(b'x' * 64))
            _, head, _, _ = g.ask('session_mark', u32(0))
            expect(head[1] != 0, f'{width} x {height} bytes from a payload of 64')
            _, _, result, _ = g.ask('copy_dtoh', u64(there, width, width, height, 0))
            expect(result != 0 or width * height <= 4096, f'copy of {width} x {height}')


def wild_addresses(daemon):
    for address in (0, 1, 0x7fff_0000_0000, 2**64 - 8):
        with Guest(daemon.port) as g:
            g.enter()
            g.tell('copy_htod', u64(address, 64, 64, 1, 0) + opaque(b'x' * 64))
            _, head, result, _ = g.ask('copy_dtoh', u64(address, 64, 64, 1, 0))
            expect(head[1] != 0 and result != 0, f'{address:#x}: {head} {result}')


def images_that_lie(daemon):
    with Guest(daemon.port) as g:
        g.enter()
        pieces = (
            u64(1) + u32(0, 1, 0) + u64(2**63) + opaque(b'x' * 64),          # huge part
            u64(2) + u32(0, 2**31, 0) + u64(64) + opaque(b'x' * 64),         # parts
            u64(3) + u32(0, 1, 5) + u64(64) + opaque(b'x' * 64),             # part 5 of 1
            u64(4) + u32(77, 1, 0) + u64(64) + opaque(b'x' * 64),            # kind 77
            u64(5) + u32(0, 1, 0) + u64(64) + opaque(b'x' * 128),            # too much
        )
        for i, piece in enumerate(pieces):
            g.tell('image_put', piece)
            _, head, _, _ = g.ask('session_mark', u32(0))
            expect(head[1] != 0, f'image piece {i} was taken')
        bad = (
            (0, random.Random(1).randbytes(4000)),
            (0, u32(0x50ed55ba) + b'\x01\0\x10\0' + (2**62).to_bytes(8, 'little')),
            (1, b'\x7fELF' + random.Random(2).randbytes(4000)),
            (2, b'.version 6.4\n.target sm_75\n.visible .entry x( { {'),
        )
        for i, (kind, data) in enumerate(bad):
            g.tell('image_put', u64(100 + i) + u32(kind, 1, 0) + u64(len(data)) + opaque(data))
            _, _, result, _ = g.ask('cuModuleLoadData',
                                    u64(handle(MODULE, 100 + i)) + u64(100 + i))
            expect(result != 0, f'bad image {i} was loaded')
        _, _, result, _ = g.ask('cuModuleLoadData', u64(handle(MODULE, 200)) + u64(999))
        expect(result != 0, 'an image that was never put')


def parameters_of_another_size(daemon):
    with Guest(daemon.port) as g:
        g.enter()
        g.tell('image_put', u64(1) + u32(2, 1, 0) + u64(len(PTX)) + opaque(PTX))
        _, _, result, _ = g.ask('cuModuleLoadData', u64(handle(MODULE, 1)) + u64(1))
        expect(result == 0, f'an honest module: {result}')
        g.tell('cuModuleGetFunction', u64(handle(FUNCTION, 2), handle(MODULE, 1)) +
               opaque(b'one'))
        for size in (0, 1, 7, 8, 9, 32764):
            g.tell('cuLaunchKernel', u64(handle(FUNCTION, 2)) + u32(1, 1, 1, 1, 1, 1, 0) +
                   u64(0) + opaque(b'\0' * size))
            _, head, result, _ = g.ask('cuCtxSynchronize', u32(0))
            expect(size != 8 or (head[1], result) == (0, 0), f'{size}: {head} {result}')
            expect(size >= 8 or head[1] != 0, f'{size} bytes for a parameter of 8')


def hello_twice(daemon):
    with Guest(daemon.port) as g:
        g.hello()
        try:
            status, _, result, _ = g.ask('session_hello', u32(1, 0) + u64(1) + opaque(b'x'))
            expect(status != 0 or result != 0, 'a second HELLO was welcome')
        except Closed:
            pass


def another_version(daemon):
    """The host says which version it speaks; the guest decides."""
    with Guest(daemon.port) as g:
        status, _, result, rest = g.ask('session_hello', u32(99, 2**32 - 1) + u64(1) +
                                        opaque(b'x'))
        expect((status, result, rest[:8]) == (0, 0, u32(1, 0)),
               f'version and features: {status} {result} {rest[:8]}')


def flood_without_reading(daemon):
    with Guest(daemon.port, timeout=5) as g:
        g.enter()
        there = g.allocate(1 << 20)
        one = record(call_header(NUMBER['copy_dtoh']) + u64(there, 1 << 20, 1 << 20, 1, 0))
        try:
            for _ in range(20000):
                g.send(one)
        except (Closed, TimeoutError):
            pass


def flood_of_one_way_calls(daemon):
    with Guest(daemon.port) as g:
        g.enter()
        batch = b''.join(record(call_header(NUMBER['cuEventRecord']) +
                                u64(handle(EVENT, 9), 0)) for _ in range(1000))
        for _ in range(50):
            g.send(batch)
        _, head, _, _ = g.ask('session_mark', u32(0))
        expect(head[0] >= 50000 and head[1] == INVALID_HANDLE, f'after the flood: {head}')


def vanish_in_a_payload(daemon):
    with Guest(daemon.port) as g:
        g.enter()
        there = g.allocate(1 << 20)
        body = call_header(NUMBER['copy_htod']) + u64(there, 1 << 20, 1 << 20, 1, 0)
        body += u32(1 << 20)
        g.send(u32(LAST | len(body) + (1 << 20)) + body + b'x' * 1000)


ATTACKS = [
    random_bytes, huge_record, empty_fragments, truncated_record, a_reply_instead_of_a_call,
    credentials_too_long, a_call_before_hello, silent_crowd, unknown_handles,
    stale_and_mistyped_handles, handles_out_of_range, arguments_that_do_not_decode,
    payloads_that_lie, sizes_that_overflow, wild_addresses, images_that_lie,
    parameters_of_another_size, hello_twice, another_version, flood_without_reading,
    flood_of_one_way_calls, vanish_in_a_payload,
]


def n_guests(daemon):
    return daemon.status_value(r'guests   (\d+)')


def n_fds(daemon):
    return len(os.listdir(f'/proc/{daemon.process.pid}/fd'))


def rss_kib(daemon):
    status = pathlib.Path(f'/proc/{daemon.process.pid}/status').read_text()
    return int(status.split('VmRSS:')[1].split()[0])


def main():
    program = sys.argv[1]
    only = sys.argv[2:]
    with Daemon() as daemon:
        honest = daemon.run(program)
        expect(honest.returncode == 0, 'an honest guest before all', honest)
        wait_for(lambda: n_guests(daemon) == 0, 10, 'the end of the honest guest')
        time.sleep(0.5)
        fds, rss = n_fds(daemon), rss_kib(daemon)
        for attack in ATTACKS:
            if only and attack.__name__ not in only:
                continue
            start = time.monotonic()
            try:
                attack(daemon)
            except (Closed, TimeoutError) as error:
                expect(False, f'{attack.__name__}: {error!r}; the log:\n{daemon.log()}')
            wait_for(lambda: n_guests(daemon) == 0, 15, f'the end of {attack.__name__}')
            expect(daemon.process.poll() is None, f'{attack.__name__} ended the daemon')
            print(f'{attack.__name__}: {time.monotonic() - start:.1f} s', flush=True)
        honest = daemon.run(program)
        expect(honest.returncode == 0, 'an honest guest after all', honest)
        wait_for(lambda: n_guests(daemon) == 0 and n_fds(daemon) <= fds, 15,
                 f'{fds} descriptors as before')
        # A sanitizer keeps freed memory for a while.
        room = 65536 if 'SANITIZED' in os.environ else 4096
        expect(rss_kib(daemon) < rss + room, f'the daemon grew: {rss} to {rss_kib(daemon)} KiB')
        crashes = [line for line in daemon.log().splitlines() if 'signal' in line.lower()]
        expect(not crashes, f'workers crashed: {crashes}')


if __name__ == '__main__':
    main()
