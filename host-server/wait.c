/* SPDX-License-Identifier: Apache-2.0 */
/* wait.c: answers that are given when the device has got so far. */
#include "host-server/wait.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/relax.h"
#include "host-server/bulk.h"
#include "host-server/context.h"
#include "host-server/fence.h"
#include "host-server/output.h"
#include "host-server/session.h"
#include "host-server/slot.h"
#include "host-server/stream.h"
#include "host-server/waiter.h"

/* Different streams that one round of polling tells apart. */
#define STREAMS_SEEN_MAX 16
/* Looks at a fence for each question to the driver. */
#define FENCE_LOOKS 16
/* Looks at a fence in a row: about a microsecond.  In between, the guest's socket is looked
 * at, which takes almost as long. */
#define WATCH_LOOKS 16

struct wait_event {
	CUevent event; /* NULL: nothing was put behind yet, and the stream itself is asked */
	bool ours;
	bool of_stream;	       /* ref and submitted say what its happening means */
	struct stream_ref ref; /* .context is set for all */
	uint64_t submitted;
	uint32_t fence;	  /* behind the work, in place of an event that was not recorded */
	unsigned n_looks; /* at it */
};

struct wait {
	struct session *s;
	struct wait *next;
	const struct call_info *info;
	uint32_t xid;
	struct slot *slot; /* of the payload, or NULL */
	size_t payload_size;
	bool bare; /* has events that are not recorded */
	struct bulk_slot *bulk; /* or of a payload that goes another way */
	bool ready;
	CUresult result;
	bool delegated; /* the next event is with a waiter */
	struct waiter_job job;
	size_t n_events, n_happened, events_cap;
	struct wait_event events[];
};

struct wait_queue {
	struct wait *first, **end; /* in the order of the calls */
	size_t n;
	struct wait *bare; /* the one with events that are not recorded yet, or NULL */
	struct waiter_pool *waiters;
	/* Events that the guest destroyed while they are waited for. */
	CUevent condemned[WAITS_MAX];
	size_t n_condemned;
};

int
wait_queue_new(struct session *s)
{
	s->waits = calloc(1, sizeof(*s->waits));
	if (s->waits == NULL) {
		return -ENOMEM;
	}
	s->waits->end = &s->waits->first;
	return waiter_pool_new(s->driver, &s->waits->waiters);
}

void
wait_queue_free(struct session *s)
{
	if (s->waits == NULL) {
		return;
	}
	waiter_pool_free(s->waits->waiters);
	while (s->waits->first != NULL) {
		struct wait *wait = s->waits->first;
		s->waits->first = wait->next;
		wait_free(wait);
	}
	for (size_t i = 0; i < s->waits->n_condemned; i++) {
		s->driver->calls.cuEventDestroy_v2(s->waits->condemned[i]);
	}
	free(s->waits);
	s->waits = NULL;
}

/* ---- one wait ---- */

