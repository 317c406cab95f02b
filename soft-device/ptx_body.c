/* SPDX-License-Identifier: Apache-2.0 */
/* ptx_body.c: the instructions of a function, and where its branches go.
 *
 * Labels belong to the {} they stand in: inline assembly that is expanded twice has the
 * same labels twice.  Branches are resolved at the end, from the scope they stand in
 * outwards.  Labels that nobody branches to (-lineinfo makes many) are thrown away. */
#include "soft-device/ptx_parse.h"

#include <string.h>

#define MAX_OPCODE 256

static struct ptx_instr *
emit(struct ptx_parser *p, const struct ptx_instr *model, const struct ptx_token *token)
{
	if (p->code.n >= p->limits->n_instructions) {
		ptx_fail_limit(p, "a function has too many instructions");
		return NULL;
	}
	if (!PTX_GROW(p, &p->code)) {
		return NULL;
	}
	struct ptx_instr *instr = &p->code.items[p->code.n++];

	*instr = *model;
	instr->line = token->line;
	return instr;
}

/* What the opcode says: the same words are read only once. */
static const struct ptx_instr *
opcode(struct ptx_parser *p, const struct ptx_token *token)
{
	struct ptx_instr *model = ptx_table_get(&p->opcodes, token->text, token->len, 0);

	if (model != NULL) {
		return model;
	}
	if (token->len > MAX_OPCODE) {
		ptx_fail(p, "an instruction's name is too long");
		return NULL;
	}
	const char *text = ptx_arena_string(p->module->arena, token->text, token->len);

	model = ptx_arena_alloc(p->module->arena, sizeof(*model));
	if (text == NULL || model == NULL ||
		ptx_table_put(&p->opcodes, text, token->len, 0, model) < 0) {
		ptx_fail_memory(p);
		return NULL;
	}
	ptx_opcode_parse(text, token->len, model);
	model->text = text;
	return model;
}

static void
branch_operand(struct ptx_parser *p, struct ptx_instr *instr, struct ptx_operand *operand)
{
	struct ptx_token name = p->token;

	*operand = (struct ptx_operand){ .kind = PTX_OPERAND_LABEL };
	if (name.kind != TOKEN_WORD) {
		ptx_fail(p, "expected a label");
		return;
	}
	if (!PTX_GROW(p, &p->fixups)) {
		return;
	}
	p->fixups.items[p->fixups.n++] = (struct ptx_fixup){
		.name = name.text,
		.name_len = name.len,
		.scope = ptx_scope_current(p),
		.instr = (uint32_t)(instr - p->code.items),
		.line = name.line,
		.is_table = instr->opcode == PTX_OP_BRX,
	};
	ptx_next(p);
}

/* The q of p|q. */
static void
second_destination(struct ptx_parser *p, struct ptx_instr *instr)
{
	struct ptx_operand second;
	struct ptx_token token = p->token;

	ptx_operand(p, PTX_PRED, &second);
	if (p->skip || p->status != 0) {
		return;
	}
	if (second.kind != PTX_OPERAND_SINK &&
		(second.kind != PTX_OPERAND_REG || !second.predicate ||
			second.immediate)) {
		p->token.line = token.line;
		ptx_fail(p, "expected a predicate after '|'");
		return;
	}
	instr->second = second.offset;
	instr->has_second = true;
}

/* instr->opcode with its operands; up to the ';'. */
static void
operands(struct ptx_parser *p, struct ptx_instr *instr)
{
	struct ptx_operand list[PTX_MAX_OPERANDS];
	unsigned int n = 0;

	while (p->status == 0 && !ptx_is(p, ";")) {
		if (n == PTX_MAX_OPERANDS) {
			ptx_fail(p, "'%s' has too many operands", instr->text);
			return;
		}
		if (ptx_opcode_is_label_operand(instr, n)) {
			branch_operand(p, instr, &list[n]);
		} else {
			ptx_operand(p, ptx_opcode_type(instr, n), &list[n]);
		}
		n++;
		if (!p->skip && ptx_accept(p, "|")) {
			second_destination(p, instr);
		}
		if (p->skip || !ptx_accept(p, ",")) {
			break;
		}
	}
	if (p->skip || p->status != 0) {
		return;
	}
	/* A cache policy is the last operand: a hint, like the rest of the caches. */
	if (n > 0 && ptx_instr_has(instr, "L2::cache_hint")) {
		n--;
	}
	unsigned int room = n < PTX_MIN_OPERANDS ? PTX_MIN_OPERANDS : n;

	instr->operands = ptx_arena_array(p->module->arena, room, sizeof(list[0]));
	if (instr->operands == NULL) {
		ptx_fail_memory(p);
		return;
	}
	memcpy(instr->operands, list, n * sizeof(list[0]));
	instr->n_operands = (uint8_t)n;
}

