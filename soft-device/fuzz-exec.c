/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-exec.c: bytes become a kernel of instructions that are nearly right, and it runs.
 *
 * The bytes choose templates, modifiers, types, registers, addresses and labels, so that
 * most kernels parse and do something; whatever they do may only end in a fault.  In a
 * template <a|b> is a choice, % a type, and each letter behind the space an operand:
 *
 *	D a register of the type, or _		A a register or an immediate of the type
 *	W a register twice as wide		R a register or immediate of 32 bits
 *	h r q registers of 16, 32, 64 bits	p a predicate, sometimes negated
 *	O a predicate as destination		S d|p, or d
 *	M memory				# a small number
 *	2 4 vectors of two and four registers
 */
#include "soft-device/exec.h"
#include "soft-device/ptx.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_GLOBAL 4096
#define N_HEAP 8
#define N_LABELS 8
#define MAX_INSTRUCTIONS 48

struct source {
	const uint8_t *data;
	size_t size;
};

struct text {
	char bytes[32768];
	size_t len;
};

static uint8_t
draw(struct source *source)
{
	if (source->size == 0) {
		return 0;
	}
	source->size--;
	return *source->data++;
}

static unsigned int
choose(struct source *source, unsigned int n)
{
	return draw(source) % n;
}

__attribute__((format(printf, 2, 3))) static void
put(struct text *text, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	int n = vsnprintf(text->bytes + text->len, sizeof(text->bytes) - text->len,
		format, arguments);
	va_end(arguments);
	text->len += (size_t)n;
	if (text->len >= sizeof(text->bytes)) {
		text->len = sizeof(text->bytes) - 1;
	}
}

/* Types behind %: i integers, j those of 32 and 64 bits, u 32-bit ones, b bits, f
 * floating point, x halves, t all, y those of memory. */
static const struct {
	char key;
	const char *names[14];
} type_sets[] = {
	{ 'i', { "u16", "s16", "u32", "s32", "u64", "s64" } },
	{ 'j', { "u32", "s32", "u64", "s64" } },
	{ 'w', { "u16", "s16", "u32", "s32" } },
	{ 'u', { "u32", "s32" } },
	{ 'b', { "b16", "b32", "b64" } },
	{ 'c', { "b32", "b64" } },
	{ 'f', { "f32", "f64" } },
	{ 'x', { "f16", "f16x2", "bf16", "bf16x2" } },
	{ 't', { "u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "f16", "bf16",
		       "f32", "f64" } },
	{ 'y', { "b8", "u8", "s8", "b16", "u16", "s16", "b32", "u32", "s32", "f32", "b64",
		       "u64", "f64", "b128" } },
};

