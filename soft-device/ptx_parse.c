/* SPDX-License-Identifier: Apache-2.0 */
/* ptx_parse.c: what stands outside of functions, and their heads.
 *
 * A text knows the names that it declares (tag: number of the text); names that are not
 * internal are known to all texts of the module too (tag 0), which is what links them. */
#include "soft-device/ptx_parse.h"

#include <string.h>

struct ptx_module_symbol *
ptx_module_symbol(struct ptx_parser *p, const char *name, size_t name_len, uint32_t tag)
{
	return ptx_table_get(p->module->symbols, name, name_len, tag);
}

void
ptx_module_symbol_add(struct ptx_parser *p, const char *name, enum ptx_linkage linkage,
	struct ptx_function *function, struct ptx_variable *variable)
{
	size_t len = strlen(name);
	struct ptx_module_symbol *symbol = ptx_module_symbol(p, name, len, p->text);

	if (symbol == NULL) {
		symbol = ptx_arena_alloc(p->module->arena, sizeof(*symbol));
		if (symbol == NULL) {
			ptx_fail_memory(p);
			return;
		}
		*symbol = (struct ptx_module_symbol){ function, variable };
		if (ptx_table_put(p->module->symbols, name, len, p->text, symbol) < 0) {
			ptx_fail_memory(p);
		}
	}
	if ((function != NULL && symbol->function == NULL) ||
		(variable != NULL && symbol->variable == NULL)) {
		ptx_fail(p, "'%.200s' is both a function and a variable", name);
		return;
	}
	if (linkage != PTX_LINKAGE_INTERNAL &&
		ptx_module_symbol(p, name, len, 0) == NULL &&
		ptx_table_put(p->module->symbols, name, len, 0, symbol) < 0) {
		ptx_fail_memory(p);
	}
}

struct ptx_function *
ptx_function_find(struct ptx_parser *p, const char *name, size_t name_len)
{
	struct ptx_module_symbol *symbol = ptx_module_symbol(p, name, name_len, p->text);

	return symbol == NULL ? NULL : symbol->function;
}

struct ptx_variable *
ptx_variable_find(struct ptx_parser *p, const char *name, size_t name_len)
{
	struct ptx_module_symbol *symbol = ptx_module_symbol(p, name, name_len, p->text);

	return symbol == NULL ? NULL : symbol->variable;
}

struct ptx_function *
ptx_function_declare(struct ptx_parser *p, const char *name, enum ptx_linkage linkage)
{
	struct ptx_function *function = ptx_function_find(p, name, strlen(name));
	struct ptx_module_symbol *symbol = ptx_module_symbol(p, name, strlen(name), 0);

	if (function == NULL && linkage != PTX_LINKAGE_INTERNAL && symbol != NULL) {
		function = symbol->function;
		if (function == NULL) {
			ptx_fail(p, "'%.200s' is a variable elsewhere", name);
			return NULL;
		}
	}
	if (function == NULL) {
		if (p->functions.n >= p->limits->n_functions) {
			ptx_fail_limit(p, "too many functions");
			return NULL;
		}
		function = ptx_arena_alloc(p->module->arena, sizeof(*function));
		if (function == NULL) {
			ptx_fail_memory(p);
			return NULL;
		}
		if (!PTX_GROW(p, &p->functions)) {
			return NULL;
		}
		function->name = name;
		function->module = p->module;
		function->index = p->functions.n;
		function->linkage = (uint8_t)linkage;
		function->text = p->text;
		function->line = p->token.line;
		p->functions.items[p->functions.n++] = function;
	}
	ptx_module_symbol_add(p, name, linkage, function, NULL);
	return function;
}

/* What a head says, before it is known whether it counts. */
struct head {
	struct ptx_function *function;
	struct ptx_param *params;
	uint32_t n_params;
	uint32_t params_size;
	struct ptx_param *rets;
	uint32_t n_rets;
	uint32_t rets_size;
	uint32_t max_threads[3];
	uint32_t required_threads[3];
	uint32_t required_cluster[3];
	uint32_t min_blocks;
	uint32_t max_registers;
};

static void
three(struct ptx_parser *p, uint32_t *ret)
{
	ret[1] = 1;
	ret[2] = 1;
	for (int i = 0; i < 3; i++) {
		ret[i] = (uint32_t)ptx_count(p, UINT32_MAX, "a size is too large");
		if (!ptx_accept(p, ",")) {
			break;
		}
	}
}

