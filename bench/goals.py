# SPDX-License-Identifier: Apache-2.0
"""What Outboard should reach on an H200, and whether a run of run.py did.

Times and rates are those of a machine with an H200, where the native program was measured:
they say nothing about another one, nor about the software device.  Ratios are to the native
run, or to the raw socket, of the same run.
"""

import dataclasses
import re

MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Goal:
    bound: float
    most: bool = False      # at most; else at least
    of: str = ''            # 'direct' or 'raw': bound is a ratio to that

    def text(self):
        return f'{"<=" if self.most else ">="} {self.bound:g}{" of " if self.of else ""}{self.of}'

    def limit(self, direct, raw):
        """What was to be reached in a run; None where there is nothing to compare with."""
        base = {'direct': direct, 'raw': raw, '': 1}[self.of]
        return self.bound * base if base else None

    def verdict(self, value, direct, raw):
        """In words, or None."""
        bound = self.limit(direct, raw)
        if value is None or bound is None:
            return None
        short = value / bound - 1 if self.most else 1 - value / bound
        return 'met' if short <= 0 else f'missed by {short:.0%}'


def at_most(bound, of=''):
    return Goal(bound, most=True, of=of)


def at_least(bound, of=''):
    return Goal(bound, of=of)


# Metric: over TCP on one machine, over a unix socket with shared memory.
GOALS = {
    'exec_to_first_kernel': (at_most(15), at_most(15)),         # ms
    'launch_issue': (at_most(0.3), at_most(0.3)),               # us
    'launch_each': (at_most(1, 'direct'), at_most(1, 'direct')),
    'launch_sync': (at_most(20), at_most(10)),
    'sync_idle': (at_most(0.33), at_most(0.33)),
    'get_device': (at_most(0.06), at_most(0.06)),
    'malloc_free': (at_most(47), at_most(40)),
    'h2d_pageable_4096': (at_least(0.62), at_least(0.62)),      # GiB/s
    'd2h_pageable_4096': (at_least(0.25), at_least(0.45)),
    f'h2d_pageable_{MIB}': (at_least(0.9, 'raw'), at_least(12)),
    f'h2d_pageable_{16 * MIB}': (at_least(0.9, 'raw'), at_least(15)),
    f'h2d_pageable_{256 * MIB}': (at_least(0.9, 'raw'), at_least(9.6)),
    f'd2h_pageable_{16 * MIB}': (at_least(0.9, 'raw'), at_least(15)),
    f'h2d_pinned_{256 * MIB}': (at_least(0.9, 'raw'), at_least(51)),
    f'd2h_pinned_{256 * MIB}': (at_least(0.9, 'raw'), at_least(51)),
    f'd2d_{256 * MIB}': (at_least(1800), at_least(1800)),
}
# What holds for every copy between host and device of 1 MiB and more.
LARGE = {'pageable': (at_least(0.9, 'raw'), at_least(0.9, 'direct')),
         'pinned': (at_least(0.9, 'raw'), at_least(0.97, 'direct'))}


def of_metric(name):
    """(over TCP, over unix), or (None, None)."""
    match = re.fullmatch(r'(?:h2d|d2h)_(pageable|pinned)_(\d+)', name)
    if name not in GOALS and match and int(match[2]) >= MIB:
        return LARGE[match[1]]
    return GOALS.get(name, (None, None))
