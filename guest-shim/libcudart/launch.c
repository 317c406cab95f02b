/* SPDX-License-Identifier: Apache-2.0 */
/* launch.c: kernels and host functions into streams.
 *
 * The driver takes a CUkernel cast to CUfunction wherever a kernel is launched
 * (cuda.h, cuLaunchKernel) and finds the module of the current context itself. */
#include "guest-shim/libcudart/driver.h"
#include "guest-shim/libcudart/kernel.h"

#if CUDART_MAJOR == 12
/* The driver says "invalid value" for everything; the runtime of 12 tells a configuration
 * that no device could run from other wrong arguments, that of 13 does not (measured). */
static cudaError_t
launch_error(cudaError_t error, dim3 grid, dim3 block)
{
	static const CUdevice_attribute limits[6] = {
		CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X,
		CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y,
		CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z,
		CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X,
		CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y,
		CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z,
	};
	const unsigned dims[6] = { grid.x, grid.y, grid.z, block.x, block.y, block.z };
	int limit;

	if (error != cudaErrorInvalidValue) {
		return error;
	}
	for (int i = 0; i < 6; i++) {
		if (dims[i] == 0 || (CALL(cuDeviceGetAttribute, &limit, limits[i],
					     device_current()) == cudaSuccess &&
					    dims[i] > (unsigned)limit)) {
			return cudaErrorInvalidConfiguration;
		}
	}
	unsigned long long n_threads = (unsigned long long)block.x * block.y * block.z;
	if (CALL(cuDeviceGetAttribute, &limit, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK,
		    device_current()) == cudaSuccess &&
		n_threads > (unsigned long long)limit) {
		return cudaErrorInvalidConfiguration;
	}
	return error;
}
#else
static inline cudaError_t
launch_error(cudaError_t error, dim3 grid, dim3 block)
{
	return error;
}
#endif

static inline cudaError_t
launch_kernel(CUkernel kernel, dim3 grid, dim3 block, void **args, size_t shared_size,
	cudaStream_t stream)
{
	if (__builtin_expect(shared_size > UINT32_MAX, 0)) {
		return cudaErrorInvalidValue;
	}
	cudaError_t error =
		CALL(cuLaunchKernel, (CUfunction)kernel, grid.x, grid.y, grid.z, block.x,
			block.y, block.z, (unsigned)shared_size, stream, args, NULL);
	return __builtin_expect(error == cudaSuccess, 1)
		       ? error
		       : launch_error(error, grid, block);
}

cudaError_t
__cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void **args,
	size_t shared_size, cudaStream_t stream)
{
	CUkernel handle;
	cudaError_t error = device_enter();
	if (error == cudaSuccess) {
		error = __builtin_expect(fatbin_is_kernel(kernel), 1)
				? kernel_handle((struct kernel *)kernel, &handle)
				: kernel_find(kernel, &handle);
	}
	if (error == cudaSuccess) {
		error = launch_kernel(handle, grid, block, args, shared_size, stream);
	}
	return error_keep(error);
}

cudaError_t
cudaLaunchKernel(const void *func, dim3 gridDim, dim3 blockDim, void **args,
	size_t sharedMem, cudaStream_t stream)
{
	CUkernel handle;
	cudaError_t error = device_enter();
	if (error == cudaSuccess) {
		error = kernel_find(func, &handle);
	}
	if (error == cudaSuccess) {
		error = launch_kernel(handle, gridDim, blockDim, args, sharedMem, stream);
	}
	return error_keep(error);
}

cudaError_t
cudaLaunchCooperativeKernel(const void *func, dim3 gridDim, dim3 blockDim, void **args,
	size_t sharedMem, cudaStream_t stream)
{
	CUkernel handle;
	cudaError_t error = device_enter();
	if (error == cudaSuccess) {
		error = kernel_find(func, &handle);
	}
	if (error == cudaSuccess && sharedMem > UINT32_MAX) {
		error = cudaErrorInvalidValue;
	}
	if (error == cudaSuccess) {
		error = launch_error(
			CALL(cuLaunchCooperativeKernel, (CUfunction)handle, gridDim.x,
				gridDim.y, gridDim.z, blockDim.x, blockDim.y, blockDim.z,
				(unsigned)sharedMem, stream, args),
			gridDim, blockDim);
	}
	return error_keep(error);
}

/* The attributes are the driver's own, under other names. */
_Static_assert(sizeof(cudaLaunchAttribute) == sizeof(CUlaunchAttribute), "same layout");
_Static_assert(offsetof(cudaLaunchAttribute, val) == offsetof(CUlaunchAttribute, value),
	"same layout");

cudaError_t
cudaLaunchKernelExC(const cudaLaunchConfig_t *config, const void *func, void **args)
{
	CUkernel handle;
	cudaError_t error = config == NULL ? cudaErrorInvalidValue : device_enter();
	if (error == cudaSuccess) {
		error = kernel_find(func, &handle);
	}
	if (error == cudaSuccess && config->dynamicSmemBytes > UINT32_MAX) {
		error = cudaErrorInvalidValue;
	}
	if (error == cudaSuccess) {
		const CUlaunchConfig driver_config = {
			.gridDimX = config->gridDim.x,
			.gridDimY = config->gridDim.y,
			.gridDimZ = config->gridDim.z,
			.blockDimX = config->blockDim.x,
			.blockDimY = config->blockDim.y,
			.blockDimZ = config->blockDim.z,
			.sharedMemBytes = (unsigned)config->dynamicSmemBytes,
			.hStream = config->stream,
			.attrs = (CUlaunchAttribute *)config->attrs,
			.numAttrs = config->numAttrs,
		};
		error = launch_error(CALL(cuLaunchKernelEx, &driver_config,
					     (CUfunction)handle, args, NULL),
			config->gridDim, config->blockDim);
	}
	return error_keep(error);
}

cudaError_t
cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t fn, void *userData)
{
	return DRIVER(cuLaunchHostFunc, stream, fn, userData);
}
