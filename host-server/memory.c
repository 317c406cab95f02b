/* SPDX-License-Identifier: Apache-2.0 */
/* memory.c: the device memory that a guest holds.
 *
 * A hash table with open addressing, by address.  Only what is in it can be freed: the
 * worker has memory of its own that the driver would free as gladly. */
#include "host-server/memory.h"

#include <errno.h>
#include <stdlib.h>

#include "common/checked.h"
#include "host-server/account.h"
#include "host-server/dispatch.h"
#include "host-server/session.h"
#include "host-server/stream.h"

struct allocation {
	CUdeviceptr address; /* 0: empty */
	uint64_t size;
	const struct context *context;
};

struct memory_map {
	struct allocation *table;
	size_t capacity; /* a power of two, at least twice n */
	size_t n;
	uint64_t held, limit;
};

#define CAPACITY_FIRST 256

int
memory_map_new(uint64_t limit, struct memory_map **ret_map)
{
	struct memory_map *map = calloc(1, sizeof(*map));

	if (map == NULL) {
		return -ENOMEM;
	}
	map->limit = limit;
	*ret_map = map;
	return 0;
}

struct memory_map *
memory_map_free(struct memory_map *map)
{
	if (map != NULL) {
		free(map->table);
		free(map);
	}
	return NULL;
}

/* Where the address is, or would be. */
static struct allocation *
place(const struct memory_map *map, CUdeviceptr address)
{
	size_t i = (size_t)((address >> 8) * 0x9e3779b97f4a7c15u >> 20) &
		   (map->capacity - 1);

	while (map->table[i].address != 0 && map->table[i].address != address) {
		i = (i + 1) & (map->capacity - 1);
	}
	return &map->table[i];
}

/* Room for one more. */
static bool
reserve(struct memory_map *map)
{
	if ((map->n + 1) * 2 <= map->capacity) {
		return true;
	}
	struct memory_map grown = *map;
	grown.capacity = map->capacity == 0 ? CAPACITY_FIRST : map->capacity * 2;
	grown.table = calloc(grown.capacity, sizeof(*grown.table));
	if (grown.table == NULL) {
		return false;
	}
	for (size_t i = 0; i < map->capacity; i++) {
		if (map->table[i].address != 0) {
			*place(&grown, map->table[i].address) = map->table[i];
		}
	}
	free(map->table);
	*map = grown;
	return true;
}

static void
removed(struct memory_map *map, struct allocation *gone)
{
	map->held -= gone->size;
	map->n--;
	*gone = (struct allocation){ 0 };
	/* Those that it had pushed aside move up. */
	size_t i = (size_t)(gone - map->table);
	for (;;) {
		i = (i + 1) & (map->capacity - 1);
		struct allocation moved = map->table[i];
		if (moved.address == 0) {
			return;
		}
		map->table[i] = (struct allocation){ 0 };
		*place(map, moved.address) = moved;
	}
}

bool
memory_allowed(const struct memory_map *map, uint64_t size)
{
	return map->n < ALLOCATIONS_MAX &&
	       (map->limit == 0 || checked_range(map->held, size, map->limit));
}

void
memory_keep(struct session *s, CUdeviceptr address, uint64_t size)
{
	struct memory_map *map = s->memory;

	/* Without a place in the map it could not be freed; so the guest loses it. */
	if (address == 0 || !reserve(map)) {
		return;
	}
	struct allocation *allocation = place(map, address);
	if (allocation->address == address) {
		map->held -= allocation->size;
		map->n--;
	}
	*allocation = (struct allocation){
		.address = address, .size = size, .context = s->context
	};
	map->held += size;
	map->n++;
	account_set(&s->account->memory, map->held);
}

void
memory_forget_context(struct session *s, const struct context *context)
{
	struct memory_map *map = s->memory;

	if (map == NULL) {
		return;
	}
	for (size_t i = 0; i < map->capacity;) {
		if (map->table[i].address != 0 && map->table[i].context == context) {
			removed(map, &map->table[i]); /* another may stand here now */
		} else {
			i++;
		}
	}
	account_set(&s->account->memory, map->held);
}

uint64_t
memory_held(const struct memory_map *map)
{
	return map->held;
}

static struct allocation *
find(struct memory_map *map, CUdeviceptr address)
{
	if (map->capacity == 0 || address == 0) {
		return NULL;
	}
	struct allocation *allocation = place(map, address);
	return allocation->address == address ? allocation : NULL;
}

CUresult
serve_cuMemFree_v2(struct session *s, const void *argp, void *outp)
{
	const cuMemFree_v2_args *args = argp;
	struct allocation *allocation = find(s->memory, args->dptr);

	if (allocation == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	CUresult result = s->driver->cuMemFree_v2(args->dptr);
	if (result == CUDA_SUCCESS) {
		removed(s->memory, allocation);
		account_set(&s->account->memory, s->memory->held);
	}
	return result;
}

CUresult
serve_cuMemFreeAsync(struct session *s, const void *argp, void *outp)
{
	const cuMemFreeAsync_args *args = argp;
	struct allocation *allocation = find(s->memory, args->dptr);
	CUstream stream = NULL;

	if (!session_find_stream(s, args->hStream, &stream)) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	if (allocation == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	CUresult result = s->driver->cuMemFreeAsync(args->dptr, stream);
	if (result == CUDA_SUCCESS) {
		removed(s->memory, allocation);
		account_set(&s->account->memory, s->memory->held);
	}
	return result;
}
