/* SPDX-License-Identifier: Apache-2.0 */
/* ptx_decl.c: registers, variables with their initialisers, and parameters. */
#include "soft-device/ptx_parse.h"

#include <stdlib.h>
#include <string.h>

#include "common/checked.h"

/* What stands between the state space and the names. */
struct type_part {
	uint32_t alignment; /* 0: not given */
	enum ptx_type type;
	uint32_t vector;
	bool managed;
};

static uint32_t
alignment_of(struct ptx_parser *p)
{
	uint64_t alignment = ptx_count(p, PTX_MAX_ALIGNMENT, "an alignment is too large");

	if (p->status == 0 && (alignment == 0 || (alignment & (alignment - 1)) != 0)) {
		ptx_fail(p, "an alignment is no power of two");
	}
	return (uint32_t)alignment;
}

static enum ptx_type
type_of_token(const struct ptx_parser *p)
{
	if (p->token.kind != TOKEN_WORD || p->token.text[0] != '.') {
		return PTX_NONE;
	}
	return ptx_type_parse(p->token.text + 1, p->token.len - 1);
}

static struct type_part
type_part(struct ptx_parser *p)
{
	struct type_part part = { .vector = 1 };

	while (p->status == 0) {
		if (ptx_accept(p, ".align")) {
			part.alignment = alignment_of(p);
		} else if (ptx_accept(p, ".v2")) {
			part.vector = 2;
		} else if (ptx_accept(p, ".v4")) {
			part.vector = 4;
		} else if (ptx_accept(p, ".v8")) {
			part.vector = 8;
		} else if (ptx_accept(p, ".attribute")) {
			part.managed |= ptx_skip_parentheses(p, ".managed");
		} else {
			part.type = type_of_token(p);
			if (part.type == PTX_NONE) {
				ptx_fail(p, "expected a type before '%.*s'",
					(int)(p->token.len > 100 ? 100 : p->token.len),
					p->token.text);
				break;
			}
			ptx_next(p);
			break;
		}
	}
	return part;
}

static void
declare_register(struct ptx_parser *p, const struct type_part *part)
{
	struct ptx_token name = p->token;

	if (p->function == NULL) {
		ptx_fail(p, "a register outside of a function");
		return;
	}
	if (name.kind != TOKEN_WORD || name.text[0] == '.') {
		ptx_fail(p, "expected the name of a register");
		return;
	}
	if (part->vector != 1 || part->type == PTX_TEXREF) {
		ptx_unsupported(p, p->function,
			"unsupported register '%.*s' at ptx line %u",
			(int)(name.len > 200 ? 200 : name.len), name.text, name.line);
	}
	ptx_next(p);
	if (ptx_accept(p, "<")) {
		struct ptx_symbol *range =
			ptx_symbol_add(p, name.text, name.len, SYMBOL_RANGE);

		range->type = part->type;
		range->id = ++p->n_ranges;
		range->n = (uint32_t)ptx_count(
			p, INT32_MAX, "too many registers in a range");
		ptx_expect(p, ">");
		return;
	}
	struct ptx_symbol *symbol =
		ptx_symbol_add(p, name.text, name.len, SYMBOL_REGISTER);

	symbol->type = part->type;
	symbol->id = ptx_register_new(
		p, REGISTER_ORDINARY, ptx_type_register_size(part->type));
}

/* [2][3], or [] whose size comes from elsewhere. */
static uint64_t
dimensions(struct ptx_parser *p, uint64_t n, bool *ret_open)
{
	*ret_open = false;
	while (ptx_accept(p, "[")) {
		if (ptx_accept(p, "]")) {
			*ret_open = true;
			continue;
		}
		uint64_t k = ptx_count(p, (uint64_t)1 << 40, "an array is too large");

		if (__builtin_mul_overflow(n, k, &n) || n > (uint64_t)1 << 44) {
			ptx_fail_limit(p, "an array is too large");
		}
		ptx_expect(p, "]");
	}
	return n;
}

