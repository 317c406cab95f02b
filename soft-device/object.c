/* SPDX-License-Identifier: Apache-2.0 */
/* object.c: everything that the program knows by a handle, in one table. */
#include "soft-device/object.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/cleanup.h"

/* Bits of a handle.  The type in the top byte makes it an address that nothing can have.
 */
#define INDEX_BITS 28
#define GENERATION_BITS 28
#define TYPE_SHIFT 56
/* More objects than this are refused: a program that leaks them must not eat the host. */
#define OBJECTS_MAX (1u << 22)

struct slot {
	struct object *object;
	uint32_t generation;
	uint32_t next_free; /* index + 1 */
};

static pthread_rwlock_t table_lock = PTHREAD_RWLOCK_INITIALIZER;
static struct slot *slots;
static uint32_t n_slots;
static uint32_t room;
static uint32_t first_free; /* index + 1 */

static uint32_t
handle_index(const void *handle)
{
	return (uint32_t)((uintptr_t)handle & ((1u << INDEX_BITS) - 1));
}

static uint32_t
slot_take(void)
{
	if (first_free != 0) {
		uint32_t index = first_free - 1;

		first_free = slots[index].next_free;
		return index;
	}
	if (n_slots == room) {
		uint32_t more = room == 0 ? 256 : room * 2;

		if (more > OBJECTS_MAX) {
			return UINT32_MAX;
		}
		struct slot *grown = realloc(slots, more * sizeof(*slots));

		if (grown == NULL) {
			return UINT32_MAX;
		}
		slots = grown;
		room = more;
	}
	slots[n_slots] = (struct slot){ .generation = 1 };
	return n_slots++;
}

bool
object_register(struct object *object, enum object_type type, struct context *context,
	void (*release)(struct object *object))
{
	object->type = type;
	object->context = context;
	object->release = release;
	__atomic_store_n(&object->n_references, 1, __ATOMIC_RELAXED);

	pthread_rwlock_wrlock(&table_lock);
	uint32_t index = slot_take();

	if (index != UINT32_MAX) {
		uint64_t generation =
			slots[index].generation & ((1u << GENERATION_BITS) - 1);

		object->handle = (void *)((uint64_t)type << TYPE_SHIFT |
					  generation << INDEX_BITS | index);
		slots[index].object = object;
	}
	pthread_rwlock_unlock(&table_lock);
	return index != UINT32_MAX;
}

void *
object_ref(void *object)
{
	struct object *o = object;

	__atomic_fetch_add(&o->n_references, 1, __ATOMIC_RELAXED);
	return object;
}

void
object_put(void *object)
{
	struct object *o = object;

	if (o != NULL && __atomic_sub_fetch(&o->n_references, 1, __ATOMIC_ACQ_REL) == 0) {
		o->release(o);
	}
}

void *
object_get(enum object_type type, const void *handle)
{
	uint32_t index = handle_index(handle);
	struct object *found = NULL;

	pthread_rwlock_rdlock(&table_lock);
	if (index < n_slots) {
		struct object *object = slots[index].object;

		if (object != NULL && object->handle == handle && object->type == type) {
			found = object_ref(object);
		}
	}
	pthread_rwlock_unlock(&table_lock);
	return found;
}

bool
object_unregister(struct object *object)
{
	uint32_t index = handle_index(object->handle);

	pthread_rwlock_wrlock(&table_lock);
	bool was_there = index < n_slots && slots[index].object == object;

	if (was_there) {
		slots[index].object = NULL;
		slots[index].generation++;
		slots[index].next_free = first_free;
		first_free = index + 1;
	}
	pthread_rwlock_unlock(&table_lock);
	return was_there;
}

struct object *
object_next(const struct context *context, uint32_t *at)
{
	struct object *found = NULL;

	pthread_rwlock_rdlock(&table_lock);
	while (found == NULL && *at < n_slots) {
		struct object *object = slots[(*at)++].object;

		if (object != NULL && object->context == context) {
			found = object_ref(object);
		}
	}
	pthread_rwlock_unlock(&table_lock);
	return found;
}
