/* SPDX-License-Identifier: Apache-2.0 */
/* memory_cache.h: device memory that the program has freed and the host has not. */
#pragma once

#include <cuda.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct context;

struct memory_block {
	CUdeviceptr start;
	size_t size; /* as it was asked for */
	struct context *context;
	uint64_t mark; /* of the time it was freed (context_mark) */
};

/* Whether blocks of this size are kept at all. */
bool memory_cache_wants(size_t size);
/* Keep a block.  false: there is no room; memory_cache_take_oldest() makes some. */
bool memory_cache_put(const struct memory_block *block);
/* Of the blocks of this size and context that may be used, take the one that was freed
 * first: what was sent before that is done first. */
bool memory_cache_take(const struct context *context, size_t size,
	bool (*may_use)(const struct memory_block *block), struct memory_block *ret_block);
/* Whatever was freed first. */
bool memory_cache_take_oldest(struct memory_block *ret_block);
/* Forget what a context had: it is gone. */
void memory_cache_end_context(const struct context *context);
