/* SPDX-License-Identifier: Apache-2.0 */
/* bulk_copy.c: copies whose bytes go over links: the lane's half.
 *
 * Everything here happens in the lane's thread, in the order of its calls.  When it must
 * wait for a link it goes on answering what else is waited for. */
#include "host-server/bulk.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "host-server/bulk_link.h"
#include "host-server/context.h"
#include "host-server/copy.h"
#include "host-server/dispatch.h"
#include "host-server/session.h"
#include "host-server/stream.h"
#include "host-server/wait.h"

/* Until the lane looks again at what the device does, and at a link that is silent. */
#define NAP_DEVICE_NS 100000
#define NAP_LINK_NS 100000000

/* ---- memory ---- */

/* Slower if the driver cannot, and right. */
static void
link_pin(struct session *s, struct link *link)
{
	if (link->pinned || link->not_pinned) {
		return;
	}
	if (s->context != s->home) {
		s->driver->cuCtxSetCurrent(s->home->cuda);
	}
	CUresult result = s->driver->cuMemHostRegister_v2(
		link->memory, LINK_MEMORY_SIZE, CU_MEMHOSTREGISTER_PORTABLE);
	context_leave(s);
	link->pinned = result == CUDA_SUCCESS;
	link->not_pinned = !link->pinned;
}

void
bulk_clear(struct session *s)
{
	unsigned n;
	struct links *links = bulk_links(s, &n);

	for (unsigned i = 0; i < n; i++) {
		struct link *link = links->links[i];
		if (link->pinned) {
			s->driver->cuMemHostUnregister(link->memory);
			link->pinned = false;
		}
	}
}

static bool
slot_is_busy(const struct bulk_slot *slot)
{
	HOLD_LOCK(&slot->link->all->lock);
	return slot->state == BULK_BUSY;
}

static void
slot_set(struct bulk_slot *slot, enum bulk_state state)
{
	HOLD_LOCK(&slot->link->all->lock);
	slot->state = state;
	pthread_cond_signal(&slot->link->news);
}

/* The device has read the slot, or never will. */
static void
slot_done(struct session *s, struct bulk_slot *slot)
{
	context_give_event(s, slot->context, slot->event);
	slot_set(slot, BULK_FREE);
}

void
bulk_drain(struct session *s, struct context *context)
{
	unsigned n;
	struct links *links = bulk_links(s, &n);

	for (unsigned i = 0; i < n * LINK_SLOTS; i++) {
		struct bulk_slot *slot =
			&links->links[i / LINK_SLOTS]->slots[i % LINK_SLOTS];
		if (slot_is_busy(slot) &&
			(slot->context == context || context == s->home)) {
			s->driver->cuEventSynchronize(slot->event);
			slot_done(s, slot);
		}
	}
}

/* Free what the device has read.  Whether it is still reading something. */
static bool
bulk_reclaim(struct session *s)
{
	bool busy = false;
	unsigned n;
	struct links *links = bulk_links(s, &n);

	for (unsigned i = 0; i < n; i++) {
		struct link *link = links->links[i];
		/* From the oldest one on. */
		for (unsigned k = 0; k < LINK_SLOTS; k++) {
			struct bulk_slot *slot =
				&link->slots[(link->lane_serial + k) % LINK_SLOTS];
			if (!slot_is_busy(slot)) {
				continue;
			}
			if (s->driver->cuEventQuery(slot->event) ==
				CUDA_ERROR_NOT_READY) {
				busy = true;
				break;
			}
			slot_done(s, slot);
		}
	}
	return busy;
}

/* ---- the lane meets a link ---- */

/* 1 if the slot of that serial is in the state that the lane wants, 0 if it may become
 * so, or negative errno.  The lock is held. */
static int
link_look(const struct link *link, uint64_t serial, enum bulk_state wanted)
{
	const struct bulk_slot *slot = &link->slots[serial % LINK_SLOTS];
	enum link_doing opposite = wanted == BULK_FULL ? LINK_GET : LINK_PUT;

	/* A full slot was filled for this serial: the one before it has been taken. */
	if ((link->serial == serial && link->doing == opposite) ||
		(wanted == BULK_FREE && slot->state == BULK_FULL)) {
		return -EPROTO;
	}
	return slot->state == wanted ? 1 : link->error;
}

/* Sleep until a link has news, but not for long; while a link moves bytes it is its own
 * to say when that has taken too long. */
static int
link_sleep(const struct link *link, uint64_t serial, enum bulk_state wanted, bool device,
	uint64_t *silent_since)
{
	struct links *all = link->all;
	uint64_t now = clock_ns();
	uint64_t until = now + (device ? NAP_DEVICE_NS : NAP_LINK_NS);

	HOLD_LOCK(&all->lock);
	if (link_look(link, serial, wanted) != 0) {
		return 0;
	}
	if (link->doing != LINK_NOTHING) {
		*silent_since = now;
	}
	if (now - *silent_since > LINK_STALL_MS * 1000000ull) {
		return -ETIMEDOUT;
	}
	pthread_cond_timedwait(&all->news, &all->lock,
		&(struct timespec){ .tv_sec = (time_t)(until / 1000000000u),
			.tv_nsec = (long)(until % 1000000000u) });
	return 0;
}

/* A guest that has closed its lane will send nothing over its links that we could use. */
static bool
lane_is_gone(struct session *s)
{
	struct stream *stream = server_stream(s->server);

	return stream->ops->wait(stream, POLLRDHUP, 0) != 0;
}

