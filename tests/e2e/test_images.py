#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_images PROGRAM [FATBINARY MIX]: device code crosses once, and is never another's.

PROGRAM runs the kernel of every file it is given; the kernels are made here, of random
constants, and computed here as well.  FATBINARY is the tool of nvcc that packs them, MIX is
a fat binary of mix.cu for sm_75, sm_80, sm_90 and as PTX.
"""

import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile
import time

from harness import Daemon, expect, free_port, wait_for

THREADS = 64
MASK = 0xffffffff
HEAD = """.version 7.0
.target sm_75
.address_size 64
.visible .entry mix(.param .u64 out)
{
	.reg .b32 %r<2>;
	.reg .b64 %rd<3>;
	mov.u32 %r0, %tid.x;
	ld.param.u64 %rd0, [out];
	mul.wide.u32 %rd1, %r0, 4;
	add.u64 %rd2, %rd0, %rd1;
"""
TAIL = '\tst.global.u32 [%rd2], %r0;\n\tret;\n}\n'


class Image:
    """A file of about n_steps * 54 bytes, and what its kernel writes."""

    def __init__(self, path, seed, n_steps=2500):
        rng = random.Random(seed)
        self.path = path
        values = list(range(THREADS))
        text = [HEAD]
        for _ in range(n_steps):
            a, b = rng.getrandbits(32), rng.getrandbits(32) | 1
            text.append(f'\txor.b32 %r0, %r0, {a:#010x};\n\tmul.lo.u32 %r0, %r0, {b:#010x};\n')
            values = [(v ^ a) * b & MASK for v in values]
        path.write_text(''.join(text) + TAIL)
        self.size = path.stat().st_size
        self.line = ' '.join(f'{v:08x}' for v in values)


def settle(daemon):
    """What guests have sent is kept when their workers are gone."""
    wait_for(lambda: daemon.status_value(r'guests   (\d+)') == 0, 30, 'the end of the workers')


def run(daemon, program, *images, server=None):
    """How many bytes the guest sent."""
    result = daemon.run(program, *[str(i.path) for i in images], server=server,
                        env={'OUTBOARD_STATS': '1'})
    expect(result.returncode == 0 and
           result.stdout.splitlines() == [i.line for i in images], 'wrong results', result)
    settle(daemon)
    calls = re.findall(r'^  image_put .*$', result.stderr, re.M)
    return int(calls[0].split()[3]) if calls else 0


def kept(daemon):
    return sorted(p for p in pathlib.Path(daemon.cache).glob('*/*'))


def total(daemon):
    return sum(p.stat().st_size for p in kept(daemon))


def the_second_start_sends_nothing(program, images):
    a, b, small = images['a'], images['b'], images['small']
    with Daemon() as daemon:
        expect(run(daemon, program, a) == a.size, 'the first start sends it all')
        expect(run(daemon, program, a) == 0, 'the second start sends nothing')
        expect(run(daemon, program, b) == b.size, 'another image is another image')
        expect(run(daemon, program, b, a, b) == 0, 'both are found')
        expect(run(daemon, program, a, server=daemon.unix) == a.size,
               'a user of this machine is another tenant than an address')
        expect(run(daemon, program, a, server=daemon.unix) == 0, 'and has its own')
        expect(run(daemon, program, small) == small.size and
               run(daemon, program, small) == small.size, 'small ones are just sent')
        expect(len(kept(daemon)) == 3, f'kept: {kept(daemon)}')
        expect(all(p.stat().st_mode & 0o77 == 0 for p in kept(daemon)), 'files are private')


def a_changed_program_is_another(program, images):
    """The same size, one constant changed."""
    a = images['a']
    text = a.path.read_text()
    at = text.rindex('mul.lo.u32')
    changed = a.path.with_name('changed')
    line = text[at:text.index(';', at)]
    old = int(line.split()[-1], 16)
    changed.write_text(text[:at] + line.replace(f'{old:#010x}', f'{old ^ 2:#010x}') +
                       text[at + len(line):])
    with Daemon() as daemon:
        run(daemon, program, a)
        result = daemon.run(program, str(changed), str(a.path))
        lines = result.stdout.splitlines()
        expect(result.returncode == 0 and lines[0] != a.line and lines[1] == a.line,
               'a changed program is not the old one', result)


def a_daemon_finds_what_another_kept(program, images):
    a = images['a']
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o700)
        for i in range(2):
            with Daemon('--cache', folder) as daemon:
                expect(run(daemon, program, a) == (0 if i else a.size), f'daemon {i}')
        with Daemon('--cache', folder, '--cache-shared') as daemon:
            expect(run(daemon, program, a) == a.size, 'shared is a tenant of its own')
            expect(run(daemon, program, a, server=daemon.unix) == 0, 'and everybody is it')
        with Daemon('--cache', 'none') as daemon:
            expect(run(daemon, program, a) == a.size and run(daemon, program, a) == a.size,
                   'without a cache everything is sent')


def damaged_files_are_found_out(program, images):
    a = images['a']
    with Daemon() as daemon:
        run(daemon, program, a)
        path, = kept(daemon)
        good = path.read_bytes()
        at = good.index(b'mul.lo.u32') + 18
        damages = {
            'a byte': good[:at] + bytes([good[at] ^ 1]) + good[at + 1:],
            'the end': good[:-100],
            'all': b'',
            'the trailer': good[:-1] + b'\xff',
            'a size': good[:-64] + b'\xff' * 8 + good[-56:],
            'too much': good + b'\0' * 64,
        }
        for what, data in damages.items():
            path.write_bytes(data)
            expect(run(daemon, program, a) == a.size, f'{what} is damaged: sent again')
            expect(path.read_bytes() == good, 'and kept again')
        # What was written in another boot is compared before it is believed.
        os.utime(path, ns=(time.time_ns(), 10**9))
        expect(run(daemon, program, a) == 0, 'whole, and found to be')
        expect(path.stat().st_mtime_ns != 10**9, 'which is noted')
        path.unlink()
        path.symlink_to('/dev/zero')
        expect(run(daemon, program, a) == a.size, 'a link is not followed')
        expect('signal' not in daemon.log(), f'a worker crashed: {daemon.log()}')


def the_bound_holds(program, images):
    a, b, c = images['a'], images['b'], images['c']
    bound = int(2.5 * a.size)
    with Daemon('--cache-size', str(bound)) as daemon:
        run(daemon, program, a)
        run(daemon, program, b)
        expect(run(daemon, program, a) == 0, 'two have room')
        run(daemon, program, c)
        expect(total(daemon) <= bound, 'the bound is the bound')
        expect(run(daemon, program, a) == 0 and run(daemon, program, c) == 0,
               'the one used longest ago has gone')
        expect(run(daemon, program, b) == b.size, 'it is sent again')
    with Daemon('--cache-size', '64K') as daemon:
        expect(run(daemon, program, a) == a.size and not kept(daemon), 'too large to keep')


def several_at_a_time(program, images):
    with Daemon('--workers', '4') as daemon:
        order = ['a', 'b', 'a', 'c', 'b', 'a']
        running = [subprocess.Popen(daemon.command(program, *[
            str(images[n].path) for n in order[i:] + order[:i]]), stdout=subprocess.PIPE,
            text=True) for i in range(6)]
        for i, process in enumerate(running):
            out, _ = process.communicate(timeout=120)
            expect(process.returncode == 0 and out.splitlines() ==
                   [images[n].line for n in order[i:] + order[:i]], f'guest {i}: {out}')
        settle(daemon)
        expect(len(kept(daemon)) == 3, f'kept: {kept(daemon)}')
        expect(run(daemon, program, *(images[n] for n in 'abc')) == 0, 'all are there')


def a_packed_image_is_not_unpacked_again(program, images):
    """What takes long to uncompress brings its table of kernels with it."""
    if len(sys.argv) < 3:
        return
    a = Image(images['a'].path.with_name('long'), 'long', 12000)
    with open(a.path, 'a', encoding='utf-8') as text:
        text.write('\n' * 2500000)
    packed = a.path.with_name('packed')
    subprocess.run([sys.argv[2], '-64', '--compress-all', f'--create={packed}',
                    f'--image3=kind=ptx,sm=75,file={a.path}'], check=True)
    with Daemon() as daemon:
        for server in daemon.tcp, daemon.unix:
            for tables in 0, 1, 1:
                result = daemon.run(program, str(packed), server=server,
                                    env={'OUTBOARD_STATS': '1'})
                expect(result.returncode == 0 and result.stdout.strip() == a.line,
                       'wrong results', result)
                settle(daemon)
                found = re.findall(r'^  image_kernels +sync +(\d+)', result.stderr, re.M)
                expect(found == ['1'] * tables and ('image_put' in result.stderr) == (tables == 0),
                       f'{tables} tables of kernels', result)


def only_what_the_device_can_use_is_sent(program, images):
    """The software device is an sm_75 that wants PTX."""
    if len(sys.argv) < 4:
        return
    mix = pathlib.Path(sys.argv[3])
    line = ' '.join(f'{(i ^ 0x5bd1e995) * 0x9e3779b1 & MASK:08x}' for i in range(THREADS))
    size, sent, at, data = 16, 16, 16, mix.read_bytes()
    while at < len(data):
        kind, _, header, payload = struct.unpack('<HHIQ', data[at:at + 16])
        arch, = struct.unpack('<I', data[at + 28:at + 32])
        sent += header + payload if kind == 1 or arch == 75 else 0
        size += header + payload
        at += header + payload
    expect(size == len(data) and sent < size / 2, f'{mix} is not what was expected')
    with Daemon() as daemon:
        result = daemon.run(program, str(mix), env={'OUTBOARD_STATS': '1'})
        expect(result.returncode == 0 and result.stdout.strip() == line, 'wrong results', result)
        puts = [row.split() for row in result.stderr.splitlines() if '  image_put ' in row]
        expect(len(puts) == 1 and int(puts[0][3]) == sent, f'{sent} of {size} bytes', result)


def a_folder_of_others_is_refused(program, images):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        result = subprocess.run(
            [os.environ['OUTBOARDD'], '--listen', f'tcp://127.0.0.1:{free_port()}',
             '--cache', folder], capture_output=True, text=True, timeout=60)
        expect(result.returncode != 0 and folder in result.stderr, 'it says why', result)


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        images = {name: Image(folder / name, f'{name} {os.getpid()}') for name in 'abc'}
        images['small'] = Image(folder / 'small', 'small', 500)
        for test in (the_second_start_sends_nothing, a_changed_program_is_another,
                     a_daemon_finds_what_another_kept, damaged_files_are_found_out,
                     the_bound_holds, several_at_a_time,
                     a_packed_image_is_not_unpacked_again,
                     only_what_the_device_can_use_is_sent, a_folder_of_others_is_refused):
            test(program, images)
            print(test.__name__, flush=True)


if __name__ == '__main__':
    main()
