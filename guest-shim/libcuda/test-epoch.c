/* SPDX-License-Identifier: Apache-2.0 */
/* test-epoch.c: marks, waits and work in any order, against a list of what was sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/epoch.h"

#define CONTEXTS 3
#define MARKS 32
#define WAITS 4

/* How many pieces of work a context was sent, and how many of them are done. */
struct reference {
	struct context *context;
	unsigned sent, done;
};

struct mark {
	uint64_t number;
	unsigned of; /* the context it was made in */
	unsigned sent[CONTEXTS];
};

struct wait {
	bool open;
	uint64_t number;
	unsigned of, sent;
};

static struct reference contexts[CONTEXTS];
static struct mark marks[MARKS];
static struct wait waits[WAITS];

static bool
really_done(const struct mark *mark, unsigned but)
{
	for (unsigned i = 0; i < CONTEXTS; i++) {
		if (i != but && contexts[i].done < mark->sent[i]) {
			return false;
		}
	}
	return true;
}

/* Waits are made, and end, in any order: as threads that synchronise at once do it. */
static void
step(void)
{
	unsigned at = (unsigned)rand() % CONTEXTS;
	struct reference *c = &contexts[at];
	struct wait *wait = &waits[rand() % WAITS];
	struct mark *mark = &marks[rand() % MARKS];

	switch (rand() % 16) {
	case 0:
		c->sent++;
		context_touch(c->context);
		break;
	case 1:
	case 2:
	case 3:
		mark->number = epoch_mark(c->context);
		mark->of = at;
		for (unsigned i = 0; i < CONTEXTS; i++) {
			mark->sent[i] = contexts[i].sent;
		}
		break;
	default:
		if (!wait->open) {
			*wait = (struct wait){ .open = true, .of = at, .sent = c->sent,
				.number = epoch_begin_wait(c->context) };
			break;
		}
		c = &contexts[wait->of];
		wait->open = false;
		if (rand() % 8 != 0) { /* else it has failed */
			c->done = wait->sent > c->done ? wait->sent : c->done;
			epoch_end_wait(c->context, wait->number);
		}
	}
}

static void
nothing_is_taken_for_done_that_is_not(void **state)
{
	unsigned n_done = 0, n_waited = 0, n_not = 0;

	srand(7);
	for (unsigned i = 0; i < CONTEXTS; i++) {
		contexts[i].context = calloc(1, sizeof(struct context));
		epoch_join(contexts[i].context);
	}
	for (unsigned n = 0; n < 200000; n++) {
		step();
		const struct mark *mark = &marks[rand() % MARKS];
		struct reference *own = &contexts[mark->of];
		if (epoch_is_done(mark->number)) {
			assert_true(really_done(mark, CONTEXTS));
			n_done++;
		} else if (epoch_can_wait(own->context, mark->number)) {
			assert_true(really_done(mark, mark->of));
			assert_true(own->sent == mark->sent[mark->of]);
			n_waited++;
		} else {
			n_not++;
		}
	}
	printf("%u are done, %u can be waited for, %u not\n", n_done, n_waited, n_not);
	assert_true(n_done > 1000 && n_waited > 400 && n_not > 1000);
	for (unsigned i = 0; i < CONTEXTS; i++) {
		atomic_store(&contexts[i].context->destroyed, true); /* stays in the list */
	}
}

static void
a_wait_after_the_mark_is_enough(void **state)
{
	struct context *c = calloc(1, sizeof(*c));

	epoch_join(c);
	assert_int_equal(epoch_mark(c), 0);
	assert_true(epoch_is_done(0));
	context_touch(c);
	uint64_t mark = epoch_mark(c);
	assert_false(epoch_is_done(mark));
	assert_true(epoch_can_wait(c, mark));
	context_touch(c);
	assert_false(epoch_can_wait(c, mark));
	uint64_t wait = epoch_begin_wait(c);
	context_touch(c);
	assert_false(epoch_is_done(mark));
	epoch_end_wait(c, wait);
	assert_true(epoch_is_done(mark));
	assert_true(atomic_load(&c->busy) == CONTEXT_BUSY);
	/* Waits that end in another order than they began. */
	uint64_t early = epoch_begin_wait(c);
	mark = epoch_mark(c);
	context_touch(c);
	wait = epoch_begin_wait(c);
	context_touch(c);
	epoch_end_wait(c, wait);
	epoch_end_wait(c, early);
	assert_true(epoch_is_done(mark));
	atomic_store(&c->destroyed, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_taken_for_done_that_is_not),
		cmocka_unit_test(a_wait_after_the_mark_is_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
