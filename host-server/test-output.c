/* SPDX-License-Identifier: Apache-2.0 */
/* test-output.c: what was printed comes back, in pieces, and in bounds. */
#include "host-server/output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static int
setup(void **state)
{
	return output_new((struct output **)state);
}

static int
teardown(void **state)
{
	output_free(*state);
	return 0;
}

static void
say(struct output *output, unsigned stream, const char *text, size_t n)
{
	assert_int_equal(write(output_fd(output, stream), text, n), (ssize_t)n);
}

static void
text_comes_back_in_pieces(void **state)
{
	struct output *output = *state;
	char piece[10];
	unsigned stream;
	bool more;

	assert_int_equal(output_fetch(output, piece, sizeof(piece), &stream, &more), 0);
	say(output, 2, "oops", 4);
	say(output, 1, "0123456789abcde", 15);
	assert_int_equal(output_pending(output), 0); /* nobody has looked */
	output_look(output);
	assert_int_equal(output_pending(output), 19);
	assert_int_equal(output_fetch(output, piece, sizeof(piece), &stream, &more), 10);
	assert_memory_equal(piece, "0123456789", 10);
	assert_int_equal(stream, 1);
	assert_true(more);
	say(output, 1, "f", 1);
	assert_int_equal(output_fetch(output, piece, sizeof(piece), &stream, &more), 6);
	assert_memory_equal(piece, "abcdef", 6);
	assert_int_equal(output_fetch(output, piece, sizeof(piece), &stream, &more), 4);
	assert_int_equal(stream, 2);
	assert_false(more);
	assert_int_equal(output_pending(output), 0);
}

static void
too_much_is_dropped_with_a_notice(void **state)
{
	struct output *output = *state;
	char *block = calloc(1, 1 << 20), piece[200];
	unsigned stream;
	bool more;

	for (int i = 0; i < 17; i++) {
		say(output, 1, block, 1 << 20);
	}
	free(block);
	size_t n = output_fetch(output, piece, sizeof(piece) - 1, &stream, &more);
	piece[n] = '\0';
	assert_string_equal(
		piece, "outboard: 17825792 bytes of output were dropped here\n");
	assert_false(more);
	struct stat st;
	fstat(output_fd(output, 1), &st);
	assert_true(st.st_blocks <= 64); /* the memory was given back */
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(text_comes_back_in_pieces),
		TEST(too_much_is_dropped_with_a_notice),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
