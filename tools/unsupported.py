#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write a C function for every name of an interface that a static library does not define.

usage: unsupported.py NAMES LIBRARY NM OUTPUT

NAMES is a file with one name per line.  Each function written calls
unsupported_call("NAME", &said), which the library defines.
"""
import subprocess
import sys


def defined(library, nm):
    out = subprocess.run([nm, "--defined-only", "--extern-only", library],
                         check=True, capture_output=True, text=True).stdout
    return {line.split()[-1] for line in out.splitlines() if len(line.split()) == 3}


def main():
    names_path, library, nm, output = sys.argv[1:]
    with open(names_path, encoding="ascii") as f:
        names = [line.strip() for line in f if line.strip() and not line.startswith("#")]
    have = defined(library, nm)
    lines = ["/* Written by tools/unsupported.py from %s: do not edit. */"
             % names_path.rsplit("/", 1)[-1],
             "#include <stdbool.h>", "",
             "int unsupported_call(const char *name, bool *said);", ""]
    for name in names:
        if name in have:
            continue
        lines += ['__attribute__((visibility("default"))) int %s(void);' % name, "",
                  "int", "%s(void)" % name, "{", "\tstatic bool said;", "",
                  '\treturn unsupported_call("%s", &said);' % name, "}", ""]
    with open(output, "w", encoding="ascii") as f:
        f.write("\n".join(lines))


main()
