#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_ops OPS GOLDEN [NVCC]: run ops.py's kernels by OPS and compare with a GPU's answers."""

import pathlib
import subprocess
import sys
import tempfile

here = pathlib.Path(__file__).parent


def main():
    ops, golden, *nvcc = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run([sys.executable, here / 'ops.py', folder], check=True)
        if nvcc:
            subprocess.run([nvcc[0], '-ptx', folder / 'math.cu', '-o', folder / 'math.ptx'],
                           check=True)
        results = folder / 'results.bin'
        subprocess.run([ops, folder, results], check=True)
        return subprocess.run([sys.executable, here / 'compare_ops.py', folder / 'list.txt',
                               results, golden]).returncode


if __name__ == '__main__':
    sys.exit(main())
