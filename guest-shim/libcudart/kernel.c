/* SPDX-License-Identifier: Apache-2.0 */
/* kernel.c: handles and attributes of kernels. */
#include "guest-shim/libcudart/kernel.h"

#include <string.h>

#include "guest-shim/libcudart/driver.h"
#include "guest-shim/libcudart/map.h"

/* Handles that were given to the program: a pointer may be one instead of a function. */
static struct map known = MAP_INIT;

void
kernel_know(CUkernel handle)
{
	map_put(&known, handle, handle);
}

cudaError_t
kernel_load(struct kernel *kernel, CUkernel *ret_handle)
{
	CUlibrary library;
	CUkernel handle = NULL;
	cudaError_t error = fatbin_library(kernel->fatbin, &library);
	if (error == cudaSuccess) {
		error = CALL(cuLibraryGetKernel, &handle, library, kernel->name);
	}
	if (error != cudaSuccess) {
		return error == cudaErrorSymbolNotFound ? cudaErrorInvalidDeviceFunction
							: error;
	}
	atomic_store_explicit(&kernel->handle, handle, memory_order_release);
	*ret_handle = handle;
	return cudaSuccess;
}

cudaError_t
kernel_find(const void *func, CUkernel *ret_handle)
{
	struct kernel *kernel = fatbin_kernel(func);
	if (kernel == NULL && fatbin_is_kernel(func)) {
		kernel = (struct kernel *)func;
	}
	if (kernel != NULL) {
		return kernel_handle(kernel, ret_handle);
	}
	if (map_get(&known, func) == NULL) {
		/* Neither a function nor a handle: NVIDIA's takes it for a bad handle. */
		return func == NULL ? cudaErrorInvalidDeviceFunction
				    : cudaErrorInvalidResourceHandle;
	}
	*ret_handle = (CUkernel)func;
	return cudaSuccess;
}

/* These two take functions only. */
static cudaError_t
kernel_of_function(const void *func, CUkernel *ret_handle)
{
	cudaError_t error = device_enter();
	struct kernel *kernel = fatbin_kernel(func);
	if (error == cudaSuccess) {
		error = kernel == NULL ? cudaErrorInvalidDeviceFunction
				       : kernel_handle(kernel, ret_handle);
	}
	return error;
}

/* With a context, for calls that ask the driver about a kernel. */
static cudaError_t
kernel_enter(const void *func, CUkernel *ret_handle)
{
	cudaError_t error = device_enter();
	return error == cudaSuccess ? kernel_find(func, ret_handle) : error;
}

/* The compiler keeps the result in a static variable and calls no second time, even
 * after a failure.  So it gets our slot, and a launch that cannot load says so itself. */
cudaError_t
__cudaGetKernel(cudaKernel_t *kernel, const void *host_function)
{
	struct kernel *found = fatbin_kernel(host_function);
	if (found == NULL) {
		return error_keep(cudaErrorInvalidDeviceFunction);
	}
	*kernel = (cudaKernel_t)found;
	return cudaSuccess;
}

cudaError_t
cudaGetKernel(cudaKernel_t *kernelPtr, const void *entryFuncAddr)
{
	CUkernel handle;
	cudaError_t error = kernelPtr == NULL
				    ? cudaErrorInvalidValue
				    : kernel_of_function(entryFuncAddr, &handle);
	if (error == cudaSuccess) {
		kernel_know(handle);
		*kernelPtr = handle;
	}
	return error_keep(error);
}

cudaError_t
cudaGetFuncBySymbol(cudaFunction_t *functionPtr, const void *symbolPtr)
{
	CUkernel handle;
	cudaError_t error = functionPtr == NULL ? cudaErrorInvalidValue
						: kernel_of_function(symbolPtr, &handle);
	if (error == cudaSuccess) {
		error = CALL(cuKernelGetFunction, functionPtr, handle);
	}
	return error_keep(error);
}

