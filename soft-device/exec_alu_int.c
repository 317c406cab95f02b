/* SPDX-License-Identifier: Apache-2.0 */
/* exec_alu_int.c: integer arithmetic, logic, shifts, comparisons of integers.
 *
 * Each handler is a loop over the lanes that the compiler vectorises.  Types stand for
 * the bits of a register: signed overflow wraps because the sums are made unsigned. */
#include "exec_private.h"

/* add, sub, mul.lo, mad.lo do not depend on the sign. */
#define WRAPPING(T, N) \
	BINARY(add_##N, T, a + b) \
	BINARY(sub_##N, T, a - b) \
	BINARY(and_##N, T, a &b) \
	BINARY(or_##N, T, a | b) \
	BINARY(xor_##N, T, a ^ b) \
	UNARY(not_##N, T, ~a) \
	UNARY(neg_##N, T, 0 - a) \
	UNARY(cnot_##N, T, a == 0)
WRAPPING(uint16_t, u16)
WRAPPING(uint32_t, u32)
WRAPPING(uint64_t, u64)
#undef WRAPPING

BINARY(mul_u16, uint16_t, (uint32_t)a *b)
BINARY(mul_u32, uint32_t, a *b)
BINARY(mul_u64, uint64_t, a *b)
TERNARY(mad_u16, uint16_t, (uint32_t)a *b + c)
TERNARY(mad_u32, uint32_t, a *b + c)
TERNARY(mad_u64, uint64_t, a *b + c)

/* The upper half of the product; WIDE holds all of it. */
#define HIGH(N, T, WIDE, BITS) \
	BINARY(mul_hi_##N, T, ((WIDE)a * (WIDE)b) >> BITS) \
	TERNARY(mad_hi_##N, T, (uint64_t)(((WIDE)a * (WIDE)b) >> BITS) + (uint64_t)c)
HIGH(u16, uint16_t, uint32_t, 16)
HIGH(s16, int16_t, int32_t, 16)
HIGH(u32, uint32_t, uint64_t, 32)
HIGH(s32, int32_t, int64_t, 32)
HIGH(u64, uint64_t, unsigned __int128, 64)
HIGH(s64, int64_t, __int128, 64)
#undef HIGH

#define WIDE(N, T, RESULT, SUM) \
	HANDLER(mul_wide_##N) \
	{ \
		RESULT *d = DST(RESULT); \
		const T *a = SRC_A(T), *b = SRC_B(T); \
		LANES(d[l] = (RESULT)a[l] * (RESULT)b[l];) \
		return EXEC_NEXT; \
	} \
	HANDLER(mad_wide_##N) \
	{ \
		SUM *d = DST(SUM); \
		const T *a = SRC_A(T), *b = SRC_B(T); \
		const SUM *c = SRC_C(SUM); \
		LANES(d[l] = (SUM)((RESULT)a[l] * (RESULT)b[l]) + c[l];) \
		return EXEC_NEXT; \
	}
WIDE(u16, uint16_t, uint32_t, uint32_t)
WIDE(s16, int16_t, int32_t, uint32_t)
WIDE(u32, uint32_t, uint64_t, uint64_t)
WIDE(s32, int32_t, int64_t, uint64_t)
#undef WIDE

#define CLAMP32(v) ((v) > INT32_MAX ? INT32_MAX : (v) < INT32_MIN ? INT32_MIN : (v))

/* mul24 takes the lower 24 bits; .hi is bits 47..16 of the product. */
#define LOW24_U(v) ((v)&0xffffff)
#define LOW24_S(v) ((int32_t)((uint32_t)(v) << 8) >> 8)
BINARY(mul24_lo_u32, uint32_t, (uint64_t)LOW24_U(a) * LOW24_U(b))
BINARY(mul24_lo_s32, int32_t, (int64_t)LOW24_S(a) * LOW24_S(b))
BINARY(mul24_hi_u32, uint32_t, ((uint64_t)LOW24_U(a) * LOW24_U(b)) >> 16)
BINARY(mul24_hi_s32, int32_t, ((int64_t)LOW24_S(a) * LOW24_S(b)) >> 16)
TERNARY(mad24_lo_u32, uint32_t, (uint64_t)LOW24_U(a) * LOW24_U(b) + c)
TERNARY(mad24_lo_s32, int32_t, (int64_t)LOW24_S(a) * LOW24_S(b) + c)
TERNARY(mad24_hi_u32, uint32_t, (((uint64_t)LOW24_U(a) * LOW24_U(b)) >> 16) + c)
TERNARY(mad24_hi_s32, int32_t, (((int64_t)LOW24_S(a) * LOW24_S(b)) >> 16) + c)
TERNARY(mad24_hi_sat_s32, int32_t,
	CLAMP32((((int64_t)LOW24_S(a) * LOW24_S(b)) >> 16) + c))
#undef LOW24_U
#undef LOW24_S

/* Division by zero gives all ones, quotient and remainder (an H200 does): nothing may
 * trap, and the most negative number divided by -1 is itself. */
#define DIVIDE_U(N, T) \
	BINARY(div_##N, T, b != 0 ? (T)(a / b) : (T)-1) \
	BINARY(rem_##N, T, b != 0 ? (T)(a % b) : (T)-1)
DIVIDE_U(u16, uint16_t)
DIVIDE_U(u32, uint32_t)
DIVIDE_U(u64, uint64_t)
#undef DIVIDE_U
#define DIVIDE_S(N, T) \
	BINARY(div_##N, T, b == 0 ? (T)-1 : b == -1 ? (T)(0 - (uint64_t)a) : (T)(a / b)) \
	BINARY(rem_##N, T, b == 0 ? (T)-1 : b == -1 ? (T)0 : (T)(a % b)) \
	UNARY(abs_##N, T, a < 0 ? 0 - (uint64_t)a : (uint64_t)a)
DIVIDE_S(s16, int16_t)
DIVIDE_S(s32, int32_t)
DIVIDE_S(s64, int64_t)
#undef DIVIDE_S

#define ORDER(N, T) \
	BINARY(min_##N, T, a < b ? a : b) \
	BINARY(max_##N, T, a > b ? a : b)
ORDER(u16, uint16_t)
ORDER(u32, uint32_t)
ORDER(u64, uint64_t)
ORDER(s16, int16_t)
ORDER(s32, int32_t)
ORDER(s64, int64_t)
#undef ORDER
BINARY(min_relu_s32, int32_t, (a < b ? a : b) > 0 ? (a < b ? a : b) : 0)
BINARY(max_relu_s32, int32_t, (a > b ? a : b) > 0 ? (a > b ? a : b) : 0)

BINARY(add_sat_s32, int32_t, CLAMP32((int64_t)a + b))
BINARY(sub_sat_s32, int32_t, CLAMP32((int64_t)a - b))
TERNARY(mad_hi_sat_s32, int32_t, CLAMP32((((int64_t)a * b) >> 32) + c))
#undef CLAMP32

/* Two 16-bit numbers in one register. */
#define PACK16(lo, hi) ((uint32_t)(uint16_t)(lo) | (uint32_t)(hi) << 16)
#define LESS16(T, p, q) ((T)(p) < (T)(q) ? (p) : (q))
#define MORE16(T, p, q) ((T)(p) > (T)(q) ? (p) : (q))
BINARY(add_16x2, uint32_t, PACK16(a + b, (a >> 16) + (b >> 16)))
BINARY(sub_16x2, uint32_t, PACK16(a - b, (a >> 16) - (b >> 16)))
BINARY(min_u16x2, uint32_t,
	PACK16(LESS16(uint16_t, a, b), LESS16(uint16_t, a >> 16, b >> 16)))
BINARY(max_u16x2, uint32_t,
	PACK16(MORE16(uint16_t, a, b), MORE16(uint16_t, a >> 16, b >> 16)))
BINARY(min_s16x2, uint32_t,
	PACK16(LESS16(int16_t, a, b), LESS16(int16_t, a >> 16, b >> 16)))
BINARY(max_s16x2, uint32_t,
	PACK16(MORE16(int16_t, a, b), MORE16(int16_t, a >> 16, b >> 16)))
/* .relu: negative results become 0. */
#define RELU16(v) ((int16_t)(v) < 0 ? 0 : (v))
BINARY(min_relu_s16x2, uint32_t,
	PACK16(RELU16(LESS16(int16_t, a, b)), RELU16(LESS16(int16_t, a >> 16, b >> 16))))
BINARY(max_relu_s16x2, uint32_t,
	PACK16(RELU16(MORE16(int16_t, a, b)), RELU16(MORE16(int16_t, a >> 16, b >> 16))))
#undef RELU16
#undef PACK16
#undef LESS16
#undef MORE16

/* Shift amounts are 32 bits wide and clamp at the width. */
#define SHIFT(N, T, OP, BITS, BEYOND) \
	HANDLER(N) \
	{ \
		T *d = DST(T); \
		const T *a = SRC_A(T); \
		const uint32_t *b = SRC_B(uint32_t); \
		LANES(d[l] = b[l] >= BITS ? (T)(BEYOND) : (T)(a[l] OP b[l]);) \
		return EXEC_NEXT; \
	}
SHIFT(shl_u16, uint16_t, <<, 16, 0)
SHIFT(shl_u32, uint32_t, <<, 32, 0)
SHIFT(shl_u64, uint64_t, <<, 64, 0)
SHIFT(shr_u16, uint16_t, >>, 16, 0)
SHIFT(shr_u32, uint32_t, >>, 32, 0)
SHIFT(shr_u64, uint64_t, >>, 64, 0)
SHIFT(shr_s16, int16_t, >>, 16, a[l] >> 15)
SHIFT(shr_s32, int32_t, >>, 32, a[l] >> 31)
SHIFT(shr_s64, int64_t, >>, 64, a[l] >> 63)
#undef SHIFT

/* By integer_index(); the sign does not matter where only three are given. */
#define UNSIGNED(N) \
	{ \
		N##_u16, N##_u32, N##_u64, N##_u16, N##_u32, N##_u64 \
	}
#define SIX(N) \
	{ \
		N##_u16, N##_u32, N##_u64, N##_s16, N##_s32, N##_s64 \
	}
#define SIGNED(N) \
	{ \
		NULL, NULL, NULL, N##_s16, N##_s32, N##_s64 \
	}
static const struct {
	ptx_handler handlers[6];
	int n_sources;
} table[PTX_N_OPCODES] = {
	[PTX_OP_ADD] = { UNSIGNED(add), 2 },
	[PTX_OP_SUB] = { UNSIGNED(sub), 2 },
	[PTX_OP_MUL] = { UNSIGNED(mul), 2 },
	[PTX_OP_MAD] = { UNSIGNED(mad), 3 },
	[PTX_OP_DIV] = { SIX(div), 2 },
	[PTX_OP_REM] = { SIX(rem), 2 },
	[PTX_OP_MIN] = { SIX(min), 2 },
	[PTX_OP_MAX] = { SIX(max), 2 },
	[PTX_OP_ABS] = { SIGNED(abs), 1 },
	[PTX_OP_NEG] = { UNSIGNED(neg), 1 },
	[PTX_OP_AND] = { UNSIGNED(and), 2 },
	[PTX_OP_OR] = { UNSIGNED(or), 2 },
	[PTX_OP_XOR] = { UNSIGNED(xor), 2 },
	[PTX_OP_NOT] = { UNSIGNED(not ), 1 },
	[PTX_OP_CNOT] = { UNSIGNED(cnot), 1 },
};

static const ptx_handler high_mul[6] = SIX(mul_hi);
static const ptx_handler high_mad[6] = SIX(mad_hi);
static const ptx_handler wide_mul[6] = { mul_wide_u16, mul_wide_u32, NULL, mul_wide_s16,
	mul_wide_s32, NULL };
static const ptx_handler wide_mad[6] = { mad_wide_u16, mad_wide_u32, NULL, mad_wide_s16,
	mad_wide_s32, NULL };
static const ptx_handler shift_left[6] = UNSIGNED(shl);
static const ptx_handler shift_right[6] = SIX(shr);
#undef UNSIGNED
#undef SIX
#undef SIGNED

static ptx_handler
choose_wide(const struct ptx_instr *in, int index, int size)
{
	bool mad = in->opcode == PTX_OP_MAD;

	if (!are_registers(in, 0, 1, 2 * size) || !are_registers(in, 1, 2, size) ||
		(mad && !are_registers(in, 3, 1, 2 * size))) {
		return NULL;
	}
	return (mad ? wide_mad : wide_mul)[index];
}

static ptx_handler
choose_24(const struct ptx_instr *in)
{
	bool mad = in->opcode == PTX_OP_MAD24;
	bool high = (in->flags & PTX_HI) != 0;
	bool is_signed = in->type == PTX_S32;

	if ((in->type != PTX_U32 && !is_signed) ||
		!are_registers(in, 0, mad ? 4 : 3, 4)) {
		return NULL;
	}
	if ((in->flags & PTX_SAT) != 0) {
		return mad && high && is_signed ? mad24_hi_sat_s32 : NULL;
	}
	if (mad) {
		return high	   ? is_signed ? mad24_hi_s32 : mad24_hi_u32
		       : is_signed ? mad24_lo_s32
				   : mad24_lo_u32;
	}
	return high	   ? is_signed ? mul24_hi_s32 : mul24_hi_u32
	       : is_signed ? mul24_lo_s32
			   : mul24_lo_u32;
}

static ptx_handler
choose_saturating(const struct ptx_instr *in)
{
	if (in->type != PTX_S32 || !are_registers(in, 0, in->n_operands, 4)) {
		return NULL;
	}
	switch (in->opcode) {
	case PTX_OP_ADD: return in->n_operands == 3 ? add_sat_s32 : NULL;
	case PTX_OP_SUB: return in->n_operands == 3 ? sub_sat_s32 : NULL;
	case PTX_OP_MAD:
		return in->n_operands == 4 && (in->flags & PTX_HI) != 0 ? mad_hi_sat_s32
									: NULL;
	default: return NULL;
	}
}

/* The front end knows no u16x2: the type is told by the text only. */
static ptx_handler
choose_pair(const struct ptx_instr *in)
{
	bool is_signed = ptx_instr_has(in, "s16x2");
	bool relu = (in->flags & PTX_RELU) != 0;

	if ((in->flags & ~(PTX_OTHER | PTX_RELU)) != 0 || (relu && !is_signed) ||
		(!is_signed && !ptx_instr_has(in, "u16x2")) ||
		!are_registers(in, 0, 3, 4)) {
		return NULL;
	}
	switch (in->opcode) {
	case PTX_OP_ADD: return relu ? NULL : add_16x2;
	case PTX_OP_SUB: return relu ? NULL : sub_16x2;
	case PTX_OP_MIN: return relu ? min_relu_s16x2 : is_signed ? min_s16x2 : min_u16x2;
	case PTX_OP_MAX: return relu ? max_relu_s16x2 : is_signed ? max_s16x2 : max_u16x2;
	default: return NULL;
	}
}

ptx_handler
exec_alu_int_choose(struct ptx_instr *in)
{
	if (in->type == PTX_NONE) {
		return choose_pair(in);
	}
	if (in->opcode == PTX_OP_MUL24 || in->opcode == PTX_OP_MAD24) {
		return choose_24(in);
	}
	int index = integer_index(in->type);
	int size = ptx_type_size[in->type];

	if (index < 0 || (in->flags & PTX_OTHER) != 0) {
		return NULL;
	}
	if (in->opcode == PTX_OP_SHL || in->opcode == PTX_OP_SHR) {
		return are_registers(in, 0, 2, size) && are_registers(in, 2, 1, 4)
			       ? (in->opcode == PTX_OP_SHL ? shift_left
							   : shift_right)[index]
			       : NULL;
	}
	if ((in->flags & PTX_SAT) != 0) {
		return choose_saturating(in);
	}
	bool multiply = in->opcode == PTX_OP_MUL || in->opcode == PTX_OP_MAD;

	if (multiply && (in->flags & PTX_WIDE) != 0) {
		return choose_wide(in, index, size);
	}
	if (!are_registers(in, 0, 1 + table[in->opcode].n_sources, size)) {
		return NULL;
	}
	if (multiply && (in->flags & PTX_HI) != 0) {
		return (in->opcode == PTX_OP_MUL ? high_mul : high_mad)[index];
	}
	if ((in->flags & PTX_RELU) != 0) {
		return in->type != PTX_S32	  ? NULL
		       : in->opcode == PTX_OP_MIN ? min_relu_s32
		       : in->opcode == PTX_OP_MAX ? max_relu_s32
						  : NULL;
	}
	return table[in->opcode].handlers[index];
}
