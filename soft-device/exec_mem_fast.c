/* SPDX-License-Identifier: Apache-2.0 */
/* exec_mem_fast.c: the loads and stores that kernels are full of.
 *
 * A full warp whose addresses are all in bounds and aligned is found out by one
 * vectorised loop; consecutive addresses are one copy.  Everything else, faults too, is
 * left to the general handlers of exec_mem.c, which get the instruction as it is. */
#include "exec_private.h"

/* Whether lane l reads a[0] + l * size. */
static inline bool
is_consecutive(const uint64_t *a, size_t size)
{
	uint64_t different = 0;

	_Pragma("GCC ivdep") for (int l = 0; l < WARP_SIZE; l++)
	{
		different |= a[l] - a[0] - (uint64_t)l * size;
	}
	return different == 0;
}

/* Whether all lanes are inside of what the instruction used last, and aligned.  Addresses
 * and sizes are below 2^57: a difference that is negative shows in the upper bits. */
static inline bool
is_inside(
	const uint64_t *a, uint64_t addend, const struct exec_bounds *bounds, size_t size)
{
	uint64_t wrong = 0;

	if (bounds->end - bounds->start < size) {
		return false;
	}
	uint64_t low = bounds->start;
	uint64_t high = bounds->end - size;

	_Pragma("GCC ivdep") for (int l = 0; l < WARP_SIZE; l++)
	{
		uint64_t address = a[l] + addend;

		wrong |=
			(address - low) | (high - address) | (address & (size - 1)) << 58;
	}
	return wrong >> 58 == 0;
}

#define CONSECUTIVE(T) \
	if (is_consecutive(a, sizeof(T)) && (first & (sizeof(T) - 1)) == 0 && \
		exec_mem_translate( \
			x, in, PTX_GLOBAL, first, WARP_SIZE * sizeof(T), 0) != NULL)

