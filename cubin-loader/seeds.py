#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make the seeds of the fuzz targets: tiny images of our own kernels.

usage: seeds.py [NVCC]     writes seeds-fatbin/, seeds-elf/, seeds-ptx-header/ and
                          seeds-kernels/ beside itself
"""
import pathlib
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
LIMIT = 8192

KERNELS = """
struct pair { double a; char b; };
extern "C" __global__ void tiny(int *p, struct pair s, short x) { *p = (int)s.a + x; }
"""
WIDE = """
struct wide { int v[1100]; };
extern "C" __global__ void wide(int *p, struct wide w, char c) { *p = w.v[c]; }
"""

# folder, file name, source, options
SEEDS = [
    ("fatbin", "plain", KERNELS, ["-fatbin", "-arch=sm_90", "--compress-mode=none"]),
    ("fatbin", "zstd", KERNELS, ["-fatbin", "-arch=sm_90", "--compress-mode=size"]),
    ("fatbin", "lz4", KERNELS, ["-fatbin", "-gencode=arch=compute_90,code=compute_90",
                                "--compress-mode=speed"]),
    ("fatbin", "wide", WIDE, ["-fatbin", "-arch=sm_90", "--compress-mode=size"]),
    ("fatbin", "rdc", KERNELS, ["-fatbin", "-arch=sm_90a", "-rdc=true"]),
    ("elf", "sm_75", KERNELS, ["-cubin", "-arch=sm_75"]),
    ("elf", "sm_90", KERNELS, ["-cubin", "-arch=sm_90"]),
    ("elf", "rdc", KERNELS, ["-cubin", "-arch=sm_90", "-rdc=true"]),
    ("ptx-header", "tiny", KERNELS, ["-ptx", "-arch=sm_90"]),
    ("ptx-header", "wide", WIDE, ["-ptx", "-arch=sm_80"]),
    ("ptx-header", "debug", KERNELS, ["-ptx", "-arch=sm_75", "-G"]),
]


def table(*kernels):
    """image_kernels_pack's bytes."""
    return struct.pack("<II", len(kernels), 1) + b"".join(
        struct.pack("<II", len(name), len(params)) + name +
        b"".join(struct.pack("<II", *param) for param in params) for name, params in kernels)


def main():
    nvcc = sys.argv[1] if len(sys.argv) > 1 else "/usr/local/cuda/bin/nvcc"
    with tempfile.TemporaryDirectory() as scratch:
        source = pathlib.Path(scratch, "seed.cu")
        for folder, name, text, options in SEEDS:
            source.write_text(text)
            target = HERE / f"seeds-{folder}" / name
            target.parent.mkdir(exist_ok=True)
            subprocess.run([nvcc, *options, "-o", "seed.out", "seed.cu"], check=True,
                           cwd=scratch)
            data = pathlib.Path(scratch, "seed.out").read_bytes()
            if "-ptx" in options:  # its .file line would be different every time
                data = data.replace(scratch.encode(), b"/src")
            if len(data) > LIMIT:
                print(f"seeds.py: {target.name} left out: {len(data)} bytes", file=sys.stderr)
                continue
            target.write_bytes(data)
    tables = HERE / "seeds-kernels"
    tables.mkdir(exist_ok=True)
    (tables / "none").write_bytes(table())
    (tables / "two").write_bytes(table((b"one", [(0, 8), (8, 4)]), (b"two", [])))


main()
