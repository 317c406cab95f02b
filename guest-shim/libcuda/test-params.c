/* SPDX-License-Identifier: Apache-2.0 */
/* test-params.c: arguments land where the kernel's layout says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "guest-shim/libcuda/copy_train.h"
#include "guest-shim/libcuda/params.h"

/* kernel(char, double, short, struct { char c[3]; }) */
static const struct image_param list[] = { { 0, 1 }, { 8, 8 }, { 16, 2 }, { 18, 3 } };
static const struct image_kernel layout = {
	.name = "k", .n_params = 4, .params = list, .params_size = 21
};
static const struct image_kernel nothing = { .name = "n" };

static void
pointers_are_gathered_and_gaps_are_zero(void **state)
{
	char c = 'x', text[] = "abc";
	double d = 1.0 / 3;
	short s = -2;
	void *arguments[] = { &c, &d, &s, text };
	unsigned char buffer[22], wanted[22] = { 0 };

	memset(buffer, 0xee, sizeof(buffer));
	wanted[0] = 'x';
	memcpy(wanted + 8, &d, 8);
	memcpy(wanted + 16, &s, 2);
	memcpy(wanted + 18, "abc", 3);
	wanted[21] = 0xee;
	assert_int_equal(params_pack(&layout, arguments, NULL, buffer), CUDA_SUCCESS);
	assert_memory_equal(buffer, wanted, 22);
}

static void
missing_arguments_are_refused(void **state)
{
	unsigned char buffer[21];
	void *arguments[] = { buffer, buffer, NULL, buffer };

	assert_int_equal(params_pack(&layout, NULL, NULL, buffer), CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(
		params_pack(&layout, arguments, NULL, buffer), CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(params_pack(&nothing, NULL, NULL, buffer), CUDA_SUCCESS);
}

static void
a_buffer_is_taken_as_it_is(void **state)
{
	unsigned char from[64], buffer[22];
	size_t size = sizeof(from);
	void *extra[] = { CU_LAUNCH_PARAM_BUFFER_SIZE, &size, CU_LAUNCH_PARAM_BUFFER_POINTER, from,
		CU_LAUNCH_PARAM_END };
	void *both[] = { from };

	for (size_t i = 0; i < sizeof(from); i++) {
		from[i] = (unsigned char)(i * 37);
	}
	buffer[21] = 0xee;
	assert_int_equal(params_pack(&layout, NULL, extra, buffer), CUDA_SUCCESS);
	assert_memory_equal(buffer, from, 21);
	assert_int_equal(buffer[21], 0xee);
	size = 21;
	assert_int_equal(params_pack(&layout, NULL, extra, buffer), CUDA_SUCCESS);
	size = 20;
	assert_int_equal(params_pack(&layout, NULL, extra, buffer), CUDA_ERROR_INVALID_VALUE);
	size = 21;
	assert_int_equal(params_pack(&layout, both, extra, buffer), CUDA_ERROR_INVALID_VALUE);
	extra[0] = (void *)77;
	assert_int_equal(params_pack(&layout, NULL, extra, buffer), CUDA_ERROR_INVALID_VALUE);
}

/* Every byte of a box in exactly one piece, in order, none larger than a record. */
static void
check_train(size_t width, size_t height, size_t device_pitch, size_t host_pitch)
{
	struct copy_train train = { .device = 1 << 20, .device_pitch = device_pitch,
		.host = (unsigned char *)4096, .host_pitch = host_pitch, .width = width,
		.height = height };
	struct copy_piece piece;
	size_t at = 0; /* bytes of the box seen */

	while (copy_train_next(&train, &piece)) {
		assert_in_range(piece.width * piece.height, 1, CALL_PAYLOAD_MAX);
		size_t row_size = train.width; /* all of it, if the rows became one */
		for (size_t row = 0; row < piece.height; row++) {
			size_t y = at / row_size, x = at % row_size;
			uint64_t device = piece.device + row * device_pitch;
			size_t host = (uintptr_t)piece.host +
				row * (piece.is_packed ? piece.width : host_pitch);
			assert_int_equal(device, (1 << 20) + y * device_pitch + x);
			assert_int_equal(host, 4096 + y * host_pitch + x);
			assert_true(x + piece.width <= row_size);
			at += piece.width;
		}
	}
	assert_int_equal(at, width * height);
}

static void
trains_cover_their_boxes(void **state)
{
	const size_t max = CALL_PAYLOAD_MAX;

	check_train(1, 1, 1, 1);
	check_train(max, 1, 0, 0);
	check_train(max + 1, 1, 0, 0);
	check_train(3 * max, 1, 0, 0);
	check_train(100, 70000, 100, 100);
	check_train(100, 70000, 512, 100);
	check_train(100, 70000, 100, 104);
	check_train(max - 1, 5, max, max - 1);
	check_train(max + 5, 3, max + 8, max + 8);
	check_train(max, 3, max + 8, max);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pointers_are_gathered_and_gaps_are_zero),
		cmocka_unit_test(missing_arguments_are_refused),
		cmocka_unit_test(a_buffer_is_taken_as_it_is),
		cmocka_unit_test(trains_cover_their_boxes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
