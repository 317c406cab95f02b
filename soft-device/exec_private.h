/* SPDX-License-Identifier: Apache-2.0 */
/* exec_private.h: what the files of the executor share.
 *
 * The unit of work is a warp of 32 lanes, and one instruction for all of them.  A
 * register is an array of 32 values in the frame of the function; a predicate is a mask.
 * Constants and special registers are put into the frame when it is made, so that every
 * operand is an offset into the frame and a handler (one per operation and type) is a
 * loop.
 *
 * Lanes that diverge are split into groups {frame, pc, lanes}.  The scheduler takes the
 * group of the deepest frame, then of the lowest pc, and joins groups that meet; all
 * state is data, so that a warp or a block can be put aside at any branch (exec_sched.c).
 *
 * These files are built twice, for any x86-64 and for x86-64-v3 (three times faster, the
 * same results); EXEC_SUFFIX keeps the names apart and exec.c chooses. */
#pragma once

#include "exec.h"
#include "exec_number.h"
#include "ir.h"

#include <pthread.h>

#define WARP_SIZE PTX_N_LANES
#define FULL_MASK 0xffffffffu

#ifndef EXEC_SUFFIX
#define EXEC_SUFFIX _base
#endif
#define EXEC_JOIN_(a, b) a##b
#define EXEC_JOIN(a, b) EXEC_JOIN_(a, b)
#define EXEC_VARIANT(name) EXEC_JOIN(name, EXEC_SUFFIX)

/* Every function that one file of the executor offers to another. */
#define exec_run_variant EXEC_VARIANT(exec_run)
#define exec_bind_variant EXEC_VARIANT(exec_bind)
#define exec_builtin_variant EXEC_VARIANT(exec_builtin)
#define exec_alu_int_choose EXEC_VARIANT(exec_alu_int_choose)
#define exec_alu_bit_choose EXEC_VARIANT(exec_alu_bit_choose)
#define exec_alu_float_choose EXEC_VARIANT(exec_alu_float_choose)
#define exec_half_choose EXEC_VARIANT(exec_half_choose)
#define exec_compare_choose EXEC_VARIANT(exec_compare_choose)
#define exec_cvt_choose EXEC_VARIANT(exec_cvt_choose)
#define exec_mov_choose EXEC_VARIANT(exec_mov_choose)
#define exec_mem_choose EXEC_VARIANT(exec_mem_choose)
#define exec_mem_translate EXEC_VARIANT(exec_mem_translate)
#define exec_mem_address EXEC_VARIANT(exec_mem_address)
#define exec_mem_load_any EXEC_VARIANT(exec_mem_load_any)
#define exec_mem_store_any EXEC_VARIANT(exec_mem_store_any)
#define exec_mem_fast_choose EXEC_VARIANT(exec_mem_fast_choose)
#define exec_mem_fault EXEC_VARIANT(exec_mem_fault)
#define exec_atom_apply EXEC_VARIANT(exec_atom_apply)
#define exec_bar_choose EXEC_VARIANT(exec_bar_choose)
#define exec_bar_result EXEC_VARIANT(exec_bar_result)
#define exec_atom_choose EXEC_VARIANT(exec_atom_choose)
#define exec_warp_choose EXEC_VARIANT(exec_warp_choose)
#define exec_control_choose EXEC_VARIANT(exec_control_choose)
#define exec_frame_new EXEC_VARIANT(exec_frame_new)
#define exec_frame_release EXEC_VARIANT(exec_frame_release)
#define exec_frame_drop EXEC_VARIANT(exec_frame_drop)
#define exec_block_new EXEC_VARIANT(exec_block_new)
#define exec_block_free EXEC_VARIANT(exec_block_free)
#define exec_block_start EXEC_VARIANT(exec_block_start)
#define exec_block_fill EXEC_VARIANT(exec_block_fill)
#define exec_run_block EXEC_VARIANT(exec_run_block)
#define exec_settle EXEC_VARIANT(exec_settle)
#define exec_charge EXEC_VARIANT(exec_charge)
#define exec_stop EXEC_VARIANT(exec_stop)
#define exec_group_new EXEC_VARIANT(exec_group_new)
#define exec_group_delete EXEC_VARIANT(exec_group_delete)

struct exec_block;
struct exec_warp;

/* What a handler answers. */
enum exec_step {
	EXEC_NEXT,  /* go on with the next instruction */
	EXEC_JUMP,  /* go on at x->pc */
	EXEC_YIELD, /* the group has been changed: let the scheduler choose */
	EXEC_STOP,  /* the launch is over, exec_stop() was called */
};

