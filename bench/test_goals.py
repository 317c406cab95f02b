#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_goals: whether a goal was met, in both directions and against each base."""

import goals
import run

CASES = [
    (goals.at_most(20), (16, None, None), 'met'),
    (goals.at_most(20), (20, None, None), 'met'),
    (goals.at_most(20), (25, None, None), 'missed by 25%'),
    (goals.at_most(1, 'direct'), (4, 4, 1), 'met'),
    (goals.at_most(1, 'direct'), (5, 4, 1), 'missed by 25%'),
    (goals.at_least(12), (12, 1, 1), 'met'),
    (goals.at_least(12), (9, 1, 1), 'missed by 25%'),
    (goals.at_least(0.9, 'raw'), (5.4, 50, 6), 'met'),
    (goals.at_least(0.9, 'raw'), (2.7, 50, 6), 'missed by 50%'),
    (goals.at_least(0.5, 'direct'), (25, 50, 6), 'met'),
    (goals.at_least(0.5, 'direct'), (20, 50, 6), 'missed by 20%'),
    (goals.at_least(0.9, 'raw'), (5, 50, None), None),
    (goals.at_most(20), (None, 1, 1), None),
]


def main():
    for goal, values, wanted in CASES:
        got = goal.verdict(*values)
        assert got == wanted, f'{goal.text()} of {values}: {got}, not {wanted}'
    assert goals.of_metric('h2d_pinned_67108864')[1].of == 'direct'
    assert goals.of_metric('h2d_pinned_65536') == (None, None)
    assert goals.of_metric('launch_sync_p95') == (None, None)
    results = {'direct shared': {'launch_sync': (8, 'us'), 'h2d_pinned_4194304': (40, 'GiB/s')},
               'tcp shared': {'launch_sync': (30, 'us')},
               'unix shared': {'launch_sync': (5, 'us')}}
    rows = run.table(results, 'shared', with_goals=True)
    assert len(rows) == 2, 'a size that is only for the plot is in the table'
    assert rows[1][-2:] == ('<= 20: missed by 50%', '<= 10: met'), rows[1]


if __name__ == '__main__':
    main()