static int
link_await(struct session *s, struct link *link, uint64_t serial, enum bulk_state wanted)
{
	uint64_t began = clock_ns(), silent_since = began;

	for (;;) {
		pthread_mutex_lock(&link->all->lock);
		int r = link_look(link, serial, wanted);
		pthread_mutex_unlock(&link->all->lock);
		if (r != 0) {
			return r < 0 ? r : 0;
		}
		bool device = bulk_reclaim(s);
		if (wait_poll(s)) {
			r = server_flush(s->server);
		} else if (clock_ns() - began < s->spin_us * 1000ull) {
			sched_yield();
		} else if (lane_is_gone(s)) {
			r = -ECONNRESET;
		} else {
			r = link_sleep(link, serial, wanted, device || wait_any(s),
				&silent_since);
		}
		if (r < 0) {
			return r;
		}
	}
}

/* The slot of a link's next copy, in the state wanted; NULL: the session ends. */
static struct bulk_slot *
bulk_meet(struct session *s, uint32_t which, uint64_t serial, enum bulk_state wanted)
{
	unsigned n;
	struct links *links = bulk_links(s, &n);
	struct link *link = which < n ? links->links[which] : NULL;

	if (link == NULL || serial != link->lane_serial) {
		log_warning("bulk: link %u has no copy %llu to come", which,
			(unsigned long long)serial);
		s->error = -EPROTO;
		return NULL;
	}
	link_pin(s, link);
	int r = link_await(s, link, serial, wanted);
	if (r < 0) {
		log_warning("bulk: link %u: %s", which, strerror(-r));
		s->error = r;
		return NULL;
	}
	link->lane_serial++;
	return &link->slots[serial % LINK_SLOTS];
}

/* ---- calls ---- */

static CUresult
slot_to_device(struct session *s, struct bulk_slot *slot, const struct copy_rows *rows,
	call_handle stream)
{
	struct stream_ref ref;
	size_t size;

	if (s->context == NULL) {
		return CUDA_ERROR_INVALID_CONTEXT;
	}
	if (!stream_find(s, stream, &ref)) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	if (!copy_rows_size(rows, &size) || size == 0 || size != slot->size) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	CUevent event = context_take_event(s, ref.context);
	if (event == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	CUresult result = copy_to_device(s, rows, slot->memory, ref.cuda);
	if (result == CUDA_SUCCESS) {
		stream_used(s, &ref);
		result = s->driver->calls.cuEventRecord(event, ref.cuda);
		if (result != CUDA_SUCCESS) {
			s->driver->cuStreamSynchronize(ref.cuda);
		}
	}
	if (result != CUDA_SUCCESS) {
		context_give_event(s, ref.context, event);
		return result;
	}
	slot->event = event;
	slot->context = ref.context;
	return CUDA_SUCCESS;
}

CUresult
serve_copy_bulk_htod(struct session *s, const void *argp, void *outp)
{
	const copy_bulk_htod_args *args = argp;
	const struct copy_rows rows = { args->dst, args->pitch, args->width, args->height, 0 };
	struct bulk_slot *slot = bulk_meet(s, args->link, args->serial, BULK_FULL);

	if (slot == NULL) {
		return CUDA_ERROR_UNKNOWN;
	}
	CUresult result = slot_to_device(s, slot, &rows, args->hStream);
	slot_set(slot, result == CUDA_SUCCESS ? BULK_BUSY : BULK_FREE);
	return result;
}

static CUresult
slot_from_device(struct session *s, struct bulk_slot *slot, const struct copy_rows *rows,
	call_handle stream)
{
	struct stream_ref ref;

	if (s->context == NULL) {
		return CUDA_ERROR_INVALID_CONTEXT;
	}
	if (!stream_find(s, stream, &ref)) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	if (!copy_rows_size(rows, &slot->size) || slot->size == 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	struct wait *wait = wait_new(s, 1);
	if (wait == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	wait_set_bulk(wait, slot);
	CUresult result = copy_from_device(s, rows, slot->memory, ref.cuda);
	if (result == CUDA_SUCCESS) {
		stream_used(s, &ref);
		result = wait_add_stream(wait, &ref);
		if (result != CUDA_SUCCESS) {
			/* The slot must not be sent while the copy runs. */
			result = s->driver->cuStreamSynchronize(ref.cuda);
		}
	}
	if (result != CUDA_SUCCESS) {
		wait_free(wait);
		return result;
	}
	return wait_begin(wait);
}

CUresult
serve_copy_bulk_dtoh(struct session *s, const void *argp, void *outp)
{
	const copy_bulk_dtoh_args *args = argp;
	const struct copy_rows rows = { args->src, args->pitch, args->width, args->height, 0 };
	struct bulk_slot *slot = bulk_meet(s, args->link, args->serial, BULK_FREE);

	if (slot == NULL) {
		return CUDA_ERROR_UNKNOWN;
	}
	slot_set(slot, BULK_WAITED);
	CUresult result = slot_from_device(s, slot, &rows, args->hStream);
	if (result != CUDA_SUCCESS) {
		bulk_answer(s, slot, result);
	}
	return CUDA_SUCCESS;
}

void
bulk_answer(struct session *s, struct bulk_slot *slot, CUresult result)
{
	session_head(s, result, &slot->head);
	slot_set(slot, BULK_READY);
}
