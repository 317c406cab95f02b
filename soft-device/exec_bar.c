/* SPDX-License-Identifier: Apache-2.0 */
/* exec_bar.c: bar and barrier: the threads of a block wait for each other. */
#include "exec_private.h"

/* Notes in sub: where operands are, which differs with .red. */
struct form {
	int number;    /* operand index */
	int count;     /* or -1 */
	int predicate; /* or -1 */
};

static struct form
form_of(const struct ptx_instr *in)
{
	struct form form = { .number = 0, .count = -1, .predicate = -1 };

	if ((in->flags & PTX_RED) != 0) {
		form.number = 1;
		form.predicate = in->n_operands - 1;
		form.count = in->n_operands > 3 ? 2 : -1;
	} else if (in->n_operands > 1) {
		form.count = 1;
	}
	return form;
}

HANDLER(bar)
{
	struct form form = form_of(in);
	int lane = __builtin_ctz(x->mask);
	uint32_t number = REG(uint32_t, in->operands[form.number].offset)[lane];
	uint32_t count = 0;

	if (number >= N_BARRIERS) {
		return exec_stop(
			x, in, EXEC_LAUNCH_FAILED, 0, "number of barrier above 15");
	}
	if (form.count >= 0) {
		count = REG(uint32_t, in->operands[form.count].offset)[lane];
	}
	struct exec_barrier *barrier = &x->block->barriers[number];

	if (barrier->arrived == 0) {
		*barrier = (struct exec_barrier){ .all = true };
	}
	if (count != 0) {
		barrier->expected = count;
	}
	barrier->arrived += (uint32_t)__builtin_popcount(x->mask);
	if (form.predicate >= 0) {
		uint32_t p = predicate_read(x, &in->operands[form.predicate]) & x->mask;

		barrier->n_true += (uint32_t)__builtin_popcount(p);
		barrier->any |= p != 0;
		barrier->all &= p == x->mask;
	}
	if ((in->flags & PTX_ARRIVE) != 0) {
		return EXEC_NEXT;
	}
	uint32_t rest = x->group_mask & ~x->mask;

	if (rest != 0) {
		struct exec_group *other = exec_group_new(x->warp);

		*other = *x->group;
		other->mask = rest;
		other->pc = x->pc + 1;
	}
	x->group->mask = x->mask;
	x->group->pc = x->pc + 1;
	x->group->state = GROUP_BARRIER;
	x->group->barrier = number;
	x->group->waiting = in;
	return EXEC_YIELD;
}

void
exec_bar_result(struct exec_context *x, const struct ptx_instr *in,
	const struct exec_barrier *barrier)
{
	if ((in->flags & PTX_RED) == 0) {
		return;
	}
	if (in->operation == PTX_OPERATION_POPC) {
		FOR_LANES(l, x->mask)
		{
			REG(uint32_t, in->dst)[l] = barrier->n_true;
		}
		return;
	}
	bool yes = in->operation == PTX_OPERATION_AND ? barrier->all : barrier->any;

	predicate_write(x, in->dst, yes ? FULL_MASK : 0);
}

ptx_handler
exec_bar_choose(struct ptx_instr *in)
{
	struct form form = form_of(in);

	if (!are_registers(in, form.number, 1, 4) ||
		(form.count >= 0 && !are_registers(in, form.count, 1, 4))) {
		return NULL;
	}
	if ((in->flags & PTX_RED) == 0) {
		return in->n_operands <= 2 ? bar : NULL;
	}
	if (in->n_operands < 3 || in->n_operands > 4 ||
		!is_predicate(in, form.predicate)) {
		return NULL;
	}
	switch (in->operation) {
	case PTX_OPERATION_POPC: return are_registers(in, 0, 1, 4) ? bar : NULL;
	case PTX_OPERATION_AND:
	case PTX_OPERATION_OR: return is_predicate(in, 0) ? bar : NULL;
	default: return NULL;
	}
}
