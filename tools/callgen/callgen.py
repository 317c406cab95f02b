#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""callgen WHAT OUTPUT FILE.calls...   (called by meson)

WHAT: contract guest guest-header host host-header table index
"""

import sys

import emit_contract
import emit_guest
import emit_host
import emit_index
import spec
from kinds import KINDS

OUTPUTS = {
    'contract': emit_contract.contract,      # outboard.x, after call_types.x
    'table': emit_contract.table,            # call_table.c
    'guest-header': emit_guest.header,       # remote.h
    'guest': emit_guest.guest,               # remote.c
    'host-header': emit_host.header,         # driver_calls.h
    'host': emit_host.host,                  # serve.c
    'index': emit_index.index,               # docs/calls.md
}


def main():
    if len(sys.argv) < 4 or sys.argv[1] not in OUTPUTS:
        sys.exit(__doc__)
    _, what, output, *inputs = sys.argv
    try:
        text = OUTPUTS[what](spec.read(inputs, KINDS))
    except spec.SpecError as error:
        sys.exit(f'{error}')
    with open(output, 'w', encoding='utf-8') as f:
        f.write(text)


if __name__ == '__main__':
    main()
