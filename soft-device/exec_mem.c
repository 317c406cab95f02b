/* SPDX-License-Identifier: Apache-2.0 */
/* exec_mem.c: loads and stores, address windows, bounds.
 *
 * Every access is checked against the allocation, the block's shared memory, the lane's
 * local memory or the parameters.  The general handlers do it lane by lane; what kernels
 * mostly do (4 and 8 bytes of global or shared memory) has faster ones that compare a
 * whole warp at once and fall back to the general ones.
 *
 * Vector accesses of 8 and 16 bytes are single-copy atomic, as on a GPU: decoupled
 * look-back publishes {status, value} with one store.  16 bytes by one SSE or NEON
 * instruction are so on all processors with AVX or LSE2. */
#include "exec_private.h"

typedef uint64_t vector16 __attribute__((vector_size(16), may_alias));

static void *
translate_global(struct exec_context *x, const struct ptx_instr *in, uint64_t address,
	uint64_t size)
{
	struct exec_bounds *bounds = &x->bounds[in->id % N_BOUNDS];

	if (address < bounds->start || address >= bounds->end ||
		bounds->end - address < size) {
		const struct exec_memory *memory = x->state->launch->memory;
		uint64_t start;
		uint64_t end;

		if (!memory->find(memory->opaque, address, size, &start, &end)) {
			return NULL;
		}
		bounds->start = start;
		bounds->end = end;
	}
	return (void *)(uintptr_t)address;
}

/* Per-lane areas of a frame have strides that are multiples of 16 (exec_frame.c). */
static void *
lane_area(uint8_t *area, uint32_t area_size, uint64_t offset, uint64_t size, int lane)
{
	if (offset > area_size || size > area_size - offset) {
		return NULL;
	}
	return area + (size_t)lane * (((size_t)area_size + 15) & ~(size_t)15) + offset;
}

static void *
translate_param(struct exec_context *x, uint64_t address, uint64_t size, int lane)
{
	uint64_t offset = address & 0xffffffff;
	unsigned int depth = (unsigned int)(address >> 32) & 0xffff;
	struct exec_frame *frame = x->frame;

	/* The address of a caller's parameters may have been handed down. */
	while (frame != NULL && (frame->depth & 0xffff) != depth) {
		frame = frame->up;
	}
	if (frame == NULL) {
		return NULL;
	}
	const struct ptx_function *function = frame->function;

	switch (PTX_WINDOW_PARAM_BASE(address)) {
	case PTX_BASE_PARAM:
		if (!function->is_entry) {
			return lane_area(
				frame->params, function->params_size, offset, size, lane);
		}
		if (offset > function->params_size ||
			size > function->params_size - offset) {
			return NULL;
		}
		return (uint8_t *)(uintptr_t)x->state->params + offset;
	case PTX_BASE_RETURN:
		return lane_area(frame->returns, function->rets_size, offset, size, lane);
	case PTX_BASE_CALL:
		return lane_area(frame->body, function->call_size, offset, size, lane);
	default: return NULL;
	}
}

void *
exec_mem_translate(struct exec_context *x, const struct ptx_instr *in,
	enum ptx_space space, uint64_t address, uint64_t size, int lane)
{
	uint64_t window = address & PTX_WINDOW_MASK;

	if (space == PTX_GENERIC) {
		space = window == PTX_WINDOW_SHARED  ? PTX_SHARED
			: window == PTX_WINDOW_LOCAL ? PTX_LOCAL
			: window == PTX_WINDOW_PARAM ? PTX_PARAM
						     : PTX_GLOBAL;
	}
	switch (space) {
	case PTX_SHARED: {
		uint64_t offset = address & ~PTX_WINDOW_SHARED;
		uint64_t limit = x->state->shared_size;

		return offset > limit || size > limit - offset
			       ? NULL
			       : x->block->shared + offset;
	}
	case PTX_LOCAL: {
		uint64_t offset = address & ~PTX_WINDOW_LOCAL;
		uint64_t limit = x->state->local_stride;

		return offset > limit || size > limit - offset
			       ? NULL
			       : x->warp->local + (size_t)lane * limit + offset;
	}
	case PTX_PARAM: return translate_param(x, address, size, lane);
	default: return translate_global(x, in, address, size);
	}
}

