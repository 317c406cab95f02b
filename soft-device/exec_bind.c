/* SPDX-License-Identifier: Apache-2.0 */
/* exec_bind.c: from an instruction to its handler, or why there is none.
 *
 * One row per opcode: which family chooses, and which modifiers it knows.  A modifier
 * that is not in the row makes the instruction unsupported: ignored, it could give a
 * wrong result. */
#include "exec_private.h"

#include <stddef.h>

/* What orders memory is always as strong as can be, so weaker wishes are granted. */
#define ORDER \
	(PTX_VOLATILE | PTX_RELAXED | PTX_ACQUIRE | PTX_RELEASE | PTX_ACQ_REL | PTX_SC | \
		PTX_WEAK | PTX_SCOPE | PTX_CTA | PTX_CLUSTER)
#define ANY (~0ull)

static const struct {
	exec_chooser *choose;
	uint64_t flags;
} rules[PTX_N_OPCODES] = {
	[PTX_OP_LABEL] = { exec_control_choose, 0 },
	[PTX_OP_BRA] = { exec_control_choose, PTX_UNI },
	[PTX_OP_BRX] = { exec_control_choose, PTX_UNI | PTX_OTHER },
	[PTX_OP_CALL] = { exec_control_choose, PTX_UNI },
	[PTX_OP_RET] = { exec_control_choose, PTX_UNI },
	[PTX_OP_EXIT] = { exec_control_choose, 0 },
	[PTX_OP_TRAP] = { exec_control_choose, 0 },
	[PTX_OP_BRKPT] = { exec_control_choose, 0 },
	[PTX_OP_NANOSLEEP] = { exec_control_choose, 0 },
	[PTX_OP_FENCE] = { exec_control_choose, ORDER },
	[PTX_OP_MEMBAR] = { exec_control_choose, ORDER },
	[PTX_OP_PREFETCH] = { exec_control_choose, ANY & ~PTX_TENSOR },
	[PTX_OP_PREFETCHU] = { exec_control_choose, ANY },
	[PTX_OP_PMEVENT] = { exec_control_choose, ANY },
	[PTX_OP_DISCARD] = { exec_control_choose, ANY },
	[PTX_OP_APPLYPRIORITY] = { exec_control_choose, ANY },
	/* Grids that are launched one after another never overlap here. */
	[PTX_OP_GRIDDEPCONTROL] = { exec_control_choose, ANY },
	[PTX_OP_SETMAXNREG] = { exec_control_choose, ANY },

	[PTX_OP_BAR] = { exec_bar_choose,
		PTX_SYNC | PTX_ARRIVE | PTX_RED | PTX_CTA | PTX_SCOPE | PTX_ALIGNED },
	[PTX_OP_BARRIER] = { exec_bar_choose,
		PTX_SYNC | PTX_ARRIVE | PTX_RED | PTX_CTA | PTX_SCOPE | PTX_ALIGNED },

	[PTX_OP_SHFL] = { exec_warp_choose, PTX_SYNC },
	[PTX_OP_VOTE] = { exec_warp_choose, PTX_SYNC | PTX_UNI },
	[PTX_OP_MATCH] = { exec_warp_choose, PTX_SYNC },
	[PTX_OP_REDUX] = { exec_warp_choose, PTX_SYNC },
	[PTX_OP_ACTIVEMASK] = { exec_warp_choose, 0 },
	[PTX_OP_ELECT] = { exec_warp_choose, PTX_SYNC },

	[PTX_OP_LD] = { exec_mem_choose, ORDER | PTX_HINT | PTX_ENTRY | PTX_FUNC },
	[PTX_OP_LDU] = { exec_mem_choose, PTX_HINT },
	[PTX_OP_ST] = { exec_mem_choose, ORDER | PTX_HINT | PTX_ENTRY | PTX_FUNC },
	[PTX_OP_ATOM] = { exec_atom_choose, ORDER | PTX_HINT | PTX_NOFTZ },
	[PTX_OP_RED] = { exec_atom_choose, ORDER | PTX_HINT | PTX_NOFTZ },

	[PTX_OP_MOV] = { exec_mov_choose, 0 },
	[PTX_OP_CVTA] = { exec_mov_choose, PTX_TO | PTX_CTA | PTX_ENTRY },
	[PTX_OP_ISSPACEP] = { exec_mov_choose, PTX_CTA | PTX_ENTRY },
	[PTX_OP_CVT] = { exec_cvt_choose,
		PTX_FTZ | PTX_SAT | PTX_RELU | PTX_SATFINITE | PTX_OTHER },

	[PTX_OP_SETP] = { exec_compare_choose, PTX_FTZ },
	[PTX_OP_SET] = { exec_compare_choose, PTX_FTZ },
	[PTX_OP_SELP] = { exec_compare_choose, 0 },
	[PTX_OP_SLCT] = { exec_compare_choose, PTX_FTZ },
	[PTX_OP_TESTP] = { exec_compare_choose, 0 },

	[PTX_OP_ADD] = { exec_alu_int_choose, PTX_SAT | PTX_OTHER },
	[PTX_OP_SUB] = { exec_alu_int_choose, PTX_SAT | PTX_OTHER },
	[PTX_OP_MUL] = { exec_alu_int_choose, PTX_LO | PTX_HI | PTX_WIDE },
	[PTX_OP_MAD] = { exec_alu_int_choose, PTX_LO | PTX_HI | PTX_WIDE | PTX_SAT },
	[PTX_OP_MUL24] = { exec_alu_int_choose, PTX_LO | PTX_HI },
	[PTX_OP_MAD24] = { exec_alu_int_choose, PTX_LO | PTX_HI | PTX_SAT },
	[PTX_OP_DIV] = { exec_alu_int_choose, 0 },
	[PTX_OP_REM] = { exec_alu_int_choose, 0 },
	[PTX_OP_MIN] = { exec_alu_int_choose, PTX_RELU | PTX_OTHER },
	[PTX_OP_MAX] = { exec_alu_int_choose, PTX_RELU | PTX_OTHER },
	[PTX_OP_ABS] = { exec_alu_int_choose, 0 },
	[PTX_OP_NEG] = { exec_alu_int_choose, 0 },
	[PTX_OP_AND] = { exec_alu_int_choose, 0 },
	[PTX_OP_OR] = { exec_alu_int_choose, 0 },
	[PTX_OP_XOR] = { exec_alu_int_choose, 0 },
	[PTX_OP_NOT] = { exec_alu_int_choose, 0 },
	[PTX_OP_CNOT] = { exec_alu_int_choose, 0 },
	[PTX_OP_SHL] = { exec_alu_int_choose, 0 },
	[PTX_OP_SHR] = { exec_alu_int_choose, 0 },

	[PTX_OP_ADDC] = { exec_alu_bit_choose, PTX_CC },
	[PTX_OP_SUBC] = { exec_alu_bit_choose, PTX_CC },
	[PTX_OP_MADC] = { exec_alu_bit_choose, PTX_CC | PTX_LO | PTX_HI },
	[PTX_OP_POPC] = { exec_alu_bit_choose, 0 },
	[PTX_OP_CLZ] = { exec_alu_bit_choose, 0 },
	[PTX_OP_BREV] = { exec_alu_bit_choose, 0 },
	[PTX_OP_BFIND] = { exec_alu_bit_choose, PTX_SHIFTAMT },
	[PTX_OP_BFE] = { exec_alu_bit_choose, 0 },
	[PTX_OP_BFI] = { exec_alu_bit_choose, 0 },
	[PTX_OP_PRMT] = { exec_alu_bit_choose, 0 },
	[PTX_OP_SHF] = { exec_alu_bit_choose,
		PTX_LEFT | PTX_RIGHT | PTX_WRAP | PTX_CLAMP },
	[PTX_OP_LOP3] = { exec_alu_bit_choose, 0 },
	[PTX_OP_SAD] = { exec_alu_bit_choose, 0 },
	[PTX_OP_DP4A] = { exec_alu_bit_choose, 0 },
	[PTX_OP_DP2A] = { exec_alu_bit_choose, PTX_LO | PTX_HI },
	[PTX_OP_VABSDIFF4] = { exec_alu_bit_choose, 0 },
	[PTX_OP_BMSK] = { exec_alu_bit_choose, PTX_CLAMP | PTX_WRAP },
	[PTX_OP_SZEXT] = { exec_alu_bit_choose, PTX_CLAMP | PTX_WRAP },
	[PTX_OP_FNS] = { exec_alu_bit_choose, 0 },

	[PTX_OP_FMA] = { exec_alu_float_choose, PTX_FTZ | PTX_SAT },
	[PTX_OP_SQRT] = { exec_alu_float_choose, PTX_FTZ | PTX_APPROX },
	[PTX_OP_RCP] = { exec_alu_float_choose, PTX_FTZ | PTX_APPROX },
	[PTX_OP_RSQRT] = { exec_alu_float_choose, PTX_FTZ | PTX_APPROX },
	[PTX_OP_EX2] = { exec_alu_float_choose, PTX_FTZ | PTX_APPROX },
	[PTX_OP_LG2] = { exec_alu_float_choose, PTX_FTZ | PTX_APPROX },
	[PTX_OP_SIN] = { exec_alu_float_choose, PTX_FTZ | PTX_APPROX },
	[PTX_OP_COS] = { exec_alu_float_choose, PTX_FTZ | PTX_APPROX },
	[PTX_OP_TANH] = { exec_alu_float_choose, PTX_APPROX },
	[PTX_OP_COPYSIGN] = { exec_alu_float_choose, 0 },
};

