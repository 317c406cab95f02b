/* SPDX-License-Identifier: Apache-2.0 */
/* test-fence.c: words that a late driver writes. */
#include "host-server/fence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "host-server/context.h"
#include "host-server/session.h"
#include "host-server/stream.h"
#include "host-server/test-fake.h"

struct parts {
	struct driver driver;
	struct context home, other;
	struct session session;
};

static int
setup(void **state)
{
	struct parts *p = calloc(1, sizeof(*p));

	fake_driver(&p->driver);
	p->session = (struct session){ .driver = &p->driver, .home = &p->home };
	fences_open(&p->session);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct parts *p = *state;

	fake_finish();
	fences_clear(&p->session);
	free(p);
	return (int)fake_leaks();
}

static void
a_fence_is_passed_when_the_stream_has_got_there(void **state)
{
	struct parts *p = *state;
	const struct stream_ref ref = { .context = &p->home };

	for (int i = 0; i < 1000; i++) {
		uint32_t first = fence_put(&p->session, &ref);
		uint32_t second = fence_put(&p->session, &ref);
		assert_int_not_equal(first, second);
		assert_false(fence_passed(&p->session, first));
		assert_false(fence_passed(&p->session, second));
		fake_finish();
		assert_true(fence_passed(&p->session, first));
		assert_true(fence_passed(&p->session, second));
	}
}

static void
one_that_is_overwritten_is_not_passed(void **state)
{
	struct parts *p = *state;
	const struct stream_ref ref = { .context = &p->home };
	uint32_t first = fence_put(&p->session, &ref), last = 0;

	for (int i = 0; i < 1000; i++) {
		last = fence_put(&p->session, &ref);
	}
	fake_finish();
	assert_false(fence_passed(&p->session, first));
	assert_true(fence_passed(&p->session, last));
}

static void
where_there_can_be_none_there_is_none(void **state)
{
	struct parts *p = *state;
	const struct stream_ref home = { .context = &p->home }, other = { .context = &p->other };

	assert_int_equal(fence_put(&p->session, &other), 0);
	assert_false(fence_passed(&p->session, 0));
	fences_clear(&p->session);
	assert_int_equal(fence_put(&p->session, &home), 0);
	p->driver.cuStreamWriteValue32_v2 = (void *)driver_missing;
	fences_open(&p->session);
	assert_int_equal(fence_put(&p->session, &home), 0);
	assert_false(fence_passed(&p->session, 1));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_fence_is_passed_when_the_stream_has_got_there),
		TEST(one_that_is_overwritten_is_not_passed),
		TEST(where_there_can_be_none_there_is_none),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
