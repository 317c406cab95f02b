/* SPDX-License-Identifier: Apache-2.0 */
/* exec_alu_bit.c: bit fields, permutations, dot products, carry chains. */
#include "exec_private.h"

/* In sub: the type is a signed one. */
#define IS_SIGNED 1

UNARY(popc_32, uint32_t, (uint32_t)__builtin_popcount(a))
UNARY(clz_32, uint32_t, a == 0 ? 32u : (uint32_t)__builtin_clz(a))

static inline uint32_t
reverse(uint32_t v)
{
	v = (v >> 1 & 0x55555555) | (v & 0x55555555) << 1;
	v = (v >> 2 & 0x33333333) | (v & 0x33333333) << 2;
	v = (v >> 4 & 0x0f0f0f0f) | (v & 0x0f0f0f0f) << 4;
	return __builtin_bswap32(v);
}
UNARY(brev_32, uint32_t, reverse(a))
UNARY(brev_64, uint64_t,
	(uint64_t)reverse((uint32_t)a) << 32 | reverse((uint32_t)(a >> 32)))

/* 32-bit results of 64-bit sources. */
HANDLER(popc_64)
{
	const uint64_t *a = SRC_A(uint64_t);

	LANES(DST(uint32_t)[l] = (uint32_t)__builtin_popcountll(a[l]);)
	return EXEC_NEXT;
}

HANDLER(clz_64)
{
	const uint64_t *a = SRC_A(uint64_t);

	LANES(DST(uint32_t)[l] = a[l] == 0 ? 64u : (uint32_t)__builtin_clzll(a[l]);)
	return EXEC_NEXT;
}

/* The first bit that is not a sign; .shiftamt: how far to shift it up to the top. */
HANDLER(bfind)
{
	int size = in->operands[1].size;
	int width = size * 8;
	uint32_t *d = DST(uint32_t);

	FOR_LANES(l, x->mask)
	{
		uint64_t a = lane_read(x, in->a, size, (int)l);

		if ((in->sub & IS_SIGNED) != 0 && (a >> (width - 1) & 1) != 0) {
			a = ~a & (~0ull >> (64 - width));
		}
		uint32_t place = a == 0 ? 0xffffffff : 63 - (uint32_t)__builtin_clzll(a);

		d[l] = a != 0 && (in->flags & PTX_SHIFTAMT) != 0
			       ? (uint32_t)width - 1 - place
			       : place;
	}
	return EXEC_NEXT;
}

/* Position and length may reach beyond the register.  PTX takes them modulo 256; an H200
 * does so for 32 bits only. */
static uint32_t
field_bound(uint32_t value, int width)
{
	return width == 32 ? value & 255 : value > 255 ? 255 : value;
}

static uint64_t
extract(uint64_t a, uint32_t position, uint32_t length, int width, bool is_signed)
{
	uint64_t sign = 0;

	position = field_bound(position, width);
	length = field_bound(length, width);
	if (is_signed && length != 0) {
		uint32_t last = position + length - 1;

		if (last > (uint32_t)width - 1) {
			last = (uint32_t)width - 1;
		}
		sign = a >> last & 1;
	}
	uint64_t field = position < (uint32_t)width ? a >> position : 0;
	uint32_t there = position < (uint32_t)width ? (uint32_t)width - position : 0;
	uint32_t n = length < there ? length : there;
	uint64_t mask = n >= 64 ? ~0ull : (1ull << n) - 1;

	return (field & mask) | (sign != 0 ? ~mask : 0);
}

HANDLER(bfe)
{
	int size = in->operands[1].size;

	FOR_LANES(l, x->mask)
	{
		lane_write(x, in->dst, size, (int)l,
			extract(lane_read(x, in->a, size, (int)l), SRC_B(uint32_t)[l],
				SRC_C(uint32_t)[l], size * 8,
				(in->sub & IS_SIGNED) != 0));
	}
	return EXEC_NEXT;
}

