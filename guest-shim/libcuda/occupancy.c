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

enum question { BLOCKS_OF_SHARED, SHARED_OF_BLOCKS };

struct answer {
	enum question question;
	CUfunction function; /* NULL: none here */
	CUcontext context;
	int block_size;
	unsigned flags;
	size_t given; /* bytes, or blocks */
	unsigned generation;
	size_t value;
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
	h = (h ^ question->given ^ question->flags ^ (uint64_t)question->question << 48) *
		0x9e3779b97f4a7c15u;
	return &occupancy.answers[h >> 56];
}

static bool
same(const struct answer *a, const struct answer *b)
{
	return a->question == b->question && a->function == b->function &&
		a->context == b->context && a->block_size == b->block_size &&
		a->flags == b->flags && a->given == b->given &&
		a->generation == b->generation;
}

static CUresult
ask(const struct answer *question, size_t *ret_value)
{
	int n_blocks;

	if (question->question == SHARED_OF_BLOCKS) {
		return remote_cuOccupancyAvailableDynamicSMemPerBlock(ret_value,
			question->function, (int)question->given, question->block_size);
	}
	CUresult result = remote_cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
		&n_blocks, question->function, question->block_size, question->given,
		question->flags);
	if (result == CUDA_SUCCESS) {
		*ret_value = (size_t)n_blocks;
	}
	return result;
}

/* Answer a question in the current context, from memory if it was asked before. */
static CUresult
answer(struct answer *question, size_t *ret_value)
{
	struct context *context;
	CUresult result = context_current(&context);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	question->context = context->handle;
	question->generation = function_generation();
	struct answer *known = place(question);
	pthread_mutex_lock(&occupancy.lock);
	bool hit = same(known, question);
	question->value = known->value;
	pthread_mutex_unlock(&occupancy.lock);
	if (!hit) {
		result = ask(question, &question->value);
	}
	if (result == CUDA_SUCCESS) {
		HOLD_LOCK(&occupancy.lock);
		*known = *question;
		*ret_value = question->value;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *numBlocks, CUfunction func,
	int blockSize, size_t dynamicSMemSize, unsigned int flags)
{
	struct context *context;
	size_t n_blocks;
	CUresult result = context_current(&context);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (numBlocks == NULL || blockSize <= 0 ||
		(flags & ~(unsigned)CU_OCCUPANCY_DISABLE_CACHING_OVERRIDE) != 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	result = answer(&(struct answer){ .question = BLOCKS_OF_SHARED, .function = func,
				.block_size = blockSize, .flags = flags,
				.given = dynamicSMemSize }, &n_blocks);
	if (result == CUDA_SUCCESS) {
		*numBlocks = (int)n_blocks;
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
	return answer(&(struct answer){ .question = SHARED_OF_BLOCKS, .function = func,
			      .block_size = blockSize, .given = (size_t)numBlocks },
		dynamicSmemSize);
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
