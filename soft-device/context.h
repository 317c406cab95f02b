/* SPDX-License-Identifier: Apache-2.0 */
/* context.h: contexts: primary ones, created ones, and which one a thread works in. */
#pragma once

#include "soft-device/api.h"
#include "soft-device/object.h"

struct stream;

struct context {
	struct object object;
	CUdevice device;
	bool primary;
	bool active; /* atomic; false: a primary one that nobody retains */
	uint64_t id;
	unsigned int version;
	/* Once set, every call in this context answers it, as on the device. */
	CUresult failure;   /* atomic */
	unsigned int flags; /* atomic, as all below but the streams */
	CUfunc_cache cache_config;
	CUsharedconfig shared_config;
	size_t stack_size;
	size_t printf_size;
	size_t heap_size;
	size_t l2_granularity;
	/* Under the lock of stream.c. */
	struct stream *legacy;
	struct stream *streams;
};

/* The calling thread's context, usable; the caller has a reference.  NOT_INITIALIZED,
 * NOT_PERMITTED (inside a host callback), INVALID_CONTEXT, CONTEXT_IS_DESTROYED, or what
 * has failed in it before. */
CUresult context_use(struct context **ret_context);
/* The same, without looking at failures: for what must work to clean up or to ask. */
CUresult context_current(struct context **ret_context);
CUresult context_failure(const struct context *context);
/* Keep the first failure. */
void context_fail(struct context *context, CUresult failure);
/* Wait for everything in every context: before memory goes away. */
void context_wait_all(void);
/* Streams run the program's callbacks between these two. */
void context_enter_callback(void);
void context_leave_callback(void);

/* Declare and get the context, or return why there is none. */
#define USE_CONTEXT(name) \
	cleanup_object struct context *name = NULL; \
	TRY(context_use(&name))
