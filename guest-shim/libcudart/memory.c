/* SPDX-License-Identifier: Apache-2.0 */
/* memory.c: allocating, freeing, and what is known about a pointer. */
#include <string.h>

#include "common/checked.h"
#include "guest-shim/libcudart/driver.h"

cudaError_t
cudaMalloc(void **devPtr, size_t size)
{
	CUdeviceptr address = 0;
	cudaError_t error = devPtr == NULL ? cudaErrorInvalidValue : device_enter();
	/* The driver refuses size 0; here it succeeds with NULL. */
	if (error == cudaSuccess && size > 0) {
		error = CALL(cuMemAlloc, &address, size);
	}
	if (error == cudaSuccess) {
		*devPtr = (void *)address;
	}
	return error_keep(error);
}

cudaError_t
cudaFree(void *devPtr)
{
	/* Programs call cudaFree(0) to start everything. */
	cudaError_t error = device_enter();
	if (error == cudaSuccess && devPtr != NULL) {
		error = CALL(cuMemFree, (CUdeviceptr)devPtr);
	}
	return error_keep(error);
}

cudaError_t
cudaMallocManaged(void **devPtr, size_t size, unsigned int flags)
{
	CUdeviceptr address = 0;
	cudaError_t error = devPtr == NULL ? cudaErrorInvalidValue : device_enter();
	if (error == cudaSuccess && size > 0) {
		error = CALL(cuMemAllocManaged, &address, size, flags);
	}
	if (error == cudaSuccess) {
		*devPtr = (void *)address;
	}
	return error_keep(error);
}

static cudaError_t
memory_pitched(void **ret_pointer, size_t *ret_pitch, size_t width, size_t height)
{
	CUdeviceptr address = 0;
	size_t pitch = 0;
	cudaError_t error = device_enter();
	if (error == cudaSuccess && width > 0 && height > 0) {
		/* The element size matters to coalescing on GPUs before 2.0 only. */
		error = CALL(cuMemAllocPitch, &address, &pitch, width, height, 4);
	}
	if (error == cudaSuccess) {
		*ret_pointer = (void *)address;
		*ret_pitch = pitch;
	}
	return error;
}

cudaError_t
cudaMallocPitch(void **devPtr, size_t *pitch, size_t width, size_t height)
{
	if (devPtr == NULL || pitch == NULL) {
		return error_keep(cudaErrorInvalidValue);
	}
	return error_keep(memory_pitched(devPtr, pitch, width, height));
}

cudaError_t
cudaMalloc3D(struct cudaPitchedPtr *pitchedDevPtr, struct cudaExtent extent)
{
	size_t rows;
	struct cudaPitchedPtr made = { .xsize = extent.width, .ysize = extent.height };

	if (pitchedDevPtr == NULL || !checked_mul(extent.height, extent.depth, &rows)) {
		return error_keep(cudaErrorInvalidValue);
	}
	cudaError_t error = memory_pitched(&made.ptr, &made.pitch, extent.width, rows);
	if (error == cudaSuccess) {
		*pitchedDevPtr = made;
	}
	return error_keep(error);
}

static cudaError_t
memory_host(void **ret_pointer, size_t size, unsigned flags)
{
	void *pointer = NULL;
	cudaError_t error = ret_pointer == NULL ? cudaErrorInvalidValue : device_enter();
	if (error == cudaSuccess && size > 0) {
		error = CALL(cuMemHostAlloc, &pointer, size, flags);
	}
	if (error == cudaSuccess) {
		*ret_pointer = pointer;
	}
	return error;
}

cudaError_t
cudaMallocHost(void **ptr, size_t size)
{
	return error_keep(memory_host(ptr, size, 0));
}

cudaError_t
cudaHostAlloc(void **pHost, size_t size, unsigned int flags)
{
	/* Portable, mapped and write-combined have the driver's numbers. */
	return error_keep(memory_host(pHost, size, flags));
}

cudaError_t
cudaFreeHost(void *ptr)
{
	cudaError_t error = device_enter();
	if (error == cudaSuccess && ptr != NULL) {
		error = CALL(cuMemFreeHost, ptr);
	}
	return error_keep(error);
}

cudaError_t
cudaHostRegister(void *ptr, size_t size, unsigned int flags)
{
	return DRIVER(cuMemHostRegister, ptr, size, flags);
}

cudaError_t
cudaHostUnregister(void *ptr)
{
	return DRIVER(cuMemHostUnregister, ptr);
}

