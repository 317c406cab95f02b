/* SPDX-License-Identifier: Apache-2.0 */
/* occupancy.c: how many blocks of a kernel fit. */
#include "guest-shim/libcudart/driver.h"
#include "guest-shim/libcudart/kernel.h"

static cudaError_t
occupancy_kernel(const void *func, CUfunction *ret_function)
{
	CUkernel handle;
	cudaError_t error = device_enter();
	if (error == cudaSuccess) {
		error = kernel_find(func, &handle);
	}
	if (error == cudaSuccess) {
		*ret_function = (CUfunction)handle;
	}
	return error;
}

cudaError_t
cudaOccupancyMaxActiveBlocksPerMultiprocessor(
	int *numBlocks, const void *func, int blockSize, size_t dynamicSMemSize)
{
	CUfunction function;
	cudaError_t error = occupancy_kernel(func, &function);
	if (error == cudaSuccess) {
		error = CALL(cuOccupancyMaxActiveBlocksPerMultiprocessor, numBlocks,
			function, blockSize, dynamicSMemSize);
	}
	return error_keep(error);
}

cudaError_t
cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *numBlocks, const void *func,
	int blockSize, size_t dynamicSMemSize, unsigned int flags)
{
	CUfunction function;
	cudaError_t error = occupancy_kernel(func, &function);
	if (error == cudaSuccess) {
		error = CALL(cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags,
			numBlocks, function, blockSize, dynamicSMemSize, flags);
	}
	return error_keep(error);
}

cudaError_t
cudaOccupancyAvailableDynamicSMemPerBlock(
	size_t *dynamicSmemSize, const void *func, int numBlocks, int blockSize)
{
	CUfunction function;
	cudaError_t error = occupancy_kernel(func, &function);
	if (error == cudaSuccess) {
		error = CALL(cuOccupancyAvailableDynamicSMemPerBlock, dynamicSmemSize,
			function, numBlocks, blockSize);
	}
	return error_keep(error);
}

static CUlaunchConfig
occupancy_config(const cudaLaunchConfig_t *config)
{
	return (CUlaunchConfig){
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
}

cudaError_t
cudaOccupancyMaxPotentialClusterSize(
	int *clusterSize, const void *func, const cudaLaunchConfig_t *launchConfig)
{
	CUfunction function;
	cudaError_t error = launchConfig == NULL ? cudaErrorInvalidValue
						 : occupancy_kernel(func, &function);
	if (error == cudaSuccess) {
		const CUlaunchConfig config = occupancy_config(launchConfig);
		error = CALL(cuOccupancyMaxPotentialClusterSize, clusterSize, function,
			&config);
	}
	return error_keep(error);
}

cudaError_t
cudaOccupancyMaxActiveClusters(
	int *numClusters, const void *func, const cudaLaunchConfig_t *launchConfig)
{
	CUfunction function;
	cudaError_t error = launchConfig == NULL ? cudaErrorInvalidValue
						 : occupancy_kernel(func, &function);
	if (error == cudaSuccess) {
		const CUlaunchConfig config = occupancy_config(launchConfig);
		error = CALL(
			cuOccupancyMaxActiveClusters, numClusters, function, &config);
	}
	return error_keep(error);
}
