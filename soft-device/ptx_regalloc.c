/* SPDX-License-Identifier: Apache-2.0 */
/* ptx_regalloc.c: places in the frame for virtual registers.
 *
 * A compiler makes a new register for nearly every value, and a frame holds 32 lanes of
 * each: without sharing, frames would be four to six times as large and not fit the
 * cache.
 *
 * A register gets the interval from its first to its last mention.  That is exact for
 * what is written first (without a guard) and read last in one basic block.  For any
 * other, the interval is widened to all of every loop that it touches, because the value
 * may be needed in the next turn: every way out of an interval and back in takes a
 * backward branch, so nothing else can be alive.  Loops that overlap are one.  Lanes
 * share no values through registers but in shfl and its like, where all of them are at
 * the same instruction; so lanes that have diverged do not matter.
 *
 * Registers of one size whose intervals do not touch share a place. */
#include "soft-device/ptx_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/checked.h"
#include "common/cleanup.h"

#define NOWHERE UINT32_MAX
/* A device has 64 for each of 1024 threads.  A frame has no such limit, so nobody shall
 * conclude that a block of 1024 threads does not fit. */
#define MAX_REPORTED_REGISTERS 64
#define ACROSS UINT32_MAX /* block of a register that is used in several */

struct interval {
	uint32_t number; /* of the register */
	uint32_t first;
	uint32_t last;
	uint32_t block;
	bool written_first;
};

struct loop {
	uint32_t first;
	uint32_t last;
};

enum { N_CLASSES = 5 }; /* predicates; 2, 4, 8 and 16 bytes */

struct pool {
	uint32_t *free; /* places */
	uint32_t n_free;
	uint32_t n_places;
};

struct allocation {
	struct ptx_parser *p;
	struct ptx_function *function;
	struct interval *intervals; /* by register, then sorted */
	uint32_t n;
	struct loop *loops;
	uint32_t n_loops;
	uint32_t *place;  /* of each register, in its class */
	uint32_t *offset; /* of each register */
	struct pool pools[N_CLASSES];
};

static unsigned int
class_of(uint8_t size)
{
	switch (size) {
	case 0: return 0;
	case 2: return 1;
	case 4: return 2;
	case 8: return 3;
	default: return 4;
	}
}

static uint32_t
class_size(unsigned int class)
{
	return class == 0 ? 4 : (uint32_t)PTX_N_LANES << class;
}

/* ---- who is mentioned where ---- */

static void
mention(struct allocation *a, uint32_t number, uint32_t at, uint32_t block, bool writes)
{
	struct interval *interval = &a->intervals[number];

	if (number == 0 || a->p->registers.items[number].kind != REGISTER_ORDINARY) {
		return;
	}
	if (interval->first == NOWHERE) {
		interval->first = at;
		interval->block = block;
		interval->written_first = writes;
	}
	interval->last = at;
	if (interval->block != block) {
		interval->block = ACROSS;
	}
}

static void
mention_operand(struct allocation *a, const struct ptx_operand *operand, uint32_t at,
	uint32_t block, bool writes)
{
	if (operand->kind == PTX_OPERAND_REG) {
		mention(a, operand->offset, at, block, writes);
	} else if (operand->kind == PTX_OPERAND_MEMORY) {
		mention(a, operand->offset, at, block, false);
	}
	for (uint32_t i = 0; i < operand->n_elements; i++) {
		bool written = writes && operand->kind == PTX_OPERAND_VECTOR;

		mention(a, operand->elements[i].offset, at, block, written);
	}
}

static void
mention_all(struct allocation *a)
{
	uint32_t block = 0;

	for (uint32_t i = 0; i < a->function->n_code; i++) {
		const struct ptx_instr *instr = &a->function->code[i];
		bool guarded = instr->predicate != 0;
		bool defines = ptx_opcode_defines(instr) && instr->n_operands > 0;

		block += instr->is_label;
		/* What is read comes first: in "add r, r, 1" r is read before it is
		 * written. */
		mention(a, instr->predicate, i, block, false);
		for (uint32_t k = defines; k < instr->n_operands; k++) {
			mention_operand(a, &instr->operands[k], i, block, false);
		}
		if (instr->call != NULL) {
			mention(a, instr->call->target, i, block, false);
		}
		if (defines) {
			mention_operand(a, &instr->operands[0], i, block, !guarded);
		}
		mention(a, instr->second, i, block, !guarded);
		block += ptx_opcode_ends_block(instr);
	}
}

/* ---- loops ---- */

static int
loop_compare(const void *pa, const void *pb)
{
	const struct loop *a = pa;
	const struct loop *b = pb;

	return a->first < b->first ? -1 : a->first > b->first;
}

