/* SPDX-License-Identifier: Apache-2.0 */
/* map.c: all memory that CUDA has given to the program, by address.
 *
 * An array sorted by address under a read-write lock: looked up at every copy, changed at
 * every allocation. */
#include "guest-shim/libcuda/map.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/checked.h"
#include "guest-shim/libcuda/arena.h"

static struct {
	pthread_rwlock_t lock;
	struct map_entry *entries;
	size_t n;
	size_t size;
	unsigned long long last_id;
} map = { .lock = PTHREAD_RWLOCK_INITIALIZER };

/* How many entries start at or below address. */
static size_t
position(uint64_t address)
{
	size_t low = 0, high = map.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (map.entries[middle].start <= address) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static CUresult
insert(const struct map_entry *entry)
{
	size_t at = position(entry->start);

	if (at > 0 && entry->start - map.entries[at - 1].start < map.entries[at - 1].size) {
		return CUDA_ERROR_ALREADY_MAPPED;
	}
	if (at < map.n && map.entries[at].start - entry->start < entry->size) {
		return CUDA_ERROR_ALREADY_MAPPED;
	}
	if (map.n == map.size) {
		size_t size = map.size != 0 ? 2 * map.size : 64;
		struct map_entry *entries = realloc(map.entries, size * sizeof(*entries));
		if (entries == NULL) {
			return CUDA_ERROR_OUT_OF_MEMORY;
		}
		map.entries = entries;
		map.size = size;
	}
	memmove(&map.entries[at + 1], &map.entries[at], (map.n - at) * sizeof(*map.entries));
	map.entries[at] = *entry;
	map.entries[at].id = ++map.last_id;
	map.n++;
	return CUDA_SUCCESS;
}

CUresult
map_add(const struct map_entry *entry)
{
	pthread_rwlock_wrlock(&map.lock);
	CUresult result = insert(entry);
	pthread_rwlock_unlock(&map.lock);
	return result;
}

bool
map_find(uint64_t address, struct map_entry *ret_entry)
{
	bool found = false;

	pthread_rwlock_rdlock(&map.lock);
	size_t at = position(address);
	if (at > 0 && address - map.entries[at - 1].start < map.entries[at - 1].size) {
		*ret_entry = map.entries[at - 1];
		found = true;
	}
	pthread_rwlock_unlock(&map.lock);
	return found;
}

bool
map_take(uint64_t start, enum map_kind kind, struct map_entry *ret_entry)
{
	bool found = false;

	pthread_rwlock_wrlock(&map.lock);
	size_t at = position(start);
	if (at > 0 && map.entries[at - 1].start == start && map.entries[at - 1].kind == kind) {
		*ret_entry = map.entries[at - 1];
		found = true;
		memmove(&map.entries[at - 1], &map.entries[at],
			(map.n - at) * sizeof(*map.entries));
		map.n--;
	}
	pthread_rwlock_unlock(&map.lock);
	return found;
}

static void
remove_if(bool (*gone)(const struct map_entry *entry, const void *user), const void *user)
{
	size_t kept = 0;

	pthread_rwlock_wrlock(&map.lock);
	for (size_t i = 0; i < map.n; i++) {
		if (!gone(&map.entries[i], user)) {
			map.entries[kept++] = map.entries[i];
		} else if (map.entries[i].kind == MAP_HOST &&
			!arena_give((void *)(uintptr_t)map.entries[i].start)) {
			munmap((void *)(uintptr_t)map.entries[i].start, map.entries[i].size);
		}
	}
	map.n = kept;
	pthread_rwlock_unlock(&map.lock);
}

static bool
is_of_owner(const struct map_entry *entry, const void *owner)
{
	return entry->kind == MAP_GLOBAL && entry->owner == owner;
}

static bool
is_of_context(const struct map_entry *entry, const void *context)
{
	return entry->context == context;
}

void
map_end_owner(const void *owner)
{
	remove_if(is_of_owner, owner);
}

void
map_end_context(const struct context *context)
{
	remove_if(is_of_context, context);
}
