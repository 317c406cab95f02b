/* SPDX-License-Identifier: Apache-2.0 */
/* staging.c: copies of pageable memory by way of pinned memory that the host shares.
 *
 * The program's bytes are copied to or from slots in the arena, by the calling thread,
 * while the device copies from or to other slots.  Behind each copy of the device goes a
 * question, whose answer comes when the stream has got so far: the slot's ticket.  A slot
 * is free, or held by a thread, or flying: on its way to the device, with nobody waiting.
 *
 * Nobody waits for a flying slot while holding another one, so threads cannot wait for each
 * other in a circle. */
#include "guest-shim/libcuda/staging.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "common/cleanup.h"
#include "guest-shim/libcuda/arena.h"
#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/crew.h"
#include "guest-shim/libcuda/guest_lane.h"
#include "guest-shim/libcuda/session.h"
#include "guest-shim/libcuda/stats.h"

#define SLOT_SIZE ((size_t)CALL_PAYLOAD_MAX)
/* Pinned in no time, for programs that copy little. */
#define SMALL_SLOT_SIZE ((size_t)64 << 10)
/* Slots are pinned so many at a time. */
#define SLOTS_PER_BLOCK 4
#define SLOTS_MAX 16
/* Slots of one copy to the guest that are held at a time. */
#define FETCH_WINDOW 8
/* A copy is cut into at least so many pieces, so that both ends have something to do. */
#define PIECES_MIN 4
#define PIECE_MIN ((size_t)128 << 10)

struct pool;

struct slot {
	struct pool *pool;
	unsigned char *memory;
	uint64_t offset; /* in the arena */
	struct lane_reply ticket;
	cuStreamSynchronize_ret ret;
	struct slot *next; /* free or flying */
};

struct pool {
	pthread_mutex_t lock;
	size_t slot_size;
	struct slot slots[SLOTS_MAX];
	unsigned n_slots;
	bool no_more; /* the arena gives nothing */
	struct slot *free;
	struct slot *flying, **flying_end; /* in the order of their start */
};

static struct pool large = { .lock = PTHREAD_MUTEX_INITIALIZER, .slot_size = SLOT_SIZE,
	.flying_end = &large.flying };
static struct pool small = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.slot_size = SMALL_SLOT_SIZE, .flying_end = &small.flying };

/* ---- slots ---- */

static void
slot_give(struct slot *slot)
{
	HOLD_LOCK(&slot->pool->lock);
	slot->next = slot->pool->free;
	slot->pool->free = slot;
}

static void
slot_fly(struct slot *slot)
{
	HOLD_LOCK(&slot->pool->lock);
	slot->next = NULL;
	*slot->pool->flying_end = slot;
	slot->pool->flying_end = &slot->next;
}

/* The lock is held. */
static void
add_block(struct pool *pool)
{
	void *block;

	if (pool->no_more || pool->n_slots == SLOTS_MAX) {
		return;
	}
	if (!arena_allocate(SLOTS_PER_BLOCK * pool->slot_size, &block)) {
		pool->no_more = true;
		return;
	}
	for (unsigned i = 0; i < SLOTS_PER_BLOCK; i++) {
		struct slot *slot = &pool->slots[pool->n_slots++];
		slot->pool = pool;
		slot->memory = (unsigned char *)block + i * pool->slot_size;
		arena_offset((uintptr_t)slot->memory, &slot->offset);
		slot->next = pool->free;
		pool->free = slot;
	}
}

/* Those that have arrived are free: nobody else looks at them.  The lock is held. */
static void
take_back(struct pool *pool, struct lane *lane)
{
	struct slot **at = &pool->flying;

	while (*at != NULL) {
		struct slot *slot = *at;
		if (!lane_done(lane, &slot->ticket)) {
			at = &slot->next;
			continue;
		}
		*at = slot->next;
		slot->next = pool->free;
		pool->free = slot;
	}
	pool->flying_end = at;
}