/* Every backward branch makes a loop; overlapping ones are joined. */
static bool
find_loops(struct allocation *a)
{
	const struct ptx_function *function = a->function;
	uint32_t n = 0;

	a->loops = ptx_arena_array(&a->p->scratch, function->n_code, sizeof(*a->loops));
	if (a->loops == NULL) {
		return false;
	}
	for (uint32_t i = 0; i < function->n_code; i++) {
		const struct ptx_instr *instr = &function->code[i];

		if (instr->opcode != PTX_OP_BRA && instr->opcode != PTX_OP_BRX) {
			continue;
		}
		/* Of brx, it is the lowest of the targets. */
		if (instr->target <= i) {
			a->loops[n++] = (struct loop){ instr->target, i };
		}
	}
	if (n > 1) {
		qsort(a->loops, n, sizeof(*a->loops), loop_compare);
	}
	for (uint32_t i = 0; i < n; i++) {
		struct loop *previous = a->n_loops > 0 ? &a->loops[a->n_loops - 1] : NULL;

		if (previous != NULL && a->loops[i].first <= previous->last) {
			if (a->loops[i].last > previous->last) {
				previous->last = a->loops[i].last;
			}
		} else {
			a->loops[a->n_loops++] = a->loops[i];
		}
	}
	return true;
}

/* The loops touched by an interval lie beside each other; take the first and the last. */
static void
widen(const struct allocation *a, struct interval *interval)
{
	uint32_t low = 0;
	uint32_t high = a->n_loops;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (a->loops[middle].last < interval->first) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	if (low == a->n_loops || a->loops[low].first > interval->last) {
		return;
	}
	uint32_t from = low;

	high = a->n_loops;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (a->loops[middle].first <= interval->last) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	if (a->loops[from].first < interval->first) {
		interval->first = a->loops[from].first;
	}
	if (a->loops[low - 1].last > interval->last) {
		interval->last = a->loops[low - 1].last;
	}
}

/* ---- places ---- */

static int
interval_compare(const void *pa, const void *pb)
{
	const struct interval *a = pa;
	const struct interval *b = pb;

	if (a->first != b->first) {
		return a->first < b->first ? -1 : 1;
	}
	return a->number < b->number ? -1 : a->number > b->number;
}

/* A heap of intervals, the one that ends first at the root. */
static void
heap_push(struct interval **heap, uint32_t n, struct interval *item)
{
	while (n > 0 && heap[(n - 1) / 2]->last > item->last) {
		heap[n] = heap[(n - 1) / 2];
		n = (n - 1) / 2;
	}
	heap[n] = item;
}

static void
heap_pop(struct interval **heap, uint32_t n)
{
	struct interval *item = heap[n - 1];
	uint32_t at = 0;

	n--;
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= n) {
			break;
		}
		if (child + 1 < n && heap[child + 1]->last < heap[child]->last) {
			child++;
		}
		if (heap[child]->last >= item->last) {
			break;
		}
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = item;
}

static bool
choose_places(struct allocation *a)
{
	struct ptx_arena *scratch = &a->p->scratch;
	struct interval **heap =
		ptx_arena_array(scratch, a->n, sizeof(struct interval *));
	uint32_t n_heap = 0;

	for (unsigned int i = 0; i < N_CLASSES; i++) {
		a->pools[i].free = ptx_arena_array(scratch, a->n, sizeof(uint32_t));
		if (a->pools[i].free == NULL) {
			return false;
		}
	}
	if (heap == NULL) {
		return false;
	}
	for (uint32_t i = 0; i < a->n; i++) {
		struct interval *interval = &a->intervals[i];
		const struct ptx_register *registers = a->p->registers.items;

		/* Not "<=": sources and destination of one instruction never share. */
		while (n_heap > 0 && heap[0]->last < interval->first) {
			uint32_t old = heap[0]->number;
			struct pool *pool = &a->pools[class_of(registers[old].size)];

			pool->free[pool->n_free++] = a->place[old];
			heap_pop(heap, n_heap--);
		}
		struct pool *pool = &a->pools[class_of(registers[interval->number].size)];

		a->place[interval->number] =
			pool->n_free > 0 ? pool->free[--pool->n_free] : pool->n_places++;
		heap_push(heap, n_heap++, interval);
	}
	return true;
}

/* ---- the frame ---- */

struct layout {
	uint64_t top;
	uint64_t class_start[N_CLASSES];
};

static bool
take_constants(struct allocation *a, struct layout *layout)
{
	struct ptx_parser *p = a->p;
	struct ptx_function *function = a->function;
	uint32_t n = 0;

	for (uint32_t i = 1; i < p->registers.n; i++) {
		n += p->registers.items[i].kind == REGISTER_CONSTANT;
	}
	function->constants =
		ptx_arena_array(p->module->arena, n, sizeof(*function->constants));
	if (function->constants == NULL) {
		return false;
	}
	/* The small ones first: predicates need 4 bytes, registers 64 and their
	 * alignment. */
	for (int predicates = 1; predicates >= 0; predicates--) {
		for (uint32_t i = 1; i < p->registers.n; i++) {
			const struct ptx_register *r = &p->registers.items[i];

			if (r->kind != REGISTER_CONSTANT ||
				(r->size == 0) != predicates) {
				continue;
			}
			if (predicates == 0) {
				layout->top = round_up(layout->top, PTX_FRAME_ALIGNMENT);
			}
			a->offset[i] = (uint32_t)layout->top;
			layout->top += class_size(class_of(r->size));
			function->constants[function->n_constants++] =
				(struct ptx_constant){ .offset = a->offset[i],
					.size = r->size,
					.value = r->value };
			if (layout->top > UINT32_MAX / 2) {
				return false;
			}
		}
	}
	return true;
}

