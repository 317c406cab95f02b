/* SPDX-License-Identifier: Apache-2.0 */
/* exec_half.c: arithmetic and comparisons of f16, bf16 and pairs of them.
 *
 * One slow handler for all: every number becomes a double, is computed exactly (or
 * rounded to odd, exec_number.h) and is rounded once. */
#include "exec_private.h"

enum half_op {
	HALF_ADD,
	HALF_SUB,
	HALF_MUL,
	HALF_FMA,
	HALF_MIN,
	HALF_MAX,
	HALF_NEG,
	HALF_ABS,
	HALF_EX2,
	HALF_TANH,
};

/* Bits of instr->sub above the operation. */
#define HALF_OP 0x1f
#define HALF_RELU 0x20 /* negative results and -0 become 0 */
#define HALF_NAN 0x40  /* min, max: NaN if either is */

static bool
is_bf16(const struct ptx_instr *in)
{
	return in->type == PTX_BF16 || in->type == PTX_BF16X2;
}

static bool
is_pair(const struct ptx_instr *in)
{
	return in->type == PTX_F16X2 || in->type == PTX_BF16X2;
}

static double
half_decode(uint16_t bits, bool bf16, bool flush)
{
	if (flush && (bits & (bf16 ? 0x7f80 : 0x7c00)) == 0) {
		bits &= 0x8000;
	}
	return bf16 ? number_from_bf16(bits) : number_from_f16(bits);
}

static double
half_compute(int op, double a, double b, double c)
{
	switch (op & HALF_OP) {
	case HALF_ADD: return number_add_odd(a, b);
	case HALF_SUB: return number_add_odd(a, -b);
	case HALF_MUL: return a * b;
	case HALF_FMA: {
		double product = a * b; /* exact: at most 22 bits */

		return number_add_odd(product, c);
	}
	case HALF_NEG: return -a;
	case HALF_ABS: return fabs(a);
	case HALF_EX2: return exp2(a);
	case HALF_TANH: return tanh(a);
	case HALF_MIN:
	case HALF_MAX: break;
	default: return 0;
	}
	if (isnan(a) || isnan(b)) {
		return (op & HALF_NAN) != 0 || isnan(a) ? (op & HALF_NAN) != 0 ? NAN : b
							: a;
	}
	if (a == b) {
		return ((op & HALF_OP) == HALF_MIN) == (signbit(a) != 0) ? a : b;
	}
	return ((op & HALF_OP) == HALF_MIN) == (a < b) ? a : b;
}

static uint16_t
half_apply(const struct ptx_instr *in, uint16_t a, uint16_t b, uint16_t c)
{
	bool bf16 = is_bf16(in);
	bool flush = (in->flags & PTX_FTZ) != 0;

	double result = half_compute(in->sub, half_decode(a, bf16, flush),
		half_decode(b, bf16, flush), half_decode(c, bf16, flush));

	if ((in->flags & PTX_SAT) != 0) {
		result = number_saturate(result);
	}
	if ((in->sub & HALF_RELU) != 0 && !isnan(result) && !(result > 0)) {
		result = 0;
	}
	uint16_t bits = bf16 ? number_to_bf16(result) : number_to_f16(result);

	if (flush && (bits & (bf16 ? 0x7f80 : 0x7c00)) == 0) {
		bits &= 0x8000;
	}
	return bits;
}

HANDLER(half_arithmetic)
{
	bool has_b = in->n_operands > 2;
	bool has_c = in->n_operands > 3;

	if (is_pair(in)) {
		uint32_t *d = DST(uint32_t);
		const uint32_t *a = SRC_A(uint32_t), *b = SRC_B(uint32_t),
			       *c = SRC_C(uint32_t);

		FOR_LANES(l, x->mask)
		{
			uint32_t vb = has_b ? b[l] : 0;
			uint32_t vc = has_c ? c[l] : 0;
			uint32_t low = half_apply(
				in, (uint16_t)a[l], (uint16_t)vb, (uint16_t)vc);
			uint32_t high = half_apply(in, a[l] >> 16, vb >> 16, vc >> 16);

			d[l] = low | high << 16;
		}
	} else {
		uint16_t *d = DST(uint16_t);
		const uint16_t *a = SRC_A(uint16_t), *b = SRC_B(uint16_t),
			       *c = SRC_C(uint16_t);

		FOR_LANES(l, x->mask)
		{
			d[l] = half_apply(in, a[l], has_b ? b[l] : 0, has_c ? c[l] : 0);
		}
	}
	return EXEC_NEXT;
}

ptx_handler
exec_half_choose(struct ptx_instr *in)
{
	static const struct {
		bool is_ours;
		uint8_t op;
		uint8_t n_sources;
	} table[PTX_N_OPCODES] = {
		[PTX_OP_ADD] = { true, HALF_ADD, 2 },
		[PTX_OP_SUB] = { true, HALF_SUB, 2 },
		[PTX_OP_MUL] = { true, HALF_MUL, 2 },
		[PTX_OP_FMA] = { true, HALF_FMA, 3 },
		[PTX_OP_MIN] = { true, HALF_MIN, 2 },
		[PTX_OP_MAX] = { true, HALF_MAX, 2 },
		[PTX_OP_NEG] = { true, HALF_NEG, 1 },
		[PTX_OP_ABS] = { true, HALF_ABS, 1 },
		[PTX_OP_EX2] = { true, HALF_EX2, 1 },
		[PTX_OP_TANH] = { true, HALF_TANH, 1 },
	};

	if (!is_half(in->type) || !table[in->opcode].is_ours ||
		in->rounding > PTX_ROUND_NEAREST ||
		(in->flags & (PTX_XORSIGN | PTX_OOB | PTX_OTHER | PTX_NOFTZ)) != 0 ||
		!are_registers(
			in, 0, 1 + table[in->opcode].n_sources, is_pair(in) ? 4 : 2) ||
		in->n_operands != 1 + table[in->opcode].n_sources || in->n_types > 1) {
		return NULL;
	}
	in->sub = table[in->opcode].op | ((in->flags & PTX_RELU) != 0 ? HALF_RELU : 0) |
		  ((in->flags & PTX_NAN) != 0 ? HALF_NAN : 0);
	return half_arithmetic;
}
