/* SPDX-License-Identifier: Apache-2.0 */
/* exec_cvt.c: conversions between all types, with every rounding and saturation.
 *
 * One slow handler does everything by exec_number.h, exactly; the conversions that
 * kernels are full of have a loop of their own. */
#include "exec_private.h"

static enum number_rounding
rounding_of(const struct ptx_instr *in)
{
	switch (in->rounding) {
	case PTX_ROUND_ZERO: return ROUND_ZERO;
	case PTX_ROUND_DOWN: return ROUND_DOWN;
	case PTX_ROUND_UP: return ROUND_UP;
	case PTX_ROUND_AWAY: return ROUND_AWAY;
	default: return ROUND_NEAREST;
	}
}

static double
round_to_integer(double d, enum number_rounding rounding)
{
	switch (rounding) {
	case ROUND_ZERO: return trunc(d);
	case ROUND_DOWN: return floor(d);
	case ROUND_UP: return ceil(d);
	default: return nearbyint(d);
	}
}

static struct number_format
format_of(enum ptx_type type)
{
	switch (type) {
	case PTX_TF32: return NUMBER_TF32;
	case PTX_F16: return NUMBER_F16;
	case PTX_BF16: return NUMBER_BF16;
	case PTX_F32: return NUMBER_F32;
	default: return NUMBER_F64;
	}
}

static double
decode(uint64_t raw, enum ptx_type type, bool flush)
{
	switch (type) {
	case PTX_F16: return number_from_f16((uint16_t)raw);
	case PTX_BF16: return number_from_bf16((uint16_t)raw);
	case PTX_F32: {
		float f = number_float((uint32_t)raw);

		/* What flushes makes NaNs canonical too. */
		return flush ? number_canonical(number_flush(f)) : f;
	}
	default: return number_double(raw);
	}
}

static uint64_t
mask_of(int width)
{
	return width >= 64 ? ~0ull : (1ull << width) - 1;
}

static uint64_t
sign_extend(uint64_t value, int width)
{
	return (uint64_t)((int64_t)(value << (64 - width)) >> (64 - width));
}

static uint64_t
float_to_int(const struct ptx_instr *in, double d)
{
	int width = ptx_type_size[in->type] * 8;

	if (isnan(d)) {
		/* PTX, cvt: zero, or the top bit if either side has 64 bits. */
		uint64_t top = 1ull << (width - 1);

		return in->type2 != PTX_F64 && width < 64 ? 0
		       : ptx_type_is_signed(in->type)	  ? sign_extend(top, width)
							  : top;
	}
	enum number_rounding rounding =
		in->rounding == PTX_ROUND_NONE ? ROUND_ZERO : rounding_of(in);

	d = round_to_integer(d, rounding);
	if (ptx_type_is_signed(in->type)) {
		double limit = ldexp(1, width - 1);

		if (d >= limit) {
			return mask_of(width - 1);
		}
		return d < -limit ? sign_extend(1ull << (width - 1), width)
				  : (uint64_t)(int64_t)d;
	}
	if (d >= ldexp(1, width)) {
		return mask_of(width);
	}
	return d <= 0 ? 0 : (uint64_t)d;
}

static uint64_t
int_to_int(const struct ptx_instr *in, uint64_t value, bool from_signed)
{
	int width = ptx_type_size[in->type] * 8;
	bool to_signed = ptx_type_is_signed(in->type);

	if ((in->flags & PTX_SAT) != 0) {
		uint64_t top = mask_of(to_signed ? width - 1 : width);

		if (from_signed && (int64_t)value < 0) {
			int64_t bottom = to_signed ? -(int64_t)top - 1 : 0;

			return (int64_t)value < bottom ? (uint64_t)bottom : value;
		}
		return value > top ? top : value;
	}
	value &= mask_of(width);
	return to_signed ? sign_extend(value, width) : value;
}

static uint64_t
int_to_float(const struct ptx_instr *in, uint64_t value, bool from_signed)
{
	bool negative = from_signed && (int64_t)value < 0;

	return number_round(negative, negative ? 0 - value : value, 0,
		format_of(in->type), rounding_of(in));
}

/* A NaN that comes from f64 keeps its sign and the upper bits of its payload. */
static uint64_t
narrow_nan(uint64_t bits, struct number_format format)
{
	int n_fraction = format.precision - 1;
	uint64_t exponent = mask_of(format.width - 1) & ~mask_of(n_fraction);

	return bits >> 63 << (format.width - 1) | exponent | 1ull << (n_fraction - 1) |
	       (bits & mask_of(52)) >> (52 - n_fraction);
}

