/* SPDX-License-Identifier: Apache-2.0 */
/* ptx_operand.c: operands and calls. */
#include "soft-device/ptx_parse.h"

#include <string.h>

#define TEXT_LEN(token) ((int)((token)->len > 200 ? 200 : (token)->len))

/* Leave an instruction that is right but not ours to execute. */
static void
leave(struct ptx_parser *p, const char *what, const struct ptx_token *token)
{
	ptx_unsupported(p, p->function, "unsupported %s '%.*s' at ptx line %u", what,
		TEXT_LEN(token), token->text, token->line);
	p->skip = true;
}

static uint64_t
convert_float(uint64_t bits, enum ptx_number_kind from, enum ptx_type to)
{
	double d;
	float f;

	if (from == NUMBER_F64 && ptx_type_size[to] == 4) {
		uint32_t narrow;

		memcpy(&d, &bits, sizeof(d));
		f = (float)d;
		memcpy(&narrow, &f, sizeof(narrow));
		return narrow;
	}
	if (from == NUMBER_F32 && ptx_type_size[to] == 8) {
		uint32_t narrow = (uint32_t)bits;

		memcpy(&f, &narrow, sizeof(f));
		d = f;
		memcpy(&bits, &d, sizeof(bits));
	}
	return bits;
}

static void
use_constant(struct ptx_parser *p, uint64_t value, enum ptx_type type,
	struct ptx_operand *operand)
{
	uint8_t size = ptx_type_register_size(type);

	operand->kind = PTX_OPERAND_REG;
	operand->immediate = true;
	if (type == PTX_PRED) {
		operand->predicate = true;
		value = value != 0 ? 0xffffffffu : 0;
	} else if (size < 8) {
		/* Not of 16 bytes: the upper half of such an immediate is zero. */
		value &= ((uint64_t)1 << (8 * size)) - 1;
	}
	operand->size = size;
	operand->imm = (int64_t)value;
	operand->offset = ptx_register_constant(p, value, size);
}

static void
immediate(struct ptx_parser *p, enum ptx_type type, struct ptx_operand *operand)
{
	struct ptx_token token = p->token;
	bool negative = false;
	bool inverted = false;
	enum ptx_number_kind kind;

	while (ptx_is(p, "-") || ptx_is(p, "~")) {
		negative ^= ptx_is(p, "-");
		inverted ^= ptx_is(p, "~");
		ptx_next(p);
	}
	if (p->token.kind == TOKEN_WORD) {
		leave(p, "operand", &token);
		return;
	}
	uint64_t value = ptx_number(p, &kind);

	if (kind == NUMBER_INTEGER) {
		value = inverted ? ~value : value;
		value = negative ? 0 - value : value;
	} else {
		value ^= (uint64_t)negative << (kind == NUMBER_F64 ? 63 : 31);
		value = convert_float(value, kind, type);
	}
	use_constant(p, value, type, operand);
}

static void
vector(struct ptx_parser *p, enum ptx_type type, struct ptx_operand *operand)
{
	struct ptx_element elements[PTX_MAX_VECTOR];
	uint32_t n = 0;

	ptx_expect(p, "{");
	while (p->status == 0 && !p->skip && !ptx_is(p, "}")) {
		struct ptx_operand element = { .kind = PTX_OPERAND_NONE };
		struct ptx_token token = p->token;

		if (n == PTX_MAX_VECTOR || ptx_is(p, "{") || ptx_is(p, "[")) {
			leave(p, "vector", &token);
			return;
		}
		ptx_operand(p, type, &element);
		if (element.kind != PTX_OPERAND_REG && element.kind != PTX_OPERAND_SINK) {
			if (!p->skip) {
				leave(p, "vector element", &token);
			}
			return;
		}
		elements[n++] = (struct ptx_element){ element.offset, element.size };
		if (!ptx_accept(p, ",")) {
			break;
		}
	}
	if (p->skip) {
		return;
	}
	ptx_expect(p, "}");
	operand->elements = ptx_arena_array(p->module->arena, n, sizeof(*elements));
	if (operand->elements == NULL) {
		ptx_fail_memory(p);
		return;
	}
	memcpy(operand->elements, elements, n * sizeof(*elements));
	operand->kind = PTX_OPERAND_VECTOR;
	operand->n_elements = (uint8_t)n;
}

static void
use_variable(
	struct ptx_parser *p, struct ptx_variable *variable, struct ptx_operand *operand)
{
	operand->base = PTX_BASE_VARIABLE;
	operand->variable = variable;
	if (variable->space == PTX_LOCAL) {
		return;
	}
	ptx_function_uses(p, variable);
}

/* What the name of a symbol stands for in an address.  False: there is no such symbol. */
static bool
use_symbol(
	struct ptx_parser *p, const struct ptx_token *name, struct ptx_operand *operand)
{
	struct ptx_symbol *symbol = ptx_symbol_find(p, name->text, name->len);