static const char *const templates[] = {
	"<add|sub|mul.lo|mul.hi|div|rem|min|max>.%i DAA",
	"<mad.lo|mad.hi|sad>.%i DAAA",
	"<mul|mul>.wide.%w WAA",
	"<add.sat|sub.sat|mad.hi.sat|abs|neg|min.relu|max.relu>.s32 DAAA",
	"<add.sat|sub.sat|min.relu>.s32 rRR",
	"<abs|neg>.<s16|s32|s64> DA",
	"<mul24|mul24>.<lo|hi>.%u rRR",
	"mad24.<lo|hi|hi.sat>.%u rRRR",
	"<and|or|xor>.%b DAA",
	"<and|or|xor>.pred Opp",
	"<not|cnot>.%b DA",
	"<not|mov>.pred Op",
	"<shl.%b|shr.%i> DAR",
	"<add.cc|addc|addc.cc|sub.cc|subc|subc.cc>.%j DAA",
	"<mad.lo.cc|madc.lo|madc.hi.cc|mad.hi.cc>.%j DAAA",
	"<popc|clz>.%c rA",
	"brev.%c DA",
	"bfind.<shiftamt.|>%j rA",
	"bfe.%j DARR",
	"bfi.%c DAARR",
	"prmt.b32<|.f4e|.b4e|.rc8|.ecl|.ecr|.rc16> rRRR",
	"shf.<l|r>.<wrap|clamp>.b32 rRRR",
	"lop3.b32 rRRR#",
	"<dp4a|dp2a.lo|dp2a.hi>.%u.%u rRRR",
	"vabsdiff4.%u.%u.%u.add rRRR",
	"bmsk.<clamp|wrap>.b32 rRR",
	"szext.<clamp|wrap>.%u rRR",
	"fns.b32 rRRR",
	"<add|min|max|min.relu>.<u16x2|s16x2> rRR",
	"cvt.<|rn.|rz.|rm.|rp.|rni.|rzi.|rmi.|rpi.><|ftz.><|sat.>%t.%t XY",
	"cvt.rn<|.relu>.<f16x2|bf16x2>.f32 rrr",
	"cvt.<rna|rn|rz>.tf32.f32 rr",
	"cvt.pack.sat.<u16|s16>.s32 rRR",
	"cvt.pack.sat.<u8|s8>.s32.b32 rRRR",
	"<add|sub|mul><|.rn|.rz|.rm|.rp><|.ftz><|.sat>.%f DAA",
	"fma.<rn|rz|rm|rp><|.ftz><|.sat>.%f DAAA",
	"<div|min|max|copysign|div.rn|div.rz|min.NaN|max.xorsign.abs><|.ftz>.%f DAA",
	"<sqrt|rcp>.<rn|rz|rp|approx><|.ftz>.%f DA",
	"<abs|neg><|.ftz>.%f DA",
	"<rsqrt|ex2|lg2|sin|cos|tanh>.approx<|.ftz>.%f DA",
	"<div.approx|div.full><|.ftz>.f32 rrr",
	"<add|sub|mul|min|max|min.NaN><|.ftz><|.sat>.%x DAA",
	"fma.rn<|.ftz|.sat|.relu>.%x DAAA",
	"<abs|neg|ex2.approx|tanh.approx|ex2.approx.ftz>.%x DA",
	"setp.<eq|ne|lt|le|gt|ge|lo|hs>.%i OAA",
	"setp.<eq|ltu|nan|num|geu|gt><|.ftz>.%f OAA",
	"setp.<eq|ltu|nan|gt>.<and|or|xor>.%f OAAp",
	"setp.<lt|ge>.<and|or|xor>.%i OAAp",
	"setp.<eq|ltu|nan|gt>.%x OAA",
	"set.<eq|lt|nan><|.ftz>.<u32|s32|f32>.f32 rrr",
	"set.<eq|lt|nan>.<f16|u16|u32>.f16 rhh",
	"set.<eq|lt>.<f16x2|bf16x2>.<f16x2|bf16x2> rrr",
	"set.<eq|lt>.<u32|f32>.%i rAA",
	"selp.%b DAAp",
	"slct<|.ftz>.%b.<s32|f32> DAAr",
	"testp.<finite|infinite|number|notanumber|normal|subnormal>.%f OA",
	"mov.%b DA",
	"mov.b64 q2",
	"mov.b64 2q",
	"mov.b64 4q",
	"mov.u32 rs",
	"mov.u64 qv",
	"cvta<|.to>.<global|shared|local|param>.u64 qq",
	"isspacep.<global|shared|local|const> Oq",
	"<ld|ld.volatile|ld.relaxed.gpu><|.global|.shared|.local|.const|.param>.%y XM",
	"<st|st.volatile|st.release.sys><|.global|.shared|.local>.%y MX",
	"ld<|.global|.shared|.local|.param>.v2.%y 2M",
	"ld<|.global|.shared|.local>.v4.%y 4M",
	"st<|.global|.shared|.local>.v2.%y M2",
	"st<|.global|.shared|.local>.v4.%y M4",
	"atom<|.global|.shared>.<add|min|max|exch>.%j DMA",
	"atom<|.global|.shared>.<and|or|xor|exch>.%c DMA",
	"atom<|.global|.shared>.<inc|dec>.u32 rMR",
	"atom<|.global|.shared>.cas.%b DMAA",
	"atom<|.global|.shared>.add.%f DMA",
	"atom<|.global|.shared>.add.noftz.%x DMA",
	"red<|.global|.shared>.<add|min|max>.%j MA",
	"red<|.global|.shared>.add<.%f|.noftz.%x> MA",
	"shfl.sync.<up|down|bfly|idx>.b32 SRRRR",
	"vote.sync.<all|any|uni>.pred OpR",
	"vote.sync.ballot.b32 rpR",
	"match.any.sync.%c rAR",
	"match.all.sync.%c SAR",
	"redux.sync.<add|min|max>.%u rrR",
	"redux.sync.<and|or|xor>.b32 rrR",
	"activemask.b32 r",
	"elect.sync SR",
	"bar.warp.sync R",
	"<bar|barrier>.<sync|arrive> R",
	"bar.sync RR",
	"bar.red.<and|or>.pred ORp",
	"bar.red.popc.u32 rRp",
	"<membar.gl|fence.sc.gpu|bar.sync 0|nanosleep.u32 20|prefetch.global.L1 [g]>",
};