static void
directives(struct ptx_parser *p, struct head *head)
{
	while (p->status == 0 && p->token.kind == TOKEN_WORD) {
		if (ptx_accept(p, ".maxntid")) {
			three(p, head->max_threads);
		} else if (ptx_accept(p, ".reqntid")) {
			three(p, head->required_threads);
		} else if (ptx_accept(p, ".reqnctapercluster")) {
			three(p, head->required_cluster);
		} else if (ptx_accept(p, ".minnctapersm")) {
			head->min_blocks =
				(uint32_t)ptx_count(p, UINT32_MAX, "too large");
		} else if (ptx_accept(p, ".maxnreg")) {
			head->max_registers =
				(uint32_t)ptx_count(p, UINT32_MAX, "too large");
		} else if (ptx_is(p, ".pragma")) {
			ptx_skip_statement(p);
		} else if (ptx_accept(p, ".attribute")) {
			ptx_skip_parentheses(p, "");
		} else if (p->token.text[0] == '.') {
			/* .noreturn, .explicitcluster, .maxnctapersm 2, ... */
			ptx_next(p);
			while (p->token.kind == TOKEN_NUMBER ||
				p->token.kind == TOKEN_STRING || ptx_is(p, ",")) {
				ptx_next(p);
			}
		} else {
			ptx_fail(p, "expected '{' or ';' after the head of a function");
		}
	}
}

static void
begin_function(struct ptx_parser *p)
{
	ptx_arena_deinit(&p->scratch);
	ptx_arena_init(&p->scratch, p->budget);
	ptx_table_init(&p->symbols, &p->scratch);
	ptx_table_init(&p->labels, &p->scratch);
	ptx_table_init(&p->branch_targets, &p->scratch);
	ptx_table_init(&p->ranges, &p->scratch);
	ptx_table_init(&p->constants, &p->scratch);
	p->n_scopes = 0;
	p->parents.n = 0;
	p->code.n = 0;
	p->registers.n = 0;
	p->fixups.n = 0;
	p->callees.n = 0;
	p->used.n = 0;
	p->n_ranges = 0;
	p->call_at = 0;
	p->tables = NULL;
	p->register_params = false;
	memset(p->special, 0, sizeof(p->special));
	p->n_bodies++;
	/* Number 0 is no register. */
	ptx_register_new(p, REGISTER_ORDINARY, 0);
	ptx_scope_begin(p);
}

/* Forget a weak definition: a strong one takes its place. */
static void
redefine(struct ptx_function *function)
{
	struct ptx_function kept = *function;

	*function = (struct ptx_function){
		.name = kept.name,
		.module = kept.module,
		.index = kept.index,
		.text = kept.text,
	};
}

static void
describe(struct ptx_function *function, const struct head *head)
{
	function->params = head->params;
	function->n_params = head->n_params;
	function->params_size = head->params_size;
	function->rets = head->rets;
	function->n_rets = head->n_rets;
	function->rets_size = head->rets_size;
	function->min_blocks = head->min_blocks;
	function->max_registers = head->max_registers;
	memcpy(function->max_threads, head->max_threads, sizeof(head->max_threads));
	memcpy(function->required_threads, head->required_threads,
		sizeof(head->required_threads));
	memcpy(function->required_cluster, head->required_cluster,
		sizeof(head->required_cluster));
}

static void
define(struct ptx_parser *p, const struct head *head, bool is_entry,
	enum ptx_linkage linkage, uint32_t line)
{
	struct ptx_function *function = head->function;

	if (function->is_defined) {
		if (linkage == PTX_LINKAGE_WEAK) {
			ptx_skip_block(p);
			return;
		}
		if (function->linkage != PTX_LINKAGE_WEAK) {
			ptx_fail(p, "function '%.200s' is defined twice", function->name);
			return;
		}
	}
	redefine(function);
	describe(function, head);
	function->is_entry = is_entry;
	function->linkage = (uint8_t)linkage;
	function->line = line;
	function->text = p->text;
	function->is_defined = true;
	p->function = function;
	if (p->register_params) {
		ptx_unsupported(p, function,
			"unsupported parameters in registers at ptx line %u", line);
	}
	ptx_expect(p, "{");
	ptx_body(p);
	p->function = NULL;
}

static void
function(struct ptx_parser *p, bool is_entry, enum ptx_linkage linkage)
{
	struct head head = { .function = NULL };
	uint32_t line = p->token.line;

	begin_function(p);
	while (ptx_accept(p, ".attribute")) {
		ptx_skip_parentheses(p, "");
	}
	if (!is_entry && ptx_is(p, "(")) {
		ptx_params(p, PTX_BASE_RETURN, &head.rets, &head.n_rets, &head.rets_size);
	}
	const char *name = ptx_name(p, "the name of a function");

	if (p->status != 0) {
		return;
	}
	head.function = ptx_function_declare(p, name, linkage);
	if (head.function == NULL) {
		return;
	}
	if (ptx_is(p, "(")) {
		ptx_params(p, PTX_BASE_PARAM, &head.params, &head.n_params,
			&head.params_size);
	}
	directives(p, &head);
	if (p->status != 0) {
		return;
	}
	if (ptx_accept(p, ";")) {
		if (!head.function->is_defined) {
			describe(head.function, &head);
			head.function->is_entry = is_entry;
		}
		return;
	}
	define(p, &head, is_entry, linkage, line);
}

