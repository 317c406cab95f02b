/* SPDX-License-Identifier: Apache-2.0 */
/* exec_mov.c: mov in all its forms, cvta, isspacep, and the registers that tick. */
#include "exec_private.h"

#include <time.h>

#define MOVE(N, T) \
	HANDLER(mov_##N) \
	{ \
		T *d = DST(T); \
		const T *a = SRC_A(T); \
		LANES(d[l] = a[l];) \
		return EXEC_NEXT; \
	}
MOVE(16, uint16_t)
MOVE(32, uint32_t)
MOVE(64, uint64_t)
#undef MOVE

typedef uint64_t vector16 __attribute__((vector_size(16), may_alias));

HANDLER(mov_128)
{
	vector16 *d = DST(vector16);
	const vector16 *a = SRC_A(vector16);

	LANES(d[l] = a[l];)
	return EXEC_NEXT;
}

/* A special register of 32 bits into a register of 64. */
HANDLER(mov_resize)
{
	FOR_LANES(l, x->mask)
	{
		lane_write(x, in->dst, in->operands[0].size, (int)l,
			lane_read(x, in->a, in->operands[1].size, (int)l));
	}
	return EXEC_NEXT;
}

static uint64_t
nanoseconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

HANDLER(mov_clock)
{
	uint64_t value;

	switch (in->operands[1].special) {
	case PTX_GLOBALTIMER:
	case PTX_GLOBALTIMER_LO: value = nanoseconds(CLOCK_REALTIME); break;
	case PTX_GLOBALTIMER_HI: value = nanoseconds(CLOCK_REALTIME) >> 32; break;
	case PTX_CLOCK_HI: value = nanoseconds(CLOCK_MONOTONIC) >> 32; break;
	default: value = nanoseconds(CLOCK_MONOTONIC);
	}
	/* Who looks at a clock may be waiting for it. */
	x->slice -= 16;
	FOR_LANES(l, x->mask)
	{
		lane_write(x, in->dst, in->operands[0].size, (int)l, value);
	}
	return EXEC_NEXT;
}

static uint64_t
generic(uint64_t address, enum ptx_space space)
{
	return space == PTX_SHARED  ? address | PTX_WINDOW_SHARED
	       : space == PTX_LOCAL ? address | PTX_WINDOW_LOCAL
				    : address;
}

/* The address of something, in its own space (mov) or generic (cvta). */
HANDLER(mov_address)
{
	enum ptx_space space = PTX_GENERIC;

	FOR_LANES(l, x->mask)
	{
		uint64_t address = exec_mem_address(x, &in->operands[1], (int)l, &space);

		if (in->opcode == PTX_OP_CVTA && (in->flags & PTX_TO) == 0) {
			address = generic(address, space);
		}
		lane_write(x, in->dst, in->operands[0].size, (int)l, address);
	}
	return EXEC_NEXT;
}

HANDLER(cvta)
{
	uint64_t window = in->space == PTX_SHARED  ? PTX_WINDOW_SHARED
			  : in->space == PTX_LOCAL ? PTX_WINDOW_LOCAL
						   : 0;
	uint64_t *d = DST(uint64_t);
	const uint64_t *a = SRC_A(uint64_t);

	if ((in->flags & PTX_TO) != 0) {
		LANES(d[l] = a[l] & ~window;)
	} else {
		LANES(d[l] = a[l] | window;)
	}
	return EXEC_NEXT;
}

HANDLER(isspacep)
{
	uint64_t wanted = in->space == PTX_SHARED  ? PTX_WINDOW_SHARED
			  : in->space == PTX_LOCAL ? PTX_WINDOW_LOCAL
			  : in->space == PTX_PARAM ? PTX_WINDOW_PARAM
						   : 0;
	uint32_t mask = 0;

	FOR_LANES(l, x->mask)
	{
		uint64_t window = SRC_A(uint64_t)[l] & PTX_WINDOW_MASK;

		/* Constants are in global memory here: cvta gives the same address. */
		mask |= (uint32_t)(window == wanted && in->space != PTX_CONST) << l;
	}
	predicate_write(x, in->dst, mask);
	return EXEC_NEXT;
}

static void
wide_read(const struct exec_context *x, uint32_t offset, int size, int lane,
	uint8_t value[16])
{
	memset(value, 0, 16);
	if (size == 16) {
		memcpy(value, x->registers + offset + (size_t)lane * 16, 16);
		return;
	}
	uint64_t v = lane_read(x, offset, size, lane);

	memcpy(value, &v, 8);
}

static void
wide_write(struct exec_context *x, uint32_t offset, int size, int lane,
	const uint8_t value[16])
{
	uint64_t v;

	if (offset != 0 && size == 16) {
		memcpy(x->registers + offset + (size_t)lane * 16, value, 16);
		return;
	}
	memcpy(&v, value, 8);
	lane_write(x, offset, size, lane, v);
}

/* mov.b64 %rd, {%r1, %r2}: the first element is the lowest. */
HANDLER(mov_pack)
{
	const struct ptx_operand *d = &in->operands[0];
	const struct ptx_operand *vector = &in->operands[1];
	size_t size = in->sub;

	FOR_LANES(l, x->mask)
	{
		uint8_t value[32] = { 0 };

		for (int i = 0; i < vector->n_elements; i++) {
			uint8_t element[16];

			wide_read(x, vector->elements[i].offset, vector->elements[i].size,
				(int)l, element);
			memcpy(value + (size_t)i * size, element, size);
		}
		wide_write(x, d->offset, d->size, (int)l, value);
	}
	return EXEC_NEXT;
}

HANDLER(mov_unpack)
{
	const struct ptx_operand *vector = &in->operands[0];
	const struct ptx_operand *a = &in->operands[1];
	size_t size = in->sub;

	FOR_LANES(l, x->mask)
	{
		uint8_t value[16];

		wide_read(x, a->offset, a->size, (int)l, value);
		for (int i = 0; i < vector->n_elements; i++) {
			uint8_t element[16] = { 0 };

			memcpy(element, value + (size_t)i * size, size);
			wide_write(x, vector->elements[i].offset,
				vector->elements[i].size, (int)l, element);
		}
	}
	return EXEC_NEXT;
}

/* The vector has 2, 4 or 8 elements of at least their share of the type's size. */
static bool
is_packable(struct ptx_instr *in, int vector_index)
{
	const struct ptx_operand *vector = &in->operands[vector_index];
	const struct ptx_operand *scalar = &in->operands[1 - vector_index];
	int total = ptx_type_size[in->type];
	int n = vector->n_elements;

	if ((n != 2 && n != 4 && n != 8) || total % n != 0 ||
		scalar->kind != PTX_OPERAND_REG || scalar->predicate ||
		scalar->offset == 0 || scalar->size != total) {
		return false;
	}
	for (int i = 0; i < n; i++) {
		bool sink = vector->elements[i].offset == 0;

		if (sink ? vector_index != 0
			 : vector->elements[i].size < total / n ||
					vector->elements[i].size > 8) {
			return false;
		}
	}
	in->sub = (uint32_t)(total / n);
	return true;
}

static ptx_handler
choose_mov(struct ptx_instr *in)
{
	const struct ptx_operand *d = &in->operands[0];
	const struct ptx_operand *a = &in->operands[1];

	if (d->kind == PTX_OPERAND_VECTOR) {
		return is_packable(in, 0) ? mov_unpack : NULL;
	}
	if (a->kind == PTX_OPERAND_VECTOR) {
		return is_packable(in, 1) ? mov_pack : NULL;
	}
	if (a->kind == PTX_OPERAND_ADDRESS) {
		return are_registers(in, 0, 1, 8) || are_registers(in, 0, 1, 4)
			       ? mov_address
			       : NULL;
	}
	if (d->size == 16) {
		return are_registers(in, 0, 2, 16) ? mov_128 : NULL;
	}
	if (!is_register(in, 0) || !is_register(in, 1)) {
		return NULL;
	}
	if (a->special >= PTX_CLOCK) {
		return mov_clock;
	}
	if (d->size != a->size) {
		return a->special != 0 ? mov_resize : NULL;
	}
	return d->size == 2 ? mov_16 : d->size == 4 ? mov_32 : mov_64;
}

ptx_handler
exec_mov_choose(struct ptx_instr *in)
{
	if (in->n_operands != 2) {
		return NULL;
	}
	switch (in->opcode) {
	case PTX_OP_MOV: return choose_mov(in);
	case PTX_OP_CVTA:
		if (in->operands[1].kind == PTX_OPERAND_ADDRESS) {
			return are_registers(in, 0, 1, 8) ? mov_address : NULL;
		}
		return are_registers(in, 0, 2, 8) ? cvta : NULL;
	default:
		return is_predicate(in, 0) && are_registers(in, 1, 1, 8) ? isspacep
									 : NULL;
	}
}
