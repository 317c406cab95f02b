/* SPDX-License-Identifier: Apache-2.0 */
/* context.c: contexts: created and retained on the host, stacked in the guest.
 *
 * Which context is current is known only here: every call says in which it runs (guest.c).
 * A primary context is retained on the host once, however often the program does it. */
#include "guest-shim/libcuda/context.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "guest-shim/libcuda/api.h"
#include "guest-shim/libcuda/arena.h"
#include "guest-shim/libcuda/copy_pending.h"
#include "guest-shim/libcuda/guest.h"
#include "guest-shim/libcuda/limit.h"
#include "guest-shim/libcuda/map.h"
#include "guest-shim/libcuda/memory_cache.h"
#include "guest-shim/libcuda/module.h"
#include "guest-shim/libcuda/session.h"
#include "guest-shim/libcuda/stream.h"
#include "remote.h"

/* What cuCtxGetApiVersion has said since CUDA 3.2. */
#define CONTEXT_API_VERSION 3020

static struct {
	pthread_mutex_t lock;
	struct {
		struct context *context; /* NULL until retained for the first time */
		unsigned n_retained;
		unsigned flags;
	} primary[CALL_DEVICES_MAX];
	struct context *all; /* even those that are gone: found, they are no leak */
	atomic_ullong last_id;
} contexts = { .lock = PTHREAD_MUTEX_INITIALIZER };

CUresult
context_current(struct context **ret_context)
{
	CUresult result = session_error();

	if (result == CUDA_SUCCESS) {
		result = context_check(thread_self.current);
	}
	if (result == CUDA_SUCCESS) {
		*ret_context = thread_self.current;
	}
	return result;
}

CUresult
context_get(CUcontext handle, struct context **ret_context)
{
	if (handle == NULL) {
		return context_current(ret_context);
	}
	CUresult result = session_error();
	if (result != CUDA_SUCCESS) {
		return result;
	}
	struct context *context = handle_find(HANDLE_CUcontext, handle);
	if (context == NULL) {
		return CUDA_ERROR_INVALID_CONTEXT;
	}
	*ret_context = context;
	return CUDA_SUCCESS;
}

bool
context_is_only_one(void)
{
	return atomic_load_explicit(&contexts.last_id, memory_order_relaxed) <= 1;
}

/* An object for a context that the host has just made. */
static CUresult
context_adopt(CUcontext handle, CUdevice device, unsigned flags, bool primary,
	struct context **ret_context)
{
	struct context *context = calloc(1, sizeof(*context));

