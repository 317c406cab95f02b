/* SPDX-License-Identifier: Apache-2.0 */
/* ptx_link.c: what can be said only when all texts of a module are read.
 *
 * Addresses in initialisers, aliases, the places of shared variables, handlers, and which
 * functions cannot run because of what they call. */
#include "soft-device/ptx_parse.h"

#include <string.h>

#include "common/checked.h"

/* Steps through call graphs: their number is not linear in the text. */
#define MAX_STEPS 100000000u
#define MAX_SHARED_SIZE (16u * 1024 * 1024)

static void
link_alias(struct ptx_parser *p, struct ptx_function *function)
{
	struct ptx_module_symbol *symbol = ptx_table_get(p->module->symbols,
		function->alias, strlen(function->alias), function->text);
	const struct ptx_function *target = symbol == NULL ? NULL : symbol->function;

	if (target == NULL || !target->is_defined || target->alias != NULL) {
		ptx_fail(p, "alias '%.200s' of something that is no function",
			function->name);
		return;
	}
	/* The same code under another name and index. */
	const char *name = function->name;
	uint32_t index = function->index;
	uint8_t linkage = function->linkage;

	*function = *target;
	function->name = name;
	function->index = index;
	function->linkage = linkage;
	if (function->unsupported_in == target) {
		function->unsupported_in = function;
	}
}

static void
link_aliases(struct ptx_parser *p)
{
	for (uint32_t i = 0; i < p->functions.n && p->status == 0; i++) {
		if (p->functions.items[i]->alias != NULL) {
			link_alias(p, p->functions.items[i]);
		}
	}
}

static void
link_relocs(struct ptx_parser *p)
{
	for (uint32_t i = 0; i < p->variables.n; i++) {
		struct ptx_variable *variable = p->variables.items[i];

		for (uint32_t k = 0; k < variable->n_relocs; k++) {
			struct ptx_reloc *reloc = &variable->relocs[k];
			const struct ptx_module_symbol *symbol =
				ptx_table_get(p->module->symbols, reloc->name,
					strlen(reloc->name), variable->text);

			if (symbol == NULL) {
				p->text = variable->text;
				p->token.line = reloc->line;
				ptx_fail(p, "undefined symbol '%.200s' in an initialiser",
					reloc->name);
				return;
			}
			reloc->variable = symbol->variable;
			reloc->function = symbol->function;
		}
	}
}

/* ---- shared variables ---- */

/* A list of functions to visit, and all visited ones; mark tells who is in it. */
struct walk {
	struct ptx_parser *p;
	struct ptx_function **list;
	uint32_t n;
	uint32_t serial;
	uint32_t n_steps;
};

static void
visit(struct walk *walk, struct ptx_function *function)
{
	if (function->mark != walk->serial) {
		function->mark = walk->serial;
		walk->list[walk->n++] = function;
	}
}

/* All that a kernel may call; through pointers, every function that is no kernel. */
static bool
walk_calls(struct walk *walk, struct ptx_function *entry)
{
	bool indirectly = false;

	walk->n = 0;
	walk->serial++;
	visit(walk, entry);
	for (uint32_t i = 0; i < walk->n; i++) {
		const struct ptx_function *function = walk->list[i];

		walk->n_steps += 1 + function->n_callees + function->n_used;
		if (walk->n_steps > MAX_STEPS) {
			return ptx_fail_limit(
				walk->p, "the functions call too many others");
		}
		for (uint32_t k = 0; k < function->n_callees; k++) {
			visit(walk, function->callees[k]);
		}
		if (!function->calls_indirectly || indirectly) {
			continue;
		}
		indirectly = true;
		walk->n_steps += walk->p->functions.n;
		for (uint32_t k = 0; k < walk->p->functions.n; k++) {
			if (!walk->p->functions.items[k]->is_entry) {
				visit(walk, walk->p->functions.items[k]);
			}
		}
	}
	return true;
}

static bool
is_static_shared(const struct ptx_variable *variable)
{
	return variable->space == PTX_SHARED && !variable->is_dynamic;
}

/* What to do with the shared variables of a kernel, in this order: variables that several
 * kernels use have one place for all of them, and come first; what only one kernel uses
 * is put behind, where variables of different kernels overlap. */
enum shared_pass {
	PASS_COUNT,   /* who uses what */
	PASS_COMMON,  /* how far those reach that have a place */
	PASS_PRIVATE, /* give the others a place */
};

static void
pass_variable(
	struct ptx_function *entry, struct ptx_variable *variable, enum shared_pass pass)
{
	uint64_t size = entry->shared_size;

	if (variable->is_dynamic) {
		/* For now it is an alignment. */
		if (variable->alignment > entry->dynamic_offset) {
			entry->dynamic_offset = variable->alignment;
		}
	} else if (pass == PASS_COUNT) {
		variable->n_users++;
	} else if (pass == PASS_COMMON && variable->n_users > 1) {
		size = variable->offset + variable->size > size
			       ? variable->offset + variable->size
			       : size;
	} else if (pass == PASS_PRIVATE && variable->n_users == 1) {
		variable->offset = round_up(size, variable->alignment);
		size = variable->offset + variable->size;
	}
	/* One too large variable must not wrap around. */
	entry->shared_size =
		size > MAX_SHARED_SIZE ? MAX_SHARED_SIZE + 1 : (uint32_t)size;
}

