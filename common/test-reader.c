/* SPDX-License-Identifier: Apache-2.0 */
/* test-reader.c: the bounded reader, at and past its end. */
#include "common/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common/cleanup.h"

static const uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8, 'o', 'k', 0, 'x' };

static void
reads_little_endian(void **state)
{
	struct reader r = reader_of(bytes, sizeof(bytes));

	assert_int_equal(reader_u8(&r), 1);
	assert_int_equal(reader_u16(&r), 0x0302);
	assert_int_equal(reader_u32(&r), 0x07060504);
	assert_false(r.failed);
	assert_int_equal(reader_left(&r), 5);
}

static void
a_read_past_the_end_fails_and_stays_failed(void **state)
{
	struct reader r = reader_of(bytes, 3);

	assert_int_equal(reader_u32(&r), 0);
	assert_true(r.failed);
	assert_int_equal(reader_u8(&r), 0);
	assert_null(reader_bytes(&r, 0));
	assert_int_equal(reader_left(&r), 0);
}

static void
parts_and_strings_stay_inside(void **state)
{
	struct reader r = reader_of(bytes, sizeof(bytes));

	assert_string_equal(reader_string(&r, 8), "ok");
	assert_null(reader_string(&r, 11));
	assert_null(reader_string(&r, 12));
	assert_false(reader_part(&r, 8, 4).failed);
	assert_true(reader_part(&r, 8, 5).failed);
	assert_true(reader_part(&r, SIZE_MAX, 2).failed);
	reader_seek(&r, sizeof(bytes) + 1);
	assert_true(r.failed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_little_endian),
		cmocka_unit_test(a_read_past_the_end_fails_and_stays_failed),
		cmocka_unit_test(parts_and_strings_stay_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
