/* SPDX-License-Identifier: Apache-2.0 */
/* limit.c: limits and preferences of a context, asked once and until one is set. */
#include "guest-shim/libcuda/limit.h"

#include <pthread.h>
#include <string.h>

#include "common/cleanup.h"
#include "guest-shim/libcuda/api.h"
#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/guest.h"
#include "remote.h"

/* Held while the host is asked, so that no older answer is remembered than the last set.
 */
static pthread_mutex_t limits_lock = PTHREAD_MUTEX_INITIALIZER;

void
limit_forget(struct context *context)
{
	HOLD_LOCK(&limits_lock);
	memset(&context->limits, 0, sizeof(context->limits));
}

/* cuda.h: the driver raises the stack's size by itself, for kernels that need more. */
static bool
is_constant(CUlimit limit)
{
	return limit != CU_LIMIT_STACK_SIZE && (int)limit >= 0 && limit < CU_LIMIT_MAX;
}

CUDA_EXPORT CUresult CUDAAPI
cuCtxGetLimit(size_t *pvalue, CUlimit limit)
{
	struct context *context;
	CUresult result = context_current(&context);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (pvalue == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (!is_constant(limit)) {
		return remote_cuCtxGetLimit(pvalue, limit);
	}
	HOLD_LOCK(&limits_lock);
	struct context_limits *limits = &context->limits;
	if (!limits->has_value[limit]) {
		result = remote_cuCtxGetLimit(&limits->values[limit], limit);
		limits->has_value[limit] = result == CUDA_SUCCESS;
	}
	if (result == CUDA_SUCCESS) {
		*pvalue = limits->values[limit];
	}
	return result;
}

/* What was set need not be what there is now: the device rounds, and one limit may take
 * from another. */
CUDA_EXPORT CUresult CUDAAPI
cuCtxSetLimit(CUlimit limit, size_t value)
{
	struct context *context;
	CUresult result = context_current(&context);

	if (result == CUDA_SUCCESS) {
		HOLD_LOCK(&limits_lock);
		result = remote_cuCtxSetLimit(limit, value);
		memset(&context->limits, 0, sizeof(context->limits));
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuCtxGetCacheConfig(CUfunc_cache *pconfig)
{
	struct context *context;
	CUresult result = context_current(&context);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (pconfig == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	HOLD_LOCK(&limits_lock);
	struct context_limits *limits = &context->limits;
	if (!limits->has_cache_config) {
		result = remote_cuCtxGetCacheConfig(&limits->cache_config);
		limits->has_cache_config = result == CUDA_SUCCESS;
	}
	if (result == CUDA_SUCCESS) {
		*pconfig = limits->cache_config;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuCtxSetCacheConfig(CUfunc_cache config)
{
	struct context *context;
	CUresult result = context_current(&context);

	if (result == CUDA_SUCCESS) {
		HOLD_LOCK(&limits_lock);
		result = remote_cuCtxSetCacheConfig(config);
		context->limits.has_cache_config = false;
	}
	return result;
}
