# SPDX-License-Identifier: Apache-2.0
"""Read .calls files into a Spec, and refuse what does not make sense, with its line.

    domain NAME NUMBER
    call NAME = NUMBER [async] [manual | manual-host] [wrapped] [nocontext]
        "One sentence."
        in|out  KIND[:TYPE]  NAME  [new] [drop]

The parameters stand in the order of the C prototype, so a block is the prototype.  A
call's number on the wire is the domain's in the high byte and its own in the low byte.

    async        one-way: no reply, ever; the low byte is 0x80 or more, others are less
    manual       guest and host by hand (both know the generated messages)
    manual-host  only the host's half by hand
    wrapped      the guest's half is called remote_NAME; NAME itself is written by hand
    nocontext    may be called without a current context
    new          an out handle that the guest mints: it travels with the arguments
    drop         the handle is gone when the call succeeds
"""

import re
from dataclasses import dataclass, field

DOMAIN = re.compile(r'domain (\w+) (0x[0-9a-f]{2})$')
CALL = re.compile(r'call (\w+) = (0x[0-9a-f]{2})((?: [a-z-]+)*)$')
PARAM = re.compile(r'(in|out)\s+(\w+)(?::(\w+))?\s+(\w+)((?:\s+[a-z]+)*)$')
CALL_WORDS = {'async', 'manual', 'manual-host', 'wrapped', 'nocontext'}
PARAM_WORDS = {'new', 'drop'}
ONE_WAY = 0x80


class SpecError(Exception):
    pass


@dataclass
class Param:
    direction: str
    kind: str
    type: str
    name: str
    words: set
    at: str

    @property
    def new(self):
        return 'new' in self.words


@dataclass
class Call:
    name: str
    domain: str
    number: int
    words: set
    at: str
    doc: str = ''
    params: list = field(default_factory=list)

    @property
    def one_way(self):
        return 'async' in self.words

    @property
    def guest_by_hand(self):
        return 'manual' in self.words

    @property
    def host_by_hand(self):
        return bool(self.words & {'manual', 'manual-host'})

    def args(self):
        """What travels to the host: every in, and the handles that the guest mints."""
        return [p for p in self.params if p.direction == 'in' or p.new]

    def outs(self):
        """What travels back."""
        return [p for p in self.params if p.direction == 'out' and not p.new]


@dataclass
class Spec:
    domains: dict = field(default_factory=dict)
    calls: list = field(default_factory=list)


def read(paths, kinds):
    spec = Spec()
    for path in paths:
        with open(path, encoding='utf-8') as lines:
            read_one(spec, path, lines)
    spec.calls.sort(key=lambda call: call.number)
    check(spec, kinds)
    return spec


def read_one(spec, path, lines):
    domain = call = None
    for number, raw in enumerate(lines, 1):
        at = f'{path}:{number}'
        text = raw.split('#')[0].strip()
        if not text:
            continue
        if m := DOMAIN.match(text):
            domain = m[1]
            spec.domains[domain] = int(m[2], 16)
        elif m := CALL.match(text):
            if domain is None:
                raise SpecError(f'{at}: a call before any domain')
            call = Call(m[1], domain, spec.domains[domain] << 8 | int(m[2], 16),
                        words(m[3], CALL_WORDS, at), at)
            spec.calls.append(call)
        elif text.startswith('"') and text.endswith('"') and call:
            call.doc = text[1:-1]
        elif (m := PARAM.match(text)) and call:
            call.params.append(Param(m[1], m[2], m[3] or '', m[4],
                                     words(m[5], PARAM_WORDS, at), at))
        else:
            raise SpecError(f'{at}: cannot read "{text}"')


def words(text, known, at):
    found = set(text.split())
    if unknown := found - known:
        raise SpecError(f'{at}: unknown word "{sorted(unknown)[0]}"')
    return found


def check(spec, kinds):
    seen = {}
    for call in spec.calls:
        for key in (call.name, call.number):
            if key in seen:
                raise SpecError(f'{call.at}: {call.name}: name or number was already '
                                f'given at {seen[key]}')
            seen[key] = call.at
        check_call(call, kinds)


def check_call(call, kinds):
    if not call.doc:
        raise SpecError(f'{call.at}: {call.name} has no sentence')
    if call.one_way != (call.number & 0xff >= ONE_WAY):
        raise SpecError(f'{call.at}: {call.name}: one-way calls, and only they, have '
                        f'numbers from {ONE_WAY:#x}')
    if call.one_way and call.outs():
        raise SpecError(f'{call.at}: {call.name}: a one-way call has no results')
    for p in call.params:
        if p.kind not in kinds:
            raise SpecError(f'{p.at}: unknown kind "{p.kind}"')
        if p.kind in ('handle', 'enum', 'xdr') and not p.type:
            raise SpecError(f'{p.at}: {p.kind} needs a type, as in {p.kind}:CUstream')
        if p.new and (p.direction != 'out' or p.kind != 'handle'):
            raise SpecError(f'{p.at}: only an out handle can be new')
        if p.kind in ('xdr', 'payload') and not call.guest_by_hand:
            raise SpecError(f'{p.at}: {p.kind} needs a manual call')
    for side in (call.args(), call.outs()):
        check_payload(side, kinds)


def check_payload(params, kinds):
    """A payload comes last and at a fixed place, so that it needs no copy."""
    for i, p in enumerate(params):
        if p.kind != 'payload':
            continue
        if i != len(params) - 1:
            raise SpecError(f'{p.at}: a payload must be last')
        for before in params[:i]:
            if kinds[before.kind].wire_size is None:
                raise SpecError(f'{before.at}: {before.kind} before a payload')
