#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""count_tests TESTLOG.json: "PASSED FAILED SKIPPED" of a meson test run; fails if none ran."""

import json
import sys


def main():
    counts = {'OK': 0, 'SKIP': 0}
    total = 0
    with open(sys.argv[1], encoding='utf-8') as log:
        for line in log:
            result = json.loads(line)['result']
            counts[result] = counts.get(result, 0) + 1
            total += 1
    if total == 0:
        sys.exit('no test ran')
    print(counts['OK'], total - counts['OK'] - counts['SKIP'], counts['SKIP'])


if __name__ == '__main__':
    main()
