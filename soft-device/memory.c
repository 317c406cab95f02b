/* SPDX-License-Identifier: Apache-2.0 */
/* memory.c: memory of the device, and pinned memory of the host. */
#include "soft-device/api.h"

#include <limits.h>
#include <sys/mman.h>

#include "common/checked.h"
#include "common/cleanup.h"
#include "soft-device/allocation.h"
#include "soft-device/context.h"
#include "soft-device/device.h"

#define PITCH 512
#define PAGE 4096
#define KIND(name) (1u << ALLOCATION_##name)

CUresult
cuMemGetInfo_v2(size_t *free, size_t *total)
{
	USE_CONTEXT(context);
	if (free == NULL || total == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*total = device_memory(context->device);
	*free = *total - allocation_used(context->device);
	return CUDA_SUCCESS;
}

static CUresult
memory_new(CUdeviceptr *ret_address, size_t size, enum allocation_kind kind)
{
	USE_CONTEXT(context);
	if (ret_address == NULL || size == 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	uint64_t address = allocation_new(context->device, size, kind, context, NULL);

	if (address == 0) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*ret_address = address;
	return CUDA_SUCCESS;
}

CUresult
cuMemAlloc_v2(CUdeviceptr *dptr, size_t bytesize)
{
	return memory_new(dptr, bytesize, ALLOCATION_DEVICE);
}

CUresult
cuMemAllocPitch_v2(CUdeviceptr *dptr, size_t *pPitch, size_t WidthInBytes, size_t Height,
	unsigned int ElementSizeBytes)
{
	size_t size;

	if (pPitch == NULL || WidthInBytes == 0 || Height == 0 ||
		WidthInBytes > INT_MAX ||
		(ElementSizeBytes != 4 && ElementSizeBytes != 8 &&
			ElementSizeBytes != 16) ||
		!checked_mul(round_up(WidthInBytes, PITCH), Height, &size)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	TRY(memory_new(dptr, size, ALLOCATION_DEVICE));
	*pPitch = round_up(WidthInBytes, PITCH);
	return CUDA_SUCCESS;
}

CUresult
cuMemAllocManaged(CUdeviceptr *dptr, size_t bytesize, unsigned int flags)
{
	if (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	return memory_new(dptr, bytesize, ALLOCATION_MANAGED);
}

CUresult
cuMemFree_v2(CUdeviceptr dptr)
{
	USE_CONTEXT(context);
	if (dptr == 0) {
		return CUDA_SUCCESS;
	}
	/* As on the device, nothing that was submitted may still use it. */
	context_wait_all();
	return allocation_free(dptr, KIND(DEVICE) | KIND(MANAGED) | KIND(ASYNC))
		       ? CUDA_SUCCESS
		       : CUDA_ERROR_INVALID_VALUE;
}

CUresult
cuMemGetAddressRange_v2(CUdeviceptr *pbase, size_t *psize, CUdeviceptr dptr)
{
	USE_CONTEXT(context);
	struct allocation a;

	if (!allocation_find(dptr, 1, &a)) {
		return CUDA_ERROR_NOT_FOUND;
	}
	if (pbase != NULL) {
		*pbase = a.start;
	}
	if (psize != NULL) {
		*psize = a.end - a.start;
	}
	return CUDA_SUCCESS;
}

/* ---- pinned memory of the host ---- */

CUresult
cuMemHostAlloc(void **pp, size_t bytesize, unsigned int Flags)
{
	const unsigned int known = CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP |
				   CU_MEMHOSTALLOC_WRITECOMBINED;

	USE_CONTEXT(context);
	if (pp == NULL || bytesize == 0 || (Flags & ~known) != 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	uint64_t address = allocation_new_host(bytesize, Flags, context->device, context);

	if (address == 0) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*pp = (void *)address;
	return CUDA_SUCCESS;
}

CUresult
cuMemAllocHost_v2(void **pp, size_t bytesize)
{
	return cuMemHostAlloc(pp, bytesize, 0);
}

CUresult
cuMemAllocHost(void **pp, unsigned int bytesize)
{
	return cuMemHostAlloc(pp, bytesize, 0);
}

CUresult
cuMemFreeHost(void *p)
{
	USE_CONTEXT(context);
	if (p == NULL) {
		return CUDA_SUCCESS;
	}
	context_wait_all();
	return allocation_free((uint64_t)p, KIND(HOST)) ? CUDA_SUCCESS
							: CUDA_ERROR_INVALID_VALUE;
}

/* Whether there is memory behind every page. */
static bool
host_is_mapped(uint64_t start, uint64_t size)
{
	unsigned char pages[1024];
	uint64_t at = start & ~(uint64_t)(PAGE - 1);
	uint64_t end;

	if (__builtin_add_overflow(start, size, &end)) {
		return false;
	}
	while (at < end) {
		uint64_t step =
			end - at < sizeof(pages) * PAGE ? end - at : sizeof(pages) * PAGE;

		if (mincore((void *)at, step, pages) != 0) {
			return false;
		}
		at += round_up(step, PAGE);
	}
	return true;
}

CUresult
cuMemHostRegister_v2(void *p, size_t bytesize, unsigned int Flags)
{
	const unsigned int known = CU_MEMHOSTREGISTER_PORTABLE |
				   CU_MEMHOSTREGISTER_DEVICEMAP |
				   CU_MEMHOSTREGISTER_READ_ONLY;

	USE_CONTEXT(context);
	if ((Flags & CU_MEMHOSTREGISTER_IOMEMORY) != 0) {
		static bool said;

		unsupported_call("cuMemHostRegister of memory of other devices", &said);
		return CUDA_ERROR_NOT_SUPPORTED;
	}
	if (p == NULL || bytesize == 0 || (Flags & ~known) != 0 ||
		!host_is_mapped((uint64_t)p, bytesize)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	return allocation_register((uint64_t)p, bytesize, Flags, context->device, context)
		       ? CUDA_SUCCESS
		       : CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
}

CUresult
cuMemHostRegister(void *p, size_t bytesize, unsigned int Flags)
{
	return cuMemHostRegister_v2(p, bytesize, Flags);
}

CUresult
cuMemHostUnregister(void *p)
{
	USE_CONTEXT(context);
	if (p == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	context_wait_all();
	return allocation_free((uint64_t)p, KIND(REGISTERED))
		       ? CUDA_SUCCESS
		       : CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
}

static bool
host_find(void *p, struct allocation *ret_allocation)
{
	return allocation_find((uint64_t)p, 1, ret_allocation) &&
	       (KIND(HOST) | KIND(REGISTERED)) >> ret_allocation->kind & 1;
}

CUresult
cuMemHostGetDevicePointer_v2(CUdeviceptr *pdptr, void *p, unsigned int Flags)
{
	USE_CONTEXT(context);
	struct allocation a;

	if (pdptr == NULL || Flags != 0 || !host_find(p, &a)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*pdptr = (CUdeviceptr)p;
	return CUDA_SUCCESS;
}

CUresult
cuMemHostGetFlags(unsigned int *pFlags, void *p)
{
	USE_CONTEXT(context);
	struct allocation a;

	if (pFlags == NULL || !host_find(p, &a)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*pFlags = a.flags;
	return CUDA_SUCCESS;
}

/* ---- managed memory is always everywhere ---- */

static CUresult
managed_check(CUdeviceptr address, size_t size)
{
	USE_CONTEXT(context);
	struct allocation a;

	if (size == 0 || !allocation_find(address, size, &a) ||
		a.kind != ALLOCATION_MANAGED) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	return CUDA_SUCCESS;
}

CUresult
cuMemAdvise_v2(
	CUdeviceptr devPtr, size_t count, CUmem_advise advice, CUmemLocation location)
{
	if (advice < CU_MEM_ADVISE_SET_READ_MOSTLY ||
		advice > CU_MEM_ADVISE_UNSET_ACCESSED_BY) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	return managed_check(devPtr, count);
}

CUresult
cuMemAdvise(CUdeviceptr devPtr, size_t count, CUmem_advise advice, CUdevice device)
{
	return cuMemAdvise_v2(devPtr, count, advice, (CUmemLocation){ 0 });
}

CUresult
cuMemPrefetchAsync_v2(CUdeviceptr devPtr, size_t count, CUmemLocation location,
	unsigned int flags, CUstream hStream)
{
	return flags != 0 ? CUDA_ERROR_INVALID_VALUE : managed_check(devPtr, count);
}

CUresult
cuMemPrefetchAsync(CUdeviceptr devPtr, size_t count, CUdevice dstDevice, CUstream hStream)
{
	return managed_check(devPtr, count);
}

CUresult
cuStreamAttachMemAsync(
	CUstream hStream, CUdeviceptr dptr, size_t length, unsigned int flags)
{
	if (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST &&
		flags != CU_MEM_ATTACH_SINGLE) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	return managed_check(dptr, length == 0 ? 1 : length);
}

#undef KIND
