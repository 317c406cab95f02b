/* SPDX-License-Identifier: Apache-2.0 */
/* test-handle.c: handles are found exactly as long as they live. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "guest-shim/libcuda/guest.h"
#include "guest-shim/libcuda/handle.h"

#define MANY 5000

static void
a_handle_is_found_only_with_its_type(void **state)
{
	int object = 0;
	void *handle;
	call_handle packed;

	assert_int_equal(guest_mint(HANDLE_CUevent, &handle, &packed), CUDA_SUCCESS);
	assert_null(handle_find(HANDLE_CUevent, handle)); /* has no object yet */
	handle_set(HANDLE_CUevent, handle, &object);
	assert_ptr_equal(handle_find(HANDLE_CUevent, handle), &object);
	assert_null(handle_find(HANDLE_CUmodule, handle));
	call_handle out = 0;
	assert_int_equal(guest_pack_handle(HANDLE_CUmodule, handle, &out),
		CUDA_ERROR_INVALID_HANDLE);
	assert_int_equal(guest_pack_handle(HANDLE_CUcontext, handle, &out),
		CUDA_ERROR_INVALID_CONTEXT);
	assert_int_equal(guest_pack_handle(HANDLE_CUevent, handle, &out), CUDA_SUCCESS);
	assert_true(out == packed);
	guest_drop(HANDLE_CUevent, handle);
	assert_null(handle_find(HANDLE_CUevent, handle));
}

static void
a_dropped_handle_never_comes_back(void **state)
{
	int object = 0;
	void *old, *next;
	call_handle packed;

	assert_int_equal(guest_mint(HANDLE_CUstream, &old, &packed), CUDA_SUCCESS);
	handle_set(HANDLE_CUstream, old, &object);
	guest_drop(HANDLE_CUstream, old);
	assert_int_equal(guest_mint(HANDLE_CUstream, &next, &packed), CUDA_SUCCESS);
	handle_set(HANDLE_CUstream, next, &object);
	assert_int_equal(handle_index_of(handle_packed(next)),
		handle_index_of(handle_packed(old)));
	assert_ptr_not_equal(next, old);
	assert_null(handle_find(HANDLE_CUstream, old));
	guest_drop(HANDLE_CUstream, old); /* the stale one: without effect */
	assert_ptr_equal(handle_find(HANDLE_CUstream, next), &object);
	guest_drop(HANDLE_CUstream, next);
}

static void
wild_numbers_are_not_found(void **state)
{
	srand(7);
	for (int i = 0; i < 100000; i++) {
		uint64_t wild = (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (unsigned)rand();
		for (int type = 1; type < HANDLE_TYPES; type++) {
			assert_null(handle_find((enum handle_type)type, (void *)(uintptr_t)wild));
		}
	}
}

static void *
churn(void *seed)
{
	unsigned random = (unsigned)(uintptr_t)seed;
	void *handles[64] = { NULL };
	int objects[64];
	uintptr_t bad = 0;

	for (int i = 0; i < MANY; i++) {
		unsigned at = (unsigned)rand_r(&random) % 64;
		call_handle packed;
		if (handles[at] != NULL) {
			bad += handle_find(HANDLE_CUkernel, handles[at]) != &objects[at];
			guest_drop(HANDLE_CUkernel, handles[at]);
			handles[at] = NULL;
		} else if (guest_mint(HANDLE_CUkernel, &handles[at], &packed) == CUDA_SUCCESS) {
			handle_set(HANDLE_CUkernel, handles[at], &objects[at]);
		} else {
			bad++;
		}
	}
	for (unsigned at = 0; at < 64; at++) {
		guest_drop(HANDLE_CUkernel, handles[at]);
	}
	return (void *)bad;
}

static void
threads_do_not_get_each_others_handles(void **state)
{
	pthread_t threads[4];

	for (uintptr_t i = 0; i < 4; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)), 0);
	}
	for (size_t i = 0; i < 4; i++) {
		void *bad;
		pthread_join(threads[i], &bad);
		assert_null(bad);
	}
}

static void
count(void *object, void *n)
{
	++*(size_t *)n;
}

static void
all_are_visited(void **state)
{
	static int objects[MANY];
	static void *handles[MANY];
	call_handle packed;
	size_t n = 0;

	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(
			guest_mint(HANDLE_CUlibrary, &handles[i], &packed), CUDA_SUCCESS);
		handle_set(HANDLE_CUlibrary, handles[i], &objects[i]);
	}
	guest_drop(HANDLE_CUlibrary, handles[17]);
	for (size_t i = 0; i < MANY; i++) {
		assert_ptr_equal(handle_find(HANDLE_CUlibrary, handles[i]),
			i == 17 ? NULL : &objects[i]);
	}
	handle_each(HANDLE_CUlibrary, count, &n);
	assert_int_equal(n, MANY - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handle_is_found_only_with_its_type),
		cmocka_unit_test(a_dropped_handle_never_comes_back),
		cmocka_unit_test(wild_numbers_are_not_found),
		cmocka_unit_test(threads_do_not_get_each_others_handles),
		cmocka_unit_test(all_are_visited),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
