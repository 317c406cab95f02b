/* SPDX-License-Identifier: Apache-2.0 */
/* object.c: the guest's handles and what they stand for. */
#include "host-server/object.h"

#include <errno.h>
#include <stdlib.h>

#define PAGE_OBJECTS 1024u
#define PAGES (HANDLE_INDEX_MAX / PAGE_OBJECTS)

struct object_page {
	size_t n_used;
	struct object objects[PAGE_OBJECTS];
};

struct object_table {
	/* Of all types: a guest that spreads its numbers cannot make us hold more. */
	size_t n_pages;
	size_t n_objects[HANDLE_TYPES];
	struct object_page *pages[HANDLE_TYPES][PAGES];
};

int
object_table_new(struct object_table **ret_table)
{
	struct object_table *table = calloc(1, sizeof(*table));

	if (table == NULL) {
		return -ENOMEM;
	}
	*ret_table = table;
	return 0;
}

struct object_table *
object_table_free(struct object_table *table)
{
	if (table != NULL) {
		for (size_t type = 0; type < HANDLE_TYPES; type++) {
			for (size_t i = 0; i < PAGES; i++) {
				free(table->pages[type][i]);
			}
		}
		free(table);
	}
	return NULL;
}

/* The place of a handle, or NULL if there is no such place (yet). */
static struct object *
object_at(struct object_table *table, enum handle_type type, call_handle handle)
{
	uint32_t index = handle_index_of(handle);

	if (type == 0 || type >= HANDLE_TYPES || handle_type_of(handle) != type ||
		index >= HANDLE_INDEX_MAX) {
		return NULL;
	}
	struct object_page *page = table->pages[type][index / PAGE_OBJECTS];
	return page != NULL ? &page->objects[index % PAGE_OBJECTS] : NULL;
}

struct object *
object_find(struct object_table *table, enum handle_type type, call_handle handle)
{
	struct object *object = object_at(table, type, handle);

	return object != NULL && object->handle == handle ? object : NULL;
}

bool
object_vacant(struct object_table *table, enum handle_type type, call_handle handle)
{
	uint32_t index = handle_index_of(handle);

	if (type == 0 || type >= HANDLE_TYPES || handle_type_of(handle) != type ||
		index >= HANDLE_INDEX_MAX) {
		return false;
	}
	struct object_page **page = &table->pages[type][index / PAGE_OBJECTS];
	if (*page == NULL) {
		if (table->n_pages >= PAGES + HANDLE_TYPES) {
			return false;
		}
		*page = calloc(1, sizeof(**page));
		if (*page == NULL) {
			return false;
		}
		table->n_pages++;
	}
	return (*page)->objects[index % PAGE_OBJECTS].handle == 0;
}

struct object *
object_add(
	struct object_table *table, enum handle_type type, call_handle handle, void *cuda)
{
	if (!object_vacant(table, type, handle)) {
		return NULL;
	}
	struct object *object = object_at(table, type, handle);
	*object = (struct object){ .handle = handle, .cuda = cuda };
	table->pages[type][handle_index_of(handle) / PAGE_OBJECTS]->n_used++;
	table->n_objects[type]++;
	return object;
}

void
object_drop(struct object_table *table, struct object *object)
{
	unsigned type = handle_type_of(object->handle);
	uint32_t index = handle_index_of(object->handle);

	*object = (struct object){ 0 };
	table->n_objects[type]--;
	struct object_page **page = &table->pages[type][index / PAGE_OBJECTS];
	/* The first page is kept: programs make and destroy a stream at a time. */
	if (--(*page)->n_used == 0 && index >= PAGE_OBJECTS) {
		free(*page);
		*page = NULL;
		table->n_pages--;
	}
}

void
object_each(struct object_table *table, enum handle_type type,
	void (*visit)(struct object *object, void *user), void *user)
{
	for (size_t i = 0; i < PAGES && table->n_objects[type] > 0; i++) {
		for (size_t j = 0; j < PAGE_OBJECTS && table->pages[type][i] != NULL;
			j++) {
			struct object *object = &table->pages[type][i]->objects[j];
			if (object->handle != 0) {
				visit(object, user);
			}
		}
	}
}

size_t
object_count(const struct object_table *table, enum handle_type type)
{
	return table->n_objects[type];
}
