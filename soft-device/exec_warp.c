/* SPDX-License-Identifier: Apache-2.0 */
/* exec_warp.c: shfl, vote, match, redux, activemask, elect, bar.warp.sync.
 *
 * An instruction with a member mask waits until all its members are there.  Lanes that
 * execute it together may name different masks (tiled partitions): each set of lanes with
 * the same mask works for itself. */
#include "exec_private.h"

/* True: lanes that the masks name are still on their way; the group is put aside. */
static bool
must_wait(struct exec_context *x, uint32_t members)
{
	if (!x->group->forced && (members & x->warp->live & ~x->mask) != 0) {
		uint32_t rest = x->group_mask & ~x->mask;

		/* Lanes whose guard is off go on; they may be the ones waited for. */
		if (rest != 0) {
			struct exec_group *other = exec_group_new(x->warp);

			*other = *x->group;
			other->mask = rest;
			other->pc = x->pc + 1;
			x->group->mask = x->mask;
		}
		x->group->state = GROUP_SYNC;
		x->group->pc = x->pc;
		return true;
	}
	x->group->forced = false;
	return false;
}

/* All lanes that any of the masks names. */
static uint32_t
all_members(const struct exec_context *x, uint32_t offset)
{
	uint32_t members = 0;

	FOR_LANES(l, x->mask)
	{
		members |= REG(uint32_t, offset)[l];
	}
	return members;
}

/* The lanes of rest that name the same mask as its first. */
static uint32_t
next_part(const struct exec_context *x, uint32_t offset, uint32_t rest)
{
	const uint32_t *masks = REG(uint32_t, offset);
	uint32_t mask = masks[__builtin_ctz(rest)];
	uint32_t part = 0;

	FOR_LANES(l, rest)
	{
		if (masks[l] == mask) {
			part |= 1u << l;
		}
	}
	return part;
}

#define FOR_PARTS(part, offset) \
	for (uint32_t rest_ = x->mask, part = 0; \
		rest_ != 0 && ((part = next_part(x, offset, rest_)), true); \
		rest_ &= ~part)

HANDLER(bar_warp)
{
	return must_wait(x, all_members(x, in->dst)) ? EXEC_YIELD : EXEC_NEXT;
}

/* The lane to read from, or -1 if it is outside of the segment. */
static int
shuffle_source(enum ptx_operation mode, int lane, uint32_t b, uint32_t c)
{
	int clamp = (int)(c & 31);
	int segment = (int)(c >> 8 & 31);
	int highest = (lane & segment) | (clamp & ~segment);
	int amount = (int)(b & 31);
	int source;

	switch (mode) {
	case PTX_OPERATION_UP:
		source = lane - amount;
		return source >= highest ? source : -1;
	case PTX_OPERATION_DOWN: source = lane + amount; break;
	case PTX_OPERATION_BFLY: source = lane ^ amount; break;
	default: source = (lane & segment) | (amount & ~segment);
	}
	return source <= highest ? source : -1;
}

HANDLER(shfl)
{
	if (in->n_operands > 4 && must_wait(x, all_members(x, in->operands[4].offset))) {
		return EXEC_YIELD;
	}
	uint32_t source[WARP_SIZE];
	uint32_t inside = 0;

	memcpy(source, SRC_A(uint32_t), sizeof(source));
	FOR_LANES(l, x->mask)
	{
		int from = shuffle_source(
			in->operation, (int)l, SRC_B(uint32_t)[l], SRC_C(uint32_t)[l]);

		if (from >= 0) {
			inside |= 1u << l;
		} else {
			from = (int)l;
		}
		if (in->dst != 0) {
			/* An inactive lane's value is undefined; programs rely on 0. */
			DST(uint32_t)[l] = x->mask >> from & 1 ? source[from] : 0;
		}
	}
	predicate_write(x, in->second, inside);
	return EXEC_NEXT;
}

HANDLER(vote)
{
	bool has_mask = in->n_operands > 2;

	if (has_mask && must_wait(x, all_members(x, in->b))) {
		return EXEC_YIELD;
	}
	uint32_t p = predicate_read(x, &in->operands[1]) & x->mask;
	uint32_t result = 0;

	for (uint32_t rest = x->mask, part; rest != 0; rest &= ~part) {
		part = has_mask ? next_part(x, in->b, rest) : rest;
		uint32_t yes = p & part;

		if (in->operation == PTX_OPERATION_BALLOT) {
			FOR_LANES(l, part)
			{
				DST(uint32_t)[l] = yes;
			}
		} else if (in->operation == PTX_OPERATION_ANY ? yes != 0
			   : in->operation == PTX_OPERATION_ALL
				   ? yes == part
				   : (yes == 0 || yes == part)) {
			result |= part;
		}
	}
	if (in->operation != PTX_OPERATION_BALLOT) {
		predicate_write(x, in->dst, result);
	}
	return EXEC_NEXT;
}