/* A .param variable of a body: a place in the call area. */
static void
declare_call_param(struct ptx_parser *p, const struct type_part *part)
{
	struct ptx_token name = p->token;
	bool open;

	if (name.kind != TOKEN_WORD || p->function == NULL) {
		ptx_fail(p, "expected the name of a parameter");
		return;
	}
	ptx_next(p);
	uint64_t size = dimensions(p, part->vector, &open) * ptx_type_size[part->type];
	uint32_t alignment = part->alignment != 0
				     ? part->alignment
				     : ptx_type_size[part->type] * part->vector;

	if (alignment == 0) {
		ptx_fail(p, "a parameter of no size");
		return;
	}
	uint64_t offset = round_up(p->call_at, alignment);

	if (size > PTX_MAX_CALL_SIZE || offset + size > PTX_MAX_CALL_SIZE) {
		ptx_fail_limit(p, "the parameters of calls are too large");
		return;
	}
	struct ptx_symbol *symbol = ptx_symbol_add(p, name.text, name.len, SYMBOL_PARAM);

	symbol->base = PTX_BASE_CALL;
	symbol->type = part->type;
	symbol->offset = (uint32_t)offset;
	symbol->size = (uint32_t)size;
	p->call_at = (uint32_t)(offset + size);
	/* Values are moved by up to 16 bytes at a time; keep every lane's area aligned.
	 */
	if (round_up(p->call_at, 16) > p->function->call_size) {
		p->function->call_size = (uint32_t)round_up(p->call_at, 16);
	}
}

/* An initialiser grows as it is read: its size is bounded by the text. */
struct initialiser {
	PTX_ARRAY(uint8_t) bytes;
	PTX_ARRAY(struct ptx_reloc) relocs;
};

static bool
put_value(
	struct ptx_parser *p, struct initialiser *init, uint64_t value, unsigned int size)
{
	for (unsigned int i = 0; i < size; i++) {
		if (!PTX_GROW(p, &init->bytes)) {
			return false;
		}
		init->bytes.items[init->bytes.n++] =
			i < sizeof(value) ? (uint8_t)(value >> (8 * i)) : 0;
	}
	return true;
}

/* name, name + 8, generic(name), generic(name) + 8: an address. */
static void
put_address(struct ptx_parser *p, struct initialiser *init, unsigned int size,
	unsigned int shift)
{
	struct ptx_reloc reloc = {
		.at = init->bytes.n,
		.size = (uint8_t)(size > 8 ? 8 : size),
		.shift = (uint8_t)shift,
		.line = p->token.line,
	};

	if (ptx_accept(p, "generic")) {
		reloc.generic = true;
		ptx_expect(p, "(");
	}
	reloc.name = ptx_name(p, "a name");
	if (ptx_is(p, "+") || ptx_is(p, "-")) {
		ptx_accept(p, "+");
		reloc.addend = (uint64_t)ptx_integer(p);
	}
	if (reloc.generic) {
		ptx_expect(p, ")");
		if (ptx_is(p, "+") || ptx_is(p, "-")) {
			ptx_accept(p, "+");
			reloc.addend += (uint64_t)ptx_integer(p);
		}
	}
	if (PTX_GROW(p, &init->relocs)) {
		init->relocs.items[init->relocs.n++] = reloc;
	}
	put_value(p, init, 0, size);
}

/* nvcc writes a pointer in an array of bytes as 0xFF(x), 0xFF00(x), ...: one byte each.
 */
static void
put_masked(
	struct ptx_parser *p, struct initialiser *init, uint64_t mask, unsigned int size)
{
	unsigned int shift = mask == 0 ? 0 : (unsigned int)__builtin_ctzll(mask) & ~7u;

	if (mask == 0 ||
		mask >> shift != (size >= 8 ? UINT64_MAX : (1ull << (8 * size)) - 1)) {
		ptx_fail(p, "an unknown mask of an address");
		return;
	}
	ptx_expect(p, "(");
	put_address(p, init, size, shift);
	ptx_expect(p, ")");
}