static void
pass_entry(struct walk *walk, struct ptx_function *entry, enum shared_pass pass)
{
	if (!walk_calls(walk, entry)) {
		return;
	}
	for (uint32_t f = 0; f < walk->n; f++) {
		const struct ptx_function *function = walk->list[f];

		for (uint32_t k = 0; k < function->n_used; k++) {
			struct ptx_variable *variable = function->used[k];

			if (variable->space == PTX_SHARED &&
				variable->mark != walk->serial) {
				variable->mark = walk->serial;
				pass_variable(entry, variable, pass);
			}
		}
	}
	if (entry->shared_size > MAX_SHARED_SIZE) {
		ptx_fail_limit(walk->p, "shared variables are too large");
	}
}

static void
pass_entries(struct walk *walk, enum shared_pass pass)
{
	struct ptx_parser *p = walk->p;

	for (uint32_t i = 0; i < p->functions.n && p->status == 0; i++) {
		struct ptx_function *entry = p->functions.items[i];

		if (entry->is_entry && entry->is_defined) {
			pass_entry(walk, entry, pass);
		}
	}
}

static void
link_shared(struct ptx_parser *p)
{
	struct walk walk = { .p = p, .serial = UINT32_MAX / 2 };
	uint64_t offset = 0;

	walk.list = ptx_arena_array(
		&p->scratch, p->functions.n, sizeof(struct ptx_function *));
	if (walk.list == NULL) {
		ptx_fail_memory(p);
		return;
	}
	pass_entries(&walk, PASS_COUNT);
	for (uint32_t i = 0; i < p->variables.n; i++) {
		struct ptx_variable *variable = p->variables.items[i];

		if (!is_static_shared(variable) || variable->n_users < 2) {
			continue;
		}
		offset = round_up(offset, variable->alignment);
		variable->offset = offset;
		offset += variable->size;
		if (offset > MAX_SHARED_SIZE) {
			ptx_fail_limit(p, "shared variables are too large");
			return;
		}
	}
	pass_entries(&walk, PASS_COMMON);
	pass_entries(&walk, PASS_PRIVATE);
	for (uint32_t i = 0; i < p->functions.n; i++) {
		struct ptx_function *function = p->functions.items[i];
		uint32_t alignment = function->dynamic_offset;

		function->dynamic_offset = (uint32_t)round_up(
			function->shared_size, alignment == 0 ? 1 : alignment);
	}
}

/* ---- handlers ---- */

static void
bind_function(struct ptx_parser *p, struct ptx_function *function)
{
	for (uint32_t i = 0; i < function->n_code; i++) {
		struct ptx_instr *instr = &function->code[i];

		if (instr->opcode == PTX_OP_UNKNOWN || instr->handler != NULL) {
			continue;
		}
		const char *reason = exec_bind(instr);

		if (reason != NULL) {
			instr->handler = NULL;
			ptx_unsupported(p, function,
				"unsupported instruction '%s' (%s) at ptx line %u",
				instr->text, reason, instr->line);
		}
	}
}

static void
check_used(struct ptx_parser *p, struct ptx_function *function)
{
	for (uint32_t i = 0; i < function->n_used; i++) {
		const struct ptx_variable *variable = function->used[i];

		if (variable->linkage == PTX_LINKAGE_EXTERN && !variable->is_dynamic) {
			ptx_unsupported(p, function, "use of undefined variable '%.300s'",
				variable->name);
		}
	}
}

static void
bind_functions(struct ptx_parser *p)
{
	for (uint32_t i = 0; i < p->functions.n; i++) {
		struct ptx_function *function = p->functions.items[i];

		if (function->is_defined) {
			bind_function(p, function);
			check_used(p, function);
			continue;
		}
		function->builtin = exec_builtin_for(function->name);
		if (function->builtin == NULL) {
			ptx_unsupported(p, function,
				"call of undefined function '%.300s'", function->name);
		}
	}
}

/* ---- who calls what cannot run ---- */

struct edge {
	struct edge *next;
	struct ptx_function *caller;
};

/* From the functions that cannot run backwards along the calls, each call once. */
static void
spread_unsupported(struct ptx_parser *p)
{
	uint32_t n = p->functions.n;
	struct edge **callers = ptx_arena_array(&p->scratch, n, sizeof(struct edge *));
	struct ptx_function **list =
		ptx_arena_array(&p->scratch, n, sizeof(struct ptx_function *));
	uint32_t n_list = 0;

	if (callers == NULL || list == NULL) {
		ptx_fail_memory(p);
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		struct ptx_function *function = p->functions.items[i];

		if (function->unsupported != NULL) {
			list[n_list++] = function;
		}
		for (uint32_t k = 0; k < function->n_callees; k++) {
			struct edge *edge = ptx_arena_alloc(&p->scratch, sizeof(*edge));
			struct edge **head = &callers[function->callees[k]->index];

			if (edge == NULL) {
				ptx_fail_memory(p);
				return;
			}
			*edge = (struct edge){ *head, function };
			*head = edge;
		}
	}
	for (uint32_t i = 0; i < n_list; i++) {
		const struct ptx_function *function = list[i];

		for (struct edge *e = callers[function->index]; e != NULL; e = e->next) {
			if (e->caller->unsupported == NULL) {
				e->caller->unsupported = function->unsupported;
				e->caller->unsupported_in = function->unsupported_in;
				list[n_list++] = e->caller;
			}
		}
	}
}

void
ptx_link(struct ptx_parser *p)
{
	p->function = NULL;
	ptx_arena_deinit(&p->scratch);
	ptx_arena_init(&p->scratch, p->budget);
	p->token.line = 0;
	link_aliases(p);
	if (p->status == 0) {
		link_relocs(p);
	}
	if (p->status == 0) {
		link_shared(p);
	}
	if (p->status == 0) {
		bind_functions(p);
	}
	if (p->status == 0) {
		spread_unsupported(p);
	}
}
