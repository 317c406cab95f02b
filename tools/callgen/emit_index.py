# SPDX-License-Identifier: Apache-2.0
"""docs/calls.md: the index that a newcomer reads."""

from text import NOTE

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
    by_hand = f'`guest-shim/libcuda/{c.domain}.c`'
    guest = by_hand if c.guest_by_hand or 'wrapped' in c.words else 'generated'
    host = f'`host-server/{c.domain}.c`' if c.host_by_hand else 'generated'
    way = 'one-way' if c.one_way else ''
    return f'| `{c.name}` | {c.number:#06x} | {way} | {guest} | {host} | {c.doc} |\n'
