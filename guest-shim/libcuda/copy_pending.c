/* SPDX-License-Identifier: Apache-2.0 */
/* copy_pending.c: copies to the guest that nobody waits for yet.
 *
 * An asynchronous copy into pinned memory is started, and its bytes come when the device
 * has copied them.  A call that tells the program "this work is done" must first see to it
 * that the bytes are here.  Answers are read by whoever waits (rpc/lane.h). */
#include "guest-shim/libcuda/copy_pending.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "guest-shim/libcuda/guest.h"
#include "guest-shim/libcuda/guest_lane.h"
#include "guest-shim/libcuda/session.h"
#include "guest-shim/libcuda/stats.h"
#include "guest-shim/libcuda/stream.h"

/* More at once gain nothing, and the host holds a slot for each. */
#define PENDING_MAX 64

struct pending {
	struct lane_reply reply;
	copy_dtoh_ret ret;
	uint64_t mark;
	call_handle stream;
	unsigned n_waiting;
	bool collected; /* no longer in the list */
	struct pending *next;
};

static struct {
	pthread_mutex_t lock;
	struct pending *first, **last;
	_Atomic uint64_t last_mark;
	atomic_uint n;
} pendings = { .lock = PTHREAD_MUTEX_INITIALIZER, .last = &pendings.first };

struct wanted {
	call_handle stream;
	bool any_stream;
	uint64_t mark;
	uint64_t start, size; /* 0: wherever they go */
};

static bool
matches(const struct pending *pending, const struct wanted *wanted)
{
	if (pending->mark > wanted->mark) {
		return false;
	}
	if (wanted->size != 0) {
		uint64_t into = (uintptr_t)pending->reply.into;
		return into < wanted->start + wanted->size &&
			wanted->start < into + pending->reply.into_size;
	}
	return wanted->any_stream || pending->stream == wanted->stream ||
		stream_is_legacy(pending->stream);
}

/* Wait for one, outside the lock; the one that is first to come back takes it out. */
static CUresult
collect(struct lane *lane, struct pending *pending)
{
	CUresult result = CUDA_SUCCESS;

	pending->n_waiting++;
	pthread_mutex_unlock(&pendings.lock);
	uint64_t began = stats_begin();
	int r = lane_wait(lane, &pending->reply);
	stats_waited(call_find(CALL_copy_dtoh), false, began);
	pthread_mutex_lock(&pendings.lock);
	if (!pending->collected) {
		struct pending **at = &pendings.first;
		while (*at != pending) {
			at = &(*at)->next;
		}
		*at = pending->next;
		if (pendings.last == &pending->next) {
			pendings.last = at;
		}
		pending->collected = true;
		atomic_fetch_sub(&pendings.n, 1);
		result = r < 0 ? session_lost(r) : (CUresult)pending->ret.u.result;
		guest_note(result);
	}
	if (--pending->n_waiting == 0) {
		xdr_free((xdrproc_t)xdr_copy_dtoh_ret, (char *)&pending->ret);
		free(pending);
	}
	return result;
}

static CUresult
wait_for(const struct wanted *wanted)
{
	CUresult first = CUDA_SUCCESS;
	struct lane *lane = session_lane();

	if (atomic_load(&pendings.n) == 0) {
		return CUDA_SUCCESS;
	}
	if (lane == NULL) {
		return session_error();
	}
	HOLD_LOCK(&pendings.lock);
	struct pending *pending = pendings.first;
	while (pending != NULL) {
		if (!matches(pending, wanted)) {
			pending = pending->next;
			continue;
		}
		CUresult result = collect(lane, pending);
		first = first != CUDA_SUCCESS ? first : result;
		pending = pendings.first; /* the list may have changed */
	}
	return first;
}

uint64_t
copy_pending_mark(void)
{
	return atomic_load_explicit(&pendings.last_mark, memory_order_acquire);
}

CUresult
copy_pending_wait_all(void)
{
	return wait_for(&(struct wanted){ .any_stream = true, .mark = copy_pending_mark() });
}

CUresult
copy_pending_wait_stream(call_handle stream, uint64_t mark)
{
	/* Work of other streams comes before this one's if it is the legacy stream, or may
	 * do so if streams wait for each other's events. */
	return wait_for(&(struct wanted){ .stream = stream, .mark = mark,
		.any_stream = stream_is_legacy(stream) || stream_crossed() });
}

CUresult
copy_pending_wait_range(uint64_t start, uint64_t size)
{
	return wait_for(&(struct wanted){ .mark = UINT64_MAX, .start = start, .size = size });
}

CUresult
copy_pending_start(struct lane *lane, const struct lane_message *message, call_handle stream,
	void *into, size_t size)
{
	struct pending *pending = calloc(1, sizeof(*pending));
	CUresult first = CUDA_SUCCESS;

	if (pending == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	pending->reply = (struct lane_reply){ .ret = &pending->ret, .into = into,
		.into_size = size };
	pending->stream = stream;
	HOLD_LOCK(&pendings.lock);
	while (atomic_load(&pendings.n) >= PENDING_MAX && first == CUDA_SUCCESS) {
		first = collect(lane, pendings.first);
	}
	uint64_t began = stats_begin();
	int r = first == CUDA_SUCCESS ? lane_start(lane, message, &pending->reply, true) : 0;
	stats_asked(message->info, size);
	stats_waited(message->info, false, began);
	if (r < 0 || first != CUDA_SUCCESS) {
		free(pending);
		return r < 0 ? session_lost(r) : first;
	}
	pending->mark = atomic_load(&pendings.last_mark) + 1;
	*pendings.last = pending;
	pendings.last = &pending->next;
	atomic_fetch_add(&pendings.n, 1);
	atomic_store_explicit(&pendings.last_mark, pending->mark, memory_order_release);
	return CUDA_SUCCESS;
}
