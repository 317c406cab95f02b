/* SPDX-License-Identifier: Apache-2.0 */
/* context.c: contexts: primary ones, created ones, and which one a thread works in.
 *
 * A thread's stack of contexts holds handles and not pointers, so that a context that
 * another thread has destroyed is found out at its next use.  A primary context exists
 * once per device and keeps its handle; between its last release and the next retain it
 * is inactive, which looks the same as destroyed. */
#include "soft-device/context.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "soft-device/allocation.h"
#include "soft-device/device.h"
#include "soft-device/stream.h"

#define STACK_MAX 64
#define STACK_SIZE_DEFAULT 16384
#define PRINTF_SIZE_DEFAULT (1 << 20)
#define HEAP_SIZE_DEFAULT (8 << 20)

struct primary {
	struct context *context;
	unsigned int n_retains;
	unsigned int flags;
};

static pthread_mutex_t primary_lock = PTHREAD_MUTEX_INITIALIZER;
static struct primary primaries[DEVICES_MAX];
static uint64_t next_id = 1; /* atomic */

static __thread CUcontext stack[STACK_MAX];
static __thread unsigned int stack_depth;
static __thread bool in_callback;

void
context_enter_callback(void)
{
	in_callback = true;
}

void
context_leave_callback(void)
{
	in_callback = false;
}

CUresult
context_failure(const struct context *context)
{
	return __atomic_load_n(&context->failure, __ATOMIC_ACQUIRE);
}

