# SPDX-License-Identifier: Apache-2.0
"""The kinds a parameter can have: the whole vocabulary of the .calls files.

Every kind answers the same questions.  In the answers {n} is the parameter's name and
{T} the C type after the colon.

    c          how the CUDA prototype declares it (an out is a pointer to it)
    xdr        how the message declares it
    wire_size  bytes in the message; None if that varies
    pack       guest: argument -> args, cannot fail
    pack_call  guest: an expression that packs and gives a CUresult
    local      host: what to declare before calling CUDA for an out
    take       host: what to declare before calling CUDA for an in
    check      host: a condition that refuses the call
    refusal    host: and with which error
    give       host: what to hand to CUDA for an in
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    c: str
    xdr: str
    wire_size: int = None
    pack: str = 'args.{n} = {n};'
    pack_call: str = ''
    local: str = ''
    take: str = ''
    check: str = ''
    refusal: str = 'CUDA_ERROR_INVALID_HANDLE'
    give: str = 'args->{n}'


def scalar(c, xdr, size):
    return Kind(c, xdr, size, local=c + ' {n} = 0;', give=f'({c})args->{{n}}')


def object_of(c, pack, find):
    return Kind(c, 'call_handle', 8, pack='', pack_call=pack,
                local=c + ' {n} = NULL;', take=c + ' {n} = NULL;', check=find, give='{n}')


KINDS = {
    'u8': scalar('unsigned char', 'unsigned int', 4),
    'u16': scalar('unsigned short', 'unsigned int', 4),
    'i32': scalar('int', 'int', 4),
    'u32': scalar('unsigned int', 'unsigned int', 4),
    'u64': scalar('unsigned long long', 'unsigned hyper', 8),
    'size': scalar('size_t', 'unsigned hyper', 8),
    'f32': scalar('float', 'float', 4),
    'devptr': scalar('CUdeviceptr', 'unsigned hyper', 8),
    'enum': Kind('{T}', 'int', 4, pack='args.{n} = (int){n};',
                 local='{T} {n} = ({T})0;', give='({T})args->{n}'),

    # An ordinal: the guest's devices may be a choice of the host's.
    'device': Kind('CUdevice', 'int', 4, pack='',
                   pack_call='guest_pack_device({n}, &args.{n})',
                   take='CUdevice {n} = 0;',
                   check='!session_find_device(s, args->{n}, &{n})',
                   refusal='CUDA_ERROR_INVALID_DEVICE', give='{n}'),

    # An object: the guest holds a number, the host holds the object.
    'handle': object_of('{T}', 'guest_pack_handle(HANDLE_{T}, {n}, &args.{n})',
                        '!session_find(s, HANDLE_{T}, args->{n}, (void **)&{n})'),
    # 0, 1 and 2 are CUDA's own; 2 is resolved by the guest.
    'stream': object_of('CUstream', 'guest_pack_stream({n}, &args.{n})',
                        '!session_find_stream(s, args->{n}, &{n})'),
    # A CUfunction, or a CUkernel cast to one, as CUDA allows.
    'function': object_of('CUfunction', 'guest_pack_function({n}, &args.{n})',
                          '!session_find_function(s, args->{n}, &{n})'),

    'cstr': Kind('const char *', 'call_str', None, pack='args.{n} = (char *){n};'),

    # Only in manual calls: hand-written code knows what is inside.
    'payload': Kind('const void *', 'call_payload', None),
    'xdr': Kind('{T}', '{T}', None),
}
