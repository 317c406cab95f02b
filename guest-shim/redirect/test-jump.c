/* SPDX-License-Identifier: Apache-2.0 */
/* test-jump.c: jumps over code in a mapping of its own, and a system that forbids them.
 */
#include "guest-shim/redirect/jump.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "common/cleanup.h"

#define PAGE 4096
#define PAGES 3

/* The linker sends jump.c's mprotect here (--wrap); this many calls are let through. */
int __real_mprotect(void *address, size_t size, int protection);
int __wrap_mprotect(void *address, size_t size, int protection);
static int n_allowed = -1;

int
__wrap_mprotect(void *address, size_t size, int protection)
{
	assert_int_not_equal(
		protection & (PROT_WRITE | PROT_EXEC), PROT_WRITE | PROT_EXEC);
	if (n_allowed == 0) {
		errno = EACCES;
		return -1;
	}
	n_allowed -= n_allowed > 0;
	return __real_mprotect(address, size, protection);
}

/* Functions that return their number: mov $n, %eax; ret, with an endbr64 if asked for. */
static void
put_function(uint8_t *at, int n, bool endbr)
{
	static const uint8_t code[] = { 0xf3, 0x0f, 0x1e, 0xfa, 0xb8, 0, 0, 0, 0, 0xc3 };
	size_t skip = endbr ? 0 : 4;

	memcpy(at, code + skip, sizeof(code) - skip);
	memcpy(at + 5 - skip, &n, sizeof(n));
}

static int
call(const struct jump_text *text, size_t offset)
{
	return ((int (*)(void))(text->start + offset))();
}

static int
ours_1(void)
{
	return 1001;
}

static int
ours_2(void)
{
	return 1002;
}

struct code {
	struct jump_text text;
	void *map;
};

/* At 0: 16 bytes; at 16: 6 bytes; PAGE - 8: over the page's end, endbr64; at 2 PAGE + 32:
 * endbr64 and 20 bytes. */
static int
setup(void **state)
{
	static struct code c;
	uint8_t image[PAGES * PAGE];
	int fd = memfd_create("code", MFD_CLOEXEC);

	memset(image, 0x90, sizeof(image));
	put_function(image, 1, false);
	put_function(image + 16, 2, false);
	put_function(image + PAGE - 8, 3, true);
	put_function(image + 2 * PAGE + 32, 4, true);
	if (fd < 0 || write(fd, image, sizeof(image)) != (ssize_t)sizeof(image)) {
		return -1;
	}
	c.map = mmap(NULL, sizeof(image), PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	c.text = (struct jump_text){ .start = (uintptr_t)c.map,
		.end = (uintptr_t)c.map + sizeof(image),
		.fd = fd };
	n_allowed = -1;
	*state = &c;
	return c.map == MAP_FAILED ? -1 : 0;
}

static int
teardown(void **state)
{
	struct code *c = *state;

	n_allowed = -1;
	munmap(c->map, PAGES * PAGE);
	close(c->text.fd);
	return 0;
}

static void
make_jumps(const struct code *c, struct jump *jumps)
{
	jumps[0] = (struct jump){ c->text.start, 16, (uintptr_t)ours_1 };
	jumps[1] = (struct jump){ c->text.start + 16, 6, (uintptr_t)ours_2 };
	jumps[2] = (struct jump){ c->text.start + PAGE - 8, 18, (uintptr_t)ours_1 };
	jumps[3] = (struct jump){ c->text.start + 2 * PAGE + 32, 10, (uintptr_t)ours_2 };
}

static void
expect_calls(const struct code *c, int a, int b, int d, int e)
{
	assert_int_equal(call(&c->text, 0), a);
	assert_int_equal(call(&c->text, 16), b);
	assert_int_equal(call(&c->text, PAGE - 8), d);
	assert_int_equal(call(&c->text, 2 * PAGE + 32), e);
}

static void
calls_arrive_by_near_and_far_jumps(void **state)
{
	const struct code *c = *state;
	struct jump jumps[4];
	void *trampolines = NULL;

	make_jumps(c, jumps);
	expect_calls(c, 1, 2, 3, 4);
	assert_int_equal(jump_write(jumps, 4, &c->text, &trampolines), 0);
	assert_non_null(trampolines);
	expect_calls(c, 1001, 1002, 1001, 1002);
	/* The endbr64 of each is still there, and the neighbours of the short one. */
	assert_memory_equal((uint8_t *)c->map + PAGE - 8, "\xf3\x0f\x1e\xfa", 4);
	assert_memory_equal((uint8_t *)c->map + 2 * PAGE + 32, "\xf3\x0f\x1e\xfa", 4);
	assert_int_equal(((uint8_t *)c->map)[21], 0xc3);
	assert_int_equal(((uint8_t *)c->map)[14], 0x90);
	assert_int_equal(jump_target(c->map, 16), (uintptr_t)ours_1);
	jump_free_trampolines(trampolines);
}

static void
whatever_is_forbidden_the_code_still_runs(void **state)
{
	const struct code *c = *state;
	struct jump jumps[4];
	int n;

	make_jumps(c, jumps);
	for (n = 0; n < 40; n++) {
		void *trampolines = NULL;
		n_allowed = n;
		int rc = jump_write(jumps, 4, &c->text, &trampolines);
		n_allowed = -1;
		if (rc == 0) {
			break;
		}
		assert_int_equal(rc, -EACCES);
		assert_null(trampolines);
		expect_calls(c, 1, 2, 3, 4);
	}
	/* One page of trampolines, and two runs of pages of three calls each. */
	assert_int_equal(n, 7);
	expect_calls(c, 1001, 1002, 1001, 1002);
}

static void
a_function_that_is_too_short_does_not_fit(void **state)
{
	assert_false(jump_fits((const uint8_t *)"\x31\xc0\xc3\x90\x90", 4));
	assert_true(jump_fits((const uint8_t *)"\x31\xc0\xc3\x90\x90", 5));
	/* There the endbr64 must give way. */
	assert_true(jump_fits((const uint8_t *)"\xf3\x0f\x1e\xfa\x31\xc0\xc3", 7));
	assert_int_equal(jump_target((const uint8_t *)"\x31\xc0\xc3\x90\x90", 5), 0);
}

static void
only_padding_counts_as_padding(void **state)
{
	static const struct {
		const char *code;
		size_t n, expected;
	} cases[] = {
		{ "\x90\x90\x66\x90\xcc", 5, 5 },
		{ "\x66\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00\x0f\x1f\x40\x00", 15,
			15 },
		{ "\x66\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00\x0f\x1f\x40", 14, 11 },
		{ "\x0f\x1f\x00\x0f\x1f\x44\x00\x00\x0f\x1f\x80\x00\x00\x00\x00", 15,
			15 },
		{ "\x0f\x1f\xc0", 3, 0 },
		{ "\x0f\x1f", 2, 0 },
		{ "\x66\x66\x66", 3, 0 },
		{ "\x90\x31\xc0\xc3", 4, 1 },
		{ "", 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(jump_padding((const uint8_t *)cases[i].code, cases[i].n),
			cases[i].expected);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			calls_arrive_by_near_and_far_jumps, setup, teardown),
		cmocka_unit_test_setup_teardown(
			whatever_is_forbidden_the_code_still_runs, setup, teardown),
		cmocka_unit_test(a_function_that_is_too_short_does_not_fit),
		cmocka_unit_test(only_padding_counts_as_padding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