void
context_fail(struct context *context, CUresult failure)
{
	CUresult none = CUDA_SUCCESS;

	__atomic_compare_exchange_n(&context->failure, &none, failure, false,
		__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

CUresult
context_current(struct context **ret_context)
{
	TRY(device_ready());
	if (in_callback) {
		return CUDA_ERROR_NOT_PERMITTED;
	}
	if (stack_depth == 0 || stack[stack_depth - 1] == NULL) {
		return CUDA_ERROR_INVALID_CONTEXT;
	}
	struct context *context = object_get(OBJECT_CONTEXT, stack[stack_depth - 1]);

	if (context == NULL || !__atomic_load_n(&context->active, __ATOMIC_ACQUIRE)) {
		object_put(context);
		return CUDA_ERROR_CONTEXT_IS_DESTROYED;
	}
	*ret_context = context;
	return CUDA_SUCCESS;
}

CUresult
context_use(struct context **ret_context)
{
	struct context *context;

	TRY(context_current(&context));
	CUresult failure = context_failure(context);

	if (failure != CUDA_SUCCESS) {
		object_put(context);
		return failure;
	}
	*ret_context = context;
	return CUDA_SUCCESS;
}

static void
context_release(struct object *object)
{
	free(object);
}

static CUresult
context_new(
	CUdevice device, unsigned int flags, bool primary, struct context **ret_context)
{
	struct context *context = calloc(1, sizeof(*context));

	if (context == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	context->device = device;
	context->primary = primary;
	context->active = true;
	context->id = __atomic_fetch_add(&next_id, 1, __ATOMIC_RELAXED);
	context->version = primary ? 0 : 3020;
	context->flags = flags;
	context->stack_size = STACK_SIZE_DEFAULT;
	context->printf_size = PRINTF_SIZE_DEFAULT;
	context->heap_size = HEAP_SIZE_DEFAULT;
	context->l2_granularity = 64;
	if (!object_register(&context->object, OBJECT_CONTEXT, NULL, context_release)) {
		free(context);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (!stream_init_context(context)) {
		object_unregister(&context->object);
		object_put(context);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*ret_context = context;
	return CUDA_SUCCESS;
}

/* Take everything that lives in the context from the program. */
static void
context_empty(struct context *context)
{
	stream_wait_context(context);
	stream_flush_output();
	uint32_t at = 0;

	for (;;) {
		struct object *object = object_next(context, &at);

		if (object == NULL) {
			break;
		}
		if (object_unregister(object)) {
			if (object->type == OBJECT_STREAM) {
				stream_close((struct stream *)object);
			}
			object_put(object);
		}
		object_put(object);
	}
	allocation_free_context(context);
}

void
context_wait_all(void)
{
	uint32_t at = 0;

	for (;;) {
		struct object *object = object_next(NULL, &at);

		if (object == NULL) {
			return;
		}
		if (object->type == OBJECT_CONTEXT) {
			stream_wait_context((struct context *)object);
		}
		object_put(object);
	}
}

static bool
flags_are_valid(unsigned int flags)
{
	unsigned int schedule = flags & CU_CTX_SCHED_MASK;

	return (flags & ~(unsigned int)CU_CTX_FLAGS_MASK) == 0 &&
	       (schedule & (schedule - 1)) == 0;
}

/* ---- primary contexts ---- */

CUresult
cuDevicePrimaryCtxRetain(CUcontext *pctx, CUdevice dev)
{
	TRY(device_check(dev));
	if (pctx == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	HOLD_LOCK(&primary_lock);
	struct primary *p = &primaries[dev];

	if (p->context == NULL) {
		TRY(context_new(dev, p->flags, true, &p->context));
	}
	p->n_retains++;
	__atomic_store_n(&p->context->active, true, __ATOMIC_RELEASE);
	*pctx = (CUcontext)p->context->object.handle;
	return CUDA_SUCCESS;
}

static void
primary_reset(struct primary *p)
{
	struct context *context = p->context;

	context_empty(context);
	__atomic_store_n(&context->stack_size, STACK_SIZE_DEFAULT, __ATOMIC_RELAXED);
	__atomic_store_n(&context->printf_size, PRINTF_SIZE_DEFAULT, __ATOMIC_RELAXED);
	__atomic_store_n(&context->heap_size, HEAP_SIZE_DEFAULT, __ATOMIC_RELAXED);
	__atomic_store_n(&context->failure, CUDA_SUCCESS, __ATOMIC_RELEASE);
}

CUresult
cuDevicePrimaryCtxRelease_v2(CUdevice dev)
{
	TRY(device_check(dev));
	HOLD_LOCK(&primary_lock);
	struct primary *p = &primaries[dev];

	if (p->n_retains == 0) {
		return CUDA_ERROR_INVALID_CONTEXT;
	}
	if (--p->n_retains == 0) {
		__atomic_store_n(&p->context->active, false, __ATOMIC_RELEASE);
		primary_reset(p);
	}
	return CUDA_SUCCESS;
}

CUresult
cuDevicePrimaryCtxRelease(CUdevice dev)
{
	return cuDevicePrimaryCtxRelease_v2(dev);
}

CUresult
cuDevicePrimaryCtxReset_v2(CUdevice dev)
{
	TRY(device_check(dev));
	HOLD_LOCK(&primary_lock);

	if (primaries[dev].context != NULL) {
		primary_reset(&primaries[dev]);
	}
	return CUDA_SUCCESS;
}

CUresult
cuDevicePrimaryCtxReset(CUdevice dev)
{
	return cuDevicePrimaryCtxReset_v2(dev);
}

CUresult
cuDevicePrimaryCtxSetFlags_v2(CUdevice dev, unsigned int flags)
{
	TRY(device_check(dev));
	if (!flags_are_valid(flags)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	HOLD_LOCK(&primary_lock);
	struct primary *p = &primaries[dev];

	p->flags = flags;
	if (p->context != NULL) {
		__atomic_store_n(&p->context->flags, flags, __ATOMIC_RELAXED);
	}
	return CUDA_SUCCESS;
}

CUresult
cuDevicePrimaryCtxSetFlags(CUdevice dev, unsigned int flags)
{
	return cuDevicePrimaryCtxSetFlags_v2(dev, flags);
}

CUresult
cuDevicePrimaryCtxGetState(CUdevice dev, unsigned int *flags, int *active)
{
	TRY(device_check(dev));
	if (flags == NULL || active == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	HOLD_LOCK(&primary_lock);

	*flags = primaries[dev].flags;
	*active = primaries[dev].n_retains > 0;
	return CUDA_SUCCESS;
}

/* ---- created contexts ---- */

static CUresult
context_create(CUcontext *pctx, unsigned int flags, CUdevice dev, unsigned int version)
{
	TRY(device_check(dev));
	if (pctx == NULL || !flags_are_valid(flags)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (stack_depth == STACK_MAX) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	struct context *context;

	TRY(context_new(dev, flags, false, &context));
	context->version = version;
	stack[stack_depth++] = context->object.handle;
	*pctx = context->object.handle;
	return CUDA_SUCCESS;
}

CUresult
cuCtxCreate_v4(CUcontext *pctx, CUctxCreateParams *ctxCreateParams, unsigned int flags,
	CUdevice dev)
{
	if (ctxCreateParams != NULL && (ctxCreateParams->numExecAffinityParams != 0 ||
					       ctxCreateParams->cigParams != NULL)) {
		static bool said;

		unsupported_call("cuCtxCreate with execution affinity or CIG", &said);
		return CUDA_ERROR_NOT_SUPPORTED;
	}
	return context_create(pctx, flags, dev, 3020);
}

CUresult
cuCtxCreate_v3(CUcontext *pctx, CUexecAffinityParam *paramsArray, int numParams,
	unsigned int flags, CUdevice dev)
{
	if (numParams != 0) {
		static bool said;

		unsupported_call("cuCtxCreate with execution affinity", &said);
		return CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY;
	}
	return context_create(pctx, flags, dev, 3020);
}

CUresult
cuCtxCreate_v2(CUcontext *pctx, unsigned int flags, CUdevice dev)
{
	return context_create(pctx, flags, dev, 3020);
}

CUresult
cuCtxCreate(CUcontext *pctx, unsigned int flags, CUdevice dev)
{
	return context_create(pctx, flags, dev, 3010);
}

CUresult
cuCtxDestroy_v2(CUcontext ctx)
{
	TRY(device_ready());
	cleanup_object struct context *context = object_get(OBJECT_CONTEXT, ctx);

	if (context == NULL || context->primary) {
		return CUDA_ERROR_INVALID_CONTEXT;
	}
	if (stack_depth > 0 && stack[stack_depth - 1] == ctx) {
		stack_depth--;
	}
	if (object_unregister(&context->object)) {
		context_empty(context);
		stream_close_context(context);
		object_put(context);
	}
	return CUDA_SUCCESS;
}

CUresult
cuCtxDestroy(CUcontext ctx)
{
	return cuCtxDestroy_v2(ctx);
}

/* ---- the thread's stack ---- */

static bool
context_exists(CUcontext ctx)
{
	cleanup_object struct context *context = object_get(OBJECT_CONTEXT, ctx);

	return context != NULL;
}

CUresult
cuCtxPushCurrent_v2(CUcontext ctx)
{
	TRY(device_ready());
	if (!context_exists(ctx)) {
		return CUDA_ERROR_INVALID_CONTEXT;
	}
	if (stack_depth == STACK_MAX) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	stack[stack_depth++] = ctx;
	return CUDA_SUCCESS;
}

CUresult
cuCtxPushCurrent(CUcontext ctx)
{
	return cuCtxPushCurrent_v2(ctx);
}

CUresult
cuCtxPopCurrent_v2(CUcontext *pctx)
{
	TRY(device_ready());
	if (stack_depth == 0) {
		return CUDA_ERROR_INVALID_CONTEXT;
	}
	CUcontext top = stack[--stack_depth];

	if (pctx != NULL) {
		*pctx = top;
	}
	return CUDA_SUCCESS;
}

CUresult
cuCtxPopCurrent(CUcontext *pctx)
{
	return cuCtxPopCurrent_v2(pctx);
}

CUresult
cuCtxSetCurrent(CUcontext ctx)
{
	TRY(device_ready());
	if (ctx == NULL) {
		stack_depth -= stack_depth > 0;
		return CUDA_SUCCESS;
	}
	if (!context_exists(ctx)) {
		return CUDA_ERROR_INVALID_CONTEXT;
	}
	stack_depth += stack_depth == 0;
	stack[stack_depth - 1] = ctx;
	return CUDA_SUCCESS;
}

CUresult
cuCtxGetCurrent(CUcontext *pctx)
{
	TRY(device_ready());
	if (pctx == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*pctx = stack_depth > 0 ? stack[stack_depth - 1] : NULL;
	return CUDA_SUCCESS;
}
