/* SPDX-License-Identifier: Apache-2.0 */
/* ir.h: a PTX module as the executor sees it.
 *
 * The front end (ptx_*.c) makes one struct ptx_instr of each PTX instruction, in order.
 * A warp executes an instruction for all of its 32 lanes at once, so a register is an
 * array over lanes.  The registers of a function live in a frame; an operand is nothing
 * but an offset into it:
 *
 *	offset 0	means "none" or "do not write"; nothing lives there
 *	PTX_FRAME_CARRY	one uint32_t, bit i is the carry flag of lane i
 *	predicates	one uint32_t each, bit i is lane i (aligned to 4)
 *	registers	T r[32], T of 2, 4, 8 or 16 bytes (aligned to 64)
 *
 * Immediate operands and special registers are registers too: the front end gives each a
 * place, the executor fills in constants[] and special[] when it makes a frame. Registers
 * of 8 bits do not exist: they have 16, as on the device, and loads widen them.
 *
 * All that is reachable from a module belongs to it and dies with ptx_module_free().
 * Strings are NUL-terminated.  After ptx_module_new() only fields said to be the
 * executor's or the API's change. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PTX_N_LANES = 32,
	PTX_FRAME_CARRY = 64,
	PTX_FRAME_ALIGNMENT = 64,
	/* ptx_instr.operands has at least so many entries, empty ones at the end. */
	PTX_MIN_OPERANDS = 5,
};

/* Generic addresses.  Global memory is a host address below 2^56; the other windows are
 * told by the bits from 56 up, so that cvta is an OR and isspacep a comparison. */
#define PTX_WINDOW_SHARED ((uint64_t)1 << 56)
#define PTX_WINDOW_LOCAL ((uint64_t)2 << 56)
#define PTX_WINDOW_FUNCTION ((uint64_t)3 << 56) /* | ptx_function.index */
#define PTX_WINDOW_PARAM ((uint64_t)4 << 56)	/* | enum ptx_base << 48 | offset */
#define PTX_WINDOW_MASK ((uint64_t)0xff << 56)
#define PTX_WINDOW_PARAM_BASE(address) ((unsigned int)((address) >> 48) & 0xff)

enum ptx_type {
	PTX_NONE,
	PTX_PRED,
	PTX_U8,
	PTX_U16,
	PTX_U32,
	PTX_U64,
	PTX_S8,
	PTX_S16,
	PTX_S32,
	PTX_S64,
	PTX_B8,
	PTX_B16,
	PTX_B32,
	PTX_B64,
	PTX_B128,
	PTX_F16,
	PTX_F16X2,
	PTX_BF16,
	PTX_BF16X2,
	PTX_TF32,
	PTX_F32,
	PTX_F64,
	PTX_TEXREF, /* texture, sampler and surface references: variables only */
	PTX_N_TYPES,
};

enum ptx_space {
	PTX_GENERIC,
	PTX_GLOBAL,
	PTX_CONST,
	PTX_SHARED,
	PTX_LOCAL,
	PTX_PARAM,
	PTX_REG, /* declarations only */
};

/* Base opcodes.  What is not here is PTX_OP_UNKNOWN, has no operands, and makes its
 * function unsupported before the executor is asked. */
