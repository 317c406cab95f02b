/* SPDX-License-Identifier: Apache-2.0 */
/* exec.h: run one kernel of a parsed PTX module on the processor.
 *
 * Device addresses are addresses of this process: the executor reads and writes global
 * memory where it lies, after having asked exec_memory whether it is there.  Shared,
 * local and parameter memory live in windows above bit 56 (ir.h), so that a generic
 * address tells what it points to.
 *
 * Everything here may be called from several threads at once, for several launches of the
 * same function too.  Nothing that a kernel does can crash or stop the process: what it
 * may not do ends the launch with a fault. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ptx_function;

/* How a launch ended.  Each is the CUDA error of the same name. */
enum exec_fault {
	EXEC_OK,
	EXEC_ILLEGAL_ADDRESS, /* 700 */
	EXEC_MISALIGNED,      /* 716 */
	EXEC_ASSERT,	      /* 710 */
	EXEC_INVALID_PC,      /* 718: call or branch through a bad address */
	EXEC_LAUNCH_FAILED, /* 719: trap, stack overflow, call of an undefined function */
	EXEC_TIMEOUT,	    /* 702: deadlock, or the instruction budget is spent */
	EXEC_INVALID_VALUE, /* 1: dimensions or parameters out of range; nothing ran */
	EXEC_NOT_SUPPORTED, /* 801: an instruction we do not have; nothing ran */
	EXEC_OUT_OF_MEMORY, /* 2: the host has no memory for the blocks */
};

/* What the executor must know of device memory.  The functions are called from several
 * threads at once.  Memory that is freed while a launch runs must stay mapped until it is
 * over: bounds are remembered for a while. */
struct exec_memory {
	void *opaque;
	/* Find the live allocation (device, managed, pinned, module variable) that
	 * contains [address, address + size), size > 0; false if there is none. */
	bool (*find)(void *opaque, uint64_t address, uint64_t size, uint64_t *ret_start,
		uint64_t *ret_end);
	/* malloc() and free() of kernels.  0 if there is no room.  free answers false for
	 * what is not such an allocation.  alloc also gives the 256 bytes of workspace of
	 * a cooperative launch. */
	uint64_t (*heap_alloc)(void *opaque, uint64_t size);
	bool (*heap_free)(void *opaque, uint64_t address);
	/* Goes up (atomically) with every free of anything; remembered bounds are
	 * forgotten soon after.  May be NULL. */
	const uint64_t *generation;
};

/* Where the text of kernels goes.  Called from several threads at once, one call per
 * printf of one thread; text is not zero-terminated. */
struct exec_output {
	void *opaque;
	void (*print)(void *opaque, const char *text, size_t text_len); /* printf */
	void (*assertion)(
		void *opaque, const char *text, size_t text_len); /* for stderr */
};

struct exec_launch {
	const struct ptx_function *function; /* a defined entry */
	uint32_t grid[3];
	uint32_t block[3];
	const void *params; /* as laid out in ptx_function: all parameters, one after
			       another */
	size_t params_size; /* at least the function's, the rest is ignored */
	uint32_t dynamic_shared_size;
	bool cooperative;    /* all blocks resident, grid.sync() works */
	uint64_t grid_id;    /* %gridid */
	uint32_t stack_size; /* per thread: local variables and calls.  0: 16 KiB */
	unsigned int
		n_threads;  /* 0: OUTBOARD_SOFT_THREADS, or the number of processors */
	uint64_t budget;    /* warp instructions.  0: OUTBOARD_SOFT_BUDGET, or 10^12 */
	const bool *cancel; /* NULL, or: ends the launch with EXEC_TIMEOUT once true */
	const struct exec_memory *memory;
	const struct exec_output *output;
};

struct exec_result {
	enum exec_fault fault;
	uint64_t address;	 /* of the fault, if it has one */
	uint64_t n_instructions; /* executed, counted per warp */
	/* One line: what, kernel, instruction, PTX line, block and thread.  Empty if OK.
	 */
	char message[1024];
};

/* Run the kernel to its end.  Returns ret_result->fault. */
enum exec_fault exec_run(
	const struct exec_launch *launch, struct exec_result *ret_result);

/* What cuFuncGetAttribute wants to know. */
struct exec_attributes {
	int n_registers;       /* an estimate: 32-bit registers per thread */
	int max_threads;       /* per block: 1024 or .maxntid */
	int required_block[3]; /* .reqntid, or zeros */
	size_t shared_size;    /* static */
	size_t const_size;     /* of the module's .const variables that we know of */
	size_t local_size;     /* per thread */
	size_t params_size;
};

void exec_attributes(
	const struct ptx_function *function, struct exec_attributes *ret_attributes);

/* "baseline" or "x86-64-v3": which build of the executor runs here. */
const char *exec_variant_name(void);
