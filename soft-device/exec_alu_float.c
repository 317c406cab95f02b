/* SPDX-License-Identifier: Apache-2.0 */
/* exec_alu_float.c: arithmetic on f32 and f64.
 *
 * What kernels mostly use (round to nearest, with and without .ftz) has a handler that
 * the compiler vectorises; directed rounding and .sat go through one slow handler that
 * sets the rounding mode of the processor.  Contraction is off: only fma fuses.
 *
 * The approximate functions are computed exactly or nearly so: within the error that PTX
 * allows, but not with the bits of a GPU. */
#include "exec_private.h"

#include <fenv.h>

/* f32: NaNs are canonical; .ftz flushes what goes in and what comes out. */
#define FLOAT2(N, E) \
	BINARY(N##_f32, float, number_canonical(E)) \
	HANDLER(N##_ftz_f32) \
	{ \
		float *d = DST(float); \
		const float *va = SRC_A(float), *vb = SRC_B(float); \
		LANES(float a = number_flush(va[l]); float b = number_flush(vb[l]); \
			d[l] = number_flush(number_canonical(E));) \
		return EXEC_NEXT; \
	}
#define FLOAT1(N, E) \
	UNARY(N##_f32, float, number_canonical(E)) \
	HANDLER(N##_ftz_f32) \
	{ \
		float *d = DST(float); \
		const float *va = SRC_A(float); \
		LANES(float a = number_flush(va[l]); \
			d[l] = number_flush(number_canonical(E));) \
		return EXEC_NEXT; \
	}
#define FLOAT3(N, E) \
	TERNARY(N##_f32, float, number_canonical(E)) \
	HANDLER(N##_ftz_f32) \
	{ \
		float *d = DST(float); \
		const float *va = SRC_A(float), *vb = SRC_B(float), *vc = SRC_C(float); \
		LANES(float a = number_flush(va[l]); float b = number_flush(vb[l]); \
			float c = number_flush(vc[l]); \
			d[l] = number_flush(number_canonical(E));) \
		return EXEC_NEXT; \
	}

/* The number if only one is a number; -0 is less than +0. */
static inline float
smaller(float a, float b)
{
	uint32_t both = number_bits32(a) | number_bits32(b);

	return a < b ? a : b < a ? b : a == b ? number_float(both) : a != a ? b : a;
}

static inline float
larger(float a, float b)
{
	uint32_t both = number_bits32(a) & number_bits32(b);

	return a > b ? a : b > a ? b : a == b ? number_float(both) : a != a ? b : a;
}

static inline double
smaller_double(double a, double b)
{
	uint64_t both = number_bits64(a) | number_bits64(b);

	return a < b	? a
	       : b < a	? b
	       : a == b ? number_double(both)
	       : a == a ? a
	       : b == b ? b
			: b + b;
}

static inline double
larger_double(double a, double b)
{
	uint64_t both = number_bits64(a) & number_bits64(b);

	return a > b	? a
	       : b > a	? b
	       : a == b ? number_double(both)
	       : a == a ? a
	       : b == b ? b
			: b + b;
}

/* sin.approx, cos.approx: the device turns the angle into turns, rounded to zero, and
 * drops the whole ones, so that the error grows with the angle and nothing is left of a
 * very large one.  The product of two floats is exact in double. */
static inline double
angle_of(float a)
{
	double turns = number_double(
		number_bits64((double)a * (double)0x1.45f306p-3f) & ~0x1fffffffull);

	if (isinf(a)) {
		return NAN;
	}
	return (fabs(turns) < 0x1p24 ? turns - trunc(turns) : turns * 0) *
	       6.283185307179586;
}

static inline float
sine(float a)
{
	double angle = angle_of(a);

	return angle == 0 ? copysignf(0, a) : (float)sin(angle);
}

/* div.approx is a multiplication by the reciprocal, which is 0 where it would be
 * subnormal. */
static inline float
divide_approx(float a, float b)
{
	return fabsf(b) > 0x1p126f ? a * copysignf(0, b) : a / b;
}

FLOAT2(div_approx, divide_approx(a, b))
FLOAT2(add, a + b)
FLOAT2(sub, a - b)
FLOAT2(mul, a *b)
FLOAT2(div, a / b)
FLOAT3(fma, __builtin_fmaf(a, b, c))
FLOAT2(min, smaller(a, b))
FLOAT2(max, larger(a, b))
FLOAT2(min_nan, a != a || b != b ? number_float(0x7fffffff) : smaller(a, b))
FLOAT2(max_nan, a != a || b != b ? number_float(0x7fffffff) : larger(a, b))
FLOAT1(sqrt, sqrtf(a))
FLOAT1(rcp, 1.0f / a)
FLOAT1(rsqrt, (float)(1.0 / sqrt((double)a)))
FLOAT1(ex2, exp2f(a))
FLOAT1(lg2, log2f(a))
FLOAT1(sin, sine(a))
FLOAT1(cos, (float)cos(angle_of(a)))
FLOAT1(tanh, tanhf(a))
#undef FLOAT1
#undef FLOAT2
#undef FLOAT3

/* neg and abs are additions to the device: NaNs become canonical, or quiet in f64, where
 * they keep even their sign. */
UNARY(neg_f32, float, number_canonical(-a))
UNARY(abs_f32, float, number_canonical(fabsf(a)))
UNARY(neg_ftz_f32, float, number_canonical(-number_flush(a)))
UNARY(abs_ftz_f32, float, number_canonical(fabsf(number_flush(a))))
UNARY(neg_f64, double, a != a ? a + a : -a)
UNARY(abs_f64, double, a != a ? a + a : fabs(a))
BINARY(copysign_f32, float, copysignf(b, a))
BINARY(copysign_f64, double, copysign(b, a))

/* In f64 a NaN is the result as it is, but quiet: the second operand's before the third's
 * before the first's. */
BINARY(add_f64, double, b != b ? b + b : a + b)
BINARY(sub_f64, double, b != b ? b + b : a - b)
BINARY(mul_f64, double, b != b ? b + b : a * b)
BINARY(div_f64, double, a / b)
TERNARY(fma_f64, double, b != b ? b + b : c != c ? c + c : __builtin_fma(a, b, c))
BINARY(min_f64, double, smaller_double(a, b))
BINARY(max_f64, double, larger_double(a, b))
UNARY(sqrt_f64, double, sqrt(a))
UNARY(rcp_f64, double, 1.0 / a)
UNARY(rsqrt_f64, double, 1.0 / sqrt(a))

/* rcp.approx.ftz.f64 and rsqrt.approx.ftz.f64 read and write the upper 32 bits only. */
static inline double
upper_half(double d)
{
	uint64_t bits = number_bits64(d) & ~0xffffffffull;

	return number_double((bits & 0x7ffull << 52) == 0 ? bits & 1ull << 63 : bits);
}
UNARY(rcp_approx_f64, double, upper_half(1.0 / upper_half(a)))
UNARY(rsqrt_approx_f64, double, upper_half(1.0 / sqrt(upper_half(a))))

enum slow_op {
	SLOW_ADD,
	SLOW_SUB,
	SLOW_MUL,
	SLOW_DIV,
	SLOW_FMA,
	SLOW_SQRT,
	SLOW_RCP,
};

/* volatile keeps the compiler from moving arithmetic out of the rounding mode. */
static float
slow_float(enum slow_op op, float in_a, float in_b, float in_c)
{
	volatile float a = in_a;
	volatile float b = in_b;
	volatile float c = in_c;
	volatile float result;

	switch (op) {
	case SLOW_ADD: result = a + b; break;
	case SLOW_SUB: result = a - b; break;
	case SLOW_MUL: result = a * b; break;
	case SLOW_DIV: result = a / b; break;
	case SLOW_FMA: result = fmaf(a, b, c); break;
	case SLOW_SQRT: result = sqrtf(a); break;
	default: result = 1.0f / a;
	}
	return number_canonical(result);
}

static double
slow_double(enum slow_op op, double in_a, double in_b, double in_c)
{
	volatile double a = in_a;
	volatile double b = in_b;
	volatile double c = in_c;
	volatile double result;

	if (op != SLOW_DIV && isnan(in_b)) {
		return in_b + in_b;
	}
	if (op == SLOW_FMA && isnan(in_c)) {
		return in_c + in_c;
	}
	switch (op) {
	case SLOW_ADD: result = a + b; break;
	case SLOW_SUB: result = a - b; break;
	case SLOW_MUL: result = a * b; break;
	case SLOW_DIV: result = a / b; break;
	case SLOW_FMA: result = fma(a, b, c); break;
	case SLOW_SQRT: result = sqrt(a); break;
	default: result = 1.0 / a;
	}
	return result;
}

static int
host_rounding(const struct ptx_instr *in)
{
	switch (in->rounding) {
	case PTX_ROUND_ZERO: return FE_TOWARDZERO;
	case PTX_ROUND_DOWN: return FE_DOWNWARD;
	case PTX_ROUND_UP: return FE_UPWARD;
	default: return FE_TONEAREST;
	}
}

HANDLER(slow_f32)
{
	bool flush = (in->flags & PTX_FTZ) != 0;
	bool saturate = (in->flags & PTX_SAT) != 0;
	float *d = DST(float);

	fesetround(host_rounding(in));
	FOR_LANES(l, x->mask)
	{
		float a = SRC_A(float)[l];
		float b = in->n_operands > 2 ? SRC_B(float)[l] : 0;
		float c = in->n_operands > 3 ? SRC_C(float)[l] : 0;
		float result = flush ? slow_float(in->sub, number_flush(a),
					       number_flush(b), number_flush(c))
				     : slow_float(in->sub, a, b, c);

		if (flush) {
			result = number_flush(result);
		}
		d[l] = saturate ? (float)number_saturate(result) : result;
	}
	fesetround(FE_TONEAREST);
	return EXEC_NEXT;
}

HANDLER(slow_f64)
{
	double *d = DST(double);

	fesetround(host_rounding(in));
	FOR_LANES(l, x->mask)
	{
		double a = SRC_A(double)[l];
		double b = in->n_operands > 2 ? SRC_B(double)[l] : 0;
		double c = in->n_operands > 3 ? SRC_C(double)[l] : 0;

		d[l] = slow_double(in->sub, a, b, c);
	}
	fesetround(FE_TONEAREST);
	return EXEC_NEXT;
}

HANDLER(min_max_xorsign_f32)
{
	bool flush = (in->flags & PTX_FTZ) != 0;
	float *d = DST(float);

	FOR_LANES(l, x->mask)
	{
		float a = SRC_A(float)[l];
		float b = SRC_B(float)[l];

		if (flush) {
			a = number_flush(a);
			b = number_flush(b);
		}
		uint32_t sign = (number_bits32(a) ^ number_bits32(b)) & 0x80000000;

		a = fabsf(a);
		b = fabsf(b);
		float result = in->opcode == PTX_OP_MIN ? smaller(a, b) : larger(a, b);

		if (isnan(result) ||
			((in->flags & PTX_NAN) != 0 && (isnan(a) || isnan(b)))) {
			d[l] = number_float(0x7fffffff);
		} else {
			d[l] = number_float(number_bits32(result) | sign);
		}
	}
	return EXEC_NEXT;
}

static const struct {
	ptx_handler f32;
	ptx_handler ftz_f32;
	ptx_handler f64;
	int n_sources;
	int slow; /* enum slow_op, or -1 */
} table[PTX_N_OPCODES] = {
	[PTX_OP_ADD] = { add_f32, add_ftz_f32, add_f64, 2, SLOW_ADD },
	[PTX_OP_SUB] = { sub_f32, sub_ftz_f32, sub_f64, 2, SLOW_SUB },
	[PTX_OP_MUL] = { mul_f32, mul_ftz_f32, mul_f64, 2, SLOW_MUL },
	[PTX_OP_DIV] = { div_f32, div_ftz_f32, div_f64, 2, SLOW_DIV },
	[PTX_OP_FMA] = { fma_f32, fma_ftz_f32, fma_f64, 3, SLOW_FMA },
	[PTX_OP_MAD] = { fma_f32, fma_ftz_f32, fma_f64, 3, SLOW_FMA },
	[PTX_OP_SQRT] = { sqrt_f32, sqrt_ftz_f32, sqrt_f64, 1, SLOW_SQRT },
	[PTX_OP_RCP] = { rcp_f32, rcp_ftz_f32, rcp_f64, 1, SLOW_RCP },
	[PTX_OP_RSQRT] = { rsqrt_f32, rsqrt_ftz_f32, rsqrt_f64, 1, -1 },
	[PTX_OP_MIN] = { min_f32, min_ftz_f32, min_f64, 2, -1 },
	[PTX_OP_MAX] = { max_f32, max_ftz_f32, max_f64, 2, -1 },
	[PTX_OP_NEG] = { neg_f32, neg_ftz_f32, neg_f64, 1, -1 },
	[PTX_OP_ABS] = { abs_f32, abs_ftz_f32, abs_f64, 1, -1 },
	[PTX_OP_EX2] = { ex2_f32, ex2_ftz_f32, NULL, 1, -1 },
	[PTX_OP_LG2] = { lg2_f32, lg2_ftz_f32, NULL, 1, -1 },
	[PTX_OP_SIN] = { sin_f32, sin_ftz_f32, NULL, 1, -1 },
	[PTX_OP_COS] = { cos_f32, cos_ftz_f32, NULL, 1, -1 },
	[PTX_OP_TANH] = { tanh_f32, tanh_ftz_f32, NULL, 1, -1 },
	[PTX_OP_COPYSIGN] = { copysign_f32, NULL, copysign_f64, 2, -1 },
};

ptx_handler
exec_alu_float_choose(struct ptx_instr *in)
{
	bool is_f32 = in->type == PTX_F32;
	bool flush = (in->flags & PTX_FTZ) != 0;
	bool directed = in->rounding > PTX_ROUND_NEAREST;
	int slow = table[in->opcode].slow;

	if ((!is_f32 && in->type != PTX_F64) ||
		!are_registers(in, 0, 1 + table[in->opcode].n_sources, is_f32 ? 4 : 8) ||
		in->n_operands != 1 + table[in->opcode].n_sources) {
		return NULL;
	}
	if (directed || (in->flags & PTX_SAT) != 0) {
		if (slow < 0 || in->rounding > PTX_ROUND_UP ||
			(!is_f32 && (in->flags & PTX_SAT) != 0)) {
			return NULL;
		}
		in->sub = (uint32_t)slow;
		return is_f32 ? slow_f32 : slow_f64;
	}
	if ((in->flags & (PTX_XORSIGN | PTX_NAN)) != 0) {
		if (!is_f32) {
			return NULL;
		}
		if ((in->flags & PTX_XORSIGN) != 0) {
			return min_max_xorsign_f32;
		}
		return in->opcode == PTX_OP_MIN ? flush ? min_nan_ftz_f32 : min_nan_f32
		       : flush			? max_nan_ftz_f32
						: max_nan_f32;
	}
	if (is_f32 && in->opcode == PTX_OP_DIV && (in->flags & PTX_APPROX) != 0) {
		return flush ? div_approx_ftz_f32 : div_approx_f32;
	}
	if (is_f32) {
		return flush ? table[in->opcode].ftz_f32 : table[in->opcode].f32;
	}
	if (flush) {
		return in->opcode == PTX_OP_RCP	    ? rcp_approx_f64
		       : in->opcode == PTX_OP_RSQRT ? rsqrt_approx_f64
						    : NULL;
	}
	return table[in->opcode].f64;
}
