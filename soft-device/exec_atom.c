/* SPDX-License-Identifier: Apache-2.0 */
/* exec_atom.c: atom and red.
 *
 * Lanes do it one after another, lowest first.  All orderings and scopes are the
 * strongest: sequentially consistent for the whole process. */
#include "exec_private.h"

static uint64_t
add_float(enum ptx_type type, uint64_t a, uint64_t b)
{
	switch (type) {
	case PTX_F32:
		return number_bits32(number_canonical(
			number_float((uint32_t)a) + number_float((uint32_t)b)));
	case PTX_F64: return number_bits64(number_double(a) + number_double(b));
	case PTX_BF16:
		return number_to_bf16(number_add_odd(
			number_from_bf16((uint16_t)a), number_from_bf16((uint16_t)b)));
	default:
		return number_to_f16(
			number_from_f16((uint16_t)a) + number_from_f16((uint16_t)b));
	}
}

static uint64_t
add(enum ptx_type type, uint64_t a, uint64_t b)
{
	switch (type) {
	case PTX_F32:
	case PTX_F64:
	case PTX_F16:
	case PTX_BF16: return add_float(type, a, b);
	case PTX_F16X2:
	case PTX_BF16X2: {
		enum ptx_type one = type == PTX_F16X2 ? PTX_F16 : PTX_BF16;

		return add_float(one, a & 0xffff, b & 0xffff) |
		       add_float(one, a >> 16 & 0xffff, b >> 16 & 0xffff) << 16;
	}
	default: return a + b;
	}
}

static bool
is_less(enum ptx_type type, uint64_t a, uint64_t b)
{
	return type == PTX_S32	 ? (int32_t)a < (int32_t)b
	       : type == PTX_S64 ? (int64_t)a < (int64_t)b
				 : a < b;
}

uint64_t
exec_atom_apply(enum ptx_operation operation, enum ptx_type type, uint64_t old,
	uint64_t b, uint64_t c)
{
	switch (operation) {
	case PTX_OPERATION_ADD: return add(type, old, b);
	case PTX_OPERATION_MIN: return is_less(type, old, b) ? old : b;
	case PTX_OPERATION_MAX: return is_less(type, old, b) ? b : old;
	case PTX_OPERATION_AND: return old & b;
	case PTX_OPERATION_OR: return old | b;
	case PTX_OPERATION_XOR: return old ^ b;
	case PTX_OPERATION_EXCH: return b;
	case PTX_OPERATION_CAS: return old == b ? c : old;
	case PTX_OPERATION_INC: return old >= b ? 0 : old + 1;
	default: return old == 0 || old > b ? b : old - 1; /* dec */
	}
}

/* Global memory adds for itself: it flushes subnormal f32 (PTX, atom), and returns the
 * first NaN of f64, operand before memory, as it is.  Shared memory does neither. */
static uint64_t
apply_global(enum ptx_operation operation, enum ptx_type type, uint64_t old, uint64_t b,
	uint64_t c)
{
	if (operation == PTX_OPERATION_ADD && type == PTX_F32) {
		float sum = number_flush(number_float((uint32_t)old)) +
			    number_flush(number_float((uint32_t)b));

		return number_bits32(number_canonical(number_flush(sum)));
	}
	if (operation == PTX_OPERATION_ADD && type == PTX_F64) {
		if (isnan(number_double(b))) {
			return b;
		}
		if (isnan(number_double(old))) {
			return old;
		}
	}
	return exec_atom_apply(operation, type, old, b, c);
}

#define EXCHANGE(N, T) \
	static uint64_t exchange_##N(const struct ptx_instr *in, bool global, T *place, \
		uint64_t b, uint64_t c) \
	{ \
		T old = __atomic_load_n(place, __ATOMIC_RELAXED); \
		T new; \
		do { \
			new = (T)(global ? apply_global : exec_atom_apply)( \
				in->operation, in->type, old, (T)b, (T)c); \
		} while (!__atomic_compare_exchange_n( \
			place, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)); \
		return old; \
	}
EXCHANGE(16, uint16_t)
EXCHANGE(32, uint32_t)
EXCHANGE(64, uint64_t)
#undef EXCHANGE

HANDLER(atom)
{
	bool is_red = in->opcode == PTX_OP_RED;
	const struct ptx_operand *to = &in->operands[is_red ? 0 : 1];
	const struct ptx_operand *b = &in->operands[is_red ? 1 : 2];
	const struct ptx_operand *c = &in->operands[3];
	int size = ptx_type_size[in->type];
	bool has_c = in->operation == PTX_OPERATION_CAS;

	FOR_LANES(l, x->mask)
	{
		enum ptx_space space = in->space;
		uint64_t address = exec_mem_address(x, to, (int)l, &space);
		void *place =
			exec_mem_translate(x, in, space, address, (uint64_t)size, (int)l);

		if (place == NULL || ((uintptr_t)place & ((uintptr_t)size - 1)) != 0) {
			x->mask = 1u << l;
			return exec_mem_fault(x, in, place, address);
		}
		bool global = space == PTX_GLOBAL ||
			      (space == PTX_GENERIC && address >> 56 == 0);
		uint64_t vb = lane_read(x, b->offset, b->size, (int)l);
		uint64_t vc = has_c ? lane_read(x, c->offset, c->size, (int)l) : 0;
		uint64_t old = size == 2   ? exchange_16(in, global, place, vb, vc)
			       : size == 4 ? exchange_32(in, global, place, vb, vc)
					   : exchange_64(in, global, place, vb, vc);

		if (!is_red && in->dst != 0) {
			lane_write(x, in->dst, in->operands[0].size, (int)l, old);
		}
	}
	return EXEC_NEXT;
}

static bool
is_type_fit(const struct ptx_instr *in)
{
	int size = ptx_type_size[in->type];
	bool integer = in->type == PTX_U32 || in->type == PTX_S32 ||
		       in->type == PTX_U64 || in->type == PTX_S64;

	switch (in->operation) {
	case PTX_OPERATION_ADD:
		return integer || in->type == PTX_F32 || in->type == PTX_F64 ||
		       is_half(in->type);
	case PTX_OPERATION_MIN:
	case PTX_OPERATION_MAX: return integer;
	case PTX_OPERATION_AND:
	case PTX_OPERATION_OR:
	case PTX_OPERATION_XOR: return integer_index(in->type) >= 0 && size >= 4;
	case PTX_OPERATION_EXCH:
	case PTX_OPERATION_CAS: return integer_index(in->type) >= 0;
	case PTX_OPERATION_INC:
	case PTX_OPERATION_DEC: return in->type == PTX_U32;
	default: return false;
	}
}

ptx_handler
exec_atom_choose(struct ptx_instr *in)
{
	bool is_red = in->opcode == PTX_OP_RED;
	int place = is_red ? 0 : 1;
	int n_values = in->operation == PTX_OPERATION_CAS ? 2 : 1;
	int size = ptx_type_size[in->type];
	const struct ptx_operand *to = &in->operands[place];

	if (in->vector != 0 || !is_type_fit(in) ||
		in->n_operands != place + 1 + n_values ||
		to->kind != PTX_OPERAND_MEMORY || to->n_elements != 0 ||
		(to->base == PTX_BASE_REG &&
			(to->offset == 0 || (to->size != 4 && to->size != 8))) ||
		(in->space != PTX_GENERIC && in->space != PTX_GLOBAL &&
			in->space != PTX_SHARED) ||
		!are_registers(in, place + 1, n_values, size)) {
		return NULL;
	}
	return is_red || is_sink(in, 0) || are_registers(in, 0, 1, size) ? atom : NULL;
}
