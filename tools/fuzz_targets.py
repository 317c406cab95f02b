#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fuzz_targets BUILD: each fuzz target with the folder of its seeds, a line each.

A target FOLDER/fuzz-NAME has its seeds in FOLDER/seeds-NAME of the source, or in
seeds-NAME of the build folder where a script made them.
"""

import os
import pathlib
import sys


def main():
    build = pathlib.Path(sys.argv[1])
    source = pathlib.Path(__file__).parent.parent
    found = sorted(p for p in build.rglob('fuzz-*') if p.is_file() and os.access(p, os.X_OK))
    if not found:
        sys.exit('no fuzz targets are built')
    for target in found:
        folder, name = target.parent.relative_to(build), target.name.removeprefix('fuzz-')
        for seeds in (source / folder / f'seeds-{name}', build / f'seeds-{name}'):
            if seeds.is_dir():
                print(target.relative_to(build), seeds)
                break
        else:
            sys.exit(f'{target.name} has no seeds')


if __name__ == '__main__':
    main()
