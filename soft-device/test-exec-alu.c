/* SPDX-License-Identifier: Apache-2.0 */
/* test-exec-alu.c: every arithmetic instruction against plain C, on random operands. */
#include "soft-device/exec_number.h"
#include "soft-device/test-machine.h"

#include <fenv.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define N 2048

typedef uint64_t reference(uint64_t a, uint64_t b, uint64_t c);

/* %d = op(%a, %b, %c): a kernel is made of it.  Widths in bits of d, a, b, c. */
struct row {
	const char *op; /* "add.u32 d, a, b": letters stand for registers */
	int width[4];
	reference *reference;
	char kind; /* of operands: 'i'nteger, 'f'loat, 'd'ouble, 'h'alf, 'b'f16 */
};

#define FN(name, E) \
	static uint64_t name(uint64_t a, uint64_t b, uint64_t c) \
	{ \
		(void)a, (void)b, (void)c; \
		return (uint64_t)(E); \
	}
#define S16(v) ((int64_t)(int16_t)(v))
#define S32(v) ((int64_t)(int32_t)(v))
#define S64(v) ((int64_t)(v))
#define U16(v) ((uint64_t)(uint16_t)(v))
#define U32(v) ((uint64_t)(uint32_t)(v))
#define F(v) number_float((uint32_t)(v))
#define D(v) number_double(v)

FN(add, a + b)
FN(sub, a - b)
FN(mul, a *b)
FN(mad, a *b + c)
FN(hi_u16, U16(a) * U16(b) >> 16)
FN(hi_s16, S16(a) * S16(b) >> 16)
FN(hi_u32, U32(a) * U32(b) >> 32)
FN(hi_s32, S32(a) * S32(b) >> 32)
FN(hi_u64, (unsigned __int128)a *b >> 64)
FN(hi_s64, (__int128)S64(a) * S64(b) >> 64)
FN(mad_hi_s32, (uint64_t)(S32(a) * S32(b) >> 32) + c)
FN(mad_hi_u64, ((unsigned __int128)a * b >> 64) + c)
FN(wide_u32, U32(a) * U32(b))
FN(wide_s32, S32(a) * S32(b))
FN(wide_s16, S16(a) * S16(b))
FN(mad_wide_s32, (uint64_t)(S32(a) * S32(b)) + c)
FN(mad_wide_u16, U16(a) * U16(b) + c)
FN(div_u32, U32(b) == 0 ? 0xffffffff : U32(a) / U32(b))
FN(div_s32, U32(b) == 0 ? -1 : S32(a) / S32(b))
FN(rem_s32, U32(b) == 0 ? ~0u : S32(a) % S32(b))
FN(div_u64, b == 0 ? ~0ull : a / b)
FN(div_s64, b == 0 ? ~0ull : b == ~0ull ? 0 - a : (uint64_t)(S64(a) / S64(b)))
FN(rem_s64, b == 0 ? ~0ull : b == ~0ull ? 0 : (uint64_t)(S64(a) % S64(b)))
FN(rem_u16, U16(b) == 0 ? 0xffff : U16(a) % U16(b))
FN(min_s32, S32(a) < S32(b) ? a : b)
FN(max_u64, a > b ? a : b)
FN(min_s16, S16(a) < S16(b) ? a : b)
FN(abs_s32, S32(a) < 0 ? -S32(a) : S32(a))
FN(shl_32, U32(b) > 31 ? 0 : a << U32(b))
FN(shr_u32, U32(b) > 31 ? 0 : U32(a) >> U32(b))
FN(shr_s32, S32(a) >> (U32(b) > 31 ? 31 : U32(b)))
FN(shr_s64, S64(a) >> (U32(b) > 63 ? 63 : U32(b)))
FN(shl_16, U32(b) > 15 ? 0 : a << U32(b))
FN(and_, a &b)
FN(xor_, a ^ b)
FN(not_, ~a)
FN(cnot_, U32(a) == 0)
FN(popc, __builtin_popcountll(U32(a)))
FN(popc64, __builtin_popcountll(a))
FN(clz, U32(a) == 0 ? 32 : __builtin_clz((uint32_t)a))
FN(lop_e8, (a & b) | (a & c) | (b & c))
FN(lop_96, a ^ b ^ c)
FN(sad_s32, (S32(a) < S32(b) ? S32(b) - S32(a) : S32(a) - S32(b)) + S32(c))
FN(shf_l, (U32(b) << 32 | U32(a)) << (c & 31) >> 32)
FN(shf_rc, (U32(b) << 32 | U32(a)) >> (U32(c) > 32 ? 32 : U32(c)))
FN(mul24, (S32(a << 8) >> 8) * (S32(b << 8) >> 8))
FN(sat_add, S32(a) + S32(b) > INT32_MAX	  ? INT32_MAX
	    : S32(a) + S32(b) < INT32_MIN ? INT32_MIN
					  : S32(a) + S32(b))
