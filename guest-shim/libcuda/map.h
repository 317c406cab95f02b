/* SPDX-License-Identifier: Apache-2.0 */
/* map.h: all memory that CUDA has given to the program, by address. */
#pragma once

#include <cuda.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct context;

enum map_kind {
	MAP_DEVICE,     /* cuMemAlloc and its kin */
	MAP_GLOBAL,     /* a variable of a module */
	MAP_HOST,       /* cuMemHostAlloc: our own pages */
	MAP_REGISTERED, /* cuMemHostRegister: the program's pages */
};

struct map_entry {
	uint64_t start;
	uint64_t size; /* bytes, not 0 */
	enum map_kind kind;
	unsigned flags;          /* of the call that made it */
	bool is_plain;           /* device memory of cuMemAlloc itself */
	struct context *context; /* in which it was made */
	void *owner;             /* variables: module or library */
	unsigned long long id;   /* given by map_add, never used twice */
};

static inline bool
map_is_device(const struct map_entry *entry)
{
	return entry->kind == MAP_DEVICE || entry->kind == MAP_GLOBAL;
}

/* CUDA_ERROR_OUT_OF_MEMORY, or CUDA_ERROR_ALREADY_MAPPED if it overlaps another. */
CUresult map_add(const struct map_entry *entry);
/* The entry around address. */
bool map_find(uint64_t address, struct map_entry *ret_entry);
/* Remove the entry of this kind that starts exactly at start. */
bool map_take(uint64_t start, enum map_kind kind, struct map_entry *ret_entry);
/* Remove what a module, library or context had. */
void map_end_owner(const void *owner);
void map_end_context(const struct context *context);