/* A slot for the calling thread; if need be one whose copy is waited for. */
static struct slot *
slot_take(struct pool *pool, struct lane *lane, bool may_wait)
{
	struct slot *slot;
	bool flying = false;

	pthread_mutex_lock(&pool->lock);
	if (pool->free == NULL) {
		take_back(pool, lane);
	}
	if (pool->free == NULL) {
		add_block(pool);
	}
	slot = pool->free;
	if (slot != NULL) {
		pool->free = slot->next;
	} else if (may_wait && pool->flying != NULL) {
		flying = true;
		slot = pool->flying;
		pool->flying = slot->next;
		if (pool->flying == NULL) {
			pool->flying_end = &pool->flying;
		}
	}
	pthread_mutex_unlock(&pool->lock);
	if (flying) {
		/* What became of that copy is told by the head of this answer or an
		 * earlier one; a lane that is lost tells its next user. */
		uint64_t began = stats_begin();
		(void)lane_wait(lane, &slot->ticket);
		stats_waited(slot->ticket.info, false, began);
	}
	return slot;
}

static CUresult
ticket_start(struct lane *lane, uint64_t context, call_handle stream, struct slot *slot,
	bool flush)
{
	cuStreamSynchronize_args args = { .hStream = stream };
	struct lane_message message = { .info = call_find(CALL_cuStreamSynchronize),
		.args = &args, .context = context };

	slot->ret = (cuStreamSynchronize_ret){ 0 };
	slot->ticket = (struct lane_reply){ .ret = &slot->ret };
	int r = lane_start(lane, &message, &slot->ticket, flush);
	stats_asked(message.info, 0);
	return r < 0 ? session_lost(r) : CUDA_SUCCESS;
}

/* ---- pieces ---- */

/* Cut it into pieces for slots of the pool that is returned. */
static struct pool *
cut(struct copy_train *train)
{
	size_t size = train->width * train->height / PIECES_MIN;

	if (train->width * train->height <= SMALL_SLOT_SIZE) {
		train->piece_max = SMALL_SLOT_SIZE;
		return &small;
	}
	train->piece_max = size >= SLOT_SIZE ? SLOT_SIZE
		: size <= PIECE_MIN	     ? PIECE_MIN
					     : size & ~(size_t)4095;
	return &large;
}

static struct arena_copy
copy_of(const struct copy_train *train, const struct copy_piece *piece,
	const struct slot *slot)
{
	return (struct arena_copy){ .device = piece->device,
		.device_pitch = train->device_pitch, .offset = slot->offset,
		.host_pitch = piece->width, .width = piece->width,
		.height = piece->height, .stream = train->stream };
}

/* Rows between the program's memory and a slot, where they lie packed. */
static void
move_rows(const struct copy_train *train, const struct copy_piece *piece,
	unsigned char *slot, bool to_slot)
{
	bool packed = piece->is_packed;
	size_t width = packed ? piece->width * piece->height : piece->width;
	size_t height = packed ? 1 : piece->height;
	/* So much does not stay in the caches until somebody looks at it. */
	bool bypass = train->piece_max == SLOT_SIZE;

	for (size_t row = 0; row < height; row++) {
		unsigned char *host = piece->host + row * train->host_pitch;
		if (to_slot) {
			crew_copy(slot + row * width, host, width, false);
		} else {
			crew_copy(host, slot + row * width, width, bypass);
		}
	}
}

/* ---- to the device ---- */