FN(carry_chain, a + b)

static uint64_t
brev(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t r = 0;

	(void)b, (void)c;
	for (int i = 0; i < 32; i++) {
		r |= (a >> i & 1) << (31 - i);
	}
	return r;
}

static uint64_t
bfind_s32(uint64_t a, uint64_t b, uint64_t c)
{
	int sign = (int)(a >> 31 & 1);

	(void)b, (void)c;
	for (int i = 31; i >= 0; i--) {
		if ((int)(a >> i & 1) != sign) {
			return (uint64_t)i;
		}
	}
	return 0xffffffff;
}

/* As PTX describes it, bit by bit; but 64-bit ones use more of b and c on a device. */
static uint64_t
bfe(uint64_t a, uint64_t b, uint64_t c, int bits, bool is_signed)
{
	uint32_t limit = bits == 64 ? 255 : UINT32_MAX;
	int position = (int)((U32(b) < limit ? U32(b) : limit) & 255);
	int length = (int)((U32(c) < limit ? U32(c) : limit) & 255);
	int last = position + length - 1 < bits - 1 ? position + length - 1 : bits - 1;
	uint64_t fill = is_signed && length != 0 ? a >> last & 1 : 0;
	uint64_t r = 0;

	for (int i = 0; i < bits; i++) {
		bool inside = i < length && position + i < bits;

		r |= (inside ? a >> (position + i) & 1 : fill) << i;
	}
	return r;
}
FN(bfe_u32, bfe(a, b, c, 32, false))
FN(bfe_s32, bfe(a, b, c, 32, true))
FN(bfe_s64, bfe(a, b, c, 64, true))

static uint64_t
prmt(uint64_t a, uint64_t b, uint64_t c)
{
	uint8_t bytes[8];
	uint64_t r = 0;

	for (int i = 0; i < 4; i++) {
		bytes[i] = (uint8_t)(a >> 8 * i);
		bytes[4 + i] = (uint8_t)(b >> 8 * i);
	}
	for (int i = 0; i < 4; i++) {
		unsigned int s = c >> 4 * i & 15;
		uint8_t byte = bytes[s & 7];

		r |= (uint64_t)(s & 8 ? (byte & 0x80 ? 0xff : 0) : byte) << 8 * i;
	}
	return r;
}

static uint64_t
dp4a_us(uint64_t a, uint64_t b, uint64_t c)
{
	int64_t sum = S32(c);

	for (int i = 0; i < 4; i++) {
		sum += (int)(uint8_t)(a >> 8 * i) * (int8_t)(b >> 8 * i);
	}
	return (uint64_t)sum;
}

static uint64_t
dp2a_hi_s(uint64_t a, uint64_t b, uint64_t c)
{
	return (uint64_t)(S32(c) + (int16_t)a * (int8_t)(b >> 16) +
			  (int16_t)(a >> 16) * (int8_t)(b >> 24));
}

#define FLOAT(name, E) FN(name, number_bits32(number_canonical(E)))
FLOAT(f32_add, F(a) + F(b))
FLOAT(f32_sub, F(a) - F(b))
FLOAT(f32_mul, F(a) * F(b))
FLOAT(f32_div, F(a) / F(b))
FLOAT(f32_fma, fmaf(F(a), F(b), F(c)))
FLOAT(f32_sqrt, sqrtf(F(a)))
FLOAT(f32_rcp, 1 / F(a))
FLOAT(f32_add_ftz, number_flush(number_flush(F(a)) + number_flush(F(b))))
FLOAT(f32_mul_sat, (float)number_saturate(F(a) * F(b)))
FLOAT(f32_neg, -F(a))
FN(f32_copysign, (a & 0x80000000) | (b & 0x7fffffff))

