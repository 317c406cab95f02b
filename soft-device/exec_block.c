/* SPDX-License-Identifier: Apache-2.0 */
/* exec_block.c: memory of a block of threads: shared, local, warps. */
#include "exec_private.h"

#include "common/checked.h"

#include <stdlib.h>

void
exec_block_start(struct exec_context *x, struct exec_block *block, uint64_t index)
{
	const uint32_t *grid = x->state->launch->grid;

	block->index[0] = (uint32_t)(index % grid[0]);
	block->index[1] = (uint32_t)(index / grid[0] % grid[1]);
	block->index[2] = (uint32_t)(index / grid[0] / grid[1]);
	block->n_live = block->n_threads;
	memset(block->barriers, 0, sizeof(block->barriers));
	x->block = block;
}

struct exec_block *
exec_block_free(struct exec_block *block)
{
	if (block == NULL) {
		return NULL;
	}
	for (int i = 0; block->warps != NULL && i < block->n_warps; i++) {
		struct exec_warp *warp = &block->warps[i];

		/* After a fault groups still have frames; every frame is in one chain. */
		while (warp->n_groups > 0) {
			struct exec_group *group = &warp->groups[warp->n_groups - 1];

			exec_frame_drop(warp, group->frame, group->mask);
			warp->n_groups--;
		}
		for (struct exec_frame *frame = warp->free_frames; frame != NULL;) {
			struct exec_frame *next = frame->up;

			free(frame->registers);
			free(frame);
			frame = next;
		}
		free(warp->local);
	}
	free(block->warps);
	free(block->shared);
	free(block);
	return NULL;
}

bool
exec_block_fill(struct exec_context *x, struct exec_block *block)
{
	for (int i = 0; i < block->n_warps; i++) {
		struct exec_warp *warp = &block->warps[i];

		warp->live = warp->initial;
		warp->n_groups = 0;
		x->warp = warp;
		struct exec_frame *frame =
			exec_frame_new(x, x->state->launch->function, NULL, warp->live);

		if (frame == NULL) {
			exec_stop(
				x, NULL, EXEC_OUT_OF_MEMORY, 0, "no memory for a block");
			return false;
		}
		struct exec_group *group = exec_group_new(warp);

		*group = (struct exec_group){ .frame = frame, .mask = warp->live };
	}
	return true;
}

struct exec_block *
exec_block_new(struct exec_context *x, uint64_t index)
{
	struct exec_state *state = x->state;
	const uint32_t *size = state->launch->block;
	uint32_t n_threads = size[0] * size[1] * size[2];
	int n_warps = (int)((n_threads + WARP_SIZE - 1) / WARP_SIZE);
	size_t shared_size = round_up((size_t)state->shared_size + 1, 128);
	uint64_t cost =
		sizeof(struct exec_block) + shared_size +
		(uint64_t)n_warps * (sizeof(struct exec_warp) +
					    (uint64_t)state->local_stride * WARP_SIZE);

	if (!exec_charge(state, cost)) {
		return NULL;
	}
	struct exec_block *block = calloc(1, sizeof(*block));

	if (block == NULL) {
		return NULL;
	}
	block->state = state;
	block->n_threads = n_threads;
	block->n_warps = n_warps;
	block->shared = aligned_alloc(128, shared_size);
	block->warps = calloc((size_t)n_warps, sizeof(*block->warps));
	if (block->shared == NULL || block->warps == NULL) {
		return exec_block_free(block);
	}
	/* What was in our memory is none of the kernel's business. */
	memset(block->shared, 0, shared_size);
	for (int i = 0; i < n_warps; i++) {
		struct exec_warp *warp = &block->warps[i];
		uint32_t left = n_threads - (uint32_t)i * WARP_SIZE;

		warp->block = block;
		warp->id = i;
		warp->initial = left >= WARP_SIZE ? FULL_MASK : (1u << left) - 1;
		if (state->local_stride != 0) {
			warp->local = calloc(WARP_SIZE, state->local_stride);
			if (warp->local == NULL) {
				return exec_block_free(block);
			}
		}
	}
	exec_block_start(x, block, index);
	return block;
}
