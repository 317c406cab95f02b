/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c: allocation in the order of a stream.
 *
 * Memory is given at once, and goes back when the stream gets there.  The pool keeps
 * nothing: what is freed is free.  Each device has a default pool; others can be made,
 * and all do the same. */
#include "soft-device/api.h"

#include <stdlib.h>

#include "common/cleanup.h"
#include "soft-device/allocation.h"
#include "soft-device/device.h"
#include "soft-device/stream.h"

struct pool {
	struct object object;
	CUdevice device;
	bool is_default;
	/* What the program has set, to be told again; under the lock. */
	int flags[3];
	uint64_t threshold;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pool *defaults[DEVICES_MAX];
static void *current[DEVICES_MAX]; /* handles */

static void
pool_release(struct object *object)
{
	free(object);
}

static CUresult
pool_new(CUdevice device, bool is_default, struct pool **ret_pool)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	pool->device = device;
	pool->is_default = is_default;
	for (size_t i = 0; i < ARRAY_LEN(pool->flags); i++) {
		pool->flags[i] = 1;
	}
	if (!object_register(&pool->object, OBJECT_POOL, NULL, pool_release)) {
		free(pool);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*ret_pool = pool;
	return CUDA_SUCCESS;
}

CUresult
cuDeviceGetDefaultMemPool(CUmemoryPool *pool_out, CUdevice dev)
{
	TRY(device_check(dev));
	if (pool_out == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	HOLD_LOCK(&lock);

	if (defaults[dev] == NULL) {
		TRY(pool_new(dev, true, &defaults[dev]));
	}
	*pool_out = defaults[dev]->object.handle;
	return CUDA_SUCCESS;
}

CUresult
cuDeviceGetMemPool(CUmemoryPool *pool, CUdevice dev)
{
	TRY(cuDeviceGetDefaultMemPool(pool, dev));
	HOLD_LOCK(&lock);
	cleanup_object struct pool *set = object_get(OBJECT_POOL, current[dev]);

	if (set != NULL) {
		*pool = set->object.handle;
	}
	return CUDA_SUCCESS;
}

static CUresult
pool_get(CUmemoryPool handle, struct pool **ret_pool)
{
	TRY(device_ready());
	*ret_pool = object_get(OBJECT_POOL, handle);
	return *ret_pool != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

#define USE_POOL(name, handle) \
	cleanup_object struct pool *name = NULL; \
	TRY(pool_get(handle, &name))

CUresult
cuDeviceSetMemPool(CUdevice dev, CUmemoryPool pool)
{
	TRY(device_check(dev));
	USE_POOL(found, pool);
	if (found->device != dev) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	HOLD_LOCK(&lock);

	current[dev] = pool;
	return CUDA_SUCCESS;
}

CUresult
cuMemPoolCreate(CUmemoryPool *pool, const CUmemPoolProps *poolProps)
{
	TRY(device_ready());
	if (pool == NULL || poolProps == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (poolProps->allocType != CU_MEM_ALLOCATION_TYPE_PINNED ||
		poolProps->handleTypes != CU_MEM_HANDLE_TYPE_NONE ||
		poolProps->location.type != CU_MEM_LOCATION_TYPE_DEVICE ||
		poolProps->usage != 0) {
		static bool said;

		unsupported_call(
			"cuMemPoolCreate but for memory of a device that is not shared",
			&said);
		return CUDA_ERROR_NOT_SUPPORTED;
	}
	TRY(device_check(poolProps->location.id));
	struct pool *made;

	TRY(pool_new(poolProps->location.id, false, &made));
	*pool = made->object.handle;
	return CUDA_SUCCESS;
}

CUresult
cuMemPoolDestroy(CUmemoryPool pool)
{
	USE_POOL(found, pool);
	if (found->is_default) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (object_unregister(&found->object)) {
		object_put(found);
	}
	return CUDA_SUCCESS;
}

CUresult
cuMemPoolTrimTo(CUmemoryPool pool, size_t minBytesToKeep)
{
	USE_POOL(found, pool);
	return CUDA_SUCCESS;
}

CUresult
cuMemPoolSetAttribute(CUmemoryPool pool, CUmemPool_attribute attr, void *value)
{
	USE_POOL(found, pool);
	if (value == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	HOLD_LOCK(&lock);

	switch (attr) {
	case CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES:
	case CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC:
	case CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES:
		found->flags[attr - 1] = *(int *)value != 0;
		return CUDA_SUCCESS;
	case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD:
		found->threshold = *(uint64_t *)value;
		return CUDA_SUCCESS;
	case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
	case CU_MEMPOOL_ATTR_USED_MEM_HIGH:
		return *(uint64_t *)value == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
	default: return CUDA_ERROR_INVALID_VALUE;
	}
}

CUresult
cuMemPoolGetAttribute(CUmemoryPool pool, CUmemPool_attribute attr, void *value)
{
	USE_POOL(found, pool);
	if (value == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	HOLD_LOCK(&lock);

	switch (attr) {
	case CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES:
	case CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC:
	case CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES:
		*(int *)value = found->flags[attr - 1];
		return CUDA_SUCCESS;
	case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD:
		*(uint64_t *)value = found->threshold;
		return CUDA_SUCCESS;
	case CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT:
	case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
	case CU_MEMPOOL_ATTR_USED_MEM_CURRENT:
	case CU_MEMPOOL_ATTR_USED_MEM_HIGH:
		*(uint64_t *)value = allocation_used_pool(found->object.handle);
		return CUDA_SUCCESS;
	default: return CUDA_ERROR_INVALID_VALUE;
	}
}

CUresult
cuMemPoolSetAccess(CUmemoryPool pool, const CUmemAccessDesc *map, size_t count)
{
	USE_POOL(found, pool);
	if (map == NULL && count > 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	/* Every device can read and write all memory already. */
	for (size_t i = 0; i < count; i++) {
		if (map[i].location.type != CU_MEM_LOCATION_TYPE_DEVICE) {
			return CUDA_ERROR_INVALID_VALUE;
		}
		TRY(device_check(map[i].location.id));
	}
	return CUDA_SUCCESS;
}

CUresult
cuMemPoolGetAccess(
	CUmemAccess_flags *flags, CUmemoryPool memPool, CUmemLocation *location)
{
	USE_POOL(found, memPool);
	if (flags == NULL || location == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
	return CUDA_SUCCESS;
}

/* ---- in streams ---- */

struct free_task {
	struct task task;
	uint64_t address;
};

static CUresult
free_run(struct task *task, CUresult failure)
{
	allocation_free(((struct free_task *)task)->address, 1u << ALLOCATION_ASYNC);
	return CUDA_SUCCESS;
}

CUresult
cuMemAllocFromPoolAsync(
	CUdeviceptr *dptr, size_t bytesize, CUmemoryPool pool, CUstream hStream)
{
	USE_STREAM(stream, hStream);
	USE_POOL(found, pool);
	if (dptr == NULL || bytesize == 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	uint64_t address = allocation_new(
		found->device, bytesize, ALLOCATION_ASYNC, stream->context, pool);

	if (address == 0) {
		/* What is about to be freed may be enough. */
		stream_wait(stream, stream_submitted(stream));
		address = allocation_new(
			found->device, bytesize, ALLOCATION_ASYNC, stream->context, pool);
	}
	if (address == 0) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*dptr = address;
	return CUDA_SUCCESS;
}

CUresult
cuMemAllocAsync(CUdeviceptr *dptr, size_t bytesize, CUstream hStream)
{
	CUmemoryPool pool;

	USE_STREAM(stream, hStream);
	TRY(cuDeviceGetMemPool(&pool, stream->context->device));
	return cuMemAllocFromPoolAsync(dptr, bytesize, pool, hStream);
}

CUresult
cuMemFreeAsync(CUdeviceptr dptr, CUstream hStream)
{
	USE_STREAM(stream, hStream);
	if (dptr == 0) {
		return CUDA_SUCCESS;
	}
	struct allocation a;

	if (!allocation_find(dptr, 1, &a) || a.start != dptr ||
		(a.kind != ALLOCATION_ASYNC && a.kind != ALLOCATION_DEVICE)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (a.kind == ALLOCATION_DEVICE) {
		return cuMemFree_v2(dptr);
	}
	struct free_task *t = task_new(sizeof(*t), free_run, NULL);

	if (t == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	t->address = dptr;
	return stream_submit(stream, &t->task, false, NULL);
}
