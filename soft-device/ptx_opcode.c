/* SPDX-License-Identifier: Apache-2.0 */
/* ptx_opcode.c: what the words of an instruction mean.
 *
 * The front end does not know what is executable: it reads every modifier into a field or
 * a flag, and what it has no name for becomes PTX_OTHER, so that nothing is lost
 * silently. */
#include "soft-device/ptx_parse.h"

#include <string.h>

#include "common/cleanup.h"

const uint8_t ptx_type_size[PTX_N_TYPES] = {
	[PTX_U8] = 1,
	[PTX_U16] = 2,
	[PTX_U32] = 4,
	[PTX_U64] = 8,
	[PTX_S8] = 1,
	[PTX_S16] = 2,
	[PTX_S32] = 4,
	[PTX_S64] = 8,
	[PTX_B8] = 1,
	[PTX_B16] = 2,
	[PTX_B32] = 4,
	[PTX_B64] = 8,
	[PTX_B128] = 16,
	[PTX_F16] = 2,
	[PTX_F16X2] = 4,
	[PTX_BF16] = 2,
	[PTX_BF16X2] = 4,
	[PTX_TF32] = 4,
	[PTX_F32] = 4,
	[PTX_F64] = 8,
	[PTX_TEXREF] = 8,
};

static const char *const type_names[PTX_N_TYPES] = {
	"",
	"pred",
	"u8",
	"u16",
	"u32",
	"u64",
	"s8",
	"s16",
	"s32",
	"s64",
	"b8",
	"b16",
	"b32",
	"b64",
	"b128",
	"f16",
	"f16x2",
	"bf16",
	"bf16x2",
	"tf32",
	"f32",
	"f64",
	"texref",
};

static const struct {
	const char *name;
	uint8_t size;
} specials[PTX_N_SPECIALS] = {
#define X(name, text, size) [PTX_##name] = { text, size },
	PTX_SPECIALS(X)
#undef X
};

uint8_t
ptx_type_register_size(enum ptx_type type)
{
	uint8_t size = ptx_type_size[type];

	return size == 1 ? 2 : size;
}

bool
ptx_type_is_signed(enum ptx_type type)
{
	return type >= PTX_S8 && type <= PTX_S64;
}

bool
ptx_type_is_float(enum ptx_type type)
{
	return type >= PTX_F16 && type <= PTX_F64;
}

const char *
ptx_type_name(enum ptx_type type)
{
	return type_names[type];
}

const char *
ptx_special_name(enum ptx_special special)
{
	return specials[special].name != NULL ? specials[special].name : "";
}

uint8_t
ptx_special_size(enum ptx_special special)
{
	return specials[special].size;
}

static bool
same(const char *name, const char *text, size_t len)
{
	return name != NULL && strncmp(name, text, len) == 0 && name[len] == '\0';
}

enum ptx_type
ptx_type_parse(const char *text, size_t len)
{
	for (int i = PTX_PRED; i < PTX_N_TYPES; i++) {
		if (same(type_names[i], text, len)) {
			return (enum ptx_type)i;
		}
	}
	if (same("samplerref", text, len) || same("surfref", text, len)) {
		return PTX_TEXREF;
	}
	return PTX_NONE;
}

enum ptx_special
ptx_special_parse(const char *text, size_t len)
{
	for (int i = 1; i < PTX_N_SPECIALS; i++) {
		if (same(specials[i].name, text, len)) {
			return (enum ptx_special)i;
		}
	}
	return PTX_SPECIAL_NONE;
}

bool
ptx_instr_has(const struct ptx_instr *instr, const char *modifier)
{
	size_t len = strlen(modifier);

	for (const char *s = strchr(instr->text, '.'); s != NULL; s = strchr(s, '.')) {
		s++;
		if (strncmp(s, modifier, len) == 0 && (s[len] == '.' || s[len] == '\0')) {
			return true;
		}
	}
	return false;
}

/* What a modifier does to the instruction. */
enum effect { FLAG, SPACE, ROUND, ROUND_INTEGER, COMPARE, OPERATION, VECTOR };