/* One call of a function by some lanes of a warp. */
struct exec_frame {
	struct exec_frame *up; /* the caller's, or the next free one */
	const struct ptx_function *function;
	uint8_t *registers;
	uint8_t *params; /* per lane, like the next two: arguments of a device function */
	uint8_t *returns; /* its results */
	uint8_t *body;	  /* .param variables of its body: arguments of calls it makes */
	uint32_t lanes;	  /* that have not returned */
	uint32_t local_base;
	const struct ptx_instr *call; /* the instruction in the caller */
	uint32_t return_pc;
	unsigned int depth;
};

enum exec_group_state {
	GROUP_RUN,
	GROUP_BARRIER, /* waits for the block at barrier number .barrier */
	GROUP_SYNC,    /* waits for other lanes of its warp */
};

struct exec_group {
	struct exec_frame *frame;
	uint32_t pc;
	uint32_t mask;
	enum exec_group_state state;
	unsigned int barrier;
	bool forced; /* do not wait for other lanes again: they cannot come */
	const struct ptx_instr *waiting; /* the barrier instruction */
};

struct exec_warp {
	/* Masks of groups are disjoint and not empty: there are 32 at most. */
	struct exec_group groups[WARP_SIZE];
	int n_groups;
	uint32_t live;
	uint32_t initial;
	struct exec_block *block;
	uint8_t *local; /* local_stride bytes for each lane */
	uint32_t picks;
	int id;
	struct exec_frame *free_frames;
};

#define N_BARRIERS 16

struct exec_barrier {
	uint32_t arrived;
	uint32_t expected; /* 0: all live threads */
	uint32_t n_true;
	bool any;
	bool all;
};

/* One launch, shared by its workers. */
struct exec_state {
	const struct exec_launch *launch;
	struct exec_result *result;
	uint64_t n_blocks;
	uint64_t next_block; /* atomic */
	uint64_t n_done;  /* warp instructions, atomic, brought up to date now and then */
	uint64_t charged; /* host memory, atomic */
	uint64_t memory_limit;
	uint64_t budget;
	uint64_t workspace; /* of a cooperative launch: %envreg1, %envreg2 */
	uint32_t static_shared_size;
	uint32_t shared_size; /* with the dynamic part */
	uint32_t local_stride;
	uint32_t n_workers;
	const uint8_t *params; /* of the kernel, aligned */
	pthread_mutex_t start; /* held until all workers are there */
	int fault;	       /* enum exec_fault, atomic: the first one wins */
};

struct exec_block {
	struct exec_state *state;
	uint32_t index[3];
	uint8_t *shared;
	struct exec_warp *warps;
	int n_warps;
	uint32_t n_threads;
	uint32_t n_live;
	struct exec_barrier barriers[N_BARRIERS];
};

#define N_BOUNDS 64

/* What a worker thread works on.  Handlers get it as x. */
struct exec_context {
	uint8_t *registers; /* of frame */
	uint32_t mask;	    /* lanes for which this instruction is on */
	uint32_t group_mask;
	uint32_t pc;
	struct exec_frame *frame;
	struct exec_group *group;
	struct exec_warp *warp;
	struct exec_block *block;
	struct exec_state *state;
	int64_t slice; /* branches left until the warp is put aside */
	uint64_t n_instructions;
	uint64_t n_reported; /* of those, already in state->n_done */
	uint64_t generation; /* of exec_memory, for which bounds are right */
	/* The allocation that an instruction last used: most use the same one again. */
	struct exec_bounds {
		uint64_t start;
		uint64_t end;
	} bounds[N_BOUNDS];
};

/* exec_frame.c */
int exec_stop(struct exec_context *x, const struct ptx_instr *in, enum exec_fault fault,
	uint64_t address, const char *what);
/* False: the launch would hold more than memory_limit. */
bool exec_charge(struct exec_state *state, uint64_t size);
/* NULL: no memory.  The warp keeps it for its next call once it is dropped. */
struct exec_frame *exec_frame_new(struct exec_context *x,
	const struct ptx_function *function, struct exec_frame *up, uint32_t lanes);
/* These lanes have left the frame, and with exec_frame_drop() all frames above it. */
void exec_frame_release(struct exec_warp *warp, struct exec_frame *frame, uint32_t lanes);
void exec_frame_drop(struct exec_warp *warp, struct exec_frame *frame, uint32_t lanes);
/* The new group's contents are the caller's to set. */
struct exec_group *exec_group_new(struct exec_warp *warp);
void exec_group_delete(struct exec_warp *warp, struct exec_group *group);