static void
target(struct ptx_parser *p)
{
	/* sm_75, sm_90a, compute_75; then texmode_unified, debug, ... */
	uint32_t number = 0;

	for (size_t i = 0; i < p->token.len && number < 100000; i++) {
		char c = p->token.text[i];

		if (c >= '0' && c <= '9') {
			number = number * 10 + (uint32_t)(c - '0');
		}
	}
	if (p->module->target == 0) {
		p->module->target = number;
	}
	do {
		if (p->token.kind != TOKEN_WORD) {
			ptx_fail(p, "expected a target");
			return;
		}
		ptx_next(p);
	} while (ptx_accept(p, ","));
}

static void
version(struct ptx_parser *p)
{
	uint32_t number = 0;

	if (p->token.kind != TOKEN_NUMBER) {
		ptx_fail(p, "expected a version");
		return;
	}
	for (size_t i = 0; i < p->token.len && i < 4; i++) {
		char c = p->token.text[i];

		if (c >= '0' && c <= '9') {
			number = number * 10 + (uint32_t)(c - '0');
		}
	}
	if (p->module->version == 0) {
		p->module->version = number;
	}
	ptx_next(p);
}

static void
alias(struct ptx_parser *p)
{
	const char *name = ptx_name(p, "a function");
	struct ptx_function *function = ptx_function_find(p, name, strlen(name));

	if (p->status == 0 && function == NULL) {
		ptx_fail(p, "undefined function '%.200s'", name);
	}
	ptx_expect(p, ",");
	const char *aliased = ptx_name(p, "a function");

	if (function != NULL) {
		function->alias = aliased;
		function->text = p->text;
	}
	ptx_expect(p, ";");
}

static void
address_size(struct ptx_parser *p)
{
	if (!ptx_is(p, "64")) {
		ptx_fail(p, "addresses of other than 64 bits");
	}
	ptx_next(p);
}

static void
section(struct ptx_parser *p)
{
	while (p->token.kind != TOKEN_END && !ptx_is(p, "{")) {
		ptx_next(p);
	}
	ptx_skip_block(p);
}

/* A directive with its declaration; what is not linkage resets it. */
static void
directive(struct ptx_parser *p, enum ptx_linkage linkage)
{
	if (ptx_accept(p, ".entry")) {
		function(p, true, linkage);
	} else if (ptx_accept(p, ".func")) {
		function(p, false, linkage);
	} else if (ptx_accept(p, ".global")) {
		ptx_declaration(p, PTX_GLOBAL, linkage);
	} else if (ptx_accept(p, ".const")) {
		ptx_declaration(p, PTX_CONST, linkage);
	} else if (ptx_accept(p, ".shared")) {
		ptx_declaration(p, PTX_SHARED, linkage);
	} else if (ptx_accept(p, ".version")) {
		version(p);
	} else if (ptx_accept(p, ".target")) {
		target(p);
	} else if (ptx_accept(p, ".address_size")) {
		address_size(p);
	} else if (ptx_is(p, ".file") || ptx_is(p, ".loc")) {
		ptx_skip_line(p);
	} else if (ptx_accept(p, ".section")) {
		section(p);
	} else if (ptx_is(p, ".pragma")) {
		ptx_skip_statement(p);
	} else if (ptx_accept(p, ".alias")) {
		alias(p);
	} else if (!ptx_accept(p, ";")) {
		ptx_fail(p, "unknown directive '%.*s'",
			(int)(p->token.len > 100 ? 100 : p->token.len), p->token.text);
	}
}

void
ptx_parse(struct ptx_parser *p, const struct ptx_text *text)
{
	const char *nul = memchr(text->text, '\0', text->size);

	p->at = text->text;
	p->end = nul != NULL ? nul : text->text + text->size;
	p->line = 1;
	p->text++;
	p->function = NULL;
	ptx_next(p);
	if (p->token.kind == TOKEN_END) {
		ptx_fail(p, "an empty text");
		return;
	}
	enum ptx_linkage linkage = PTX_LINKAGE_INTERNAL;

	while (p->status == 0 && p->token.kind != TOKEN_END) {
		if (ptx_accept(p, ".extern")) {
			linkage = PTX_LINKAGE_EXTERN;
		} else if (ptx_accept(p, ".visible")) {
			linkage = PTX_LINKAGE_VISIBLE;
		} else if (ptx_accept(p, ".weak") || ptx_accept(p, ".common")) {
			linkage = PTX_LINKAGE_WEAK;
		} else {
			directive(p, linkage);
			linkage = PTX_LINKAGE_INTERNAL;
		}
	}
}
