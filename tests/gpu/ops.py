#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ops DIR: write what ops.c runs: inputs, kernels, and the list of them.

Every kernel does one operation in each of N threads, on inputs that are edge values in
all pairs, then random.  The same text runs on a GPU and on the software device, and
compare_ops.py says where the two differ.

DIR/inputs.bin   the sets of inputs, one after another: 4 columns of N 64-bit words
DIR/*.ptx        kernels (in, out); thread i reads word i of columns, writes word i of out
DIR/math.cu      more of them, for nvcc to compile with its mathematical library
DIR/list.txt     FILE KERNEL FORMAT TOLERANCE
"""

import pathlib
import random
import struct
import sys

from ops_math import math

N = 1024

# ---- inputs ----

I32 = [0, 1, 2, 3, 31, 32, 33, 63, 64, 127, 128, 255, 256, 0x7fff, 0x8000, 0xffff, 0x10000,
       0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff, 0x12345678]
I64 = [0, 1, 2, 31, 32, 63, 64, 127, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
       0x100000000, 0x7fffffffffffffff, 0x8000000000000000, 0x8000000000000001,
       0xfffffffffffffffe, 0xffffffffffffffff, 0xffffffff80000000]
I16 = [0, 1, 2, 15, 16, 17, 127, 128, 255, 256, 0x7fff, 0x8000, 0x8001, 0xfffe, 0xffff, 0xff80]
F32 = [0, 0x80000000, 1, 0x80000001, 0x007fffff, 0x00800000, 0x80800000, 0x3f800000, 0xbf800000,
       0x3f000000, 0x3fc00000, 0x40200000, 0xbf000000, 0x4b000001, 0x4effffff, 0xcf000000,
       0x5f000000, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc13fff,
       0x7f800001]
F64 = [0, 1 << 63, 1, 1 << 63 | 1, (1 << 52) - 1, 1 << 52, 0x3ff0000000000000,
       0xbff0000000000000, 0x3fe0000000000000, 0x3ff8000000000000, 0x4004000000000000,
       0x41e0000000000000, 0xc1e0000000200000, 0x43e0000000000000, 0xc3e0000000000000,
       0x36a0000000000001, 0x47efffffefffffff, 0x7fefffffffffffff, 0xffefffffffffffff,
       0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000, 0xfff9a5a5b6b6c7c7,
       0x7ff0000000000001]
F16 = [0, 0x8000, 1, 0x8001, 0x3ff, 0x400, 0x8400, 0x3c00, 0xbc00, 0x3800, 0x3e00, 0x4100,
       0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7e00, 0xfe12, 0x7c01, 0x3555]
BF16 = [0, 0x8000, 1, 0x8001, 0x7f, 0x80, 0x8080, 0x3f80, 0xbf80, 0x3f00, 0x3fc0, 0x4020,
        0x7f7f, 0xff7f, 0x7f80, 0xff80, 0x7fc0, 0xffc1, 0x7f81, 0x3eab]


def random_int(r, bits):
    kind = r.randrange(4)
    if kind == 0:
        return r.getrandbits(bits) >> r.randrange(bits)
    if kind == 1:
        return -(r.getrandbits(bits) >> r.randrange(bits)) % (1 << bits)
    return r.getrandbits(bits)


def random_float(r, bits, exponent_bits):
    """Half of any exponent, half near 1, where sums cancel and functions are not trivial."""
    value = r.getrandbits(bits)
    if r.randrange(2):
        fraction = bits - 1 - exponent_bits
        bias = (1 << (exponent_bits - 1)) - 1
        exponent = bias + r.randrange(-6, 7)
        value = value & ~(((1 << exponent_bits) - 1) << fraction) | exponent << fraction
    return value


def pack(value):
    return struct.unpack('<I', struct.pack('<f', value))[0]


def trig(r):
    return pack(r.uniform(-3.14159, 3.14159))


def pairs(edges, draw):
    r = random.Random(repr(edges[:3]) + str(len(edges)))
    side = len(edges)
    columns = [[], [], [], []]
    for i in range(N):
        if i < side * side:
            row = [edges[i % side], edges[i // side], r.choice(edges), r.choice(edges)]
        else:
            row = [draw(r) for _ in range(4)]
            if i % 3 == 0:
                row[r.randrange(4)] = r.choice(edges)
        for column, value in zip(columns, row):
            column.append(value)
    return columns


def halves(edges, exponent_bits):
    r = random.Random(str(edges))

    def draw(_):
        value = 0
        for shift in (0, 16):
            value |= (r.choice(edges) if r.randrange(3) == 0
                      else random_float(r, 16, exponent_bits)) << shift
        return value
    return pairs([e | (e ^ 0x8000) << 16 for e in edges], draw)


AMOUNT = list(range(0, 9)) + [15, 16, 24, 31, 32, 33, 63, 64, 65, 127, 255, 256, 257, 0xffffffff]
SETS = {
    'i16': pairs(I16, lambda r: random_int(r, 16)),
    'i32': pairs(I32, lambda r: random_int(r, 32)),
    'i64': pairs(I64, lambda r: random_int(r, 64)),
    'f16': pairs(F16, lambda r: random_float(r, 16, 5)),
    'bf16': pairs(BF16, lambda r: random_float(r, 16, 8)),
    'f16x2': halves(F16, 5),
    'bf16x2': halves(BF16, 8),
    'f32': pairs(F32, lambda r: random_float(r, 32, 8)),
    'f64': pairs(F64, lambda r: random_float(r, 64, 11)),
    'amount': pairs(AMOUNT, lambda r: r.randrange(70)),
    'trig': pairs([pack(x) for x in (0.0, -0.0, 0.5, 1.0, 3.0, -3.0)], trig),
    'small': pairs(list(range(8)), lambda r: r.randrange(12)),
}
OFFSET = {name: i * 4 * N * 8 for i, name in enumerate(SETS)}


def set_of(kind):
    if kind in SETS:
        return kind
    return 'i16' if kind[1:] in ('8', '16') else 'i' + kind[1:]


# ---- kernels ----

def register(kind, i):
    bits = {'pred': 'p', '8': 'r', '16': 'h', '32': 'r', '64': 'q'}
    if kind in ('f16x2', 'bf16x2', 'amount', 'trig', 'small'):
        return f'%r{i}'
    return '%' + bits[kind.lstrip('usbft')] + str(i)


def memory(kind):
    if kind in ('f16x2', 'bf16x2', 'amount', 'trig', 'small'):
        return 'b32'
    if kind in ('u8', 's8'):
        return kind
    return 'b' + kind.lstrip('usbft')


class Kernels:
    def __init__(self):
        self.files = {}
        self.lines = []
        self.names = set()

    def add(self, arch, name, text, shape, tolerance='0'):
        name = name.replace('.', '_').replace('|', '').replace(' ', '')
        assert name not in self.names, name
        self.names.add(name)
        # A file that is too long makes every failure everybody's failure.
        part = sum(1 for line in self.lines if line.startswith(f'ops{arch}-')) // 150
        file = f'ops{arch}-{part}.ptx'
        target = f'.version 8.6\n.target sm_{arch}\n.address_size 64\n'
        self.files.setdefault(file, target)
        self.files[file] += f'''
.visible .entry {name}(.param .u64 pin, .param .u64 pout)
{{
	.reg .pred %p<8>;
	.reg .b16 %h<12>;
	.reg .b32 %r<24>;
	.reg .b64 %q<24>;
	.shared .align 8 .b8 scratch[2048];
	mov.u32 %r20, %tid.x;
	mov.u32 %r21, %ctaid.x;
	mad.lo.u32 %r22, %r21, 256, %r20;
	ld.param.u64 %q20, [pin];
	ld.param.u64 %q21, [pout];
	cvta.to.global.u64 %q20, %q20;
	cvta.to.global.u64 %q21, %q21;
	mul.wide.u32 %q22, %r22, 8;
	add.u64 %q20, %q20, %q22;
	add.u64 %q21, %q21, %q22;
{text}	ret;
}}
'''
        self.lines.append(f'{file} {name} {shape} {tolerance}')

    def op(self, text, result, sources, arch=75, tolerance='0', name=None):
        """One instruction, or several: d is the result, a b c e the sources."""
        kinds = sources.split()
        names = dict(zip('abce', (register(k, i + 1) for i, k in enumerate(kinds))))
        names['d'] = register(result, 5)
        lines = ''
        for i, kind in enumerate(kinds):
            at = OFFSET[set_of(kind)] + i * N * 8
            lines += f'\tld.global.{memory(kind)} {names["abce"[i]]}, [%q20+{at}];\n'
        body = text
        if '{' not in text:
            body = text + ' ' + ', '.join('{' + c + '}' for c in 'd' + 'abce'[:len(kinds)])
        lines += '\t' + body.format(**names) + ';\n'
        if result == 'pred':
            lines += '\tselp.b32 %r5, 1, 0, %p5;\n\tst.global.b32 [%q21], %r5;\n'
        else:
            kind = 'b32' if result in ('u8', 's8') else memory(result)
            lines += f'\tst.global.{kind} [%q21], {names["d"]};\n'
        shape = result if result.startswith(('f', 'bf')) else 'b64'
        self.add(arch, name or text.split(' ')[0], lines, shape, tolerance)

    def raw(self, name, text, arch=75):
        self.add(arch, name, '\t' + text.strip().replace('\n', '\n\t') + '\n', 'b64')


INTS = ['u16', 's16', 'u32', 's32', 'u64', 's64']


def integer(k):
    for t in INTS:
        for o in ('add', 'sub', 'mul.lo', 'mul.hi', 'div', 'rem', 'min', 'max'):
            k.op(f'{o}.{t}', t, f'{t} {t}')
        for o in ('mad.lo', 'mad.hi', 'sad'):
            k.op(f'{o}.{t}', t, f'{t} {t} {t}')
        if t[0] == 's':
            k.op(f'abs.{t}', t, t)
            k.op(f'neg.{t}', t, t)
        if t[1:] != '64':
            wide = t[0] + str(2 * int(t[1:]))
            k.op(f'mul.wide.{t}', wide, f'{t} {t}')
            k.op(f'mad.wide.{t}', wide, f'{t} {t} {wide}')
        k.op(f'shr.{t}', t, f'{t} amount')
    for o in ('add.sat', 'sub.sat'):
        k.op(f'{o}.s32', 's32', 's32 s32')
    k.op('mad.hi.sat.s32', 's32', 's32 s32 s32')
    for o in ('min', 'max'):
        k.op(f'{o}.relu.s32', 's32', 's32 s32', 90)
        for t in ('u16x2', 's16x2'):
            k.op(f'{o}.{t}', 'b32', 'b32 b32', 90)
        k.op(f'{o}.relu.s16x2', 'b32', 'b32 b32', 90)
    for t in ('u16x2', 's16x2'):
        k.op(f'add.{t}', 'b32', 'b32 b32', 90)
    for t in ('u32', 's32'):
        for half in ('lo', 'hi'):
            k.op(f'mul24.{half}.{t}', t, f'{t} {t}')
            k.op(f'mad24.{half}.{t}', t, f'{t} {t} {t}')
    k.op('mad24.hi.sat.s32', 's32', 's32 s32 s32')
    for t in ('b16', 'b32', 'b64'):
        for o in ('and', 'or', 'xor'):
            k.op(f'{o}.{t}', t, f'{t} {t}')
        for o in ('not', 'cnot'):
            k.op(f'{o}.{t}', t, t)
        for o in ('shl', 'shr'):
            k.op(f'{o}.{t}', t, f'{t} amount')
    carry = [('add', 'addc'), ('sub', 'subc')]
    for first, last in carry:
        k.raw(f'{first}_chain_32', f'''
ld.global.u32 %r1, [%q20+{OFFSET["i32"]}];
ld.global.u32 %r2, [%q20+{OFFSET["i32"] + 8 * N}];
ld.global.u32 %r3, [%q20+{OFFSET["i32"] + 16 * N}];
ld.global.u32 %r4, [%q20+{OFFSET["i32"] + 24 * N}];
{first}.cc.u32 %r5, %r1, %r2;
{last}.cc.u32 %r6, %r3, %r4;
{last}.u32 %r7, %r1, 0;
xor.b32 %r5, %r5, %r7;
st.global.u32 [%q21], %r5;
st.global.u32 [%q21+4], %r6;''')
        k.raw(f'{first}_chain_64', f'''
ld.global.u64 %q1, [%q20+{OFFSET["i64"]}];
ld.global.u64 %q2, [%q20+{OFFSET["i64"] + 8 * N}];
ld.global.u64 %q3, [%q20+{OFFSET["i64"] + 16 * N}];
{first}.cc.u64 %q5, %q1, %q2;
{last}.cc.u64 %q6, %q3, %q1;
{last}.u64 %q7, %q5, %q6;
st.global.u64 [%q21], %q7;''')
    for t in ('u32', 's32', 'u64', 's64'):
        set_ = 'i' + t[1:]
        b = 'r' if t[1:] == '32' else 'q'
        k.raw(f'mad_chain_{t}', f'''
ld.global.b{t[1:]} %{b}1, [%q20+{OFFSET[set_]}];
ld.global.b{t[1:]} %{b}2, [%q20+{OFFSET[set_] + 8 * N}];
ld.global.b{t[1:]} %{b}3, [%q20+{OFFSET[set_] + 16 * N}];
mad.lo.cc.{t} %{b}5, %{b}1, %{b}2, %{b}3;
madc.hi.cc.{t} %{b}6, %{b}1, %{b}2, %{b}3;
madc.lo.{t} %{b}7, %{b}1, %{b}3, %{b}2;
xor.b{t[1:]} %{b}5, %{b}5, %{b}7;
xor.b{t[1:]} %{b}5, %{b}5, %{b}6;
st.global.b{t[1:]} [%q21], %{b}5;''')


def bits(k):
    for t in ('b32', 'b64'):
        for o in ('popc', 'clz'):
            k.op(f'{o}.{t}', 'u32', t)
        k.op(f'brev.{t}', t, t)
        k.op(f'bfi.{t}', t, f'{t} {t} amount amount')
    for t in ('u32', 's32', 'u64', 's64'):
        k.op(f'bfind.{t}', 'u32', t)
        k.op(f'bfind.shiftamt.{t}', 'u32', t)
        k.op(f'bfe.{t}', t, f'{t} amount amount')
    k.op('prmt.b32', 'b32', 'b32 b32 b32')
    for mode in ('f4e', 'b4e', 'rc8', 'ecl', 'ecr', 'rc16'):
        k.op(f'prmt.b32.{mode}', 'b32', 'b32 b32 b32')
    for side in 'lr':
        for mode in ('wrap', 'clamp'):
            k.op(f'shf.{side}.{mode}.b32', 'b32', 'b32 b32 amount')
    for table in (0, 1, 0x0f, 0x55, 0x80, 0x96, 0xca, 0xe8, 0xfe, 0xff, 0xb1):
        k.op('lop3.b32 {d}, {a}, {b}, {c}, ' + str(table), 'b32', 'b32 b32 b32',
             name=f'lop3_{table}')
    for ta in ('u32', 's32'):
        for tb in ('u32', 's32'):
            k.op(f'dp4a.{ta}.{tb}', 'b32', 'b32 b32 b32')
            for half in ('lo', 'hi'):
                k.op(f'dp2a.{half}.{ta}.{tb}', 'b32', 'b32 b32 b32')
            k.op(f'vabsdiff4.u32.{ta}.{tb}.add', 'b32', 'b32 b32 b32')
    for mode in ('clamp', 'wrap'):
        k.op(f'bmsk.{mode}.b32', 'b32', 'amount amount')
        for t in ('u32', 's32'):
            k.op(f'szext.{mode}.{t}', t, f'{t} amount')
    # PTX, fns: only the value of the base may not be out of range.
    k.op('and.b32 {b}, {b}, 31; sub.s32 {c}, {c}, 6; fns.b32 {d}, {a}, {b}, {c}', 'b32',
         'b32 amount small', name='fns')
    for t in ('u16', 's16'):
        k.op(f'cvt.pack.sat.{t}.s32', 'b32', 's32 s32')
    for t in ('u8', 's8'):
        k.op(f'cvt.pack.sat.{t}.s32.b32', 'b32', 's32 s32 b32')


def compare(k):
    def setp(o, t, arch=75):
        # One predicate for halves, one for each of a pair, else one and its opposite.
        q = t.endswith('f16')
        for tail in ('', '.and', '.or', '.xor'):
            if tail and o not in ('eq', 'ltu', 'gt'):
                continue
            extra = ', %p2' if tail else ''
            text = (f'setp.ne.u32 %p2, %r20, 7; setp.eq.u32 %p4, %r20, 8; setp.{o}{tail}.{t} '
                    '%p3' + ('' if q else '|%p4') + ', {a}, {b}' + extra +
                    '; selp.u32 {d}, 1, 0, %p3; selp.u32 %r6, 2, 0, %p4; '
                    'or.b32 {d}, {d}, %r6')
            k.op(text, 'u32', f'{t.replace("ftz.", "")} {t.replace("ftz.", "")}', arch,
                 name=f'setp.{o}{tail}.{t}')

    floats = ('eq', 'ne', 'lt', 'le', 'gt', 'ge', 'equ', 'neu', 'ltu', 'leu', 'gtu', 'geu',
              'num', 'nan')
    for t in INTS:
        for o in ('eq', 'ne', 'lt', 'le', 'gt', 'ge'):
            setp(o, t)
    for o in ('lo', 'ls', 'hi', 'hs'):
        setp(o, 'u32')
    for o in floats:
        for t in ('f32', 'ftz.f32', 'f64', 'f16', 'ftz.f16', 'f16x2'):
            setp(o, t)
        for t in ('bf16', 'bf16x2'):
            setp(o, t, 90)
    for o in ('lt', 'equ', 'neu', 'nan', 'ge'):
        for d in ('u32', 'f32'):
            for t in ('f32', 'ftz.f32', 'f64'):
                k.op(f'set.{o}.ftz.{d}.f32' if 'ftz' in t else f'set.{o}.{d}.{t}', d,
                     f'{t.replace("ftz.", "")} ' * 2)
        for d in ('f16', 'u16', 'u32', 's32'):
            k.op(f'set.{o}.{d}.f16', d, 'f16 f16')
        for d in ('bf16', 'u16', 'u32'):
            k.op(f'set.{o}.{d}.bf16', d, 'bf16 bf16', 90)
        k.op(f'set.{o}.f16x2.f16x2', 'f16x2', 'f16x2 f16x2')
        k.op(f'set.{o}.bf16x2.bf16x2', 'bf16x2', 'bf16x2 bf16x2', 90)
    for o in ('lt', 'ge', 'ne'):
        for t in ('u16', 's32', 'u64'):
            k.op(f'set.{o}.u32.{t}', 'u32', f'{t} {t}')
            k.op(f'set.{o}.f32.{t}', 'f32', f'{t} {t}')
    for t in ('b16', 'b32', 'b64', 'f32', 'f64'):
        k.op(f'slct.{t}.s32', t, f'{t} {t} s32')
        k.op(f'slct.{t}.f32', t, f'{t} {t} f32')
    k.op('slct.ftz.u32.f32', 'u32', 'u32 u32 f32')
    for t in ('f32', 'f64'):
        for o in ('finite', 'infinite', 'number', 'notanumber', 'normal', 'subnormal'):
            k.op(f'testp.{o}.{t}', 'pred', t)
        k.op(f'copysign.{t}', t, f'{t} {t}')


def convert(k):
    ints = ['u8', 's8', 'u16', 's16', 'u32', 's32', 'u64', 's64']
    for d in ints:
        for s in ints:
            k.op(f'cvt.{d}.{s}', d, s)
            wider = int(d[1:]) > int(s[1:])
            if d != s and (d[0] == 'u' or not wider) and not (d[0] + s[0] == 'uu' and wider):
                k.op(f'cvt.sat.{d}.{s}', d, s)
        for s in ('f16', 'f32', 'f64', 'bf16'):
            arch = 90 if s == 'bf16' else 75
            if s == 'bf16' and d[1:] == '8':
                continue
            for r in ('rni', 'rzi', 'rmi', 'rpi'):
                k.op(f'cvt.{r}.{d}.{s}', d, s, arch)
            if s == 'f32':
                k.op(f'cvt.rzi.ftz.{d}.{s}', d, s)
                k.op(f'cvt.rpi.ftz.sat.{d}.{s}', d, s)
            if s != 'bf16':
                k.op(f'cvt.rni.sat.{d}.{s}', d, s)
        for f in ('f16', 'f32', 'f64', 'bf16'):
            arch = 90 if f == 'bf16' else 75
            if f == 'bf16' and d[1:] == '8':
                continue
            for r in ('rn', 'rz', 'rm', 'rp'):
                k.op(f'cvt.{r}.{f}.{d}', f, d, arch)
            if f != 'bf16':
                k.op(f'cvt.rn.sat.{f}.{d}', f, d)
    for d, s in (('f16', 'f32'), ('f16', 'f64'), ('f32', 'f64')):
        for r in ('rn', 'rz', 'rm', 'rp'):
            k.op(f'cvt.{r}.{d}.{s}', d, s)
        k.op(f'cvt.rn.sat.{d}.{s}', d, s)
    k.op('cvt.rn.ftz.f16.f32', 'f16', 'f32')
    k.op('cvt.rn.ftz.f32.f64', 'f32', 'f64')
    k.op('cvt.rz.ftz.sat.f32.f64', 'f32', 'f64')
    for d, s in (('f32', 'f16'), ('f64', 'f16'), ('f64', 'f32')):
        k.op(f'cvt.{d}.{s}', d, s)
        k.op(f'cvt.sat.{d}.{s}', d, s)
    k.op('cvt.ftz.f64.f32', 'f64', 'f32')
    k.op('cvt.ftz.f32.f16', 'f32', 'f16')
    for t in ('f16', 'f32', 'f64'):
        for r in ('rni', 'rzi', 'rmi', 'rpi'):
            k.op(f'cvt.{r}.{t}.{t}', t, t)
        k.op(f'cvt.sat.{t}.{t}', t, t)
        k.op(f'cvt.rni.sat.{t}.{t}', t, t)
    k.op('cvt.ftz.f32.f32', 'f32', 'f32')
    k.op('cvt.ftz.sat.f32.f32', 'f32', 'f32')
    k.op('cvt.rpi.ftz.f32.f32', 'f32', 'f32')
    for t in ('f16', 'bf16'):
        for r in ('rn', 'rz'):
            for relu in ('', '.relu'):
                k.op(f'cvt.{r}{relu}.{t}x2.f32', t + 'x2', 'f32 f32', 80)
                k.op(f'cvt.{r}{relu}.{t}.f32', t, 'f32', 80, name=f'cvt_{r}{relu}_{t}_f32_80')
    k.op('cvt.rna.tf32.f32', 'b32', 'f32', 80)
    k.op('cvt.rn.tf32.f32', 'b32', 'f32', 90)
    k.op('cvt.rz.relu.tf32.f32', 'b32', 'f32', 90)
    for r in ('rn', 'rz', 'rm', 'rp'):
        k.op(f'cvt.{r}.bf16.f64', 'bf16', 'f64', 90)
        k.op(f'cvt.{r}.bf16.f16', 'bf16', 'f16', 90)
        k.op(f'cvt.{r}.f16.bf16', 'f16', 'bf16', 90)
    k.op('cvt.f32.bf16', 'f32', 'bf16', 90)
    k.op('cvt.f64.bf16', 'f64', 'bf16', 90)


def half(k):
    for t, plain, arch in (('f16', 75, 75), ('f16x2', 75, 75), ('bf16', 90, 90),
                           ('bf16x2', 90, 90)):
        f16 = not t.startswith('b')
        for o in ('add', 'sub', 'mul'):
            k.op(f'{o}.{t}', t, f'{t} {t}', plain)
            k.op(f'{o}.rn.{t}', t, f'{t} {t}', plain)
            if f16:
                k.op(f'{o}.ftz.{t}', t, f'{t} {t}', plain)
                k.op(f'{o}.sat.{t}', t, f'{t} {t}', plain)
                k.op(f'{o}.ftz.sat.{t}', t, f'{t} {t}', plain)
        k.op(f'fma.rn.{t}', t, f'{t} {t} {t}', 75 if f16 else 80)
        k.op(f'fma.rn.relu.{t}', t, f'{t} {t} {t}', 80)
        if f16:
            k.op(f'fma.rn.ftz.{t}', t, f'{t} {t} {t}')
            k.op(f'fma.rn.sat.{t}', t, f'{t} {t} {t}')
        for o in ('abs', 'neg'):
            k.op(f'{o}.{t}', t, t, 75 if f16 else 80)
        if f16:
            k.op(f'abs.ftz.{t}', t, t)
            k.op(f'neg.ftz.{t}', t, t)
        for o in ('min', 'max'):
            k.op(f'{o}.{t}', t, f'{t} {t}', 80)
            k.op(f'{o}.NaN.{t}', t, f'{t} {t}', 80)
            if f16:
                k.op(f'{o}.ftz.{t}', t, f'{t} {t}', 80)
                k.op(f'{o}.ftz.NaN.{t}', t, f'{t} {t}', 80)
        ftz = '' if f16 else '.ftz'
        # PTX: relative error 2^-9.9 for f16 ex2, 2^-7 for bf16, 2^-10.987 and 2^-8 for tanh.
        k.op(f'ex2.approx{ftz}.{t}', t, t, 75 if f16 else 90, '2')
        k.op(f'tanh.approx.{t}', t, t, 75 if f16 else 90, '2')


def single(k):
    for r in ('rn', 'rz', 'rm', 'rp'):
        for f in ('', '.ftz'):
            for s in ('', '.sat'):
                for o in ('add', 'sub', 'mul'):
                    k.op(f'{o}.{r}{f}{s}.f32', 'f32', 'f32 f32')
                k.op(f'fma.{r}{f}{s}.f32', 'f32', 'f32 f32 f32')
            k.op(f'div.{r}{f}.f32', 'f32', 'f32 f32')
            for o in ('sqrt', 'rcp'):
                k.op(f'{o}.{r}{f}.f32', 'f32', 'f32')
        for o in ('add', 'sub', 'mul', 'div'):
            k.op(f'{o}.{r}.f64', 'f64', 'f64 f64')
        k.op(f'fma.{r}.f64', 'f64', 'f64 f64 f64')
        for o in ('sqrt', 'rcp'):
            k.op(f'{o}.{r}.f64', 'f64', 'f64')
    for o in ('min', 'max'):
        for f in ('', '.ftz'):
            k.op(f'{o}{f}.f32', 'f32', 'f32 f32')
            k.op(f'{o}{f}.NaN.f32', 'f32', 'f32 f32', 80)
            k.op(f'{o}{f}.xorsign.abs.f32', 'f32', 'f32 f32', 90)
            k.op(f'{o}{f}.NaN.xorsign.abs.f32', 'f32', 'f32 f32', 90)
        k.op(f'{o}.f64', 'f64', 'f64 f64')
    for o in ('abs', 'neg'):
        for f in ('', '.ftz'):
            k.op(f'{o}{f}.f32', 'f32', 'f32')
        k.op(f'{o}.f64', 'f64', 'f64')
    # Tolerances in units of the last place, or absolute after a colon: what PTX allows.
    for f in ('', '.ftz'):
        k.op(f'rcp.approx{f}.f32', 'f32', 'f32', tolerance='2')
        k.op(f'rsqrt.approx{f}.f32', 'f32', 'f32', tolerance='3')
        k.op(f'sqrt.approx{f}.f32', 'f32', 'f32', tolerance='3')
        k.op(f'ex2.approx{f}.f32', 'f32', 'f32', tolerance='4')
        k.op(f'lg2.approx{f}.f32', 'f32', 'f32', tolerance='4:2.4e-7')
        k.op(f'sin.approx{f}.f32', 'f32', 'trig', tolerance='4:7e-7')
        k.op(f'cos.approx{f}.f32', 'f32', 'trig', tolerance='4:7e-7')
        k.op(f'sin.approx{f}.f32', 'f32', 'f32', tolerance='4:7e-7', name=f'sin{f}_wide')
        k.op(f'cos.approx{f}.f32', 'f32', 'f32', tolerance='4:7e-7', name=f'cos{f}_wide')
        k.op(f'div.approx{f}.f32', 'f32', 'f32 f32', tolerance='3')
        k.op(f'div.full{f}.f32', 'f32', 'f32 f32', tolerance='3')
    k.op('tanh.approx.f32', 'f32', 'f32', tolerance='8192')
    k.op('rcp.approx.ftz.f64', 'f64', 'f64', tolerance=str(3 << 32))
    k.op('rsqrt.approx.ftz.f64', 'f64', 'f64', tolerance=str(3 << 32))


def atomics(k):
    def atom(o, t, kind, arch=75, cas=False, space='global'):
        """Each thread has a place of its own: the old value and the new one."""
        b = memory(kind)
        size = int(b[1:])
        d, a, m, c = (register(kind, i) for i in (5, 1, 2, 3))
        at = OFFSET[set_of(kind)]
        text = ''.join(f'ld.global.{b} {x}, [%q20+{at + i * 8 * N}];\n'
                       for i, x in enumerate((a, m, c)))
        if cas:
            # Half of the comparisons succeed.
            text += ('and.b32 %r9, %r20, 1;\nsetp.eq.u32 %p1, %r9, 1;\n'
                     f'@%p1 mov.{b} {c}, {m};\n')
        place = '%q21'
        if space == 'shared':
            text += ('mov.u64 %q9, scratch;\ncvt.u64.u32 %q10, %r20;\nshl.b64 %q10, %q10, 3;\n'
                     'add.u64 %q9, %q9, %q10;\n')
            place = '%q9'
        operands = f'{c}, {a}' if cas else a
        text += (f'st.{space}.{b} [{place}], {m};\n'
                 f'atom.{space}.{o}.{t} {d}, [{place}], {operands};\n'
                 f'ld.{space}.{b} {register(kind, 6)}, [{place}];\n')
        if size < 64:
            text += (f'st.global.{b} [%q21], {register(kind, 6)};\n'
                     f'st.global.{b} [%q21+4], {d};')
        else:
            text += f'xor.b64 %q6, %q6, %q5;\nxor.b64 %q6, %q6, %q2;\nst.global.b64 [%q21], %q6;'
        k.raw(f'atom_{space}_{o}_{t}', text, arch)

    for space in ('global', 'shared'):
        for t in ('u32', 's32', 'u64', 's64'):
            for o in ('min', 'max') if t == 's64' else ('add', 'min', 'max'):
                atom(o, t, t, space=space)
        for t in ('b32', 'b64'):
            for o in ('and', 'or', 'xor', 'exch'):
                atom(o, t, t, space=space)
            atom('cas', t, t, cas=True, space=space)
        atom('cas', 'b16', 'b16', cas=True, space=space)
        for o in ('inc', 'dec'):
            atom(o, 'u32', 'u32', space=space)
        for t in ('f32', 'f64'):
            atom('add', t, t, space=space)
        atom('add.noftz', 'f16x2', 'f16x2', space=space)
        atom('add.noftz', 'f16', 'f16', space=space)
        atom('add.noftz', 'bf16', 'bf16', 90, space=space)
        atom('add.noftz', 'bf16x2', 'bf16x2', 90, space=space)
    for o, t in (('add', 'u32'), ('min', 's32'), ('max', 'u32'), ('xor', 'b32'),
                 ('add', 'f32')):
        value = 'cvt.rn.f32.u32 %r1, %r20;\n' if t == 'f32' else ''
        k.raw(f'red_contended_{o}_{t}', f'''
ld.global.b32 %r1, [%q20+{OFFSET["i32"]}];
and.b32 %r2, %r20, 15;
shl.b32 %r2, %r2, 2;
mov.u32 %r3, scratch;
add.u32 %r2, %r2, %r3;
mov.b32 %r4, 0;
st.shared.b32 [%r2], %r4;
bar.sync 0;
{value}red.shared.{o}.{t} [%r2], %r1;
bar.sync 0;
ld.shared.b32 %r5, [%r2];
st.global.b32 [%q21], %r5;''')


def warps(k):
    clamps = {'full': 0x1f, 'half': 0x100f | 0x10, 'eight': 0x181f, 'zero': 0, 'odd': 0x0b07,
              'up8': 0x1800}
    for mode in ('up', 'down', 'bfly', 'idx'):
        for name, c in clamps.items():
            # The amount is the same in a warp, then any in each lane.
            for each in ('same', 'any'):
                amount = ('shr.u32 %r2, %r20, 5;\nmul.lo.u32 %r2, %r2, 3;' if each == 'same'
                          else f'ld.global.b32 %r2, [%q20+{OFFSET["amount"] + 8 * N}];')
                k.raw(f'shfl_{mode}_{name}_{each}', f'''
ld.global.b32 %r1, [%q20+{OFFSET["i32"]}];
{amount}
shfl.sync.{mode}.b32 %r5|%p1, %r1, %r2, {c}, 0xffffffff;
selp.b32 %r6, 1, 0, %p1;
st.global.v2.b32 [%q21], {{%r5, %r6}};''')
    # Lanes with an odd number go another way: who reads from them?
    k.raw('shfl_inactive', f'''
ld.global.b32 %r1, [%q20+{OFFSET["i32"]}];
and.b32 %r2, %r20, 1;
setp.eq.u32 %p1, %r2, 0;
mov.b32 %r5, 77;
@!%p1 bra skip;
shfl.sync.bfly.b32 %r5, %r1, 1, 31, 0x55555555;
skip:
st.global.b32 [%q21], %r5;''')
    some = (f'ld.global.b32 %r1, [%q20+{OFFSET["i32"]}];\n'
            'and.b32 %r2, %r1, 1;\nsetp.eq.u32 %p1, %r2, 1;\n'
            'shr.u32 %r3, %r20, 5;\nand.b32 %r4, %r3, 1;\n'
            'setp.eq.u32 %p3, %r4, 0;\n@%p3 and.b32 %r1, %r1, 0;\n'
            '@%p3 setp.ne.u32 %p1, %r3, %r3;\n')
    for o in ('all', 'any', 'uni'):
        k.raw(f'vote_{o}', some + f'''vote.sync.{o}.pred %p2, %p1, 0xffffffff;
selp.b32 %r5, 1, 0, %p2;
st.global.b32 [%q21], %r5;''')
    k.raw('vote_ballot', some + '''vote.sync.ballot.b32 %r5, !%p1, 0xffffffff;
st.global.b32 [%q21], %r5;''')
    k.raw('vote_subset', some + '''and.b32 %r6, %r20, 3;
setp.lt.u32 %p4, %r6, 3;
mov.b32 %r5, 5;
@!%p4 bra skip;
vote.sync.ballot.b32 %r5, %p1, 0x77777777;
skip:
activemask.b32 %r7;
bar.warp.sync 0xffffffff;
st.global.b32 [%q21], %r5;''')
    k.raw('match_any_32', some + '''and.b32 %r1, %r1, 7;
match.any.sync.b32 %r5, %r1, 0xffffffff;
st.global.b32 [%q21], %r5;''')
    k.raw('match_any_64', f'''ld.global.b64 %q1, [%q20+{OFFSET["i64"]}];
and.b64 %q1, %q1, 0x100000001;
match.any.sync.b64 %r5, %q1, 0xffffffff;
st.global.b32 [%q21], %r5;''')
    k.raw('match_all', some + '''shr.u32 %r1, %r1, 31;
match.all.sync.b32 %r5|%p2, %r1, 0xffffffff;
selp.b32 %r6, 1, 0, %p2;
st.global.v2.b32 [%q21], {%r5, %r6};''')
    for o in ('add', 'min', 'max'):
        for t in ('u32', 's32'):
            k.raw(f'redux_{o}_{t}', some + f'''redux.sync.{o}.{t} %r5, %r1, 0xffffffff;
st.global.b32 [%q21], %r5;''', 80)
    for o in ('and', 'or', 'xor'):
        k.raw(f'redux_{o}', some + f'''redux.sync.{o}.b32 %r5, %r1, 0xffffffff;
st.global.b32 [%q21], %r5;''', 80)
    k.raw('redux_tiles', some + '''shr.u32 %r6, %r20, 3;
and.b32 %r6, %r6, 3;
shl.b32 %r6, %r6, 3;
mov.b32 %r7, 255;
shl.b32 %r7, %r7, %r6;
redux.sync.add.u32 %r5, %r1, %r7;
st.global.b32 [%q21], %r5;''', 80)
    k.raw('elect', '''elect.sync %r5|%p1, 0xffffffff;
selp.b32 %r6, 1, 0, %p1;
st.global.v2.b32 [%q21], {%r5, %r6};''', 90)
    k.raw('elect_subset', '''and.b32 %r6, %r20, 31;
setp.gt.u32 %p4, %r6, 4;
mov.b32 %r5, 99;
@!%p4 bra skip;
elect.sync %r5|%p1, 0xffffffe0;
skip:
st.global.b32 [%q21], %r5;''', 90)
    for o in ('and', 'or'):
        k.raw(f'bar_red_{o}', some + f'''bar.red.{o}.pred %p2, 0, %p1;
selp.b32 %r5, 1, 0, %p2;
st.global.b32 [%q21], %r5;''')
    k.raw('bar_red_popc', some + '''bar.red.popc.u32 %r5, 0, %p1;
st.global.b32 [%q21], %r5;''')


def memories(k):
    for t in ('u8', 's8', 'u16', 's16', 'u32', 's32'):
        for wide, q in (('32', 'r'), ('64', 'q'), ('16', 'h')):
            if int(wide) >= int(t[1:]):
                k.raw(f'ld_{t}_into_{wide}', f'''
ld.global.{t} %{q}5, [%q20+{OFFSET["i32"] + (0 if t[1:] == '32' else 2)}];
st.global.b{wide} [%q21], %{q}5;''')
    k.raw('st_narrow', f'''
ld.global.b64 %q1, [%q20+{OFFSET["i64"]}];
cvt.u32.u64 %r1, %q1;
st.global.b64 [%q21], %q1;
not.b32 %r1, %r1;
st.global.b8 [%q21+3], %r1;
cvt.u16.u32 %h1, %r1;
st.global.b16 [%q21+6], %h1;''')
    k.raw('mov_pack', f'''
ld.global.b64 %q1, [%q20+{OFFSET["i64"]}];
mov.b64 {{%r1, %r2}}, %q1;
mov.b32 {{%h1, %h2}}, %r1;
mov.b64 {{%h3, %h4, %h5, %h6}}, %q1;
mov.b32 %r3, {{%h2, %h6}};
mov.b64 %q2, {{%r2, %r3}};
st.global.b64 [%q21], %q2;''')
    k.raw('vector_shared', f'''
mov.u32 %r9, scratch;
shl.b32 %r10, %r20, 3;
add.u32 %r9, %r9, %r10;
ld.global.v2.b32 {{%r1, %r2}}, [%q20+{OFFSET["i64"]}];
st.shared.v2.b32 [%r9], {{%r2, %r1}};
bar.sync 0;
ld.shared.v4.b16 {{%h1, %h2, %h3, %h4}}, [%r9];
st.global.v4.b16 [%q21], {{%h3, %h1, %h4, %h2}};''')
    for space in ('global', 'shared', 'local'):
        k.raw(f'isspacep_{space}', f'''
mov.u64 %q1, scratch;
cvta.shared.u64 %q1, %q1;
isspacep.{space} %p1, %q1;
isspacep.{space} %p2, %q21;
selp.b32 %r1, 1, 0, %p1;
selp.b32 %r2, 1, 0, %p2;
st.global.v2.b32 [%q21], {{%r1, %r2}};''')
    for space in ('global', 'shared'):
        at = '%q9' if space == 'shared' else '%q21'
        for t, q in (('f32', 'r'), ('f64', 'q')):
            b = 'b' + t[1:]
            k.raw(f'atom_generic_{space}_{t}', f'''
mov.u64 %q9, scratch;
cvta.shared.u64 %q9, %q9;
cvt.u64.u32 %q10, %r20;
shl.b64 %q10, %q10, 3;
add.u64 %q9, %q9, %q10;
ld.global.{b} %{q}1, [%q20+{OFFSET[t]}];
ld.global.{b} %{q}2, [%q20+{OFFSET[t] + 8 * N}];
st.{b} [{at}], %{q}1;
atom.add.{t} %{q}5, [{at}], %{q}2;
ld.{b} %{q}6, [{at}];
st.global.{b} [%q21], %{q}6;''')
    for o in ('add', 'sub', 'mul'):
        k.op(f'{o}.f32', 'f32', 'f32 f32')
        k.op(f'{o}.f64', 'f64', 'f64 f64')
        k.op(f'{o}.ftz.f32', 'f32', 'f32 f32')
    for t in ('u8', 's8', 'u16', 's16'):
        k.op(f'cvt.{t}.s32 %r6, {{a}}; cvt.rn.f32.{t} {{d}}, %r6', 'f32', 's32',
             name=f'cvt_wide_{t}')
        k.op(f'cvt.rzi.{t}.f32 %r6, {{a}}; add.u32 {{d}}, %r6, 1', 'u32', 'f32',
             name=f'cvt_wide_{t}_f32')
        k.op(f'cvt.rzi.{t}.f64 %r6, {{a}}; add.u32 {{d}}, %r6, 1', 'u32', 'f64',
             name=f'cvt_wide_{t}_f64')


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    k = Kernels()
    for part in (integer, bits, compare, convert, half, single, atomics, warps, memories):
        part(k)
    (folder / 'math.cu').write_text(math(k, N, OFFSET))
    for file, text in k.files.items():
        (folder / file).write_text(text)
    (folder / 'list.txt').write_text('\n'.join(k.lines) + '\n')
    with open(folder / 'inputs.bin', 'wb') as f:
        for columns in SETS.values():
            for column in columns:
                f.write(struct.pack(f'<{N}Q', *column))


if __name__ == '__main__':
    main()