static unsigned int
bits_of(const char *type)
{
	if (strcmp(type, "f16x2") == 0 || strcmp(type, "bf16x2") == 0) {
		return 32;
	}
	unsigned int bits = (unsigned int)atoi(type + strspn(type, "usbf"));

	return bits < 16 ? 16 : bits;
}

static void
put_register(struct text *text, struct source *source, unsigned int bits)
{
	char letter = bits == 16 ? 'h' : bits == 32 ? 'r' : bits == 128 ? 'o' : 'q';

	put(text, "%%%c%u", letter, choose(source, bits == 128 ? 2 : 6));
}

static void
put_immediate(struct text *text, struct source *source, unsigned int bits)
{
	static const uint64_t edges[] = { 0, 1, 2, 31, 32, 63, 64, 255, 0x7fff, 0x8000,
		0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x7f800000,
		0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff };
	unsigned int i = choose(source, 24);
	uint64_t value = i < sizeof(edges) / sizeof(edges[0])
				 ? edges[i]
				 : (uint64_t)draw(source) * 0x0101010101010101;

	put(text, "0x%llx",
		(unsigned long long)(bits >= 64 ? value : value & ((1ull << bits) - 1)));
}

static void
put_memory(struct text *text, struct source *source)
{
	static const char *const bases[] = { "%q8", "%q9", "%q10", "g", "sh", "lo", "co",
		"pa", "%q0", "%q1", "%r0", "0", "va" };
	unsigned int offset = choose(source, 8);

	unsigned int i = choose(source, 64);

	/* Mostly what is there: a fault ends the kernel. */
	put(text, "[%s", bases[i < 13 ? i : i % 6]);
	if (offset == 1) {
		put(text, "%+d", (int8_t)draw(source));
	} else if (offset == 2) {
		put(text, "+%u", draw(source) * 16);
	} else if (offset == 3) {
		put(text, "+0x%x", 0x7fffffff - draw(source));
	}
	put(text, "]");
}

static void
put_vector(struct text *text, struct source *source, int n, unsigned int bits)
{
	put(text, "{");
	for (int i = 0; i < n; i++) {
		put(text, "%s", i > 0 ? ", " : "");
		put_register(text, source, bits);
	}
	put(text, "}");
}

static void
put_operand(struct text *text, struct source *source, char kind, unsigned int t,
	unsigned int t2)
{
	static const char *const specials[] = { "%tid.x", "%ntid.x", "%ctaid.x",
		"%laneid", "%warpid", "%lanemask_lt", "%clock", "%nctaid.y", "%smid" };
	static const char *const variables[] = { "g", "sh", "lo", "co", "pa", "callee",
		"g+4095", "va" };

	switch (kind) {
	case 'D':
	case 'X': put_register(text, source, t); break;
	case 'Y': put_register(text, source, t2); break;
	case 'W': put_register(text, source, 2 * t); break;
	case 'h': put_register(text, source, 16); break;
	case 'r': put_register(text, source, 32); break;
	case 'q': put_register(text, source, 64); break;
	case 'A':
	case 'R':
		t = kind == 'R' ? 32 : t;
		if (choose(source, 4) == 0) {
			put_immediate(text, source, t);
		} else {
			put_register(text, source, t);
		}
		break;
	case 'O':
		put(text, "%%p%u", choose(source, 4));
		if (choose(source, 8) == 1) {
			put(text, "|%%p%u", choose(source, 4));
		}
		break;
	case 'p':
		put(text, "%s%%p%u", choose(source, 4) == 1 ? "!" : "",
			choose(source, 4));
		break;
	case 'S':
		put_register(text, source, 32);
		if (choose(source, 2) == 1) {
			put(text, "|%%p%u", choose(source, 4));
		}
		break;
	case 'M': put_memory(text, source); break;
	case '2': put_vector(text, source, 2, t == 64 ? 32 : t); break;
	case '4': put_vector(text, source, 4, t == 64 ? 16 : t); break;
	case 's': put(text, "%s", specials[choose(source, 9)]); break;
	case 'v': put(text, "%s", variables[choose(source, 8)]); break;
	default: put(text, "%u", draw(source));
	}
}