#define GLOBAL(T) \
	GUEST_ACCESS HANDLER(load_global_##T) \
	{ \
		if (x->mask != FULL_MASK) { \
			return exec_mem_load_any(x, in); \
		} \
		const struct ptx_operand *from = &in->operands[1]; \
		const uint64_t *a = REG(uint64_t, from->offset); \
		uint64_t addend = (uint64_t)from->imm; \
		uint64_t first = a[0] + addend; \
		T *d = DST(T); \
		CONSECUTIVE(T) \
		{ \
			memcpy(d, (const void *)(uintptr_t)first, \
				WARP_SIZE * sizeof(T)); \
			return EXEC_NEXT; \
		} \
		if (!is_inside(a, addend, &x->bounds[in->id % N_BOUNDS], sizeof(T))) { \
			return exec_mem_load_any(x, in); \
		} \
		for (int l = 0; l < WARP_SIZE; l++) { \
			d[l] = *(const volatile T *)(uintptr_t)(a[l] + addend); \
		} \
		return EXEC_NEXT; \
	} \
	GUEST_ACCESS HANDLER(store_global_##T) \
	{ \
		if (x->mask != FULL_MASK) { \
			return exec_mem_store_any(x, in); \
		} \
		const struct ptx_operand *to = &in->operands[0]; \
		const uint64_t *a = REG(uint64_t, to->offset); \
		uint64_t addend = (uint64_t)to->imm; \
		uint64_t first = a[0] + addend; \
		const T *s = SRC_A(T); \
		CONSECUTIVE(T) \
		{ \
			memcpy((void *)(uintptr_t)first, s, WARP_SIZE * sizeof(T)); \
			return EXEC_NEXT; \
		} \
		if (!is_inside(a, addend, &x->bounds[in->id % N_BOUNDS], sizeof(T))) { \
			return exec_mem_store_any(x, in); \
		} \
		for (int l = 0; l < WARP_SIZE; l++) { \
			*(volatile T *)(uintptr_t)(a[l] + addend) = s[l]; \
		} \
		return EXEC_NEXT; \
	}
GLOBAL(uint32_t)
GLOBAL(uint64_t)
#undef GLOBAL
#undef CONSECUTIVE

/* Shared memory: ADDRESS is the type of the address register.  Offsets of n elements. */
#define SHARED_INSIDE(ADDRESS, SIZE) \
	uint32_t limit = x->state->shared_size; \
	uint8_t *shared = x->block->shared; \
	bool inside = x->mask == FULL_MASK && limit >= (SIZE); \
	if (inside) { \
		uint32_t wrong = 0; \
		_Pragma("GCC ivdep") for (int l = 0; l < WARP_SIZE; l++) \
		{ \
			/* A 64-bit address may have its window; nothing else above 32. \
			 */ \
			uint64_t whole = (uint64_t)a[l] & ~PTX_WINDOW_SHARED; \
			uint32_t o = (uint32_t)whole + addend; \
			wrong |= (uint32_t)(whole >> 32) | \
				 (uint32_t)(o > limit - (SIZE)) | (o & ((SIZE)-1)); \
		} \
		inside = wrong == 0; \
	}

#define SHARED(T, ADDRESS) \
	HANDLER(load_shared_##T##_##ADDRESS) \
	{ \
		const struct ptx_operand *from = &in->operands[1]; \
		const ADDRESS *a = REG(ADDRESS, from->offset); \
		uint32_t addend = (uint32_t)from->imm; \
		SHARED_INSIDE(ADDRESS, (uint32_t)sizeof(T)) \
		if (!inside) { \
			return exec_mem_load_any(x, in); \
		} \
		T *d = DST(T); \
		_Pragma("GCC ivdep") for (int l = 0; l < WARP_SIZE; l++) \
		{ \
			d[l] = *(const T *)(shared + ((uint32_t)a[l] + addend)); \
		} \
		return EXEC_NEXT; \
	} \
	HANDLER(store_shared_##T##_##ADDRESS) \
	{ \
		const struct ptx_operand *to = &in->operands[0]; \
		const ADDRESS *a = REG(ADDRESS, to->offset); \
		uint32_t addend = (uint32_t)to->imm; \
		SHARED_INSIDE(ADDRESS, (uint32_t)sizeof(T)) \
		if (!inside) { \
			return exec_mem_store_any(x, in); \
		} \
		const T *s = SRC_A(T); \
		for (int l = 0; l < WARP_SIZE; l++) { \
			*(T *)(shared + ((uint32_t)a[l] + addend)) = s[l]; \
		} \
		return EXEC_NEXT; \
	}
SHARED(uint32_t, uint32_t)
SHARED(uint64_t, uint32_t)
SHARED(uint32_t, uint64_t)
SHARED(uint64_t, uint64_t)
#undef SHARED

/* {a, b} and {a, b, c, d} of 4 bytes, all of them wanted. */
#define SHARED_VECTOR(ADDRESS) \
	HANDLER(load_shared_vector_##ADDRESS) \
	{ \
		const struct ptx_operand *from = &in->operands[1]; \
		const ADDRESS *a = REG(ADDRESS, from->offset); \
		uint32_t addend = (uint32_t)from->imm; \
		uint32_t size = 4u * in->vector; \
		SHARED_INSIDE(ADDRESS, size) \
		if (!inside) { \
			return exec_mem_load_any(x, in); \
		} \
		/* The address register may be one of the destinations. */ \
		uint32_t offsets[WARP_SIZE]; \
		for (int l = 0; l < WARP_SIZE; l++) { \
			offsets[l] = (uint32_t)a[l] + addend; \
		} \
		for (uint32_t i = 0; i < in->vector; i++) { \
			uint32_t *d = REG(uint32_t, in->operands[0].elements[i].offset); \
			_Pragma("GCC ivdep") for (int l = 0; l < WARP_SIZE; l++) \
			{ \
				d[l] = *(const uint32_t *)(shared + offsets[l] + 4 * i); \
			} \
		} \
		return EXEC_NEXT; \
	}
SHARED_VECTOR(uint32_t)
SHARED_VECTOR(uint64_t)
#undef SHARED_VECTOR
#undef SHARED_INSIDE

typedef uint32_t vector4 __attribute__((vector_size(16), may_alias));

HANDLER(load_global_v2)
{
	const struct ptx_operand *from = &in->operands[1];
	const struct ptx_element *to = in->operands[0].elements;
	const uint64_t *a = REG(uint64_t, from->offset);
	uint64_t addend = (uint64_t)from->imm;

	if (x->mask != FULL_MASK ||
		!is_inside(a, addend, &x->bounds[in->id % N_BOUNDS], sizeof(uint64_t))) {
		return exec_mem_load_any(x, in);
	}
	uint32_t *d0 = REG(uint32_t, to[0].offset), *d1 = REG(uint32_t, to[1].offset);
	uint64_t v[WARP_SIZE];

	for (int l = 0; l < WARP_SIZE; l++) {
		v[l] = *(const volatile uint64_t *)(uintptr_t)(a[l] + addend);
	}
	for (int l = 0; l < WARP_SIZE; l++) {
		memcpy(&d0[l], &v[l], 4);
		memcpy(&d1[l], (const char *)&v[l] + 4, 4);
	}
	return EXEC_NEXT;
}

HANDLER(load_global_v4)
{
	const struct ptx_operand *from = &in->operands[1];
	const struct ptx_element *to = in->operands[0].elements;
	const uint64_t *a = REG(uint64_t, from->offset);
	uint64_t addend = (uint64_t)from->imm;

	if (x->mask != FULL_MASK ||
		!is_inside(a, addend, &x->bounds[in->id % N_BOUNDS], sizeof(vector4))) {
		return exec_mem_load_any(x, in);
	}
	vector4 v[WARP_SIZE];

	for (int l = 0; l < WARP_SIZE; l++) {
		v[l] = *(const volatile vector4 *)(uintptr_t)(a[l] + addend);
	}
	for (int i = 0; i < 4; i++) {
		uint32_t *d = REG(uint32_t, to[i].offset);

		for (int l = 0; l < WARP_SIZE; l++) {
			d[l] = v[l][i];
		}
	}
	return EXEC_NEXT;
}

static bool
are_wanted(const struct ptx_operand *vector, int n)
{
	for (int i = 0; i < n; i++) {
		if (vector->elements[i].offset == 0 || vector->elements[i].size != 4) {
			return false;
		}
	}
	return true;
}

/* NULL: use the general handler.  Operands have been checked for that one. */
ptx_handler
exec_mem_fast_choose(const struct ptx_instr *in)
{
	bool load = in->opcode != PTX_OP_ST;
	const struct ptx_operand *memory = &in->operands[load ? 1 : 0];
	const struct ptx_operand *data = &in->operands[load ? 0 : 1];
	int size = ptx_type_size[in->type];
	bool wide = memory->size == 8;

	if (memory->base != PTX_BASE_REG || memory->imm != (int32_t)memory->imm) {
		return NULL;
	}
	if (in->vector != 0) {
		if (!load || size != 4 || in->vector > 4 ||
			!are_wanted(data, in->vector)) {
			return NULL;
		}
		if (in->space == PTX_SHARED) {
			return wide ? load_shared_vector_uint64_t
				    : load_shared_vector_uint32_t;
		}
		return in->space != PTX_GLOBAL || !wide ? NULL
		       : in->vector == 2		? load_global_v2
							: load_global_v4;
	}
	if ((size != 4 && size != 8) || data->size != size || data->offset == 0) {
		return NULL;
	}
	if (in->space == PTX_GLOBAL && wide) {
		return load ? size == 4 ? load_global_uint32_t : load_global_uint64_t
		       : size == 4 ? store_global_uint32_t
				   : store_global_uint64_t;
	}
	if (in->space != PTX_SHARED) {
		return NULL;
	}
	if (wide) {
		return load	   ? size == 4 ? load_shared_uint32_t_uint64_t
					       : load_shared_uint64_t_uint64_t
		       : size == 4 ? store_shared_uint32_t_uint64_t
				   : store_shared_uint64_t_uint64_t;
	}
	return load	   ? size == 4 ? load_shared_uint32_t_uint32_t
				       : load_shared_uint64_t_uint32_t
	       : size == 4 ? store_shared_uint32_t_uint32_t
			   : store_shared_uint64_t_uint32_t;
}
