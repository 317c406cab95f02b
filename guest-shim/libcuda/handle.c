/* SPDX-License-Identifier: Apache-2.0 */
/* handle.c: the numbers that stand for the program's objects, and what is behind them.
 *
 * A handle is type, generation and index (rpc/call.h).  Every type has its own indices,
 * so that they stay dense, as the host wants them.  Slots lie in pages that are never
 * freed: a lookup takes no lock and can only find what its exact number stands for. */
#include "guest-shim/libcuda/handle.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "guest-shim/libcuda/guest.h"

#define PAGE_SLOTS 1024u
#define PAGES (HANDLE_INDEX_MAX / PAGE_SLOTS)
#define NO_SLOT UINT32_MAX

struct slot {
	_Atomic(call_handle) handle; /* 0: vacant */
	_Atomic(void *) object;      /* NULL until handle_set */
	uint32_t generation;
	uint32_t next_vacant;
};

struct table {
	pthread_mutex_t lock;
	uint32_t n_slots;  /* ever used */
	uint32_t vacant;   /* list, by index */
	bool has_vacant;
	_Atomic(struct slot *) pages[PAGES];
};

static struct table tables[HANDLE_TYPES] = {
	[0 ... HANDLE_TYPES - 1] = { .lock = PTHREAD_MUTEX_INITIALIZER },
};

static struct slot *
slot_at(struct table *table, uint32_t index)
{
	struct slot *page = atomic_load_explicit(
		&table->pages[index / PAGE_SLOTS], memory_order_acquire);

	return page != NULL ? &page[index % PAGE_SLOTS] : NULL;
}

static struct slot *
slot_of(enum handle_type type, const void *handle)
{
	call_handle packed = handle_packed(handle);

	if (handle_type_of(packed) != type || handle_index_of(packed) >= HANDLE_INDEX_MAX) {
		return NULL;
	}
	struct slot *slot = slot_at(&tables[type], handle_index_of(packed));
	if (slot == NULL ||
		atomic_load_explicit(&slot->handle, memory_order_acquire) != packed) {
		return NULL;
	}
	return slot;
}

void *
handle_find(enum handle_type type, const void *handle)
{
	struct slot *slot = slot_of(type, handle);

	return slot != NULL ? atomic_load_explicit(&slot->object, memory_order_acquire) : NULL;
}

void
handle_set(enum handle_type type, void *handle, void *object)
{
	struct slot *slot = slot_of(type, handle);

	if (slot != NULL) {
		atomic_store_explicit(&slot->object, object, memory_order_release);
	}
}

void
handle_each(enum handle_type type, void (*visit)(void *object, void *user), void *user)
{
	struct table *table = &tables[type];

	pthread_mutex_lock(&table->lock);
	uint32_t n = table->n_slots;
	pthread_mutex_unlock(&table->lock);
	for (uint32_t i = 0; i < n; i++) {
		struct slot *slot = slot_at(table, i);
		void *object = atomic_load_explicit(&slot->object, memory_order_acquire);
		if (object != NULL) {
			visit(object, user);
		}
	}
}

/* An index that is not in use; NO_SLOT if there is none.  The table is locked. */
static uint32_t
take_index(struct table *table)
{
	if (table->has_vacant) {
		uint32_t index = table->vacant;
		table->vacant = slot_at(table, index)->next_vacant;
		table->has_vacant = table->vacant != NO_SLOT;
		return index;
	}
	uint32_t index = table->n_slots;
	if (index == HANDLE_INDEX_MAX) {
		return NO_SLOT;
	}
	if (index % PAGE_SLOTS == 0) {
		struct slot *page = calloc(PAGE_SLOTS, sizeof(*page));
		if (page == NULL) {
			return NO_SLOT;
		}
		atomic_store_explicit(
			&table->pages[index / PAGE_SLOTS], page, memory_order_release);
	}
	table->n_slots++;
	return index;
}

CUresult
guest_mint(enum handle_type type, void **ret_handle, call_handle *ret_packed)
{
	struct table *table = &tables[type];

	HOLD_LOCK(&table->lock);
	uint32_t index = take_index(table);
	if (index == NO_SLOT) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	struct slot *slot = slot_at(table, index);
	slot->generation = (slot->generation + 1) & 0xffffff;
	call_handle packed = handle_make(type, slot->generation, index);
	atomic_store_explicit(&slot->object, NULL, memory_order_relaxed);
	atomic_store_explicit(&slot->handle, packed, memory_order_release);
	*ret_handle = (void *)(uintptr_t)packed;
	*ret_packed = packed;
	return CUDA_SUCCESS;
}

void
guest_drop(enum handle_type type, void *handle)
{
	struct table *table = &tables[type];

	HOLD_LOCK(&table->lock);
	struct slot *slot = slot_of(type, handle);
	if (slot == NULL) {
		return;
	}
	atomic_store_explicit(&slot->object, NULL, memory_order_relaxed);
	atomic_store_explicit(&slot->handle, 0, memory_order_release);
	slot->next_vacant = table->has_vacant ? table->vacant : NO_SLOT;
	table->vacant = handle_index_of(handle_packed(handle));
	table->has_vacant = true;
}

CUresult
guest_pack_handle(enum handle_type type, const void *handle, call_handle *ret_packed)
{
	if (handle_find(type, handle) == NULL) {
		return type == HANDLE_CUcontext ? CUDA_ERROR_INVALID_CONTEXT
						: CUDA_ERROR_INVALID_HANDLE;
	}
	*ret_packed = handle_packed(handle);
	return CUDA_SUCCESS;
}

CUresult
guest_pack_function(CUfunction function, call_handle *ret_packed)
{
	bool kernel = handle_type_of(handle_packed(function)) == HANDLE_CUkernel;

	return guest_pack_handle(kernel ? HANDLE_CUkernel : HANDLE_CUfunction, function,
		ret_packed);
}