HANDLER(bfi)
{
	int size = in->operands[1].size;
	const uint32_t *lengths = REG(uint32_t, in->operands[4].offset);

	FOR_LANES(l, x->mask)
	{
		uint64_t field = lane_read(x, in->a, size, (int)l);
		uint64_t base = lane_read(x, in->b, size, (int)l);
		uint32_t position = field_bound(SRC_C(uint32_t)[l], size * 8);
		uint32_t length = field_bound(lengths[l], size * 8);
		uint64_t mask = length >= 64 ? ~0ull : (1ull << length) - 1;

		if (position < (uint32_t)size * 8) {
			base = (base & ~(mask << position)) | (field & mask) << position;
		}
		lane_write(x, in->dst, size, (int)l, base);
	}
	return EXEC_NEXT;
}

static uint32_t
permute(enum ptx_operation mode, uint32_t a, uint32_t b, uint32_t c)
{
	/* Which byte goes to each place, lowest first, by the two lower bits of c. */
	static const uint16_t modes[6][4] = {
		{ 0x3210, 0x4321, 0x5432, 0x6543 }, /* f4e */
		{ 0x5670, 0x6701, 0x7012, 0x0123 }, /* b4e */
		{ 0x0000, 0x1111, 0x2222, 0x3333 }, /* rc8 */
		{ 0x3210, 0x3211, 0x3222, 0x3333 }, /* ecl */
		{ 0x0000, 0x1110, 0x2210, 0x3210 }, /* ecr */
		{ 0x1010, 0x3232, 0x1010, 0x3232 }, /* rc16 */
	};
	uint64_t bytes = (uint64_t)b << 32 | a;
	uint32_t result = 0;

	if (mode != PTX_OPERATION_NONE) {
		c = modes[mode - PTX_OPERATION_F4E][c & 3];
	}
	for (int i = 0; i < 4; i++) {
		uint32_t select = c >> (4 * i) & 15;
		uint32_t byte = (uint32_t)(bytes >> (8 * (select & 7))) & 0xff;

		if ((select & 8) != 0) {
			byte = (byte & 0x80) != 0 ? 0xff : 0;
		}
		result |= byte << (8 * i);
	}
	return result;
}

HANDLER(prmt)
{
	uint32_t *d = DST(uint32_t);
	const uint32_t *a = SRC_A(uint32_t), *b = SRC_B(uint32_t), *c = SRC_C(uint32_t);

	LANES(d[l] = permute(in->operation, a[l], b[l], c[l]);)
	return EXEC_NEXT;
}

/* Funnel shift of b:a.  .wrap takes the amount modulo 32, .clamp stops at 32. */
#define FUNNEL(N, AMOUNT, RESULT) \
	HANDLER(N) \
	{ \
		uint32_t *d = DST(uint32_t); \
		const uint32_t *a = SRC_A(uint32_t), *b = SRC_B(uint32_t), \
			       *c = SRC_C(uint32_t); \
		LANES(uint64_t v = (uint64_t)b[l] << 32 | a[l]; uint32_t n = AMOUNT; \
			d[l] = (uint32_t)(RESULT);) \
		return EXEC_NEXT; \
	}
FUNNEL(shf_l_wrap, c[l] & 31, v << n >> 32)
FUNNEL(shf_r_wrap, c[l] & 31, v >> n)
FUNNEL(shf_l_clamp, c[l] > 32 ? 32 : c[l], v << n >> 32)
FUNNEL(shf_r_clamp, c[l] > 32 ? 32 : c[l], v >> n)
#undef FUNNEL

/* Any function of three bits: sub is its truth table. */
HANDLER(lop3)
{
	uint32_t result[WARP_SIZE] = { 0 };
	const uint32_t *a = SRC_A(uint32_t), *b = SRC_B(uint32_t), *c = SRC_C(uint32_t);

	for (unsigned int i = 0; i < 8; i++) {
		if ((in->sub >> i & 1) == 0) {
			continue;
		}
		uint32_t na = (i & 4) != 0 ? 0 : FULL_MASK;
		uint32_t nb = (i & 2) != 0 ? 0 : FULL_MASK;
		uint32_t nc = (i & 1) != 0 ? 0 : FULL_MASK;

		for (int l = 0; l < WARP_SIZE; l++) {
			result[l] |= (a[l] ^ na) & (b[l] ^ nb) & (c[l] ^ nc);
		}
	}
	uint32_t *d = DST(uint32_t);

	LANES(d[l] = result[l];)
	return EXEC_NEXT;
}

