/* SPDX-License-Identifier: Apache-2.0 */
/* exec_compare.c: setp, set, selp, slct, testp, logic on predicates.
 *
 * A comparison gives a mask with one bit per lane, which is what a predicate register is.
 */
#include "exec_private.h"

/* In the order of enum ptx_compare. */
#define INTEGER_COMPARISONS(F, T, N) \
	F(eq, T, N, a == b) \
	F(ne, T, N, a != b) \
	F(lt, T, N, a < b) \
	F(le, T, N, a <= b) \
	F(gt, T, N, a > b) \
	F(ge, T, N, a >= b)
/* Ordered comparisons are false for a NaN, those with u are true. */
#define FLOAT_COMPARISONS(F, T, N) \
	F(eq, T, N, a == b) \
	F(ne, T, N, (a < b) | (a > b)) \
	F(lt, T, N, a < b) \
	F(le, T, N, a <= b) \
	F(gt, T, N, a > b) \
	F(ge, T, N, a >= b) \
	F(equ, T, N, !((a < b) | (a > b))) \
	F(neu, T, N, a != b) \
	F(ltu, T, N, !(a >= b)) \
	F(leu, T, N, !(a > b)) \
	F(gtu, T, N, !(a <= b)) \
	F(geu, T, N, !(a < b)) \
	F(num, T, N, (a == a) & (b == b)) \
	F(nan, T, N, (a != a) | (b != b))

#define N_COMPARISONS (PTX_ISNAN - PTX_EQ + 1)

typedef uint32_t compare_fn(const struct exec_context *x, const struct ptx_instr *in);

/* p = comparison, or comparison OP c; q the same of its negation. */
static inline void
set_predicates(struct exec_context *x, const struct ptx_instr *in, uint32_t mask)
{
	uint32_t negated = ~mask;

	if (in->operation != PTX_OPERATION_NONE) {
		uint32_t c = predicate_read(x, &in->operands[3]);

		switch (in->operation) {
		case PTX_OPERATION_AND:
			mask &= c;
			negated &= c;
			break;
		case PTX_OPERATION_OR:
			mask |= c;
			negated |= c;
			break;
		default: mask ^= c; negated ^= c;
		}
	}
	predicate_write(x, in->dst, mask);
	predicate_write(x, in->second, negated);
}