static uint32_t
guard(struct ptx_parser *p, bool *ret_negated)
{
	*ret_negated = ptx_accept(p, "!");
	struct ptx_symbol *symbol =
		p->token.kind == TOKEN_WORD
			? ptx_symbol_find(p, p->token.text, p->token.len)
			: NULL;

	if (symbol == NULL || symbol->kind != SYMBOL_REGISTER ||
		symbol->type != PTX_PRED) {
		ptx_fail(p, "expected a predicate after '@'");
		return 0;
	}
	ptx_next(p);
	return symbol->id;
}

static void
instruction(struct ptx_parser *p)
{
	bool negated = false;
	uint32_t predicate = ptx_accept(p, "@") ? guard(p, &negated) : 0;
	struct ptx_token token = p->token;

	if (token.kind != TOKEN_WORD || token.text[0] == '.' || token.text[0] == '%') {
		ptx_fail(p, "expected an instruction before '%.*s'",
			(int)(token.len > 100 ? 100 : token.len), token.text);
		return;
	}
	ptx_next(p);
	const struct ptx_instr *model = opcode(p, &token);
	struct ptx_instr *instr = model == NULL ? NULL : emit(p, model, &token);

	if (instr == NULL) {
		return;
	}
	instr->predicate = predicate;
	instr->predicate_negated = negated;
	instr->operands = p->no_operands;
	if (instr->opcode == PTX_OP_UNKNOWN) {
		ptx_unsupported(p, p->function,
			"unsupported instruction '%s' at ptx line %u", instr->text,
			instr->line);
		ptx_skip_statement(p);
		return;
	}
	p->skip = false;
	if (instr->opcode == PTX_OP_CALL) {
		ptx_call(p, instr);
		instr->operands = ptx_arena_array(
			p->module->arena, PTX_MIN_OPERANDS, sizeof(*instr->operands));
		if (instr->operands == NULL) {
			ptx_fail_memory(p);
		}
	} else {
		operands(p, instr);
	}
	if (p->skip) {
		/* The function is marked; nothing may be left to execute. */
		instr->opcode = PTX_OP_UNKNOWN;
		ptx_skip_statement(p);
		return;
	}
	ptx_expect(p, ";");
}

static void
branch_targets(struct ptx_parser *p, const struct ptx_token *name)
{
	struct ptx_targets *table = ptx_arena_alloc(&p->scratch, sizeof(*table));

	if (table == NULL || ptx_table_put(&p->branch_targets, name->text, name->len,
				     ptx_scope_current(p), table) < 0) {
		ptx_fail_memory(p);
		return;
	}
	table->next = p->tables;
	table->scope = ptx_scope_current(p);
	p->tables = table;
	do {
		struct ptx_target_label *label =
			ptx_arena_alloc(&p->scratch, sizeof(*label));

		if (label == NULL) {
			ptx_fail_memory(p);
			return;
		}
		if (p->token.kind != TOKEN_WORD) {
			ptx_fail(p, "expected a label");
			return;
		}
		label->name = p->token;
		label->next = table->labels;
		table->labels = label;
		table->n_labels++;
		ptx_next(p);
	} while (ptx_accept(p, ","));
	ptx_expect(p, ";");
}