static const struct {
	const char *name;
	enum effect effect;
	uint64_t value;
	uint64_t flags; /* beside the effect */
} modifiers[] = {
	{ "ftz", FLAG, PTX_FTZ, 0 },
	{ "sat", FLAG, PTX_SAT, 0 },
	{ "satfinite", FLAG, PTX_SATFINITE, 0 },
	{ "approx", FLAG, PTX_APPROX, 0 },
	{ "full", FLAG, PTX_FULL, 0 },
	{ "wide", FLAG, PTX_WIDE, 0 },
	{ "hi", FLAG, PTX_HI, 0 },
	{ "lo", FLAG, PTX_LO, 0 },
	{ "cc", FLAG, PTX_CC, 0 },
	{ "uni", FLAG, PTX_UNI, 0 },
	{ "volatile", FLAG, PTX_VOLATILE, 0 },
	{ "mmio", FLAG, PTX_VOLATILE, 0 },
	{ "relu", FLAG, PTX_RELU, 0 },
	{ "NaN", FLAG, PTX_NAN, 0 },
	{ "xorsign", FLAG, PTX_XORSIGN, 0 },
	{ "abs", FLAG, PTX_XORSIGN, 0 },
	{ "noftz", FLAG, PTX_NOFTZ, 0 },
	{ "oob", FLAG, PTX_OOB, 0 },
	{ "shiftamt", FLAG, PTX_SHIFTAMT, 0 },
	{ "clamp", FLAG, PTX_CLAMP, 0 },
	{ "wrap", FLAG, PTX_WRAP, 0 },
	{ "sync", FLAG, PTX_SYNC, 0 },
	{ "aligned", FLAG, PTX_ALIGNED, 0 },
	{ "arrive", FLAG, PTX_ARRIVE, 0 },
	{ "red", FLAG, PTX_RED, 0 },
	{ "warp", FLAG, PTX_WARP, 0 },
	{ "cluster", FLAG, PTX_CLUSTER, 0 },
	{ "to", FLAG, PTX_TO, 0 },
	{ "unified", FLAG, PTX_UNIFIED, 0 },
	{ "async", FLAG, PTX_ASYNC, 0 },
	{ "bulk", FLAG, PTX_BULK, 0 },
	{ "tensor", FLAG, PTX_TENSOR, 0 },
	{ "relaxed", FLAG, PTX_RELAXED, 0 },
	{ "acquire", FLAG, PTX_ACQUIRE, 0 },
	{ "release", FLAG, PTX_RELEASE, 0 },
	{ "acq_rel", FLAG, PTX_ACQ_REL, 0 },
	{ "sc", FLAG, PTX_SC, 0 },
	{ "weak", FLAG, PTX_WEAK, 0 },
	{ "cta", FLAG, PTX_SCOPE, 0 },
	{ "gpu", FLAG, PTX_SCOPE, 0 },
	{ "gl", FLAG, PTX_SCOPE, 0 },
	{ "sys", FLAG, PTX_SCOPE, 0 },
	{ "ca", FLAG, PTX_HINT, 0 },
	{ "cg", FLAG, PTX_HINT, 0 },
	{ "cs", FLAG, PTX_HINT, 0 },
	{ "lu", FLAG, PTX_HINT, 0 },
	{ "cv", FLAG, PTX_HINT, 0 },
	{ "wb", FLAG, PTX_HINT, 0 },
	{ "wt", FLAG, PTX_HINT, 0 },
	{ "nc", FLAG, PTX_HINT, 0 },
	{ "L1", FLAG, PTX_HINT, 0 },
	{ "L2", FLAG, PTX_HINT, 0 },
	{ "global", SPACE, PTX_GLOBAL, 0 },
	{ "const", SPACE, PTX_CONST, 0 },
	{ "local", SPACE, PTX_LOCAL, 0 },
	{ "shared", SPACE, PTX_SHARED, 0 },
	{ "shared::cta", SPACE, PTX_SHARED, PTX_CTA },
	{ "shared::cluster", SPACE, PTX_SHARED, PTX_CLUSTER },
	{ "param", SPACE, PTX_PARAM, 0 },
	{ "param::entry", SPACE, PTX_PARAM, PTX_ENTRY },
	{ "param::func", SPACE, PTX_PARAM, PTX_FUNC },
	{ "rn", ROUND, PTX_ROUND_NEAREST, 0 },
	{ "rz", ROUND, PTX_ROUND_ZERO, 0 },
	{ "rm", ROUND, PTX_ROUND_DOWN, 0 },
	{ "rp", ROUND, PTX_ROUND_UP, 0 },
	{ "rna", ROUND, PTX_ROUND_AWAY, 0 },
	{ "rs", ROUND, PTX_ROUND_STOCHASTIC, 0 },
	{ "rni", ROUND_INTEGER, PTX_ROUND_NEAREST, 0 },
	{ "rzi", ROUND_INTEGER, PTX_ROUND_ZERO, 0 },
	{ "rmi", ROUND_INTEGER, PTX_ROUND_DOWN, 0 },
	{ "rpi", ROUND_INTEGER, PTX_ROUND_UP, 0 },
	{ "eq", COMPARE, PTX_EQ, 0 },
	{ "ne", COMPARE, PTX_NE, 0 },
	{ "lt", COMPARE, PTX_LT, 0 },
	{ "le", COMPARE, PTX_LE, 0 },
	{ "gt", COMPARE, PTX_GT, 0 },
	{ "ge", COMPARE, PTX_GE, 0 },
	{ "ls", COMPARE, PTX_LE, 0 },
	{ "hs", COMPARE, PTX_GE, 0 },
	{ "equ", COMPARE, PTX_EQU, 0 },
	{ "neu", COMPARE, PTX_NEU, 0 },
	{ "ltu", COMPARE, PTX_LTU, 0 },
	{ "leu", COMPARE, PTX_LEU, 0 },
	{ "gtu", COMPARE, PTX_GTU, 0 },
	{ "geu", COMPARE, PTX_GEU, 0 },
	{ "num", COMPARE, PTX_NUM, 0 },
	{ "nan", COMPARE, PTX_ISNAN, 0 },
	{ "add", OPERATION, PTX_OPERATION_ADD, 0 },
	{ "min", OPERATION, PTX_OPERATION_MIN, 0 },
	{ "max", OPERATION, PTX_OPERATION_MAX, 0 },
	{ "and", OPERATION, PTX_OPERATION_AND, 0 },
	{ "or", OPERATION, PTX_OPERATION_OR, 0 },
	{ "xor", OPERATION, PTX_OPERATION_XOR, 0 },
	{ "exch", OPERATION, PTX_OPERATION_EXCH, 0 },
	{ "cas", OPERATION, PTX_OPERATION_CAS, 0 },
	{ "inc", OPERATION, PTX_OPERATION_INC, 0 },
	{ "dec", OPERATION, PTX_OPERATION_DEC, 0 },
	{ "popc", OPERATION, PTX_OPERATION_POPC, 0 },
	{ "up", OPERATION, PTX_OPERATION_UP, 0 },
	{ "down", OPERATION, PTX_OPERATION_DOWN, 0 },
	{ "bfly", OPERATION, PTX_OPERATION_BFLY, 0 },
	{ "idx", OPERATION, PTX_OPERATION_IDX, 0 },
	{ "ballot", OPERATION, PTX_OPERATION_BALLOT, 0 },
	{ "any", OPERATION, PTX_OPERATION_ANY, 0 },
	{ "all", OPERATION, PTX_OPERATION_ALL, 0 },
	{ "finite", OPERATION, PTX_OPERATION_FINITE, 0 },
	{ "infinite", OPERATION, PTX_OPERATION_INFINITE, 0 },
	{ "number", OPERATION, PTX_OPERATION_NUMBER, 0 },
	{ "notanumber", OPERATION, PTX_OPERATION_NOTANUMBER, 0 },
	{ "normal", OPERATION, PTX_OPERATION_NORMAL, 0 },
	{ "subnormal", OPERATION, PTX_OPERATION_SUBNORMAL, 0 },
	{ "f4e", OPERATION, PTX_OPERATION_F4E, 0 },
	{ "b4e", OPERATION, PTX_OPERATION_B4E, 0 },
	{ "rc8", OPERATION, PTX_OPERATION_RC8, 0 },
	{ "ecl", OPERATION, PTX_OPERATION_ECL, 0 },
	{ "ecr", OPERATION, PTX_OPERATION_ECR, 0 },
	{ "rc16", OPERATION, PTX_OPERATION_RC16, 0 },
	{ "v2", VECTOR, 2, 0 },
	{ "v4", VECTOR, 4, 0 },
	{ "v8", VECTOR, 8, 0 },
};

