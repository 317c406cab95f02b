/* SPDX-License-Identifier: Apache-2.0 */
/* slot.c: pinned memory through which copies go between the socket and the device. */
#include "host-server/slot.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "host-server/context.h"
#include "host-server/session.h"
#include "host-server/stream.h"
#include "host-server/wait.h"

#define BLOCK_SIZE ((size_t)CALL_PAYLOAD_MAX)
#define SMALL_PER_BLOCK (BLOCK_SIZE / SLOT_SMALL_SIZE)
#define SLOTS_MAX (SLOT_BLOCKS_LARGE + SLOT_BLOCKS_SMALL * SMALL_PER_BLOCK)
/* Copies in different streams overtake each other: look at some, not at all. */
#define LOOK_AHEAD 8

struct slot {
	uint8_t *memory;
	bool small;
	struct context *context; /* of the event */
	CUevent event;		 /* while busy */
	struct slot *next;	 /* in a list of free ones, or the list of busy ones */
};

struct slot_pool {
	void *blocks[SLOT_BLOCKS_LARGE + SLOT_BLOCKS_SMALL];
	size_t n_blocks, n_large, n_small;
	bool pageable; /* the driver cannot pin: copies are slower, and right */
	struct slot slots[SLOTS_MAX];
	size_t n_slots;
	struct slot *free_large, *free_small;
	struct slot *busy, **busy_end;
};

static struct slot **
free_list(struct slot_pool *pool, bool small)
{
	return small ? &pool->free_small : &pool->free_large;
}

void *
slot_memory(const struct slot *slot)
{
	return slot->memory;
}

/* ---- blocks ---- */

static void *
block_new(struct session *s)
{
	void *block = NULL;

	if (!s->slots->pageable) {
		if (s->context != s->home) {
			s->driver->cuCtxSetCurrent(s->home->cuda);
		}
		CUresult result = s->driver->cuMemHostAlloc(
			&block, BLOCK_SIZE, CU_MEMHOSTALLOC_PORTABLE);
		context_leave(s);
		if (result == CUDA_SUCCESS) {
			return block;
		}
		if (result != CUDA_ERROR_NOT_SUPPORTED) {
			return NULL;
		}
		s->slots->pageable = true;
	}
	return aligned_alloc(4096, BLOCK_SIZE);
}

static bool
pool_grow(struct session *s, bool small)
{
	struct slot_pool *pool = s->slots;

	if (small ? pool->n_small == SLOT_BLOCKS_SMALL
		  : pool->n_large == SLOT_BLOCKS_LARGE) {
		return false;
	}
	uint8_t *block = block_new(s);
	if (block == NULL) {
		return false;
	}
	pool->blocks[pool->n_blocks++] = block;
	*(small ? &pool->n_small : &pool->n_large) += 1;
	size_t n = small ? SMALL_PER_BLOCK : 1;
	for (size_t i = 0; i < n; i++) {
		struct slot *slot = &pool->slots[pool->n_slots++];
		*slot = (struct slot){ .memory = block + i * SLOT_SMALL_SIZE,
			.small = small };
		slot_give(s, slot);
	}
	return true;
}

int
slot_pool_new(struct session *s, unsigned warm)
{
	s->slots = calloc(1, sizeof(*s->slots));
	if (s->slots == NULL) {
		return -ENOMEM;
	}
	s->slots->busy_end = &s->slots->busy;
	for (unsigned i = 0; i < warm && i < SLOT_BLOCKS_LARGE; i++) {
		if (!pool_grow(s, false)) {
			return -ENOMEM;
		}
	}
	return warm > 0 && !pool_grow(s, true) ? -ENOMEM : 0;
}

void
slots_clear(struct session *s)
{
	struct slot_pool *pool = s->slots;

	if (pool == NULL) {
		return;
	}
	for (size_t i = 0; i < pool->n_blocks; i++) {
		if (pool->pageable) {
			free(pool->blocks[i]);
		} else {
			s->driver->cuMemFreeHost(pool->blocks[i]);
		}
	}
	*pool = (struct slot_pool){ .pageable = pool->pageable, .busy_end = &pool->busy };
}

void
slot_pool_free(struct session *s)
{
	slots_clear(s);
	free(s->slots);
	s->slots = NULL;
}

/* ---- slots ---- */

void
slot_give(struct session *s, struct slot *slot)
{
	if (slot != NULL) {
		struct slot **list = free_list(s->slots, slot->small);
		slot->next = *list;
		*list = slot;
	}
}

static void
slot_done(struct session *s, struct slot **at)
{
	struct slot *slot = *at;

	*at = slot->next;
	if (s->slots->busy_end == &slot->next) {
		s->slots->busy_end = at;
	}
	context_give_event(s, slot->context, slot->event);
	slot_give(s, slot);
}

static void
slots_reclaim(struct session *s)
{
	struct slot **at = &s->slots->busy;

	for (unsigned looks = 0; *at != NULL && looks < LOOK_AHEAD;) {
		/* After an error nothing is copied any more, so that counts as done. */
		if (s->driver->cuEventQuery((*at)->event) != CUDA_ERROR_NOT_READY) {
			slot_done(s, at);
		} else {
			at = &(*at)->next;
			looks++;
		}
	}
}

static void
slots_block(struct session *s)
{
	s->driver->cuEventSynchronize(s->slots->busy->event);
	slot_done(s, &s->slots->busy);
}

struct slot *
slot_take(struct session *s, size_t size)
{
	bool small = size <= SLOT_SMALL_SIZE;
	struct slot **list = free_list(s->slots, small);

	if (size > BLOCK_SIZE) {
		return NULL;
	}
	if (*list == NULL) {
		slots_reclaim(s);
	}
	if (*list == NULL) {
		pool_grow(s, small);
	}
	while (*list == NULL) {
		if (s->slots->busy != NULL) {
			slots_block(s);
		} else if (wait_any(s)) {
			wait_block(s);
		} else {
			return NULL;
		}
	}
	struct slot *slot = *list;
	*list = slot->next;
	return slot;
}

CUresult
slot_give_after(struct session *s, struct slot *slot, const struct stream_ref *ref)
{
	CUevent event = context_take_event(s, ref->context);

	if (event == NULL) {
		CUresult result = s->driver->cuStreamSynchronize(ref->cuda);
		slot_give(s, slot);
		return result;
	}
	CUresult result = s->driver->calls.cuEventRecord(event, ref->cuda);
	if (result != CUDA_SUCCESS) {
		s->driver->cuStreamSynchronize(ref->cuda);
		context_give_event(s, ref->context, event);
		slot_give(s, slot);
		return result;
	}
	slot->event = event;
	slot->context = ref->context;
	slot->next = NULL;
	*s->slots->busy_end = slot;
	s->slots->busy_end = &slot->next;
	return CUDA_SUCCESS;
}

void
slots_drain(struct session *s, struct context *context)
{
	struct slot **at = s->slots != NULL ? &s->slots->busy : NULL;

	while (at != NULL && *at != NULL) {
		/* Slots that another context's copies use go with the home context too.
		 */
		if ((*at)->context == context || context == s->home) {
			s->driver->cuEventSynchronize((*at)->event);
			slot_done(s, at);
		} else {
			at = &(*at)->next;
		}
	}
}