static void
label(struct ptx_parser *p)
{
	struct ptx_token name = p->token;
	static const struct ptx_instr model = {
		.opcode = PTX_OP_LABEL, .is_label = true, .text = "label"
	};

	ptx_next(p);
	ptx_expect(p, ":");
	if (ptx_is(p, ".callprototype") || ptx_is(p, ".calltargets")) {
		ptx_skip_statement(p);
		return;
	}
	if (ptx_accept(p, ".branchtargets")) {
		branch_targets(p, &name);
		return;
	}
	if (ptx_table_get(&p->labels, name.text, name.len, ptx_scope_current(p)) !=
		NULL) {
		ptx_fail(p, "label '%.*s' is defined twice",
			(int)(name.len > 200 ? 200 : name.len), name.text);
		return;
	}
	struct ptx_label *place = ptx_arena_alloc(&p->scratch, sizeof(*place));

	if (place == NULL || ptx_table_put(&p->labels, name.text, name.len,
				     ptx_scope_current(p), place) < 0) {
		ptx_fail_memory(p);
		return;
	}
	place->pc = p->code.n;
	struct ptx_instr *instr = emit(p, &model, &name);

	if (instr != NULL) {
		instr->operands = p->no_operands;
	}
}

static void
statement(struct ptx_parser *p)
{
	if (ptx_accept(p, ".reg")) {
		ptx_declaration(p, PTX_REG, PTX_LINKAGE_INTERNAL);
	} else if (ptx_accept(p, ".local")) {
		ptx_declaration(p, PTX_LOCAL, PTX_LINKAGE_INTERNAL);
	} else if (ptx_accept(p, ".shared")) {
		ptx_declaration(p, PTX_SHARED, PTX_LINKAGE_INTERNAL);
	} else if (ptx_accept(p, ".global")) {
		ptx_declaration(p, PTX_GLOBAL, PTX_LINKAGE_INTERNAL);
	} else if (ptx_accept(p, ".const")) {
		ptx_declaration(p, PTX_CONST, PTX_LINKAGE_INTERNAL);
	} else if (ptx_accept(p, ".param")) {
		ptx_declaration(p, PTX_PARAM, PTX_LINKAGE_INTERNAL);
	} else if (ptx_is(p, ".loc") || ptx_is(p, ".file")) {
		ptx_skip_line(p);
	} else if (ptx_is(p, ".pragma")) {
		ptx_skip_statement(p);
	} else if (ptx_is(p, ";")) {
		ptx_next(p);
	} else if (ptx_at_label(p)) {
		label(p);
	} else {
		instruction(p);
	}
}

static void *
find_outwards(const struct ptx_parser *p, const struct ptx_table *table, const char *name,
	size_t name_len, uint32_t scope)
{
	while (scope != UINT32_MAX) {
		void *found = ptx_table_get(table, name, name_len, scope);

		if (found != NULL) {
			return found;
		}
		scope = p->parents.items[scope];
	}
	return NULL;
}

static uint32_t
resolve_label(struct ptx_parser *p, const char *name, size_t name_len, uint32_t scope,
	uint32_t line)
{
	const struct ptx_label *place =
		find_outwards(p, &p->labels, name, name_len, scope);

	if (place == NULL) {
		p->token.line = line;
		ptx_fail(p, "undefined label '%.*s'",
			(int)(name_len > 200 ? 200 : name_len), name);
		return 0;
	}
	/* It is used: do not throw it away. */
	p->code.items[place->pc].sub = 1;
	return place->pc;
}

static void
resolve_tables(struct ptx_parser *p)
{
	for (struct ptx_targets *table = p->tables; table != NULL; table = table->next) {
		uint32_t i = table->n_labels;

		table->targets = ptx_arena_array(
			p->module->arena, table->n_labels, sizeof(uint32_t));
		if (table->targets == NULL) {
			ptx_fail_memory(p);
			return;
		}
		for (struct ptx_target_label *l = table->labels; l != NULL; l = l->next) {
			table->targets[--i] = resolve_label(
				p, l->name.text, l->name.len, table->scope, l->name.line);
		}
	}
}

static void
resolve_branches(struct ptx_parser *p)
{
	resolve_tables(p);
	for (uint32_t i = 0; i < p->fixups.n && p->status == 0; i++) {
		struct ptx_fixup *fixup = &p->fixups.items[i];
		struct ptx_instr *instr = &p->code.items[fixup->instr];

		if (!fixup->is_table) {
			instr->target = resolve_label(p, fixup->name, fixup->name_len,
				fixup->scope, fixup->line);
			continue;
		}
		const struct ptx_targets *table = find_outwards(p, &p->branch_targets,
			fixup->name, fixup->name_len, fixup->scope);

		if (table == NULL) {
			p->token.line = fixup->line;
			ptx_fail(p, "undefined list of labels '%.*s'",
				(int)(fixup->name_len > 200 ? 200 : fixup->name_len),
				fixup->name);
			return;
		}
		instr->targets = table->targets;
		instr->n_targets = table->n_labels;
		fixup->table = table;
	}
}

