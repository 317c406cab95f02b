/* SPDX-License-Identifier: Apache-2.0 */
/* exec_sched.c: which group of which warp of which block runs next, and on which thread.
 *
 * A worker thread takes blocks one by one.  A block that waits for another one (a spin
 * lock, decoupled look-back) is put aside after a while and the next is taken as well;
 * from then on they run in turn.  In a cooperative launch all blocks are there from the
 * start.
 *
 * Inside a warp the group of the deepest frame and then of the lowest pc runs, which
 * makes diverged lanes meet again where they should.  By that rule alone a loop that
 * waits for a lock could starve its holder, so every 1024th choice is the opposite one.
 *
 * A block in which nothing can run is deadlocked, which ends the launch; so does the
 * budget of instructions. */
#include "exec_private.h"

#include <stdio.h>

/* Run one group until it ends, waits, diverges or has used up the slice. */
static int
run_group(struct exec_context *x, struct exec_group *group)
{
	struct exec_frame *frame = group->frame;
	const struct ptx_instr *code = frame->function->code;
	uint8_t *registers = frame->registers;
	uint32_t group_mask = group->mask;
	uint32_t pc = group->pc;
	uint64_t n = 0;
	int step = EXEC_YIELD;

	x->group = group;
	x->frame = frame;
	x->registers = registers;
	x->group_mask = group_mask;
	/* A label makes a group yield where others may join; it has just done so. */
	if (code[pc].is_label) {
		pc++;
	}
	for (;;) {
		const struct ptx_instr *in = &code[pc];
		uint32_t mask = group_mask;

		n++;
		if (in->predicate != 0) {
			uint32_t p = *(const uint32_t *)(registers + in->predicate);

			mask &= in->predicate_negated ? ~p : p;
			if (mask == 0) {
				pc++;
				continue;
			}
		}
		x->mask = mask;
		x->pc = pc;
		step = in->handler(x, in);
		if (__builtin_expect(step == EXEC_NEXT, 1)) {
			pc++;
			continue;
		}
		if (step != EXEC_JUMP) {
			break;
		}
		pc = x->pc;
		if (--x->slice < 0) {
			group->pc = pc;
			step = EXEC_YIELD;
			break;
		}
	}
	x->n_instructions += n;
	return step;
}

/* The runnable group that should run; NULL if all wait. */
static struct exec_group *
choose_group(struct exec_warp *warp)
{
	bool opposite = (++warp->picks & 1023) == 0;
	struct exec_group *best = NULL;

	for (int i = 0; i < warp->n_groups; i++) {
		struct exec_group *group = &warp->groups[i];

		if (group->state != GROUP_RUN) {
			continue;
		}
		if (best == NULL) {
			best = group;
			continue;
		}
		bool better = group->frame->depth != best->frame->depth
				      ? group->frame->depth > best->frame->depth
				      : group->pc < best->pc;

		if (better != opposite) {
			best = group;
		}
	}
	return best;
}

/* Put groups that are at the same place and in the same state into one. */
static bool
join_groups(struct exec_warp *warp, enum exec_group_state state)
{
	bool joined = false;

	for (int i = 0; i < warp->n_groups; i++) {
		struct exec_group *group = &warp->groups[i];

		if (group->state != state) {
			continue;
		}
		for (int k = warp->n_groups - 1; k > i; k--) {
			struct exec_group *other = &warp->groups[k];

			if (other->state == state && other->frame == group->frame &&
				other->pc == group->pc) {
				group->mask |= other->mask;
				exec_group_delete(warp, other);
				joined = true;
			}
		}
	}
	return joined;
}

/* Nothing in the warp runs.  Lanes that wait for each other at warp instructions are
 * joined and try again; if that changed nothing, and no lane can still come from a
 * barrier of the block, the ones they wait for never come, and they go on without. */
static bool
wake_synchronising(struct exec_warp *warp)
{
	bool joined = join_groups(warp, GROUP_SYNC);
	bool at_barrier = false;

	for (int i = 0; i < warp->n_groups; i++) {
		at_barrier |= warp->groups[i].state == GROUP_BARRIER;
	}
	if (!joined && at_barrier) {
		return false;
	}
	bool woken = false;

	for (int i = 0; i < warp->n_groups; i++) {
		struct exec_group *group = &warp->groups[i];

		if (group->state == GROUP_SYNC) {
			group->state = GROUP_RUN;
			group->forced |= !joined;
			woken = true;
		}
	}
	return woken;
}

static enum exec_outcome
run_warp(struct exec_context *x, struct exec_warp *warp)
{
	x->warp = warp;
	for (;;) {
		if (warp->n_groups == 0) {
			return OUTCOME_DONE;
		}
		if (x->slice < 0) {
			return OUTCOME_PREEMPTED;
		}
		x->slice--;
		if (warp->n_groups > 1) {
			join_groups(warp, GROUP_RUN);
		}
		struct exec_group *group = choose_group(warp);

		if (group == NULL) {
			if (!wake_synchronising(warp)) {
				return OUTCOME_BLOCKED;
			}
			continue;
		}
		if (run_group(x, group) == EXEC_STOP) {
			return OUTCOME_FAULT;
		}
	}
}