/* Opcodes that exist for integers too have other modifiers for floating-point types. */
static uint64_t
float_flags(const struct ptx_instr *in)
{
	switch (in->opcode) {
	case PTX_OP_ADD:
	case PTX_OP_SUB:
	case PTX_OP_MUL:
	case PTX_OP_MAD: return PTX_FTZ | PTX_SAT;
	case PTX_OP_DIV: return PTX_FTZ | PTX_APPROX | PTX_FULL;
	case PTX_OP_MIN:
	case PTX_OP_MAX: return PTX_FTZ | PTX_NAN | PTX_XORSIGN;
	case PTX_OP_ABS:
	case PTX_OP_NEG: return PTX_FTZ;
	default: return rules[in->opcode].flags;
	}
}

static exec_chooser *
chooser_of(const struct ptx_instr *in, uint64_t *ret_flags)
{
	exec_chooser *choose = rules[in->opcode].choose;

	*ret_flags = rules[in->opcode].flags;
	if ((in->opcode == PTX_OP_BAR || in->opcode == PTX_OP_BARRIER) &&
		(in->flags & PTX_WARP) != 0) {
		*ret_flags = PTX_WARP | PTX_SYNC;
		return exec_warp_choose;
	}
	if (choose == exec_alu_int_choose && (in->flags & PTX_CC) != 0) {
		*ret_flags = PTX_CC | PTX_LO | PTX_HI;
		return exec_alu_bit_choose;
	}
	if (in->type == PTX_PRED &&
		(choose == exec_alu_int_choose || in->opcode == PTX_OP_MOV)) {
		*ret_flags = 0;
		return exec_compare_choose;
	}
	if (choose != exec_alu_int_choose && choose != exec_alu_float_choose) {
		return choose;
	}
	if (is_half(in->type)) {
		*ret_flags = PTX_FTZ | PTX_SAT | PTX_RELU | PTX_NAN | PTX_APPROX;
		return exec_half_choose;
	}
	if (in->type == PTX_F32 || in->type == PTX_F64) {
		*ret_flags = float_flags(in);
		return exec_alu_float_choose;
	}
	return choose;
}

const char *
exec_bind_variant(struct ptx_instr *in)
{
	uint64_t known;

	if (in->opcode >= PTX_N_OPCODES) {
		return "unknown";
	}
	exec_chooser *choose = chooser_of(in, &known);

	if (choose == NULL) {
		return "no handler";
	}
	if ((in->flags & ~known) != 0) {
		return "unknown modifier";
	}
	in->handler = choose(in);
	return in->handler != NULL ? NULL : "no handler for these types or operands";
}
