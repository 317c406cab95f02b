/* SPDX-License-Identifier: Apache-2.0 */
/* object.h: the guest's handles and what they stand for.
 *
 * The guest chooses the numbers, so nothing here believes them: a handle is good only if
 * the table holds exactly this number.  There is one table per type, grown by pages; the
 * pages of all types together are bounded by HANDLE_INDEX_MAX. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/call.h"

struct context;
struct image_entry;

/* How much was asked of a stream, and how much of that is known to be done. */
struct work {
	uint64_t submitted;
	uint64_t finished;
};

static inline bool
work_pending(const struct work *work)
{
	return work->submitted != work->finished;
}

struct object {
	call_handle handle; /* 0: vacant */
	void *cuda;
	struct context *context; /* in which it was made; NULL: in none (libraries) */
	call_handle parent;	 /* goes away with it: module, library or kernel; or 0 */
	struct work work;	 /* streams */
	struct image_entry *image; /* modules and libraries: what they were loaded from */
	uint32_t params_size;	   /* functions and kernels, if params_known */
	bool params_known;
};

struct object_table;

int object_table_new(struct object_table **ret_table);
/* Frees the table, not the objects. */
struct object_table *object_table_free(struct object_table *table);

/* NULL if there is none.  Lives until the handle is dropped. */
struct object *object_find(
	struct object_table *table, enum handle_type type, call_handle handle);
/* Whether this is a well-formed number for a new object, and there is room for it. */
bool object_vacant(struct object_table *table, enum handle_type type, call_handle handle);
/* NULL if it is not vacant. */
struct object *object_add(struct object_table *table, enum handle_type type,
	call_handle handle, void *cuda);
void object_drop(struct object_table *table, struct object *object);

/* Call visit for each object of a type; it may drop that object. */
void object_each(struct object_table *table, enum handle_type type,
	void (*visit)(struct object *object, void *user), void *user);
size_t object_count(const struct object_table *table, enum handle_type type);