	if (symbol == NULL) {
		struct ptx_variable *variable =
			ptx_variable_find(p, name->text, name->len);
		struct ptx_function *function =
			ptx_function_find(p, name->text, name->len);

		if (variable != NULL) {
			use_variable(p, variable, operand);
		} else if (function != NULL) {
			operand->base = PTX_BASE_FUNCTION;
			operand->function = function;
		} else {
			return false;
		}
		return true;
	}
	switch (symbol->kind) {
	case SYMBOL_REGISTER:
		operand->base = PTX_BASE_REG;
		operand->offset = symbol->id;
		operand->size = ptx_type_register_size(symbol->type);
		operand->predicate = symbol->type == PTX_PRED;
		break;
	case SYMBOL_VARIABLE: use_variable(p, symbol->variable, operand); break;
	case SYMBOL_PARAM:
		operand->base = (uint8_t)symbol->base;
		operand->imm = symbol->offset;
		break;
	case SYMBOL_RANGE: return false;
	}
	return true;
}

/* Special registers that exist but have no meaning here, and parts of vectors. */
static bool
is_foreign(const struct ptx_token *name)
{
	static const char *const stems[] = { "%envreg", "%pm", "%reserved_smem",
		"%is_explicit", "%current_graph", "%tid", "%ntid", "%ctaid", "%nctaid",
		"%clusterid", "%cluster_", "%lane", "%warp", "%clock", "%globaltimer" };

	if (memchr(name->text + 1, '.', name->len - 1) != NULL) {
		return true;
	}
	for (size_t i = 0; i < sizeof(stems) / sizeof(stems[0]); i++) {
		size_t len = strlen(stems[i]);

		if (name->len >= len && memcmp(name->text, stems[i], len) == 0) {
			return true;
		}
	}
	return false;
}

static void
undefined(struct ptx_parser *p, const struct ptx_token *name)
{
	if (is_foreign(name)) {
		leave(p, "special register or component", name);
		return;
	}
	/* The line of the name, which is still the current token. */
	ptx_fail(p, "undefined symbol '%.*s'", TEXT_LEN(name), name->text);
}

static void
addend(struct ptx_parser *p, struct ptx_operand *operand)
{
	if (ptx_is(p, "+") || ptx_is(p, "-")) {
		ptx_accept(p, "+");
		operand->imm =
			(int64_t)((uint64_t)operand->imm + (uint64_t)ptx_integer(p));
	}
}

static void
memory(struct ptx_parser *p, struct ptx_operand *operand)
{
	ptx_expect(p, "[");
	if (p->token.kind == TOKEN_NUMBER || ptx_is(p, "-")) {
		operand->imm = ptx_integer(p);
	} else {
		struct ptx_token name = p->token;

		if (name.kind != TOKEN_WORD) {
			ptx_fail(p, "expected an address before '%.*s'", TEXT_LEN(&name),
				name.text);
			return;
		}
		if (!use_symbol(p, &name, operand)) {
			undefined(p, &name);
			return;
		}
		if (operand->base == PTX_BASE_FUNCTION ||
			(operand->base == PTX_BASE_REG && operand->size < 4)) {
			ptx_fail(p, "'%.*s' is no address", TEXT_LEN(&name), name.text);
			return;
		}
		ptx_next(p);
		addend(p, operand);
	}
	/* [texture, sampler, {x, y}]: what has no coordinates is refused by the executor.
	 */
	while (!p->skip && ptx_accept(p, ",")) {
		struct ptx_token token = p->token;
		struct ptx_operand part = { .kind = PTX_OPERAND_NONE };

		if (!ptx_is(p, "{") || operand->elements != NULL) {
			leave(p, "address", &token);
			return;
		}
		vector(p, PTX_U32, &part);
		operand->elements = part.elements;
		operand->n_elements = part.n_elements;
	}
	if (p->skip) {
		return;
	}
	ptx_expect(p, "]");
	operand->kind = PTX_OPERAND_MEMORY;
}

static void
word(struct ptx_parser *p, enum ptx_type type, struct ptx_operand *operand)
{
	struct ptx_token name = p->token;
	enum ptx_special special = name.text[0] == '%'
					   ? ptx_special_parse(name.text, name.len)
					   : PTX_SPECIAL_NONE;

	if (special != PTX_SPECIAL_NONE) {
		operand->kind = PTX_OPERAND_REG;
		operand->special = (uint8_t)special;
		operand->size = ptx_special_size(special);
		operand->offset = ptx_register_special(p, special);
	} else if (ptx_is(p, "WARP_SZ")) {
		use_constant(p, PTX_N_LANES, type, operand);
	} else if (ptx_is(p, "_")) {
		operand->kind = PTX_OPERAND_SINK;
	} else if (!use_symbol(p, &name, operand)) {
		undefined(p, &name);
		return;
	} else if (operand->base == PTX_BASE_REG) {
		operand->base = PTX_BASE_NONE;
		operand->kind = PTX_OPERAND_REG;
	} else {
		operand->kind = PTX_OPERAND_ADDRESS;
		if (operand->function != NULL) {
			/* It may be called through a pointer from anywhere. */
			ptx_function_calls(p, operand->function);
		}
		ptx_next(p);
		addend(p, operand);
		return;
	}
	ptx_next(p);
}

