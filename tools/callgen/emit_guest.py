# SPDX-License-Identifier: Apache-2.0
"""The guest's half: one function per call, with the C prototype of CUDA."""

from text import NOTE, c_params, fill, kind, lines, wrap

HEADER_HEAD = '''\
/* {note} */
#pragma once

#include <cuda.h>

/* Calls whose CUDA function is written by hand send themselves with these. */
'''


def name_of(c):
    return f'remote_{c.name}' if 'wrapped' in c.words else c.name


def header(spec):
    text = HEADER_HEAD.format(note=NOTE)
    for c in spec.calls:
        if 'wrapped' in c.words and not c.guest_by_hand:
            text += wrap(f'CUresult {name_of(c)}({c_params(c)});') + '\n'
    return text


HEAD = '''\
/* {note} */
#include "remote.h"

#include <cuda.h>
#include <stdint.h>

#include "guest-shim/libcuda/guest.h"
#include "rpc/call.h"

'''

CALL = '''\
/* {doc} */
{attributes}
{name}({params})
{{
{locals}	CUresult result = CUDA_SUCCESS;

{body}	return result;
}}

'''

NULL_CHECK = '''\
	if ({n} == NULL) {{
		return CUDA_ERROR_INVALID_VALUE;
	}}
'''

PACK_CALL = '''\
	result = {call};
	if (result != CUDA_SUCCESS) {{
		return result;
	}}
'''

MINT = '''\
	{T} {n}_new = NULL;
	result = guest_mint(HANDLE_{T}, (void **)&{n}_new, &args.{n});
	if (result != CUDA_SUCCESS) {{
		return result;
	}}
'''

AFTER = '''\
	if (result == CUDA_SUCCESS) {{
{moves}	}}
'''

AFTER_MINT = '''\
	if (result == CUDA_SUCCESS) {{
		*{n} = {n}_new;
	}} else {{
		guest_drop(HANDLE_{T}, {n}_new);
	}}
'''


def guest(spec):
    text = HEAD.format(note=NOTE)
    for c in spec.calls:
        if not c.guest_by_hand:
            text += one(c)
    return text


def one(c):
    body = ''.join(fill(NULL_CHECK, p) for p in c.params
                   if p.direction == 'out' or p.kind == 'cstr')
    body += ''.join(pack(p) for p in c.params if p.direction == 'in')
    body += ''.join(fill(MINT, p) for p in c.params if p.new)
    if c.one_way:
        body += f'\tresult = guest_post(CALL_{c.name}, &args);\n'
    else:
        body += f'\tresult = guest_call(CALL_{c.name}, &args, &ret);\n'
    body += after(c)
    if not c.one_way:
        body += f'\tguest_call_end(CALL_{c.name}, &ret);\n'
    local = f'\t{c.name}_args args = {{ 0 }};\n'
    if not c.one_way:
        local += f'\t{c.name}_ret ret = {{ 0 }};\n'
    public = 'wrapped' not in c.words
    return CALL.format(
        doc=c.doc, attributes='CUDA_EXPORT CUresult CUDAAPI' if public else 'CUresult',
        name=name_of(c), params=wrap(c_params(c), 88), locals=local, body=body)


def pack(p):
    k = kind(p)
    if k.pack_call:
        return PACK_CALL.format(call=fill(k.pack_call, p))
    return lines([fill(k.pack, p)])


def after(c):
    text = ''.join(fill(AFTER_MINT, p) for p in c.params if p.new)
    moves = [f'*{p.name} = ({fill(kind(p).c, p)})ret.u.{c.name}_result_u.out.{p.name};'
             for p in c.outs()]
    moves += [fill('guest_drop(HANDLE_{T}, {n});', p) for p in c.params if 'drop' in p.words]
    if moves:
        text += AFTER.format(moves=lines(moves, '\t\t'))
    return text
