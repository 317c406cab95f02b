/* SPDX-License-Identifier: Apache-2.0 */
/* exec_launch.c: one launch: its blocks dealt out to worker threads.
 *
 * A worker thread takes blocks one by one.  A block that waits for another one (a spin
 * lock, decoupled look-back) is put aside after a while and the next is taken as well;
 * from then on they run in turn.  In a cooperative launch all blocks are there from the
 * start. */
#include "exec_private.h"

#include "common/checked.h"
#include "common/cleanup.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_WORKERS 256
#define MAX_RESIDENT 4096 /* blocks put aside by one worker */
#define SLICE_ALONE 20000 /* branches before a warp makes room, if its block is alone */
#define SLICE_SHARED 2000
#define SLICE_COOPERATIVE 500

struct worker {
	struct exec_state *state;
	uint32_t number;
	pthread_t thread;
};

/* The blocks that a worker has begun and not finished. */
struct residents {
	struct exec_block **blocks;
	struct exec_block *spare; /* finished: taken again rather than made anew */
	uint32_t n;
	uint32_t capacity;
};

/* Which block next.  A cooperative launch is dealt out evenly, because nobody may take a
 * second turn before all blocks have begun. */
static bool
next_block(const struct worker *worker, uint32_t n_taken, uint64_t *ret_index)
{
	struct exec_state *state = worker->state;
	uint64_t index;

	if (state->launch->cooperative) {
		index = worker->number + (uint64_t)n_taken * state->n_workers;
	} else {
		index = __atomic_fetch_add(&state->next_block, 1, __ATOMIC_RELAXED);
	}
	if (index >= state->n_blocks) {
		return false;
	}
	*ret_index = index;
	return true;
}

/* False: no memory. */
static bool
residents_add(struct exec_context *x, struct residents *residents, uint64_t index)
{
	if (residents->n == residents->capacity) {
		uint32_t capacity = residents->capacity * 2 + 16;
		struct exec_block **blocks = realloc(
			residents->blocks, capacity * sizeof(struct exec_block *));

		if (blocks == NULL) {
			return false;
		}
		residents->blocks = blocks;
		residents->capacity = capacity;
	}
	struct exec_block *block = TAKE(residents->spare);

	if (block != NULL) {
		exec_block_start(x, block, index);
	} else {
		block = exec_block_new(x, index);
		if (block == NULL) {
			return false;
		}
	}
	residents->blocks[residents->n++] = block;
	return exec_block_fill(x, block);
}

static void
residents_remove(struct residents *residents, uint32_t i)
{
	struct exec_block *block = residents->blocks[i];

	/* The others keep their order: the oldest is the one that others wait for. */
	residents->n--;
	memmove(&residents->blocks[i], &residents->blocks[i + 1],
		(residents->n - i) * sizeof(struct exec_block *));
	if (residents->spare == NULL) {
		residents->spare = block;
	} else {
		exec_block_free(block);
	}
}

static void
work(struct exec_context *x, const struct worker *worker, struct residents *residents)
{
	bool cooperative = worker->state->launch->cooperative;
	bool more = true;
	uint32_t n_taken = 0;

	while (more || residents->n > 0) {
		while (more && residents->n < MAX_RESIDENT) {
			uint64_t index;

			more = next_block(worker, n_taken, &index);
			if (more && !residents_add(x, residents, index)) {
				exec_stop(x, NULL, EXEC_OUT_OF_MEMORY, 0,
					"no memory for a block");
				return;
			}
			n_taken++;
			if (!cooperative) {
				break;
			}
		}
		for (uint32_t i = 0; i < residents->n;) {
			struct exec_block *block = residents->blocks[i];
			enum exec_outcome outcome =
				cooperative
					? exec_run_block(x, block, 1, SLICE_COOPERATIVE)
				: residents->n > 1
					? exec_run_block(x, block, 2, SLICE_SHARED)
					: exec_run_block(x, block, 50, SLICE_ALONE);

			if (outcome == OUTCOME_FAULT) {
				return;
			}
			if (outcome == OUTCOME_DONE) {
				residents_remove(residents, i);
			} else {
				i++;
			}
		}
		if (residents->n > 1) {
			sched_yield();
		}
	}
}

static void *
worker_main(void *argument)
{
	struct worker *worker = argument;
	struct residents residents = { 0 };
	struct exec_context *x = calloc(1, sizeof(*x));

	if (x == NULL) {
		int none = EXEC_OK;

		__atomic_compare_exchange_n(&worker->state->fault, &none,
			EXEC_OUT_OF_MEMORY, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
		return NULL;
	}
	x->state = worker->state;
	pthread_mutex_lock(&x->state->start);
	pthread_mutex_unlock(&x->state->start);
	work(x, worker, &residents);
	exec_settle(x);
	for (uint32_t i = 0; i < residents.n; i++) {
		exec_block_free(residents.blocks[i]);
	}
	exec_block_free(residents.spare);
	free(residents.blocks);
	free(x);
	return NULL;
}

static uint64_t
environment_number(const char *name, uint64_t fallback)
{
	const char *text = getenv(name);
	char *end;

	if (text == NULL || *text == 0) {
		return fallback;
	}
	unsigned long long value = strtoull(text, &end, 10);

	return *end == 0 && value > 0 ? value : fallback;
}

/* The C library reads a file of the kernel's each time: 5 us, more than a small launch. */
static uint64_t
count_processors(void)
{
	static _Atomic long n_processors;
	long n = n_processors;

	if (n == 0) {
		n = sysconf(_SC_NPROCESSORS_ONLN);
		n_processors = n = n > 0 ? n : 1;
	}
	return (uint64_t)n;
}

static uint32_t
count_workers(const struct exec_state *state)
{
	uint64_t n = state->launch->n_threads;

	if (n == 0) {
		n = environment_number("OUTBOARD_SOFT_THREADS", count_processors());
	}
	if (n > state->n_blocks) {
		n = state->n_blocks;
	}
	return n > MAX_WORKERS ? MAX_WORKERS : (uint32_t)n;
}

/* The calling thread is the first worker.  A thread that cannot be had is done without;
 * nobody begins before it is known how many there are, since the blocks of a cooperative
 * launch are dealt out by that number. */
static void
run_workers(struct exec_state *state)
{
	struct worker workers[MAX_WORKERS];
	uint32_t n_started = 0;

	pthread_mutex_lock(&state->start);
	for (uint32_t i = 1; i < state->n_workers; i++) {
		workers[i] = (struct worker){ .state = state, .number = i };
		if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]) !=
			0) {
			break;
		}
		n_started = i;
	}
	state->n_workers = n_started + 1;
	pthread_mutex_unlock(&state->start);
	workers[0] = (struct worker){ .state = state };
	worker_main(&workers[0]);
	for (uint32_t i = 1; i <= n_started; i++) {
		pthread_join(workers[i].thread, NULL);
	}
}