#define PTX_OPCODES(X) \
	X(ABS, "abs") \
	X(ACTIVEMASK, "activemask") X(ADD, "add") X(ADDC, "addc") X(AND, "and") X( \
		APPLYPRIORITY, "applypriority") X(ATOM, "atom") X(BAR, "bar") X(BARRIER, \
		"barrier") X(BFE, "bfe") X(BFI, "bfi") X(BFIND, "bfind") X(BMSK, \
		"bmsk") X(BRA, "bra") X(BREV, "brev") X(BRKPT, "brkpt") X(BRX, \
		"brx") X(CALL, "call") X(CLZ, "clz") X(CNOT, "cnot") X(COPYSIGN, \
		"copysign") X(COS, "cos") X(CP, "cp") X(CREATEPOLICY, \
		"createpolicy") X(CVT, "cvt") X(CVTA, "cvta") X(DISCARD, \
		"discard") X(DIV, "div") X(DP2A, "dp2a") X(DP4A, "dp4a") X(ELECT, \
		"elect") X(EX2, "ex2") X(EXIT, "exit") X(FENCE, "fence") X(FMA, \
		"fma") X(FNS, "fns") X(GETCTARANK, "getctarank") X(GRIDDEPCONTROL, \
		"griddepcontrol") X(ISSPACEP, "isspacep") X(LD, "ld") X(LDMATRIX, \
		"ldmatrix") X(LDU, "ldu") X(LG2, "lg2") X(LOP3, "lop3") X(MAD, \
		"mad") X(MAD24, "mad24") X(MADC, "madc") X(MAPA, "mapa") X(MATCH, \
		"match") X(MAX, "max") X(MBARRIER, "mbarrier") X(MEMBAR, \
		"membar") X(MIN, "min") X(MMA, "mma") X(MOV, "mov") X(MOVMATRIX, \
		"movmatrix") X(MUL, "mul") X(MUL24, "mul24") X(NANOSLEEP, \
		"nanosleep") X(NEG, "neg") X(NOT, "not") X(OR, "or") X(PMEVENT, \
		"pmevent") X(POPC, "popc") X(PREFETCH, "prefetch") X(PREFETCHU, \
		"prefetchu") X(PRMT, "prmt") X(RCP, "rcp") X(RED, "red") X(REDUX, \
		"redux") X(REM, "rem") X(RET, "ret") X(RSQRT, "rsqrt") X(SAD, \
		"sad") X(SELP, "selp") X(SET, "set") X(SETMAXNREG, "setmaxnreg") X(SETP, \
		"setp") X(SHF, "shf") X(SHFL, "shfl") X(SHL, "shl") X(SHR, "shr") X(SIN, \
		"sin") X(SLCT, "slct") X(SQRT, "sqrt") X(ST, "st") X(STMATRIX, \
		"stmatrix") X(SUB, "sub") X(SUBC, "subc") X(SULD, "suld") X(SUQ, \
		"suq") X(SURED, "sured") X(SUST, "sust") X(SZEXT, "szext") X(TANH, \
		"tanh") X(TESTP, "testp") X(TEX, "tex") X(TLD4, "tld4") X(TRAP, \
		"trap") X(TXQ, "txq") X(VABSDIFF, "vabsdiff") X(VABSDIFF2, "vabsdiff2") \
		X(VABSDIFF4, "vabsdiff4") X(VADD, "vadd") X(VADD2, "vadd2") X(VADD4, \
			"vadd4") X(VMAD, "vmad") X(VMAX, "vmax") X(VMAX2, "vmax2") \
			X(VMAX4, "vmax4") X(VMIN, "vmin") X(VMIN2, "vmin2") \
				X(VMIN4, "vmin4") X(VOTE, "vote") X(VSET, "vset") \
					X(VSHL, "vshl") X(VSHR, "vshr") X(VSUB, "vsub") \
						X(VSUB2, "vsub2") X(VSUB4, "vsub4") \
							X(WMMA, "wmma") X(XOR, "xor")

enum ptx_opcode {
	PTX_OP_UNKNOWN,
	PTX_OP_LABEL, /* the place of a label: a branch target and a point of preemption
		       */
#define X(name, text) PTX_OP_##name,
	PTX_OPCODES(X)
#undef X
		PTX_N_OPCODES,
};

/* Modifiers that are yes or no.  exec_bind() must refuse what it does not know: an
 * ignored modifier is a wrong result.  PTX_HINT may always be ignored. */
