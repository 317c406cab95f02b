# SPDX-License-Identifier: Apache-2.0
"""The host's half: one function per call, from checked message to CUDA and back."""

from text import NOTE, c_params, fill, kind, lines, wrap

HEADER_HEAD = '''\
/* {note} */
#pragma once

#include <cuda.h>

/* What generated code calls of the driver.  driver.h has the rest. */
struct driver_calls {{
'''


def header(spec):
    text = HEADER_HEAD.format(note=NOTE)
    text += ''.join(wrap(f'\tCUresult (*{c.name})({c_params(c)});') + '\n'
                    for c in spec.calls if not c.host_by_hand)
    text += '};\n\n/* X(name) for each of them. */\n#define DRIVER_CALLS(X) \\\n'
    text += ' \\\n'.join(f'\tX({c.name})' for c in spec.calls if not c.host_by_hand)
    return text + '\n'


HEAD = '''\
/* {note} */
#include <cuda.h>
#include <stddef.h>

#include "host-server/dispatch.h"
#include "host-server/session.h"
#include "rpc/call.h"

'''

CALL = '''\
static CUresult
serve_{name}(struct session *s, const void *argp, void *outp)
{{
{locals}	CUresult result;

{checks}	result = s->driver->calls.{name}({gives});
{keeps}	return result;
}}

'''

CHECK = '''\
	if ({condition}) {{
		return {refusal};
	}}
'''

KEEP = '''\
	if (result == CUDA_SUCCESS) {{
{keeps}	}}
'''


def host(spec):
    text = HEAD.format(note=NOTE)
    for c in spec.calls:
        if c.host_by_hand:
            text += f'serve_fn serve_{c.name}; /* by hand, in {c.domain}.c */\n\n'
        else:
            text += one(c)
    for domain in spec.domains:
        text += f'static serve_fn *const {domain}_serve[] = {{\n'
        text += ''.join(f'\t[{c.number & 0xff:#04x}] = serve_{c.name},\n'
                        for c in spec.calls if c.domain == domain)
        text += '};\n\n'
    text += ('/* Beside call_domains in rpc: as many entries, in the same places. */\n'
             'serve_fn *const *const serve_domains[CALL_DOMAINS_MAX] = {\n')
    for domain, number in spec.domains.items():
        text += f'\t[{number:#04x}] = {domain}_serve,\n'
    return text + '};\n'


def one(c):
    ins = [p for p in c.params if p.direction == 'in']
    local = [f'const {c.name}_args *args = argp;'] if c.args() else []
    local += [f'{c.name}_out *out = outp;'] if c.outs() else []
    local += [fill(kind(p).take if p.direction == 'in' else kind(p).local, p)
              for p in c.params]
    checks = [(fill(kind(p).check, p), kind(p).refusal) for p in ins if kind(p).check]
    checks += [(fill('!session_vacant(s, HANDLE_{T}, args->{n})', p),
                'CUDA_ERROR_INVALID_HANDLE') for p in c.params if p.new]
    gives = ', '.join(f'&{p.name}' if p.direction == 'out' else fill(kind(p).give, p)
                      for p in c.params)
    keeps = [f'out->{p.name} = {cast(p)}{p.name};' for p in c.outs()]
    keeps += [fill('result = session_adopt(s, HANDLE_{T}, args->{n}, {n});', p)
              for p in c.params if p.new]
    keeps += [fill('session_drop(s, HANDLE_{T}, args->{n});', p)
              for p in c.params if 'drop' in p.words]
    return wrap(CALL.format(
        name=c.name, locals=lines(local), gives=gives,
        checks=''.join(CHECK.format(condition=a, refusal=b) for a, b in checks),
        keeps=KEEP.format(keeps=lines(keeps, '\t\t')) if keeps else ''))


def cast(p):
    return '(int)' if p.kind == 'enum' else ''