/* exec_block.c */
/* NULL: no memory.  It begins with exec_block_start() and exec_block_fill(). */
struct exec_block *exec_block_new(struct exec_context *x, uint64_t index);
struct exec_block *exec_block_free(struct exec_block *block);
void exec_block_start(struct exec_context *x, struct exec_block *block, uint64_t index);
/* All warps at the start of the kernel.  False: no memory, and the launch is stopped. */
bool exec_block_fill(struct exec_context *x, struct exec_block *block);

/* exec_sched.c */
enum exec_outcome {
	OUTCOME_DONE,
	OUTCOME_BLOCKED,   /* every group waits at a barrier */
	OUTCOME_PREEMPTED, /* could go on */
	OUTCOME_FAULT,
};

/* Run a block until it ends, or for some rounds over its warps, each for a slice. */
enum exec_outcome exec_run_block(
	struct exec_context *x, struct exec_block *block, int n_rounds, int slice);
/* Bring the account of the launch up to date.  False: the launch is over. */
bool exec_settle(struct exec_context *x);

/* exec_mem.c */
/* Where a lane's [address, address + size) is, or NULL. */
void *exec_mem_translate(struct exec_context *x, const struct ptx_instr *in,
	enum ptx_space space, uint64_t address, uint64_t size, int lane);
/* The address that a MEMORY or ADDRESS operand names; *space becomes its variable's. */
uint64_t exec_mem_address(const struct exec_context *x, const struct ptx_operand *operand,
	int lane, enum ptx_space *space);
int exec_mem_fault(struct exec_context *x, const struct ptx_instr *in, const void *place,
	uint64_t address);
int exec_mem_load_any(struct exec_context *x, const struct ptx_instr *in);
int exec_mem_store_any(struct exec_context *x, const struct ptx_instr *in);
/* exec_mem_fast.c */
ptx_handler exec_mem_fast_choose(const struct ptx_instr *in);

/* exec_atom.c: what an atomic operation puts in the place of old. */
uint64_t exec_atom_apply(enum ptx_operation operation, enum ptx_type type, uint64_t old,
	uint64_t b, uint64_t c);

/* exec_bar.c: give a lane of a completed barrier.red its result. */
void exec_bar_result(struct exec_context *x, const struct ptx_instr *in,
	const struct exec_barrier *barrier);

/* Each family chooses a handler for an instruction whose flags have been checked, or
 * answers NULL.  Operands must be checked here: what a handler takes for granted about
 * their kind and size is what keeps it inside the frame. */
typedef ptx_handler exec_chooser(struct ptx_instr *in);
exec_chooser exec_alu_int_choose, exec_alu_bit_choose, exec_alu_float_choose,
	exec_half_choose, exec_compare_choose, exec_cvt_choose, exec_mov_choose,
	exec_mem_choose, exec_atom_choose, exec_warp_choose, exec_control_choose,
	exec_bar_choose;

const char *exec_bind_variant(struct ptx_instr *in);
ptx_handler exec_builtin_variant(const char *name);
enum exec_fault exec_run_variant(
	const struct exec_launch *launch, struct exec_result *ret_result);

/* Operands */

#define REG(T, offset) ((T *)(x->registers + (offset)))
#define DST(T) REG(T, in->dst)
#define SRC_A(T) REG(T, in->a)
#define SRC_B(T) REG(T, in->b)
#define SRC_C(T) REG(T, in->c)

/* Whether operands [first, first + n) are plain registers of that many bytes per lane. */
static inline bool
are_registers(const struct ptx_instr *in, int first, int n, int size)
{
	for (int i = first; i < first + n; i++) {
		const struct ptx_operand *operand = &in->operands[i];

		if (i >= in->n_operands || operand->kind != PTX_OPERAND_REG ||
			operand->predicate || operand->size != size ||
			operand->offset == 0) {
			return false;
		}
	}
	return true;
}

/* A register of any size up to 8. */
static inline bool
is_register(const struct ptx_instr *in, int i)
{
	return are_registers(in, i, 1, 2) || are_registers(in, i, 1, 4) ||
	       are_registers(in, i, 1, 8);
}

static inline bool
is_predicate(const struct ptx_instr *in, int i)
{
	return i < in->n_operands && in->operands[i].kind == PTX_OPERAND_REG &&
	       in->operands[i].predicate && in->operands[i].offset != 0;
}