#define PTX_FTZ (1ull << 0)
#define PTX_SAT (1ull << 1)
#define PTX_SATFINITE (1ull << 2)
#define PTX_APPROX (1ull << 3)
#define PTX_FULL (1ull << 4) /* div.full */
#define PTX_WIDE (1ull << 5)
#define PTX_HI (1ull << 6)
#define PTX_LO (1ull << 7)
#define PTX_CC (1ull << 8)
#define PTX_UNI (1ull << 9) /* a promise; but the operation in vote.uni */
#define PTX_VOLATILE (1ull << 10)
#define PTX_RELU (1ull << 11)
#define PTX_NAN (1ull << 12)
#define PTX_XORSIGN (1ull << 13) /* .xorsign.abs */
#define PTX_NOFTZ (1ull << 14)
#define PTX_OOB (1ull << 15)
#define PTX_SHIFTAMT (1ull << 16)
#define PTX_CLAMP (1ull << 17)
#define PTX_WRAP (1ull << 18)
#define PTX_SYNC (1ull << 19)
#define PTX_ALIGNED (1ull << 20)
#define PTX_ARRIVE (1ull << 21)
#define PTX_RED (1ull << 22)
#define PTX_WARP (1ull << 23)	 /* bar.warp */
#define PTX_CLUSTER (1ull << 24) /* barrier.cluster, .shared::cluster, scope .cluster */
#define PTX_TO (1ull << 25)	 /* cvta.to */
#define PTX_UNIFIED (1ull << 26)
#define PTX_ASYNC (1ull << 27)
#define PTX_BULK (1ull << 28)
#define PTX_TENSOR (1ull << 29)
#define PTX_RELAXED (1ull << 30)
#define PTX_ACQUIRE (1ull << 31)
#define PTX_RELEASE (1ull << 32)
#define PTX_ACQ_REL (1ull << 33)
#define PTX_SC (1ull << 34)
#define PTX_WEAK (1ull << 35)
#define PTX_SCOPE (1ull << 36) /* .cta .gpu .gl .sys */
#define PTX_CTA (1ull << 37)   /* .shared::cta: the same as .shared */
#define PTX_ENTRY (1ull << 38) /* .param::entry */
#define PTX_FUNC (1ull << 39)  /* .param::func */
#define PTX_LEFT (1ull << 40)  /* shf.l */
#define PTX_RIGHT (1ull << 41) /* shf.r */
#define PTX_HINT (1ull << 42)  /* caching, eviction, prefetch sizes, .nc */
#define PTX_OTHER (1ull << 43) /* known only by the text: see ptx_instr_has() */

/* The operation inside an operation: atom.ADD, setp.lt.AND, shfl.DOWN, vote.BALLOT. */
enum ptx_operation {
	PTX_OPERATION_NONE,
	PTX_OPERATION_ADD,
	PTX_OPERATION_MIN,
	PTX_OPERATION_MAX,
	PTX_OPERATION_AND,
	PTX_OPERATION_OR,
	PTX_OPERATION_XOR,
	PTX_OPERATION_EXCH,
	PTX_OPERATION_CAS,
	PTX_OPERATION_INC,
	PTX_OPERATION_DEC,
	PTX_OPERATION_POPC,
	PTX_OPERATION_UP,
	PTX_OPERATION_DOWN,
	PTX_OPERATION_BFLY,
	PTX_OPERATION_IDX,
	PTX_OPERATION_BALLOT,
	PTX_OPERATION_ANY,
	PTX_OPERATION_ALL,
	PTX_OPERATION_FINITE, /* testp */
	PTX_OPERATION_INFINITE,
	PTX_OPERATION_NUMBER,
	PTX_OPERATION_NOTANUMBER,
	PTX_OPERATION_NORMAL,
	PTX_OPERATION_SUBNORMAL,
	PTX_OPERATION_F4E, /* prmt */
	PTX_OPERATION_B4E,
	PTX_OPERATION_RC8,
	PTX_OPERATION_ECL,
	PTX_OPERATION_ECR,
	PTX_OPERATION_RC16,
};