static bool
lay_out(struct allocation *a)
{
	struct ptx_parser *p = a->p;
	struct ptx_function *function = a->function;
	struct layout layout = { .top = PTX_FRAME_CARRY + 4 };

	layout.class_start[0] = layout.top;
	layout.top += (uint64_t)a->pools[0].n_places * class_size(0);
	if (!take_constants(a, &layout)) {
		return false;
	}
	layout.top = round_up(layout.top, PTX_FRAME_ALIGNMENT);
	for (int s = 1; s < PTX_N_SPECIALS; s++) {
		if (p->special[s] != 0) {
			function->special[s] = (uint32_t)layout.top;
			a->offset[p->special[s]] = (uint32_t)layout.top;
			layout.top += class_size(
				class_of(ptx_special_size((enum ptx_special)s)));
		}
	}
	for (unsigned int i = 1; i < N_CLASSES; i++) {
		layout.class_start[i] = layout.top;
		layout.top += (uint64_t)a->pools[i].n_places * class_size(i);
		function->n_registers +=
			a->pools[i].n_places * (i > 2 ? 1u << (i - 2) : 1);
	}
	if (function->n_registers > MAX_REPORTED_REGISTERS) {
		function->n_registers = MAX_REPORTED_REGISTERS;
	}
	layout.top = round_up(layout.top, PTX_FRAME_ALIGNMENT);
	if (layout.top > p->limits->frame_size) {
		ptx_unsupported(p, function, "too many registers: a frame of %llu bytes",
			(unsigned long long)layout.top);
		layout.top = PTX_FRAME_ALIGNMENT * 2;
	}
	function->frame_size = (uint32_t)layout.top;
	for (uint32_t i = 0; i < a->n; i++) {
		uint32_t number = a->intervals[i].number;
		unsigned int class = class_of(p->registers.items[number].size);

		a->offset[number] =
			(uint32_t)(layout.class_start[class] +
				   (uint64_t)a->place[number] * class_size(class));
	}
	return true;
}

static void
replace(const struct allocation *a)
{
	for (uint32_t i = 0; i < a->function->n_code; i++) {
		struct ptx_instr *instr = &a->function->code[i];

		instr->predicate = a->offset[instr->predicate];
		instr->second = a->offset[instr->second];
		for (uint32_t k = 0; k < instr->n_operands; k++) {
			struct ptx_operand *operand = &instr->operands[k];

			operand->offset = a->offset[operand->offset];
			for (uint32_t e = 0; e < operand->n_elements; e++) {
				operand->elements[e].offset =
					a->offset[operand->elements[e].offset];
			}
		}
		if (instr->call != NULL) {
			instr->call->target = a->offset[instr->call->target];
		}
		instr->dst = instr->operands[0].offset;
		instr->a = instr->operands[1].offset;
		instr->b = instr->operands[2].offset;
		instr->c = instr->operands[3].offset;
	}
}

static bool
allocate(struct allocation *a)
{
	struct ptx_parser *p = a->p;
	uint32_t n = p->registers.n;

	a->intervals = ptx_arena_array(&p->scratch, n, sizeof(*a->intervals));
	a->place = ptx_arena_array(&p->scratch, n, sizeof(*a->place));
	a->offset = ptx_arena_array(&p->scratch, n, sizeof(*a->offset));
	if (a->intervals == NULL || a->place == NULL || a->offset == NULL) {
		return false;
	}
	for (uint32_t i = 0; i < n; i++) {
		a->intervals[i] = (struct interval){ .number = i, .first = NOWHERE };
	}
	mention_all(a);
	if (!find_loops(a)) {
		return false;
	}
	for (uint32_t i = 0; i < n; i++) {
		struct interval *interval = &a->intervals[i];

		if (interval->first == NOWHERE) {
			continue;
		}
		if (interval->block == ACROSS || !interval->written_first) {
			widen(a, interval);
		}
		a->intervals[a->n++] = *interval;
	}
	if (a->n > 1) {
		qsort(a->intervals, a->n, sizeof(*a->intervals), interval_compare);
	}
	return choose_places(a) && lay_out(a);
}

int
ptx_regalloc(struct ptx_parser *p, struct ptx_function *function)
{
	struct allocation a = { .p = p, .function = function };

	if (!allocate(&a)) {
		ptx_fail_memory(p);
		return -ENOMEM;
	}
	replace(&a);
	return p->status;
}