static uint64_t
rounded(int mode, char op, uint64_t a, uint64_t b, uint64_t c)
{
	volatile float x = F(a), y = F(b), z = F(c);
	volatile float r;

	fesetround(mode);
	r = op == '+' ? x + y : op == '*' ? x * y : op == '/' ? x / y : fmaf(x, y, z);
	fesetround(FE_TONEAREST);
	return number_bits32(number_canonical(r));
}
FN(f32_add_rz, rounded(FE_TOWARDZERO, '+', a, b, c))
FN(f32_mul_rm, rounded(FE_DOWNWARD, '*', a, b, c))
FN(f32_div_rp, rounded(FE_UPWARD, '/', a, b, c))
FN(f32_fma_rz, rounded(FE_TOWARDZERO, 'f', a, b, c))

#define DOUBLE(name, E) FN(name, number_bits64(E))
DOUBLE(f64_add, D(a) + D(b))
DOUBLE(f64_mul, D(a) * D(b))
DOUBLE(f64_div, D(a) / D(b))
DOUBLE(f64_fma, fma(D(a), D(b), D(c)))
DOUBLE(f64_sqrt, sqrt(D(a)))

/* PTX, min and max: the number if only one is a number; -0 is below +0. */
static uint64_t
order(uint64_t a, uint64_t b, bool least)
{
	if (isnan(F(a)) || isnan(F(b))) {
		return !isnan(F(a)) ? a : !isnan(F(b)) ? b : 0x7fffffff;
	}
	if (F(a) == F(b)) {
		return (a >> 31 != 0) == least ? a : b;
	}
	return (F(a) < F(b)) == least ? a : b;
}
FN(f32_min, order(a, b, true))
FN(f32_max, order(a, b, false))

FN(set_lt, F(a) < F(b) ? 0xffffffff : 0)
FN(set_geu, !(F(a) < F(b)) ? 0x3f800000 : 0)
FN(slct, S32(c) >= 0 ? a : b)

FN(cvt_s8, (int64_t)(int8_t)a)
FN(cvt_u8_sat, S32(a) < 0 ? 0 : S32(a) > 255 ? 255 : a)
FN(cvt_s64, S32(a))
FN(cvt_f32_s32, number_bits32((float)(int32_t)a))
FN(cvt_f64_u64, number_bits64((double)a))
FN(cvt_f32_64, isnan(D(a)) ? a >> 63 << 31 | 0x7fc00000 | (a >> 29 & 0x3fffff)
			   : number_bits32((float)D(a)))
FN(cvt_f64_f32, isnan(F(a)) ? number_bits64(F(a)) : number_bits64((double)F(a)))

static uint64_t
float_to_int(double d, double low, double high, uint64_t nan)
{
	return isnan(d)	  ? nan
	       : d < low  ? (uint64_t)(int64_t)low
	       : d > high ? (uint64_t)high
			  : (uint64_t)(int64_t)d;
}
FN(cvt_rzi, float_to_int(truncf(F(a)), INT32_MIN, INT32_MAX, 0))
FN(cvt_rni, float_to_int(rintf(F(a)), INT32_MIN, INT32_MAX, 0))
FN(cvt_u16_rpi, float_to_int(ceilf(F(a)), 0, 65535, 0))
FN(cvt_u32_rmi, float_to_int(floorf(F(a)), 0, 4294967295.0, 0))
FN(cvt_rni_f32, isnan(F(a)) ? 0x7fffffff : number_bits32(rintf(F(a))))