enum ptx_compare {
	PTX_COMPARE_NONE,
	PTX_EQ,
	PTX_NE,
	PTX_LT, /* and .lo */
	PTX_LE, /* and .ls */
	PTX_GT, /* and .hi of setp and set */
	PTX_GE, /* and .hs */
	PTX_EQU,
	PTX_NEU,
	PTX_LTU,
	PTX_LEU,
	PTX_GTU,
	PTX_GEU,
	PTX_NUM,
	PTX_ISNAN,
};

enum ptx_rounding {
	PTX_ROUND_NONE,
	PTX_ROUND_NEAREST, /* .rn, ties to even */
	PTX_ROUND_ZERO,
	PTX_ROUND_DOWN,
	PTX_ROUND_UP,
	PTX_ROUND_AWAY,	      /* .rna: nearest, ties away from zero */
	PTX_ROUND_STOCHASTIC, /* .rs */
};

/* Special registers.  Those from PTX_CLOCK on change while a warp runs: the executor
 * must look at ptx_operand.special of the mov that reads them. */
#define PTX_SPECIALS(X) \
	X(TID_X, "%tid.x", 4) \
	X(TID_Y, "%tid.y", 4) X(TID_Z, "%tid.z", 4) X(NTID_X, "%ntid.x", 4) X( \
		NTID_Y, "%ntid.y", 4) X(NTID_Z, "%ntid.z", 4) X(CTAID_X, "%ctaid.x", \
		4) X(CTAID_Y, "%ctaid.y", 4) X(CTAID_Z, "%ctaid.z", 4) X(NCTAID_X, \
		"%nctaid.x", 4) X(NCTAID_Y, "%nctaid.y", 4) X(NCTAID_Z, "%nctaid.z", \
		4) X(LANEID, "%laneid", 4) X(WARPID, "%warpid", 4) X(NWARPID, \
		"%nwarpid", 4) X(LANEMASK_EQ, "%lanemask_eq", 4) X(LANEMASK_LT, \
		"%lanemask_lt", 4) X(LANEMASK_LE, "%lanemask_le", 4) X(LANEMASK_GT, \
		"%lanemask_gt", 4) X(LANEMASK_GE, "%lanemask_ge", 4) X(SMID, "%smid", \
		4) X(NSMID, "%nsmid", 4) X(GRIDID, "%gridid", 8) X(DYNAMIC_SMEM_SIZE, \
		"%dynamic_smem_size", 4) X(TOTAL_SMEM_SIZE, "%total_smem_size", \
		4) X(AGGR_SMEM_SIZE, "%aggr_smem_size", 4) X(ENVREG1, "%envreg1", \
		4) X(ENVREG2, "%envreg2", 4) X(CLUSTER_CTARANK, "%cluster_ctarank", \
		4) X(CLUSTER_NCTARANK, "%cluster_nctarank", 4) X(CLUSTER_CTAID_X, \
		"%cluster_ctaid.x", 4) X(CLUSTER_CTAID_Y, "%cluster_ctaid.y", \
		4) X(CLUSTER_CTAID_Z, "%cluster_ctaid.z", 4) X(CLUSTER_NCTAID_X, \
		"%cluster_nctaid.x", 4) X(CLUSTER_NCTAID_Y, "%cluster_nctaid.y", \
		4) X(CLUSTER_NCTAID_Z, "%cluster_nctaid.z", 4) X(CLUSTERID_X, \
		"%clusterid.x", 4) X(CLUSTERID_Y, "%clusterid.y", 4) X(CLUSTERID_Z, \
		"%clusterid.z", 4) X(NCLUSTERID_X, "%nclusterid.x", 4) \
		X(NCLUSTERID_Y, "%nclusterid.y", 4) X(NCLUSTERID_Z, "%nclusterid.z", 4) \
			X(CLOCK, "%clock", 4) X(CLOCK_HI, "%clock_hi", 4) X(CLOCK64, \
				"%clock64", 8) X(GLOBALTIMER, "%globaltimer", 8) \
				X(GLOBALTIMER_LO, "%globaltimer_lo", 4) \
					X(GLOBALTIMER_HI, "%globaltimer_hi", 4)

