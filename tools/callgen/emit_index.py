# SPDX-License-Identifier: Apache-2.0
"""docs/calls.md: the index that a newcomer reads.

Which file has a half that is written by hand is looked up in the sources, so that the
index cannot lie.
"""

import pathlib
import re

from text import NOTE

SOURCE = pathlib.Path(__file__).parent.parent.parent

HEAD = '''\
<!-- {note} -->

# Calls on the wire

Program {program:#x}, version {version}; every name is a procedure of `rpc/outboard.x`.
One-way calls get no reply.  *Generated* code comes from the specification named in the
heading: on the guest it is `remote.c`, on the host `serve.c`, both in the build folder.
'''

DOMAIN = '''
## {domain} (`rpc/calls/{domain}.calls`)

| call | number | | guest | host | what |
|--|--|--|--|--|--|
'''


def index(spec):
    from emit_contract import PROGRAM, VERSION
    text = HEAD.format(note=NOTE, program=PROGRAM, version=VERSION)
    for domain in spec.domains:
        text += DOMAIN.format(domain=domain)
        text += ''.join(row(c) for c in spec.calls if c.domain == domain)
    return text


def row(c):
    by_hand = c.guest_by_hand or 'wrapped' in c.words
    guest = find(c.name, ('guest-shim/libcuda', 'rpc', 'cli')) if by_hand else 'generated'
    host = find(f'serve_{c.name}', ('host-server',)) if c.host_by_hand else 'generated'
    way = 'one-way' if c.one_way else ''
    return f'| `{c.name}` | {c.number:#06x} | {way} | {guest} | {host} | {c.doc} |\n'


def find(name, folders):
    """The file that defines the function, or else the first that names the call."""
    definition = re.compile(rf'^{name}\(', re.M)
    # Where the name is sent: CUDA's name may be defined by a macro.
    mention = re.compile(rf'\b(remote_{name}|CALL_{name}|{name})\b')
    files = [path for folder in folders for path in sorted((SOURCE / folder).glob('*.c'))
             if not path.name.startswith('test-')]
    for pattern in definition, mention:
        for path in files:
            if pattern.search(path.read_text(encoding='utf-8')):
                return f'`{path.relative_to(SOURCE).as_posix()}`'
    return 'not yet'
