/* SPDX-License-Identifier: Apache-2.0 */
/* object.h: everything that the program knows by a handle, in one table.
 *
 * A handle is type, generation and index, never an address: a stale or invented one is
 * simply not found.  An object lives as long as somebody has a reference; the table's own
 * is dropped when the program destroys the object. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/cleanup.h"

enum object_type {
	OBJECT_CONTEXT = 1,
	OBJECT_STREAM,
	OBJECT_EVENT,
	OBJECT_MODULE,
	OBJECT_FUNCTION,
	OBJECT_LIBRARY,
	OBJECT_KERNEL,
	OBJECT_POOL,
};

struct context;

struct object {
	enum object_type type;
	uint32_t n_references; /* atomic */
	void *handle;
	struct context *context; /* it goes with this one; NULL: with none */
	void (*release)(struct object *object);
};

/* Enter a new object, whose first reference becomes the table's.  false: no room. */
bool object_register(struct object *object, enum object_type type,
	struct context *context, void (*release)(struct object *object));
/* The live object behind a handle, with a reference for the caller, or NULL. */
void *object_get(enum object_type type, const void *handle);
void *object_ref(void *object);
/* Drop a reference; NULL is allowed.  Hold no lock that the object's free takes. */
void object_put(void *object);
/* Take an object out of the table.  true for the one caller who did it, and who now owns
 * the table's reference. */
bool object_unregister(struct object *object);
/* The next object of a context, in the table at index *at or after, with a reference;
 * NULL at the end.  Start with 0. */
struct object *object_next(const struct context *context, uint32_t *at);

static inline void
cleanup_objectp(void *p)
{
	object_put(*(void **)p);
}

#define cleanup_object cleanup(cleanup_objectp)