/* Let go everyone at a barrier that is complete. */
static void
barrier_release(struct exec_context *x, struct exec_block *block, unsigned int number)
{
	struct exec_barrier *barrier = &block->barriers[number];

	barrier->arrived = 0;
	for (int i = 0; i < block->n_warps; i++) {
		struct exec_warp *warp = &block->warps[i];

		for (int k = 0; k < warp->n_groups; k++) {
			struct exec_group *group = &warp->groups[k];

			if (group->state != GROUP_BARRIER || group->barrier != number) {
				continue;
			}
			group->state = GROUP_RUN;
			x->registers = group->frame->registers;
			x->mask = group->mask;
			exec_bar_result(x, group->waiting, barrier);
		}
	}
}

static bool
release_barriers(struct exec_context *x, struct exec_block *block)
{
	bool released = false;

	for (unsigned int i = 0; i < N_BARRIERS; i++) {
		struct exec_barrier *barrier = &block->barriers[i];
		uint32_t expected =
			barrier->expected != 0 ? barrier->expected : block->n_live;

		if (barrier->arrived != 0 && barrier->arrived >= expected) {
			barrier_release(x, block, i);
			released = true;
		}
	}
	return released;
}

/* Nothing in the block can run: those that wait for lanes of their warp which are at a
 * barrier go on without them.  False: not even that, which is a deadlock. */
static bool
force_synchronising(struct exec_block *block)
{
	bool forced = false;

	for (int i = 0; i < block->n_warps; i++) {
		struct exec_warp *warp = &block->warps[i];

		for (int k = 0; k < warp->n_groups; k++) {
			struct exec_group *group = &warp->groups[k];

			if (group->state == GROUP_SYNC) {
				group->state = GROUP_RUN;
				group->forced = true;
				forced = true;
			}
		}
	}
	return forced;
}

/* Bring the account of the launch up to date.  False: the launch is over. */
bool
exec_settle(struct exec_context *x)
{
	struct exec_state *state = x->state;
	const struct exec_launch *launch = state->launch;
	uint64_t n = x->n_instructions - x->n_reported;
	uint64_t total = __atomic_add_fetch(&state->n_done, n, __ATOMIC_RELAXED);

	x->n_reported = x->n_instructions;
	if (__atomic_load_n(&state->fault, __ATOMIC_RELAXED) != EXEC_OK) {
		return false;
	}
	if (total > state->budget) {
		exec_stop(
			x, NULL, EXEC_TIMEOUT, 0, "the budget of instructions is spent");
		return false;
	}
	if (launch->cancel != NULL && __atomic_load_n(launch->cancel, __ATOMIC_RELAXED)) {
		exec_stop(x, NULL, EXEC_TIMEOUT, 0, "cancelled");
		return false;
	}
	if (launch->memory->generation != NULL) {
		uint64_t now =
			__atomic_load_n(launch->memory->generation, __ATOMIC_ACQUIRE);

		if (now != x->generation) {
			memset(x->bounds, 0, sizeof(x->bounds));
			x->generation = now;
		}
	}
	return true;
}

/* A slice counts branches and the budget instructions: near its end, look more often. */
static int64_t
slice_within_budget(const struct exec_state *state, int slice)
{
	uint64_t done = __atomic_load_n(&state->n_done, __ATOMIC_RELAXED);
	uint64_t left = done < state->budget ? (state->budget - done) / 32 : 0;

	return left < (uint64_t)slice ? (int64_t)left : slice;
}

/* Run a block until it ends, or for some rounds over its warps. */
enum exec_outcome
exec_run_block(struct exec_context *x, struct exec_block *block, int n_rounds, int slice)
{
	x->block = block;
	for (int round = 0;;) {
		bool preempted = false;
		uint64_t before = x->n_instructions;

		for (int i = 0; i < block->n_warps; i++) {
			if (block->warps[i].n_groups == 0) {
				continue;
			}
			x->slice = slice_within_budget(x->state, slice);
			switch (run_warp(x, &block->warps[i])) {
			case OUTCOME_FAULT: return OUTCOME_FAULT;
			case OUTCOME_PREEMPTED: preempted = true; break;
			default: break;
			}
		}
		if (!exec_settle(x)) {
			return OUTCOME_FAULT;
		}
		if (block->n_live == 0) {
			return OUTCOME_DONE;
		}
		bool released = release_barriers(x, block);

		if (preempted && ++round >= n_rounds) {
			return OUTCOME_PREEMPTED;
		}
		if (!released && !preempted && x->n_instructions == before &&
			!force_synchronising(block)) {
			char what[160];

			snprintf(what, sizeof(what),
				"deadlock: all live threads of block (%u,%u,%u) wait at "
				"a barrier "
				"that cannot complete",
				block->index[0], block->index[1], block->index[2]);
			exec_stop(x, NULL, EXEC_TIMEOUT, 0, what);
			return OUTCOME_FAULT;
		}
	}
}