/* All lanes are compared, even those that are off: cheaper than to look. */
#define COMPARE(OP, T, N, E) \
	static inline uint32_t mask_##OP##_##N( \
		const struct exec_context *x, const struct ptx_instr *in) \
	{ \
		const T *va = SRC_A(T), *vb = SRC_B(T); \
		uint32_t bits[WARP_SIZE]; \
		uint32_t mask = 0; \
		_Pragma("GCC ivdep") for (int l = 0; l < WARP_SIZE; l++) \
		{ \
			T a = LOAD(va[l]), b = LOAD(vb[l]); \
			bits[l] = (E) ? 1u << l : 0; \
		} \
		for (int l = 0; l < WARP_SIZE; l++) { \
			mask |= bits[l]; \
		} \
		return mask; \
	} \
	HANDLER(setp_##OP##_##N) \
	{ \
		set_predicates(x, in, mask_##OP##_##N(x, in)); \
		return EXEC_NEXT; \
	}
#define LOAD(v) (v)
INTEGER_COMPARISONS(COMPARE, uint16_t, u16)
INTEGER_COMPARISONS(COMPARE, uint32_t, u32)
INTEGER_COMPARISONS(COMPARE, uint64_t, u64)
INTEGER_COMPARISONS(COMPARE, int16_t, s16)
INTEGER_COMPARISONS(COMPARE, int32_t, s32)
INTEGER_COMPARISONS(COMPARE, int64_t, s64)
FLOAT_COMPARISONS(COMPARE, float, f32)
FLOAT_COMPARISONS(COMPARE, double, f64)
#undef LOAD
#define LOAD(v) number_flush(v)
FLOAT_COMPARISONS(COMPARE, float, ftz_f32)
#undef LOAD
#undef COMPARE

/* [integer_index(), then f32, f64, ftz f32][comparison] */
#define N_KINDS 9
#define INTEGER_ROW(P, N) \
	{ \
		P##eq_##N, P##ne_##N, P##lt_##N, P##le_##N, P##gt_##N, P##ge_##N \
	}
#define FLOAT_ROW(P, N) \
	{ \
		P##eq_##N, P##ne_##N, P##lt_##N, P##le_##N, P##gt_##N, P##ge_##N, \
			P##equ_##N, P##neu_##N, P##ltu_##N, P##leu_##N, P##gtu_##N, \
			P##geu_##N, P##num_##N, P##nan_##N \
	}
#define ROWS(P) \
	{ \
		INTEGER_ROW(P, u16), INTEGER_ROW(P, u32), INTEGER_ROW(P, u64), \
			INTEGER_ROW(P, s16), INTEGER_ROW(P, s32), INTEGER_ROW(P, s64), \
			FLOAT_ROW(P, f32), FLOAT_ROW(P, f64), FLOAT_ROW(P, ftz_f32) \
	}
static const ptx_handler setp_table[N_KINDS][N_COMPARISONS] = ROWS(setp_);
static compare_fn *const mask_table[N_KINDS][N_COMPARISONS] = ROWS(mask_);
#undef INTEGER_ROW
#undef FLOAT_ROW
#undef ROWS

static bool
half_compare(enum ptx_compare compare, double a, double b)
{
	bool unordered = isnan(a) || isnan(b);

	switch (compare) {
	case PTX_EQ: return a == b;
	case PTX_NE: return !unordered && a != b;
	case PTX_LT: return a < b;
	case PTX_LE: return a <= b;
	case PTX_GT: return a > b;
	case PTX_GE: return a >= b;
	case PTX_EQU: return unordered || a == b;
	case PTX_NEU: return unordered || a != b;
	case PTX_LTU: return unordered || a < b;
	case PTX_LEU: return unordered || a <= b;
	case PTX_GTU: return unordered || a > b;
	case PTX_GEU: return unordered || a >= b;
	case PTX_NUM: return !unordered;
	default: return unordered;
	}
}

/* The mask of one half (0: lower, 1: upper) of operands a and b, for the lanes that are
 * on. */
static uint32_t
half_mask(const struct exec_context *x, const struct ptx_instr *in, int type, int half)
{
	bool bf16 = type == PTX_BF16 || type == PTX_BF16X2;
	int size = ptx_type_size[type];
	uint16_t exponent = bf16 ? 0x7f80 : 0x7c00;
	uint32_t mask = 0;

	FOR_LANES(l, x->mask)
	{
		uint16_t a = (uint16_t)(lane_read(x, in->a, size, (int)l) >> (16 * half));
		uint16_t b = (uint16_t)(lane_read(x, in->b, size, (int)l) >> (16 * half));

		if ((in->flags & PTX_FTZ) != 0) {
			a = (a & exponent) == 0 ? a & 0x8000 : a;
			b = (b & exponent) == 0 ? b & 0x8000 : b;
		}
		if (half_compare(in->compare,
			    bf16 ? number_from_bf16(a) : number_from_f16(a),
			    bf16 ? number_from_bf16(b) : number_from_f16(b))) {
			mask |= 1u << l;
		}
	}
	return mask;
}

HANDLER(setp_half)
{
	set_predicates(x, in, half_mask(x, in, in->type, 0));
	return EXEC_NEXT;
}

/* setp.f16x2 p|q: one predicate for each half. */
HANDLER(setp_half_pair)
{
	uint32_t low = half_mask(x, in, in->type, 0);
	uint32_t high = half_mask(x, in, in->type, 1);

	if (in->operation != PTX_OPERATION_NONE) {
		uint32_t c = predicate_read(x, &in->operands[3]);
		bool and = in->operation == PTX_OPERATION_AND;
		bool or = in->operation == PTX_OPERATION_OR;

		low = and? low & c : or ? low | c : low ^ c;
		high = and? high & c : or ? high | c : high ^ c;
	}
	predicate_write(x, in->dst, low);
	predicate_write(x, in->second, high);
	return EXEC_NEXT;
}

static uint32_t
set_combine(const struct exec_context *x, const struct ptx_instr *in, uint32_t mask)
{
	if (in->operation == PTX_OPERATION_NONE) {
		return mask;
	}
	uint32_t c = predicate_read(x, &in->operands[3]);

	return in->operation == PTX_OPERATION_AND  ? mask & c
	       : in->operation == PTX_OPERATION_OR ? mask | c
						   : mask ^ c;
}

static uint64_t
set_true(int type)
{
	switch (type) {
	case PTX_F32: return 0x3f800000;
	case PTX_F16: return 0x3c00;
	case PTX_BF16: return 0x3f80;
	case PTX_U16:
	case PTX_S16: return 0xffff;
	default: return 0xffffffff;
	}
}

/* set: all ones, or 1.0 for a floating-point destination.  sub is the kind. */
HANDLER(set_any)
{
	uint64_t yes = set_true(in->type);
	int size = ptx_type_size[in->type];
	uint32_t mask = set_combine(x, in,
		is_half(in->type2) ? half_mask(x, in, in->type2, 0)
				   : mask_table[in->sub][in->compare - PTX_EQ](x, in));

	FOR_LANES(l, x->mask)
	{
		lane_write(x, in->dst, size, (int)l, mask >> l & 1 ? yes : 0);
	}
	return EXEC_NEXT;
}

HANDLER(set_half_pair)
{
	uint32_t yes = in->type == PTX_F16X2	? 0x3c00
		       : in->type == PTX_BF16X2 ? 0x3f80
						: 0xffff;
	uint32_t low = set_combine(x, in, half_mask(x, in, in->type2, 0));
	uint32_t high = set_combine(x, in, half_mask(x, in, in->type2, 1));

	FOR_LANES(l, x->mask)
	{
		DST(uint32_t)
		[l] = (low >> l & 1 ? yes : 0) | (high >> l & 1 ? yes << 16 : 0);
	}
	return EXEC_NEXT;
}

#define SELECT(N, T) \
	HANDLER(selp_##N) \
	{ \
		T *d = DST(T); \
		const T *a = SRC_A(T), *b = SRC_B(T); \
		uint32_t p = predicate_read(x, &in->operands[3]); \
		LANES(d[l] = p >> l & 1 ? a[l] : b[l];) \
		return EXEC_NEXT; \
	} \
	HANDLER(slct_s32_##N) \
	{ \
		T *d = DST(T); \
		const T *a = SRC_A(T), *b = SRC_B(T); \
		const int32_t *c = SRC_C(int32_t); \
		LANES(d[l] = c[l] >= 0 ? a[l] : b[l];) \
		return EXEC_NEXT; \
	} \
	HANDLER(slct_f32_##N) \
	{ \
		T *d = DST(T); \
		const T *a = SRC_A(T), *b = SRC_B(T); \
		const float *vc = SRC_C(float); \
		bool flush = (in->flags & PTX_FTZ) != 0; \
		LANES(float c = flush ? number_flush(vc[l]) : vc[l]; \
			d[l] = c >= 0 ? a[l] : b[l];) \
		return EXEC_NEXT; \
	}
SELECT(16, uint16_t)
SELECT(32, uint32_t)
SELECT(64, uint64_t)
#undef SELECT

HANDLER(testp_any)
{
	uint32_t mask = 0;

	FOR_LANES(l, x->mask)
	{
		double d =
			in->type == PTX_F32 ? (double)SRC_A(float)[l] : SRC_A(double)[l];
		int class = in->type == PTX_F32 ? fpclassify(SRC_A(float)[l])
						: fpclassify(SRC_A(double)[l]);
		bool yes;

		switch (in->operation) {
		case PTX_OPERATION_FINITE: yes = isfinite(d); break;
		case PTX_OPERATION_INFINITE: yes = isinf(d); break;
		case PTX_OPERATION_NUMBER: yes = !isnan(d); break;
		case PTX_OPERATION_NOTANUMBER: yes = isnan(d); break;
		/* PTX, testp: zeros are normal. */
		case PTX_OPERATION_NORMAL:
			yes = class == FP_NORMAL || class == FP_ZERO;
			break;
		default: yes = class == FP_SUBNORMAL;
		}
		mask |= (uint32_t)yes << l;
	}
	predicate_write(x, in->dst, mask);
	return EXEC_NEXT;
}

HANDLER(predicate_logic)
{
	uint32_t a = predicate_read(x, &in->operands[1]);
	uint32_t b = in->n_operands > 2 ? predicate_read(x, &in->operands[2]) : 0;

	switch (in->opcode) {
	case PTX_OP_AND: a &= b; break;
	case PTX_OP_OR: a |= b; break;
	case PTX_OP_XOR: a ^= b; break;
	case PTX_OP_NOT: a = ~a; break;
	default: break; /* mov */
	}
	predicate_write(x, in->dst, a);
	return EXEC_NEXT;
}

/* The row of a type in the tables, or -1. */
static int
kind_of(const struct ptx_instr *in, int type)
{
	return type == PTX_F32	 ? (in->flags & PTX_FTZ) != 0 ? 8 : 6
	       : type == PTX_F64 ? 7
				 : integer_index(type);
}

static ptx_handler
choose_setp(struct ptx_instr *in)
{
	bool combines = in->operation != PTX_OPERATION_NONE;
	int size = ptx_type_size[in->type];
	int kind = kind_of(in, in->type);

	if (in->compare < PTX_EQ || in->compare > PTX_ISNAN ||
		!(is_predicate(in, 0) || is_sink(in, 0)) ||
		!are_registers(in, 1, 2, size) || combines != (in->n_operands == 4) ||
		(combines && !is_predicate(in, 3))) {
		return NULL;
	}
	if (is_half(in->type)) {
		return size == 4 ? setp_half_pair : setp_half;
	}
	return kind < 0 ? NULL : setp_table[kind][in->compare - PTX_EQ];
}

static ptx_handler
choose_set(struct ptx_instr *in)
{
	bool combines = in->operation != PTX_OPERATION_NONE;
	bool pair = in->type2 == PTX_F16X2 || in->type2 == PTX_BF16X2;
	int kind = kind_of(in, in->type2);

	if (in->compare < PTX_EQ || in->compare > PTX_ISNAN ||
		!are_registers(in, 0, 1, ptx_type_size[in->type]) ||
		!are_registers(in, 1, 2, ptx_type_size[in->type2]) ||
		combines != (in->n_operands == 4) || (combines && !is_predicate(in, 3))) {
		return NULL;
	}
	if (pair) {
		return ptx_type_size[in->type] == 4 && in->type != PTX_F32 ? set_half_pair
									   : NULL;
	}
	if (in->type == PTX_F16X2 || in->type == PTX_BF16X2 ||
		ptx_type_size[in->type] > 4) {
		return NULL;
	}
	if (!is_half(in->type2) &&
		(kind < 0 || mask_table[kind][in->compare - PTX_EQ] == NULL)) {
		return NULL;
	}
	in->sub = kind < 0 ? 0 : (uint32_t)kind;
	return set_any;
}

static ptx_handler
choose_select(const struct ptx_instr *in)
{
	int size = ptx_type_size[in->type];

	if (!are_registers(in, 0, 3, size)) {
		return NULL;
	}
	if (in->opcode == PTX_OP_SELP) {
		return !is_predicate(in, 3) ? NULL
		       : size == 2	    ? selp_16
		       : size == 4	    ? selp_32
		       : size == 8	    ? selp_64
					    : NULL;
	}
	if (!are_registers(in, 3, 1, 4)) {
		return NULL;
	}
	if (in->type2 == PTX_S32) {
		return size == 2 ? slct_s32_16 : size == 4 ? slct_s32_32 : slct_s32_64;
	}
	return in->type2 != PTX_F32 ? NULL
	       : size == 2	    ? slct_f32_16
	       : size == 4	    ? slct_f32_32
				    : slct_f32_64;
}

ptx_handler
exec_compare_choose(struct ptx_instr *in)
{
	switch (in->opcode) {
	case PTX_OP_SETP: return choose_setp(in);
	case PTX_OP_SET: return choose_set(in);
	case PTX_OP_SELP:
	case PTX_OP_SLCT: return choose_select(in);
	case PTX_OP_TESTP:
		return is_predicate(in, 0) &&
				       (in->type == PTX_F32 || in->type == PTX_F64) &&
				       are_registers(in, 1, 1, ptx_type_size[in->type])
			       ? testp_any
			       : NULL;
	case PTX_OP_MOV:
	case PTX_OP_NOT:
		return in->type == PTX_PRED && is_predicate(in, 0) && is_predicate(in, 1)
			       ? predicate_logic
			       : NULL;
	default:
		return in->type == PTX_PRED && is_predicate(in, 0) &&
				       is_predicate(in, 1) && is_predicate(in, 2)
			       ? predicate_logic
			       : NULL;
	}
}