/* A destination may also be _, whose offset is 0 and is never written. */
static inline bool
is_sink(const struct ptx_instr *in, int i)
{
	return i < in->n_operands && in->operands[i].kind == PTX_OPERAND_SINK;
}

static inline uint64_t
lane_read(const struct exec_context *x, uint32_t offset, int size, int lane)
{
	switch (size) {
	case 0: return *REG(uint32_t, offset) >> lane & 1;
	case 2: return REG(uint16_t, offset)[lane];
	case 4: return REG(uint32_t, offset)[lane];
	default: return REG(uint64_t, offset)[lane];
	}
}

static inline void
lane_write(struct exec_context *x, uint32_t offset, int size, int lane, uint64_t value)
{
	if (offset == 0) {
		return;
	}
	switch (size) {
	case 0: {
		uint32_t *p = REG(uint32_t, offset);

		*p = (*p & ~(1u << lane)) | (uint32_t)(value & 1) << lane;
		break;
	}
	case 2: REG(uint16_t, offset)[lane] = (uint16_t)value; break;
	case 4: REG(uint32_t, offset)[lane] = (uint32_t)value; break;
	default: REG(uint64_t, offset)[lane] = value;
	}
}

static inline uint32_t
predicate_read(const struct exec_context *x, const struct ptx_operand *operand)
{
	uint32_t p = *REG(uint32_t, operand->offset);

	return operand->negated ? ~p : p;
}

static inline void
predicate_write(struct exec_context *x, uint32_t offset, uint32_t value)
{
	if (offset != 0) {
		uint32_t *p = REG(uint32_t, offset);

		*p = (*p & ~x->mask) | (value & x->mask);
	}
}

/* Handlers */

#define HANDLER(name) static int name(struct exec_context *x, const struct ptx_instr *in)

/* What reads or writes memory of the guest.  Threads of a kernel may race there as they do
 * on a device (volatile and relaxed accesses): that is not the executor's race. */
#if defined(__SANITIZE_THREAD__)
#define GUEST_ACCESS __attribute__((no_sanitize("thread"), noinline))
#else
#define GUEST_ACCESS
#endif

/* For every lane l that is on.  The loop over all of them is what the compiler
 * vectorises: sources and destination are the same register or do not overlap. */
#define LANES(...) \
	if (x->mask == FULL_MASK) { \
		_Pragma("GCC ivdep") for (int l = 0; l < WARP_SIZE; l++) \
		{ \
			__VA_ARGS__ \
		} \
	} else { \
		for (uint32_t on_ = x->mask; on_ != 0; on_ &= on_ - 1) { \
			int l = __builtin_ctz(on_); \
			__VA_ARGS__ \
		} \
	}
/* The same where there is nothing to vectorise. */
#define FOR_LANES(l, mask) \
	for (uint32_t on_##l = (mask), l = 0; \
		on_##l != 0 && ((l = (uint32_t)__builtin_ctz(on_##l)), true); \
		on_##l &= on_##l - 1)

#define UNARY(name, T, E) \
	HANDLER(name) \
	{ \
		T *d = DST(T); \
		const T *va = SRC_A(T); \
		LANES(T a = va[l]; d[l] = (T)(E);) \
		return EXEC_NEXT; \
	}
#define BINARY(name, T, E) \
	HANDLER(name) \
	{ \
		T *d = DST(T); \
		const T *va = SRC_A(T), *vb = SRC_B(T); \
		LANES(T a = va[l]; T b = vb[l]; d[l] = (T)(E);) \
		return EXEC_NEXT; \
	}
#define TERNARY(name, T, E) \
	HANDLER(name) \
	{ \
		T *d = DST(T); \
		const T *va = SRC_A(T), *vb = SRC_B(T), *vc = SRC_C(T); \
		LANES(T a = va[l]; T b = vb[l]; T c = vc[l]; d[l] = (T)(E);) \
		return EXEC_NEXT; \
	}

/* Index of an integer type in {u16, u32, u64, s16, s32, s64}, b types among u; or -1. */
static inline int
integer_index(int type)
{
	switch (type) {
	case PTX_U16:
	case PTX_B16: return 0;
	case PTX_U32:
	case PTX_B32: return 1;
	case PTX_U64:
	case PTX_B64: return 2;
	case PTX_S16: return 3;
	case PTX_S32: return 4;
	case PTX_S64: return 5;
	default: return -1;
	}
}

static inline bool
is_half(int type)
{
	return type == PTX_F16 || type == PTX_F16X2 || type == PTX_BF16 ||
	       type == PTX_BF16X2;
}
