#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fuzz_seeds DIR: write one valid-looking record per procedure as seeds for fuzz-server."""

import pathlib
import re
import struct
import sys


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    contract = pathlib.Path(__file__).parent.parent / 'rpc/outboard.x'
    program = int(re.search(r'= (0x[0-9a-f]{8});', contract.read_text())[1], 16)
    for number in re.findall(r'\(\w+_args\) = (\d+);', contract.read_text()):
        for words in (0, 1, 6, 12):
            body = struct.pack('>10I', 7, 0, 2, program, 1, int(number), 0, 0, 0, 0)
            body += b'\0\0\0\4' * words
            record = struct.pack('>I', 0x80000000 | len(body)) + body
            (out / f'{int(number):04x}-{words}').write_bytes(b'\xff' + record * 2)


if __name__ == '__main__':
    main()