static const struct row rows[] = {
	{ "add.u32 d, a, b", { 32, 32, 32, 0 }, add, 'i' },
	{ "add.s16 d, a, b", { 16, 16, 16, 0 }, add, 'i' },
	{ "add.s64 d, a, b", { 64, 64, 64, 0 }, add, 'i' },
	{ "sub.u64 d, a, b", { 64, 64, 64, 0 }, sub, 'i' },
	{ "mul.lo.s16 d, a, b", { 16, 16, 16, 0 }, mul, 'i' },
	{ "mul.lo.s32 d, a, b", { 32, 32, 32, 0 }, mul, 'i' },
	{ "mul.lo.u64 d, a, b", { 64, 64, 64, 0 }, mul, 'i' },
	{ "mad.lo.s32 d, a, b, c", { 32, 32, 32, 32 }, mad, 'i' },
	{ "mul.hi.u16 d, a, b", { 16, 16, 16, 0 }, hi_u16, 'i' },
	{ "mul.hi.s16 d, a, b", { 16, 16, 16, 0 }, hi_s16, 'i' },
	{ "mul.hi.u32 d, a, b", { 32, 32, 32, 0 }, hi_u32, 'i' },
	{ "mul.hi.s32 d, a, b", { 32, 32, 32, 0 }, hi_s32, 'i' },
	{ "mul.hi.u64 d, a, b", { 64, 64, 64, 0 }, hi_u64, 'i' },
	{ "mul.hi.s64 d, a, b", { 64, 64, 64, 0 }, hi_s64, 'i' },
	{ "mad.hi.s32 d, a, b, c", { 32, 32, 32, 32 }, mad_hi_s32, 'i' },
	{ "mad.hi.u64 d, a, b, c", { 64, 64, 64, 64 }, mad_hi_u64, 'i' },
	{ "mul.wide.u32 d, a, b", { 64, 32, 32, 0 }, wide_u32, 'i' },
	{ "mul.wide.s32 d, a, b", { 64, 32, 32, 0 }, wide_s32, 'i' },
	{ "mul.wide.s16 d, a, b", { 32, 16, 16, 0 }, wide_s16, 'i' },
	{ "mad.wide.s32 d, a, b, c", { 64, 32, 32, 64 }, mad_wide_s32, 'i' },
	{ "mad.wide.u16 d, a, b, c", { 32, 16, 16, 32 }, mad_wide_u16, 'i' },
	{ "div.u32 d, a, b", { 32, 32, 32, 0 }, div_u32, 'i' },
	{ "div.s32 d, a, b", { 32, 32, 32, 0 }, div_s32, 'i' },
	{ "rem.s32 d, a, b", { 32, 32, 32, 0 }, rem_s32, 'i' },
	{ "div.u64 d, a, b", { 64, 64, 64, 0 }, div_u64, 'i' },
	{ "div.s64 d, a, b", { 64, 64, 64, 0 }, div_s64, 'i' },
	{ "rem.s64 d, a, b", { 64, 64, 64, 0 }, rem_s64, 'i' },
	{ "rem.u16 d, a, b", { 16, 16, 16, 0 }, rem_u16, 'i' },
	{ "min.s32 d, a, b", { 32, 32, 32, 0 }, min_s32, 'i' },
	{ "min.s16 d, a, b", { 16, 16, 16, 0 }, min_s16, 'i' },
	{ "max.u64 d, a, b", { 64, 64, 64, 0 }, max_u64, 'i' },
	{ "abs.s32 d, a", { 32, 32, 0, 0 }, abs_s32, 'i' },
	{ "shl.b32 d, a, b", { 32, 32, 32, 0 }, shl_32, 'i' },
	{ "shl.b16 d, a, b", { 16, 16, 32, 0 }, shl_16, 'i' },
	{ "shr.u32 d, a, b", { 32, 32, 32, 0 }, shr_u32, 'i' },
	{ "shr.s32 d, a, b", { 32, 32, 32, 0 }, shr_s32, 'i' },
	{ "shr.s64 d, a, b", { 64, 64, 32, 0 }, shr_s64, 'i' },
	{ "and.b64 d, a, b", { 64, 64, 64, 0 }, and_, 'i' },
	{ "xor.b16 d, a, b", { 16, 16, 16, 0 }, xor_, 'i' },
	{ "not.b32 d, a", { 32, 32, 0, 0 }, not_, 'i' },
	{ "cnot.b32 d, a", { 32, 32, 0, 0 }, cnot_, 'i' },
	{ "popc.b32 d, a", { 32, 32, 0, 0 }, popc, 'i' },
	{ "popc.b64 d, a", { 32, 64, 0, 0 }, popc64, 'i' },
	{ "clz.b32 d, a", { 32, 32, 0, 0 }, clz, 'i' },
	{ "brev.b32 d, a", { 32, 32, 0, 0 }, brev, 'i' },
	{ "bfind.s32 d, a", { 32, 32, 0, 0 }, bfind_s32, 'i' },
	{ "bfe.u32 d, a, b, c", { 32, 32, 32, 32 }, bfe_u32, 'i' },
	{ "bfe.s32 d, a, b, c", { 32, 32, 32, 32 }, bfe_s32, 'i' },
	{ "bfe.s64 d, a, b, c", { 64, 64, 32, 32 }, bfe_s64, 'i' },
	{ "prmt.b32 d, a, b, c", { 32, 32, 32, 32 }, prmt, 'i' },
	{ "lop3.b32 d, a, b, c, 0xe8", { 32, 32, 32, 32 }, lop_e8, 'i' },
	{ "lop3.b32 d, a, b, c, 0x96", { 32, 32, 32, 32 }, lop_96, 'i' },
	{ "sad.s32 d, a, b, c", { 32, 32, 32, 32 }, sad_s32, 'i' },
	{ "shf.l.wrap.b32 d, a, b, c", { 32, 32, 32, 32 }, shf_l, 'i' },
	{ "shf.r.clamp.b32 d, a, b, c", { 32, 32, 32, 32 }, shf_rc, 'i' },
	{ "mul24.lo.s32 d, a, b", { 32, 32, 32, 0 }, mul24, 'i' },
	{ "add.sat.s32 d, a, b", { 32, 32, 32, 0 }, sat_add, 'i' },
	{ "dp4a.u32.s32 d, a, b, c", { 32, 32, 32, 32 }, dp4a_us, 'i' },
	{ "dp2a.hi.s32.s32 d, a, b, c", { 32, 32, 32, 32 }, dp2a_hi_s, 'i' },
	{ "{ .reg .b32 x<6>; mov.b64 {x0, x1}, a; mov.b64 {x2, x3}, b;"
	  " add.cc.u32 x4, x0, x2; addc.u32 x5, x1, x3; mov.b64 d, {x4, x5}; }",
		{ 64, 64, 64, 0 }, carry_chain, 'i' },
	{ "add.f32 d, a, b", { 32, 32, 32, 0 }, f32_add, 'f' },
	{ "sub.rn.f32 d, a, b", { 32, 32, 32, 0 }, f32_sub, 'f' },
	{ "mul.f32 d, a, b", { 32, 32, 32, 0 }, f32_mul, 'f' },
	{ "div.rn.f32 d, a, b", { 32, 32, 32, 0 }, f32_div, 'f' },
	{ "fma.rn.f32 d, a, b, c", { 32, 32, 32, 32 }, f32_fma, 'f' },
	{ "sqrt.rn.f32 d, a", { 32, 32, 0, 0 }, f32_sqrt, 'f' },
	{ "rcp.rn.f32 d, a", { 32, 32, 0, 0 }, f32_rcp, 'f' },
	{ "add.ftz.f32 d, a, b", { 32, 32, 32, 0 }, f32_add_ftz, 'f' },
	{ "mul.sat.f32 d, a, b", { 32, 32, 32, 0 }, f32_mul_sat, 'f' },
	{ "min.f32 d, a, b", { 32, 32, 32, 0 }, f32_min, 'f' },
	{ "max.f32 d, a, b", { 32, 32, 32, 0 }, f32_max, 'f' },
	{ "neg.f32 d, a", { 32, 32, 0, 0 }, f32_neg, 'f' },
	{ "copysign.f32 d, a, b", { 32, 32, 32, 0 }, f32_copysign, 'f' },
	{ "add.rz.f32 d, a, b", { 32, 32, 32, 0 }, f32_add_rz, 'f' },
	{ "mul.rm.f32 d, a, b", { 32, 32, 32, 0 }, f32_mul_rm, 'f' },
	{ "div.rp.f32 d, a, b", { 32, 32, 32, 0 }, f32_div_rp, 'f' },
	{ "fma.rz.f32 d, a, b, c", { 32, 32, 32, 32 }, f32_fma_rz, 'f' },
	{ "add.f64 d, a, b", { 64, 64, 64, 0 }, f64_add, 'd' },
	{ "mul.rn.f64 d, a, b", { 64, 64, 64, 0 }, f64_mul, 'd' },
	{ "div.rn.f64 d, a, b", { 64, 64, 64, 0 }, f64_div, 'd' },
	{ "fma.rn.f64 d, a, b, c", { 64, 64, 64, 64 }, f64_fma, 'd' },
	{ "sqrt.rn.f64 d, a", { 64, 64, 0, 0 }, f64_sqrt, 'd' },
	{ "set.lt.u32.f32 d, a, b", { 32, 32, 32, 0 }, set_lt, 'f' },
	{ "set.geu.f32.f32 d, a, b", { 32, 32, 32, 0 }, set_geu, 'f' },
	{ "slct.u32.s32 d, a, b, c", { 32, 32, 32, 32 }, slct, 'i' },
	{ "cvt.s8.s32 d, a", { 32, 32, 0, 0 }, cvt_s8, 'i' },
	{ "cvt.sat.u8.s32 d, a", { 32, 32, 0, 0 }, cvt_u8_sat, 'i' },
	{ "cvt.s64.s32 d, a", { 64, 32, 0, 0 }, cvt_s64, 'i' },
	{ "cvt.rn.f32.s32 d, a", { 32, 32, 0, 0 }, cvt_f32_s32, 'i' },
	{ "cvt.rn.f64.u64 d, a", { 64, 64, 0, 0 }, cvt_f64_u64, 'i' },
	{ "cvt.rn.f32.f64 d, a", { 32, 64, 0, 0 }, cvt_f32_64, 'd' },
	{ "cvt.f64.f32 d, a", { 64, 32, 0, 0 }, cvt_f64_f32, 'f' },
	{ "cvt.rzi.s32.f32 d, a", { 32, 32, 0, 0 }, cvt_rzi, 'f' },
	{ "cvt.rni.s32.f32 d, a", { 32, 32, 0, 0 }, cvt_rni, 'f' },
	{ "cvt.rpi.u16.f32 d, a", { 16, 32, 0, 0 }, cvt_u16_rpi, 'f' },
	{ "cvt.rmi.u32.f32 d, a", { 32, 32, 0, 0 }, cvt_u32_rmi, 'f' },
	{ "cvt.rni.f32.f32 d, a", { 32, 32, 0, 0 }, cvt_rni_f32, 'f' },
};