/* Behind a %: puts one of the set's types and answers its width. */
static unsigned int
put_type(struct text *text, struct source *source, char key)
{
	for (size_t s = 0; s < sizeof(type_sets) / sizeof(type_sets[0]); s++) {
		if (type_sets[s].key != key) {
			continue;
		}
		unsigned int n = 0;

		while (n < 14 && type_sets[s].names[n] != NULL) {
			n++;
		}
		const char *name = type_sets[s].names[choose(source, n)];

		put(text, "%s", name);
		return bits_of(name);
	}
	abort();
}

/* The name of an instruction up to stop; widths[] gets those of its types. */
static const char *
put_opcode(struct text *text, struct source *source, const char *at, const char *stops,
	unsigned int *widths, int *n_widths)
{
	while (*at != 0 && strchr(stops, *at) == NULL) {
		if (*at == '%') {
			unsigned int width = put_type(text, source, at[1]);

			widths[(*n_widths)++ & 3] = width;
			at += 2;
		} else if (*at == '<') {
			unsigned int n = 1;
			const char *end = strchr(at, '>');

			for (const char *c = at; c < end; c++) {
				n += *c == '|';
			}
			const char *one = at + 1;

			for (unsigned int i = choose(source, n); i > 0; i--) {
				one = strchr(one, '|') + 1;
			}
			put_opcode(text, source, one, "|>", widths, n_widths);
			at = end + 1;
		} else {
			put(text, "%c", *at++);
		}
	}
	return at;
}

static void
put_template(struct text *text, struct source *source, const char *template)
{
	unsigned int widths[4] = { 32, 32, 32, 32 };
	int n_widths = 0;
	size_t start = text->len;
	bool spaced = strchr(template, '>') != NULL &&
		      strchr(template, '>')[1] == 0; /* whole instructions */

	if (choose(source, 5) == 1) {
		put(text, "@%s%%p%u ", draw(source) & 1 ? "!" : "", choose(source, 4));
	}
	start = text->len;
	const char *operands =
		put_opcode(text, source, template, spaced ? "" : " ", widths, &n_widths);

	if (n_widths == 0) {
		/* No %: the type is spelled out at the end of the name. */
		text->bytes[text->len] = 0;
		const char *last = strrchr(text->bytes + start, '.');

		widths[0] = last != NULL ? bits_of(last + 1) : 32;
		widths[1] = widths[0];
	}
	while (*operands == ' ') {
		operands++;
	}
	for (int i = 0; operands[i] != 0; i++) {
		put(text, i == 0 ? " " : ", ");
		put_operand(text, source, operands[i], widths[0], widths[1]);
	}
	put(text, ";\n");
}

static void
put_control(struct text *text, struct source *source)
{
	unsigned int label = choose(source, N_LABELS);
	unsigned int p = choose(source, 4);

	switch (choose(source, 12)) {
	case 0: put(text, "@%%p%u bra L%u;\n", p, label); break;
	case 1: put(text, "@!%%p%u bra.uni L%u;\n", p, label); break;
	case 2: put(text, "bra L%u;\n", label); break;
	case 3: put(text, "@%%p%u ret;\n", p); break;
	case 4: put(text, "@%%p%u exit;\n", p); break;
	case 5: put(text, "brx.idx %%r%u, table;\n", p); break;
	case 6: put(text, "@%%p%u trap;\n", p); break;
	case 7:
		put(text,
			"{ .param .b32 x; .param .b32 y; st.param.b32 [x], %%r%u; "
			"call (y), callee, (x); ld.param.b32 %%r%u, [y]; }\n",
			p, label % 6);
		break;
	case 8:
		put(text,
			"{ .param .b32 x; .param .b32 y; st.param.b32 [x], %%r%u; "
			"call (y), %%q%u, (x), proto; ld.param.b32 %%r0, [y]; }\n",
			p, label % 6);
		break;
	case 9:
		put(text,
			"{ .param .b64 f; .param .b64 v; .param .b32 n; "
			"st.param.b64 [f], %%q%u; st.param.b64 [v], %%q%u; "
			"call (n), vprintf, (f, v); ld.param.b32 %%r%u, [n]; }\n",
			8 + p % 3, 8 + label % 3, p);
		break;
	case 10:
		put(text,
			"{ .param .b64 s; .param .b64 a; st.param.b64 [s], %%q%u; "
			"call (a), malloc, (s); ld.param.b64 %%q%u, [a]; }\n",
			p, label % 6);
		break;
	default:
		put(text, "{ .param .b64 a; st.param.b64 [a], %%q%u; call free, (a); }\n",
			p);
	}
}

