/* SPDX-License-Identifier: Apache-2.0 */
/* memory.h: the device memory that a guest holds. */
#pragma once

#include <cuda.h>
#include <stdbool.h>
#include <stdint.h>

struct context;
struct memory_map;
struct session;

/* Allocations of one guest at a time. */
#define ALLOCATIONS_MAX (1u << 20)

/* limit: bytes; 0 is none. */
int memory_map_new(uint64_t limit, struct memory_map **ret_map);
struct memory_map *memory_map_free(struct memory_map *map);

/* Before an allocation: whether the guest may have so much more. */
bool memory_allowed(const struct memory_map *map, uint64_t size);
/* After one. */
void memory_keep(struct session *s, CUdeviceptr address, uint64_t size);
/* The context has taken its memory with it. */
void memory_forget_context(struct session *s, const struct context *context);
uint64_t memory_held(const struct memory_map *map);
