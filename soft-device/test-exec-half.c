/* SPDX-License-Identifier: Apache-2.0 */
/* test-exec-half.c: f16 and bf16 against rounding by search among all values. */
#include "soft-device/exec_number.h"
#include "soft-device/test-machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define N 4096

/* The value of the bits, by the definition of the format; independent of exec_number.h.
 */
static long double
value_of(uint16_t bits, bool bf16)
{
	int fraction_bits = bf16 ? 7 : 10;
	int bias = bf16 ? 127 : 15;
	int exponent = bits >> fraction_bits & (bf16 ? 255 : 31);
	long double fraction = bits & ((1 << fraction_bits) - 1);
	long double v;

	if (exponent == (bf16 ? 255 : 31)) {
		v = fraction != 0 ? NAN : INFINITY;
	} else if (exponent == 0) {
		v = ldexpl(fraction, 1 - bias - fraction_bits);
	} else {
		v = ldexpl(
			fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
	}
	return bits >> 15 ? -v : v;
}

/* The nearest number of the format to high + low, ties to even, by binary search. */
static uint16_t
nearest(long double v, bool bf16)
{
	uint16_t sign = signbit(v) ? 0x8000 : 0;
	uint16_t low = 0;
	uint16_t high = bf16 ? 0x7f80 : 0x7c00;

	if (isnan(v)) {
		return 0x7fff;
	}
	v = fabsl(v);
	if (isinf(v)) {
		return sign | high;
	}
	while (high - low > 1) {
		uint16_t middle = (uint16_t)((low + high) / 2);

		if (value_of(middle, bf16) <= v) {
			low = middle;
		} else {
			high = middle;
		}
	}
	/* Infinity stands for the power of two that would follow. */
	long double above = high == (bf16 ? 0x7f80 : 0x7c00) ? ldexpl(1, bf16 ? 128 : 16)
							     : value_of(high, bf16);
	long double to_low = v - value_of(low, bf16);
	long double to_high = above - v;

	if (to_low < to_high || (to_low == to_high && low % 2 == 0)) {
		return sign | low;
	}
	return sign | high;
}

static uint16_t
random_half(bool bf16)
{
	uint16_t bits = (uint16_t)machine_random();

	/* Near 1, where roundings are, as often as anywhere. */
	if (machine_random() % 2 == 0) {
		bits = bf16 ? (bits & 0x83ff) | 0x3c00 : (bits & 0x8fff) | 0x3000;
	}
	return bits;
}

static void
check(const char *op, bool bf16, char kind)
{
	char text[1024];

	snprintf(text, sizeof(text),
		".version 8.0\n.target sm_90\n.address_size 64\n"
		".visible .entry k(.param .u64 out, .param .u64 in) {\n"
		".reg .b64 %%o, %%i, %%p; .reg .b32 %%t, %%u, %%v; .reg .b16 %%d, %%a, "
		"%%b, %%c;\n"
		"ld.param.u64 %%o, [out]; ld.param.u64 %%i, [in]; mov.u32 %%t, %%tid.x;\n"
		"mov.u32 %%u, %%ctaid.x; mov.u32 %%v, %%ntid.x; mad.lo.u32 %%t, %%u, "
		"%%v, %%t;\n"
		"mul.wide.u32 %%p, %%t, 2; add.u64 %%o, %%o, %%p;\n"
		"mul.wide.u32 %%p, %%t, 8; add.u64 %%i, %%i, %%p;\n"
		"ld.global.v4.b16 {%%a, %%b, %%c, _}, [%%i];\n%s;\nst.global.b16 [%%o], "
		"%%d; ret; }",
		op);
	struct machine *machine = machine_new(text);
	uint16_t *in = machine_alloc(machine, N * 8, NULL);
	uint16_t *out = machine_alloc(machine, N * 2, NULL);
	uint64_t params[] = { (uintptr_t)out, (uintptr_t)in };

	for (int i = 0; i < N * 4; i++) {
		in[i] = random_half(bf16);
	}
	machine_must_run(machine, "k", N / 256, 256, params, sizeof(params));
	for (int i = 0; i < N; i++) {
		long double a = value_of(in[4 * i], bf16);
		long double b = value_of(in[4 * i + 1], bf16);
		long double c = value_of(in[4 * i + 2], bf16);
		/* 64 bits hold every f16 sum.  Of bf16 a far smaller part can be lost,
		 * which matters only in a tie: those are left out. */
		long double sum = kind == '+' ? a + b : kind == '*' ? a * b : a * b + c;
		uint16_t want = nearest(sum, bf16);

		if (out[i] != want &&
			!(bf16 && kind == 'f' && fabsl(c) < fabsl(a * b) * 0x1p-50L)) {
			fail_msg("%s: %04x %04x %04x: got %04x, want %04x", op, in[4 * i],
				in[4 * i + 1], in[4 * i + 2], out[i], want);
		}
	}
	machine_free(machine);
}

static void
half_arithmetic_is_rounded_once(void **state)
{
	(void)state;
	check("add.f16 %d, %a, %b", false, '+');
	check("mul.rn.f16 %d, %a, %b", false, '*');
	check("fma.rn.f16 %d, %a, %b, %c", false, 'f');
	check("add.rn.bf16 %d, %a, %b", true, '+');
	check("mul.rn.bf16 %d, %a, %b", true, '*');
	check("fma.rn.bf16 %d, %a, %b, %c", true, 'f');
}

/* 1.0078125 * 1.5 is a tie of bf16 (.. 1.51171875); the least addend decides it, though a
 * double cannot hold the sum. */
static void
far_smaller_addend_decides_a_tie(void **state)
{
	double tie = number_from_bf16(0x3f81) * number_from_bf16(0x3fc0);
	double tiny = 0x1p-100;

	(void)state;
	uint16_t even = number_to_bf16(tie);
	uint16_t up = number_to_bf16(number_add_odd(tie, tiny));
	uint16_t down = number_to_bf16(number_add_odd(tie, -tiny));

	assert_int_equal(up, down + 1);
	assert_true(even == up || even == down);
	assert_int_equal(even & 1, 0);
}

static void
directed_roundings_bracket_the_value(void **state)
{
	(void)state;
	for (int i = 0; i < 100000; i++) {
		double d = number_double(machine_random());

		if (i % 2 == 0) {
			d = ldexp((double)(int32_t)machine_random(),
				(int)(machine_random() % 60) - 50);
		}
		if (isnan(d)) {
			continue;
		}
		/* The processor's own conversion to f32 is the reference. */
		assert_int_equal(number_from_double(d, NUMBER_F32, ROUND_NEAREST),
			number_bits32((float)d));
		double below = number_from_f16(
			(uint16_t)number_from_double(d, NUMBER_F16, ROUND_DOWN));
		double above = number_from_f16(
			(uint16_t)number_from_double(d, NUMBER_F16, ROUND_UP));
		double to_zero = number_from_f16(
			(uint16_t)number_from_double(d, NUMBER_F16, ROUND_ZERO));

		assert_true(below <= d && d <= above);
		assert_true(to_zero == (d < 0 ? above : below));
		assert_true(below == above || nextafter(below, above) <= above);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_arithmetic_is_rounded_once),
		cmocka_unit_test(far_smaller_addend_decides_a_tie),
		cmocka_unit_test(directed_roundings_bracket_the_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