static uint64_t
float_to_float(const struct ptx_instr *in, double d)
{
	if (in->round_integer) {
		d = round_to_integer(d, rounding_of(in));
	}
	if ((in->flags & PTX_SAT) != 0) {
		d = number_saturate(d);
	}
	if ((in->flags & PTX_RELU) != 0 && !isnan(d) && !(d > 0)) {
		d = 0;
	}
	if (in->type == PTX_F64) {
		return number_bits64(d) | (isnan(d) ? 1ull << 51 : 0);
	}
	if (isnan(d) && in->type2 == PTX_F64) {
		return narrow_nan(number_bits64(d), format_of(in->type));
	}
	uint64_t bits = number_from_double(d, format_of(in->type), rounding_of(in));

	/* tf32 is the upper 19 bits of an f32 register. */
	return in->type == PTX_TF32 ? bits << 13 : bits;
}

static uint64_t
convert(const struct ptx_instr *in, uint64_t raw)
{
	bool flush = (in->flags & PTX_FTZ) != 0;
	uint64_t result;

	if (ptx_type_is_float(in->type2)) {
		double d = decode(raw, in->type2, flush);

		if (in->type == PTX_F32 && in->type2 == PTX_BF16 && in->flags == 0 &&
			!in->round_integer) {
			return raw << 16;
		}
		if (in->type == PTX_TF32 && in->rounding == PTX_ROUND_AWAY && isnan(d)) {
			return raw & ~(uint64_t)0x1fff;
		}
		if (!ptx_type_is_float(in->type)) {
			return float_to_int(in, d);
		}
		result = float_to_float(in, d);
	} else {
		int width = ptx_type_size[in->type2] * 8;
		bool from_signed = ptx_type_is_signed(in->type2);

		raw &= mask_of(width);
		if (from_signed) {
			raw = sign_extend(raw, width);
		}
		if (!ptx_type_is_float(in->type)) {
			return int_to_int(in, raw, from_signed);
		}
		result = int_to_float(in, raw, from_signed);
		if ((in->flags & PTX_SAT) != 0) {
			result = number_from_double(
				number_saturate(decode(result, in->type, false)),
				format_of(in->type), ROUND_NEAREST);
		}
	}
	if (flush && in->type == PTX_F32) {
		result = number_bits32(number_flush(number_float((uint32_t)result)));
	}
	return result;
}

HANDLER(cvt_any)
{
	const struct ptx_operand *d = &in->operands[0];
	const struct ptx_operand *a = &in->operands[1];

	FOR_LANES(l, x->mask)
	{
		uint64_t raw = lane_read(x, a->offset, a->size, (int)l);

		lane_write(x, d->offset, d->size, (int)l, convert(in, raw));
	}
	return EXEC_NEXT;
}

/* Two f32 into one register: the first becomes the upper half. */
HANDLER(cvt_pair)
{
	struct ptx_instr one = *in;
	uint32_t *d = DST(uint32_t);

	one.type = in->type == PTX_F16X2 ? PTX_F16 : PTX_BF16;
	FOR_LANES(l, x->mask)
	{
		uint64_t high = convert(&one, SRC_A(uint32_t)[l]);
		uint64_t low = convert(&one, SRC_B(uint32_t)[l]);

		d[l] = (uint32_t)(high << 16 | low);
	}
	return EXEC_NEXT;
}

/* cvt.pack: a and b saturated, side by side, b lowest; c is shifted up above them. */
HANDLER(cvt_pack)
{
	int width = (int)in->sub;
	bool to_signed = in->type == PTX_S16 || in->type == PTX_S8;
	int64_t top = (int64_t)mask_of(to_signed ? width - 1 : width);
	int64_t bottom = to_signed ? -top - 1 : 0;
	uint32_t *d = DST(uint32_t);

	FOR_LANES(l, x->mask)
	{
		int64_t a = SRC_A(int32_t)[l];
		int64_t b = SRC_B(int32_t)[l];
		uint64_t c = in->n_operands > 3 ? SRC_C(uint32_t)[l] : 0;

		a = a > top ? top : a < bottom ? bottom : a;
		b = b > top ? top : b < bottom ? bottom : b;
		d[l] = (uint32_t)(c << (2 * width) |
				  ((uint64_t)a & mask_of(width)) << width |
				  ((uint64_t)b & mask_of(width)));
	}
	return EXEC_NEXT;
}