static void
put_body(struct text *text, struct source *source, unsigned int n)
{
	unsigned int next_label = 0;

	put(text, ".reg .pred %%p<4>; .reg .b16 %%h<6>; .reg .b32 %%r<6>; .reg .b64 "
		  "%%q<11>;\n"
		  ".reg .b128 %%o<2>; .local .align 16 .b8 lo[64];\n"
		  "mov.u32 %%r0, %%tid.x; mov.u32 %%r1, %%laneid; mov.u32 %%r2, -1;\n"
		  "cvt.u64.u32 %%q0, %%r0; cvt.rn.f32.u32 %%r3, %%r0; mov.u64 %%q8, g;\n"
		  "cvt.rn.f64.s32 %%q1, %%r2; cvt.rn.f16.u32 %%h0, %%r0; mov.u64 %%q9, "
		  "sh;\n"
		  "setp.lt.u32 %%p1, %%r0, 5; cvta.shared.u64 %%q9, %%q9;\n"
		  "mov.u64 %%q10, lo; cvta.local.u64 %%q10, %%q10; mov.u64 %%q2, "
		  "callee;\n");
	put(text, "table: .branchtargets L0, L1, L2, L3;\n"
		  "proto: .callprototype (.param .b32 _) _ (.param .b32 _);\n");
	for (unsigned int i = 0; i < n && source->size > 0; i++) {
		unsigned int kind = choose(source, 8);

		if (kind == 0 && next_label < N_LABELS) {
			put(text, "L%u:\n", next_label++);
		} else if (kind == 1) {
			put_control(text, source);
		} else {
			put_template(text, source,
				templates[choose(source,
					sizeof(templates) / sizeof(templates[0]))]);
		}
	}
	while (next_label < N_LABELS) {
		put(text, "L%u:\n", next_label++);
	}
	put(text, "st.global.b32 [g+16], %%r0;\nret;\n}\n");
}

static void
generate(struct text *text, struct source *source)
{
	text->len = 0;
	put(text,
		".version 8.6\n.target sm_90\n.address_size 64\n"
		".global .align 16 .b8 g[%d] = { 37, 100, 37, 115, 37, 102, 0 };\n"
		".const .align 16 .b8 co[64];\n.shared .align 16 .b8 sh[256];\n"
		".extern .shared .align 16 .b8 va[];\n"
		".extern .func (.param .b32 r) vprintf (.param .b64 f, .param .b64 a);\n"
		".extern .func (.param .b64 r) malloc (.param .b64 s);\n"
		".extern .func free (.param .b64 p);\n"
		".func (.param .b32 ret) callee (.param .b32 pa);\n"
		".visible .entry k(.param .b64 pa, .param .align 16 .b8 pb[16])\n{\n",
		N_GLOBAL);
	unsigned int n = 4 + choose(source, MAX_INSTRUCTIONS);

	put_body(text, source, n);
	put(text, ".func (.param .b32 ret) callee (.param .b32 pa)\n{\n");
	put_body(text, source, choose(source, 12));
}

/* ---- running it ---- */

struct memory {
	struct {
		uint64_t start;
		uint64_t end;
		void *bytes;
	} regions[2 + N_HEAP];
	int n;
	uint64_t generation;
	uint64_t printed;
};

static bool
find(void *opaque, uint64_t address, uint64_t size, uint64_t *ret_start,
	uint64_t *ret_end)
{
	const struct memory *memory = opaque;

	for (int i = 0; i < memory->n; i++) {
		uint64_t start = memory->regions[i].start;
		uint64_t end = memory->regions[i].end;

		if (address >= start && address < end && size <= end - address) {
			*ret_start = start;
			*ret_end = end;
			return true;
		}
	}
	return false;
}

static uint64_t
add_region(struct memory *memory, uint64_t size)
{
	if (memory->n == 2 + N_HEAP || size > N_GLOBAL) {
		return 0;
	}
	/* To the byte, so that the sanitizer sees what leaves it. */
	void *bytes;

	if (posix_memalign(&bytes, 256, size == 0 ? 1 : size) != 0) {
		return 0;
	}
	memset(bytes, 0, size);
	memory->regions[memory->n].start = (uintptr_t)bytes;
	memory->regions[memory->n].end = (uintptr_t)bytes + size;
	memory->regions[memory->n++].bytes = bytes;
	return (uintptr_t)bytes;
}

