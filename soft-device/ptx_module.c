/* SPDX-License-Identifier: Apache-2.0 */
/* ptx_module.c: makes modules of texts, and finds things in them. */
#include "soft-device/ptx.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/checked.h"
#include "soft-device/ptx_parse.h"

#define MAX_TEXTS 4096

const struct ptx_limits ptx_limits_default = {
	.text_size = (size_t)256 << 20,
	.memory_size = (size_t)2 << 30,
	.n_functions = 1 << 16,
	.n_instructions = 1 << 21,
	.n_registers = 1 << 21,
	.frame_size = 16 << 20,
	.variable_size = (uint64_t)64 << 30,
};

/* Take what the parser has gathered; the arrays are in the module's memory then. */
static int
module_finish(struct ptx_module *module, struct ptx_parser *p)
{
	module->functions = ptx_arena_array(
		module->arena, p->functions.n, sizeof(*module->functions));
	module->variables = ptx_arena_array(
		module->arena, p->variables.n, sizeof(*module->variables));
	if (module->functions == NULL || module->variables == NULL) {
		ptx_fail_memory(p);
		return p->status;
	}
	if (p->functions.n > 0) {
		memcpy(module->functions, p->functions.items,
			p->functions.n * sizeof(*module->functions));
	}
	if (p->variables.n > 0) {
		memcpy(module->variables, p->variables.items,
			p->variables.n * sizeof(*module->variables));
	}
	module->n_functions = p->functions.n;
	module->n_variables = p->variables.n;
	return 0;
}

static void
parser_deinit(struct ptx_parser *p)
{
	ptx_arena_deinit(&p->scratch);
	free(p->parents.items);
	free(p->code.items);
	free(p->registers.items);
	free(p->fixups.items);
	free(p->callees.items);
	free(p->used.items);
	free(p->functions.items);
	free(p->variables.items);
}

static int
parse_all(struct ptx_parser *p, const struct ptx_text *texts, size_t n_texts)
{
	struct ptx_module *module = p->module;

	ptx_arena_init(&p->scratch, p->budget);
	ptx_table_init(module->symbols, module->arena);
	ptx_table_init(&p->opcodes, module->arena);
	p->no_operands =
		ptx_arena_array(module->arena, PTX_MIN_OPERANDS, sizeof(*p->no_operands));
	if (p->no_operands == NULL) {
		ptx_fail_memory(p);
	}
	for (size_t i = 0; i < n_texts && p->status == 0; i++) {
		ptx_parse(p, &texts[i]);
	}
	if (p->status == 0) {
		ptx_link(p);
	}
	return p->status == 0 ? module_finish(module, p) : p->status;
}

static int
check_texts(const struct ptx_text *texts, size_t n_texts, const struct ptx_limits *limits,
	struct ptx_error *ret_error)
{
	size_t total = 0;

	*ret_error = (struct ptx_error){ .line = 0 };
	if (n_texts == 0 || n_texts > MAX_TEXTS) {
		snprintf(ret_error->message, sizeof(ret_error->message), "%s",
			n_texts == 0 ? "no ptx text" : "too many ptx texts");
		return n_texts == 0 ? -EINVAL : -E2BIG;
	}
	for (size_t i = 0; i < n_texts; i++) {
		if (!checked_add(total, texts[i].size, &total) ||
			total > limits->text_size) {
			snprintf(ret_error->message, sizeof(ret_error->message),
				"the ptx text is too large");
			return -E2BIG;
		}
	}
	return 0;
}

int
ptx_module_new(const struct ptx_text *texts, size_t n_texts,
	const struct ptx_limits *limits, struct ptx_error *ret_error,
	struct ptx_module **ret_module)
{
	limits = limits == NULL ? &ptx_limits_default : limits;
	int r = check_texts(texts, n_texts, limits, ret_error);

	if (r < 0) {
		return r;
	}
	struct ptx_module *module = calloc(1, sizeof(*module));
	struct ptx_parser *p = calloc(1, sizeof(*p));
	size_t budget = limits->memory_size;

	if (module != NULL) {
		module->arena = calloc(1, sizeof(*module->arena));
		module->symbols = calloc(1, sizeof(*module->symbols));
		module->n_texts = (uint32_t)n_texts;
	}
	if (p == NULL || module == NULL || module->arena == NULL ||
		module->symbols == NULL) {
		snprintf(ret_error->message, sizeof(ret_error->message), "no memory");
		free(p);
		ptx_module_free(module);
		return -ENOMEM;
	}
	ptx_arena_init(module->arena, &budget);
	p->module = module;
	p->limits = limits;
	p->error = ret_error;
	p->budget = &budget;
	p->n_texts = (uint32_t)n_texts;
	r = parse_all(p, texts, n_texts);
	parser_deinit(p);
	free(p);
	/* From now on nothing is taken from it. */
	module->arena->budget = NULL;
	if (r < 0) {
		ptx_module_free(module);
		return r;
	}
	*ret_module = module;
	return 0;
}

struct ptx_module *
ptx_module_free(struct ptx_module *module)
{
	if (module == NULL) {
		return NULL;
	}
	if (module->arena != NULL) {
		ptx_arena_deinit(module->arena);
	}
	free(module->arena);
	free(module->symbols);
	free(module);
	return NULL;
}

struct ptx_function *
ptx_module_function(const struct ptx_module *module, const char *name)
{
	size_t len = strlen(name);

	for (uint32_t tag = 0; tag <= module->n_texts; tag++) {
		const struct ptx_module_symbol *symbol =
			ptx_table_get(module->symbols, name, len, tag);

		if (symbol != NULL && symbol->function != NULL) {
			return symbol->function;
		}
	}
	return NULL;
}

struct ptx_variable *
ptx_module_variable(const struct ptx_module *module, const char *name)
{
	size_t len = strlen(name);

	for (uint32_t tag = 0; tag <= module->n_texts; tag++) {
		const struct ptx_module_symbol *symbol =
			ptx_table_get(module->symbols, name, len, tag);

		if (symbol != NULL && symbol->variable != NULL) {
			return symbol->variable;
		}
	}
	return NULL;
}

static uint64_t
address_of(const struct ptx_reloc *reloc)
{
	if (reloc->function != NULL) {
		return PTX_WINDOW_FUNCTION | reloc->function->index;
	}
	const struct ptx_variable *variable = reloc->variable;

	if (variable->space == PTX_SHARED) {
		return variable->offset | (reloc->generic ? PTX_WINDOW_SHARED : 0);
	}
	return variable->address;
}

void
ptx_variable_fill(const struct ptx_variable *variable, void *memory)
{
	uint8_t *bytes = memory;

	if (variable->init_size > 0) {
		memcpy(bytes, variable->init, variable->init_size);
	}
	if (variable->size > variable->init_size) {
		memset(bytes + variable->init_size, 0,
			variable->size - variable->init_size);
	}
	for (uint32_t i = 0; i < variable->n_relocs; i++) {
		const struct ptx_reloc *reloc = &variable->relocs[i];
		uint64_t value = address_of(reloc);

		/* An undefined variable is nowhere, and so is what lies behind it. */
		value = value == 0 ? 0 : value + reloc->addend;
		value >>= reloc->shift;
		memcpy(bytes + reloc->at, &value, reloc->size);
	}
}
