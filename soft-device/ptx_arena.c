/* SPDX-License-Identifier: Apache-2.0 */
/* ptx_arena.c: memory that is given back all at once, and tables of names in it. */
#include "soft-device/ptx_arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/checked.h"

#define CHUNK_SIZE ((size_t)64 * 1024)
#define FIRST_CHUNK_SIZE ((size_t)4 * 1024)
#define FIRST_BUCKETS 64

struct ptx_arena_chunk {
	struct ptx_arena_chunk *next;
	size_t size;
	size_t used;
	size_t padding;
	unsigned char data[];
};

struct ptx_table_entry {
	struct ptx_table_entry *next;
	uint64_t hash;
	uint64_t tag;
	const char *name;
	size_t name_len;
	void *value;
};

void
ptx_arena_init(struct ptx_arena *arena, size_t *budget)
{
	*arena = (struct ptx_arena){ .budget = budget };
}

void
ptx_arena_deinit(struct ptx_arena *arena)
{
	while (arena->chunks != NULL) {
		struct ptx_arena_chunk *chunk = arena->chunks;

		arena->chunks = chunk->next;
		free(chunk);
	}
	if (arena->budget != NULL) {
		*arena->budget += arena->size;
	}
	arena->size = 0;
}

static struct ptx_arena_chunk *
chunk_new(struct ptx_arena *arena, size_t size)
{
	size_t data_size = arena->chunks == NULL ? FIRST_CHUNK_SIZE : CHUNK_SIZE;

	if (data_size < size) {
		data_size = size;
	}
	size_t total;

	if (!checked_add(sizeof(struct ptx_arena_chunk), data_size, &total) ||
		total > *arena->budget) {
		return NULL;
	}
	struct ptx_arena_chunk *chunk = calloc(1, total);

	if (chunk == NULL) {
		return NULL;
	}
	chunk->size = data_size;
	*arena->budget -= total;
	arena->size += total;
	/* A chunk for one large piece goes behind the one that is being filled. */
	if (arena->chunks != NULL && size > CHUNK_SIZE / 2) {
		chunk->next = arena->chunks->next;
		arena->chunks->next = chunk;
	} else {
		chunk->next = arena->chunks;
		arena->chunks = chunk;
	}
	return chunk;
}

void *
ptx_arena_alloc(struct ptx_arena *arena, size_t size)
{
	if (size > SIZE_MAX / 2) {
		return NULL;
	}
	size = round_up(size == 0 ? 1 : size, 16);
	struct ptx_arena_chunk *chunk = arena->chunks;

	if (chunk == NULL || chunk->size - chunk->used < size) {
		chunk = chunk_new(arena, size);
		if (chunk == NULL) {
			return NULL;
		}
	}
	void *p = chunk->data + chunk->used;

	chunk->used += size;
	return p;
}

void *
ptx_arena_array(struct ptx_arena *arena, size_t n, size_t size)
{
	size_t total;

	if (!checked_mul(n, size, &total)) {
		return NULL;
	}
	return ptx_arena_alloc(arena, total);
}

char *
ptx_arena_string(struct ptx_arena *arena, const char *text, size_t text_len)
{
	char *s = ptx_arena_alloc(arena, text_len + 1);

	if (s != NULL && text_len > 0) {
		memcpy(s, text, text_len);
	}
	return s;
}

void
ptx_table_init(struct ptx_table *table, struct ptx_arena *arena)
{
	*table = (struct ptx_table){ .arena = arena };
	/* So that nobody can prepare names that all fall into one bucket.  Without it the
	 * table is only slow, so a failure does not matter. */
	if (getrandom(&table->seed, sizeof(table->seed), GRND_NONBLOCK) < 0) {
		table->seed = (uintptr_t)arena;
	}
}

static uint64_t
mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t
hash_of(const struct ptx_table *table, const char *name, size_t name_len, uint64_t tag)
{
	uint64_t hash = mix(tag ^ table->seed, 0x9e3779b97f4a7c15u + name_len);

	while (name_len > 0) {
		size_t n = name_len < 8 ? name_len : 8;
		uint64_t piece = 0;

		memcpy(&piece, name, n);
		hash = mix(hash ^ piece ^ table->seed, 0xd6e8feb86659fd93u) + piece;
		name += n;
		name_len -= n;
	}
	return mix(hash ^ table->seed, 0xa0761d6478bd642fu);
}

static struct ptx_table_entry *
find(const struct ptx_table *table, const char *name, size_t name_len, uint64_t tag,
	uint64_t hash)
{
	if (table->n_buckets == 0) {
		return NULL;
	}
	struct ptx_table_entry *e = table->buckets[hash & (table->n_buckets - 1)];

	for (; e != NULL; e = e->next) {
		if (e->hash == hash && e->tag == tag && e->name_len == name_len &&
			memcmp(e->name, name, name_len) == 0) {
			return e;
		}
	}
	return NULL;
}

void *
ptx_table_get(
	const struct ptx_table *table, const char *name, size_t name_len, uint64_t tag)
{
	struct ptx_table_entry *entry =
		find(table, name, name_len, tag, hash_of(table, name, name_len, tag));

	return entry == NULL ? NULL : entry->value;
}

/* Old buckets stay in the arena: all of them together are as large as the last. */
static int
grow(struct ptx_table *table)
{
	size_t n = table->n_buckets == 0 ? FIRST_BUCKETS : table->n_buckets * 2;
	struct ptx_table_entry **buckets =
		ptx_arena_array(table->arena, n, sizeof(*buckets));

	if (buckets == NULL) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < table->n_buckets; i++) {
		struct ptx_table_entry *next;

		for (struct ptx_table_entry *e = table->buckets[i]; e != NULL; e = next) {
			next = e->next;
			e->next = buckets[e->hash & (n - 1)];
			buckets[e->hash & (n - 1)] = e;
		}
	}
	table->buckets = buckets;
	table->n_buckets = n;
	return 0;
}

int
ptx_table_put(struct ptx_table *table, const char *name, size_t name_len, uint64_t tag,
	void *value)
{
	uint64_t hash = hash_of(table, name, name_len, tag);
	struct ptx_table_entry *entry = find(table, name, name_len, tag, hash);

	if (entry != NULL) {
		entry->value = value;
		return 0;
	}
	if (table->n_entries >= table->n_buckets) {
		int r = grow(table);
		if (r < 0) {
			return r;
		}
	}
	entry = ptx_arena_alloc(table->arena, sizeof(*entry));
	if (entry == NULL) {
		return -ENOMEM;
	}
	struct ptx_table_entry **bucket = &table->buckets[hash & (table->n_buckets - 1)];

	*entry = (struct ptx_table_entry){
		.next = *bucket,
		.hash = hash,
		.tag = tag,
		.name = name,
		.name_len = name_len,
		.value = value,
	};
	*bucket = entry;
	table->n_entries++;
	return 0;
}