/* Registers stand as single letters in the row's text; other text has none alone. */
static void
write_op(char *out, size_t size, const char *op)
{
	size_t n = 0;

	for (const char *p = op; *p != 0 && n + 4 < size; p++) {
		bool alone = (p == op || strchr(" ,{[", p[-1]) != NULL) &&
			     strchr("abcd", *p) != NULL && strchr(",;} ", p[1]) != NULL;

		if (alone ||
			(*p == 'x' && strchr("0123456<", p[1]) != NULL && p[-1] != '0')) {
			out[n++] = '%';
		}
		out[n++] = *p;
	}
	out[n] = 0;
}

static struct machine *
make(const struct row *row)
{
	char text[4096];
	char op[512];
	size_t n;

	write_op(op, sizeof(op), row->op);
	n = (size_t)snprintf(text, sizeof(text),
		".version 8.0\n.target sm_75\n.address_size 64\n"
		".visible .entry k(.param .u64 out, .param .u64 in) {\n"
		".reg .b64 %%o, %%p, %%i; .reg .b32 %%t;\n"
		"mov.u32 %%t, %%tid.x; mad.lo.u32 %%t, %%ntid.x, 0, %%t;\n"
		"{ .reg .b32 %%u, %%v; mov.u32 %%u, %%ctaid.x; mov.u32 %%v, %%ntid.x;\n"
		"mad.lo.u32 %%t, %%u, %%v, %%t; }\n"
		"ld.param.u64 %%o, [out]; ld.param.u64 %%i, [in];\n"
		"mul.wide.u32 %%p, %%t, 8; add.u64 %%o, %%o, %%p;\n"
		"mul.wide.u32 %%p, %%t, 24; add.u64 %%i, %%i, %%p;\n"
		".reg .b%d %%d;\n",
		row->width[0]);
	for (int k = 1; k < 4; k++) {
		if (row->width[k] != 0) {
			n += (size_t)snprintf(text + n, sizeof(text) - n,
				".reg .b%d %%%c; ld.global.b%d %%%c, [%%i+%d];\n",
				row->width[k], "dabc"[k], row -> width[k], "dabc"[k],
				(k - 1) * 8);
		}
	}
	snprintf(text + n, sizeof(text) - n, "%s%s\nst.global.b%d [%%o], %%d;\nret; }\n",
		op, op[0] == '{' ? "" : ";", row->width[0]);
	return machine_new(text);
}

