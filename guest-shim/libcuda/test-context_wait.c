/* SPDX-License-Identifier: Apache-2.0 */
/* test-context_wait.c: marks, waits and work in any order, against what was sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest-shim/libcuda/context.h"

#define MARKS 32
#define WAITS 4

/* What was sent is numbered; a mark or a wait is behind so much of it. */
struct mark {
	uint64_t number;
	unsigned sent;
};

struct wait {
	bool open;
	uint64_t number;
	unsigned sent;
};

static struct context context;
static unsigned n_sent, n_done;
static struct mark marks[MARKS];
static struct wait waits[WAITS];

/* Waits are made, and end, in any order: as threads that synchronise at once do it. */
static void
step(void)
{
	struct wait *wait = &waits[rand() % WAITS];

	switch (rand() % 12) {
	case 0:
	case 1:
		n_sent++;
		context_touch(&context);
		break;
	case 2:
	case 3:
	case 4:
		marks[rand() % MARKS] =
			(struct mark){ .number = context_mark(&context), .sent = n_sent };
		break;
	case 5: { /* a wait for a stream may lend its number, or use another's */
		uint64_t quiet = context_quiet_begin(&context);
		context_quiet_end(&context, quiet, 1);
		break;
	}
	default:
		if (!wait->open) {
			*wait = (struct wait){ .open = true, .sent = n_sent,
				.number = context_wait_begin(&context) };
			break;
		}
		wait->open = false;
		if (rand() % 8 != 0) { /* else it has failed */
			n_done = wait->sent > n_done ? wait->sent : n_done;
			context_wait_end(&context, wait->number);
		}
	}
}

static void
nothing_is_taken_for_done_that_is_not(void **state)
{
	unsigned n_are_done = 0, n_can_wait = 0, n_not = 0;

	srand(7);
	for (unsigned n = 0; n < 200000; n++) {
		step();
		const struct mark *mark = &marks[rand() % MARKS];
		if (context_is_done(&context, mark->number)) {
			assert_true(mark->sent <= n_done);
			n_are_done++;
		} else if (context_can_wait(&context, mark->number)) {
			assert_int_equal(mark->sent, n_sent);
			n_can_wait++;
		} else {
			n_not++;
		}
	}
	printf("%u are done, %u can be waited for, %u not\n", n_are_done, n_can_wait, n_not);
	assert_true(n_are_done > 1000 && n_can_wait > 1000 && n_not > 1000);
}

static void
a_wait_after_the_mark_is_enough(void **state)
{
	struct context c = { 0 };

	assert_int_equal(context_mark(&c), 0);
	assert_true(context_is_done(&c, 0));
	context_touch(&c);
	uint64_t mark = context_mark(&c);
	assert_false(context_is_done(&c, mark));
	assert_true(context_can_wait(&c, mark));
	context_touch(&c);
	assert_false(context_can_wait(&c, mark));
	uint64_t wait = context_wait_begin(&c);
	context_touch(&c);
	assert_false(context_is_done(&c, mark));
	context_wait_end(&c, wait);
	assert_true(context_is_done(&c, mark));
	assert_true(atomic_load(&c.busy) == CONTEXT_BUSY);
	/* Waits that end in another order than they began. */
	uint64_t early = context_wait_begin(&c);
	mark = context_mark(&c);
	context_touch(&c);
	wait = context_wait_begin(&c);
	context_touch(&c);
	context_wait_end(&c, wait);
	context_wait_end(&c, early);
	assert_true(context_is_done(&c, mark));
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
