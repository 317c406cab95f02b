/* SPDX-License-Identifier: Apache-2.0 */
/* test-memory_cache.c: what is kept, for whom, and how much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "guest-shim/libcuda/memory_cache.h"
#include "guest-shim/libcuda/setting.h"

#define MIB ((size_t)1 << 20)

static struct context *const one = (struct context *)0x1000;
static struct context *const other = (struct context *)0x2000;

static bool
always(const struct memory_block *block)
{
	return true;
}

static bool
is_even(const struct memory_block *block)
{
	return block->mark % 2 == 0;
}

static bool
put(uint64_t start, size_t size, struct context *context, uint64_t mark)
{
	return memory_cache_put(&(struct memory_block){
		.start = start, .size = size, .context = context, .mark = mark });
}

static int
empty(void **state)
{
	struct memory_block block;

	while (memory_cache_take_oldest(&block)) {
	}
	return 0;
}

static void
only_the_same_size_and_context_fit(void **state)
{
	struct memory_block block;

	assert_true(put(1, 1000, one, 0));
	assert_false(memory_cache_take(one, 999, always, &block));
	assert_false(memory_cache_take(one, 1001, always, &block));
	assert_false(memory_cache_take(other, 1000, always, &block));
	assert_true(memory_cache_take(one, 1000, always, &block));
	assert_int_equal(block.start, 1);
	assert_false(memory_cache_take(one, 1000, always, &block));
}

static void
the_first_that_may_be_used_is_taken(void **state)
{
	struct memory_block block;

	for (uint64_t i = 1; i <= 4; i++) {
		assert_true(put(i, 1000, one, i));
	}
	assert_true(memory_cache_take(one, 1000, is_even, &block));
	assert_int_equal(block.start, 2);
	assert_true(memory_cache_take(one, 1000, is_even, &block));
	assert_int_equal(block.start, 4);
	assert_false(memory_cache_take(one, 1000, is_even, &block));
	assert_true(memory_cache_take_oldest(&block));
	assert_int_equal(block.start, 1);
}

static void
it_is_bounded(void **state)
{
	struct memory_block block;
	size_t n = 0;

	assert_true(memory_cache_wants(16 * MIB));
	assert_false(memory_cache_wants(16 * MIB + 1));
	while (put(n + 1, 1, one, 0)) {
		n++;
		assert_true(n <= 1000);
	}
	assert_int_equal(n, 64);
	assert_true(memory_cache_take_oldest(&block));
	assert_int_equal(block.start, 1);
	assert_true(put(1, 1, one, 0));
	empty(NULL);
	for (n = 0; put(n + 1, 16 * MIB, one, 0); n++) {
	}
	assert_int_equal(n, 4);
	assert_false(put(9, 1, one, 0));
}

static void
a_context_takes_its_blocks_along(void **state)
{
	struct memory_block block;

	for (uint64_t i = 0; i < 40; i++) {
		assert_true(put(i, 1000, i % 3 == 0 ? other : one, 0));
	}
	memory_cache_end_context(one);
	for (uint64_t i = 0; i < 40; i += 3) {
		assert_true(memory_cache_take_oldest(&block));
		assert_int_equal(block.start, i);
	}
	assert_false(memory_cache_take_oldest(&block));
	assert_true(put(1, 16 * MIB, one, 0)); /* their size is counted no more */
}

/* ---- many threads: no block is ever had by two ---- */

#define THREADS 8
#define BLOCKS 32

static atomic_int owners[BLOCKS];

static void *
exchange(void *seed)
{
	unsigned random = (unsigned)(uintptr_t)seed;
	struct memory_block held[BLOCKS];
	size_t n = 0;

	for (unsigned i = 0; i < 20000; i++) {
		if (n > 0 && rand_r(&random) % 2) {
			size_t which = (size_t)rand_r(&random) % n;
			struct memory_block block = held[which];
			held[which] = held[--n];
			assert_int_equal(atomic_fetch_sub(&owners[block.start], 1), 1);
			assert_true(memory_cache_put(&block));
		} else if (memory_cache_take(one, 100 + (size_t)rand_r(&random) % 4, always,
				   &held[n])) {
			assert_int_equal(atomic_fetch_add(&owners[held[n].start], 1), 0);
			n++;
		}
	}
	while (n > 0) {
		atomic_fetch_sub(&owners[held[--n].start], 1);
		assert_true(memory_cache_put(&held[n]));
	}
	return NULL;
}

static void
no_block_is_had_by_two(void **state)
{
	pthread_t threads[THREADS];
	struct memory_block block;

	for (uint64_t i = 0; i < BLOCKS; i++) {
		assert_true(put(i, 100 + i % 4, one, 0));
	}
	for (uintptr_t i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, exchange, (void *)(i + 1)), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
	}
	for (size_t i = 0; i < BLOCKS; i++) {
		assert_true(memory_cache_take_oldest(&block));
	}
	assert_false(memory_cache_take_oldest(&block));
}

static void
sizes_are_read_from_the_environment(void **state)
{
	static const struct {
		const char *text;
		uint64_t wanted;
	} cases[] = { { "", 7 }, { "0", 0 }, { "12", 12 }, { "3K", 3 << 10 }, { "5M", 5 << 20 },
		{ "2G", 2ull << 30 }, { "M", 7 }, { "-1", 7 }, { "1MB", 7 }, { "x", 7 },
		{ "17179869184G", 7 }, { "17179869183G", 17179869183ull << 30 } };

	unsetenv("SETTING");
	assert_true(setting_size("SETTING", 7) == 7);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setenv("SETTING", cases[i].text, 1);
		assert_true(setting_size("SETTING", 7) == cases[i].wanted);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(only_the_same_size_and_context_fit, empty),
		cmocka_unit_test_teardown(the_first_that_may_be_used_is_taken, empty),
		cmocka_unit_test_teardown(it_is_bounded, empty),
		cmocka_unit_test_teardown(a_context_takes_its_blocks_along, empty),
		cmocka_unit_test_teardown(no_block_is_had_by_two, empty),
		cmocka_unit_test(sizes_are_read_from_the_environment),
	};

	unsetenv("OUTBOARD_MEMORY_CACHE");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
