#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the table behind cuGetProcAddress (soft-device/procaddress.h).

usage: driver_versions.py NAMES CUDA_INCLUDE OUTPUT

cudaTypedefs.h of the toolkit names every version of every function, PFN_cuX_v3020.  In
ascending order they are the exported cuX, cuX_v2, cuX_v3, and those with _ptds and _ptsz
likewise.  NAMES is the list of exported functions.
"""
import re
import sys


def split(symbol):
    """cuX_v2_ptds -> (cuX, 2, True)"""
    m = re.fullmatch(r"(\w+?)(?:_v(\d+))?(_ptds|_ptsz)?", symbol)
    return m.group(1), int(m.group(2) or 1), m.group(3) is not None


def main():
    names_path, include, output = sys.argv[1:]
    with open(names_path, encoding="ascii") as f:
        names = [line.strip() for line in f if line.strip() and not line.startswith("#")]
    typedefs = ""
    for header in ("cudaTypedefs.h", "cudaProfilerTypedefs.h"):
        with open(include + "/" + header, encoding="utf-8") as f:
            typedefs += f.read()
    exported = {}
    for name in names:
        base, number, per_thread = split(name)
        exported.setdefault((base, per_thread), []).append((number, name))
    versions = {}
    for base, version, suffix in re.findall(r"\bPFN_(cu\w+?)_v(\d+)(_ptds|_ptsz)?\)", typedefs):
        versions.setdefault((base, bool(suffix)), set()).add(int(version))
    rows = []
    for key, symbols in exported.items():
        known = sorted(versions.get(key, []))
        symbols = [name for _, name in sorted(symbols)]
        # Without a typedef, or with fewer: the newest of both are the same.
        known = [0] * (len(symbols) - len(known)) + known[-len(symbols):]
        rows += [(key[0], -version, key[1], symbol)
                 for version, symbol in zip(known, symbols)]
    rows.sort()
    lines = ["/* Written by tools/driver_versions.py from cudaTypedefs.h: do not edit. */",
             '#include "soft-device/procaddress.h"', ""]
    lines += ["extern void %s(void);" % name for name in sorted(r[3] for r in rows)]
    lines += ["", "const struct procaddress procaddress_table[] = {"]
    lines += ['\t{ "%s", %d, %s, %s },' % (base, -version, "true" if per_thread else "false", symbol)
              for base, version, per_thread, symbol in rows]
    lines += ["};", "const size_t procaddress_n =",
              "\tsizeof(procaddress_table) / sizeof(procaddress_table[0]);", ""]
    with open(output, "w", encoding="ascii") as f:
        f.write("\n".join(lines))


main()