#define DISTANCE(p, q) \
	((p) < (q) ? (uint64_t)(q) - (uint64_t)(p) : (uint64_t)(p) - (uint64_t)(q))
TERNARY(sad_u16, uint16_t, DISTANCE(a, b) + c)
TERNARY(sad_u32, uint32_t, DISTANCE(a, b) + c)
TERNARY(sad_u64, uint64_t, DISTANCE(a, b) + c)
TERNARY(sad_s16, int16_t, DISTANCE(a, b) + (uint64_t)c)
TERNARY(sad_s32, int32_t, DISTANCE(a, b) + (uint64_t)c)
TERNARY(sad_s64, int64_t, DISTANCE(a, b) + (uint64_t)c)
#undef DISTANCE

static int32_t
byte_of(uint32_t v, int i, bool is_signed)
{
	return is_signed ? (int8_t)(v >> (8 * i)) : (uint8_t)(v >> (8 * i));
}

static int32_t
half_of(uint32_t v, int i, bool is_signed)
{
	return is_signed ? (int16_t)(v >> (16 * i)) : (uint16_t)(v >> (16 * i));
}

HANDLER(dp4a)
{
	bool sa = in->type == PTX_S32, sb = in->type2 == PTX_S32;
	uint32_t *d = DST(uint32_t);
	const uint32_t *a = SRC_A(uint32_t), *b = SRC_B(uint32_t), *c = SRC_C(uint32_t);

	FOR_LANES(l, x->mask)
	{
		uint32_t sum = c[l];

		for (int i = 0; i < 4; i++) {
			sum += (uint32_t)(byte_of(a[l], i, sa) * byte_of(b[l], i, sb));
		}
		d[l] = sum;
	}
	return EXEC_NEXT;
}

/* Two 16-bit numbers of a with the lower or upper two bytes of b. */
HANDLER(dp2a)
{
	bool sa = in->type == PTX_S32, sb = in->type2 == PTX_S32;
	int first = (in->flags & PTX_HI) != 0 ? 2 : 0;
	uint32_t *d = DST(uint32_t);
	const uint32_t *a = SRC_A(uint32_t), *b = SRC_B(uint32_t), *c = SRC_C(uint32_t);

	FOR_LANES(l, x->mask)
	{
		uint32_t sum = c[l];

		for (int i = 0; i < 2; i++) {
			sum += (uint32_t)(half_of(a[l], i, sa) *
					  byte_of(b[l], first + i, sb));
		}
		d[l] = sum;
	}
	return EXEC_NEXT;
}

/* Sum of absolute differences of four bytes, added to c; without .add each by itself. */
HANDLER(vabsdiff4)
{
	bool sa = in->type2 == PTX_S32, sb = in->type3 == PTX_S32;
	uint32_t *d = DST(uint32_t);

	FOR_LANES(l, x->mask)
	{
		uint32_t a = SRC_A(uint32_t)[l], b = SRC_B(uint32_t)[l];
		uint32_t sum = SRC_C(uint32_t)[l];

		for (int i = 0; i < 4; i++) {
			int32_t p = byte_of(a, i, sa), q = byte_of(b, i, sb);

			sum += (uint32_t)(p < q ? q - p : p - q);
		}
		d[l] = sum;
	}
	return EXEC_NEXT;
}

/* A mask of b bits from bit a up. */
HANDLER(bmsk)
{
	bool clamp = (in->flags & PTX_CLAMP) != 0;
	uint32_t *d = DST(uint32_t);

	FOR_LANES(l, x->mask)
	{
		uint32_t a = SRC_A(uint32_t)[l], b = SRC_B(uint32_t)[l];

		a = clamp ? a > 32 ? 32 : a : a & 31;
		b = clamp ? b > 32 ? 32 : b : b & 31;
		d[l] = (uint32_t)(((1ull << b) - 1) << a);
	}
	return EXEC_NEXT;
}

