/* SPDX-License-Identifier: Apache-2.0 */
/* arena.h: memory that the guest shares with its host, where both are on one machine. */
#pragma once

#include <cuda.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/call.h"
#include "rpc/lane.h"

struct context;

/* The bits of the greeting that this process asks for. */
uint32_t arena_wanted_features(void);
/* What the host granted; before anything else here is called. */
void arena_greeted(uint32_t features);
/* Open the arena, if it was granted, and let the lane go on in it.  Nobody else has the
 * lane yet. */
void arena_begin(struct lane *lane);

/* Pinned memory in the arena, zeroed or used before.  false: there is no arena, or it is
 * full; then the program's own memory must do. */
bool arena_allocate(size_t size, void **ret_memory);
/* Give back what starts at memory; no copy may be using it (arena_drain).  false: it is not
 * of the arena. */
bool arena_give(void *memory);
/* Wait for the copies of all contexts that the arena has had. */
CUresult arena_drain(void);
/* Whether the address lies in the arena, and where. */
bool arena_offset(uint64_t address, uint64_t *ret_offset);
/* Whether kernels can use memory of the arena, at the same addresses. */
bool arena_is_mapped(void);

/* Rows of which one end is on the device and the other in one allocation of the arena. */
struct arena_copy {
	uint64_t device;
	size_t device_pitch;
	uint64_t offset;
	size_t host_pitch;
	size_t width, height;
	call_handle stream;
};

/* Send it; it is done when the stream has got so far. */
CUresult arena_copy_to_device(const struct arena_copy *copy);
CUresult arena_copy_to_host(const struct arena_copy *copy);
