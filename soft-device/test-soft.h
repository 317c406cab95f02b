/* SPDX-License-Identifier: Apache-2.0 */
/* test-soft.h: what the tests of the driver API have in common. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <cuda.h>

#include "common/cleanup.h"

#define assert_cu(expected, call) assert_int_equal(call, expected)
#define assert_ok(call) assert_cu(CUDA_SUCCESS, call)

/* xorshift: the same bytes in every run. */
static inline uint64_t
random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline void
random_fill(void *memory, size_t size, uint64_t seed)
{
	unsigned char *at = memory;
	uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;

	for (size_t i = 0; i < size; i++) {
		at[i] = (unsigned char)(random_next(&state) >> 32);
	}
}

/* Group set-up and tear-down: the primary context of device 0 is current. */
static inline int
context_setup(void **state)
{
	CUcontext context;

	if (cuInit(0) != CUDA_SUCCESS ||
		cuDevicePrimaryCtxRetain(&context, 0) != CUDA_SUCCESS) {
		return -1;
	}
	return cuCtxSetCurrent(context) == CUDA_SUCCESS ? 0 : -1;
}

static inline int
context_teardown(void **state)
{
	return cuDevicePrimaryCtxRelease(0) == CUDA_SUCCESS ? 0 : -1;
}
