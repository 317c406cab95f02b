/* SPDX-License-Identifier: Apache-2.0 */
/* ptx_arena.h: memory that is given back all at once, and tables of names in it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct ptx_arena_chunk;

struct ptx_arena {
	struct ptx_arena_chunk *chunks;
	size_t size;	/* of all chunks */
	size_t *budget; /* what may still be taken; shared between arenas */
};

void ptx_arena_init(struct ptx_arena *arena, size_t *budget);
void ptx_arena_deinit(struct ptx_arena *arena);
/* Zeroed, aligned to 16; NULL if the budget is spent or there is no memory. */
void *ptx_arena_alloc(struct ptx_arena *arena, size_t size);
void *ptx_arena_array(struct ptx_arena *arena, size_t n, size_t size);
char *ptx_arena_string(struct ptx_arena *arena, const char *text, size_t text_len);

/* A hash table from (name, tag) to a pointer.  The tag is a scope or a text. */
struct ptx_table_entry;

struct ptx_table {
	struct ptx_arena *arena;
	struct ptx_table_entry **buckets;
	size_t n_buckets;
	size_t n_entries;
	uint64_t seed;
};

void ptx_table_init(struct ptx_table *table, struct ptx_arena *arena);
void *ptx_table_get(
	const struct ptx_table *table, const char *name, size_t name_len, uint64_t tag);
/* The name is not copied.  An entry of the same key is replaced.  0 or -ENOMEM. */
int ptx_table_put(struct ptx_table *table, const char *name, size_t name_len,
	uint64_t tag, void *value);