cudaError_t
cudaFuncGetAttributes(struct cudaFuncAttributes *attr, const void *func)
{
	struct cudaFuncAttributes found;
	int constant_size = 0;
	int local_size = 0;
	int shared_size = 0;
	const struct {
		CUfunction_attribute attribute;
		int *value;
		bool newer; /* 12.0: an older driver may not know it */
	} wanted[] = {
		{ CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, &found.maxThreadsPerBlock,
			false },
		{ CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, &shared_size, false },
		{ CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES, &constant_size, false },
		{ CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, &local_size, false },
		{ CU_FUNC_ATTRIBUTE_NUM_REGS, &found.numRegs, false },
		{ CU_FUNC_ATTRIBUTE_PTX_VERSION, &found.ptxVersion, false },
		{ CU_FUNC_ATTRIBUTE_BINARY_VERSION, &found.binaryVersion, false },
		{ CU_FUNC_ATTRIBUTE_CACHE_MODE_CA, &found.cacheModeCA, false },
		{ CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
			&found.maxDynamicSharedSizeBytes, false },
		{ CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT,
			&found.preferredShmemCarveout, false },
		{ CU_FUNC_ATTRIBUTE_CLUSTER_SIZE_MUST_BE_SET, &found.clusterDimMustBeSet,
			true },
		{ CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH, &found.requiredClusterWidth,
			true },
		{ CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT, &found.requiredClusterHeight,
			true },
		{ CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH, &found.requiredClusterDepth,
			true },
		{ CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED,
			&found.nonPortableClusterSizeAllowed, true },
		{ CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE,
			&found.clusterSchedulingPolicyPreference, true },
	};
	CUkernel handle;

	memset(&found, 0, sizeof(found));
	cudaError_t error =
		attr == NULL ? cudaErrorInvalidValue : kernel_enter(func, &handle);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]) && error == cudaSuccess;
		i++) {
		error = CALL(cuKernelGetAttribute, wanted[i].value, wanted[i].attribute,
			handle, device_current());
		if (error != cudaSuccess && wanted[i].newer) {
			error = cudaSuccess;
		}
	}
	if (error != cudaSuccess) {
		return error_keep(error);
	}
	found.sharedSizeBytes = (size_t)shared_size;
	found.constSizeBytes = (size_t)constant_size;
	found.localSizeBytes = (size_t)local_size;
	*attr = found;
	return cudaSuccess;
}

cudaError_t
cudaFuncSetAttribute(const void *func, enum cudaFuncAttribute attr, int value)
{
	CUkernel handle;
	cudaError_t error = kernel_enter(func, &handle);
	if (error == cudaSuccess) {
		error = CALL(cuKernelSetAttribute, (CUfunction_attribute)attr, value,
			handle, device_current());
	}
	return error_keep(error);
}

cudaError_t
cudaKernelSetAttributeForDevice(
	cudaKernel_t kernel, enum cudaFuncAttribute attr, int value, int device)
{
	CUdevice handle;
	cudaError_t error = device_get(device, &handle);
	if (error == cudaSuccess) {
		error = CALL(cuKernelSetAttribute, (CUfunction_attribute)attr, value,
			kernel, handle);
	}
	return error_keep(error);
}

cudaError_t
cudaFuncSetCacheConfig(const void *func, enum cudaFuncCache cacheConfig)
{
	CUkernel handle;
	cudaError_t error = kernel_enter(func, &handle);
	if (error == cudaSuccess) {
		error = CALL(cuKernelSetCacheConfig, handle, (CUfunc_cache)cacheConfig,
			device_current());
	}
	return error_keep(error);
}

/* Deprecated and without effect on every GPU that CUDA 12 supports. */
cudaError_t
cudaFuncSetSharedMemConfig(const void *func, enum cudaSharedMemConfig config)
{
	CUkernel handle;
	return error_keep(kernel_enter(func, &handle));
}

cudaError_t
cudaFuncGetName(const char **name, const void *func)
{
	struct kernel *kernel = fatbin_kernel(func);
	CUkernel handle;

	if (name == NULL) {
		return error_keep(cudaErrorInvalidValue);
	}
	if (kernel != NULL) {
		*name = kernel->name;
		return cudaSuccess;
	}
	cudaError_t error = kernel_enter(func, &handle);
	if (error == cudaSuccess) {
		error = CALL(cuKernelGetName, name, handle);
	}
	return error_keep(error);
}

cudaError_t
cudaFuncGetParamInfo(
	const void *func, size_t paramIndex, size_t *paramOffset, size_t *paramSize)
{
	CUkernel handle;
	cudaError_t error = kernel_enter(func, &handle);
	if (error == cudaSuccess) {
		error = CALL(
			cuKernelGetParamInfo, handle, paramIndex, paramOffset, paramSize);
	}
	return error_keep(error);
}
