/* SPDX-License-Identifier: Apache-2.0 */
/* exec_control.c: labels, branches, calls, returns, exit and trap.
 *
 * A branch that not all lanes take splits the group.  Labels are where groups can meet
 * again: a group that is not alone in its warp yields there. */
#include "exec_private.h"

#include <stdio.h>

HANDLER(label)
{
	if (x->warp->n_groups > 1) {
		x->group->pc = x->pc;
		return EXEC_YIELD;
	}
	return EXEC_NEXT;
}

/* Those lanes of the running group go on at pc, in a group of their own. */
static void
split(struct exec_context *x, uint32_t lanes, uint32_t pc)
{
	if (lanes != 0) {
		struct exec_group *other = exec_group_new(x->warp);

		*other = *x->group;
		other->mask = lanes;
		other->pc = pc;
	}
}

HANDLER(bra)
{
	uint32_t others = x->group_mask & ~x->mask;

	if (others == 0) {
		x->pc = in->target;
		if (x->warp->n_groups > 1) {
			x->group->pc = x->pc;
			return EXEC_YIELD;
		}
		return EXEC_JUMP;
	}
	split(x, others, x->pc + 1);
	x->group->mask = x->mask;
	x->group->pc = in->target;
	return EXEC_YIELD;
}

/* Lanes of mask whose register has the value that the first of them has. */
static uint32_t
same_value(const struct exec_context *x, uint32_t offset, int size, uint32_t mask)
{
	uint64_t value = lane_read(x, offset, size, __builtin_ctz(mask));
	uint32_t same = 0;

	FOR_LANES(l, mask)
	{
		if (lane_read(x, offset, size, (int)l) == value) {
			same |= 1u << l;
		}
	}
	return same;
}

HANDLER(brx)
{
	uint32_t same = same_value(x, in->dst, 4, x->mask);
	uint32_t index = REG(uint32_t, in->dst)[__builtin_ctz(same)];

	if (index >= in->n_targets) {
		return exec_stop(
			x, in, EXEC_INVALID_PC, index, "index of brx out of range");
	}
	split(x, x->mask & ~same, x->pc);
	split(x, x->group_mask & ~x->mask, x->pc + 1);
	x->group->mask = same;
	x->group->pc = in->targets[index];
	return EXEC_YIELD;
}

HANDLER(leave)
{
	struct exec_warp *warp = x->warp;
	uint32_t lanes = x->mask;
	struct exec_frame *frame = x->frame;

	warp->live &= ~lanes;
	x->block->n_live -= (uint32_t)__builtin_popcount(lanes);
	x->group->mask &= ~lanes;
	x->group->pc = x->pc + 1;
	if (x->group->mask == 0) {
		exec_group_delete(warp, x->group);
	}
	exec_frame_drop(warp, frame, lanes);
	return EXEC_YIELD;
}

/* The stride of a per-lane area of a frame; see exec_frame.c. */
static size_t
stride(uint32_t size)
{
	return ((size_t)size + 15) & ~(size_t)15;
}

HANDLER(ret)
{
	struct exec_frame *frame = x->frame;
	struct exec_frame *up = frame->up;

	if (up == NULL) {
		return leave(x, in);
	}
	const struct ptx_call *call = frame->call->call;
	const struct ptx_function *function = frame->function;
	size_t from = stride(function->rets_size);
	size_t to = stride(up->function->call_size);
	uint32_t lanes = x->mask;
	uint32_t return_pc = frame->return_pc;

	for (uint32_t i = 0; i < call->n_rets && i < function->n_rets; i++) {
		const struct ptx_slot *slot = &call->rets[i];
		const struct ptx_param *result = &function->rets[i];
		uint32_t size = slot->size < result->size ? slot->size : result->size;

		FOR_LANES(l, lanes)
		{
			memcpy(up->body + l * to + slot->offset,
				frame->returns + l * from + result->offset, size);
		}
	}
	x->group->mask &= ~lanes;
	x->group->pc = x->pc + 1;
	if (x->group->mask == 0) {
		exec_group_delete(x->warp, x->group);
	}
	exec_frame_release(x->warp, frame, lanes);
	struct exec_group *group = exec_group_new(x->warp);

	*group = (struct exec_group){ .frame = up, .pc = return_pc, .mask = lanes };
	return EXEC_YIELD;
}

static void
copy_arguments(
	struct exec_context *x, const struct ptx_call *call, struct exec_frame *frame)
{
	const struct ptx_function *callee = frame->function;
	size_t from = stride(x->frame->function->call_size);
	size_t to = stride(callee->params_size);

