/* SPDX-License-Identifier: Apache-2.0 */
/* context.h: contexts, as the guest knows them. */
#pragma once

#include <cuda.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "guest-shim/libcuda/handle.h"
#include "guest-shim/libcuda/thread.h"

/* What the host has said of a context (limit.c). */
struct context_limits {
	bool has_value[CU_LIMIT_MAX];
	size_t values[CU_LIMIT_MAX];
	bool has_cache_config;
	CUfunc_cache cache_config;
};

/* So many streams are remembered to be quiet. */
#define CONTEXT_QUIET 16

/* Never freed: threads may have it on their stacks when it is destroyed. */
struct context {
	CUcontext handle;
	CUdevice device;
	unsigned flags;
	bool primary;
	unsigned long long id;
	struct context *next; /* of all there ever were */
	_Atomic CUresult sticky;  /* the error that spoiled it, or 0 */
	atomic_bool destroyed;
	/* 0: all that was sent is known to be done.  CONTEXT_BUSY: something was sent since.
	 * Else the number of a wait or a mark, since which nothing was sent. */
	_Atomic uint64_t busy;
	_Atomic uint64_t done; /* the last wait that has ended, by its number */
	/* Streams that some wait was for, and the number of that wait; the last is for the
	 * legacy stream (context_wait.c). */
	_Atomic uint64_t quiet[CONTEXT_QUIET + 1];
	atomic_uint n_nonblocking; /* streams that do not order themselves with stream 0 */
	atomic_bool has_priorities;
	int least_priority, greatest_priority;
	struct context_limits limits;
};

#define CONTEXT_BUSY UINT64_MAX

static inline CUresult
context_check(const struct context *context)
{
	if (__builtin_expect(context == NULL, 0)) {
		return CUDA_ERROR_INVALID_CONTEXT;
	}
	if (__builtin_expect(atomic_load_explicit(&context->destroyed, memory_order_relaxed), 0)) {
		return CUDA_ERROR_CONTEXT_IS_DESTROYED;
	}
	return atomic_load_explicit(&context->sticky, memory_order_relaxed);
}

/* After a one-way call: there is something to wait for.  (After, not before: else another
 * thread's synchronisation could miss the call and still clear the mark.) */
static inline void
context_touch(struct context *context)
{
	if (atomic_load_explicit(&context->busy, memory_order_relaxed) != CONTEXT_BUSY) {
		atomic_store_explicit(&context->busy, CONTEXT_BUSY, memory_order_release);
	}
}

/* Whether the process has never had another. */
bool context_is_only_one(void);

/* Whether nothing is left to wait for: in the context, or in one of its streams. */
bool context_is_idle(const struct context *context);
bool context_is_quiet(const struct context *context, call_handle stream);
/* Around a wait for all that was sent so far; the end only if it succeeded. */
uint64_t context_wait_begin(struct context *context);
void context_wait_end(struct context *context, uint64_t wait);
/* The same for a wait for all in a stream. */
uint64_t context_quiet_begin(struct context *context);
void context_quiet_end(struct context *context, uint64_t wait, call_handle stream);

/* A mark behind all that was sent so far; 0 if all of it is done. */
uint64_t context_mark(struct context *context);
/* Whether all that was sent before the mark is done. */
bool context_is_done(const struct context *context, uint64_t mark);
/* Whether waiting for the context waits for nothing that was sent after the mark. */
bool context_can_wait(const struct context *context, uint64_t mark);

/* The current context, or why there is none that can be used. */
CUresult context_current(struct context **ret_context);
/* By handle; NULL means the current one, as in CUDA. */
CUresult context_get(CUcontext handle, struct context **ret_context);
/* Wait for everything in the current context. */
CUresult context_synchronize(void);
