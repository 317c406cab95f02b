/* SPDX-License-Identifier: Apache-2.0 */
/* test-machine.h: parse a PTX text and run its kernels, for tests of the executor. */
#pragma once

#include "soft-device/exec.h"
#include "soft-device/ptx.h"

#include <pthread.h>

#define MACHINE_ALLOCATIONS 64

struct machine {
	struct ptx_module *module;
	struct {
		uint64_t start;
		uint64_t end;
		void *memory;
	} allocations[MACHINE_ALLOCATIONS];
	int n_allocations;
	uint64_t generation;
	pthread_mutex_t lock;
	char printed[8192];
	size_t printed_len;
	char asserted[8192];
	size_t asserted_len;
	struct exec_memory memory;
	struct exec_output output;
	struct exec_launch launch; /* to be adjusted before machine_run() */
	struct exec_result result;
};

/* Ends the test if the text does not parse. */
struct machine *machine_new(const char *text);
struct machine *machine_free(struct machine *machine);
/* Device memory, aligned to 256, lives as long as the machine; contents may be NULL. */
void *machine_alloc(struct machine *machine, size_t size, const void *contents);
/* Run with parameters laid out as the kernel wants them. */
enum exec_fault machine_run(struct machine *machine, const char *kernel,
	uint32_t n_blocks, uint32_t n_threads, const void *params, size_t params_size);
/* The same from a text, or fail the test with the result's message. */
void machine_must_run(struct machine *machine, const char *kernel, uint32_t n_blocks,
	uint32_t n_threads, const void *params, size_t params_size);

/* A random number from a small generator with a fixed seed. */
uint64_t machine_random(void);
/* Random, but often near 0, the ends of ranges, and powers of two. */
uint64_t machine_random_integer(void);
