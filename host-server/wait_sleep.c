/* SPDX-License-Identifier: Apache-2.0 */
/* wait_sleep.c: sleeping until waits are over, in waiter threads or here. */
#include "host-server/wait_private.h"

#include "host-server/context.h"
#include "host-server/session.h"

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
	bool all = true;

	wait_settle(s);
	for (struct wait *w = s->waits->first; w != NULL; w = w->next) {
		if (w->delegated && n < WAITERS_MAX) {
			with_waiter[n++] = w;
		}
	}
	for (struct wait *w = s->waits->first; w != NULL; w = w->next) {
		if (w->ready) { /* it was waited for here, and has no event */
			all = false;
			continue;
		}
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
	return all;
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