	for (uint32_t i = 0; i < call->n_args && i < callee->n_params; i++) {
		const struct ptx_slot *slot = &call->args[i];
		const struct ptx_param *param = &callee->params[i];
		uint32_t size = slot->size < param->size ? slot->size : param->size;

		FOR_LANES(l, frame->lanes)
		{
			memcpy(frame->params + l * to + param->offset,
				x->frame->body + l * from + slot->offset, size);
		}
	}
}

/* A builtin is done at once, for the lanes in x->mask. */
static int
call_builtin(struct exec_context *x, const struct ptx_instr *in,
	const struct ptx_function *callee, uint32_t lanes)
{
	uint32_t wanted = x->mask;

	x->mask = lanes;
	int step = callee->builtin(x, in);

	if (step != EXEC_NEXT) {
		return step;
	}
	if (lanes == wanted) {
		return EXEC_NEXT;
	}
	/* The rest of an indirect call's lanes have another target. */
	split(x, wanted & ~lanes, x->pc);
	x->group->mask &= ~(wanted & ~lanes);
	x->group->pc = x->pc + 1;
	return EXEC_YIELD;
}

HANDLER(call)
{
	const struct ptx_function *callee = in->call->callee;
	uint32_t lanes = x->mask;

	if (callee == NULL) {
		lanes = same_value(x, in->call->target, 8, x->mask);
		uint64_t address = REG(uint64_t, in->call->target)[__builtin_ctz(lanes)];
		const struct ptx_module *module = x->frame->function->module;
		uint64_t index = address & ~PTX_WINDOW_MASK;

		if ((address & PTX_WINDOW_MASK) != PTX_WINDOW_FUNCTION ||
			index >= module->n_functions ||
			module->functions[index]->is_entry) {
			return exec_stop(x, in, EXEC_INVALID_PC, address,
				"call of what is not a function");
		}
		callee = module->functions[index];
	}
	if (!callee->is_defined || callee->unsupported != NULL) {
		if (!callee->is_defined && callee->builtin != NULL) {
			return call_builtin(x, in, callee, lanes);
		}
		char what[800];

		snprintf(what, sizeof(what), "call of function '%.200s': %.500s",
			callee->name,
			callee->unsupported != NULL ? callee->unsupported
						    : "not defined");
		return exec_stop(x, in, EXEC_LAUNCH_FAILED, 0, what);
	}
	struct exec_frame *frame = exec_frame_new(x, callee, x->frame, lanes);

	if (frame == NULL) {
		return exec_stop(
			x, in, EXEC_LAUNCH_FAILED, 0, "stack overflow (host memory)");
	}
	frame->call = in;
	frame->return_pc = x->pc + 1;
	/* A call costs stack even if its function has no local variables: recursion ends.
	 */
	frame->local_base += 16;
	if ((uint64_t)frame->local_base + callee->local_size > x->state->local_stride) {
		exec_frame_release(x->warp, frame, lanes);
		return exec_stop(x, in, EXEC_LAUNCH_FAILED, 0, "stack overflow");
	}
	copy_arguments(x, in->call, frame);
	split(x, x->group_mask & ~x->mask, x->pc + 1);
	split(x, x->mask & ~lanes, x->pc);
	x->group->frame = frame;
	x->group->pc = 0;
	x->group->mask = lanes;
	return EXEC_YIELD;
}

HANDLER(trap)
{
	return exec_stop(x, in, EXEC_LAUNCH_FAILED, 0, "trap");
}

HANDLER(nothing)
{
	return EXEC_NEXT;
}

/* What waits makes room for others: the warp is put aside at its next branch. */
HANDLER(doze)
{
	/* A slice that is over stays so, or a loop of this would never end. */
	if (x->slice > 0) {
		x->slice = 0;
	}
	return EXEC_NEXT;
}

HANDLER(fence)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return EXEC_NEXT;
}

ptx_handler
exec_control_choose(struct ptx_instr *in)
{
	switch (in->opcode) {
	case PTX_OP_LABEL: return label;
	case PTX_OP_BRA: return bra;
	case PTX_OP_BRX: return are_registers(in, 0, 1, 4) ? brx : NULL;
	case PTX_OP_RET: return ret;
	case PTX_OP_EXIT: return leave;
	case PTX_OP_CALL: return call;
	case PTX_OP_TRAP:
	case PTX_OP_BRKPT: return trap;
	case PTX_OP_NANOSLEEP: return doze;
	case PTX_OP_FENCE:
	case PTX_OP_MEMBAR: return fence;
	default: return nothing;
	}
}
