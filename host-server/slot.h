/* SPDX-License-Identifier: Apache-2.0 */
/* slot.h: pinned memory through which copies go between the socket and the device.
 *
 * Two sizes: whole payloads of CALL_PAYLOAD_MAX, and small ones of which a block holds
 * many.  A slot is free, or taken by its user, or busy until an event has happened. */
#pragma once

#include <cuda.h>
#include <stddef.h>

struct context;
struct session;
struct slot;
struct stream_ref;

#define SLOT_SMALL_SIZE (64u << 10)
/* Blocks of CALL_PAYLOAD_MAX, pinned at most for one guest: for large and small slots. */
#define SLOT_BLOCKS_LARGE 48
#define SLOT_BLOCKS_SMALL 16

/* warm: large slots to have ready. */
int slot_pool_new(struct session *s, unsigned warm);
void slot_pool_free(struct session *s);

/* A slot with room for size.  May block until a copy is done.  NULL: out of memory. */
struct slot *slot_take(struct session *s, size_t size);
void *slot_memory(const struct slot *slot);
/* Give it back now; NULL is allowed. */
void slot_give(struct session *s, struct slot *slot);
/* Give it back when what was put into the stream until now is done. */
CUresult slot_give_after(
	struct session *s, struct slot *slot, const struct stream_ref *ref);

/* Block until no copy of that context uses a slot. */
void slots_drain(struct session *s, struct context *context);
/* Unpin everything: the home context is about to be reset.  No slot is in use. */
void slots_clear(struct session *s);
