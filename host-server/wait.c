/* SPDX-License-Identifier: Apache-2.0 */
/* wait.c: one wait: what must have happened for its answer, and whether it has. */
#include "host-server/wait_private.h"

#include <stdlib.h>

#include "common/relax.h"
#include "host-server/context.h"
#include "host-server/fence.h"
#include "host-server/session.h"
#include "host-server/slot.h"

/* Looks at a fence for each question to the driver. */
#define FENCE_LOOKS 16
/* Looks at a fence in a row: about a microsecond.  In between, the guest's socket is looked
 * at, which takes almost as long. */
#define WATCH_LOOKS 16

struct wait *
wait_new(struct session *s, size_t n_events)
{
	struct wait *wait = calloc(1, sizeof(*wait) + n_events * sizeof(wait->events[0]));

	if (wait != NULL) {
		wait->s = s;
		wait->info = s->call->info;
		wait->xid = s->call->xid;
	}
	return wait;
}

struct wait *
wait_free(struct wait *wait)
{
	if (wait == NULL) {
		return NULL;
	}
	for (size_t i = 0; i < wait->n_events; i++) {
		if (wait->events[i].ours && wait->events[i].event != NULL) {
			context_give_event(wait->s, wait->events[i].ref.context,
				wait->events[i].event);
		}
	}
	slot_give(wait->s, wait->slot);
	free(wait);
	return NULL;
}

void
wait_set_payload(struct wait *wait, struct slot *slot, size_t size)
{
	wait->slot = slot;
	wait->payload_size = size;
}

void
wait_set_bulk(struct wait *wait, struct bulk_slot *bulk)
{
	wait->bulk = bulk;
}

bool
wait_is_empty(const struct wait *wait)
{
	return wait->n_events == 0;
}

/* ---- its events ---- */

static struct wait_event *
wait_add(struct wait *wait, CUevent event, struct context *context)
{
	struct wait_event *e = &wait->events[wait->n_events++];

	*e = (struct wait_event){ .event = event, .ref.context = context };
	return e;
}

void
wait_add_guests(struct wait *wait, CUevent event, struct context *context)
{
	wait_add(wait, event, context);
}

void
wait_add_own(struct wait *wait, CUevent event, struct context *context)
{
	wait_add(wait, event, context)->ours = true;
}

/* Asking the legacy stream is not asking the streams that it orders itself with, while an
 * event in it comes after their work. */
static bool
can_ask_stream(const struct wait *wait, const struct stream_ref *ref)
{
	return ref->handle != 0 || wait->info->number == CALL_cuCtxSynchronize ||
	       object_count(wait->s->objects, HANDLE_CUstream) == 0;
}

static CUresult
record(struct session *s, struct wait_event *e)
{
	CUevent event = context_take_event(s, e->ref.context);

	if (event == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	CUresult result = s->driver->calls.cuEventRecord(event, e->ref.cuda);
	if (result != CUDA_SUCCESS) {
		context_give_event(s, e->ref.context, event);
		return result;
	}
	e->event = event;
	return CUDA_SUCCESS;
}

CUresult
wait_add_stream(struct wait *wait, const struct stream_ref *ref)
{
	struct work *work = stream_work(wait->s, ref);
	struct wait_event e = { .ours = true, .of_stream = true, .ref = *ref,
		.submitted = work != NULL ? work->submitted : 0 };

	if (!can_ask_stream(wait, ref)) {
		CUresult result = record(wait->s, &e);
		if (result != CUDA_SUCCESS) {
			return result;
		}
	}
	wait->bare |= e.event == NULL;
	wait->events[wait->n_events++] = e;
	return CUDA_SUCCESS;
}

/* No event is to be had: everybody waits, but nobody is told a lie. */
static void
wait_here(struct session *s, struct wait *wait)
{
	wait->result = CUDA_SUCCESS;
	for (size_t i = wait->n_happened; i < wait->n_events && wait->result == CUDA_SUCCESS; i++) {
		struct wait_event *e = &wait->events[i];
		wait->result = e->event != NULL ? s->driver->cuEventSynchronize(e->event)
						: s->driver->cuStreamSynchronize(e->ref.cuda);
	}
	wait->ready = true;
}

void
wait_settle(struct session *s)
{
	struct wait *wait = s->waits->bare;

	if (wait == NULL) {
		return;
	}
	s->waits->bare = NULL;
	for (size_t i = wait->n_happened; i < wait->n_events; i++) {
		struct wait_event *e = &wait->events[i];
		if (e->event == NULL && record(s, e) != CUDA_SUCCESS) {
			wait_here(s, wait);
			return;
		}
	}
}

/* ---- asking ---- */

/* The driver prints what kernels printed in synchronising calls, not in queries (CUDA
 * programming guide, formatted output).  This one does not wait any more: what is asked for
 * has happened, and nothing came behind it if there is no event.  It takes 1.5 us on an
 * H200, a fifth of a launch and its end. */
static CUresult
wait_print(struct session *s, const struct wait *wait)
{
	if (!s->prints || wait->n_events == 0) {
		return CUDA_SUCCESS;
	}
	const struct wait_event *last = &wait->events[wait->n_events - 1];
	if (last->event != NULL) {
		return s->driver->cuEventSynchronize(last->event);
	}
	return s->driver->cuStreamSynchronize(last->ref.cuda);
}

/* Has it happened?  A stream that has work to do gets a fence behind it, and after that the
 * driver is asked now and then, for errors. */
static CUresult
ask(struct session *s, struct wait_event *e)
{
	if (e->event != NULL) {
		return s->driver->cuEventQuery(e->event);
	}
	if (fence_passed(s, e->fence)) {
		return CUDA_SUCCESS;
	}
	if (e->fence != 0 && ++e->n_looks % FENCE_LOOKS != 0) {
		return CUDA_ERROR_NOT_READY;
	}
	CUresult result = s->driver->cuStreamQuery(e->ref.cuda);
	if (result == CUDA_ERROR_NOT_READY && e->fence == 0) {
		e->fence = fence_put(s, &e->ref);
	}
	return result;
}

CUresult
wait_query(struct session *s, struct wait *wait)
{
	while (wait->n_happened < wait->n_events) {
		struct wait_event *e = &wait->events[wait->n_happened];
		CUresult result = ask(s, e);
		if (wait->delegated &&
			(result != CUDA_ERROR_NOT_READY || waiter_job_done(&wait->job))) {
			/* The waiter has noticed, or is about to, and has the event until
			 * then. Its word counts: the guest may have recorded the event
			 * again. */
			waiter_join(s->waits->waiters, &wait->job);
			wait->delegated = false;
			result = wait->job.result;
		}
		if (result != CUDA_SUCCESS) {
			return result;
		}
		if (e->of_stream) {
			stream_finished(s, &e->ref, e->submitted);
		}
		wait->n_happened++;
	}
	return wait_print(s, wait);
}

void
wait_watch(const struct session *s)
{
	const struct wait *wait = s->waits->bare;

	if (wait == NULL || wait->n_happened == wait->n_events) {
		return;
	}
	const struct wait_event *e = &wait->events[wait->n_happened];
	for (unsigned n = 0; n < WATCH_LOOKS && e->fence != 0; n++) {
		if (fence_passed(s, e->fence)) {
			return;
		}
		relax_briefly();
	}
}