HANDLER(match)
{
	if (must_wait(x, all_members(x, in->b))) {
		return EXEC_YIELD;
	}
	bool all = in->operation == PTX_OPERATION_ALL;
	int size = in->operands[1].size;
	uint32_t results[WARP_SIZE] = { 0 };
	uint32_t agreed = 0;

	FOR_PARTS(part, in->b)
	{
		FOR_LANES(l, part)
		{
			uint64_t value = lane_read(x, in->a, size, (int)l);
			uint32_t same = 0;

			FOR_LANES(k, part)
			{
				if (lane_read(x, in->a, size, (int)k) == value) {
					same |= 1u << k;
				}
			}
			results[l] = !all || same == part ? same : 0;
			agreed |= (uint32_t)(same == part) << l;
		}
	}
	FOR_LANES(l, x->mask)
	{
		lane_write(x, in->dst, 4, (int)l, results[l]);
	}
	predicate_write(x, in->second, agreed);
	return EXEC_NEXT;
}

HANDLER(redux)
{
	if (must_wait(x, all_members(x, in->b))) {
		return EXEC_YIELD;
	}
	uint32_t source[WARP_SIZE];

	memcpy(source, SRC_A(uint32_t), sizeof(source));
	FOR_PARTS(part, in->b)
	{
		uint64_t result = source[__builtin_ctz(part)];

		FOR_LANES(l, part & (part - 1))
		{
			result = exec_atom_apply(
				in->operation, in->type, result, source[l], 0);
		}
		FOR_LANES(l, part)
		{
			DST(uint32_t)[l] = (uint32_t)result;
		}
	}
	return EXEC_NEXT;
}

HANDLER(activemask)
{
	FOR_LANES(l, x->mask)
	{
		DST(uint32_t)[l] = x->mask;
	}
	return EXEC_NEXT;
}

/* One lane of each mask is chosen: the lowest.  d|p: its number, and whether one is it.
 */
HANDLER(elect)
{
	if (must_wait(x, all_members(x, in->a))) {
		return EXEC_YIELD;
	}
	uint32_t chosen = 0;

	FOR_PARTS(part, in->a)
	{
		int leader = __builtin_ctz(part);

		chosen |= 1u << leader;
		FOR_LANES(l, part)
		{
			lane_write(x, in->dst, 4, (int)l, (uint64_t)leader);
		}
	}
	predicate_write(x, in->second, chosen);
	return EXEC_NEXT;
}

static ptx_handler
choose_redux(const struct ptx_instr *in)
{
	bool arithmetic =
		in->operation >= PTX_OPERATION_ADD && in->operation <= PTX_OPERATION_MAX;
	bool logic =
		in->operation >= PTX_OPERATION_AND && in->operation <= PTX_OPERATION_XOR;
	bool integer = in->type == PTX_U32 || in->type == PTX_S32;

	return ((arithmetic && integer) || (logic && (integer || in->type == PTX_B32))) &&
			       are_registers(in, 0, 3, 4)
		       ? redux
		       : NULL;
}

ptx_handler
exec_warp_choose(struct ptx_instr *in)
{
	bool word = are_registers(in, 0, 1, 4);
	bool word_or_sink = word || is_sink(in, 0);

	switch (in->opcode) {
	case PTX_OP_BAR:
	case PTX_OP_BARRIER: return word ? bar_warp : NULL;
	case PTX_OP_SHFL:
		return in->operation >= PTX_OPERATION_UP &&
				       in->operation <= PTX_OPERATION_IDX &&
				       word_or_sink && in->n_operands <= 5 &&
				       are_registers(in, 1, in->n_operands - 1, 4) &&
				       in->n_operands >= 4
			       ? shfl
			       : NULL;
	case PTX_OP_VOTE:
		if ((in->operation == PTX_OPERATION_BALLOT ? !word
							   : !is_predicate(in, 0)) ||
			!is_predicate(in, 1) ||
			(in->n_operands > 2 && !are_registers(in, 2, 1, 4))) {
			return NULL;
		}
		return in->operation == PTX_OPERATION_BALLOT ||
				       in->operation == PTX_OPERATION_ANY ||
				       in->operation == PTX_OPERATION_ALL ||
				       (in->flags & PTX_UNI) != 0
			       ? vote
			       : NULL;
	case PTX_OP_MATCH:
		return word_or_sink && is_register(in, 1) && are_registers(in, 2, 1, 4)
			       ? match
			       : NULL;
	case PTX_OP_REDUX: return choose_redux(in);
	case PTX_OP_ACTIVEMASK: return word ? activemask : NULL;
	default: return word_or_sink && are_registers(in, 1, 1, 4) ? elect : NULL;
	}
}
