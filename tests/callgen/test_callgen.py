#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The generator, kept honest: golden outputs, and mistakes refused with their line.

Run with --update to write the golden files anew after a change that is meant.
"""

import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent / 'tools/callgen'))

import emit_contract  # noqa: E402
import emit_guest  # noqa: E402
import emit_host  # noqa: E402
import spec  # noqa: E402
from kinds import KINDS  # noqa: E402

GOLDEN = {
    'contract.x': emit_contract.contract,
    'table.c': emit_contract.table,
    'guest.c': emit_guest.guest,
    'host.c': emit_host.host,
}

# What is wrong, and what the message must say.
MISTAKES = [
    ('call a = 0x01\n "x"', ':1: a call before any domain'),
    ('domain d 0x01\ncall a = 0x01\n', ':2: a has no sentence'),
    ('domain d 0x01\ncall a = 0x01\n"x"\nin wobble b', ':4: unknown kind "wobble"'),
    ('domain d 0x01\ncall a = 0x01\n"x"\nin handle b', ':4: handle needs a type'),
    ('domain d 0x01\ncall a = 0x01\n"x"\nin u32 b often', ':4: unknown word "often"'),
    ('domain d 0x01\ncall a = 0x01 async\n"x"', ':2: a: one-way calls, and only they'),
    ('domain d 0x01\ncall a = 0x81\n"x"', ':2: a: one-way calls, and only they'),
    ('domain d 0x01\ncall a = 0x80 async\n"x"\nout u32 b', ':2: a: a one-way call has no'),
    ('domain d 0x01\ncall a = 0x01\n"x"\ncall a = 0x02\n"x"', 'already given at'),
    ('domain d 0x01\ncall a = 0x01\n"x"\ncall b = 0x01\n"x"', 'already given at'),
    ('domain d 0x01\ncall a = 0x01\n"x"\nin payload b', ':4: payload needs a manual call'),
    ('domain d 0x01\ncall a = 0x01 manual\n"x"\nin payload b\nin u32 c',
     ':4: a payload must be last'),
    ('domain d 0x01\ncall a = 0x01 manual\n"x"\nin cstr s\nin payload b',
     ':4: cstr before a payload'),
    ('domain d 0x01\nwhatever', ':2: cannot read "whatever"'),
]


def check_golden(update):
    bad = 0
    read = spec.read([str(HERE / 'every_kind.calls')], KINDS)
    for name, emit in GOLDEN.items():
        path = HERE / 'golden' / name
        text = emit(read)
        if update:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        elif path.read_text() != text:
            print(f'FAIL: {name} is not what it was; if that is meant: '
                  f'python3 tests/callgen/test_callgen.py --update')
            bad += 1
    return bad


def check_mistakes():
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / 'bad.calls'
        for text, expected in MISTAKES:
            path.write_text(text)
            try:
                spec.read([str(path)], KINDS)
                said = 'nothing'
            except spec.SpecError as error:
                said = str(error)
            if expected not in said:
                print(f'FAIL: {text!r}: expected "{expected}", got "{said}"')
                bad += 1
    return bad


if __name__ == '__main__':
    sys.exit(1 if check_golden('--update' in sys.argv) + check_mistakes() else 0)