enum ptx_special {
	PTX_SPECIAL_NONE,
#define X(name, text, size) PTX_##name,
	PTX_SPECIALS(X)
#undef X
		PTX_N_SPECIALS,
};

enum ptx_operand_kind {
	PTX_OPERAND_NONE,
	PTX_OPERAND_REG,     /* a register, an immediate or a special register */
	PTX_OPERAND_VECTOR,  /* {a, b, ...}: elements[] */
	PTX_OPERAND_ADDRESS, /* the address of base + addend, as a value: mov, cvta */
	PTX_OPERAND_MEMORY,  /* [base + addend]; coordinates of tex and sust in elements[]
			      */
	PTX_OPERAND_SINK,    /* _ */
	PTX_OPERAND_LABEL,   /* bra: see ptx_instr.target */
};

/* What the address of an ADDRESS or MEMORY operand counts from. */
enum ptx_base {
	PTX_BASE_NONE,	   /* [4096] */
	PTX_BASE_REG,	   /* register at offset, of size 4 or 8 */
	PTX_BASE_VARIABLE, /* variable */
	PTX_BASE_FUNCTION, /* function: its PTX_WINDOW_FUNCTION address */
	PTX_BASE_PARAM,	   /* the running function's parameters */
	PTX_BASE_RETURN,   /* the running function's return values */
	PTX_BASE_CALL,	   /* its call area: parameters of the functions it calls */
};

struct ptx_element {
	uint32_t offset; /* in the frame; 0 for _ */
	uint8_t size;	 /* as ptx_operand.size */
};

struct ptx_operand {
	uint8_t kind; /* enum ptx_operand_kind */
	uint8_t base; /* enum ptx_base; of a MEMORY or ADDRESS operand */
	/* Bytes of the register per lane: 2, 4, 8 or 16, and 0 for a predicate.  Of a
	 * MEMORY operand: of its base register. */
	uint8_t size;
	uint8_t special; /* enum ptx_special, if it is one */
	bool negated;	 /* !%p of a predicate (-x of an immediate is in imm) */
	bool immediate;	 /* imm is the value (and the register at offset holds it) */
	bool predicate;	 /* a REG that is a predicate: one uint32_t */
	uint8_t n_elements;
	uint32_t offset; /* in the frame; of a MEMORY operand, of its base register */
	int64_t imm;	 /* value of an immediate, or addend of an address */
	struct ptx_variable *variable;
	struct ptx_function *function;
	struct ptx_element *elements;
};

/* A piece of the caller's call area. */
struct ptx_slot {
	uint32_t offset;
	uint32_t size;
};

struct ptx_call {
	struct ptx_function *callee; /* NULL: address in the 8-byte register at target */
	uint32_t target;
	uint32_t n_args;
	uint32_t n_rets;
	struct ptx_slot
		*args; /* the i-th is copied to callee->params[i], the shorter size */
	struct ptx_slot *rets; /* the i-th is copied from callee->rets[i] */
};

struct exec_context;
struct ptx_instr;
/* Executes one instruction for a warp; the executor defines what it returns. */
typedef int (*ptx_handler)(struct exec_context *x, const struct ptx_instr *instr);

