/* SPDX-License-Identifier: Apache-2.0 */
/* pointer.c: what is known about a pointer: all of it is in the map. */
#include <string.h>

#include "guest-shim/libcuda/api.h"
#include "guest-shim/libcuda/arena.h"
#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/guest.h"
#include "guest-shim/libcuda/map.h"
#include "guest-shim/libcuda/session.h"

#define SET(type, value) (*(type *)data = (value), CUDA_SUCCESS)

static bool
is_mapped(const struct map_entry *entry)
{
	uint64_t offset;

	return entry != NULL && (map_is_device(entry) ||
		(arena_offset(entry->start, &offset) && arena_is_mapped()));
}

/* entry is NULL for a pointer that CUDA does not know; where that is an error, the caller
 * has returned it already. */
static CUresult
attribute(void *data, CUpointer_attribute which, const struct map_entry *entry)
{
	bool device = entry != NULL && map_is_device(entry);
	bool host = entry != NULL && !device;

	switch (which) {
	case CU_POINTER_ATTRIBUTE_CONTEXT:
		return SET(CUcontext, entry != NULL ? entry->context->handle : NULL);
	case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
		return SET(unsigned, device ? CU_MEMORYTYPE_DEVICE : host ? CU_MEMORYTYPE_HOST : 0);
	case CU_POINTER_ATTRIBUTE_BUFFER_ID:
		return SET(unsigned long long, entry != NULL ? entry->id : 0);
	case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
		return SET(int, entry != NULL ? entry->context->device : -2);
	case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
		return SET(CUdeviceptr, entry != NULL ? entry->start : 0);
	case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
		return SET(size_t, entry != NULL ? entry->size : 0);
	case CU_POINTER_ATTRIBUTE_MAPPED:
		return SET(int, is_mapped(entry));
	case CU_POINTER_ATTRIBUTE_ACCESS_FLAGS:
		return SET(int, is_mapped(entry) ? CU_POINTER_ATTRIBUTE_ACCESS_FLAG_READWRITE : 0);
	case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS:
	case CU_POINTER_ATTRIBUTE_IS_MANAGED:
	case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
	case CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE:
		return SET(int, 0);
	case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES:
		return SET(unsigned long long, 0);
	case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE:
		return SET(CUmemoryPool, NULL);
	default:
		return CUDA_ERROR_NOT_SUPPORTED;
	}
}

/* The two that depend on where inside the entry the pointer is. */
static CUresult
address_attribute(void *data, CUpointer_attribute which, const struct map_entry *entry,
	CUdeviceptr pointer)
{
	bool device = entry != NULL && map_is_device(entry);

	if (which == CU_POINTER_ATTRIBUTE_DEVICE_POINTER) {
		/* Host memory that is mapped has the same address there. */
		*(CUdeviceptr *)data = is_mapped(entry) ? pointer : 0;
		return is_mapped(entry) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
	}
	if (which == CU_POINTER_ATTRIBUTE_HOST_POINTER) {
		bool host = entry != NULL && !device;
		*(void **)data = host ? (void *)(uintptr_t)pointer : NULL;
		return host ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
	}
	return attribute(data, which, entry);
}

CUDA_EXPORT CUresult CUDAAPI
cuPointerGetAttribute(void *data, CUpointer_attribute which, CUdeviceptr ptr)
{
	struct map_entry entry;
	CUresult result = session_error();

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (data == NULL || !map_find(ptr, &entry)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	union {
		unsigned long long number;
		void *pointer;
	} value = { 0 };
	/* Untouched unless the call succeeds. */
	result = address_attribute(&value, which, &entry, ptr);
	return result == CUDA_SUCCESS ? address_attribute(data, which, &entry, ptr) : result;
}

/* This one answers zeros for what does not apply, and fails only if it is misused. */
CUDA_EXPORT CUresult CUDAAPI
cuPointerGetAttributes(unsigned int numAttributes, CUpointer_attribute *attributes,
	void **data, CUdeviceptr ptr)
{
	struct map_entry entry;
	CUresult result = session_error();

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (numAttributes == 0 || attributes == NULL || data == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	bool known = map_find(ptr, &entry);
	for (unsigned i = 0; i < numAttributes; i++) {
		result = address_attribute(data[i], attributes[i], known ? &entry : NULL, ptr);
		if (result == CUDA_ERROR_NOT_SUPPORTED) {
			return result;
		}
	}
	return CUDA_SUCCESS;
}

/* The only attribute that can be set asks that copies of this memory be synchronous;
 * those that could be otherwise are copies within the device. */
CUDA_EXPORT CUresult CUDAAPI
cuPointerSetAttribute(const void *value, CUpointer_attribute which, CUdeviceptr ptr)
{
	struct map_entry entry;
	CUresult result = session_error();

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (value == NULL || which != CU_POINTER_ATTRIBUTE_SYNC_MEMOPS || !map_find(ptr, &entry)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	return CUDA_ERROR_NOT_SUPPORTED;
}