cudaError_t
cudaHostGetDevicePointer(void **pDevice, void *pHost, unsigned int flags)
{
	CUdeviceptr address = 0;
	cudaError_t error = pDevice == NULL ? cudaErrorInvalidValue : device_enter();
	if (error == cudaSuccess) {
		error = CALL(cuMemHostGetDevicePointer, &address, pHost, flags);
	}
	if (error == cudaSuccess) {
		*pDevice = (void *)address;
	}
	return error_keep(error);
}

cudaError_t
cudaHostGetFlags(unsigned int *pFlags, void *pHost)
{
	return DRIVER(cuMemHostGetFlags, pFlags, pHost);
}

cudaError_t
cudaMemGetInfo(size_t *free, size_t *total)
{
	return DRIVER(cuMemGetInfo, free, total);
}

static int
memory_ordinal(int handle)
{
	CUdevice device;
	for (int i = 0; i < device_count(); i++) {
		if (device_get(i, &device) == cudaSuccess && device == handle) {
			return i;
		}
	}
	return cudaInvalidDeviceId;
}

cudaError_t
cudaPointerGetAttributes(struct cudaPointerAttributes *attributes, const void *ptr)
{
	unsigned type = 0;
	unsigned managed = 0;
	int device = cudaInvalidDeviceId;
	CUdeviceptr device_pointer = 0;
	void *host_pointer = NULL;
	CUpointer_attribute wanted[] = {
		CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
		CU_POINTER_ATTRIBUTE_IS_MANAGED,
		CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL,
		CU_POINTER_ATTRIBUTE_DEVICE_POINTER,
		CU_POINTER_ATTRIBUTE_HOST_POINTER,
	};
	void *values[] = { &type, &managed, &device, &device_pointer, &host_pointer };
	cudaError_t error = attributes == NULL ? cudaErrorInvalidValue : device_enter();
	if (error == cudaSuccess) {
		/* Unlike the single form this one succeeds for memory it never saw. */
		error = CALL(cuPointerGetAttributes, 5, wanted, values, (CUdeviceptr)ptr);
	}
	if (error != cudaSuccess) {
		return error_keep(error);
	}
	memset(attributes, 0, sizeof(*attributes));
	if (managed) {
		attributes->type = cudaMemoryTypeManaged;
	} else if (type == CU_MEMORYTYPE_HOST) {
		attributes->type = cudaMemoryTypeHost;
	} else if (type == CU_MEMORYTYPE_DEVICE || type == CU_MEMORYTYPE_ARRAY) {
		attributes->type = cudaMemoryTypeDevice;
	} else {
		attributes->type = cudaMemoryTypeUnregistered;
		attributes->device = cudaInvalidDeviceId;
		attributes->hostPointer = (void *)ptr;
		return cudaSuccess;
	}
	attributes->device = memory_ordinal(device);
	attributes->devicePointer = (void *)device_pointer;
	attributes->hostPointer = host_pointer;
	return cudaSuccess;
}

_Static_assert(sizeof(struct cudaMemLocation) == sizeof(CUmemLocation), "same layout");

static CUmemLocation
memory_location(struct cudaMemLocation location)
{
	return (CUmemLocation){ .type = (CUmemLocationType)location.type,
		.id = location.id };
}

static cudaError_t
memory_advise(const void *pointer, size_t size, enum cudaMemoryAdvise advice,
	struct cudaMemLocation location)
{
	return DRIVER(cuMemAdvise, (CUdeviceptr)pointer, size, (CUmem_advise)advice,
		memory_location(location));
}

static cudaError_t
memory_prefetch(const void *pointer, size_t size, struct cudaMemLocation location,
	unsigned flags, cudaStream_t stream)
{
	return DRIVER(cuMemPrefetchAsync, (CUdeviceptr)pointer, size,
		memory_location(location), flags, stream);
}

#if CUDART_MAJOR == 12
static struct cudaMemLocation
memory_location_of_device(int device)
{
	struct cudaMemLocation location = { .type = cudaMemLocationTypeDevice,
		.id = device };
	if (device == cudaCpuDeviceId) {
		location.type = cudaMemLocationTypeHost;
		location.id = 0;
	}
	return location;
}

cudaError_t cuda12MemAdvise(const void *devPtr, size_t count,
	enum cudaMemoryAdvise advice, int device) EXPORT_AS("cudaMemAdvise");
cudaError_t
cuda12MemAdvise(
	const void *devPtr, size_t count, enum cudaMemoryAdvise advice, int device)
{
	return memory_advise(devPtr, count, advice, memory_location_of_device(device));
}

