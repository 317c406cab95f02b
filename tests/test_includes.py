#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_includes SOURCE: who may include whom, as docs/architecture.md says."""

import pathlib
import re
import sys

# Folder -> folders whose headers it may include.  The longest matching folder counts.
MAY = {
    'common': set(),
    'rpc': {'common'},
    'cubin-loader': {'common'},
    'soft-device': {'common', 'cubin-loader'},
    'guest-shim/libcuda': {'common', 'rpc', 'cubin-loader'},
    'guest-shim/libcudart': {'common', 'cubin-loader', 'guest-shim/redirect'},
    'guest-shim/redirect': {'common', 'cubin-loader'},
    'host-server': {'common', 'rpc', 'cubin-loader'},
    'cli': {'common', 'rpc', 'cubin-loader', 'soft-device'},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
# Headers that the build makes: the wire's, and each folder's own.
GENERATED = {'outboard.h': 'rpc', 'remote.h': 'rpc', 'driver_calls.h': 'rpc'}


def folder_of(path):
    matches = [f for f in MAY if path == f or path.startswith(f + '/')]
    return max(matches, key=len) if matches else None


def main():
    source = pathlib.Path(sys.argv[1])
    bad = n_checked = 0
    for path in sorted(source.glob('**/*.[ch]')):
        name = path.relative_to(source).as_posix()
        folder = folder_of(name)
        if folder is None:
            continue
        for header in INCLUDE.findall(path.read_text(errors='replace')):
            if '/' not in header and (path.parent / header).exists():
                target = folder
            else:
                target = GENERATED.get(header) or folder_of(header) or folder
            n_checked += 1
            if target != folder and target not in MAY[folder]:
                print(f'FAIL: {name} includes "{header}"')
                bad += 1
    if n_checked < 20:
        print(f'FAIL: only {n_checked} includes found below {source}')
        bad += 1
    sys.exit(1 if bad else 0)


if __name__ == '__main__':
    main()