static const char *
check_launch(const struct exec_launch *launch)
{
	const struct ptx_function *function = launch->function;
	const uint32_t *grid = launch->grid;
	const uint32_t *block = launch->block;

	for (int i = 0; i < 3; i++) {
		if (grid[i] == 0 || block[i] == 0 || block[i] > 1024) {
			return "a dimension of grid or block is out of range";
		}
	}
	if ((uint64_t)block[0] * block[1] * block[2] > 1024 || grid[0] > INT32_MAX ||
		grid[1] > 65535 || grid[2] > 65535) {
		return "grid or block is too large";
	}
	if (!function->is_entry || !function->is_defined) {
		return "not a kernel";
	}
	if (launch->params_size < function->params_size) {
		return "too few bytes of parameters";
	}
	if ((uint64_t)function->dynamic_offset + launch->dynamic_shared_size > 1u << 20) {
		return "too much shared memory";
	}
	return NULL;
}

/* Whether local memory is needed for more than the kernel's own variables. */
static uint32_t
local_stride(const struct exec_launch *launch)
{
	const struct ptx_function *function = launch->function;
	uint32_t stack = launch->stack_size != 0 ? launch->stack_size : 16384;
	uint64_t size = function->local_size;

	if (function->n_callees != 0 || function->calls_indirectly) {
		size += stack;
	}
	return size > 1u << 30 ? 1u << 30 : (uint32_t)round_up(size, 16);
}

static bool
make_workspace(struct exec_state *state)
{
	const struct exec_memory *memory = state->launch->memory;

	if (!state->launch->cooperative || memory->heap_alloc == NULL) {
		return true;
	}
	state->workspace = memory->heap_alloc(memory->opaque, 256);
	if (state->workspace == 0) {
		return false;
	}
	memset((void *)(uintptr_t)state->workspace, 0, 256);
	return true;
}

enum exec_fault
exec_run_variant(const struct exec_launch *launch, struct exec_result *ret_result)
{
	const struct ptx_function *function = launch->function;
	struct exec_state state = { .launch = launch, .result = ret_result };
	const char *wrong = check_launch(launch);

	if (wrong != NULL) {
		ret_result->fault = EXEC_INVALID_VALUE;
		snprintf(ret_result->message, sizeof(ret_result->message),
			"%s, kernel '%.200s'", wrong, function->name);
		return ret_result->fault;
	}
	if (function->unsupported != NULL) {
		ret_result->fault = EXEC_NOT_SUPPORTED;
		snprintf(ret_result->message, sizeof(ret_result->message),
			"%.700s, kernel '%.200s'", function->unsupported, function->name);
		return ret_result->fault;
	}
	long n_pages = sysconf(_SC_PHYS_PAGES);
	long page_size = sysconf(_SC_PAGESIZE);

	state.memory_limit = n_pages > 0 && page_size > 0
				     ? (uint64_t)n_pages * (uint64_t)page_size / 2
				     : 1ull << 30;
	state.budget = launch->budget != 0 ? launch->budget
					   : environment_number("OUTBOARD_SOFT_BUDGET",
						     1000000000000ull);
	state.n_blocks = (uint64_t)launch->grid[0] * launch->grid[1] * launch->grid[2];
	state.static_shared_size = function->shared_size;
	state.shared_size = function->dynamic_offset + launch->dynamic_shared_size;
	if (state.shared_size < function->shared_size) {
		state.shared_size = function->shared_size;
	}
	state.local_stride = local_stride(launch);
	state.n_workers = count_workers(&state);
	/* Parameters are read with the alignment that PTX promises. */
	size_t params_size = round_up((size_t)function->params_size + 16, 64);
	uint8_t *params = aligned_alloc(64, params_size);

	if (params == NULL || !make_workspace(&state)) {
		free(params);
		ret_result->fault = EXEC_OUT_OF_MEMORY;
		snprintf(ret_result->message, sizeof(ret_result->message),
			"no memory to launch, kernel '%.200s'", function->name);
		return ret_result->fault;
	}
	memset(params, 0, params_size);
	if (function->params_size != 0) {
		memcpy(params, launch->params, function->params_size);
	}
	state.params = params;
	pthread_mutex_init(&state.start, NULL);
	run_workers(&state);
	pthread_mutex_destroy(&state.start);
	if (state.workspace != 0) {
		launch->memory->heap_free(launch->memory->opaque, state.workspace);
	}
	free(params);
	ret_result->n_instructions = state.n_done;
	ret_result->fault = state.fault;
	return ret_result->fault;
}
