/* SPDX-License-Identifier: Apache-2.0 */
/* test-crew.c: what several threads copy is what one would have copied. */
#include "guest-shim/libcuda/crew.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/cleanup.h"

#define SIZE ((size_t)6 << 20)
#define ROUNDS 60
#define EDGE 0xa5

static uint64_t
next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

/* Random sizes, and places that are aligned to nothing; around them nothing changes. */
static size_t
count_wrong(uint64_t seed)
{
	cleanup_free unsigned char *from = malloc(SIZE), *to = malloc(SIZE);
	size_t n_wrong = 0;

	for (size_t i = 0; i < SIZE; i++) {
		from[i] = (unsigned char)next_random(&seed);
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		size_t size = 1 + next_random(&seed) % (SIZE - 256);
		size_t a = next_random(&seed) % 128, b = 1 + next_random(&seed) % 127;
		memset(to, EDGE, SIZE);
		crew_copy(to + b, from + a, size, round % 2 == 0);
		n_wrong += memcmp(to + b, from + a, size) != 0;
		n_wrong += to[b - 1] != EDGE || to[b + size] != EDGE;
		if (round % 16 == 15) {
			usleep(1000); /* so that members fall asleep */
		}
	}
	return n_wrong;
}

static void *
copier(void *seed)
{
	return (void *)count_wrong((uintptr_t)seed);
}

static void
one_thread_copies(void **state)
{
	assert_int_equal(count_wrong(1), 0);
}

static void
several_threads_copy_at_once(void **state)
{
	pthread_t threads[4];
	void *n_wrong;

	for (uintptr_t i = 0; i < 4; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, copier, (void *)(i + 2)), 0);
	}
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], &n_wrong);
		assert_ptr_equal(n_wrong, NULL);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_thread_copies),
		cmocka_unit_test(several_threads_copy_at_once),
	};

	/* Also where there are few processors. */
	setenv("OUTBOARD_COPY_THREADS", "4", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
