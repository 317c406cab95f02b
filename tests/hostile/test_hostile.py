#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_hostile PROGRAM: guests that lie.

After each of them the daemon answers, the worker of the liar is gone, and an honest guest
gets right results; at the end the daemon holds no more than at the start.
"""

import contextlib
import fcntl
import mmap
import hashlib
import os
import pathlib
import random
import re
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / 'e2e'))

from guest import (CONTEXT, EVENT, FUNCTION, KERNEL, LAST, LIBRARY, MODULE, NUMBER, STREAM,  # noqa: E402
                   Closed, Guest, call_header, handle, opaque, record, u32, u64)
from harness import Daemon, expect, wait_for  # noqa: E402

INVALID_VALUE, INVALID_IMAGE, INVALID_HANDLE = 1, 200, 400
NOT_REGISTERED, NOT_PERMITTED = 713, 800
ARENA, BULK, CACHE = 1, 8, 16
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


def image_hash(kind, data):
    """cubin-loader/hash.h, of one part of less than 256 KiB."""
    return hashlib.sha256(b'outboard image 1' + struct.pack('<IIQ', kind, 1, len(data)) +
                          hashlib.sha256(data).digest()).digest()


NOT_HAD, HAD = u32(0) + u64(0), u32(1) + u64(0)


def offers_that_lie(daemon):
    """A hash gets what was kept under it, and nothing that a guest says changes that."""
    large = PTX + b'//' + b'x' * 70000 + b'\n'
    known = image_hash(2, large)

    def put(g, number, kind, data):
        g.tell('image_put', u64(number) + u32(kind, 1, 0) + u64(len(data)) + opaque(data))

    def load(g, number, index):
        return g.ask('cuModuleLoadData', u64(handle(MODULE, index)) + u64(number))[2]

    def offer(g, number, a_hash):
        _, _, result, rest = g.ask('image_offer', u64(number) + a_hash)
        return result, rest

    with Guest(daemon.port) as g:
        g.enter()
        for i in range(200):
            got = offer(g, 1000 + i, random.Random(i).randbytes(32))
            expect(got == (0, NOT_HAD), f'a hash of nothing: {got}')
        expect(load(g, 1000, 1) == INVALID_HANDLE, 'what was offered in vain is not there')
        # Neither what is not loaded nor what does not load is kept.
        bad = large.replace(b'.target', b'.tarpit')
        put(g, 1, 2, bad)
        put(g, 2, 2, large)
        expect(load(g, 1, 2) != 0, 'not PTX')
        expect(offer(g, 3, image_hash(2, bad)) == (0, NOT_HAD), 'what does not load is kept')
        expect(offer(g, 3, known) == (0, NOT_HAD), 'what was only put is kept')
        expect(load(g, 2, 3) == 0, 'an honest image')
        # Soon: it is done beside the guest's calls.
        wait_for(lambda: offer(g, 4, known) == (0, HAD), 10, 'what was loaded is kept')
    with Guest(daemon.port) as g:
        g.enter()
        put(g, 1, 2, b'a part of ' * 10)
        for number, wanted in ((1, INVALID_VALUE), (2, 0), (2, INVALID_VALUE)):
            result, _ = offer(g, number, known)
            expect(result == wanted, f'offered as {number}: {result}')
        expect(load(g, 2, 1) == 0, 'what was kept is loaded')
        # Nothing more goes into it, whatever it is said to be.
        for kind, n_parts, part, size in ((2, 1, 0, len(large)), (0, 1, 0, 64),
                                          (2, 2, 1, 64), (2, 1, 0, len(large) + 64)):
            g.tell('image_put', u64(2) + u32(kind, n_parts, part) + u64(size) +
                   opaque(b'x' * 64))
            _, head, _, _ = g.ask('session_mark', u32(0))
            expect(head[1] != 0, f'put into a kept image: {kind} {n_parts} {part} {size}')
        expect(load(g, 2, 2) == 0, 'it is as it was')
        g.tell('image_drop', u64(2))
        expect(load(g, 2, 3) == INVALID_HANDLE, 'dropped is dropped')
        for i in range(3000):
            expect(offer(g, 100 + i, known)[0] == 0, f'offer {i}')
        # PTX is not compressed: no table of kernels was kept with it.
        for number, at, size in ((100, 0, 1), (100, 0, 0), (100, 2**64 - 1, 2), (99, 0, 1),
                                 (100, 0, 2**32 - 1), (100, 2**63, 2**20)):
            status, _, result, _ = g.ask('image_kernels', u64(number, at) + u32(size))
            expect((status, result) == (0, INVALID_VALUE), f'kernels {at} {size}: {result}')
        status, _, _, _ = g.ask('image_offer', u64(5) + known[:8])
        expect(status == GARBAGE_ARGS, f'half a hash: {status}')


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
        expect((status, result, rest[:8]) == (0, 0, u32(1, BULK | CACHE)),
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


# ---- shared memory ----

MIB = 1 << 20


@contextlib.contextmanager
def memory(size, seals=fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW):
    fd = os.memfd_create('hostile', os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, size)
        if seals:
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
        yield fd
    finally:
        os.close(fd)


def unix_path(daemon):
    return daemon.unix.removeprefix('unix://')


def worker_fds(daemon):
    """Open files of the worker that serves the last guest."""
    pid = re.findall(r'guest: start .* worker=(\d+)', daemon.log())[-1]
    return len(os.listdir(f'/proc/{pid}/fd'))


def arenas_that_lie(daemon):
    good = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
    for what, real, seals, said in (
            ('unsealed', MIB, 0, MIB), ('may shrink', MIB, fcntl.F_SEAL_GROW, MIB),
            ('may grow', MIB, fcntl.F_SEAL_SHRINK, MIB),
            ('read-only', MIB, good | fcntl.F_SEAL_WRITE, MIB),
            ('smaller than said', MIB, good, 2 * MIB), ('larger', 2 * MIB, good, MIB),
            ('empty', 0, good, 0), ('no size', MIB, good, 0), ('odd', MIB + 1, good, MIB + 1),
            ('a lot', 2**50, good, 2**50), ('all', MIB, good, 2**64 - 4096)):
        with Guest(unix_path(daemon)) as g, memory(real, seals) as fd:
            g.enter(ARENA)
            _, _, result, _ = g.ask_with_fds('arena_open', u64(said), [fd])
            expect(result not in (0, None), f'{what}: {result}')
            _, _, result, _ = g.ask('arena_pin', u64(0, 4096))
            expect(result == NOT_PERMITTED, f'pinned in one that is {what}: {result}')
            _, _, result, _ = g.ask_with_fds('arena_open', u64(said), [fd])
            expect(result not in (0, None), f'{what}, again: {result}')
    for other in os.pipe() + (os.open('/dev/zero', os.O_RDWR), os.open('/', os.O_RDONLY)):
        with Guest(unix_path(daemon)) as g:
            g.enter(ARENA)
            _, _, result, _ = g.ask_with_fds('arena_open', u64(MIB), [other])
            expect(result == INVALID_VALUE, f'not memory at all: {result}')
        os.close(other)


def arena_without_descriptor(daemon):
    with Guest(unix_path(daemon)) as g:
        g.enter(ARENA)
        _, _, result, _ = g.ask('arena_open', u64(MIB))
        expect(result == INVALID_VALUE, f'without a descriptor: {result}')


def arena_without_asking(daemon):
    """Descriptors from a guest that was not granted the feature, or has not said HELLO."""
    with Guest(unix_path(daemon)) as g, memory(MIB) as fd:
        g.enter(0)
        _, _, result, _ = g.ask_with_fds('arena_open', u64(MIB), [fd])
        expect(result == NOT_PERMITTED, f'not granted: {result}')
    with Guest(unix_path(daemon)) as g, memory(MIB) as fd:
        hello = u32(1, ARENA) + u64(1) + opaque(b'early')
        status, _, result, _ = g.ask_with_fds('session_hello', hello, [fd])
        expect((status, result) == (0, 0), f'HELLO with a descriptor: {status} {result}')
        _, _, result, _ = g.ask('arena_open', u64(MIB))
        expect(result == INVALID_VALUE, f'the descriptor of the HELLO was kept: {result}')


def arena_over_tcp(daemon):
    with Guest(daemon.port) as g:
        expect(g.hello(features=2**32 - 1) == BULK | CACHE, 'shared memory was offered over TCP')
        _, _, result, _ = g.ask('arena_open', u64(MIB))
        expect(result == NOT_PERMITTED, f'over TCP: {result}')


def arena_twice(daemon):
    with Guest(unix_path(daemon)) as g, memory(MIB) as fd:
        expect(g.hello(features=2**32 - 1) == ARENA | BULK | CACHE, 'which features there are')
        _, _, result, _ = g.ask_with_fds('arena_open', u64(MIB), [fd])
        expect(result == 0, f'an honest arena: {result}')
        _, _, result, _ = g.ask_with_fds('arena_open', u64(MIB), [fd])
        expect(result == NOT_PERMITTED, f'a second one: {result}')


def flood_of_descriptors(daemon):
    with Guest(unix_path(daemon)) as g, memory(MIB) as fd:
        g.enter(ARENA)
        before = worker_fds(daemon)
        mark = record(call_header(NUMBER['session_mark']))
        for _ in range(200):
            g.send_fds(mark, [fd] * 100)
            g.reply()
        expect(worker_fds(daemon) <= before + 1, 'descriptors are piling up')
        _, _, result, _ = g.ask_with_fds('arena_open', u64(MIB), [fd] * 250)
        expect(result == 0, f'after the flood: {result}')
        for _ in range(200):
            g.send_fds(mark, [fd] * 100)
            g.reply()
        expect(worker_fds(daemon) <= before, 'descriptors after the arena was opened')


def open_arena(g, fd, size):
    g.enter(ARENA)
    _, _, result, _ = g.ask_with_fds('arena_open', u64(size), [fd])
    expect(result == 0, f'an honest arena: {result}')


def rings_that_lie(daemon):
    honest = u64(0, 65536, 65536)
    with Guest(unix_path(daemon)) as g, memory(MIB) as fd:
        g.enter(ARENA)
        _, _, result, _ = g.ask('arena_ring', honest)
        expect(result == NOT_PERMITTED, f'rings without an arena: {result}')
        g.ask_with_fds('arena_open', u64(MIB), [fd])
        for where in ((1, 65536, 65536), (0, 0, 65536), (0, 65536, 65535), (0, 32768, 65536),
                      (0, MIB, 65536), (MIB, 65536, 65536), (MIB - 65536, 65536, 65536),
                      (2**64 - 4096, 65536, 65536), (0, 2**63, 2**63), (0, 65536, 2**40)):
            _, _, result, _ = g.ask('arena_ring', u64(*where))
            expect(result == INVALID_VALUE, f'rings at {where}: {result}')
    # More written than the ring is long.  (What it lies about reading is found when the ring
    # seems full: rpc/test-ring.c.)
    for position in 65537, 2**63, 2**64 - 1:
        with Guest(unix_path(daemon)) as g, memory(MIB) as fd:
            open_arena(g, fd, MIB)
            _, _, result, _ = g.ask('arena_ring', honest)
            expect(result == 0, f'honest rings: {result}')
            with mmap.mmap(fd, MIB) as ring:
                ring[0:8] = position.to_bytes(8, 'little')
            g.send(b'!')  # wakes it, and says nothing else
            g.expect_closed()
    # The guest must not go on where both have left.
    with Guest(unix_path(daemon)) as g, memory(MIB) as fd:
        open_arena(g, fd, MIB)
        g.send(record(call_header(NUMBER['arena_ring']) + honest) +
               record(call_header(NUMBER['cuCtxGetLimit']))[:20])
        g.reply()
        g.expect_closed()


def ranges_of_an_arena_that_lie(daemon):
    with Guest(unix_path(daemon)) as g, memory(16 * MIB) as fd:
        open_arena(g, fd, 16 * MIB)
        for offset, size in ((0, 0), (1, 4096), (0, 4095), (0, 17 * MIB), (16 * MIB, 4096),
                             (2**64 - 4096, 4096), (2**64 - 4096, 8192), (4096, 2**64 - 4096),
                             (8 * MIB, 8 * MIB + 4096), (2**63, 2**63)):
            _, _, result, _ = g.ask('arena_pin', u64(offset, size))
            expect(result == INVALID_VALUE, f'{offset:#x} + {size:#x}: {result}')
            g.tell('arena_unpin', u64(offset, size))
            _, head, _, _ = g.ask('session_mark', u32(0))
            expect(head[1] != 0, f'unpinned {offset:#x} + {size:#x}')
        _, _, result, _ = g.ask('arena_pin', u64(MIB, MIB))
        expect(result == 0, f'an honest range: {result}')
        for offset, size in ((MIB, MIB), (0, 2 * MIB), (MIB + 4096, 4096), (0, 16 * MIB),
                             (2 * MIB - 4096, MIB)):
            _, _, result, _ = g.ask('arena_pin', u64(offset, size))
            expect(result != 0, f'{offset:#x} + {size:#x} overlaps')
        for offset, size in ((MIB, 4096), (MIB + 4096, MIB - 4096), (0, MIB)):
            g.tell('arena_unpin', u64(offset, size))
            _, head, _, _ = g.ask('session_mark', u32(0))
            expect(head[1] == NOT_REGISTERED, f'unpinned a part: {head}')
        g.tell('arena_unpin', u64(MIB, MIB))
        g.tell('arena_unpin', u64(MIB, MIB))
        _, head, _, _ = g.ask('session_mark', u32(0))
        expect(head[1] == NOT_REGISTERED, f'unpinned twice: {head}')
        # The table of ranges is bounded.
        refused = 0
        for i in range(4096):
            refused += g.ask('arena_pin', u64(i * 4096, 4096))[2] != 0
        expect(refused == 0, f'{refused} of 4096 ranges were refused')
    with Guest(unix_path(daemon)) as g, memory(64 * MIB) as fd:
        open_arena(g, fd, 64 * MIB)
        results = [g.ask('arena_pin', u64(i * 8192, 4096))[2] for i in range(5000)]
        expect(0 not in results[4096:], 'more than 4096 ranges')


def copies_outside_of_the_arena(daemon):
    with Guest(unix_path(daemon)) as g, memory(16 * MIB) as fd:
        open_arena(g, fd, 16 * MIB)
        there = g.allocate(4 * MIB)
        _, _, result, _ = g.ask('arena_pin', u64(4 * MIB, 4 * MIB))
        expect(result == 0, f'an honest range: {result}')
        start, end, far = 4 * MIB, 8 * MIB, 2**64
        for call in 'copy_arena_htod', 'copy_arena_dtoh':
            for offset, pitch, width, height in (
                    (0, 0, 16, 1), (start - 1, 0, 16, 1), (end - 15, 0, 16, 1), (end, 0, 1, 1),
                    (start, 0, 4 * MIB + 1, 1), (far - 16, 0, 32, 1), (start, 0, far - 1, 1),
                    (start, 0, far - start, 1), (start, 4096, 16, 1025), (start, 8, 16, 2),
                    (start, 2**63, 16, 3), (start, 2**32, 16, 2**32 + 1),
                    (start, far - 1, far - 1, far - 1), (start, 16, 16, 2**60),
                    (start, far - start, 16, 2), (2**63, 2**63, 16, 2)):
                g.tell(call, u64(there, 16, offset, pitch, width, height, 0))
                _, head, _, _ = g.ask('session_mark', u32(0))
                expect(head[1] == INVALID_VALUE,
                       f'{call} {offset:#x} {pitch:#x} {width:#x} {height:#x}: {head}')
            g.tell(call, u64(there, 16, start, 16, 16, 4, 0))
            g.tell(call, u64(there, 0, end - 16, 0, 16, 1, 0))
            g.tell(call, u64(there, far - 1, 0, far - 1, 0, far - 1, 0))
            _, head, result, _ = g.ask('cuCtxSynchronize', u32(0))
            expect((head[1], result) == (0, 0), f'honest copies: {head} {result}')
            g.tell(call, u64(there, 16, start, 16, 16, 1, handle(STREAM, 77)))
            _, head, _, _ = g.ask('session_mark', u32(0))
            expect(head[1] == INVALID_HANDLE, f'a stream that is not there: {head}')
        # Unpinned under a copy that may still run, with holes in it, and gone.
        for i in range(50):
            g.tell('copy_arena_htod', u64(there, 0, start, 0, 4 * MIB, 1, 0))
            g.tell('arena_unpin', u64(start, 4 * MIB))
            g.tell('copy_arena_htod', u64(there, 0, start, 0, 16, 1, 0))
            _, _, result, _ = g.ask('arena_pin', u64(start, 4 * MIB))
            expect(result == 0, f'pinned again: {result}')
        g.tell('copy_arena_dtoh', u64(there, 0, start, 0, 4 * MIB, 1, 0))


def arena_after_a_reset(daemon):
    """Ranges outlive the context that the worker pinned them in."""
    with Guest(unix_path(daemon)) as g, memory(4 * MIB) as fd:
        open_arena(g, fd, 4 * MIB)
        os.pwrite(fd, b'before' * 100, 4096)
        _, _, result, _ = g.ask('arena_pin', u64(0, MIB))
        expect(result == 0, f'an honest range: {result}')
        for _ in range(3):
            there = g.allocate(4096)
            g.tell('copy_arena_htod', u64(there, 0, 4096, 0, 600, 1, 0))
            g.tell('copy_arena_dtoh', u64(there, 0, 8192, 0, 600, 1, 0))
            _, head, result, _ = g.ask('cuCtxSynchronize', u32(0))
            expect((head[1], result) == (0, 0), f'copies: {head} {result}')
            expect(os.pread(fd, 600, 8192) == b'before' * 100, 'other bytes came back')
            os.pwrite(fd, b'x' * 600, 8192)
            g.tell('copy_arena_htod', u64(there, 0, 4096, 0, 600, 1, 0))
            status, _, result, _ = g.ask('cuDevicePrimaryCtxReset_v2', u32(0))
            expect((status, result) == (0, 0), f'reset: {status} {result}')
            g.tell('session_context', u64(handle(CONTEXT, 0)))


# ---- links ----

def open_bulk(g):
    """The secret, of a guest with a context."""
    g.enter(BULK)
    _, _, result, rest = g.ask('bulk_open', u32(0))
    expect(result == 0, f'bulk_open: {result}')
    links, secret = struct.unpack('>I16s', rest)
    expect(links == 8, f'{links} links')
    return secret


def join(daemon, g, secret, number=0):
    link = Guest(daemon.port)
    _, _, result, rest = link.ask('bulk_join', u64(g.id) + secret)
    expect((result, rest) == (0, u32(number)), f'an honest link: {result} {rest}')
    return link


def rows(there, size):
    return u64(there, size, size, 1, 0)


def expect_lane_closed(g):
    try:
        g.ask('session_mark', u32(0))
    except Closed:
        return
    expect(False, 'the lane goes on')


def links_that_may_not_join(daemon):
    with Guest(daemon.port) as g:
        secret = open_bulk(g)
        there = g.allocate(64)
        for who, what in ((g.id, bytes(16)), (g.id, secret[:15] + bytes([secret[15] ^ 1])),
                          (g.id + 1, secret), (0, secret), (2**64 - 1, secret)):
            with Guest(daemon.port) as stranger:
                _, _, result, _ = stranger.ask('bulk_join', u64(who) + what)
                expect(result == NOT_PERMITTED, f'guest {who}: {result}')
        for wrong in (secret[:12], secret + bytes(4)):
            with Guest(daemon.port) as stranger:
                status, *_ = stranger.ask('bulk_join', u64(g.id) + wrong)
                expect(status == GARBAGE_ARGS, f'a secret of {len(wrong)} bytes: {status}')
        with Guest(daemon.port) as half:
            half.send(record(call_header(NUMBER['bulk_join']) + u64(g.id) + secret)[:-1])
            g.tell('copy_htod', rows(there, 64) + opaque(b'x' * 64))
            _, head, result, _ = g.ask('session_mark', u32(0))
            expect((head[1], result) == (0, 0), f'the guest itself: {head} {result}')


def a_link_for_a_guest_that_did_not_ask(daemon):
    with Guest(daemon.port) as g:
        g.enter(0)
        _, _, result, _ = g.ask('bulk_open', u32(0))
        expect(result == NOT_PERMITTED, f'not granted: {result}')
        strangers = []
        for _ in range(40):
            strangers.append(Guest(daemon.port))
            strangers[-1].tell('bulk_join', u64(g.id) + bytes(16))
        _, _, result, _ = g.ask('session_mark', u32(0))
        expect(result == 0, f'the guest itself: {result}')
        for stranger in strangers:
            stranger.socket.close()


def more_links_than_there_are(daemon):
    with Guest(daemon.port) as g:
        secret = open_bulk(g)
        links = [join(daemon, g, secret, i) for i in range(8)]
        with Guest(daemon.port) as ninth:
            try:
                _, _, result, _ = ninth.ask('bulk_join', u64(g.id) + secret)
                expect(result != 0, 'a ninth link')
            except Closed:
                pass
        for link in links:
            link.socket.close()


def calls_that_do_not_belong_on_a_link(daemon):
    for name, args in (('cuMemAlloc_v2', u64(4096)), ('session_hello', u32(1, 0) + u64(1) +
                       opaque(b'x')), ('bulk_join', u64(1) + bytes(16)),
                       ('copy_htod', rows(0, 64) + opaque(b'x' * 64)),
                       ('bulk_put', u64(1) + opaque(b'x' * 64)), ('bulk_get', u64(2**63))):
        with Guest(daemon.port) as g, join(daemon, g, open_bulk(g)) as link:
            link.tell(name, args)
            link.expect_closed()
            _, _, result, _ = g.ask('session_mark', u32(0))
            expect(result == 0, f'the lane after {name}: {result}')
            g.tell('copy_bulk_htod', u32(0) + u64(0) + rows(g.allocate(64), 64))
            expect_lane_closed(g)
    with Guest(daemon.port) as g:
        g.enter(BULK)
        for name, args in (('bulk_get', u64(0)), ('bulk_join', u64(g.id) + bytes(16))):
            _, _, result, _ = g.ask(name, args)
            expect(result == NOT_PERMITTED, f'{name} on the lane: {result}')
        g.tell('bulk_put', u64(0) + opaque(b'x' * 64))
        _, head, _, _ = g.ask('session_mark', u32(0))
        expect(head[1] == NOT_PERMITTED, f'bulk_put on the lane: {head}')


def copies_of_links_that_are_not_there(daemon):
    for link, serial in ((0, 1), (1, 0), (2**32 - 1, 0), (0, 2**64 - 1)):
        for name in ('copy_bulk_htod', 'copy_bulk_dtoh'):
            with Guest(daemon.port) as g, join(daemon, g, open_bulk(g)):
                g.tell(name, u32(link) + u64(serial) + rows(g.allocate(64), 64))
                expect_lane_closed(g)
    with Guest(daemon.port) as g:
        g.enter(0)
        g.tell('copy_bulk_htod', u32(0) + u64(0) + rows(0, 64))
        expect_lane_closed(g)


def lane_and_link_disagree(daemon):
    for link_first in (True, False):
        for name, call, args in (
                ('copy_bulk_htod', 'bulk_get', u64(0)),
                ('copy_bulk_dtoh', 'bulk_put', u64(0) + opaque(b'x' * 64))):
            with Guest(daemon.port) as g, join(daemon, g, open_bulk(g)) as link:
                there = g.allocate(64)
                if link_first:
                    link.tell(call, args)
                    time.sleep(0.1)
                g.tell(name, u32(0) + u64(0) + rows(there, 64))
                if not link_first:
                    time.sleep(0.1)
                    link.tell(call, args)
                if (link_first, call) == (False, 'bulk_put'):
                    # The lane has gone on: it is the link that breaks the rules.
                    link.expect_closed()
                else:
                    expect_lane_closed(g)


def sizes_of_bulk_copies_that_lie(daemon):
    data = random.Random(3).randbytes(4096)
    with Guest(daemon.port) as g, join(daemon, g, open_bulk(g)) as link:
        there = g.allocate(4096)
        serial = 0
        for width, height in ((4096, 2), (4095, 1), (2**63, 2), (2**32, 2**32), (0, 1), (1, 0)):
            link.tell('bulk_put', u64(serial) + opaque(data))
            g.tell('copy_bulk_htod', u32(0) + u64(serial, there, width, width, height, 0))
            _, head, _, _ = g.ask('session_mark', u32(0))
            expect(head[1] == INVALID_VALUE, f'{width} x {height} from 4096: {head}')
            serial += 1
        for width, height in ((MIB + 1, 1), (2**63, 2), (0, 1), (1, 0)):
            g.tell('copy_bulk_dtoh', u32(0) + u64(serial, there, width, width, height, 0))
            _, _, result, rest = link.ask('bulk_get', u64(serial))
            expect((result, rest) == (INVALID_VALUE, b''), f'{width} x {height}: {result}')
            serial += 1
        link.tell('bulk_put', u64(serial) + opaque(data))
        g.tell('copy_bulk_htod', u32(0) + u64(serial) + rows(there, 4096))
        g.tell('copy_bulk_dtoh', u32(0) + u64(serial + 1) + rows(there, 4096))
        _, _, result, rest = link.ask('bulk_get', u64(serial + 1))
        expect((result, rest) == (0, opaque(data)), f'an honest copy after all: {result}')


def wild_addresses_of_bulk_copies(daemon):
    for address in (0, 1, 2**64 - 8):
        with Guest(daemon.port) as g, join(daemon, g, open_bulk(g)) as link:
            link.tell('bulk_put', u64(0) + opaque(b'x' * 64))
            g.tell('copy_bulk_htod', u32(0) + u64(0) + rows(address, 64))
            g.tell('copy_bulk_dtoh', u32(0) + u64(1) + rows(address, 64))
            _, _, result, _ = link.ask('bulk_get', u64(1))
            expect(result != 0, f'{address:#x}: {result}')


def flood_of_puts(daemon):
    """Nobody takes them: the link is not read any further."""
    with Guest(daemon.port) as g, join(daemon, g, open_bulk(g)) as link:
        link.socket.settimeout(1)
        body = opaque(bytes(MIB))
        try:
            for serial in range(64):
                link.tell('bulk_put', u64(serial) + body)
            expect(False, '64 MiB were taken that nobody asked for')
        except TimeoutError:
            pass


def vanish_in_a_bulk_copy(daemon):
    """The lane waits for bytes that never come, from a link that stays or goes."""
    for keep in (True, False):
        g = Guest(daemon.port)
        link = join(daemon, g, open_bulk(g))
        there = g.allocate(MIB)
        g.tell('copy_bulk_htod', u32(0) + u64(0) + rows(there, MIB))
        body = call_header(NUMBER['bulk_put']) + u64(0) + u32(MIB)
        link.send(u32(LAST | len(body) + MIB) + body + b'x' * 1000)
        if not keep:
            link.socket.close()
            expect_lane_closed(g)
        g.socket.close()
        wait_for(lambda: n_guests(daemon) == 0, 15, 'the end of the copy')
        link.socket.close()


ATTACKS = [
    random_bytes, huge_record, empty_fragments, truncated_record, a_reply_instead_of_a_call,
    credentials_too_long, a_call_before_hello, silent_crowd, unknown_handles,
    stale_and_mistyped_handles, handles_out_of_range, arguments_that_do_not_decode,
    payloads_that_lie, sizes_that_overflow, wild_addresses, images_that_lie,
    offers_that_lie, parameters_of_another_size, hello_twice, another_version,
    flood_without_reading, flood_of_one_way_calls, vanish_in_a_payload, arenas_that_lie,
    arena_without_descriptor, arena_without_asking, arena_over_tcp, arena_twice, flood_of_descriptors,
    rings_that_lie, ranges_of_an_arena_that_lie, copies_outside_of_the_arena, arena_after_a_reset,
    links_that_may_not_join, a_link_for_a_guest_that_did_not_ask, more_links_than_there_are,
    calls_that_do_not_belong_on_a_link, copies_of_links_that_are_not_there,
    lane_and_link_disagree, sizes_of_bulk_copies_that_lie, wild_addresses_of_bulk_copies,
    flood_of_puts, vanish_in_a_bulk_copy,
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