/* Types of immediates, one letter per operand, the last one for all that follow:
 *   t the instruction's type   s its second type, if it has one   u 32 bits   p predicate
 *   w the type, twice as wide if .wide   q 64 bits
 * and whether operand 0 is written and not read. */
static const struct {
	const char *name;
	const char *types;
	bool defines;
} opcodes[PTX_N_OPCODES] = {
#define X(name, text) [PTX_OP_##name] = { text, "t", true },
	PTX_OPCODES(X)
#undef X
};

/* Those that are not "t" and defining. */
static const struct {
	uint8_t opcode;
	const char *types;
	bool defines;
} exceptions[] = {
	{ PTX_OP_SHL, "ttu", true },
	{ PTX_OP_SHR, "ttu", true },
	{ PTX_OP_SELP, "tttp", true },
	{ PTX_OP_SETP, "pttp", true },
	{ PTX_OP_SET, "tssp", true },
	{ PTX_OP_CVT, "ts", true },
	{ PTX_OP_MUL, "wtt", true },
	{ PTX_OP_MAD, "wttw", true },
	{ PTX_OP_BFE, "ttu", true },
	{ PTX_OP_BFI, "tttu", true },
	{ PTX_OP_PRMT, "u", true },
	{ PTX_OP_SHF, "u", true },
	{ PTX_OP_LOP3, "uuuuup", true },
	{ PTX_OP_VOTE, "upu", true },
	{ PTX_OP_MATCH, "utu", true },
	{ PTX_OP_REDUX, "ttu", true },
	{ PTX_OP_SHFL, "u", true },
	{ PTX_OP_ACTIVEMASK, "u", true },
	{ PTX_OP_BAR, "u", false },
	{ PTX_OP_BARRIER, "u", false },
	{ PTX_OP_NANOSLEEP, "u", false },
	{ PTX_OP_POPC, "ut", true },
	{ PTX_OP_CLZ, "ut", true },
	{ PTX_OP_BFIND, "ut", true },
	{ PTX_OP_DP4A, "u", true },
	{ PTX_OP_DP2A, "u", true },
	{ PTX_OP_BMSK, "u", true },
	{ PTX_OP_SZEXT, "u", true },
	{ PTX_OP_FNS, "u", true },
	{ PTX_OP_ISSPACEP, "pq", true },
	{ PTX_OP_TESTP, "pt", true },
	{ PTX_OP_SLCT, "ttts", true },
	{ PTX_OP_ST, "t", false },
	{ PTX_OP_RED, "t", false },
	{ PTX_OP_BRA, "u", false },
	{ PTX_OP_BRX, "u", false },
	{ PTX_OP_CALL, "u", false },
	{ PTX_OP_CP, "u", false },
	{ PTX_OP_MBARRIER, "u", false },
	{ PTX_OP_MEMBAR, "u", false },
	{ PTX_OP_FENCE, "u", false },
	{ PTX_OP_PREFETCH, "u", false },
	{ PTX_OP_PREFETCHU, "u", false },
	{ PTX_OP_DISCARD, "u", false },
	{ PTX_OP_APPLYPRIORITY, "u", false },
	{ PTX_OP_PMEVENT, "u", false },
	{ PTX_OP_SUST, "t", false },
	{ PTX_OP_SURED, "t", false },
	{ PTX_OP_STMATRIX, "t", false },
	{ PTX_OP_SETMAXNREG, "u", false },
	{ PTX_OP_WMMA, "u", false },
	{ PTX_OP_MMA, "t", false },
	{ PTX_OP_ELECT, "u", true },
	{ PTX_OP_TRAP, "u", false },
	{ PTX_OP_BRKPT, "u", false },
	{ PTX_OP_EXIT, "u", false },
	{ PTX_OP_RET, "u", false },
	{ PTX_OP_GRIDDEPCONTROL, "u", false },
};

