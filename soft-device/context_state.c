/* SPDX-License-Identifier: Apache-2.0 */
/* context_state.c: what a context remembers: flags, limits, preferences. */
#include "soft-device/context.h"

#include "common/cleanup.h"
#include "soft-device/allocation.h"
#include "soft-device/device.h"
#include "soft-device/stream.h"

#define STACK_SIZE_MAX ((size_t)512 << 10)

/* NULL means the current one. */
static CUresult
context_named(CUcontext ctx, struct context **ret_context)
{
	if (ctx == NULL) {
		return context_current(ret_context);
	}
	TRY(device_ready());
	struct context *context = object_get(OBJECT_CONTEXT, ctx);

	if (context == NULL) {
		return CUDA_ERROR_INVALID_CONTEXT;
	}
	*ret_context = context;
	return CUDA_SUCCESS;
}

/* Declare and get the named context, or return why there is none. */
#define NAMED_CONTEXT(name, ctx) \
	cleanup_object struct context *name = NULL; \
	TRY(context_named(ctx, &name))

CUresult
cuCtxGetDevice_v2(CUdevice *device, CUcontext ctx)
{
	if (device == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	NAMED_CONTEXT(context, ctx);
	*device = context->device;
	return CUDA_SUCCESS;
}

CUresult
cuCtxGetDevice(CUdevice *device)
{
	return cuCtxGetDevice_v2(device, NULL);
}

CUresult
cuCtxGetFlags(unsigned int *flags)
{
	if (flags == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	NAMED_CONTEXT(context, NULL);
	*flags = __atomic_load_n(&context->flags, __ATOMIC_RELAXED);
	return CUDA_SUCCESS;
}

CUresult
cuCtxSetFlags(unsigned int flags)
{
	NAMED_CONTEXT(context, NULL);
	unsigned int schedule = flags & CU_CTX_SCHED_MASK;

	if ((flags & ~(unsigned int)CU_CTX_FLAGS_MASK) != 0 ||
		(schedule & (schedule - 1)) != 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	__atomic_store_n(&context->flags, flags, __ATOMIC_RELAXED);
	return CUDA_SUCCESS;
}

CUresult
cuCtxGetId(CUcontext ctx, unsigned long long *ctxId)
{
	if (ctxId == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	NAMED_CONTEXT(context, ctx);
	*ctxId = context->id;
	return CUDA_SUCCESS;
}

CUresult
cuCtxGetApiVersion(CUcontext ctx, unsigned int *version)
{
	if (version == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	NAMED_CONTEXT(context, ctx);
	*version = context->version;
	return CUDA_SUCCESS;
}

CUresult
cuCtxSynchronize_v2(CUcontext ctx)
{
	NAMED_CONTEXT(context, ctx);
	stream_wait_context(context);
	stream_flush_output();
	return context_failure(context);
}

CUresult
cuCtxSynchronize(void)
{
	return cuCtxSynchronize_v2(NULL);
}

CUresult
cuCtxSetLimit(CUlimit limit, size_t value)
{
	USE_CONTEXT(context);
	switch (limit) {
	case CU_LIMIT_STACK_SIZE:
		if (value > STACK_SIZE_MAX) {
			return CUDA_ERROR_INVALID_VALUE;
		}
		__atomic_store_n(&context->stack_size,
			value < 16 ? 16 : (value + 15) & ~(size_t)15, __ATOMIC_RELAXED);
		return CUDA_SUCCESS;
	case CU_LIMIT_PRINTF_FIFO_SIZE:
		__atomic_store_n(&context->printf_size, value, __ATOMIC_RELAXED);
		return CUDA_SUCCESS;
	case CU_LIMIT_MALLOC_HEAP_SIZE:
		if (value > device_memory(context->device)) {
			return CUDA_ERROR_INVALID_VALUE;
		}
		__atomic_store_n(&context->heap_size, value, __ATOMIC_RELAXED);
		allocation_heap_limit(context->device, value);
		return CUDA_SUCCESS;
	case CU_LIMIT_MAX_L2_FETCH_GRANULARITY:
		if (value > 128) {
			return CUDA_ERROR_INVALID_VALUE;
		}
		__atomic_store_n(&context->l2_granularity, value, __ATOMIC_RELAXED);
		return CUDA_SUCCESS;
	case CU_LIMIT_DEV_RUNTIME_SYNC_DEPTH:
	case CU_LIMIT_DEV_RUNTIME_PENDING_LAUNCH_COUNT:
	case CU_LIMIT_PERSISTING_L2_CACHE_SIZE: return CUDA_ERROR_UNSUPPORTED_LIMIT;
	default: return CUDA_ERROR_INVALID_VALUE;
	}
}

CUresult
cuCtxGetLimit(size_t *pvalue, CUlimit limit)
{
	if (pvalue == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	USE_CONTEXT(context);
	switch (limit) {
	case CU_LIMIT_STACK_SIZE:
		*pvalue = __atomic_load_n(&context->stack_size, __ATOMIC_RELAXED);
		return CUDA_SUCCESS;
	case CU_LIMIT_PRINTF_FIFO_SIZE:
		*pvalue = __atomic_load_n(&context->printf_size, __ATOMIC_RELAXED);
		return CUDA_SUCCESS;
	case CU_LIMIT_MALLOC_HEAP_SIZE:
		*pvalue = __atomic_load_n(&context->heap_size, __ATOMIC_RELAXED);
		return CUDA_SUCCESS;
	case CU_LIMIT_MAX_L2_FETCH_GRANULARITY:
		*pvalue = __atomic_load_n(&context->l2_granularity, __ATOMIC_RELAXED);
		return CUDA_SUCCESS;
	case CU_LIMIT_PERSISTING_L2_CACHE_SIZE: *pvalue = 0; return CUDA_SUCCESS;
	case CU_LIMIT_DEV_RUNTIME_SYNC_DEPTH:
	case CU_LIMIT_DEV_RUNTIME_PENDING_LAUNCH_COUNT:
		return CUDA_ERROR_UNSUPPORTED_LIMIT;
	default: return CUDA_ERROR_INVALID_VALUE;
	}
}

CUresult
cuCtxGetCacheConfig(CUfunc_cache *pconfig)
{
	if (pconfig == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	USE_CONTEXT(context);
	*pconfig = __atomic_load_n(&context->cache_config, __ATOMIC_RELAXED);
	return CUDA_SUCCESS;
}

CUresult
cuCtxSetCacheConfig(CUfunc_cache config)
{
	USE_CONTEXT(context);
	if (config > CU_FUNC_CACHE_PREFER_EQUAL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	__atomic_store_n(&context->cache_config, config, __ATOMIC_RELAXED);
	return CUDA_SUCCESS;
}

CUresult
cuCtxGetSharedMemConfig(CUsharedconfig *pConfig)
{
	if (pConfig == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	USE_CONTEXT(context);
	*pConfig = CU_SHARED_MEM_CONFIG_FOUR_BYTE_BANK_SIZE;
	return CUDA_SUCCESS;
}

CUresult
cuCtxSetSharedMemConfig(CUsharedconfig config)
{
	/* A no-op on every device since compute capability 5. */
	USE_CONTEXT(context);
	return config <= CU_SHARED_MEM_CONFIG_EIGHT_BYTE_BANK_SIZE
		       ? CUDA_SUCCESS
		       : CUDA_ERROR_INVALID_VALUE;
}

CUresult
cuCtxGetStreamPriorityRange(int *leastPriority, int *greatestPriority)
{
	USE_CONTEXT(context);
	if (leastPriority != NULL) {
		*leastPriority = STREAM_PRIORITY_LEAST;
	}
	if (greatestPriority != NULL) {
		*greatestPriority = STREAM_PRIORITY_GREATEST;
	}
	return CUDA_SUCCESS;
}

CUresult
cuCtxResetPersistingL2Cache(void)
{
	USE_CONTEXT(context);
	return CUDA_SUCCESS;
}

/* Every device sees every other's memory already; there is nothing to switch on. */
CUresult
cuCtxEnablePeerAccess(CUcontext peerContext, unsigned int Flags)
{
	USE_CONTEXT(context);
	cleanup_object struct context *peer = object_get(OBJECT_CONTEXT, peerContext);

	if (peer == NULL) {
		return CUDA_ERROR_INVALID_CONTEXT;
	}
	if (Flags != 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	return peer->device == context->device ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
}

CUresult
cuCtxDisablePeerAccess(CUcontext peerContext)
{
	USE_CONTEXT(context);
	cleanup_object struct context *peer = object_get(OBJECT_CONTEXT, peerContext);

	return peer == NULL ? CUDA_ERROR_INVALID_CONTEXT : CUDA_SUCCESS;
}

CUresult
cuProfilerStart(void)
{
	USE_CONTEXT(context);
	return CUDA_SUCCESS;
}

CUresult
cuProfilerStop(void)
{
	USE_CONTEXT(context);
	return CUDA_SUCCESS;
}

#undef NAMED_CONTEXT
