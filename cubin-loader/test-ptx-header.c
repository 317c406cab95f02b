/* SPDX-License-Identifier: Apache-2.0 */
/* test-ptx-header.c: version, target and parameter layouts of PTX texts. */
#include "cubin-loader/ptx_header.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cleanup.h"

#define HEAD ".version 8.4\n.target sm_90a, texmode_unified\n.address_size 64\n"

/* Read all kernels from a copy without a NUL, and keep the layout of the last as text:
 * "name offset:size offset:size".  Returns the number of kernels or negative. */
static int
kernels_of(const char *text, char *ret_last, size_t size)
{
	size_t len = strlen(text);
	cleanup_free char *copy = malloc(len > 0 ? len : 1);
	struct ptx_header header;
	struct ptx_kernel k;
	int n = 0;

	assert_non_null(copy);
	memcpy(copy, text, len);
	int r = ptx_header_open(copy, len, &header);
	if (r < 0) {
		return r;
	}
	while ((r = ptx_header_next_kernel(&header, &k)) > 0) {
		int at = snprintf(ret_last, size, "%.*s", (int)k.name_len, k.name);
		for (size_t i = 0; i < k.n_params && (size_t)at < size; i++) {
			at += snprintf(ret_last + at, size - (size_t)at, " %u:%u",
				k.params[i].offset, k.params[i].size);
		}
		n++;
	}
	ptx_header_deinit(&header);
	return r < 0 ? r : n;
}

static void
expect_layout(const char *text, const char *layout)
{
	char last[256] = "";

	assert_int_equal(kernels_of(text, last, sizeof(last)), 1);
	assert_string_equal(last, layout);
}

static void
expect_bad(const char *text)
{
	char last[256];

	assert_int_equal(kernels_of(text, last, sizeof(last)), -EBADMSG);
}

static void
test_version_and_target(void **state)
{
	static const char text[] = "// made by .version 1.0\n\n" HEAD;
	struct ptx_header header;

	assert_int_equal(ptx_header_open(text, strlen(text), &header), 0);
	assert_int_equal(header.major, 8);
	assert_int_equal(header.minor, 4);
	assert_int_equal(header.arch, 90);
	assert_int_equal(header.variant, 'a');
	ptx_header_deinit(&header);
	assert_int_equal(
		ptx_header_open(".version 8.0 .target x", 22, &header), -EBADMSG);
	assert_int_equal(ptx_header_open("", 0, &header), -EBADMSG);
	assert_int_equal(ptx_header_open(".version", 8, &header), -EBADMSG);
	assert_int_equal(
		ptx_header_open(".version 8.0\n.target sm_", 24, &header), -EBADMSG);
}

static void
test_params_are_aligned_by_size(void **state)
{
	expect_layout(HEAD
		".visible .entry k(.param .u8 a, .param .f64 b, .param .b16 c,\n"
		".param .u32 d) { ret; }",
		"k 0:1 8:8 16:2 20:4");
	expect_layout(HEAD
		".entry k(.param .f16x2 a, .param .b128 b, .param .v4 .f32 c) { }",
		"k 0:4 16:16 32:16");
}

static void
test_arrays_and_alignment(void **state)
{
	expect_layout(HEAD
		".weak .entry k(.param .u8 a, .param .align 16 .b8 b[24],\n"
		".param .align 1 .b8 c[1], .param .b32 d[2][0x3]) .maxntid 1 { }",
		"k 0:1 16:24 40:1 44:24");
}

static void
test_alignment_of_what_a_pointer_points_to(void **state)
{
	expect_layout(HEAD
		".entry k(.param .u32 a, .param .u64 .ptr .global .align 128 b,\n"
		".param .u64 .ptr .align 1 c, .param .u8 d) { }",
		"k 0:4 8:8 16:8 24:1");
}

static void
test_no_params(void **state)
{
	expect_layout(HEAD ".visible .entry k()\n{ ret; }", "k");
	expect_layout(HEAD ".visible .entry k { ret; }", "k");
	expect_layout(HEAD ".visible .entry _Z1k$x%y() .pragma \"nounroll\"; { ret; }",
		"_Z1k$x%y");
}

static void
test_comments_strings_and_bodies_are_passed_over(void **state)
{
	expect_layout(HEAD
		"/* .entry a() { */ // .entry b() {\n"
		".file 1 \"/a{b/.entry c() \\\" // .cu\"\n"
		".func (.param .b32 r) f(.param .b64 x) { { .entry d() } }\n"
		".visible/**/.entry/* x */k(.param/**/.u32 p// ,\n) { \"}\" }\n"
		".section .debug_str { .b8 46,101 }",
		"k 0:4");
}

static void
test_several_kernels(void **state)
{
	char last[64];

	assert_int_equal(kernels_of(HEAD ".entry a(.param .u64 x, .param .u64 y) {}"
					 ".entry b() {} .entry c(.param .s16 z) {}",
				 last, sizeof(last)),
		3);
	assert_string_equal(last, "c 0:2");
}

static void
test_malformed_is_refused(void **state)
{
	expect_bad(".version//");
	expect_bad(".version 8.0\n.target");
	expect_bad(HEAD ".entry");
	expect_bad(HEAD ".entry (");
	expect_bad(HEAD ".entry k(");
	expect_bad(HEAD ".entry k(.param");
	expect_bad(HEAD ".entry k(.param .u32");
	expect_bad(HEAD ".entry k(.param .u32 a");
	expect_bad(HEAD ".entry k(.param .u32 a,) {}");
	expect_bad(HEAD ".entry k(.param a) {}");
	expect_bad(HEAD ".entry k(.param .pred a) {}");
	expect_bad(HEAD ".entry k(.reg .u32 a) {}");
	expect_bad(HEAD ".entry k(.param .b8 a[]) {}");
	expect_bad(HEAD ".entry k(.param .b8 a[0]) {}");
	expect_bad(HEAD ".entry k(.param .b8 a[32765]) {}");
	expect_bad(HEAD ".entry k(.param .b8 a[65536][65536][65536][65536]) {}");
	expect_bad(HEAD ".entry k(.param .b8 a[99999999999999999999999]) {}");
	expect_bad(HEAD ".entry k(.param .align 3 .b8 a[4]) {}");
	expect_bad(HEAD ".entry k(.param .align 0 .b8 a[4]) {}");
	expect_bad(HEAD ".entry k() {");
	expect_bad(HEAD "}");
	expect_bad(HEAD "/* ");
	expect_bad(HEAD "\"");
	expect_bad(HEAD "\"\\");
}

static void
test_nul_inside_is_refused(void **state)
{
	static const char text[] = HEAD "\0.entry k() {}";
	struct ptx_header header;
	struct ptx_kernel kernel;

	assert_int_equal(ptx_header_open(text, sizeof(text) - 1, &header), 0);
	assert_int_equal(ptx_header_next_kernel(&header, &kernel), -EBADMSG);
	ptx_header_deinit(&header);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version_and_target),
		cmocka_unit_test(test_params_are_aligned_by_size),
		cmocka_unit_test(test_arrays_and_alignment),
		cmocka_unit_test(test_alignment_of_what_a_pointer_points_to),
		cmocka_unit_test(test_no_params),
		cmocka_unit_test(test_comments_strings_and_bodies_are_passed_over),
		cmocka_unit_test(test_several_kernels),
		cmocka_unit_test(test_malformed_is_refused),
		cmocka_unit_test(test_nul_inside_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