static uint64_t
random_operand(char kind)
{
	static const uint32_t floats[] = { 0, 0x80000000, 0x7f800000, 0xff800000,
		0x7fc00000, 1, 0x807fffff, 0x00800000, 0x7f7fffff, 0x3f800000, 0x4f000000,
		0xcf000001, 0x3f000000, 0x477fff80, 0x80000001 };
	uint64_t r = machine_random();

	switch (kind) {
	case 'f':
		if (r % 5 == 0) {
			return floats[(r >> 8) % (sizeof(floats) / sizeof(floats[0]))];
		}
		/* half of them of a size at which sums and integers are interesting */
		return r % 2 == 0 ? (uint32_t)(r >> 32)
				  : number_bits32((float)ldexp((double)(int32_t)(r >> 32),
					    (int)(r >> 8 & 31) - 31));
	case 'd':
		return r % 5 == 0 ? number_bits64(number_float(floats[(r >> 8) % 15]))
		       : r % 2 == 0
			       ? machine_random()
			       : number_bits64(ldexp((double)(int64_t)machine_random(),
					 (int)(r >> 8 & 63) - 70));
	default: return machine_random_integer();
	}
}

static bool
is_same(const struct row *row, uint64_t got, uint64_t want)
{
	uint64_t mask = row->width[0] == 64 ? ~0ull : (1ull << row->width[0]) - 1;

	got &= mask;
	want &= mask;
	if (got == want) {
		return true;
	}
	/* Which NaN double arithmetic gives is not defined. */
	return row->kind != 'i' && row->width[0] == 64 && isnan(D(got)) && isnan(D(want));
}