static void
put_number(struct ptx_parser *p, struct initialiser *init, enum ptx_type type)
{
	unsigned int size = ptx_type_size[type];
	bool negative = ptx_accept(p, "-");
	enum ptx_number_kind kind;
	uint64_t value = ptx_number(p, &kind);

	if (!negative && ptx_is(p, "(")) {
		put_masked(p, init, value, size);
		return;
	}
	if (kind == NUMBER_F64 && size == 4) {
		double d;
		float f;
		uint32_t bits;

		memcpy(&d, &value, sizeof(d));
		f = (float)d;
		memcpy(&bits, &f, sizeof(bits));
		value = bits;
	}
	if (negative && kind == NUMBER_INTEGER) {
		value = 0 - value;
	} else if (negative) {
		value ^= (uint64_t)1 << (size == 4 ? 31 : 63);
	}
	put_value(p, init, value, size);
}

static void
read_initialiser(struct ptx_parser *p, enum ptx_type type, struct initialiser *init)
{
	uint32_t depth = 0;

	do {
		if (ptx_accept(p, "{")) {
			depth++;
		} else if (depth > 0 && ptx_accept(p, "}")) {
			depth--;
		} else if (depth > 0 && ptx_accept(p, ",")) {
			continue;
		} else if (p->token.kind == TOKEN_WORD) {
			put_address(p, init, ptx_type_size[type], 0);
		} else {
			put_number(p, init, type);
		}
	} while (depth > 0 && p->status == 0);
}

static void
initialise(struct ptx_parser *p, struct ptx_variable *variable, bool open)
{
	struct initialiser init = { .bytes = { .n = 0 } };

	read_initialiser(p, variable->type, &init);
	if (open) {
		variable->size = init.bytes.n;
	}
	if (p->status == 0 && init.bytes.n > variable->size) {
		ptx_fail(p, "the initialiser of '%.200s' is larger than it",
			variable->name);
	}
	if (p->status == 0 && init.bytes.n > 0) {
		variable->init = ptx_arena_alloc(p->module->arena, init.bytes.n);
		variable->relocs = ptx_arena_array(
			p->module->arena, init.relocs.n, sizeof(*variable->relocs));
		if (variable->init == NULL || variable->relocs == NULL) {
			ptx_fail_memory(p);
		} else {
			memcpy(variable->init, init.bytes.items, init.bytes.n);
			variable->init_size = init.bytes.n;
			if (init.relocs.n > 0) {
				memcpy(variable->relocs, init.relocs.items,
					init.relocs.n * sizeof(*variable->relocs));
			}
			variable->n_relocs = init.relocs.n;
		}
	}
	free(init.bytes.items);
	free(init.relocs.items);
	*p->budget +=
		init.bytes.capacity + init.relocs.capacity * sizeof(*variable->relocs);
}

static struct ptx_variable *
variable_new(struct ptx_parser *p, enum ptx_space space)
{
	struct ptx_variable *variable =
		ptx_arena_alloc(p->module->arena, sizeof(*variable));

	if (variable == NULL) {
		ptx_fail_memory(p);
		return NULL;
	}
	if (space == PTX_LOCAL) {
		return variable;
	}
	if (p->variables.n / 16 >= p->limits->n_functions) {
		ptx_fail_limit(p, "too many variables");
		return NULL;
	}
	if (!PTX_GROW(p, &p->variables)) {
		return NULL;
	}
	p->variables.items[p->variables.n++] = variable;
	return variable;
}

/* The variable that a module-wide declaration speaks of: a new one, or the one that this
 * or another text has declared before. *ret_defines: take what the declaration says. */