struct wait *
wait_new(struct session *s, size_t n_events)
{
	struct wait *wait = calloc(1, sizeof(*wait) + n_events * sizeof(wait->events[0]));

	if (wait != NULL) {
		wait->s = s;
		wait->info = s->call->info;
		wait->xid = s->call->xid;
		wait->events_cap = n_events;
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

static bool
has_payload(const struct wait *wait)
{
	return wait->slot != NULL || wait->bulk != NULL;
}

bool
wait_is_empty(const struct wait *wait)
{
	return wait->n_events == 0;
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

static CUresult
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

static void
wait_check(struct session *s, struct wait *wait)
{
	if (!wait->ready) {
		wait->result = wait_query(s, wait);
		wait->ready = wait->result != CUDA_ERROR_NOT_READY;
	}
}

static void
wait_answer(struct session *s, struct wait *wait)
{
	union {
		struct call_ret_head head;
		copy_dtoh_ret copy;
	} ret = { 0 };
	bool payload = wait->slot != NULL && wait->result == CUDA_SUCCESS;

	if (s->prints) { /* else nothing has made the driver print (wait_print) */
		output_look(s->output);
	}
	if (wait->bulk != NULL) {
		bulk_answer(s, wait->bulk, wait->result);
		return;
	}
	session_reply(s, wait->info, wait->xid, &ret, wait->result,
		payload ? slot_memory(wait->slot) : NULL,
		payload ? wait->payload_size : 0);
}

static void
destroy_condemned(struct session *s)
{
	struct wait_queue *q = s->waits;
	size_t kept = 0;

	for (size_t i = 0; i < q->n_condemned; i++) {
		bool used = false;
		for (struct wait *w = q->first; w != NULL && !used; w = w->next) {
			used = w->n_events == 1 && w->events[0].event == q->condemned[i];
		}
		if (used) {
			q->condemned[kept++] = q->condemned[i];
		} else {
			s->driver->calls.cuEventDestroy_v2(q->condemned[i]);
		}
	}
	q->n_condemned = kept;
}

/* Answer and remove those that are ready: with a payload, or without. */
static bool
answer_ready(struct session *s, bool with_payload)
{
	struct wait_queue *q = s->waits;
	struct wait **at = &q->first;
	bool any = false;

	while (*at != NULL) {
		struct wait *wait = *at;
		if (!wait->ready || has_payload(wait) != with_payload) {
			at = &wait->next;
			continue;
		}
		*at = wait->next;
		if (q->end == &wait->next) {
			q->end = at;
		}
		q->n--;
		q->bare = q->bare == wait ? NULL : q->bare;
		wait_answer(s, wait);
		wait_free(wait);
		any = true;
	}
	return any;
}

/* Ask in the order of each stream, so that one that is busy costs one question. */
static void
check_all(struct session *s, bool with_payload)
{
	call_handle seen[STREAMS_SEEN_MAX];
	struct context *seen_context[STREAMS_SEEN_MAX];
	size_t n_seen = 0;

	for (struct wait *w = s->waits->first; w != NULL; w = w->next) {
		if (has_payload(w) != with_payload) {
			continue;
		}
		const struct stream_ref *ref = &w->events[0].ref;
		bool in_line = w->n_events == 1 && w->events[0].of_stream;
		bool busy = false;
		for (size_t i = 0; in_line && i < n_seen && !busy; i++) {
			busy = seen[i] == ref->handle && seen_context[i] == ref->context;
		}
		if (busy) {
			continue;
		}
		wait_check(s, w);
		if (!w->ready && in_line && n_seen < STREAMS_SEEN_MAX) {
			seen[n_seen] = ref->handle;
			seen_context[n_seen++] = ref->context;
		}
	}
}

void
wait_poll_payloads(struct session *s)
{
	if (s->waits->first != NULL) {
		check_all(s, true);
		answer_ready(s, true);
	}
}

bool
wait_poll(struct session *s)
{
	if (s->waits->first == NULL) {
		return false;
	}
	/* Who says "done" is asked before the copies, and answered after them. */
	check_all(s, false);
	check_all(s, true);
	bool any = answer_ready(s, true);
	any |= answer_ready(s, false);
	if (any && s->waits->n_condemned > 0) {
		destroy_condemned(s);
	}
	return any;
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

CUresult
wait_begin(struct wait *wait)
{
	struct session *s = wait->s;

	while (s->waits->n >= WAITS_MAX) {
		wait_block(s);
	}
	*s->waits->end = wait;
	s->waits->end = &wait->next;
	s->waits->n++;
	s->waits->bare = wait->bare ? wait : NULL;
	s->deferred = true;
	return CUDA_SUCCESS;
}

bool
wait_any(const struct session *s)
{
	return s->waits->first != NULL;
}

/* ---- sleeping ---- */

static bool
same_line(const struct wait *a, const struct wait *b)
{
	const struct wait_event *x = &a->events[a->n_happened],
				*y = &b->events[b->n_happened];

	return x->event == y->event ||
	       (x->of_stream && y->of_stream && x->ref.handle == y->ref.handle &&
		       x->ref.context == y->ref.context);
}

static bool
wait_to_waiter(struct session *s, struct wait *wait)
{
	struct wait_event *e = &wait->events[wait->n_happened];

	wait->job.event = e->event;
	wait->job.context = e->ref.context->cuda;
	wait->delegated = waiter_start(s->waits->waiters, &wait->job);
	return wait->delegated;
}

bool
wait_delegate(struct session *s)
{
	const struct wait *with_waiter[WAITERS_MAX];
	size_t n = 0;

	wait_settle(s);
	for (struct wait *w = s->waits->first; w != NULL; w = w->next) {
		if (w->delegated && n < WAITERS_MAX) {
			with_waiter[n++] = w;
		}
	}
	for (struct wait *w = s->waits->first; w != NULL; w = w->next) {
		bool covered = w->delegated;
		for (size_t i = 0; i < n && !covered; i++) {
			covered = same_line(w, with_waiter[i]);
		}
		if (covered) {
			continue;
		}
		if (n == WAITERS_MAX || !wait_to_waiter(s, w)) {
			return false;
		}
		with_waiter[n++] = w;
	}
	return true;
}

int
wait_fd(const struct session *s)
{
	return waiter_pool_fd(s->waits->waiters);
}

void
wait_clear_fd(struct session *s)
{
	waiter_pool_clear(s->waits->waiters);
}

static void
wait_block_on(struct session *s, struct wait *wait)
{
	wait_settle(s);
	if (wait->delegated) {
		waiter_join(s->waits->waiters, &wait->job);
	} else if (wait->n_happened < wait->n_events) {
		s->driver->cuEventSynchronize(wait->events[wait->n_happened].event);
	}
	wait_poll(s);
	server_flush(s->server);
}

void
wait_block(struct session *s)
{
	wait_block_on(s, s->waits->first);
}

static struct wait *
wait_find_in(struct session *s, const struct context *context)
{
	for (struct wait *w = s->waits->first; w != NULL; w = w->next) {
		for (size_t i = 0; i < w->n_events; i++) {
			if (w->events[i].ref.context == context) {
				return w;
			}
		}
	}
	return NULL;
}

void
wait_drain(struct session *s, struct context *context)
{
	if (s->waits == NULL) {
		return;
	}
	for (;;) {
		struct wait *wait = wait_find_in(s, context);
		if (wait == NULL) {
			return;
		}
		wait_block_on(s, wait);
	}
}

bool
wait_condemn_event(struct session *s, CUevent event)
{
	struct wait_queue *q = s->waits;

	for (struct wait *w = q->first; w != NULL; w = w->next) {
		if (w->n_events == 1 && w->events[0].event == event) {
			q->condemned[q->n_condemned++] = event;
			return true;
		}
	}
	return false;
}