void
ptx_operand(struct ptx_parser *p, enum ptx_type type, struct ptx_operand *operand)
{
	*operand = (struct ptx_operand){ .kind = PTX_OPERAND_NONE };
	if (ptx_accept(p, "!")) {
		operand->negated = true;
	}
	if (ptx_is(p, "-") || ptx_is(p, "~") || p->token.kind == TOKEN_NUMBER) {
		bool negated = operand->negated;

		immediate(p, type, operand);
		operand->negated = negated;
	} else if (ptx_is(p, "{")) {
		vector(p, type, operand);
	} else if (ptx_is(p, "[")) {
		memory(p, operand);
	} else if (p->token.kind == TOKEN_WORD && p->token.text[0] != '.') {
		word(p, type, operand);
	} else if (p->token.kind == TOKEN_END) {
		ptx_fail(p, "expected an operand before the end of the text");
	} else {
		ptx_fail(p, "expected an operand before '%.*s'", TEXT_LEN(&p->token),
			p->token.text);
	}
	if (operand->negated && !operand->predicate && p->status == 0 && !p->skip) {
		ptx_fail(p, "'!' before something that is no predicate");
	}
}

/* ( a, b ): places in the call area. */
static void
slots(struct ptx_parser *p, struct ptx_slot **ret_slots, uint32_t *ret_n)
{
	struct ptx_slot list[PTX_MAX_VECTOR * 4];
	uint32_t n = 0;

	ptx_expect(p, "(");
	while (p->status == 0 && !ptx_is(p, ")")) {
		struct ptx_token token = p->token;
		struct ptx_symbol *symbol =
			token.kind == TOKEN_WORD
				? ptx_symbol_find(p, token.text, token.len)
				: NULL;

		if (symbol == NULL && token.kind == TOKEN_WORD && !ptx_is(p, "_")) {
			undefined(p, &token);
			return;
		}
		if (symbol == NULL || symbol->kind != SYMBOL_PARAM ||
			symbol->base != PTX_BASE_CALL ||
			n == sizeof(list) / sizeof(list[0])) {
			leave(p, "argument of a call", &token);
			return;
		}
		list[n++] = (struct ptx_slot){ symbol->offset, symbol->size };
		ptx_next(p);
		if (!ptx_accept(p, ",")) {
			break;
		}
	}
	ptx_expect(p, ")");
	*ret_slots = ptx_arena_array(p->module->arena, n, sizeof(list[0]));
	if (*ret_slots == NULL) {
		ptx_fail_memory(p);
		return;
	}
	memcpy(*ret_slots, list, n * sizeof(list[0]));
	*ret_n = n;
}

static void
call_target(struct ptx_parser *p, struct ptx_call *call)
{
	struct ptx_token name = p->token;

	if (name.kind != TOKEN_WORD) {
		ptx_fail(p, "expected a function to call");
		return;
	}
	struct ptx_symbol *symbol = ptx_symbol_find(p, name.text, name.len);

	if (symbol != NULL && symbol->kind == SYMBOL_REGISTER &&
		ptx_type_size[symbol->type] == 8) {
		call->target = symbol->id;
		p->function->calls_indirectly = true;
	} else if (symbol != NULL || name.text[0] == '%') {
		ptx_fail(p, "'%.*s' is no function", TEXT_LEN(&name), name.text);
		return;
	} else {
		call->callee = ptx_function_find(p, name.text, name.len);
		if (call->callee == NULL) {
			ptx_fail(p, "undefined function '%.*s'", TEXT_LEN(&name),
				name.text);
			return;
		}
		ptx_function_calls(p, call->callee);
	}
	ptx_next(p);
}

/* call (rets), target, (args), prototype; */
void
ptx_call(struct ptx_parser *p, struct ptx_instr *instr)
{
	struct ptx_call *call = ptx_arena_alloc(p->module->arena, sizeof(*call));

	if (call == NULL) {
		ptx_fail_memory(p);
		return;
	}
	instr->call = call;
	if (ptx_is(p, "(")) {
		slots(p, &call->rets, &call->n_rets);
		if (p->skip) {
			return;
		}
		ptx_expect(p, ",");
	}
	call_target(p, call);
	if (ptx_accept(p, ",") && ptx_is(p, "(")) {
		slots(p, &call->args, &call->n_args);
		if (p->skip) {
			return;
		}
		ptx_accept(p, ",");
	}
	/* The prototype, or a list of possible targets. */
	if (p->token.kind == TOKEN_WORD) {
		ptx_next(p);
	}
}