static struct ptx_variable *
module_variable(struct ptx_parser *p, const char *name, enum ptx_space space,
	enum ptx_linkage linkage, bool *ret_defines)
{
	size_t len = strlen(name);
	struct ptx_variable *old = ptx_variable_find(p, name, len);
	struct ptx_module_symbol *symbol = ptx_module_symbol(p, name, len, 0);

	*ret_defines = true;
	if (old == NULL && linkage != PTX_LINKAGE_INTERNAL && symbol != NULL) {
		old = symbol->variable;
		if (old == NULL) {
			ptx_fail(p, "'%.200s' is a function elsewhere", name);
			return NULL;
		}
	}
	if (old == NULL) {
		old = variable_new(p, space);
		if (old == NULL) {
			return NULL;
		}
	} else if (linkage == PTX_LINKAGE_EXTERN ||
		   (linkage == PTX_LINKAGE_WEAK && old->linkage != PTX_LINKAGE_EXTERN)) {
		*ret_defines = false;
	} else if (old->linkage != PTX_LINKAGE_EXTERN &&
		   old->linkage != PTX_LINKAGE_WEAK) {
		ptx_fail(p, "'%.200s' is defined twice", name);
		return NULL;
	}
	ptx_module_symbol_add(p, name, linkage, NULL, old);
	return old;
}

static void
declare_variable(struct ptx_parser *p, const struct type_part *part, enum ptx_space space,
	enum ptx_linkage linkage)
{
	uint32_t line = p->token.line;
	struct ptx_token token = p->token;
	const char *name = ptx_name(p, "the name of a variable");
	bool open;
	uint64_t n = dimensions(p, part->vector, &open);
	bool defines = true;
	struct ptx_variable *variable;
	struct ptx_variable declared = { .name = name };

	if (p->status != 0) {
		return;
	}
	if (p->function == NULL) {
		variable = module_variable(p, name, space, linkage, &defines);
	} else {
		variable = variable_new(p, space);
	}
	if (variable == NULL) {
		return;
	}
	declared.space = (uint8_t)space;
	declared.type = (uint8_t)part->type;
	declared.linkage = (uint8_t)linkage;
	declared.line = line;
	declared.text = p->text;
	declared.is_managed = part->managed;
	declared.alignment = part->alignment != 0
				     ? part->alignment
				     : ptx_type_size[part->type] * part->vector;
	declared.size = open ? 0 : n * ptx_type_size[part->type];
	declared.is_dynamic = space == PTX_SHARED && open;
	if (declared.alignment == 0) {
		ptx_fail(p, "a variable of no size");
		return;
	}
	if (ptx_accept(p, "=")) {
		initialise(p, &declared, open);
	}
	if (p->status != 0) {
		return;
	}
	if (defines) {
		if (declared.size > p->limits->variable_size ||
			p->variables_size > p->limits->variable_size - declared.size) {
			ptx_fail_limit(p, "the variables are too large");
			return;
		}
		p->variables_size += declared.size;
		declared.mark = variable->mark;
		*variable = declared;
	}
	if (p->function == NULL) {
		return;
	}
	ptx_symbol_add(p, token.text, token.len, SYMBOL_VARIABLE)->variable = variable;
	if (space == PTX_LOCAL) {
		uint64_t offset = round_up(p->function->local_size, variable->alignment);

		if (offset + variable->size > PTX_MAX_LOCAL_SIZE) {
			ptx_unsupported(p, p->function,
				"local variables of more than %u bytes at ptx line %u",
				PTX_MAX_LOCAL_SIZE, line);
			return;
		}
		variable->offset = offset;
		p->function->local_size = (uint32_t)(offset + variable->size);
	}
}

void
ptx_declaration(struct ptx_parser *p, enum ptx_space space, enum ptx_linkage linkage)
{
	struct type_part part = type_part(p);

	do {
		if (space == PTX_REG) {
			declare_register(p, &part);
		} else if (space == PTX_PARAM) {
			declare_call_param(p, &part);
		} else {
			declare_variable(p, &part, space, linkage);
		}
	} while (p->status == 0 && ptx_accept(p, ","));
	ptx_expect(p, ";");
}

