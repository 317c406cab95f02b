/* SPDX-License-Identifier: Apache-2.0 */
/* exec_frame.c: registers of one function call, and the account of host memory. */
#include "exec_private.h"

#include "common/checked.h"

#include <stdio.h>
#include <stdlib.h>

/* End the launch.  The first fault is the one that is told. */
int
exec_stop(struct exec_context *x, const struct ptx_instr *in, enum exec_fault fault,
	uint64_t address, const char *what)
{
	struct exec_state *state = x->state;
	int none = EXEC_OK;

	if (!__atomic_compare_exchange_n(&state->fault, &none, fault, false,
		    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		return EXEC_STOP;
	}
	struct exec_result *result = state->result;
	const struct exec_block *block = x->block;
	const char *kernel = state->launch->function->name;
	char where[400] = "";

	if (in != NULL) {
		snprintf(where, sizeof(where), ": '%.120s' at PTX line %u in '%.200s'",
			in->text, in->line, x->frame->function->name);
	}
	char thread[120] = "";

	if (block != NULL && in != NULL) {
		const uint32_t *size = state->launch->block;
		uint32_t t = (uint32_t)x->warp->id * WARP_SIZE +
			     (x->mask != 0 ? (uint32_t)__builtin_ctz(x->mask) : 0);

		snprintf(thread, sizeof(thread), ", block (%u,%u,%u), thread (%u,%u,%u)",
			block->index[0], block->index[1], block->index[2], t % size[0],
			t / size[0] % size[1], t / (size[0] * size[1]));
	}
	char at[40] = "";

	if (fault == EXEC_ILLEGAL_ADDRESS || fault == EXEC_MISALIGNED ||
		fault == EXEC_INVALID_PC) {
		snprintf(at, sizeof(at), " at address 0x%llx",
			(unsigned long long)address);
	}
	result->address = address;
	snprintf(result->message, sizeof(result->message), "%s%s%s%s, kernel '%.200s'",
		what, at, where, thread, kernel);
	return EXEC_STOP;
}

/* What a kernel makes us hold (frames, stacks, shared memory) has a limit. */
bool
exec_charge(struct exec_state *state, uint64_t size)
{
	uint64_t total = __atomic_add_fetch(&state->charged, size, __ATOMIC_RELAXED);

	if (total > state->memory_limit) {
		__atomic_sub_fetch(&state->charged, size, __ATOMIC_RELAXED);
		return false;
	}
	return true;
}

static uint32_t
special_value(const struct exec_context *x, enum ptx_special special, int lane)
{
	const struct exec_state *state = x->state;
	const struct exec_launch *launch = state->launch;
	const uint32_t *size = launch->block;
	uint32_t thread = (uint32_t)(x->warp->id * WARP_SIZE + lane);

	switch (special) {
	case PTX_TID_X: return thread % size[0];
	case PTX_TID_Y: return thread / size[0] % size[1];
	case PTX_TID_Z: return thread / (size[0] * size[1]);
	case PTX_NTID_X:
	case PTX_NTID_Y:
	case PTX_NTID_Z: return size[special - PTX_NTID_X];
	case PTX_CTAID_X:
	case PTX_CTAID_Y:
	case PTX_CTAID_Z: return x->block->index[special - PTX_CTAID_X];
	case PTX_NCTAID_X:
	case PTX_NCTAID_Y:
	case PTX_NCTAID_Z: return launch->grid[special - PTX_NCTAID_X];
	case PTX_LANEID: return (uint32_t)lane;
	case PTX_WARPID: return (uint32_t)x->warp->id;
	case PTX_NWARPID: return (uint32_t)x->block->n_warps;
	case PTX_LANEMASK_EQ: return 1u << lane;
	case PTX_LANEMASK_LT: return (1u << lane) - 1;
	case PTX_LANEMASK_LE: return (2u << lane) - 1;
	case PTX_LANEMASK_GT: return ~((2u << lane) - 1);
	case PTX_LANEMASK_GE: return ~((1u << lane) - 1);
	case PTX_NSMID: return 1;
	/* Every block is a cluster of its own. */
	case PTX_CLUSTERID_X:
	case PTX_CLUSTERID_Y:
	case PTX_CLUSTERID_Z: return x->block->index[special - PTX_CLUSTERID_X];
	case PTX_NCLUSTERID_X:
	case PTX_NCLUSTERID_Y:
	case PTX_NCLUSTERID_Z: return launch->grid[special - PTX_NCLUSTERID_X];
	case PTX_CLUSTER_NCTARANK:
	case PTX_CLUSTER_NCTAID_X:
	case PTX_CLUSTER_NCTAID_Y:
	case PTX_CLUSTER_NCTAID_Z: return 1;
	case PTX_DYNAMIC_SMEM_SIZE: return launch->dynamic_shared_size;
	case PTX_AGGR_SMEM_SIZE:
	case PTX_TOTAL_SMEM_SIZE: return state->shared_size;
	case PTX_ENVREG1: return (uint32_t)(state->workspace >> 32);
	case PTX_ENVREG2: return (uint32_t)state->workspace;
	default: return 0;
	}
}

static void
fill_special(
	const struct exec_context *x, struct exec_frame *frame, enum ptx_special special)
{
	uint32_t offset = frame->function->special[special];

	if (offset == 0) {
		return;
	}
	if (special == PTX_GRIDID) {
		uint64_t *r = (uint64_t *)(frame->registers + offset);

		for (int l = 0; l < WARP_SIZE; l++) {
			r[l] = x->state->launch->grid_id;
		}
		return;
	}
	uint32_t *r = (uint32_t *)(frame->registers + offset);

	for (int l = 0; l < WARP_SIZE; l++) {
		r[l] = special_value(x, special, l);
	}
}

static void
fill_constant(struct exec_frame *frame, const struct ptx_constant *constant)
{
	uint8_t *r = frame->registers + constant->offset;

	if (constant->size == 0) {
		memcpy(r, &constant->value, 4);
		return;
	}
	for (int l = 0; l < WARP_SIZE; l++) {
		uint64_t value[2] = { constant->value, 0 };

		memcpy(r + (size_t)l * constant->size, value, constant->size);
	}
}

/* Bytes per lane, rounded so that 16-byte accesses stay aligned in every lane. */
static size_t
area(uint32_t size)
{
	return round_up(size, 16);
}

static struct exec_frame *
frame_make(struct exec_context *x, const struct ptx_function *function)
{
	size_t params = function->is_entry ? 0 : area(function->params_size);
	size_t returns = area(function->rets_size);
	size_t body = area(function->call_size);
	size_t size = round_up(
		function->frame_size + WARP_SIZE * (params + returns + body), 64);

	if (!exec_charge(x->state, size + sizeof(struct exec_frame))) {
		return NULL;
	}
	struct exec_frame *frame = calloc(1, sizeof(*frame));

	if (frame == NULL) {
		return NULL;
	}
	frame->registers = aligned_alloc(64, size);
	if (frame->registers == NULL) {
		free(frame);
		return NULL;
	}
	memset(frame->registers, 0, size);
	frame->function = function;
	frame->params = frame->registers + function->frame_size;
	frame->returns = frame->params + WARP_SIZE * params;
	frame->body = frame->returns + WARP_SIZE * returns;
	for (uint32_t i = 0; i < function->n_constants; i++) {
		fill_constant(frame, &function->constants[i]);
	}
	for (int special = PTX_TID_X; special < PTX_N_SPECIALS; special++) {
		fill_special(x, frame, special);
	}
	return frame;
}

struct exec_frame *
exec_frame_new(struct exec_context *x, const struct ptx_function *function,
	struct exec_frame *up, uint32_t lanes)
{
	struct exec_frame *frame = NULL;

	for (struct exec_frame **place = &x->warp->free_frames; *place != NULL;
		place = &(*place)->up) {
		if ((*place)->function == function) {
			frame = *place;
			*place = frame->up;
			break;
		}
	}
	if (frame != NULL) {
		/* The warp may have gone on to another block. */
		fill_special(x, frame, PTX_CTAID_X);
		fill_special(x, frame, PTX_CTAID_Y);
		fill_special(x, frame, PTX_CTAID_Z);
		fill_special(x, frame, PTX_CLUSTERID_X);
		fill_special(x, frame, PTX_CLUSTERID_Y);
		fill_special(x, frame, PTX_CLUSTERID_Z);
	} else {
		frame = frame_make(x, function);
		if (frame == NULL) {
			return NULL;
		}
	}
	frame->up = up;
	frame->lanes = lanes;
	frame->depth = up != NULL ? up->depth + 1 : 0;
	frame->local_base = 0;
	frame->call = NULL;
	frame->return_pc = 0;
	if (up != NULL) {
		frame->local_base =
			up->local_base + (uint32_t)round_up(up->function->local_size, 16);
	}
	return frame;
}

void
exec_frame_release(struct exec_warp *warp, struct exec_frame *frame, uint32_t lanes)
{
	frame->lanes &= ~lanes;
	if (frame->lanes == 0) {
		frame->up = warp->free_frames;
		warp->free_frames = frame;
	}
}

void
exec_frame_drop(struct exec_warp *warp, struct exec_frame *frame, uint32_t lanes)
{
	while (frame != NULL) {
		struct exec_frame *up = frame->up;

		exec_frame_release(warp, frame, lanes);
		frame = up;
	}
}

struct exec_group *
exec_group_new(struct exec_warp *warp)
{
	return &warp->groups[warp->n_groups++];
}

void
exec_group_delete(struct exec_warp *warp, struct exec_group *group)
{
	*group = warp->groups[--warp->n_groups];
}
