# SPDX-License-Identifier: Apache-2.0
"""The wire contract (.x) and the table of messages that both ends use."""

from text import NOTE, fill, kind, lines

PROGRAM = 0x20004f42    # in the range for users (RFC 5531); "OB"
VERSION = 1

X_ARGS = '''\
/* {doc} */
struct {name}_args {{
{args}}};

'''

X_RET_BARE = '''\
struct {name}_ret {{
	call_lane lane;
	int result;
}};

'''

# A failed call has no results: XDR cannot encode a NULL string, and need not.
X_RET = '''\
struct {name}_out {{
{outs}}};
union {name}_result switch (int result) {{
case 0:
	{name}_out out;
default:
	void;
}};
struct {name}_ret {{
	call_lane lane;
	{name}_result u;
}};

'''


def contract(spec):
    text = f'\n/* {NOTE} */\n\n'
    for c in spec.calls:
        text += X_ARGS.format(doc=c.doc, name=c.name, args=fields(c.args()))
        if c.one_way:
            continue
        template = X_RET if c.outs() else X_RET_BARE
        text += template.format(name=c.name, outs=fields(c.outs()))
    text += f'program OUTBOARD_PROGRAM {{\n\tversion OUTBOARD_VERSION {{\n'
    for c in spec.calls:
        ret = 'void' if c.one_way else f'{c.name}_ret'
        text += f'\t\t{ret} CALL_{c.name}({c.name}_args) = {c.number};\n'
    return text + f'\t}} = {VERSION};\n}} = {PROGRAM:#x};\n'


def fields(params):
    return lines(f'{fill(kind(p).xdr, p)} {p.name};' for p in params) or '\tint none;\n'


TABLE_HEAD = '''\
/* {note} */
#include "rpc/call.h"

#include <stddef.h>

'''

TABLE_ENTRY = '''\
	[{low:#04x}] = {{ "{name}", CALL_{name}, {one_way}, {context},
		sizeof({name}_args), (xdrproc_t)xdr_{name}_args,
		{ret},
		{payload}, {ret_payload} }},
'''


def table(spec):
    text = TABLE_HEAD.format(note=NOTE)
    for domain in spec.domains:
        text += f'static const struct call_info {domain}_calls[] = {{\n'
        text += ''.join(entry(c) for c in spec.calls if c.domain == domain)
        text += '};\n\n'
    text += 'const struct call_domain call_domains[CALL_DOMAINS_MAX] = {\n'
    for domain, number in spec.domains.items():
        text += (f'\t[{number:#04x}] = {{ "{domain}", {domain}_calls, '
                 f'sizeof({domain}_calls) / sizeof({domain}_calls[0]) }},\n')
    return text + '};\n'


def entry(c):
    ret = '0, NULL, 0'
    if not c.one_way:
        out = f'offsetof({c.name}_ret, u.{c.name}_result_u)' if c.outs() else '0'
        ret = f'sizeof({c.name}_ret), (xdrproc_t)xdr_{c.name}_ret, {out}'
    return TABLE_ENTRY.format(
        low=c.number & 0xff, name=c.name, one_way='true' if c.one_way else 'false',
        context='false' if 'nocontext' in c.words else 'true', ret=ret,
        payload=payload(c.args(), f'{c.name}_args'),
        ret_payload=payload(c.outs(), f'{c.name}_out'))


def payload(params, struct):
    """Where the payload is: in the message (its length word), and in the struct."""
    if not params or params[-1].kind != 'payload':
        return '{ false, 0, 0 }'
    at = sum(kind(p).wire_size for p in params[:-1])
    return f'{{ true, {at}, offsetof({struct}, {params[-1].name}) }}'
