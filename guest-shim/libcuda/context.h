/* SPDX-License-Identifier: Apache-2.0 */
/* context.h: contexts, as the guest knows them. */
#pragma once

#include <cuda.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "guest-shim/libcuda/handle.h"
#include "guest-shim/libcuda/thread.h"

/* Never freed: threads may have it on their stacks when it is destroyed. */
struct context {
	CUcontext handle;
	CUdevice device;
	unsigned flags;
	bool primary;
	unsigned long long id;
	_Atomic CUresult sticky;  /* the error that spoiled it, or 0 */
	atomic_bool destroyed;
	/* 0: all that was sent is known to be done.  CONTEXT_BUSY: something was sent since.
	 * Else the number of a wait or a mark after which nothing was sent (epoch.c). */
	_Atomic uint64_t busy;
	_Atomic uint64_t done; /* the last wait that has ended, by its number */
	struct context *next;
	atomic_uint n_nonblocking; /* streams that do not order themselves with stream 0 */
	atomic_bool has_priorities;
	int least_priority, greatest_priority;
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

/* The current context, or why there is none that can be used. */
CUresult context_current(struct context **ret_context);
/* By handle; NULL means the current one, as in CUDA. */
CUresult context_get(CUcontext handle, struct context **ret_context);
/* Wait for everything in the current context. */
CUresult context_synchronize(void);
