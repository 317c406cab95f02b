#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check-exports.py LIBRARY NAMES SONAME: the library exports exactly these names, each
with SONAME as its version, carries SONAME itself, and needs libcuda.so.1."""
import subprocess
import sys


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main():
    library, names_file, soname = sys.argv[1:4]
    wanted = {'%s@@%s' % (name, soname) for name in open(names_file).read().split()}
    found = set()
    for line in run('nm', '-D', '--defined-only', library).splitlines():
        kind, symbol = line.split()[-2:]
        if kind != 'A':  # the version itself
            found.add(symbol)
    dynamic = run('readelf', '-d', '-W', library)
    wrong = ['missing: ' + name for name in sorted(wanted - found)]
    wrong += ['too many: ' + name for name in sorted(found - wanted)]
    if '(SONAME)' not in dynamic or '[%s]' % soname not in dynamic:
        wrong.append('no SONAME ' + soname)
    if '[libcuda.so.1]' not in dynamic:
        wrong.append('does not need libcuda.so.1')
    print('\n'.join(wrong) if wrong else '%d names' % len(found))
    return 1 if wrong or not wanted else 0


sys.exit(main())