struct ptx_instr {
	ptx_handler handler; /* exec_bind() sets it */
	/* offset of operands[0..3], for handlers that need no more: for add, the
	 * destination and two or three sources; for st, dst is the address register. */
	uint32_t dst;
	uint32_t a;
	uint32_t b;
	uint32_t c;
	uint32_t predicate; /* the guard @%p, or 0 */
	bool predicate_negated;
	bool is_label;	    /* opcode is PTX_OP_LABEL */
	bool round_integer; /* .rni .rzi .rmi .rpi */
	uint8_t opcode;	    /* enum ptx_opcode */
	uint8_t type;  /* enum ptx_type; the first of the types, e.g. cvt's destination */
	uint8_t type2; /* the second, e.g. cvt's source */
	uint8_t type3;
	uint8_t type4;
	uint8_t n_types;
	uint8_t space;	   /* enum ptx_space */
	uint8_t rounding;  /* enum ptx_rounding */
	uint8_t compare;   /* enum ptx_compare */
	uint8_t operation; /* enum ptx_operation */
	uint8_t vector;	   /* 2, 4 or 8 of .v2 .v4 .v8; else 0 */
	uint8_t n_operands;
	uint64_t flags; /* those above */
	/* Second destination, a predicate: the q of setp p|q and shfl d|q; 0 if none.
	 * has_second is true for p|_ too. */
	uint32_t second;
	bool has_second;
	struct ptx_operand *operands; /* may be shared between instructions: read only */
	uint32_t
		target; /* bra: index of the PTX_OP_LABEL to go to; brx: the lowest one */
	uint32_t *targets; /* brx.idx: n_targets of them */
	uint32_t n_targets;
	struct ptx_call *call; /* call only */
	uint32_t id;	       /* unique in the module, small */
	uint32_t line;	       /* in its PTX text, from 1 */
	const char *text;      /* the opcode with its modifiers, "add.rn.f32" */
	/* For exec_bind() to leave notes to its handlers; zero before. */
	uint32_t sub;
	uint32_t sub2;
	int64_t sub_imm;
};

/* A parameter of a function or kernel, or a value it returns. */
struct ptx_param {
	const char *name;
	uint32_t offset; /* in the parameter block */
	uint32_t size;
	uint32_t alignment;
};

struct ptx_constant {
	uint32_t offset;
	uint8_t size; /* 0: a predicate, whose value is 0 or 0xffffffff */
	uint64_t value;
};

enum ptx_linkage {
	PTX_LINKAGE_INTERNAL, /* seen in its own text only */
	PTX_LINKAGE_VISIBLE,
	PTX_LINKAGE_WEAK, /* and .common */
	PTX_LINKAGE_EXTERN,
};

struct ptx_function {
	const char *name;
	struct ptx_module *module;
	uint32_t index; /* in module->functions */
	uint32_t line;
	bool is_entry;
	bool is_defined; /* has code */
	uint8_t linkage; /* enum ptx_linkage */
	/* Set for a function without code that the executor provides. */
	ptx_handler builtin;
	/* Why it cannot run, or NULL; unsupported_in is the function, itself or one that
	 * it may call, that the reason speaks of. */
	const char *unsupported;
	const struct ptx_function *unsupported_in;

	/* The last instruction is always a ret: no code runs off the end. */
	struct ptx_instr *code;
	uint32_t n_code;
	uint32_t frame_size;  /* bytes; a multiple of PTX_FRAME_ALIGNMENT */
	uint32_t n_registers; /* what CU_FUNC_ATTRIBUTE_NUM_REGS may say */
	struct ptx_constant *constants;
	uint32_t n_constants;
	uint32_t special[PTX_N_SPECIALS]; /* offset of each special register used, or 0 */

	struct ptx_param *params;
	uint32_t n_params;
	uint32_t params_size; /* bytes per thread (of a kernel: per grid) */
	struct ptx_param *rets;
	uint32_t n_rets;
	uint32_t rets_size;
	uint32_t call_size;  /* bytes per thread of the call area */
	uint32_t local_size; /* bytes per thread of the .local variables */
	/* Entries only: .shared variables of all that it may call, and where the launch's
	 * dynamic shared memory begins (shared_size, rounded up to its alignment). */
	uint32_t shared_size;
	uint32_t dynamic_offset;

