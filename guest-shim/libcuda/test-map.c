/* SPDX-License-Identifier: Apache-2.0 */
/* test-map.c: the allocation map against a byte-wise reference, and reserved ranges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "guest-shim/libcuda/map.h"
#include "guest-shim/libcuda/reserve.h"

#define BASE 0x100000u
#define BYTES 4096

/* Random allocations and frees; owner[b] is the entry that byte b belongs to, or 0. */
static void
the_map_agrees_with_a_bytewise_reference(void **state)
{
	static unsigned owner[BYTES];
	unsigned sizes[BYTES] = { 0 };
	unsigned n_added = 0, n_refused = 0;

	srand(3);
	for (unsigned step = 1; step < 20000; step++) {
		unsigned at = (unsigned)rand() % BYTES, size = 1 + (unsigned)rand() % 40;
		struct map_entry entry;
		if (rand() % 2) {
			bool overlap = false;
			size = at + size > BYTES ? BYTES - at : size;
			for (unsigned b = at; b < at + size; b++) {
				overlap |= owner[b] != 0;
			}
			CUresult result = map_add(&(struct map_entry){ .start = BASE + at,
				.size = size, .kind = MAP_DEVICE });
			assert_int_equal(result,
				overlap ? CUDA_ERROR_ALREADY_MAPPED : CUDA_SUCCESS);
			for (unsigned b = at; !overlap && b < at + size; b++) {
				owner[b] = step;
			}
			if (!overlap) {
				sizes[at] = size;
			}
			n_added += !overlap;
			n_refused += overlap;
		} else {
			assert_false(map_take(BASE + at, MAP_HOST, &entry));
			assert_int_equal(map_take(BASE + at, MAP_DEVICE, &entry), sizes[at] != 0);
			assert_false(map_take(BASE + at, MAP_DEVICE, &entry));
			memset(&owner[at], 0, sizes[at] * sizeof(owner[0]));
			sizes[at] = 0;
		}
		unsigned look = (unsigned)rand() % BYTES;
		assert_int_equal(map_find(BASE + look, &entry), owner[look] != 0);
		if (owner[look] != 0) {
			assert_in_range(BASE + look, entry.start, entry.start + entry.size - 1);
			assert_int_equal(entry.size, sizes[entry.start - BASE]);
		}
	}
	assert_true(n_added > 400 && n_refused > 400);
	map_end_context(NULL);
	struct map_entry entry;
	for (unsigned b = 0; b < BYTES; b++) {
		assert_false(map_find(BASE + b, &entry));
	}
}

static void
variables_go_with_their_module(void **state)
{
	int one, other;
	struct map_entry entry;

	map_add(&(struct map_entry){ .start = 16, .size = 4, .kind = MAP_GLOBAL, .owner = &one });
	map_add(&(struct map_entry){ .start = 32, .size = 4, .kind = MAP_GLOBAL,
		.owner = &other });
	map_end_owner(&one);
	assert_false(map_find(16, &entry));
	assert_true(map_find(35, &entry));
	assert_false(map_find(36, &entry));
	map_end_owner(&other);
}

/* A place with nothing in it, found by having had something there. */
static uint64_t
vacancy(size_t size)
{
	void *p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_true(p != MAP_FAILED);
	munmap(p, size);
	return (uintptr_t)p;
}

static bool
is_vacant(uint64_t address)
{
	void *p = mmap((void *)(uintptr_t)address, 4096, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (p == MAP_FAILED) {
		return false;
	}
	munmap(p, 4096);
	return true;
}

static void
reserved_addresses_are_taken_and_may_be_reserved_again(void **state)
{
	const uint64_t mib = 1 << 20;
	uint64_t at = (vacancy(64 * mib) + 2 * mib) & ~(2 * mib - 1);

	assert_true(is_vacant(at + 12 * mib));
	assert_true(reserve_range(at + 12 * mib + 512, 100));
	assert_false(is_vacant(at + 12 * mib));
	assert_true(is_vacant(at + 14 * mib));
	assert_true(reserve_range(at + 4 * mib, 1));
	assert_true(is_vacant(at + 8 * mib));
	assert_true(reserve_range(at + 2 * mib, 20 * mib)); /* around both */
	for (unsigned i = 2; i < 22; i += 2) {
		assert_false(is_vacant(at + i * mib));
	}
	assert_true(is_vacant(at));
	assert_true(is_vacant(at + 22 * mib));
	assert_true(reserve_range(at + 5 * mib, 3 * mib));
}

static void
a_clash_is_told_and_nothing_is_overwritten(void **state)
{
	const uint64_t mib = 1 << 20;
	uint64_t at = (vacancy(64 * mib) + 2 * mib) & ~(2 * mib - 1);
	char *mine = mmap((void *)(uintptr_t)(at + 9 * mib), 4096, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	assert_true(mine != MAP_FAILED);
	strcpy(mine, "mine");
	assert_true(reserve_range(at + 4 * mib, mib));
	assert_false(reserve_range(at + 2 * mib, 20 * mib));
	assert_false(reserve_range(at + 9 * mib, 1));
	assert_false(reserve_range(at + 9 * mib - 1, 2));
	assert_true(reserve_range(at + 8 * mib, mib)); /* beside it */
	assert_string_equal(mine, "mine");
	munmap(mine, 4096);
	assert_true(reserve_range(at + 2 * mib, 20 * mib));
	assert_false(is_vacant(at + 9 * mib));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_map_agrees_with_a_bytewise_reference),
		cmocka_unit_test(variables_go_with_their_module),
		cmocka_unit_test(reserved_addresses_are_taken_and_may_be_reserved_again),
		cmocka_unit_test(a_clash_is_told_and_nothing_is_overwritten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