cudaError_t cuda12MemAdvise_v2(const void *devPtr, size_t count,
	enum cudaMemoryAdvise advice, struct cudaMemLocation location)
	EXPORT_AS("cudaMemAdvise_v2");
cudaError_t
cuda12MemAdvise_v2(const void *devPtr, size_t count, enum cudaMemoryAdvise advice,
	struct cudaMemLocation location)
{
	return memory_advise(devPtr, count, advice, location);
}

cudaError_t cuda12MemPrefetchAsync(const void *devPtr, size_t count, int dstDevice,
	cudaStream_t stream) EXPORT_AS("cudaMemPrefetchAsync");
cudaError_t
cuda12MemPrefetchAsync(
	const void *devPtr, size_t count, int dstDevice, cudaStream_t stream)
{
	return memory_prefetch(
		devPtr, count, memory_location_of_device(dstDevice), 0, stream);
}

cudaError_t cuda12MemPrefetchAsync_v2(const void *devPtr, size_t count,
	struct cudaMemLocation location, unsigned flags, cudaStream_t stream)
	EXPORT_AS("cudaMemPrefetchAsync_v2");
cudaError_t
cuda12MemPrefetchAsync_v2(const void *devPtr, size_t count,
	struct cudaMemLocation location, unsigned flags, cudaStream_t stream)
{
	return memory_prefetch(devPtr, count, location, flags, stream);
}

cudaError_t cuda12MemPrefetchAsync_ptsz(const void *devPtr, size_t count, int dstDevice,
	cudaStream_t stream) EXPORT_AS("cudaMemPrefetchAsync_ptsz");
cudaError_t
cuda12MemPrefetchAsync_ptsz(
	const void *devPtr, size_t count, int dstDevice, cudaStream_t stream)
{
	return cuda12MemPrefetchAsync(
		devPtr, count, dstDevice, stream == NULL ? cudaStreamPerThread : stream);
}

cudaError_t cuda12MemPrefetchAsync_v2_ptsz(const void *devPtr, size_t count,
	struct cudaMemLocation location, unsigned flags, cudaStream_t stream)
	EXPORT_AS("cudaMemPrefetchAsync_v2_ptsz");
cudaError_t
cuda12MemPrefetchAsync_v2_ptsz(const void *devPtr, size_t count,
	struct cudaMemLocation location, unsigned flags, cudaStream_t stream)
{
	return memory_prefetch(devPtr, count, location, flags,
		stream == NULL ? cudaStreamPerThread : stream);
}
#else
cudaError_t
cudaMemAdvise(const void *devPtr, size_t count, enum cudaMemoryAdvise advice,
	struct cudaMemLocation location)
{
	return memory_advise(devPtr, count, advice, location);
}

cudaError_t
cudaMemPrefetchAsync(const void *devPtr, size_t count, struct cudaMemLocation location,
	unsigned int flags, cudaStream_t stream)
{
	return memory_prefetch(devPtr, count, location, flags, stream);
}

cudaError_t cuda13MemPrefetchAsync_ptsz(const void *devPtr, size_t count,
	struct cudaMemLocation location, unsigned flags, cudaStream_t stream)
	EXPORT_AS("cudaMemPrefetchAsync_ptsz");
cudaError_t
cuda13MemPrefetchAsync_ptsz(const void *devPtr, size_t count,
	struct cudaMemLocation location, unsigned flags, cudaStream_t stream)
{
	return memory_prefetch(devPtr, count, location, flags,
		stream == NULL ? cudaStreamPerThread : stream);
}
#endif

cudaError_t
cudaMemRangeGetAttribute(void *data, size_t dataSize,
	enum cudaMemRangeAttribute attribute, const void *devPtr, size_t count)
{
	return DRIVER(cuMemRangeGetAttribute, data, dataSize,
		(CUmem_range_attribute)attribute, (CUdeviceptr)devPtr, count);
}

cudaError_t
cudaMemRangeGetAttributes(void **data, size_t *dataSizes,
	enum cudaMemRangeAttribute *attributes, size_t numAttributes, const void *devPtr,
	size_t count)
{
	return DRIVER(cuMemRangeGetAttributes, data, dataSizes,
		(CUmem_range_attribute *)attributes, numAttributes, (CUdeviceptr)devPtr,
		count);
}

cudaError_t
cudaStreamAttachMemAsync(
	cudaStream_t stream, void *devPtr, size_t length, unsigned int flags)
{
	return DRIVER(cuStreamAttachMemAsync, stream, (CUdeviceptr)devPtr, length, flags);
}