	/* Performance directives; 0 where not given. */
	uint32_t max_threads[3];      /* .maxntid */
	uint32_t required_threads[3]; /* .reqntid */
	uint32_t min_blocks;	      /* .minnctapersm */
	uint32_t max_registers;	      /* .maxnreg */
	uint32_t required_cluster[3]; /* .reqnctapercluster */

	/* The front end's own. */
	uint32_t text;
	const char *alias;
	struct ptx_function **callees;
	struct ptx_variable **used;
	uint32_t n_callees;
	uint32_t n_used;
	uint32_t mark;
	bool calls_indirectly;
};

/* The bytes [at, at + size) of an initialiser become the low bytes of
 * (address + addend) >> shift. */
struct ptx_reloc {
	uint64_t at;
	uint64_t addend;
	uint8_t size;
	uint8_t shift;
	bool generic; /* generic(x): the generic address and not the one in its space */
	const char *name;
	uint32_t line;
	/* One of them, once linked; both NULL if the name is not defined anywhere. */
	struct ptx_variable *variable;
	struct ptx_function *function;
};

struct ptx_variable {
	const char *name;
	uint8_t space;	 /* enum ptx_space */
	uint8_t type;	 /* enum ptx_type, of an element */
	uint8_t linkage; /* enum ptx_linkage; PTX_LINKAGE_EXTERN: not defined anywhere */
	bool is_managed; /* .attribute(.managed) */
	bool is_dynamic; /* .extern .shared x[]: begins at the kernel's dynamic_offset */
	uint32_t alignment;
	uint64_t size;
	uint64_t offset; /* .shared: in the block's memory; .local: in the function's */
	uint8_t *init;	 /* init_size bytes, the rest is zero; NULL if all is */
	uint64_t init_size;
	struct ptx_reloc *relocs;
	uint32_t n_relocs;
	uint32_t line;
	/* .global and .const: where the API has put it.  The API's to set. */
	uint64_t address;
	/* The front end's own. */
	uint32_t text;
	uint32_t n_users;
	uint32_t mark;
};

struct ptx_module {
	struct ptx_function **functions;
	uint32_t n_functions;
	/* .global, .const and .shared ones, those inside functions too. */
	struct ptx_variable **variables;
	uint32_t n_variables;
	uint32_t n_ids; /* ptx_instr.id is below it */
	/* PTX ISA version times 10 and number of .target, of the first text. */
	uint32_t version;
	uint32_t target;
	struct ptx_arena *arena;
	struct ptx_table *symbols; /* see ptx_module_function() in ptx.h */
	uint32_t n_texts;
};

/* Frame bytes of a register of that type per lane; 0 for a predicate. */
uint8_t ptx_type_register_size(enum ptx_type type);
/* Bytes in memory; 0 for PTX_NONE and PTX_PRED. */
extern const uint8_t ptx_type_size[PTX_N_TYPES];
bool ptx_type_is_signed(enum ptx_type type);
bool ptx_type_is_float(enum ptx_type type);
const char *ptx_type_name(enum ptx_type type);
const char *ptx_special_name(enum ptx_special special);
uint8_t ptx_special_size(enum ptx_special special);

/* Whether one of the modifiers in instr->text is exactly that, as in
 * ptx_instr_has(instr, "m16n8k8"). */
bool ptx_instr_has(const struct ptx_instr *instr, const char *modifier);

/* What the executor supplies to the front end.
 *
 * exec_bind() chooses the handler when operands, frame offsets and targets are final;
 * NULL, or why it cannot be executed ("no handler", "packed setp": static text).
 * exec_builtin_for() is the handler of call for a function that no PTX defines (vprintf,
 * malloc, ...), or NULL. */
const char *exec_bind(struct ptx_instr *instr);
ptx_handler exec_builtin_for(const char *name);
