/* SPDX-License-Identifier: Apache-2.0 */
/* test-object.c: the table of handles, against a guest that makes them up. */
#include "host-server/object.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static int
setup(void **state)
{
	return object_table_new((struct object_table **)state);
}

static int
teardown(void **state)
{
	object_table_free(*state);
	return 0;
}

static void
only_the_exact_number_is_found(void **state)
{
	struct object_table *table = *state;
	call_handle handle = handle_make(HANDLE_CUevent, 7, 3);
	int thing;

	assert_null(object_find(table, HANDLE_CUevent, handle));
	assert_non_null(object_add(table, HANDLE_CUevent, handle, &thing));
	assert_ptr_equal(object_find(table, HANDLE_CUevent, handle)->cuda, &thing);
	assert_null(object_find(table, HANDLE_CUstream, handle));
	assert_null(
		object_find(table, HANDLE_CUevent, handle_make(HANDLE_CUevent, 6, 3)));
	assert_null(
		object_find(table, HANDLE_CUevent, handle_make(HANDLE_CUstream, 7, 3)));
	assert_null(object_find(table, HANDLE_CUevent, 0));
	assert_null(object_find(table, HANDLE_CUevent, ~0ull));
	assert_null(object_add(table, HANDLE_CUevent, handle, &thing));
	object_drop(table, object_find(table, HANDLE_CUevent, handle));
	assert_null(object_find(table, HANDLE_CUevent, handle));
	assert_true(object_vacant(table, HANDLE_CUevent, handle));
}

static void
numbers_outside_the_table_are_refused(void **state)
{
	struct object_table *table = *state;

	assert_false(object_vacant(
		table, HANDLE_CUevent, handle_make(HANDLE_CUevent, 1, HANDLE_INDEX_MAX)));
	assert_true(object_vacant(table, HANDLE_CUevent,
		handle_make(HANDLE_CUevent, 1, HANDLE_INDEX_MAX - 1)));
	assert_false(object_vacant(table, HANDLE_TYPES, handle_make(HANDLE_TYPES, 1, 1)));
	assert_false(object_vacant(table, 0, 1));
}

static void
spread_numbers_do_not_cost_more_than_dense_ones(void **state)
{
	struct object_table *table = *state;
	unsigned n = 0;

	for (unsigned type = 1; type < HANDLE_TYPES; type++) {
		for (uint32_t i = 0; i < HANDLE_INDEX_MAX; i += 1024) {
			n += object_add(table, type, handle_make(type, 1, i), table) !=
			     NULL;
		}
	}
	assert_int_equal(n, HANDLE_INDEX_MAX / 1024 + HANDLE_TYPES);
}

static void
drop_odd(struct object *object, void *user)
{
	if (handle_index_of(object->handle) % 2 == 1) {
		object_drop(user, object);
	}
}

static void
visitors_may_drop_what_they_see(void **state)
{
	struct object_table *table = *state;

	for (uint32_t i = 0; i < 5000; i++) {
		object_add(
			table, HANDLE_CUevent, handle_make(HANDLE_CUevent, 1, i), table);
	}
	/* A page that is left empty goes away under the visitor's feet. */
	for (uint32_t i = 2048; i < 3072; i += 2) {
		object_drop(table, object_find(table, HANDLE_CUevent,
					   handle_make(HANDLE_CUevent, 1, i)));
	}
	object_each(table, HANDLE_CUevent, drop_odd, table);
	assert_int_equal(object_count(table, HANDLE_CUevent), 2500 - 512);
	assert_null(
		object_find(table, HANDLE_CUevent, handle_make(HANDLE_CUevent, 1, 4999)));
	assert_non_null(
		object_find(table, HANDLE_CUevent, handle_make(HANDLE_CUevent, 1, 4998)));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(only_the_exact_number_is_found),
		TEST(numbers_outside_the_table_are_refused),
		TEST(spread_numbers_do_not_cost_more_than_dense_ones),
		TEST(visitors_may_drop_what_they_see),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
