/* SPDX-License-Identifier: Apache-2.0 */
/* memory_cache.c: device memory that the program has freed and the host has not.
 *
 * A driver takes some 25 us to free memory and as long to allocate it, and the program
 * would wait for both.  So what it frees is kept for a while, for the next allocation of
 * just that size: programs free and allocate the same sizes over and over, and another size
 * would blur the bounds that are checked on both sides.
 *
 * Bounded, since other guests of the device could have that memory: 64 MiB are less than
 * one large allocation.  Beyond 16 MiB work on the memory takes longer than the driver.
 *
 * An array, the oldest first. */
#include "guest-shim/libcuda/memory_cache.h"

#include <pthread.h>
#include <string.h>

#include "common/cleanup.h"
#include "guest-shim/libcuda/setting.h"

#define BLOCKS_MAX 64
#define SIZE_DEFAULT ((uint64_t)64 << 20)
/* One block is at most this part of all. */
#define SHARE_MAX 4

static struct {
	pthread_mutex_t lock;
	size_t n;
	uint64_t size; /* of the blocks together */
	struct memory_block blocks[BLOCKS_MAX];
} cache = { .lock = PTHREAD_MUTEX_INITIALIZER };

static uint64_t configured_size;

static void
configure(void)
{
	configured_size = setting_size("OUTBOARD_MEMORY_CACHE", SIZE_DEFAULT);
}

static uint64_t
size_max(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, configure);
	return configured_size;
}

bool
memory_cache_wants(size_t size)
{
	return size <= size_max() / SHARE_MAX;
}

bool
memory_cache_put(const struct memory_block *block)
{
	HOLD_LOCK(&cache.lock);
	if (cache.n == BLOCKS_MAX || block->size > size_max() - cache.size) {
		return false;
	}
	cache.blocks[cache.n++] = *block;
	cache.size += block->size;
	return true;
}

static void
take_at(size_t i, struct memory_block *ret_block)
{
	*ret_block = cache.blocks[i];
	cache.size -= ret_block->size;
	cache.n--;
	memmove(&cache.blocks[i], &cache.blocks[i + 1], (cache.n - i) * sizeof(cache.blocks[0]));
}

bool
memory_cache_take(const struct context *context, size_t size,
	bool (*may_use)(const struct memory_block *block), struct memory_block *ret_block)
{
	HOLD_LOCK(&cache.lock);
	for (size_t i = 0; i < cache.n; i++) {
		const struct memory_block *block = &cache.blocks[i];
		if (block->size == size && block->context == context && may_use(block)) {
			take_at(i, ret_block);
			return true;
		}
	}
	return false;
}

bool
memory_cache_take_oldest(struct memory_block *ret_block)
{
	HOLD_LOCK(&cache.lock);
	if (cache.n == 0) {
		return false;
	}
	take_at(0, ret_block);
	return true;
}

void
memory_cache_end_context(const struct context *context)
{
	struct memory_block gone;

	HOLD_LOCK(&cache.lock);
	for (size_t i = cache.n; i-- > 0;) {
		if (cache.blocks[i].context == context) {
			take_at(i, &gone);
		}
	}
}
