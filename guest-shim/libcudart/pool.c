/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c: memory that is allocated and freed in the order of a stream. */
#include "guest-shim/libcudart/driver.h"

cudaError_t
cudaMallocAsync(void **devPtr, size_t size, cudaStream_t hStream)
{
	CUdeviceptr address = 0;
	cudaError_t error = devPtr == NULL ? cudaErrorInvalidValue : device_enter();
	if (error == cudaSuccess && size > 0) {
		error = CALL(cuMemAllocAsync, &address, size, hStream);
	}
	if (error == cudaSuccess) {
		*devPtr = (void *)address;
	}
	return error_keep(error);
}

cudaError_t
cudaMallocFromPoolAsync(
	void **ptr, size_t size, cudaMemPool_t memPool, cudaStream_t stream)
{
	CUdeviceptr address = 0;
	cudaError_t error = ptr == NULL ? cudaErrorInvalidValue : device_enter();
	if (error == cudaSuccess && size > 0) {
		error = CALL(cuMemAllocFromPoolAsync, &address, size, memPool, stream);
	}
	if (error == cudaSuccess) {
		*ptr = (void *)address;
	}
	return error_keep(error);
}

cudaError_t
cudaFreeAsync(void *devPtr, cudaStream_t hStream)
{
	cudaError_t error = device_enter();
	if (error == cudaSuccess && devPtr != NULL) {
		error = CALL(cuMemFreeAsync, (CUdeviceptr)devPtr, hStream);
	}
	return error_keep(error);
}

cudaError_t
cudaDeviceGetDefaultMemPool(cudaMemPool_t *memPool, int device)
{
	CUdevice handle;
	cudaError_t error = device_get(device, &handle);
	if (error == cudaSuccess) {
		error = CALL(cuDeviceGetDefaultMemPool, memPool, handle);
	}
	return error_keep(error);
}

cudaError_t
cudaDeviceGetMemPool(cudaMemPool_t *memPool, int device)
{
	CUdevice handle;
	cudaError_t error = device_get(device, &handle);
	if (error == cudaSuccess) {
		error = CALL(cuDeviceGetMemPool, memPool, handle);
	}
	return error_keep(error);
}

cudaError_t
cudaDeviceSetMemPool(int device, cudaMemPool_t memPool)
{
	CUdevice handle;
	cudaError_t error = device_get(device, &handle);
	if (error == cudaSuccess) {
		error = CALL(cuDeviceSetMemPool, handle, memPool);
	}
	return error_keep(error);
}

_Static_assert(sizeof(struct cudaMemPoolProps) == sizeof(CUmemPoolProps), "same layout");
_Static_assert(
	sizeof(struct cudaMemAccessDesc) == sizeof(CUmemAccessDesc), "same layout");
_Static_assert(sizeof(struct cudaMemPoolPtrExportData) == sizeof(CUmemPoolPtrExportData),
	"same layout");

cudaError_t
cudaMemPoolCreate(cudaMemPool_t *memPool, const struct cudaMemPoolProps *poolProps)
{
	return DRIVER(cuMemPoolCreate, memPool, (const CUmemPoolProps *)poolProps);
}

cudaError_t
cudaMemPoolDestroy(cudaMemPool_t memPool)
{
	return DRIVER(cuMemPoolDestroy, memPool);
}

cudaError_t
cudaMemPoolTrimTo(cudaMemPool_t memPool, size_t minBytesToKeep)
{
	return DRIVER(cuMemPoolTrimTo, memPool, minBytesToKeep);
}

cudaError_t
cudaMemPoolSetAttribute(cudaMemPool_t memPool, enum cudaMemPoolAttr attr, void *value)
{
	return DRIVER(cuMemPoolSetAttribute, memPool, (CUmemPool_attribute)attr, value);
}

cudaError_t
cudaMemPoolGetAttribute(cudaMemPool_t memPool, enum cudaMemPoolAttr attr, void *value)
{
	return DRIVER(cuMemPoolGetAttribute, memPool, (CUmemPool_attribute)attr, value);
}

cudaError_t
cudaMemPoolSetAccess(
	cudaMemPool_t memPool, const struct cudaMemAccessDesc *descList, size_t count)
{
	return DRIVER(
		cuMemPoolSetAccess, memPool, (const CUmemAccessDesc *)descList, count);
}

cudaError_t
cudaMemPoolGetAccess(enum cudaMemAccessFlags *flags, cudaMemPool_t memPool,
	struct cudaMemLocation *location)
{
	return DRIVER(cuMemPoolGetAccess, (CUmemAccess_flags *)flags, memPool,
		(CUmemLocation *)location);
}

cudaError_t
cudaMemPoolExportToShareableHandle(void *shareableHandle, cudaMemPool_t memPool,
	enum cudaMemAllocationHandleType handleType, unsigned int flags)
{
	return DRIVER(cuMemPoolExportToShareableHandle, shareableHandle, memPool,
		(CUmemAllocationHandleType)handleType, flags);
}

cudaError_t
cudaMemPoolImportFromShareableHandle(cudaMemPool_t *memPool, void *shareableHandle,
	enum cudaMemAllocationHandleType handleType, unsigned int flags)
{
	return DRIVER(cuMemPoolImportFromShareableHandle, memPool, shareableHandle,
		(CUmemAllocationHandleType)handleType, flags);
}

cudaError_t
cudaMemPoolExportPointer(struct cudaMemPoolPtrExportData *exportData, void *ptr)
{
	return DRIVER(cuMemPoolExportPointer, (CUmemPoolPtrExportData *)exportData,
		(CUdeviceptr)ptr);
}

cudaError_t
cudaMemPoolImportPointer(
	void **ptr, cudaMemPool_t memPool, struct cudaMemPoolPtrExportData *exportData)
{
	return DRIVER(cuMemPoolImportPointer, (CUdeviceptr *)ptr, memPool,
		(CUmemPoolPtrExportData *)exportData);
}
