/* SPDX-License-Identifier: Apache-2.0 */
/* occupancy.c: how many blocks fit on a multiprocessor.
 *
 * Counted in threads, blocks and shared memory.  Registers limit nothing here. */
#include "soft-device/occupancy.h"

#include "common/checked.h"
#include "common/cleanup.h"
#include "soft-device/device.h"
#include "soft-device/exec.h"

#define WARP 32
#define SHARED_STEP 256

int
occupancy_blocks(const struct ptx_function *ptx, const struct function_settings *settings,
	int block_size, size_t dynamic_shared)
{
	struct exec_attributes a;

	exec_attributes(ptx, &a);
	if (block_size <= 0 || block_size > a.max_threads ||
		dynamic_shared > function_max_dynamic(ptx, settings)) {
		return 0;
	}
	size_t shared = round_up(a.shared_size + dynamic_shared, SHARED_STEP);
	int by_threads =
		DEVICE_THREADS_PER_PROCESSOR / (int)round_up((size_t)block_size, WARP);
	int by_shared = shared == 0 ? DEVICE_BLOCKS_PER_PROCESSOR
				    : (int)(DEVICE_SHARED_MAX / shared);
	int blocks = by_threads < by_shared ? by_threads : by_shared;

	return blocks < DEVICE_BLOCKS_PER_PROCESSOR ? blocks
						    : DEVICE_BLOCKS_PER_PROCESSOR;
}

CUresult
cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *numBlocks, CUfunction func,
	int blockSize, size_t dynamicSMemSize, unsigned int flags)
{
	if (numBlocks == NULL || blockSize <= 0 ||
		(flags & ~(unsigned int)CU_OCCUPANCY_DISABLE_CACHING_OVERRIDE) != 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	USE_FUNCTION(function, func);
	*numBlocks = occupancy_blocks(
		function->ptx, function->settings, blockSize, dynamicSMemSize);
	return CUDA_SUCCESS;
}

CUresult
cuOccupancyMaxActiveBlocksPerMultiprocessor(
	int *numBlocks, CUfunction func, int blockSize, size_t dynamicSMemSize)
{
	return cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
		numBlocks, func, blockSize, dynamicSMemSize, 0);
}

CUresult
cuOccupancyMaxPotentialBlockSizeWithFlags(int *minGridSize, int *blockSize,
	CUfunction func, CUoccupancyB2DSize blockSizeToDynamicSMemSize,
	size_t dynamicSMemSize, int blockSizeLimit, unsigned int flags)
{
	if (minGridSize == NULL || blockSize == NULL || blockSizeLimit < 0 ||
		(flags & ~(unsigned int)CU_OCCUPANCY_DISABLE_CACHING_OVERRIDE) != 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	USE_FUNCTION(function, func);
	struct exec_attributes a;

	exec_attributes(function->ptx, &a);
	int limit = blockSizeLimit == 0 || blockSizeLimit > a.max_threads
			    ? a.max_threads
			    : blockSizeLimit;
	int best_size = 0;
	int best_blocks = 0;

	/* The largest block among those with the most threads resident; the limit itself
	 * need not be a multiple of a warp. */
	for (int size = limit; size > 0; size = (size - 1) / WARP * WARP) {
		size_t dynamic = blockSizeToDynamicSMemSize != NULL
					 ? blockSizeToDynamicSMemSize(size)
					 : dynamicSMemSize;
		int blocks = occupancy_blocks(
			function->ptx, function->settings, size, dynamic);

		if (size * blocks > best_size * best_blocks) {
			best_size = size;
			best_blocks = blocks;
		}
	}
	*blockSize = best_size;
	*minGridSize = best_blocks * device_processors();
	return CUDA_SUCCESS;
}

CUresult
cuOccupancyMaxPotentialBlockSize(int *minGridSize, int *blockSize, CUfunction func,
	CUoccupancyB2DSize blockSizeToDynamicSMemSize, size_t dynamicSMemSize,
	int blockSizeLimit)
{
	return cuOccupancyMaxPotentialBlockSizeWithFlags(minGridSize, blockSize, func,
		blockSizeToDynamicSMemSize, dynamicSMemSize, blockSizeLimit, 0);
}

CUresult
cuOccupancyAvailableDynamicSMemPerBlock(
	size_t *dynamicSmemSize, CUfunction func, int numBlocks, int blockSize)
{
	if (dynamicSmemSize == NULL || numBlocks <= 0 || blockSize <= 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	USE_FUNCTION(function, func);
	if (occupancy_blocks(function->ptx, function->settings, blockSize, 0) <
		numBlocks) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	size_t each = DEVICE_SHARED_MAX / (size_t)numBlocks / SHARED_STEP * SHARED_STEP;
	size_t fixed = function->ptx->shared_size;
	size_t left = each > fixed ? each - fixed : 0;
	size_t most = function_max_dynamic(function->ptx, function->settings);

	*dynamicSmemSize = left < most ? left : most;
	return CUDA_SUCCESS;
}
