#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_asked PROGRAM: what does not change is asked once, however often the program asks."""

import os
import re
import sys

from harness import Daemon, expect


def main():
    program = sys.argv[1]
    os.environ['OUTBOARD_SOFT_DEVICES'] = '2'
    with Daemon() as daemon:
        trips = []
        for rounds in 1, 50:
            result = daemon.run(program, str(rounds), env={'OUTBOARD_STATS': '1'})
            expect(result.returncode == 0 and result.stdout == 'PASS\n', 'wrong answers', result)
            trips.append(int(re.search(r'^  round trips +(\d+)', result.stderr, re.M)[1]))
        expect(trips[0] == trips[1], f'once and 50 times take {trips} round trips', result)


if __name__ == '__main__':
    main()