static uint64_t
heap_alloc(void *opaque, uint64_t size)
{
	return add_region(opaque, size);
}

static bool
heap_free(void *opaque, uint64_t address)
{
	struct memory *memory = opaque;

	for (int i = 0; i < memory->n; i++) {
		if (memory->regions[i].start == address && address != 0) {
			memory->regions[i].start = memory->regions[i].end = 0;
			memory->generation++;
			return true;
		}
	}
	return false;
}

static void
print(void *opaque, const char *text, size_t text_len)
{
	struct memory *memory = opaque;

	for (size_t i = 0; i < text_len; i++) {
		memory->printed = memory->printed * 31 + (uint8_t)text[i];
	}
}

/* The line of the instruction because of which nothing ran, or 0. */
static unsigned int
run(const struct ptx_module *module, struct memory *memory)
{
	struct exec_memory interface = { .opaque = memory,
		.find = find,
		.heap_alloc = heap_alloc,
		.heap_free = heap_free,
		.generation = &memory->generation };
	struct exec_output output = {
		.opaque = memory, .print = print, .assertion = print
	};
	uint64_t params[4] = { memory->regions[0].start, 1, 2, 3 };
	struct exec_launch launch = { .function = ptx_module_function(module, "k"),
		.grid = { 2, 1, 1 },
		.block = { 40, 1, 1 },
		.params = params,
		.params_size = sizeof(params),
		.dynamic_shared_size = 64,
		.stack_size = 1024,
		.n_threads = 1,
		.budget = 300,
		.memory = &interface,
		.output = &output };
	struct exec_result result;

	exec_run(&launch, &result);
	if (getenv("FUZZ_SHOW") != NULL) {
		fprintf(stderr, "fault %d, %llu instructions: %s\n", result.fault,
			(unsigned long long)result.n_instructions, result.message);
	}
	if ((result.fault != EXEC_OK) != (strlen(result.message) > 0)) {
		abort();
	}
	const char *line = strstr(result.message, "ptx line ");

	return result.fault == EXEC_NOT_SUPPORTED && line != NULL
		       ? (unsigned int)atoi(line + strlen("ptx line "))
		       : 0;
}

static void
blank_line(struct text *text, unsigned int line)
{
	char *at = text->bytes;

	for (; line > 1 && at != NULL; line--) {
		at = strchr(at, '\n');
		at += at != NULL;
	}
	for (; at != NULL && *at != '\n' && *at != 0; at++) {
		*at = ' ';
	}
}

/* The line to leave out before trying again, or 0. */
static unsigned int
try_text(const struct text *text)
{
	struct ptx_text whole = { text->bytes, text->len };
	struct ptx_module *module = NULL;
	struct ptx_error error;
	struct memory memory = { .n = 0 };

	if (ptx_module_new(&whole, 1, NULL, &error, &module) < 0) {
		if (getenv("FUZZ_SHOW") != NULL) {
			fprintf(stderr, "%s\n", error.message);
		}
		return error.line;
	}
	for (uint32_t i = 0; i < module->n_variables; i++) {
		struct ptx_variable *variable = module->variables[i];

		if (variable->space == PTX_GLOBAL || variable->space == PTX_CONST) {
			variable->address = add_region(&memory, variable->size);
		}
	}
	for (uint32_t i = 0; i < module->n_variables; i++) {
		struct ptx_variable *variable = module->variables[i];

		if (variable->address != 0) {
			ptx_variable_fill(variable, (void *)(uintptr_t)variable->address);
		}
	}
	unsigned int line = run(module, &memory);

	for (int i = 0; i < memory.n; i++) {
		free(memory.regions[i].bytes);
	}
	ptx_module_free(module);
	return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct text text;
	struct source source = { data, size };
	unsigned int line = 1;

	generate(&text, &source);
	if (getenv("FUZZ_SHOW") != NULL) {
		fwrite(text.bytes, 1, text.len, stderr);
	}
	/* What cannot be executed would hide all the rest of the kernel. */
	for (int i = 0; i < 6 && line != 0; i++) {
		line = try_text(&text);
		if (line != 0) {
			blank_line(&text, line);
		}
	}
	return 0;
}
