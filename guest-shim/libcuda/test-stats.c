/* SPDX-License-Identifier: Apache-2.0 */
/* test-stats.c: counting calls, by several threads, and the report. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "guest-shim/libcuda/stats.h"
#include "rpc/stream.h"

#define THREADS 8
#define ROUNDS 2000

static struct lane *
new_lane(void)
{
	struct stream *stream;
	struct lane *lane;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(stream_of_fd(pair[0], &stream), 0);
	assert_int_equal(
		lane_new(stream, &(struct lane_options){ .no_flusher = true }, &lane), 0);
	close(pair[1]);
	return lane;
}

/* Valid until the next one. */
static const char *
report(void)
{
	static char text[8192];

	memset(text, 0, sizeof(text));
	FILE *to = fmemopen(text, sizeof(text), "w");
	assert_non_null(to);
	stats_report(to);
	fclose(to);
	return text;
}

/* The nth number after name in the report. */
static unsigned long
number(const char *text, const char *name, int nth)
{
	const char *at = strstr(text, name);
	unsigned long value = 0;
	char *end;

	assert_non_null(at);
	for (at += strlen(name); nth >= 0; nth--) {
		value = strtoul(at + strcspn(at, "0123456789"), &end, 10);
		at = end;
	}
	return value;
}

static void
off_is_silent(void **state)
{
	unsetenv("OUTBOARD_STATS");
	stats_start("nowhere");
	assert_false(atomic_load(&stats_active));
	assert_int_equal(stats_begin(), 0);
	stats_posted(call_find(CALL_cuLaunchKernel), 1, stats_begin());
	stats_asked(call_find(CALL_copy_dtoh), 1);
	setenv("OUTBOARD_STATS", "0", 1);
	stats_start("nowhere");
	assert_false(atomic_load(&stats_active));
	const char *text = report();
	assert_string_equal(text, "");
}

static void *
work(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		stats_posted(call_find(CALL_cuLaunchKernel), 0, stats_begin());
		stats_posted(call_find(CALL_copy_htod), 10, stats_begin());
		stats_called(call_find(CALL_cuMemAlloc_v2), 0, stats_begin());
	}
	stats_asked(call_find(CALL_copy_dtoh), 100);
	stats_asked(call_find(CALL_copy_dtoh), 100);
	stats_waited(call_find(CALL_copy_dtoh), true, stats_begin());
	stats_waited(call_find(CALL_copy_dtoh), false, stats_begin());
	return NULL;
}

static void
threads_are_counted(void **state)
{
	pthread_t threads[THREADS];
	struct lane *lane = new_lane();

	setenv("OUTBOARD_STATS", "1", 1);
	stats_start("test://server");
	stats_connected(lane);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, work, NULL), 0);
	}
	report(); /* while they run, as exit() does */
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
	}
	const char *text = report();
	assert_non_null(strstr(text, "test://server"));
	assert_int_equal(number(text, "round trips", 0), THREADS * (ROUNDS + 1));
	assert_int_equal(number(text, "calls  ", 0), THREADS * (ROUNDS + 2));
	assert_int_equal(number(text, "calls  ", 1), THREADS * 2 * ROUNDS);
	assert_int_equal(number(text, "cuLaunchKernel  ", 0), THREADS * ROUNDS);
	assert_int_equal(number(text, "copy_htod ", 1), THREADS * ROUNDS * 10);
	assert_int_equal(number(text, "copy_dtoh ", 0), THREADS * 2);
	assert_int_equal(number(text, "copy_dtoh ", 1), THREADS * 200);
	stats_forget();
	assert_int_equal(stats_begin(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(off_is_silent),
		cmocka_unit_test(threads_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
