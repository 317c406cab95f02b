/* SPDX-License-Identifier: Apache-2.0 */
/* test-arena.c: what is checked of memory that a guest shares. */
#include "host-server/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/cleanup.h"

#define SIZE ((uint64_t)1 << 20)

static int
new_file(uint64_t size, unsigned flags, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | flags);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	if (seals != 0) {
		assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	}
	return fd;
}

static void
memory_must_be_sealed_and_as_large_as_it_is_said_to_be(void **state)
{
	const int both = F_SEAL_SHRINK | F_SEAL_GROW;
	cleanup_close int good = new_file(SIZE, MFD_ALLOW_SEALING, both);
	cleanup_close int grows = new_file(SIZE, MFD_ALLOW_SEALING, F_SEAL_SHRINK);
	cleanup_close int shrinks = new_file(SIZE, MFD_ALLOW_SEALING, F_SEAL_GROW);
	cleanup_close int unsealed = new_file(SIZE, 0, 0);
	cleanup_close int odd = new_file(SIZE + 1, MFD_ALLOW_SEALING, both);
	cleanup_close int huge = new_file((uint64_t)1 << 40, MFD_ALLOW_SEALING, both);
	cleanup_close int empty = new_file(0, MFD_ALLOW_SEALING, both);
	cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	cleanup_close int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int pipes[2];

	assert_int_equal(arena_check_fd(good, SIZE), 0);
	assert_int_equal(arena_check_fd(good, SIZE + 4096), -EINVAL);
	assert_int_equal(arena_check_fd(good, SIZE - 4096), -EINVAL);
	assert_int_equal(arena_check_fd(grows, SIZE), -EPERM);
	assert_int_equal(arena_check_fd(shrinks, SIZE), -EPERM);
	assert_int_equal(arena_check_fd(unsealed, SIZE), -EPERM);
	assert_int_equal(arena_check_fd(odd, SIZE + 1), -EINVAL);
	assert_int_equal(arena_check_fd(huge, (uint64_t)1 << 40), -EINVAL);
	assert_int_equal(arena_check_fd(empty, 0), -EINVAL);
	assert_true(arena_check_fd(null, SIZE) < 0);
	assert_true(arena_check_fd(file, SIZE) < 0);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_true(arena_check_fd(pipes[0], SIZE) < 0);
	close(pipes[0]);
	close(pipes[1]);
	assert_int_equal(arena_check_fd(-1, SIZE), -EBADF);
}

/* In arithmetic that cannot overflow. */
static bool
reference(uint64_t offset, uint64_t pitch, uint64_t width, uint64_t height, uint64_t start,
	uint64_t size)
{
	unsigned __int128 end = offset;

	end += height > 1 ? (unsigned __int128)pitch * (height - 1) : 0;
	end += width;
	return offset >= start && end <= (unsigned __int128)start + size;
}

static uint64_t
some_number(void)
{
	static const uint64_t edges[] = { 0, 1, 2, 4095, 4096, 1 << 20, (uint64_t)1 << 31,
		(uint64_t)1 << 32, (uint64_t)1 << 62, (uint64_t)1 << 63, UINT64_MAX,
		UINT64_MAX - 4095 };
	uint64_t edge = edges[(unsigned)rand() % 12];

	return rand() % 3 == 0 ? (uint64_t)rand() % 10000 : edge + (uint64_t)rand() % 3 - 1;
}

static void
rows_are_inside_or_not_whatever_overflows(void **state)
{
	unsigned n_inside = 0;

	srand(11);
	for (unsigned i = 0; i < 300000; i++) {
		uint64_t start = some_number() & ~(uint64_t)4095, size = some_number();
		uint64_t offset = rand() % 2 ? start + (uint64_t)rand() % 64 : some_number();
		uint64_t pitch = some_number(), width = some_number();
		uint64_t height = rand() % 2 ? 1 + (uint64_t)rand() % 4 : some_number();
		if (size > UINT64_MAX - start) {
			size = UINT64_MAX - start; /* a range of ours ends somewhere */
		}
		bool inside = arena_rows_inside(offset, pitch, width, height, start, size);
		assert_int_equal(
			inside, reference(offset, pitch, width, height, start, size));
		n_inside += inside;
	}
	assert_true(n_inside > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_must_be_sealed_and_as_large_as_it_is_said_to_be),
		cmocka_unit_test(rows_are_inside_or_not_whatever_overflows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
