/* SPDX-License-Identifier: Apache-2.0 */
/* occupancy.c: how many blocks fit: asked once for each set of arguments, and what CUDA
 * documents to be computed from that. */
#include <pthread.h>

#include "common/cleanup.h"
#include "guest-shim/libcuda/api.h"
#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/function.h"
#include "guest-shim/libcuda/guest.h"
#include "guest-shim/libcuda/session.h"
#include "remote.h"

#define ANSWERS 256 /* a power of two */

struct answer {
	CUfunction function; /* NULL: none here */
	CUcontext context;
	int block_size;
	unsigned flags;
	size_t shared_size;
	unsigned generation;
	int n_blocks;
};

static struct {
	pthread_mutex_t lock;
	struct answer answers[ANSWERS];
} occupancy = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct answer *
place(const struct answer *question)
{
	uint64_t h = (uintptr_t)question->function * 0x9e3779b97f4a7c15u;

	h = (h ^ (uint64_t)question->block_size) * 0x9e3779b97f4a7c15u;
	h = (h ^ question->shared_size ^ question->flags) * 0x9e3779b97f4a7c15u;
	return &occupancy.answers[h >> 56];
}

static bool
same(const struct answer *a, const struct answer *b)
{
	return a->function == b->function && a->context == b->context &&
		a->block_size == b->block_size && a->flags == b->flags &&
		a->shared_size == b->shared_size && a->generation == b->generation;
}

CUDA_EXPORT CUresult CUDAAPI
cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *numBlocks, CUfunction func,
	int blockSize, size_t dynamicSMemSize, unsigned int flags)
{
	struct context *context;
	CUresult result = context_current(&context);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (numBlocks == NULL || blockSize <= 0 ||
		(flags & ~(unsigned)CU_OCCUPANCY_DISABLE_CACHING_OVERRIDE) != 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	struct answer answer = { .function = func, .context = context->handle,
		.block_size = blockSize, .flags = flags, .shared_size = dynamicSMemSize,
		.generation = function_generation() };
	struct answer *known = place(&answer);
	pthread_mutex_lock(&occupancy.lock);
	bool hit = same(known, &answer);
	answer.n_blocks = known->n_blocks;
	pthread_mutex_unlock(&occupancy.lock);
	if (!hit) {
		result = remote_cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
			&answer.n_blocks, func, blockSize, dynamicSMemSize, flags);
	}
	if (result == CUDA_SUCCESS) {
		HOLD_LOCK(&occupancy.lock);
		*known = answer;
		*numBlocks = answer.n_blocks;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuOccupancyMaxActiveBlocksPerMultiprocessor(int *numBlocks, CUfunction func, int blockSize,
	size_t dynamicSMemSize)
{
	return cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
		numBlocks, func, blockSize, dynamicSMemSize, CU_OCCUPANCY_DEFAULT);
}

CUDA_EXPORT CUresult CUDAAPI
cuOccupancyAvailableDynamicSMemPerBlock(size_t *dynamicSmemSize, CUfunction func,
	int numBlocks, int blockSize)
{
	if (dynamicSmemSize == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	return remote_cuOccupancyAvailableDynamicSMemPerBlock(
		dynamicSmemSize, func, numBlocks, blockSize);
}

struct search {
	CUfunction function;
	CUoccupancyB2DSize shared_of_block; /* NULL: shared_size for every block */
	size_t shared_size;
	unsigned flags;
};

/* CUDA's documented search (cuda_occupancy.h): block sizes from the largest down, in steps
 * of a warp, until one has as many threads running as there can be. */
static CUresult
search(const struct search *s, int limit, const int *device, int *ret_grid, int *ret_block)
{
	int step = device[CU_DEVICE_ATTRIBUTE_WARP_SIZE];
	int most = 0, best_block = 0, best_blocks = 0;

	if (step <= 0) {
		return CUDA_ERROR_UNKNOWN;
	}
	for (int aligned = (limit + step - 1) / step * step; aligned > 0; aligned -= step) {
		int block = limit < aligned ? limit : aligned, blocks = 0;
		size_t shared = s->shared_of_block != NULL ? s->shared_of_block(block)
							   : s->shared_size;
		CUresult result = cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
			&blocks, s->function, block, shared, s->flags);
		if (result != CUDA_SUCCESS) {
			return result;
		}
		if (block * blocks > most) {
			most = block * blocks;
			best_block = block;
			best_blocks = blocks;
		}
		if (most == device[CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR]) {
			break;
		}
	}
	*ret_grid = best_blocks * device[CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT];
	*ret_block = best_block;
	return CUDA_SUCCESS;
}

CUDA_EXPORT CUresult CUDAAPI
cuOccupancyMaxPotentialBlockSizeWithFlags(int *minGridSize, int *blockSize, CUfunction func,
	CUoccupancyB2DSize blockSizeToDynamicSMemSize, size_t dynamicSMemSize,
	int blockSizeLimit, unsigned int flags)
{
	struct context *context;
	int limit;
	CUresult result = context_current(&context);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (minGridSize == NULL || blockSize == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	struct function *function = function_find(func);
	if (function == NULL) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	result = function_attribute(function, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, &limit);
	if (result != CUDA_SUCCESS) {
		return result;
	}
	const int *device = session_device(context->device)->attributes;
	int most = device[CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK];
	limit = limit < most ? limit : most;
	if (blockSizeLimit > 0 && blockSizeLimit < limit) {
		limit = blockSizeLimit;
	}
	return search(&(struct search){ .function = func,
			      .shared_of_block = blockSizeToDynamicSMemSize,
			      .shared_size = dynamicSMemSize, .flags = flags },
		limit, device, minGridSize, blockSize);
}

CUDA_EXPORT CUresult CUDAAPI
cuOccupancyMaxPotentialBlockSize(int *minGridSize, int *blockSize, CUfunction func,
	CUoccupancyB2DSize blockSizeToDynamicSMemSize, size_t dynamicSMemSize,
	int blockSizeLimit)
{
	return cuOccupancyMaxPotentialBlockSizeWithFlags(minGridSize, blockSize, func,
		blockSizeToDynamicSMemSize, dynamicSMemSize, blockSizeLimit,
		CU_OCCUPANCY_DEFAULT);
}
