/* SPDX-License-Identifier: Apache-2.0 */
/* wait_queue.c: all waits of a guest: which are asked, and when they are answered. */
#include "host-server/wait_private.h"

#include <errno.h>
#include <stdlib.h>

#include "host-server/bulk.h"
#include "host-server/output.h"
#include "host-server/session.h"
#include "host-server/slot.h"

/* Different streams that one round of polling tells apart. */
#define STREAMS_SEEN_MAX 16

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

/* ---- events that the guest destroyed ---- */

/* The guest waits for one event at a time. */
static bool
is_waited_for(const struct wait_queue *q, CUevent event)
{
	for (const struct wait *w = q->first; w != NULL; w = w->next) {
		if (w->n_events == 1 && w->events[0].event == event) {
			return true;
		}
	}
	return false;
}

bool
wait_condemn_event(struct session *s, CUevent event)
{
	struct wait_queue *q = s->waits;
	bool condemned = is_waited_for(q, event);

	if (condemned) {
		q->condemned[q->n_condemned++] = event;
	}
	return condemned;
}

static void
destroy_condemned(struct session *s)
{
	struct wait_queue *q = s->waits;
	size_t kept = 0;

	for (size_t i = 0; i < q->n_condemned; i++) {
		if (is_waited_for(q, q->condemned[i])) {
			q->condemned[kept++] = q->condemned[i];
		} else {
			s->driver->calls.cuEventDestroy_v2(q->condemned[i]);
		}
	}
	q->n_condemned = kept;
}

/* ---- polling ---- */

static bool
has_payload(const struct wait *wait)
{
	return wait->slot != NULL || wait->bulk != NULL;
}

static void
wait_check(struct session *s, struct wait *wait)
{
	if (!wait->ready) {
		wait->result = wait_query(s, wait);
		wait->ready = wait->result != CUDA_ERROR_NOT_READY;
	}
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
