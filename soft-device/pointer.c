/* SPDX-License-Identifier: Apache-2.0 */
/* pointer.c: what a pointer points to. */
#include "soft-device/api.h"

#include "common/cleanup.h"
#include "soft-device/allocation.h"
#include "soft-device/context.h"
#include "soft-device/device.h"

/* data is what the attribute says it is.  false: there is no such attribute. */
static bool
attribute_write(void *data, CUpointer_attribute attribute, CUdeviceptr address,
	const struct allocation *a)
{
	bool host = a->kind == ALLOCATION_HOST || a->kind == ALLOCATION_REGISTERED;

	switch (attribute) {
	case CU_POINTER_ATTRIBUTE_CONTEXT:
		*(CUcontext *)data = a->context_handle;
		return true;
	case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
		*(unsigned int *)data = host ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
		return true;
	case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
		*(CUdeviceptr *)data = address;
		return true;
	case CU_POINTER_ATTRIBUTE_HOST_POINTER:
		*(void **)data =
			host || a->kind == ALLOCATION_MANAGED ? (void *)address : NULL;
		return true;
	case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS: *(int *)data = 0; return true;
	case CU_POINTER_ATTRIBUTE_BUFFER_ID:
	case CU_POINTER_ATTRIBUTE_MEMORY_BLOCK_ID:
		*(unsigned long long *)data = a->id;
		return true;
	case CU_POINTER_ATTRIBUTE_IS_MANAGED:
		*(int *)data = a->kind == ALLOCATION_MANAGED;
		return true;
	case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL: *(int *)data = a->device; return true;
	case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
	case CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR:
		*(CUdeviceptr *)data = a->start;
		return true;
	case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
	case CU_POINTER_ATTRIBUTE_MAPPING_SIZE:
		*(size_t *)data = a->end - a->start;
		return true;
	case CU_POINTER_ATTRIBUTE_MAPPED: *(int *)data = 1; return true;
	case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
	case CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE:
	case CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE: *(int *)data = 0; return true;
	case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES:
		*(unsigned long long *)data = 0;
		return true;
	case CU_POINTER_ATTRIBUTE_ACCESS_FLAGS:
		*(int *)data = CU_POINTER_ATTRIBUTE_ACCESS_FLAG_READWRITE;
		return true;
	case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE:
		*(CUmemoryPool *)data = (CUmemoryPool)a->pool;
		return true;
	default: return false;
	}
}

/* What an attribute of memory that we do not know looks like. */
static bool
attribute_clear(void *data, CUpointer_attribute attribute)
{
	if (!attribute_write(data, attribute, 0, &(struct allocation){ .start = 0 })) {
		return false;
	}
	switch (attribute) {
	case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL: *(int *)data = -2; return true;
	case CU_POINTER_ATTRIBUTE_MEMORY_TYPE: *(unsigned int *)data = 0; return true;
	case CU_POINTER_ATTRIBUTE_MAPPED:
	case CU_POINTER_ATTRIBUTE_ACCESS_FLAGS: *(int *)data = 0; return true;
	default: return true;
	}
}

CUresult
cuPointerGetAttribute(void *data, CUpointer_attribute attribute, CUdeviceptr ptr)
{
	TRY(device_ready());
	struct allocation a;

	if (data == NULL || !allocation_find(ptr, 1, &a) ||
		!attribute_write(data, attribute, ptr, &a)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	return CUDA_SUCCESS;
}

CUresult
cuPointerGetAttributes(unsigned int numAttributes, CUpointer_attribute *attributes,
	void **data, CUdeviceptr ptr)
{
	TRY(device_ready());
	if (numAttributes == 0 || attributes == NULL || data == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	struct allocation a;
	bool found = allocation_find(ptr, 1, &a);

	for (unsigned int i = 0; i < numAttributes; i++) {
		if (data[i] == NULL ||
			!(found ? attribute_write(data[i], attributes[i], ptr, &a)
				: attribute_clear(data[i], attributes[i]))) {
			return CUDA_ERROR_INVALID_VALUE;
		}
	}
	return CUDA_SUCCESS;
}

CUresult
cuPointerSetAttribute(const void *value, CUpointer_attribute attribute, CUdeviceptr ptr)
{
	TRY(device_ready());
	struct allocation a;

	if (value == NULL || attribute != CU_POINTER_ATTRIBUTE_SYNC_MEMOPS ||
		!allocation_find(ptr, 1, &a)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	/* Synchronous operations are synchronous here, always. */
	return CUDA_SUCCESS;
}