uint64_t
exec_mem_address(const struct exec_context *x, const struct ptx_operand *operand,
	int lane, enum ptx_space *space)
{
	uint64_t addend = (uint64_t)operand->imm;
	const struct ptx_variable *variable = operand->variable;

	switch (operand->base) {
	case PTX_BASE_REG:
		if (operand->size == 8) {
			return REG(uint64_t, operand->offset)[lane] + addend;
		}
		return (uint32_t)(REG(uint32_t, operand->offset)[lane] +
				  (uint32_t)addend);
	case PTX_BASE_VARIABLE:
		*space = variable->space;
		switch (variable->space) {
		case PTX_SHARED:
			return (variable->is_dynamic ? x->state->launch->function
							       ->dynamic_offset
						     : variable->offset) +
			       addend;
		case PTX_LOCAL: return x->frame->local_base + variable->offset + addend;
		default: return variable->address + addend;
		}
	case PTX_BASE_FUNCTION: return PTX_WINDOW_FUNCTION | operand->function->index;
	case PTX_BASE_PARAM:
	case PTX_BASE_RETURN:
	case PTX_BASE_CALL:
		*space = PTX_PARAM;
		return PTX_WINDOW_PARAM | (uint64_t)operand->base << 48 |
		       (uint64_t)(x->frame->depth & 0xffff) << 32 | (addend & 0xffffffff);
	default: return addend;
	}
}

int
exec_mem_fault(struct exec_context *x, const struct ptx_instr *in, const void *place,
	uint64_t address)
{
	if (place != NULL) {
		return exec_stop(x, in, EXEC_MISALIGNED, address, "misaligned access");
	}
	return exec_stop(x, in, EXEC_ILLEGAL_ADDRESS, address, "access out of bounds");
}

/* Copy without tearing what hardware does not tear. */
GUEST_ACCESS static void
copy(void *to, const void *from, size_t size)
{
	switch (size) {
	case 1: *(uint8_t *)to = *(const volatile uint8_t *)from; break;
	case 2: *(uint16_t *)to = *(const volatile uint16_t *)from; break;
	case 4: *(uint32_t *)to = *(const volatile uint32_t *)from; break;
	case 8: *(uint64_t *)to = *(const volatile uint64_t *)from; break;
	case 16: *(vector16 *)to = *(const volatile vector16 *)from; break;
	default: /* v4 of 8 bytes and more: aligned to 32, in pieces of 16 */
		for (size_t i = 0; i < size; i += 16) {
			copy((uint8_t *)to + i, (const uint8_t *)from + i, 16);
		}
	}
}

/* One element from memory into a register that may be wider. */
static void
load_element(struct exec_context *x, uint32_t offset, int register_size, int lane,
	enum ptx_type type, const void *from)
{
	int size = ptx_type_size[type];
	uint64_t value = 0;

	if (size == 16) {
		if (offset != 0) {
			memcpy(x->registers + offset + (size_t)lane * 16, from, 16);
		}
		return;
	}
	memcpy(&value, from, (size_t)size);
	if (size < 8 && ptx_type_is_signed(type)) {
		int shift = 64 - size * 8;

		value = (uint64_t)((int64_t)(value << shift) >> shift);
	}
	lane_write(x, offset, register_size, lane, value);
}

static void
store_element(const struct exec_context *x, uint32_t offset, int register_size, int lane,
	enum ptx_type type, void *to)
{
	int size = ptx_type_size[type];

	if (size == 16) {
		memcpy(to, x->registers + offset + (size_t)lane * 16, 16);
		return;
	}
	uint64_t value = lane_read(x, offset, register_size, lane);

	memcpy(to, &value, (size_t)size);
}

#define MAX_ACCESS 128 /* .v8 of 16 bytes */

int
exec_mem_load_any(struct exec_context *x, const struct ptx_instr *in)
{
	const struct ptx_operand *d = &in->operands[0];
	const struct ptx_operand *from = &in->operands[1];
	size_t element = ptx_type_size[in->type];
	int n = in->vector != 0 ? in->vector : 1;
	size_t size = element * (size_t)n;

	FOR_LANES(l, x->mask)
	{
		enum ptx_space space = in->space;
		uint64_t address = exec_mem_address(x, from, (int)l, &space);
		void *place = exec_mem_translate(x, in, space, address, size, (int)l);
		_Alignas(32) uint8_t value[MAX_ACCESS];

		if (place == NULL || (address & (size - 1)) != 0) {
			x->mask = 1u << l;
			return exec_mem_fault(x, in, place, address);
		}
		copy(value, place, size);
		if (n == 1) {
			load_element(x, d->offset, d->size, (int)l, in->type, value);
			continue;
		}
		for (int i = 0; i < n; i++) {
			load_element(x, d->elements[i].offset, d->elements[i].size,
				(int)l, in->type, value + (size_t)i * element);
		}
	}
	return EXEC_NEXT;
}