static const char *
types_of(const struct ptx_instr *instr, bool *ret_defines)
{
	for (size_t i = 0; i < ARRAY_LEN(exceptions); i++) {
		if (exceptions[i].opcode == instr->opcode) {
			*ret_defines = exceptions[i].defines;
			return exceptions[i].types;
		}
	}
	*ret_defines = opcodes[instr->opcode].defines;
	return opcodes[instr->opcode].types != NULL ? opcodes[instr->opcode].types : "t";
}

static enum ptx_type
wider(enum ptx_type type)
{
	switch (type) {
	case PTX_U16: return PTX_U32;
	case PTX_S16: return PTX_S32;
	case PTX_U32: return PTX_U64;
	case PTX_S32: return PTX_S64;
	default: return type;
	}
}

enum ptx_type
ptx_opcode_type(const struct ptx_instr *instr, unsigned int k)
{
	bool defines;
	const char *types = types_of(instr, &defines);
	size_t n = strlen(types);
	enum ptx_type type = PTX_NONE;

	/* vote.all.pred p, q; but vote.ballot.b32 d, q. */
	switch (types[k < n ? k : n - 1]) {
	case 'p': type = PTX_PRED; break;
	case 'u': type = PTX_U32; break;
	case 'q': type = PTX_U64; break;
	case 's': type = instr->type2 != PTX_NONE ? instr->type2 : instr->type; break;
	case 'w':
		type = (instr->flags & PTX_WIDE) != 0 ? wider(instr->type) : instr->type;
		break;
	default: type = instr->type; break;
	}
	return type == PTX_NONE ? PTX_U32 : type;
}

