#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""compare_ops: what two devices answered to the kernels of ops.py.

compare_ops LIST RESULTS REFERENCE      two results of ops.c
compare_ops LIST RESULTS FILE.golden    results against what a GPU once answered
compare_ops --golden LIST RESULTS FILE.golden    keep a GPU's answers in a small file

LIST is the list.txt of ops.py; what it needs that is not beside it is skipped.
An operation without a tolerance must agree in every bit.  The others may differ by so
many units in the last place, or, where they go through zero, by an absolute error.
"""

import base64
import hashlib
import math
import pathlib
import struct
import sys
import zlib

N = 1024
# A golden file keeps every STEP-th result of an operation that has a tolerance.
STEP = 11
LAYOUT = {'f16': (16, 5), 'bf16': (16, 8), 'f32': (32, 8), 'f64': (64, 11)}


def words(block):
    return struct.unpack(f'<{len(block) // 8}Q', block)


def decode(value, bits, exponent_bits):
    if bits == 64:
        return struct.unpack('<d', struct.pack('<Q', value))[0]
    if bits == 16 and exponent_bits == 5:
        return struct.unpack('<e', struct.pack('<H', value))[0]
    return struct.unpack('<f', struct.pack('<I', value << (32 - bits)))[0]


def order(value, bits):
    """Floating-point numbers as integers that differ by one where they are neighbours."""
    top = 1 << (bits - 1)
    return -(value - top) if value & top else value


def distance(a, b, shape):
    """Units in the last place and absolute error; None where one is a NaN."""
    bits, exponent_bits = LAYOUT[shape]
    x, y = decode(a, bits, exponent_bits), decode(b, bits, exponent_bits)
    if math.isnan(x) or math.isnan(y):
        return (0, 0.0) if math.isnan(x) and math.isnan(y) else None
    error = 0.0 if x == y else abs(x - y)
    return abs(order(a, bits) - order(b, bits)), error


def parts(value, shape):
    if shape.endswith('x2'):
        return [value & 0xffff, value >> 16 & 0xffff]
    return [value & ((1 << LAYOUT[shape][0]) - 1)]


class Verdict:
    def __init__(self, shape, tolerance):
        self.shape = shape
        limit, _, absolute = tolerance.partition(':')
        self.limit = int(limit)
        self.absolute = float(absolute or 0)
        self.worst = 0
        self.n_bad = 0
        self.first = None

    def look(self, i, ours, theirs):
        if ours == theirs:
            return
        if self.limit == 0:
            good = False
        else:
            good = True
            for a, b in zip(parts(ours, self.shape), parts(theirs, self.shape)):
                apart = distance(a, b, self.shape.removesuffix('x2'))
                if apart is None:
                    good = False
                elif apart[0] > self.limit and apart[1] > self.absolute:
                    good = False
                if apart is not None and apart[1] > self.absolute:
                    self.worst = max(self.worst, apart[0])
        if not good:
            self.n_bad += 1
            if self.first is None:
                self.first = (i, ours, theirs)


def read_list(path):
    return [line.split() for line in pathlib.Path(path).read_text().splitlines() if line]


def blocks(path, operations):
    data = pathlib.Path(path).read_bytes()
    if len(data) != len(operations) * N * 8:
        sys.exit(f'{path} is not for this list: {len(data)} bytes')
    for i, operation in enumerate(operations):
        yield operation, data[i * N * 8:(i + 1) * N * 8]


def digest(block):
    return hashlib.sha256(block).hexdigest()[:16]


def inputs_digest(list_path):
    return digest((pathlib.Path(list_path).parent / 'inputs.bin').read_bytes())


def write_golden(list_path, results, path):
    operations = read_list(list_path)
    with open(path, 'w') as f:
        f.write('# What an H200 (driver 580.159) answers to the kernels of ops.py; made by '
                'compare_ops.py --golden.\n'
                f'inputs {inputs_digest(list_path)}\n')
        for (_, name, shape, tolerance), block in blocks(results, operations):
            if tolerance == '0':
                kept = digest(block)
            else:
                size = 8 if shape == 'f64' else 4
                chosen = b''.join(w.to_bytes(8, 'little')[:size]
                                  for w in words(block)[::STEP])
                kept = base64.b85encode(zlib.compress(chosen, 9)).decode()
            f.write(f'{name} {kept}\n')


def read_golden(path):
    return dict(line.split() for line in pathlib.Path(path).read_text().splitlines()
                if not line.startswith('#'))


def judge_golden(verdict, block, kept):
    if verdict.limit == 0:
        if digest(block) != kept:
            verdict.n_bad = N
        return
    size = 8 if verdict.shape == 'f64' else 4
    raw = zlib.decompress(base64.b85decode(kept))
    theirs = [int.from_bytes(raw[i:i + size], 'little') for i in range(0, len(raw), size)]
    for i, (a, b) in enumerate(zip(words(block)[::STEP], theirs)):
        verdict.look(i * STEP, a, b)


def main():
    arguments = sys.argv[1:]
    if arguments[0] == '--golden':
        return write_golden(*arguments[1:4])
    operations = read_list(arguments[0])
    golden = read_golden(arguments[2]) if arguments[2].endswith('.golden') else None
    reference = None if golden is not None else blocks(arguments[2], operations)
    counts = {'identical': 0, 'near': 0, 'DIFFERENT': 0, 'unknown': 0, 'skipped': 0}
    folder = pathlib.Path(arguments[0]).parent
    if golden is not None and golden.pop('inputs') != inputs_digest(arguments[0]):
        sys.exit('the inputs are not those of the golden file: run ops.c on a GPU again')
    for (file, name, shape, tolerance), block in blocks(arguments[1], operations):
        verdict = Verdict(shape, tolerance)
        if golden is not None and not (folder / file).exists():
            counts['skipped'] += 1
            continue
        if golden is not None:
            if name not in golden:
                print(f'{name}: the golden file does not have it')
                counts['unknown'] += 1
                continue
            judge_golden(verdict, block, golden[name])
        else:
            for i, (a, b) in enumerate(zip(words(block), words(next(reference)[1]))):
                verdict.look(i, a, b)
        if verdict.n_bad:
            counts['DIFFERENT'] += 1
            example = ('' if verdict.first is None else
                       ' e.g. %d: ours %#x, theirs %#x' % verdict.first)
            print(f'{name}: DIFFERENT, {verdict.n_bad} of {N}, worst {verdict.worst}{example}')
        elif verdict.worst:
            counts['near'] += 1
            if '-v' in arguments:
                print(f'{name}: within {verdict.worst} ulp')
        else:
            counts['identical'] += 1
    print(', '.join(f'{n} {what}' for what, n in counts.items()))
    return 1 if counts['DIFFERENT'] or counts['unknown'] else 0


if __name__ == '__main__':
    sys.exit(main())