int
exec_mem_store_any(struct exec_context *x, const struct ptx_instr *in)
{
	const struct ptx_operand *to = &in->operands[0];
	const struct ptx_operand *s = &in->operands[1];
	size_t element = ptx_type_size[in->type];
	int n = in->vector != 0 ? in->vector : 1;
	size_t size = element * (size_t)n;

	FOR_LANES(l, x->mask)
	{
		enum ptx_space space = in->space;
		uint64_t address = exec_mem_address(x, to, (int)l, &space);
		void *place = exec_mem_translate(x, in, space, address, size, (int)l);
		_Alignas(32) uint8_t value[MAX_ACCESS];

		if (place == NULL || (address & (size - 1)) != 0) {
			x->mask = 1u << l;
			return exec_mem_fault(x, in, place, address);
		}
		/* Parameters of the kernel are shared by all. */
		if (space == PTX_PARAM ||
			(address & PTX_WINDOW_MASK) == PTX_WINDOW_PARAM) {
			const uint8_t *params = x->state->params;
			uint32_t params_size = x->state->launch->function->params_size;

			if ((uint8_t *)place >= params &&
				(uint8_t *)place < params + params_size) {
				return exec_mem_fault(x, in, NULL, address);
			}
		}
		if (n == 1) {
			store_element(x, s->offset, s->size, (int)l, in->type, value);
		}
		for (int i = 0; n > 1 && i < n; i++) {
			store_element(x, s->elements[i].offset, s->elements[i].size,
				(int)l, in->type, value + (size_t)i * element);
		}
		copy(place, value, size);
	}
	return EXEC_NEXT;
}

/* A parameter of the kernel: the same for all lanes. */
HANDLER(load_kernel_param)
{
	const struct ptx_operand *d = &in->operands[0];

	const struct ptx_function *function = x->frame->function;

	if (!function->is_entry ||
		in->operands[1].imm + ptx_type_size[in->type] > function->params_size) {
		return exec_mem_load_any(x, in);
	}
	const uint8_t *from = x->state->params + in->operands[1].imm;

	if (d->size == 4 && ptx_type_size[in->type] == 4) {
		uint32_t value = *(const uint32_t *)from;
		uint32_t *r = DST(uint32_t);

		LANES(r[l] = value;)
	} else if (d->size == 8 && ptx_type_size[in->type] == 8) {
		uint64_t value = *(const uint64_t *)from;
		uint64_t *r = DST(uint64_t);

		LANES(r[l] = value;)
	} else {
		return exec_mem_load_any(x, in);
	}
	return EXEC_NEXT;
}

/* A place in memory: its base register, if it has one, must be an address. */
static bool
is_memory(const struct ptx_instr *in, int i)
{
	const struct ptx_operand *operand = &in->operands[i];

	return i < in->n_operands && operand->kind == PTX_OPERAND_MEMORY &&
	       operand->n_elements == 0 &&
	       (operand->base != PTX_BASE_REG ||
		       (operand->offset != 0 &&
			       (operand->size == 4 || operand->size == 8)));
}

static bool
is_element_fit(uint32_t offset, int register_size, int type_size, bool load)
{
	if (offset == 0) {
		return load;
	}
	if (register_size == 0 || (register_size == 16) != (type_size == 16)) {
		return false;
	}
	return register_size >= type_size;
}

static bool
is_data(const struct ptx_instr *in, int i, bool load)
{
	const struct ptx_operand *operand = &in->operands[i];
	int size = ptx_type_size[in->type];

	if (i >= in->n_operands) {
		return false;
	}
	if (in->vector == 0) {
		return (operand->kind == PTX_OPERAND_REG && !operand->predicate &&
			       operand->offset != 0 &&
			       is_element_fit(
				       operand->offset, operand->size, size, load)) ||
		       (load && operand->kind == PTX_OPERAND_SINK);
	}
	if (operand->kind != PTX_OPERAND_VECTOR || operand->n_elements != in->vector) {
		return false;
	}
	for (int k = 0; k < in->vector; k++) {
		if (!is_element_fit(operand->elements[k].offset,
			    operand->elements[k].size, size, load)) {
			return false;
		}
	}
	return true;
}

/* ld.param at a fixed, aligned offset: perhaps of a kernel. */
static bool
is_kernel_param(const struct ptx_instr *in)
{
	const struct ptx_operand *from = &in->operands[1];
	int64_t size = ptx_type_size[in->type];

	return in->vector == 0 && in->space == PTX_PARAM &&
	       from->base == PTX_BASE_PARAM && in->dst != 0 && from->imm >= 0 &&
	       (from->imm & (size - 1)) == 0 && from->imm <= UINT16_MAX;
}

ptx_handler
exec_mem_choose(struct ptx_instr *in)
{
	bool load = in->opcode != PTX_OP_ST;
	int size = ptx_type_size[in->type];

	if (size == 0 || size * (in->vector != 0 ? in->vector : 1) > MAX_ACCESS ||
		!is_memory(in, load ? 1 : 0) || !is_data(in, load ? 0 : 1, load)) {
		return NULL;
	}
	if (load && is_kernel_param(in)) {
		return load_kernel_param;
	}
	ptx_handler fast = exec_mem_fast_choose(in);

	return fast != NULL ? fast : load ? exec_mem_load_any : exec_mem_store_any;
}
