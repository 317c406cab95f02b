/* SPDX-License-Identifier: Apache-2.0 */
/* map.h: from addresses in the program to what is registered under them.
 *
 * Looking up takes no lock, because every launch does it.  Writers hold the map's lock.
 * A key stays in its table for good and its value becomes NULL when removed; a table that
 * got too small is replaced and kept, because a reader may still be in it. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct map_table;

struct map {
	_Atomic(struct map_table *) table;
	size_t n_keys;
	pthread_mutex_t lock;
};

#define MAP_INIT \
	{ \
		.lock = PTHREAD_MUTEX_INITIALIZER \
	}

/* NULL if there is none. */
void *map_get(struct map *map, const void *key);
/* Replaces a value that is there.  False if there is no memory. */
bool map_put(struct map *map, const void *key, void *value);
void map_remove(struct map *map, const void *key);