/* False: has told what is wrong. */
static bool
check_row(const struct row *row)
{
	bool good = true;
	struct machine *machine = make(row);
	uint64_t *in = machine_alloc(machine, N * 24, NULL);
	uint64_t *out = machine_alloc(machine, N * 8, NULL);
	uint64_t params[2] = { (uintptr_t)out, (uintptr_t)in };

	for (int i = 0; i < N * 3; i++) {
		in[i] = random_operand(row->kind);
	}
	machine_must_run(machine, "k", N / 128, 128, params, sizeof(params));
	for (int i = 0; i < N; i++) {
		const uint64_t *v = &in[i * 3];
		uint64_t mask[4];

		for (int k = 1; k < 4; k++) {
			mask[k] =
				row->width[k] == 64 ? ~0ull : (1ull << row->width[k]) - 1;
		}
		uint64_t want =
			row->reference(v[0] & mask[1], v[1] & mask[2], v[2] & mask[3]);

		if (!is_same(row, out[i], want)) {
			print_error("%s: a=%" PRIx64 " b=%" PRIx64 " c=%" PRIx64
				    ": got %" PRIx64 ", want %" PRIx64 "\n",
				row->op, v[0], v[1], v[2], out[i], want);
			good = false;
			break;
		}
	}
	machine_free(machine);
	return good;
}

static void
arithmetic_is_that_of_c(void **state)
{
	(void)state;
	int n_wrong = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		n_wrong += !check_row(&rows[i]);
	}
	assert_int_equal(n_wrong, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arithmetic_is_that_of_c),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
