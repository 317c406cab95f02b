/* SPDX-License-Identifier: Apache-2.0 */
/* allocation.h: the address space of the devices, and what lives where in it.
 *
 * Device addresses are addresses of this process.  Each device has a window of reserved
 * addresses; in it every allocation starts at a multiple of 512 and is followed by at
 * least 512 bytes that belong to nobody, so that an access past its exact end is found.
 * Pinned host memory lies wherever the host has it, and is in the same table. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "soft-device/exec.h"

enum allocation_kind {
	ALLOCATION_DEVICE,     /* cuMemAlloc */
	ALLOCATION_ASYNC,      /* cuMemAllocAsync */
	ALLOCATION_MANAGED,    /* cuMemAllocManaged */
	ALLOCATION_MODULE,     /* variables of a module */
	ALLOCATION_HEAP,       /* malloc() of a kernel */
	ALLOCATION_HOST,       /* cuMemHostAlloc */
	ALLOCATION_REGISTERED, /* cuMemHostRegister */
};

struct allocation {
	uint64_t start;
	uint64_t end; /* exact */
	enum allocation_kind kind;
	int device;
	unsigned int flags;	 /* of cuMemHostAlloc or Register */
	uint64_t id;		 /* never used twice */
	struct context *context; /* not a reference: for comparison only */
	void *context_handle;
	void *pool; /* handle, for ALLOCATION_ASYNC */
};

/* Reserve the windows.  false: the host refuses. */
bool allocation_setup(int n_devices, size_t memory_size);
/* Zeroed memory of the device; 0 if there is no room.  size > 0. */
uint64_t allocation_new(int device, uint64_t size, enum allocation_kind kind,
	struct context *context, void *pool);
/* Zeroed, page-aligned memory of the host; 0 if there is none. */
uint64_t allocation_new_host(
	uint64_t size, unsigned int flags, int device, struct context *context);
/* Enter memory of the program.  false: it overlaps something that is in the table. */
bool allocation_register(uint64_t start, uint64_t size, unsigned int flags, int device,
	struct context *context);
/* Remove what starts at start, if its kind is one of kinds (1 << kind); the memory is
 * given back or wiped.  false: there is no such thing. */
bool allocation_free(uint64_t start, unsigned int kinds);
void allocation_free_context(const struct context *context);
/* What contains [address, address + size); with size 0, address alone, and then its exact
 * end counts as inside. */
bool allocation_find(uint64_t address, uint64_t size, struct allocation *ret_allocation);
/* Whether any byte of [address, address + size) is inside a window of a device. */
bool allocation_in_window(uint64_t address, uint64_t size);
size_t allocation_used(int device);
size_t allocation_used_pool(const void *pool);
void allocation_heap_limit(int device, size_t size);

/* The same for the executor, per device. */
const struct exec_memory *allocation_memory(int device);
