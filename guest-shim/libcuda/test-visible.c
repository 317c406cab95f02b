/* SPDX-License-Identifier: Apache-2.0 */
/* test-visible.c: CUDA_VISIBLE_DEVICES by NVIDIA's rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "guest-shim/libcuda/visible.h"

/* Three devices; the first two begin alike. */
static const CUuuid uuids[] = {
	{ { 0x12, 0x34, 0x56, 0x78, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 } },
	{ { 0x12, 0x34, 0x56, 0x79, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 } },
	{ { (char)0xab, (char)0xcd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 } },
};

static void
expect(const char *text, const char *wanted)
{
	int visible[3];
	char got[16] = "";

	int n = visible_devices(text, uuids, 3, visible);
	for (int i = 0; i < n; i++) {
		snprintf(got + i, sizeof(got) - (size_t)i, "%d", visible[i]);
	}
	if (strcmp(got, wanted) != 0) {
		fail_msg("'%s' gives '%s', not '%s'", text != NULL ? text : "(unset)", got, wanted);
	}
}

static void
ordinals(void **state)
{
	expect(NULL, "012");
	expect("", "");
	expect("0", "0");
	expect("2,0", "20");
	expect(" 1 , 2", "12");
	expect("0,1,2", "012");
	expect("-1", "");
	expect("NoDevFiles", "");
}

static void
what_is_invalid_ends_the_list(void **state)
{
	expect("0,-1,1", "0");
	expect("0,3,1", "0");
	expect("1,,0", "1");
	expect("1,x,0", "1");
	expect("2 0", "2");
	expect("99999999999999999999,0", "");
	expect("1,", "1");
}

static void
twice_is_none(void **state)
{
	expect("1,1", "");
	expect("0,GPU-12345678", "");
}

static void
uuid_prefixes(void **state)
{
	expect("GPU-abcd0000", "2");
	expect("GPU-a", "2");
	expect("gpu-AB", "2");
	expect("GPU-12345679,0", "10");
	expect("GPU-1234567", ""); /* ambiguous */
	expect("GPU-12345678-0102-0304-0506-0708090a0b0c", "0");
	expect("GPU-12345678-0102-0304-0506-0708090a0b0cc", "");
	expect("2,GPU-ffff,0", "2");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinals),
		cmocka_unit_test(what_is_invalid_ends_the_list),
		cmocka_unit_test(twice_is_none),
		cmocka_unit_test(uuid_prefixes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