#define FAST(N, D, S) \
	HANDLER(cvt_##N) \
	{ \
		D *d = DST(D); \
		const S *a = SRC_A(S); \
		LANES(d[l] = (D)a[l];) \
		return EXEC_NEXT; \
	}
FAST(s64_s32, int64_t, int32_t)
FAST(u64_u32, uint64_t, uint32_t)
FAST(u32_u64, uint32_t, uint64_t)
FAST(u32_u16, uint32_t, uint16_t)
FAST(f32_s32, float, int32_t)
FAST(f32_u32, float, uint32_t)
FAST(f64_s32, double, int32_t)
FAST(f64_f32, double, float)
#undef FAST

HANDLER(cvt_f32_f64)
{
	float *d = DST(float);
	const double *a = SRC_A(double);

	LANES(d[l] = (float)a[l];)
	return EXEC_NEXT;
}

HANDLER(cvt_s32_f32_rz)
{
	int32_t *d = DST(int32_t);
	const float *a = SRC_A(float);

	LANES(float v = a[l]; d[l] = v >= 0x1p31f    ? INT32_MAX
				     : v >= -0x1p31f ? (int32_t)v
				     : v != v	     ? 0
						     : INT32_MIN;)
	return EXEC_NEXT;
}

static ptx_handler
choose_fast(const struct ptx_instr *in)
{
	int d = in->type;
	int s = in->type2;
	bool nearest = in->rounding == PTX_ROUND_NEAREST;
	bool from_32 = s == PTX_U32 || s == PTX_B32;
	bool to_64 = d == PTX_U64 || d == PTX_S64;
	bool to_32 = d == PTX_U32 || d == PTX_S32;

	if (in->flags != 0 || in->operands[0].size != ptx_type_size[d] ||
		in->operands[1].size != ptx_type_size[s]) {
		return NULL;
	}
	if (to_64 && (s == PTX_S32 || from_32)) {
		return s == PTX_S32 ? cvt_s64_s32 : cvt_u64_u32;
	}
	if (to_32 && (s == PTX_U64 || s == PTX_S64)) {
		return cvt_u32_u64;
	}
	if (to_32 && s == PTX_U16) {
		return cvt_u32_u16;
	}
	if (d == PTX_F32 && nearest) {
		return s == PTX_S32   ? cvt_f32_s32
		       : s == PTX_U32 ? cvt_f32_u32
		       : s == PTX_F64 ? cvt_f32_f64
				      : NULL;
	}
	if (d == PTX_F64 && (s == PTX_S32 || s == PTX_F32) && !in->round_integer) {
		return s == PTX_S32 ? cvt_f64_s32 : cvt_f64_f32;
	}
	if (d == PTX_S32 && s == PTX_F32 && in->rounding == PTX_ROUND_ZERO) {
		return cvt_s32_f32_rz;
	}
	return NULL;
}

static bool
is_convertible(int type)
{
	return ptx_type_size[type] <= 8 && !(is_half(type) && ptx_type_size[type] == 4) &&
	       (type == PTX_F16 || type == PTX_BF16 || type == PTX_F32 ||
		       type == PTX_F64 || (type >= PTX_U8 && type <= PTX_S64));
}

static ptx_handler
choose_pack(struct ptx_instr *in)
{
	/* types: the destination's elements, the sources', and c's */
	bool is_16 = in->type == PTX_S16 || in->type == PTX_U16;
	bool is_8 = in->type == PTX_S8 || in->type == PTX_U8;

	if ((!is_16 && !is_8) || in->type2 != PTX_S32 || (in->flags & PTX_SAT) == 0 ||
		in->n_operands < 3 || in->n_operands > 4 ||
		!are_registers(in, 0, in->n_operands, 4)) {
		return NULL;
	}
	in->sub = is_16 ? 16 : 8;
	return cvt_pack;
}

ptx_handler
exec_cvt_choose(struct ptx_instr *in)
{
	if ((in->flags & PTX_OTHER) != 0) {
		return ptx_instr_has(in, "pack") ? choose_pack(in) : NULL;
	}
	if (in->rounding == PTX_ROUND_STOCHASTIC || (in->flags & PTX_SATFINITE) != 0) {
		return NULL;
	}
	if (in->type == PTX_F16X2 || in->type == PTX_BF16X2) {
		return in->type2 == PTX_F32 && in->n_operands == 3 &&
				       are_registers(in, 0, 3, 4)
			       ? cvt_pair
			       : NULL;
	}
	if (in->n_operands != 2 || !is_register(in, 0) || !is_register(in, 1) ||
		!is_convertible(in->type2)) {
		return NULL;
	}
	if (in->type == PTX_TF32) {
		return in->type2 == PTX_F32 && are_registers(in, 0, 2, 4) ? cvt_any
									  : NULL;
	}
	if (!is_convertible(in->type)) {
		return NULL;
	}
	ptx_handler fast = choose_fast(in);

	return fast != NULL ? fast : cvt_any;
}
