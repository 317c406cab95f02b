/* SPDX-License-Identifier: Apache-2.0 */
/* map.c: from addresses in the program to what is registered under them. */
#include "guest-shim/libcudart/map.h"

#include <stdint.h>
#include <stdlib.h>

#include "common/cleanup.h"

enum { MAP_FIRST_SIZE = 256 };

struct map_slot {
	_Atomic(const void *) key;
	_Atomic(void *) value;
};

struct map_table {
	struct map_table *previous; /* kept for readers that are still in it */
	size_t size;		    /* a power of two */
	struct map_slot slots[];
};

static size_t
map_hash(const void *key, size_t size)
{
	/* Fibonacci hashing: addresses differ mostly in their middle bits. */
	return (size_t)(((uint64_t)(uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) &
	       (size - 1);
}

/* The slot of key, or the free one where it would go; NULL in a table without slots. */
static struct map_slot *
map_slot_of(struct map_table *table, const void *key)
{
	size_t at = map_hash(key, table->size);
	for (size_t i = 0; i < table->size; i++) {
		struct map_slot *slot = &table->slots[(at + i) & (table->size - 1)];
		const void *found =
			atomic_load_explicit(&slot->key, memory_order_acquire);
		if (found == key || found == NULL) {
			return slot;
		}
	}
	return NULL;
}

void *
map_get(struct map *map, const void *key)
{
	struct map_table *table = atomic_load_explicit(&map->table, memory_order_acquire);
	if (table == NULL || key == NULL) {
		return NULL;
	}
	struct map_slot *slot = map_slot_of(table, key);
	if (slot == NULL ||
		atomic_load_explicit(&slot->key, memory_order_acquire) != key) {
		return NULL;
	}
	return atomic_load_explicit(&slot->value, memory_order_acquire);
}

static bool
map_grow(struct map *map)
{
	struct map_table *old = atomic_load(&map->table);
	size_t size = old == NULL ? MAP_FIRST_SIZE : old->size * 2;
	struct map_table *table =
		calloc(1, sizeof(*table) + size * sizeof(table->slots[0]));
	if (table == NULL) {
		return false;
	}
	table->previous = old;
	table->size = size;
	map->n_keys = 0;
	for (size_t i = 0; old != NULL && i < old->size; i++) {
		void *value = atomic_load(&old->slots[i].value);
		if (value != NULL) {
			const void *key = atomic_load(&old->slots[i].key);
			struct map_slot *slot = map_slot_of(table, key);
			atomic_store(&slot->value, value);
			atomic_store(&slot->key, key);
			map->n_keys++;
		}
	}
	atomic_store_explicit(&map->table, table, memory_order_release);
	return true;
}

bool
map_put(struct map *map, const void *key, void *value)
{
	HOLD_LOCK(&map->lock);
	struct map_table *table = atomic_load(&map->table);
	if ((table == NULL || (map->n_keys + 1) * 2 > table->size) && !map_grow(map)) {
		return false;
	}
	struct map_slot *slot = map_slot_of(atomic_load(&map->table), key);
	if (atomic_load(&slot->key) == NULL) {
		map->n_keys++;
	}
	atomic_store_explicit(&slot->value, value, memory_order_release);
	atomic_store_explicit(&slot->key, key, memory_order_release);
	return true;
}

void
map_remove(struct map *map, const void *key)
{
	HOLD_LOCK(&map->lock);
	struct map_table *table = atomic_load(&map->table);
	if (table == NULL || key == NULL) {
		return;
	}
	struct map_slot *slot = map_slot_of(table, key);
	if (slot != NULL && atomic_load(&slot->key) == key) {
		atomic_store(&slot->value, NULL);
	}
}
