/* SPDX-License-Identifier: Apache-2.0 */
/* exec_number.h: floating-point formats and exact rounding between them.
 *
 * Arithmetic on f16 and bf16 is done in double and rounded once.  A sum can need more
 * than 53 bits; it is then rounded "to odd" (the last bit remembers that something was
 * lost), after which rounding to half the width or less gives the same as rounding the
 * exact sum. */
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum number_rounding {
	ROUND_NEAREST, /* ties to even */
	ROUND_AWAY,    /* nearest, ties away from zero (.rna) */
	ROUND_ZERO,
	ROUND_DOWN,
	ROUND_UP,
};

struct number_format {
	int precision; /* bits of the significand, with the hidden one */
	int min_exponent;
	int max_exponent;
	int width;
};

#define NUMBER_F16 ((struct number_format){ 11, -14, 15, 16 })
#define NUMBER_BF16 ((struct number_format){ 8, -126, 127, 16 })
#define NUMBER_TF32 ((struct number_format){ 11, -126, 127, 19 })
#define NUMBER_F32 ((struct number_format){ 24, -126, 127, 32 })
#define NUMBER_F64 ((struct number_format){ 53, -1022, 1023, 64 })

static inline uint32_t
number_bits32(float f)
{
	uint32_t bits;

	memcpy(&bits, &f, sizeof(bits));
	return bits;
}

static inline float
number_float(uint32_t bits)
{
	float f;

	memcpy(&f, &bits, sizeof(f));
	return f;
}

static inline uint64_t
number_bits64(double d)
{
	uint64_t bits;

	memcpy(&bits, &d, sizeof(bits));
	return bits;
}

static inline double
number_double(uint64_t bits)
{
	double d;

	memcpy(&d, &bits, sizeof(d));
	return d;
}

/* Subnormal numbers become zeros of the same sign (.ftz).  In bits, so that it
 * vectorises. */
static inline float
number_flush(float f)
{
	uint32_t bits = number_bits32(f);

	return number_float((bits & 0x7f800000) == 0 ? bits & 0x80000000 : bits);
}

/* A NaN that f32 arithmetic produces is always this one (PTX, "Floating point"). */
static inline float
number_canonical(float f)
{
	return f != f ? number_float(0x7fffffff) : f;
}

/* .sat: into [0, 1]; NaN and -0 become +0. */
static inline double
number_saturate(double d)
{
	return d > 0 ? (d < 1 ? d : 1.0) : 0.0;
}

/* Round significand * 2^exponent, which is exact or rounded to odd, to the format. */
static inline uint64_t
number_round(bool negative, uint64_t significand, int exponent,
	struct number_format format, enum number_rounding rounding)
{
	uint64_t sign = (uint64_t)negative << (format.width - 1);

	if (significand == 0) {
		return sign;
	}
	int leading = __builtin_clzll(significand);
	uint64_t value = significand << leading;
	int top = exponent + 63 - leading; /* the exponent of its first bit */
	int shift = 64 - format.precision;

	if (top < format.min_exponent) {
		int more = format.min_exponent - top;

		shift = more > 64 ? 65 : shift + more;
	}
	uint64_t kept = shift > 63 ? 0 : value >> shift;
	uint64_t lost = shift > 63 ? value : value << (64 - shift);
	/* With shift 64 the first lost bit is the first bit of value; beyond, it is
	 * below. */
	if (shift > 64) {
		lost = 1;
	}
	bool up;

	switch (rounding) {
	case ROUND_NEAREST:
		up = lost > 1ull << 63 || (lost == 1ull << 63 && (kept & 1) != 0);
		break;
	case ROUND_AWAY: up = lost >= 1ull << 63; break;
	case ROUND_DOWN: up = negative && lost != 0; break;
	case ROUND_UP: up = !negative && lost != 0; break;
	default: up = false;
	}
	uint64_t code = kept + up;
	uint64_t hidden = 1ull << (format.precision - 1);
	uint64_t infinity =
		(uint64_t)(format.max_exponent - format.min_exponent + 2) * hidden;

	if (top >= format.min_exponent) {
		if (top > format.max_exponent) {
			code = infinity;
		} else {
			/* A carry out of the significand walks into the exponent by
			 * itself. */
			code += (uint64_t)(top - format.min_exponent) * hidden;
		}
	}
	if (code >= infinity) {
		bool stay = rounding == ROUND_ZERO ||
			    (rounding == ROUND_DOWN && !negative) ||
			    (rounding == ROUND_UP && negative);

		code = stay ? infinity - 1 : infinity;
	}
	return sign | code;
}

static inline uint64_t
number_from_double(double d, struct number_format format, enum number_rounding rounding)
{
	uint64_t bits = number_bits64(d);
	int exponent = (int)(bits >> 52 & 0x7ff);
	uint64_t fraction = bits & ((1ull << 52) - 1);

	if (exponent == 0x7ff) {
		uint64_t hidden = 1ull << (format.precision - 1);
		uint64_t infinity =
			(uint64_t)(format.max_exponent - format.min_exponent + 2) *
			hidden;

		if (fraction != 0) {
			return (1ull << (format.width - 1)) - 1; /* canonical NaN */
		}
		return infinity | (bits >> 63 << (format.width - 1));
	}
	if (exponent != 0) {
		fraction |= 1ull << 52;
	} else {
		exponent = 1;
	}
	return number_round(bits >> 63, fraction, exponent - 1075, format, rounding);
}

static inline double
number_from_f16(uint16_t h)
{
	uint64_t sign = (uint64_t)(h >> 15) << 63;
	int exponent = h >> 10 & 31;
	uint64_t fraction = h & 1023;

	if (exponent == 0) {
		double d = (double)fraction * 0x1p-24;

		return h >> 15 ? -d : d;
	}
	if (exponent == 31) {
		return number_double(sign | 0x7ffull << 52 | fraction << 42);
	}
	return number_double(sign | (uint64_t)(exponent + 1008) << 52 | fraction << 42);
}

static inline double
number_from_bf16(uint16_t b)
{
	return number_float((uint32_t)b << 16);
}

static inline uint16_t
number_to_f16(double d)
{
	return (uint16_t)number_from_double(d, NUMBER_F16, ROUND_NEAREST);
}

static inline uint16_t
number_to_bf16(double d)
{
	return (uint16_t)number_from_double(d, NUMBER_BF16, ROUND_NEAREST);
}

/* a + b rounded to odd.  The lost part is Knuth's two-sum. */
static inline double
number_add_odd(double a, double b)
{
	double sum = a + b;

	if (!isfinite(sum)) {
		return sum;
	}
	double part = sum - a;
	double lost = (a - (sum - part)) + (b - part);
	uint64_t bits = number_bits64(sum);

	if (lost != 0 && (bits & 1) == 0) {
		bits += (lost > 0) == (sum > 0) ? 1 : (uint64_t)-1;
	}
	return number_double(bits);
}