CUresult
staging_send(struct copy_train *train)
{
	const struct call_info *info = call_find(CALL_copy_arena_htod);
	struct copy_piece piece;
	struct lane *lane;
	uint64_t context;

	CUresult result = guest_enter(info, &lane, &context);
	struct pool *pool = cut(train);
	while (result == CUDA_SUCCESS) {
		struct slot *slot = slot_take(pool, lane, true);
		if (slot == NULL) {
			train->piece_max = 0;
			return copy_train_send(train);
		}
		if (!copy_train_next(train, &piece)) {
			slot_give(slot);
			break;
		}
		move_rows(train, &piece, slot->memory, true);
		struct arena_copy copy = copy_of(train, &piece, slot);
		result = arena_copy_to_device(&copy);
		if (result == CUDA_SUCCESS) {
			result = ticket_start(lane, context, train->stream, slot, true);
		}
		if (result == CUDA_SUCCESS) {
			slot_fly(slot);
		} else {
			slot_give(slot); /* nothing was sent, or all is lost */
		}
	}
	return result;
}

/* ---- from the device ---- */

struct fetch {
	struct slot *slot;
	struct copy_piece piece;
};

static CUresult
fetch_start(struct lane *lane, uint64_t context, const struct copy_train *train,
	struct fetch *fetch)
{
	struct arena_copy copy = copy_of(train, &fetch->piece, fetch->slot);
	CUresult result = arena_copy_to_host(&copy);

	if (result == CUDA_SUCCESS) {
		result = ticket_start(lane, context, train->stream, fetch->slot, false);
	}
	return result;
}

static CUresult
fetch_finish(struct lane *lane, const struct copy_train *train, struct fetch *fetch)
{
	struct slot *slot = fetch->slot;
	int r = lane_wait(lane, &slot->ticket);
	CUresult result = r < 0 ? session_lost(r) : (CUresult)slot->ret.result;

	if (result == CUDA_SUCCESS) {
		move_rows(train, &fetch->piece, slot->memory, false);
	}
	slot_give(slot);
	return result;
}

/* *ret_rest: no slot could be had, and pieces are left. */
static CUresult
fetch_all(struct lane *lane, uint64_t context, struct copy_train *train, bool *ret_rest)
{
	struct fetch window[FETCH_WINDOW];
	struct pool *pool = cut(train);
	CUresult first = CUDA_SUCCESS;
	size_t n_started = 0, n_finished = 0;
	bool more = true;

	/* All that was started must be finished, whatever happens. */
	while (more || n_finished < n_started) {
		size_t n_held = n_started - n_finished;
		struct slot *slot = NULL;
		if (more && n_held < FETCH_WINDOW) {
			slot = slot_take(pool, lane, n_held == 0);
		}
		if (slot != NULL) {
			struct fetch *fetch = &window[n_started % FETCH_WINDOW];
			more = first == CUDA_SUCCESS && copy_train_next(train, &fetch->piece);
			if (more) {
				fetch->slot = slot;
				first = fetch_start(lane, context, train, fetch);
			}
			if (more && first == CUDA_SUCCESS) {
				n_started++;
			} else {
				slot_give(slot);
			}
			continue;
		}
		if (n_held == 0) {
			*ret_rest = true;
			return first;
		}
		if (lane_flush(lane) < 0) {
			/* lane_wait says so, too, and has made every reply done */
		}
		CUresult result =
			fetch_finish(lane, train, &window[n_finished++ % FETCH_WINDOW]);
		first = first != CUDA_SUCCESS ? first : result;
	}
	return first;
}

CUresult
staging_fetch(struct copy_train *train)
{
	const struct call_info *info = call_find(CALL_copy_arena_dtoh);
	bool rest = false;
	struct lane *lane;
	uint64_t context;

	CUresult result = guest_enter(info, &lane, &context);
	if (result != CUDA_SUCCESS) {
		return result;
	}
	uint64_t began = stats_begin();
	result = fetch_all(lane, context, train, &rest);
	stats_waited(call_find(CALL_cuStreamSynchronize), !rest, began);
	if (rest && result == CUDA_SUCCESS) {
		train->piece_max = 0;
		return copy_train_fetch(train);
	}
	return session_lane() != NULL && lane_error(lane) == 0 ? guest_settle(lane, result)
							       : result;
}