/* Keep the lower b bits and extend. */
HANDLER(szext)
{
	bool clamp = (in->flags & PTX_CLAMP) != 0;
	uint32_t *d = DST(uint32_t);

	FOR_LANES(l, x->mask)
	{
		uint32_t a = SRC_A(uint32_t)[l], b = SRC_B(uint32_t)[l];

		b = clamp ? b > 32 ? 32 : b : b & 31;
		if (b < 32) {
			uint32_t mask = (1u << b) - 1;
			bool negative = (in->sub & IS_SIGNED) != 0 && b != 0 &&
					(a >> (b - 1) & 1) != 0;

			a = (a & mask) | (negative ? ~mask : 0);
		}
		d[l] = a;
	}
	return EXEC_NEXT;
}

/* The c-th set bit of a, counted from bit b: up if c > 0, down if c < 0. */
HANDLER(fns)
{
	uint32_t *d = DST(uint32_t);

	FOR_LANES(l, x->mask)
	{
		uint32_t a = SRC_A(uint32_t)[l], b = SRC_B(uint32_t)[l];
		int32_t n = SRC_C(int32_t)[l];
		uint32_t found = 0xffffffff;

		if (n == 0) {
			found = b < 32 && (a >> b & 1) != 0 ? b : 0xffffffff;
		} else {
			int64_t left = n < 0 ? -(int64_t)n : n;

			for (int64_t i = b; i >= 0 && i < 32; i += n < 0 ? -1 : 1) {
				if ((a >> i & 1) != 0 && --left == 0) {
					found = (uint32_t)i;
					break;
				}
			}
		}
		d[l] = found;
	}
	return EXEC_NEXT;
}

/* add.cc, addc, sub.cc, subc, mad.cc, madc: sub says which sum, the flag lives in the
 * frame.  Of sub it is the borrow. */
enum { CARRY_ADD, CARRY_SUB, CARRY_MAD };
#define CARRY_KIND 3
#define CARRY_IN 4

static uint64_t
carry_product(
	const struct exec_context *x, const struct ptx_instr *in, int lane, int size)
{
	uint64_t a = lane_read(x, in->a, size, lane);
	uint64_t b = lane_read(x, in->b, size, lane);
	bool high = (in->flags & PTX_HI) != 0;

	if (size == 4) {
		if (!high) {
			return (uint32_t)(a * b);
		}
		return in->type == PTX_S32
			       ? (uint32_t)(((int64_t)(int32_t)a * (int32_t)b) >> 32)
			       : (a * b) >> 32;
	}
	if (!high) {
		return a * b;
	}
	return in->type == PTX_S64 ? (uint64_t)(((__int128)(int64_t)a * (int64_t)b) >> 64)
				   : (uint64_t)(((unsigned __int128)a * b) >> 64);
}

HANDLER(carry)
{
	uint32_t *flags = REG(uint32_t, PTX_FRAME_CARRY);
	uint32_t old = (in->sub & CARRY_IN) != 0 ? *flags : 0;
	int size = ptx_type_size[in->type];
	int kind = in->sub & CARRY_KIND;
	uint32_t out = 0;

	FOR_LANES(l, x->mask)
	{
		unsigned __int128 a = lane_read(x, in->a, size, (int)l);
		unsigned __int128 b = lane_read(x, in->b, size, (int)l);
		unsigned int c = old >> l & 1;
		unsigned __int128 sum;

		if (kind == CARRY_MAD) {
			sum = (unsigned __int128)carry_product(x, in, (int)l, size) +
			      lane_read(x, in->c, size, (int)l) + c;
		} else {
			sum = kind == CARRY_ADD ? a + b + c : a - b - c;
		}
		out |= (uint32_t)(sum >> (8 * size) & 1) << l;
		lane_write(x, in->dst, size, (int)l, (uint64_t)sum);
	}
	if ((in->flags & PTX_CC) != 0) {
		*flags = (*flags & ~x->mask) | out;
	}
	return EXEC_NEXT;
}

static ptx_handler
choose_carry(struct ptx_instr *in)
{
	bool mad = in->opcode == PTX_OP_MAD || in->opcode == PTX_OP_MADC;
	int size = ptx_type_size[in->type];

	if ((size != 4 && size != 8) || integer_index(in->type) < 0 ||
		!are_registers(in, 0, mad ? 4 : 3, size)) {
		return NULL;
	}
	switch (in->opcode) {
	case PTX_OP_ADD: in->sub = CARRY_ADD; break;
	case PTX_OP_ADDC: in->sub = CARRY_ADD | CARRY_IN; break;
	case PTX_OP_SUB: in->sub = CARRY_SUB; break;
	case PTX_OP_SUBC: in->sub = CARRY_SUB | CARRY_IN; break;
	case PTX_OP_MAD: in->sub = CARRY_MAD; break;
	default: in->sub = CARRY_MAD | CARRY_IN;
	}
	return carry;
}

