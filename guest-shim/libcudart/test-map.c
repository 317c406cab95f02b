/* SPDX-License-Identifier: Apache-2.0 */
/* test-map.c: what goes in comes out, also while the table grows under a reader. */
#include "guest-shim/libcudart/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N = 20000 };

static char keys[N];
static int values[N];
static atomic_bool done;

static void
finds_what_was_put_and_nothing_else(void **state)
{
	static struct map map = MAP_INIT; /* as in the library: it lasts as long as the process */
	assert_null(map_get(&map, &keys[0]));
	for (int i = 0; i < N; i += 2) {
		assert_true(map_put(&map, &keys[i], &values[i]));
	}
	for (int i = 0; i < N; i++) {
		assert_ptr_equal(map_get(&map, &keys[i]), i % 2 == 0 ? &values[i] : NULL);
	}
	assert_null(map_get(&map, NULL));
}

static void
forgets_and_takes_again(void **state)
{
	static struct map map = MAP_INIT; /* as in the library: it lasts as long as the process */
	map_remove(&map, &keys[0]);
	for (int round = 0; round < 1000; round++) {
		int i = rand() % 50;
		if (rand() % 2) {
			assert_true(map_put(&map, &keys[i], &values[round]));
			assert_ptr_equal(map_get(&map, &keys[i]), &values[round]);
		} else {
			map_remove(&map, &keys[i]);
			assert_null(map_get(&map, &keys[i]));
		}
	}
}

static void *
read_always(void *data)
{
	struct map *map = data;
	uintptr_t n_wrong = 0;
	while (!atomic_load(&done)) {
		n_wrong += map_get(map, &keys[1]) != &values[1];
		n_wrong += map_get(map, &keys[N - 1]) != NULL;
	}
	return (void *)n_wrong;
}

static void
a_reader_is_not_disturbed_by_growth(void **state)
{
	static struct map map = MAP_INIT; /* as in the library: it lasts as long as the process */
	pthread_t reader;
	void *n_wrong;

	assert_true(map_put(&map, &keys[1], &values[1]));
	assert_int_equal(pthread_create(&reader, NULL, read_always, &map), 0);
	for (int i = 2; i < N - 1; i++) {
		assert_true(map_put(&map, &keys[i], &values[i]));
	}
	atomic_store(&done, true);
	pthread_join(reader, &n_wrong);
	assert_ptr_equal(n_wrong, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_was_put_and_nothing_else),
		cmocka_unit_test(forgets_and_takes_again),
		cmocka_unit_test(a_reader_is_not_disturbed_by_growth),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