/* .param .u64 .ptr .global .align 4 name, or .param .align 8 .b8 name[24] */
static void
param(struct ptx_parser *p, enum ptx_base base, uint64_t offset, struct ptx_param *ret)
{
	bool in_register = ptx_accept(p, ".reg");
	uint32_t alignment = 0;
	uint32_t vector = 1;
	bool pointer = false;
	enum ptx_type type = PTX_NONE;

	if (!in_register) {
		ptx_expect(p, ".param");
	}
	while (p->status == 0 && p->token.kind == TOKEN_WORD && p->token.text[0] == '.') {
		if (ptx_accept(p, ".align")) {
			uint32_t given = alignment_of(p);

			/* After .ptr it is the alignment of what it points to. */
			alignment = pointer ? alignment : given;
		} else if (ptx_accept(p, ".ptr")) {
			pointer = true;
		} else if (ptx_accept(p, ".v2")) {
			vector = 2;
		} else if (ptx_accept(p, ".v4")) {
			vector = 4;
		} else if (ptx_accept(p, ".attribute")) {
			ptx_skip_parentheses(p, "");
		} else if (ptx_is(p, ".global") || ptx_is(p, ".const") ||
			   ptx_is(p, ".shared") || ptx_is(p, ".local")) {
			ptx_next(p);
		} else {
			type = type_of_token(p);
			if (type == PTX_NONE) {
				ptx_fail(p, "expected the type of a parameter");
			}
			ptx_next(p);
		}
	}
	struct ptx_token token = p->token;

	ret->name = ptx_name(p, "the name of a parameter");
	p->register_params |= in_register;
	bool open;
	uint64_t size = dimensions(p, vector, &open) * ptx_type_size[type];

	if (p->status != 0) {
		return;
	}
	if (type == PTX_PRED && in_register) {
		size = 4;
	}
	if (alignment == 0) {
		alignment = size == 0 || ptx_type_size[type] == 0
				    ? 4
				    : ptx_type_size[type] * vector;
	}
	offset = round_up((size_t)offset, alignment);
	if (size > PTX_MAX_PARAMS_SIZE || offset + size > PTX_MAX_PARAMS_SIZE) {
		ptx_fail_limit(p, "the parameters are too large");
		return;
	}
	ret->offset = (uint32_t)offset;
	ret->size = open ? 0 : (uint32_t)size;
	ret->alignment = alignment;
	struct ptx_symbol *symbol =
		ptx_symbol_add(p, token.text, token.len, SYMBOL_PARAM);

	symbol->base = base;
	symbol->type = type;
	symbol->offset = ret->offset;
	symbol->size = ret->size;
}

void
ptx_params(struct ptx_parser *p, enum ptx_base base, struct ptx_param **ret_params,
	uint32_t *ret_n, uint32_t *ret_size)
{
	PTX_ARRAY(struct ptx_param) params = { .n = 0 };
	uint32_t at = 0;

	ptx_expect(p, "(");
	while (p->status == 0 && !ptx_is(p, ")")) {
		struct ptx_param one = { .name = NULL };

		param(p, base, at, &one);
		if (!PTX_GROW(p, &params)) {
			break;
		}
		params.items[params.n++] = one;
		at = one.offset + one.size;
		if (!ptx_accept(p, ",")) {
			break;
		}
	}
	ptx_expect(p, ")");
	if (p->status == 0) {
		struct ptx_param *copy =
			ptx_arena_array(p->module->arena, params.n, sizeof(*copy));

		if (copy == NULL) {
			ptx_fail_memory(p);
		} else {
			if (params.n > 0) {
				memcpy(copy, params.items, params.n * sizeof(*copy));
			}
			*ret_params = copy;
			*ret_n = params.n;
			*ret_size = at;
		}
	}
	free(params.items);
	*p->budget += params.capacity * sizeof(*params.items);
}