static ptx_handler
choose_funnel(const struct ptx_instr *in)
{
	bool clamp = (in->flags & PTX_CLAMP) != 0;

	if (!are_registers(in, 0, 4, 4) || (!clamp && (in->flags & PTX_WRAP) == 0)) {
		return NULL;
	}
	if ((in->flags & PTX_LEFT) != 0) {
		return clamp ? shf_l_clamp : shf_l_wrap;
	}
	return (in->flags & PTX_RIGHT) == 0 ? NULL : clamp ? shf_r_clamp : shf_r_wrap;
}

static ptx_handler
choose_lop3(struct ptx_instr *in)
{
	const struct ptx_operand *table = &in->operands[4];

	if (in->n_operands != 5 || !are_registers(in, 0, 4, 4) || !table->immediate ||
		in->has_second || in->operation != PTX_OPERATION_NONE) {
		return NULL;
	}
	in->sub = (uint32_t)table->imm & 0xff;
	return lop3;
}

ptx_handler
exec_alu_bit_choose(struct ptx_instr *in)
{
	static const ptx_handler sad[6] = { sad_u16, sad_u32, sad_u64, sad_s16, sad_s32,
		sad_s64 };
	int size = ptx_type_size[in->type];
	bool is_32 = size == 4;
	bool is_word = is_32 || size == 8;

	in->sub = ptx_type_is_signed(in->type) ? IS_SIGNED : 0;
	switch (in->opcode) {
	case PTX_OP_POPC:
	case PTX_OP_CLZ:
		if (!is_word || !are_registers(in, 0, 1, 4) ||
			!are_registers(in, 1, 1, size)) {
			return NULL;
		}
		return in->opcode == PTX_OP_POPC ? is_32 ? popc_32 : popc_64
		       : is_32			 ? clz_32
						 : clz_64;
	case PTX_OP_BREV:
		return !is_word || !are_registers(in, 0, 2, size) ? NULL
		       : is_32					  ? brev_32
								  : brev_64;
	case PTX_OP_BFIND:
		return is_word && are_registers(in, 0, 1, 4) &&
				       are_registers(in, 1, 1, size)
			       ? bfind
			       : NULL;
	case PTX_OP_BFE:
		return is_word && are_registers(in, 0, 2, size) &&
				       are_registers(in, 2, 2, 4)
			       ? bfe
			       : NULL;
	case PTX_OP_BFI:
		return is_word && are_registers(in, 0, 3, size) &&
				       are_registers(in, 3, 2, 4)
			       ? bfi
			       : NULL;
	case PTX_OP_PRMT: return are_registers(in, 0, 4, 4) ? prmt : NULL;
	case PTX_OP_SHF: return choose_funnel(in);
	case PTX_OP_LOP3: return choose_lop3(in);
	case PTX_OP_SAD:
		return integer_index(in->type) >= 0 && are_registers(in, 0, 4, size)
			       ? sad[integer_index(in->type)]
			       : NULL;
	case PTX_OP_DP4A: return are_registers(in, 0, 4, 4) ? dp4a : NULL;
	case PTX_OP_DP2A: return are_registers(in, 0, 4, 4) ? dp2a : NULL;
	case PTX_OP_VABSDIFF4:
		return in->operation == PTX_OPERATION_ADD && in->n_operands == 4 &&
				       are_registers(in, 0, 4, 4)
			       ? vabsdiff4
			       : NULL;
	case PTX_OP_BMSK: return are_registers(in, 0, 3, 4) ? bmsk : NULL;
	case PTX_OP_SZEXT: return are_registers(in, 0, 3, 4) ? szext : NULL;
	case PTX_OP_FNS: return are_registers(in, 0, 4, 4) ? fns : NULL;
	default: return choose_carry(in);
	}
}
