/* SPDX-License-Identifier: Apache-2.0 */
/* epoch.c: what of the work that was sent is known to be done.
 *
 * Waits and marks have numbers from one row.  A wait that has succeeded covers what was
 * sent before it got its number, and so all before any mark with a smaller one.  Neither
 * costs a launch anything: whether something was sent after a mark is seen from the
 * context's busy, which holds the number until context_touch() overwrites it. */
#include "guest-shim/libcuda/epoch.h"

#include "guest-shim/libcuda/context.h"

static _Atomic uint64_t last_number;
static _Atomic(struct context *) first; /* all contexts; they are never freed */

void
epoch_join(struct context *context)
{
	context->next = atomic_load(&first);
	while (!atomic_compare_exchange_weak(&first, &context->next, context)) {
	}
}

uint64_t
epoch_begin_wait(struct context *context)
{
	uint64_t wait = atomic_fetch_add(&last_number, 1) + 1;

	/* Before it is sent: what is posted after that is not waited for. */
	atomic_store(&context->busy, wait);
	return wait;
}

void
epoch_end_wait(struct context *context, uint64_t wait)
{
	uint64_t done = atomic_load(&context->done);

	while (done < wait && !atomic_compare_exchange_weak(&context->done, &done, wait)) {
	}
	/* Idle only now, and not if something was sent, or another thread waits for
	 * something that was sent, meanwhile. */
	atomic_compare_exchange_strong(&context->busy, &wait, 0);
}

/* What a context had is gone with it. */
static bool
is_done(struct context *context, uint64_t mark)
{
	return atomic_load(&context->busy) == 0 || atomic_load(&context->done) > mark ||
		atomic_load(&context->destroyed);
}

/* In every context but one: copies between contexts touch the memory of both. */
static bool
is_done_but(const struct context *one, uint64_t mark)
{
	for (struct context *c = atomic_load(&first); c != NULL; c = c->next) {
		if (c != one && !is_done(c, mark)) {
			return false;
		}
	}
	return true;
}

bool
epoch_is_done(uint64_t mark)
{
	return mark == 0 || is_done_but(NULL, mark);
}

uint64_t
epoch_mark(struct context *context)
{
	uint64_t busy = CONTEXT_BUSY;

	if (is_done_but(NULL, UINT64_MAX)) {
		return 0;
	}
	uint64_t mark = atomic_fetch_add(&last_number, 1) + 1;
	atomic_compare_exchange_strong(&context->busy, &busy, mark);
	return mark;
}

bool
epoch_can_wait(struct context *context, uint64_t mark)
{
	/* A number of a later wait says nothing of what was sent between the two. */
	return atomic_load(&context->busy) <= mark && is_done_but(context, mark);
}