	if (context == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	context->handle = handle;
	context->device = device;
	context->flags = flags;
	context->primary = primary;
	context->id = ++contexts.last_id;
	context->next = contexts.all;
	contexts.all = context;
	handle_set(HANDLE_CUcontext, handle, context);
	*ret_context = context;
	return CUDA_SUCCESS;
}

/* The host has destroyed it, or will before it sees the next call. */
static void
context_end(struct context *context)
{
	/* Pinned memory goes with the context, and copies of others may use it. */
	(void)arena_drain();
	atomic_store(&context->destroyed, true);
	stream_end_all(context);
	module_end_all(context);
	map_end_context(context);
	limit_forget(context);
	memory_cache_end_context(context);
}

/* ---- primary contexts ---- */

/* A primary context keeps its number, and its object here, however often it comes and
 * goes: so does the host's. */
static CUresult
primary_retain(CUdevice dev, struct context **at)
{
	cuDevicePrimaryCtxRetain_args args = { 0 };
	cuDevicePrimaryCtxRetain_ret ret = { 0 };
	CUcontext handle;

	if (*at == NULL) {
		CUresult result = remote_cuDevicePrimaryCtxRetain(&handle, dev);
		return result != CUDA_SUCCESS
			? result
			: context_adopt(handle, dev, contexts.primary[dev].flags, true, at);
	}
	args.pctx = handle_packed((*at)->handle);
	CUresult result = guest_pack_device(dev, &args.dev);
	if (result == CUDA_SUCCESS) {
		result = guest_call(CALL_cuDevicePrimaryCtxRetain, &args, &ret);
	}
	if (result == CUDA_SUCCESS) {
		atomic_store(&(*at)->sticky, CUDA_SUCCESS);
		atomic_store(&(*at)->destroyed, false);
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuDevicePrimaryCtxRetain(CUcontext *pctx, CUdevice dev)
{
	CUresult result = session_error();

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (pctx == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (session_device(dev) == NULL) {
		return CUDA_ERROR_INVALID_DEVICE;
	}
	HOLD_LOCK(&contexts.lock);
	struct context **at = &contexts.primary[dev].context;
	if (contexts.primary[dev].n_retained == 0) {
		result = primary_retain(dev, at);
	}
	if (result == CUDA_SUCCESS) {
		contexts.primary[dev].n_retained++;
		*pctx = (*at)->handle;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuDevicePrimaryCtxRelease_v2(CUdevice dev)
{
	CUresult result = session_error();

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (session_device(dev) == NULL) {
		return CUDA_ERROR_INVALID_DEVICE;
	}
	HOLD_LOCK(&contexts.lock);
	if (contexts.primary[dev].n_retained == 0) {
		return CUDA_ERROR_INVALID_CONTEXT;
	}
	if (--contexts.primary[dev].n_retained == 0) {
		copy_pending_wait_all();
		context_end(contexts.primary[dev].context);
		result = remote_cuDevicePrimaryCtxRelease_v2(dev);
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuDevicePrimaryCtxReset_v2(CUdevice dev)
{
	CUresult result = session_error();

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (session_device(dev) == NULL) {
		return CUDA_ERROR_INVALID_DEVICE;
	}
	HOLD_LOCK(&contexts.lock);
	struct context *context = contexts.primary[dev].context;
	copy_pending_wait_all();
	result = remote_cuDevicePrimaryCtxReset_v2(dev);
	if (context != NULL) {
		context_end(context);
		/* Who has retained it goes on with an empty one. */
		atomic_store(&context->sticky, CUDA_SUCCESS);
		atomic_store(&context->destroyed, contexts.primary[dev].n_retained == 0);
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuDevicePrimaryCtxSetFlags_v2(CUdevice dev, unsigned int flags)
{
	CUresult result = remote_cuDevicePrimaryCtxSetFlags_v2(dev, flags);

	if (result == CUDA_SUCCESS) {
		HOLD_LOCK(&contexts.lock);
		contexts.primary[dev].flags = flags;
		if (contexts.primary[dev].context != NULL) {
			contexts.primary[dev].context->flags = flags;
		}
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuDevicePrimaryCtxGetState(CUdevice dev, unsigned int *flags, int *active)
{
	CUresult result = session_error();

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (flags == NULL || active == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (session_device(dev) == NULL) {
		return CUDA_ERROR_INVALID_DEVICE;
	}
	HOLD_LOCK(&contexts.lock);
	*flags = contexts.primary[dev].flags;
	*active = contexts.primary[dev].n_retained > 0;
	return CUDA_SUCCESS;
}

/* ---- contexts of the program's own ---- */

CUDA_EXPORT CUresult CUDAAPI
cuCtxCreate_v2(CUcontext *pctx, unsigned int flags, CUdevice dev)
{
	CUcontext handle;
	struct context *context = NULL;
	CUresult result = session_error();

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (pctx == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	result = remote_cuCtxCreate_v2(&handle, flags, dev);
	if (result == CUDA_SUCCESS) {
		HOLD_LOCK(&contexts.lock);
		result = context_adopt(handle, dev, flags, false, &context);
	}
	if (result == CUDA_SUCCESS) {
		result = thread_push(context);
	}
	if (result == CUDA_SUCCESS) {
		*pctx = handle;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuCtxCreate_v3(CUcontext *pctx, CUexecAffinityParam *paramsArray, int numParams,
	unsigned int flags, CUdevice dev)
{
	if (paramsArray != NULL && numParams > 0) {
		return CUDA_ERROR_NOT_SUPPORTED;
	}
	return cuCtxCreate_v2(pctx, flags, dev);
}

CUDA_EXPORT CUresult CUDAAPI
cuCtxCreate_v4(CUcontext *pctx, CUctxCreateParams *ctxCreateParams, unsigned int flags,
	CUdevice dev)
{
	if (ctxCreateParams != NULL &&
		(ctxCreateParams->numExecAffinityParams != 0 || ctxCreateParams->cigParams != NULL)) {
		return CUDA_ERROR_NOT_SUPPORTED;
	}
	return cuCtxCreate_v2(pctx, flags, dev);
}

CUDA_EXPORT CUresult CUDAAPI
cuCtxDestroy_v2(CUcontext ctx)
{
	struct context *context;
	CUresult result = ctx == NULL ? CUDA_ERROR_INVALID_CONTEXT : context_get(ctx, &context);

	if (result == CUDA_SUCCESS && context->primary) {
		result = CUDA_ERROR_INVALID_CONTEXT;
	}
	if (result != CUDA_SUCCESS) {
		return result;
	}
	copy_pending_wait_all();
	context_end(context);
	if (thread_self.current == context) {
		thread_pop();
	}
	return remote_cuCtxDestroy_v2(ctx); /* drops the handle */
}

/* ---- the thread's stack ---- */

CUDA_EXPORT CUresult CUDAAPI
cuCtxGetCurrent(CUcontext *pctx)
{
	if (session_lane() == NULL) {
		return session_error();
	}
	if (pctx == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*pctx = thread_self.current != NULL ? thread_self.current->handle : NULL;
	return CUDA_SUCCESS;
}

CUDA_EXPORT CUresult CUDAAPI
cuCtxSetCurrent(CUcontext ctx)
{
	struct context *context;
	CUresult result = session_error();

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (ctx == NULL) {
		if (thread_self.current != NULL) {
			thread_pop();
		}
		return CUDA_SUCCESS;
	}
	result = context_get(ctx, &context);
	if (result == CUDA_SUCCESS) {
		thread_self.current = context;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuCtxPushCurrent_v2(CUcontext ctx)
{
	struct context *context;
	CUresult result = session_error();

	if (result == CUDA_SUCCESS && ctx == NULL) {
		result = CUDA_ERROR_INVALID_CONTEXT;
	}
	if (result == CUDA_SUCCESS) {
		result = context_get(ctx, &context);
	}
	return result == CUDA_SUCCESS ? thread_push(context) : result;
}

CUDA_EXPORT CUresult CUDAAPI
cuCtxPopCurrent_v2(CUcontext *pctx)
{
	CUresult result = session_error();

	if (result == CUDA_SUCCESS && thread_self.current == NULL) {
		result = CUDA_ERROR_INVALID_CONTEXT;
	}
	if (result == CUDA_SUCCESS) {
		if (pctx != NULL) {
			*pctx = thread_self.current->handle;
		}
		thread_pop();
	}
	return result;
}

/* ---- what a context is ---- */

CUDA_EXPORT CUresult CUDAAPI
cuCtxGetDevice_v2(CUdevice *device, CUcontext ctx)
{
	struct context *context;
	CUresult result = session_error();

	if (result == CUDA_SUCCESS && device == NULL) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (ctx == NULL && thread_self.current != NULL) {
		/* Even of a context that an error has spoiled. */
		*device = thread_self.current->device;
		return CUDA_SUCCESS;
	}
	result = context_get(ctx, &context);
	if (result == CUDA_SUCCESS) {
		*device = context->device;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuCtxGetDevice(CUdevice *device)
{
	return cuCtxGetDevice_v2(device, NULL);
}

CUDA_EXPORT CUresult CUDAAPI
cuCtxGetApiVersion(CUcontext ctx, unsigned int *version)
{
	struct context *context;

	if (version == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	CUresult result = context_get(ctx, &context);
	if (result == CUDA_SUCCESS) {
		*version = CONTEXT_API_VERSION;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuCtxGetFlags(unsigned int *flags)
{
	struct context *context;

	if (flags == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	CUresult result = context_current(&context);
	if (result == CUDA_SUCCESS) {
		*flags = context->flags;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuCtxGetId(CUcontext ctx, unsigned long long *ctxId)
{
	struct context *context;

	if (ctxId == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	CUresult result = context_get(ctx, &context);
	if (result == CUDA_SUCCESS) {
		*ctxId = context->id;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuCtxGetStreamPriorityRange(int *leastPriority, int *greatestPriority)
{
	struct context *context;
	CUresult result = context_current(&context);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (!atomic_load_explicit(&context->has_priorities, memory_order_acquire)) {
		int least, greatest;
		result = remote_cuCtxGetStreamPriorityRange(&least, &greatest);
		if (result != CUDA_SUCCESS) {
			return result;
		}
		HOLD_LOCK(&contexts.lock);
		if (!atomic_load(&context->has_priorities)) {
			context->least_priority = least;
			context->greatest_priority = greatest;
			atomic_store_explicit(
				&context->has_priorities, true, memory_order_release);
		}
	}
	if (leastPriority != NULL) {
		*leastPriority = context->least_priority;
	}
	if (greatestPriority != NULL) {
		*greatestPriority = context->greatest_priority;
	}
	return CUDA_SUCCESS;
}

/* Every device since Kepler's successors has one bank size. */
CUDA_EXPORT CUresult CUDAAPI
cuCtxGetSharedMemConfig(CUsharedconfig *pConfig)
{
	struct context *context;
	CUresult result = pConfig == NULL ? CUDA_ERROR_INVALID_VALUE : context_current(&context);

	if (result == CUDA_SUCCESS) {
		*pConfig = CU_SHARED_MEM_CONFIG_FOUR_BYTE_BANK_SIZE;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuCtxSetSharedMemConfig(CUsharedconfig config)
{
	struct context *context;

	return config > CU_SHARED_MEM_CONFIG_EIGHT_BYTE_BANK_SIZE ? CUDA_ERROR_INVALID_VALUE
								  : context_current(&context);
}
