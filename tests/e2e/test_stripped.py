#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_stripped PROGRAM: a static runtime without symbols: one clear line, and an error."""

import os
import shutil
import subprocess
import sys
import tempfile

from harness import Daemon, expect


def main():
    with Daemon() as daemon, tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, 'stripped')
        shutil.copy(sys.argv[1], program)
        subprocess.run(['strip', program], check=True)
        result = daemon.run(program)
        said = [line for line in result.stderr.splitlines() if line.startswith('outboard:')]
        expect(result.returncode != 0 and len(said) == 1 and program in said[0] and
               '-cudart shared' in said[0], 'one line that says what to do', result)


if __name__ == '__main__':
    main()
