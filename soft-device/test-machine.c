/* SPDX-License-Identifier: Apache-2.0 */
/* test-machine.c: parse a PTX text and run its kernels, for tests of the executor. */
#include "test-machine.h"

#include "common/cleanup.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
find(void *opaque, uint64_t address, uint64_t size, uint64_t *ret_start,
	uint64_t *ret_end)
{
	struct machine *machine = opaque;
	HOLD_LOCK(&machine->lock);

	for (int i = 0; i < machine->n_allocations; i++) {
		uint64_t start = machine->allocations[i].start;
		uint64_t end = machine->allocations[i].end;

		if (address >= start && address < end && size <= end - address) {
			*ret_start = start;
			*ret_end = end;
			return true;
		}
	}
	return false;
}

static uint64_t
heap_alloc(void *opaque, uint64_t size)
{
	return size < 1u << 20 ? (uintptr_t)machine_alloc(opaque, size, NULL) : 0;
}

static bool
heap_free(void *opaque, uint64_t address)
{
	struct machine *machine = opaque;
	HOLD_LOCK(&machine->lock);

	for (int i = 0; i < machine->n_allocations; i++) {
		if (machine->allocations[i].start == address && address != 0) {
			machine->allocations[i].start = machine->allocations[i].end = 0;
			__atomic_add_fetch(&machine->generation, 1, __ATOMIC_RELEASE);
			return true;
		}
	}
	return false;
}

static void
append(struct machine *machine, char *text, size_t *len, const char *more, size_t n)
{
	HOLD_LOCK(&machine->lock);

	assert_true(*len + n < sizeof(machine->printed));
	memcpy(text + *len, more, n);
	*len += n;
	text[*len] = 0;
}

static void
print(void *opaque, const char *text, size_t text_len)
{
	struct machine *machine = opaque;

	append(machine, machine->printed, &machine->printed_len, text, text_len);
}

static void
assertion(void *opaque, const char *text, size_t text_len)
{
	struct machine *machine = opaque;

	append(machine, machine->asserted, &machine->asserted_len, text, text_len);
}

struct machine *
machine_new(const char *text)
{
	struct machine *machine = calloc(1, sizeof(*machine));
	struct ptx_text whole = { .text = text, .size = strlen(text) };
	struct ptx_error error = { 0 };

	assert_non_null(machine);
	pthread_mutex_init(&machine->lock, NULL);
	machine->memory = (struct exec_memory){ .opaque = machine,
		.find = find,
		.heap_alloc = heap_alloc,
		.heap_free = heap_free,
		.generation = &machine->generation };
	machine->output = (struct exec_output){
		.opaque = machine, .print = print, .assertion = assertion
	};
	machine->launch = (struct exec_launch){ .n_threads = 2,
		.budget = 50000000,
		.grid = { 1, 1, 1 },
		.block = { 1, 1, 1 },
		.memory = &machine->memory,
		.output = &machine->output };
	if (ptx_module_new(&whole, 1, NULL, &error, &machine->module) < 0) {
		fail_msg("%s", error.message);
	}
	for (uint32_t i = 0; i < machine->module->n_variables; i++) {
		struct ptx_variable *variable = machine->module->variables[i];

		if (variable->space == PTX_GLOBAL || variable->space == PTX_CONST) {
			variable->address =
				(uintptr_t)machine_alloc(machine, variable->size, NULL);
		}
	}
	for (uint32_t i = 0; i < machine->module->n_variables; i++) {
		struct ptx_variable *variable = machine->module->variables[i];

		if (variable->address != 0) {
			ptx_variable_fill(variable, (void *)(uintptr_t)variable->address);
		}
	}
	return machine;
}

struct machine *
machine_free(struct machine *machine)
{
	if (machine == NULL) {
		return NULL;
	}
	for (int i = 0; i < machine->n_allocations; i++) {
		free(machine->allocations[i].memory);
	}
	ptx_module_free(machine->module);
	pthread_mutex_destroy(&machine->lock);
	free(machine);
	return NULL;
}

void *
machine_alloc(struct machine *machine, size_t size, const void *contents)
{
	HOLD_LOCK(&machine->lock);
	int i = machine->n_allocations;
	void *memory = aligned_alloc(256, (size + 512) & ~(size_t)255);

	if (i == MACHINE_ALLOCATIONS || memory == NULL) {
		free(memory);
		return NULL;
	}
	memset(memory, 0, size);
	if (contents != NULL) {
		memcpy(memory, contents, size);
	}
	machine->n_allocations++;
	machine->allocations[i].start = (uintptr_t)memory;
	machine->allocations[i].end = (uintptr_t)memory + size;
	machine->allocations[i].memory = memory;
	return memory;
}

enum exec_fault
machine_run(struct machine *machine, const char *kernel, uint32_t n_blocks,
	uint32_t n_threads, const void *params, size_t params_size)
{
	struct exec_launch *launch = &machine->launch;

	launch->function = ptx_module_function(machine->module, kernel);
	assert_non_null(launch->function);
	launch->grid[0] = n_blocks;
	if (n_threads != 0) {
		launch->block[0] = n_threads;
	}
	launch->params = params;
	launch->params_size = params_size;
	return exec_run(launch, &machine->result);
}

void
machine_must_run(struct machine *machine, const char *kernel, uint32_t n_blocks,
	uint32_t n_threads, const void *params, size_t params_size)
{
	if (machine_run(machine, kernel, n_blocks, n_threads, params, params_size) !=
		EXEC_OK) {
		fail_msg("%s", machine->result.message);
	}
}

uint64_t
machine_random(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	/* splitmix64 */
	state += 0x9e3779b97f4a7c15;
	uint64_t z = state;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint64_t
machine_random_integer(void)
{
	uint64_t r = machine_random();

	switch (r & 7) {
	case 0: return r >> 61;
	case 1: return 0 - (r >> 61);
	case 2: return 1ull << (r >> 58);
	case 3: return 0x8000800080008000ull - (r >> 62);
	case 4: return r >> 8 & 0xff;
	default: return r;
	}
}
