/* SPDX-License-Identifier: Apache-2.0 */
/* test-extent.c: parts in use against a byte-wise reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "guest-shim/libcuda/extent.h"

#define SIZE 512

/* owner[i]: the start plus one of the part in which byte i is, or 0. */
static bool
is_free(const unsigned *owner, unsigned start, unsigned size)
{
	for (unsigned i = start; i < start + size; i++) {
		if (i >= SIZE || owner[i] != 0) {
			return false;
		}
	}
	return true;
}

static void
parts_agree_with_a_bytewise_reference(void **state)
{
	struct extents extents = { .size = SIZE };
	unsigned owner[SIZE] = { 0 }, n_taken = 0, n_refused = 0, n_given = 0;

	srand(7);
	for (unsigned step = 0; step < 30000; step++) {
		unsigned at = (unsigned)rand() % SIZE;
		struct extent found;
		uint64_t got;
		if (rand() % 5 < 3) {
			unsigned size = 1 + (unsigned)rand() % 40;
			unsigned align = 1u << rand() % 5, expected = 0;
			while (expected < SIZE && !is_free(owner, expected, size)) {
				expected += align;
			}
			bool taken = extents_take(&extents, size, align, &got);
			assert_int_equal(taken, expected < SIZE);
			n_taken += taken;
			n_refused += !taken;
			if (taken) {
				assert_int_equal(got, expected);
				for (unsigned i = 0; i < size; i++) {
					owner[got + i] = (unsigned)got + 1;
				}
			}
		} else {
			bool given = extents_give(&extents, at, &got);
			assert_int_equal(given, owner[at] == at + 1);
			n_given += given;
			unsigned size = 0;
			for (; given && at + size < SIZE && owner[at + size] == at + 1;
				size++) {
				owner[at + size] = 0;
			}
			assert_true(!given || got == size);
		}
		at = (unsigned)rand() % SIZE;
		assert_int_equal(extents_find(&extents, at, &found), owner[at] != 0);
		if (owner[at] != 0) {
			assert_int_equal(found.start, owner[at] - 1);
			assert_true(at < found.start + found.size);
		}
	}
	assert_true(n_taken > 1000 && n_refused > 100 && n_given > 1000);
	extents_deinit(&extents);
}

static void
sizes_that_cannot_be_are_refused(void **state)
{
	struct extents extents = { .size = SIZE };
	uint64_t at;

	assert_false(extents_take(&extents, 0, 1, &at));
	assert_false(extents_take(&extents, SIZE + 1, 1, &at));
	assert_false(extents_take(&extents, UINT64_MAX, 1, &at));
	assert_true(extents_take(&extents, SIZE, 1, &at));
	assert_int_equal(at, 0);
	assert_false(extents_take(&extents, 1, 1, &at));
	extents_deinit(&extents);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_agree_with_a_bytewise_reference),
		cmocka_unit_test(sizes_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
