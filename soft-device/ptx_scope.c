/* SPDX-License-Identifier: Apache-2.0 */
/* ptx_scope.c: names inside a function, and its virtual registers.
 *
 * Every {} has a number, which is the tag of the names declared in it; a name is looked
 * for from the innermost scope outwards.  %r<10> declares ten registers in its scope;
 * they come to life when they are first named. */
#include "soft-device/ptx_parse.h"

#include <stdio.h>
#include <string.h>

/* A range and a name without digits can be declared beside each other. */
#define RANGE_TAG ((uint64_t)1 << 32)

void
ptx_scope_begin(struct ptx_parser *p)
{
	if (p->n_scopes == PTX_MAX_SCOPES) {
		ptx_fail_limit(p, "too many nested braces");
		return;
	}
	if (!PTX_GROW(p, &p->parents)) {
		return;
	}
	uint32_t id = p->parents.n;

	p->parents.items[p->parents.n++] =
		p->n_scopes == 0 ? UINT32_MAX : p->scopes[p->n_scopes - 1].id;
	p->scopes[p->n_scopes++] =
		(struct ptx_scope){ .id = id, .call_size = p->call_at };
}

void
ptx_scope_end(struct ptx_parser *p)
{
	if (p->n_scopes > 0) {
		p->n_scopes--;
		p->call_at = p->scopes[p->n_scopes].call_size;
	}
}

uint32_t
ptx_scope_current(const struct ptx_parser *p)
{
	return p->n_scopes == 0 ? UINT32_MAX : p->scopes[p->n_scopes - 1].id;
}

struct ptx_symbol *
ptx_symbol_add(struct ptx_parser *p, const char *name, size_t name_len,
	enum ptx_symbol_kind kind)
{
	struct ptx_symbol *symbol = ptx_arena_alloc(&p->scratch, sizeof(*symbol));
	uint64_t tag = ptx_scope_current(p) | (kind == SYMBOL_RANGE ? RANGE_TAG : 0);

	/* Callers fill in what they get; after an error it does not matter what. */
	if (symbol == NULL ||
		ptx_table_put(&p->symbols, name, name_len, tag, symbol) < 0) {
		ptx_fail_memory(p);
		return &p->nobody;
	}
	symbol->kind = kind;
	return symbol;
}

uint32_t
ptx_register_new(struct ptx_parser *p, enum ptx_register_kind kind, uint8_t size)
{
	if (p->registers.n >= p->limits->n_registers) {
		ptx_fail_limit(p, "a function has too many registers");
		return 0;
	}
	if (!PTX_GROW(p, &p->registers)) {
		return 0;
	}
	p->registers.items[p->registers.n] =
		(struct ptx_register){ .kind = kind, .size = size };
	return p->registers.n++;
}

uint32_t
ptx_register_constant(struct ptx_parser *p, uint64_t value, uint8_t size)
{
	struct ptx_register *known = NULL;
	void *found = ptx_table_get(&p->constants, "", 0, value ^ ((uint64_t)size << 60));

	/* The key mixes size and value, so two constants can meet in it. */
	if (found != NULL) {
		uint32_t number = (uint32_t)(uintptr_t)found;

		known = &p->registers.items[number];
		if (known->value == value && known->size == size) {
			return number;
		}
	}
	uint32_t number = ptx_register_new(p, REGISTER_CONSTANT, size);

	if (number == 0) {
		return 0;
	}
	p->registers.items[number].value = value;
	if (ptx_table_put(&p->constants, "", 0, value ^ ((uint64_t)size << 60),
		    (void *)(uintptr_t)number) < 0) {
		ptx_fail_memory(p);
	}
	return number;
}

uint32_t
ptx_register_special(struct ptx_parser *p, enum ptx_special special)
{
	if (p->special[special] == 0) {
		uint32_t number =
			ptx_register_new(p, REGISTER_SPECIAL, ptx_special_size(special));

		if (number == 0) {
			return 0;
		}
		p->registers.items[number].special = (uint8_t)special;
		p->special[special] = number;
	}
	return p->special[special];
}

/* The register of a range at an index, as a symbol. */
static struct ptx_symbol *
range_register(struct ptx_parser *p, const struct ptx_symbol *range, uint32_t index)
{
	uint64_t tag = (uint64_t)range->id << 32 | index;
	struct ptx_symbol *symbol = ptx_table_get(&p->ranges, "", 0, tag);

	if (symbol != NULL) {
		return symbol;
	}
	symbol = ptx_arena_alloc(&p->scratch, sizeof(*symbol));
	if (symbol == NULL || ptx_table_put(&p->ranges, "", 0, tag, symbol) < 0) {
		ptx_fail_memory(p);
		return NULL;
	}
	symbol->kind = SYMBOL_REGISTER;
	symbol->type = range->type;
	symbol->id = ptx_register_new(
		p, REGISTER_ORDINARY, ptx_type_register_size(range->type));
	return symbol;
}

/* name = stem and digits, without leading zeros. */
static bool
split_index(const char *name, size_t name_len, size_t *ret_stem_len, uint32_t *ret_index)
{
	size_t stem = name_len;
	uint64_t index = 0;

	while (stem > 0 && name[stem - 1] >= '0' && name[stem - 1] <= '9') {
		stem--;
	}
	if (stem == 0 || stem == name_len || name_len - stem > 9 ||
		(name[stem] == '0' && name_len - stem > 1)) {
		return false;
	}
	for (size_t i = stem; i < name_len; i++) {
		index = index * 10 + (uint64_t)(name[i] - '0');
	}
	*ret_stem_len = stem;
	*ret_index = (uint32_t)index;
	return true;
}

struct ptx_symbol *
ptx_symbol_find(struct ptx_parser *p, const char *name, size_t name_len)
{
	size_t stem_len;
	uint32_t index;
	bool indexed = split_index(name, name_len, &stem_len, &index);

	for (uint32_t i = p->n_scopes; i-- > 0;) {
		uint32_t scope = p->scopes[i].id;
		struct ptx_symbol *symbol =
			ptx_table_get(&p->symbols, name, name_len, scope);

		if (symbol != NULL) {
			return symbol;
		}
		if (!indexed) {
			continue;
		}
		symbol = ptx_table_get(&p->symbols, name, stem_len, scope | RANGE_TAG);
		if (symbol != NULL && index < symbol->n) {
			return range_register(p, symbol, index);
		}
	}
	return NULL;
}

void
ptx_function_uses(struct ptx_parser *p, struct ptx_variable *variable)
{
	/* mark tells the function body that named it last. */
	if (p->function == NULL || variable->mark == p->n_bodies) {
		return;
	}
	variable->mark = p->n_bodies;
	if (PTX_GROW(p, &p->used)) {
		p->used.items[p->used.n++] = variable;
	}
}

void
ptx_function_calls(struct ptx_parser *p, struct ptx_function *callee)
{
	if (p->function == NULL || callee->mark == p->n_bodies) {
		return;
	}
	callee->mark = p->n_bodies;
	if (PTX_GROW(p, &p->callees)) {
		p->callees.items[p->callees.n++] = callee;
	}
}

void
ptx_unsupported(
	struct ptx_parser *p, struct ptx_function *function, const char *format, ...)
{
	char reason[700];
	va_list ap;

	if (function == NULL || function->unsupported != NULL) {
		return;
	}
	va_start(ap, format);
	vsnprintf(reason, sizeof(reason), format, ap);
	va_end(ap);
	function->unsupported =
		ptx_arena_string(p->module->arena, reason, strlen(reason));
	function->unsupported_in = function;
	if (function->unsupported == NULL) {
		ptx_fail_memory(p);
	}
}