bool
ptx_opcode_defines(const struct ptx_instr *instr)
{
	bool defines;

	types_of(instr, &defines);
	/* A function that we do not know may read anything. */
	return defines && instr->opcode != PTX_OP_UNKNOWN;
}

bool
ptx_opcode_ends_block(const struct ptx_instr *instr)
{
	switch (instr->opcode) {
	case PTX_OP_BRA:
	case PTX_OP_BRX:
	case PTX_OP_RET:
	case PTX_OP_EXIT:
	case PTX_OP_CALL: return true;
	default: return false;
	}
}

bool
ptx_opcode_is_label_operand(const struct ptx_instr *instr, unsigned int k)
{
	return (instr->opcode == PTX_OP_BRA && k == 0) ||
	       (instr->opcode == PTX_OP_BRX && k == 1);
}

static void
add_type(struct ptx_instr *instr, enum ptx_type type)
{
	switch (instr->n_types) {
	case 0: instr->type = (uint8_t)type; break;
	case 1: instr->type2 = (uint8_t)type; break;
	case 2: instr->type3 = (uint8_t)type; break;
	case 3: instr->type4 = (uint8_t)type; break;
	default: instr->flags |= PTX_OTHER; return;
	}
	instr->n_types++;
}

static bool
is_compare(const struct ptx_instr *instr)
{
	return instr->opcode == PTX_OP_SETP || instr->opcode == PTX_OP_SET ||
	       instr->opcode == PTX_OP_VSET;
}

/* Words that mean another thing for some instructions. */
static bool
special_modifier(struct ptx_instr *instr, const char *s, size_t len)
{
	if (is_compare(instr) && same("lo", s, len)) {
		instr->compare = PTX_LT;
	} else if (is_compare(instr) && same("hi", s, len)) {
		instr->compare = PTX_GT;
	} else if (instr->opcode == PTX_OP_SHF && same("l", s, len)) {
		instr->flags |= PTX_LEFT;
	} else if (instr->opcode == PTX_OP_SHF && same("r", s, len)) {
		instr->flags |= PTX_RIGHT;
	} else if (len > 4 &&
		   (strncmp(s, "L1::", 4) == 0 || strncmp(s, "L2::", 4) == 0)) {
		instr->flags |= PTX_HINT;
	} else {
		return false;
	}
	return true;
}

static void
add_modifier(struct ptx_instr *instr, const char *s, size_t len)
{
	enum ptx_type type = ptx_type_parse(s, len);

	if (type != PTX_NONE) {
		add_type(instr, type);
		return;
	}
	if (special_modifier(instr, s, len)) {
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(modifiers); i++) {
		if (!same(modifiers[i].name, s, len)) {
			continue;
		}
		uint64_t value = modifiers[i].value;

		instr->flags |= modifiers[i].flags;
		switch (modifiers[i].effect) {
		case FLAG: instr->flags |= value; break;
		case SPACE:
			/* cp.async.shared.global: the second is for ptx_instr_has(). */
			if (instr->space == PTX_GENERIC) {
				instr->space = (uint8_t)value;
			} else {
				instr->flags |= PTX_OTHER;
			}
			break;
		case ROUND_INTEGER:
			instr->round_integer = true;
			instr->rounding = (uint8_t)value;
			break;
		case ROUND: instr->rounding = (uint8_t)value; break;
		case COMPARE: instr->compare = (uint8_t)value; break;
		case OPERATION: instr->operation = (uint8_t)value; break;
		case VECTOR: instr->vector = (uint8_t)value; break;
		}
		return;
	}
	instr->flags |= PTX_OTHER;
}

void
ptx_opcode_parse(const char *text, size_t len, struct ptx_instr *instr)
{
	const char *end = text + len;
	const char *dot = memchr(text, '.', len);
	size_t base_len = dot == NULL ? len : (size_t)(dot - text);

	*instr = (struct ptx_instr){ .opcode = PTX_OP_UNKNOWN };
	for (int i = PTX_OP_LABEL + 1; i < PTX_N_OPCODES; i++) {
		if (same(opcodes[i].name, text, base_len)) {
			instr->opcode = (uint8_t)i;
			break;
		}
	}
	while (dot != NULL) {
		const char *s = dot + 1;

		dot = memchr(s, '.', (size_t)(end - s));
		add_modifier(instr, s, (size_t)((dot == NULL ? end : dot) - s));
	}
}
