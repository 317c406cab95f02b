/* SPDX-License-Identifier: Apache-2.0 */
/* attribute.c: what a device can do, limits, bus addresses, and peers. */
#include <stdio.h>
#include <string.h>

#include "guest-shim/libcudart/driver.h"

cudaError_t
cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attr, int device)
{
	CUdevice handle;
	cudaError_t error =
		value == NULL ? cudaErrorInvalidValue : device_get(device, &handle);
	if (error == cudaSuccess) {
		/* The numbers are the driver's. */
		error = CALL(
			cuDeviceGetAttribute, value, (CUdevice_attribute)attr, handle);
	}
	return error_keep(error);
}

cudaError_t
cudaDeviceGetByPCIBusId(int *device, const char *pciBusId)
{
	CUdevice found;
	CUdevice handle;
	cudaError_t error = device == NULL || pciBusId == NULL ? cudaErrorInvalidValue
							       : device_init();
	if (error == cudaSuccess) {
		error = CALL(cuDeviceGetByPCIBusId, &found, pciBusId);
	}
	if (error != cudaSuccess) {
		return error_keep(error);
	}
	for (int i = 0; i < device_count(); i++) {
		if (device_get(i, &handle) == cudaSuccess && handle == found) {
			*device = i;
			return cudaSuccess;
		}
	}
	return error_keep(cudaErrorInvalidDevice);
}

cudaError_t
cudaDeviceGetPCIBusId(char *pciBusId, int len, int device)
{
	CUdevice handle;
	cudaError_t error = pciBusId == NULL || len <= 0 ? cudaErrorInvalidValue
							 : device_get(device, &handle);
	if (error == cudaSuccess) {
		error = CALL(cuDeviceGetPCIBusId, pciBusId, len, handle);
	}
	return error_keep(error);
}

cudaError_t
cudaDeviceSetLimit(enum cudaLimit limit, size_t value)
{
	return DRIVER(cuCtxSetLimit, (CUlimit)limit, value);
}

cudaError_t
cudaDeviceGetLimit(size_t *pValue, enum cudaLimit limit)
{
	return DRIVER(cuCtxGetLimit, pValue, (CUlimit)limit);
}

cudaError_t
cudaDeviceGetCacheConfig(enum cudaFuncCache *pCacheConfig)
{
	return DRIVER(cuCtxGetCacheConfig, (CUfunc_cache *)pCacheConfig);
}

cudaError_t
cudaDeviceSetCacheConfig(enum cudaFuncCache cacheConfig)
{
	return DRIVER(cuCtxSetCacheConfig, (CUfunc_cache)cacheConfig);
}

/* Banks have had one width since 2014: nothing to choose, and four bytes to report. */
cudaError_t
cudaDeviceGetSharedMemConfig(enum cudaSharedMemConfig *pConfig)
{
	cudaError_t error = pConfig == NULL ? cudaErrorInvalidValue : device_enter();
	if (error == cudaSuccess) {
		*pConfig = cudaSharedMemBankSizeFourByte;
	}
	return error_keep(error);
}

cudaError_t
cudaDeviceSetSharedMemConfig(enum cudaSharedMemConfig config)
{
	return error_keep(device_enter());
}

cudaError_t
cudaDeviceGetStreamPriorityRange(int *leastPriority, int *greatestPriority)
{
	return DRIVER(cuCtxGetStreamPriorityRange, leastPriority, greatestPriority);
}

cudaError_t
cudaCtxResetPersistingL2Cache(void)
{
	return DRIVER(cuCtxResetPersistingL2Cache);
}

cudaError_t
cudaDeviceFlushGPUDirectRDMAWrites(enum cudaFlushGPUDirectRDMAWritesTarget target,
	enum cudaFlushGPUDirectRDMAWritesScope scope)
{
	return DRIVER(cuFlushGPUDirectRDMAWrites,
		(CUflushGPUDirectRDMAWritesTarget)target,
		(CUflushGPUDirectRDMAWritesScope)scope);
}

static cudaError_t
device_pair(int first, int second, CUdevice *ret_first, CUdevice *ret_second)
{
	cudaError_t error = device_get(first, ret_first);
	return error == cudaSuccess ? device_get(second, ret_second) : error;
}

cudaError_t
cudaDeviceCanAccessPeer(int *canAccessPeer, int device, int peerDevice)
{
	CUdevice from;
	CUdevice to;
	cudaError_t error = canAccessPeer == NULL
				    ? cudaErrorInvalidValue
				    : device_pair(device, peerDevice, &from, &to);
	if (error == cudaSuccess && from == to) {
		*canAccessPeer = 0;
		return cudaSuccess;
	}
	if (error == cudaSuccess) {
		error = CALL(cuDeviceCanAccessPeer, canAccessPeer, from, to);
	}
	return error_keep(error);
}

cudaError_t
cudaDeviceEnablePeerAccess(int peerDevice, unsigned int flags)
{
	CUcontext peer;
	cudaError_t error = device_enter();
	if (error == cudaSuccess) {
		error = device_context(peerDevice, &peer);
	}
	if (error == cudaSuccess) {
		error = peer == thread_self.context
				? cudaErrorPeerAccessUnsupported
				: CALL(cuCtxEnablePeerAccess, peer, flags);
	}
	return error_keep(error);
}

cudaError_t
cudaDeviceDisablePeerAccess(int peerDevice)
{
	CUcontext peer;
	cudaError_t error = device_enter();
	if (error == cudaSuccess) {
		error = device_context(peerDevice, &peer);
	}
	if (error == cudaSuccess) {
		error = CALL(cuCtxDisablePeerAccess, peer);
	}
	return error_keep(error);
}

cudaError_t
cudaDeviceGetP2PAttribute(
	int *value, enum cudaDeviceP2PAttr attr, int srcDevice, int dstDevice)
{
	CUdevice from;
	CUdevice to;
	cudaError_t error = value == NULL ? cudaErrorInvalidValue
					  : device_pair(srcDevice, dstDevice, &from, &to);
	if (error == cudaSuccess) {
		error = CALL(cuDeviceGetP2PAttribute, value, (CUdevice_P2PAttribute)attr,
			from, to);
	}
	return error_keep(error);
}

cudaError_t
cudaDeviceGetGraphMemAttribute(
	int device, enum cudaGraphMemAttributeType attr, void *value)
{
	CUdevice handle;
	cudaError_t error = device_get(device, &handle);
	if (error == cudaSuccess) {
		error = CALL(cuDeviceGetGraphMemAttribute, handle,
			(CUgraphMem_attribute)attr, value);
	}
	return error_keep(error);
}

cudaError_t
cudaDeviceSetGraphMemAttribute(
	int device, enum cudaGraphMemAttributeType attr, void *value)
{
	CUdevice handle;
	cudaError_t error = device_get(device, &handle);
	if (error == cudaSuccess) {
		error = CALL(cuDeviceSetGraphMemAttribute, handle,
			(CUgraphMem_attribute)attr, value);
	}
	return error_keep(error);
}

cudaError_t
cudaDeviceGraphMemTrim(int device)
{
	CUdevice handle;
	cudaError_t error = device_get(device, &handle);
	if (error == cudaSuccess) {
		error = CALL(cuDeviceGraphMemTrim, handle);
	}
	return error_keep(error);
}
