/* SPDX-License-Identifier: Apache-2.0 */
/* removed.c: functions that CUDA 12 still exported and 13 does not. */
#include "guest-shim/libcudart/error.h"

#if CUDART_MAJOR == 12
cudaError_t cuda12ThreadExit(void) EXPORT_AS("cudaThreadExit");
cudaError_t cuda12ThreadSynchronize(void) EXPORT_AS("cudaThreadSynchronize");
cudaError_t cuda12ThreadGetLimit(size_t *value, enum cudaLimit limit)
	EXPORT_AS("cudaThreadGetLimit");
cudaError_t cuda12ThreadSetLimit(enum cudaLimit limit, size_t value)
	EXPORT_AS("cudaThreadSetLimit");
cudaError_t cuda12ThreadGetCacheConfig(enum cudaFuncCache *config)
	EXPORT_AS("cudaThreadGetCacheConfig");
cudaError_t cuda12ThreadSetCacheConfig(enum cudaFuncCache config)
	EXPORT_AS("cudaThreadSetCacheConfig");
cudaError_t cuda12SetDoubleForDevice(double *d) EXPORT_AS("cudaSetDoubleForDevice");
cudaError_t cuda12SetDoubleForHost(double *d) EXPORT_AS("cudaSetDoubleForHost");

cudaError_t
cuda12ThreadExit(void)
{
	return cudaDeviceReset();
}

cudaError_t
cuda12ThreadSynchronize(void)
{
	return cudaDeviceSynchronize();
}

cudaError_t
cuda12ThreadGetLimit(size_t *value, enum cudaLimit limit)
{
	return cudaDeviceGetLimit(value, limit);
}

cudaError_t
cuda12ThreadSetLimit(enum cudaLimit limit, size_t value)
{
	return cudaDeviceSetLimit(limit, value);
}

cudaError_t
cuda12ThreadGetCacheConfig(enum cudaFuncCache *config)
{
	return cudaDeviceGetCacheConfig(config);
}

cudaError_t
cuda12ThreadSetCacheConfig(enum cudaFuncCache config)
{
	return cudaDeviceSetCacheConfig(config);
}

/* Converted for devices without double precision; there are none any more. */
cudaError_t
cuda12SetDoubleForDevice(double *d)
{
	return cudaSuccess;
}

cudaError_t
cuda12SetDoubleForHost(double *d)
{
	return cudaSuccess;
}
#endif