/* Without the labels that nobody uses. */
static void
take_code(struct ptx_parser *p)
{
	struct ptx_function *function = p->function;
	uint32_t *moved = ptx_arena_array(&p->scratch, p->code.n, sizeof(*moved));
	uint32_t n = 0;

	for (uint32_t i = 0; moved != NULL && i < p->code.n; i++) {
		moved[i] = n;
		n += !p->code.items[i].is_label || p->code.items[i].sub != 0;
	}
	function->code = ptx_arena_array(p->module->arena, n, sizeof(*function->code));
	if (moved == NULL || function->code == NULL) {
		ptx_fail_memory(p);
		return;
	}
	for (uint32_t i = 0; i < p->code.n; i++) {
		struct ptx_instr *instr = &p->code.items[i];

		if (instr->is_label && instr->sub == 0) {
			continue;
		}
		instr->sub = 0;
		instr->id = p->module->n_ids++;
		if (instr->opcode == PTX_OP_BRA) {
			instr->target = moved[instr->target];
		}
		function->code[moved[i]] = *instr;
	}
	function->n_code = n;
	for (struct ptx_targets *table = p->tables; table != NULL; table = table->next) {
		table->first = UINT32_MAX;
		for (uint32_t i = 0; i < table->n_labels; i++) {
			table->targets[i] = moved[table->targets[i]];
			if (table->targets[i] < table->first) {
				table->first = table->targets[i];
			}
		}
	}
	/* For ptx_regalloc(): many branches may share a long table. */
	for (uint32_t i = 0; i < p->fixups.n; i++) {
		const struct ptx_fixup *fixup = &p->fixups.items[i];

		if (fixup->table != NULL) {
			function->code[moved[fixup->instr]].target = fixup->table->first;
		}
	}
}

static void
take_lists(struct ptx_parser *p)
{
	struct ptx_function *function = p->function;
	struct ptx_arena *arena = p->module->arena;

	function->callees =
		ptx_arena_array(arena, p->callees.n, sizeof(*function->callees));
	function->used = ptx_arena_array(arena, p->used.n, sizeof(*function->used));
	if (function->callees == NULL || function->used == NULL) {
		ptx_fail_memory(p);
		return;
	}
	if (p->callees.n > 0) {
		memcpy(function->callees, p->callees.items,
			p->callees.n * sizeof(*function->callees));
	}
	if (p->used.n > 0) {
		memcpy(function->used, p->used.items,
			p->used.n * sizeof(*function->used));
	}
	function->n_callees = p->callees.n;
	function->n_used = p->used.n;
}

void
ptx_body(struct ptx_parser *p)
{
	static const struct ptx_token nothing = { .kind = TOKEN_END };
	uint32_t outermost = p->n_scopes;

	while (p->status == 0) {
		if (ptx_accept(p, "{")) {
			ptx_scope_begin(p);
		} else if (ptx_is(p, "}")) {
			if (p->n_scopes == outermost) {
				break;
			}
			ptx_next(p);
			ptx_scope_end(p);
		} else if (p->token.kind == TOKEN_END) {
			ptx_expect(p, "}");
		} else {
			statement(p);
		}
	}
	/* So that no code runs off the end. */
	struct ptx_token ret = nothing;

	ret.text = "ret";
	ret.len = 3;
	ret.line = p->token.line;
	const struct ptx_instr *model = p->status == 0 ? opcode(p, &ret) : NULL;
	struct ptx_instr *last = model == NULL ? NULL : emit(p, model, &ret);

	if (last == NULL) {
		return;
	}
	last->operands = p->no_operands;
	resolve_branches(p);
	if (p->status == 0) {
		take_code(p);
	}
	if (p->status == 0) {
		take_lists(p);
	}
	if (p->status == 0 && ptx_regalloc(p, p->function) < 0) {
		return;
	}
	ptx_expect(p, "}");
}
