/* SPDX-License-Identifier: Apache-2.0 */
/* check.h: what every sample needs: stop on an error, random numbers, the verdict. */
#pragma once

#include <cuda_runtime.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CHECK(call) \
	do { \
		cudaError_t check_error = (call); \
		if (check_error != cudaSuccess) { \
			printf("FAIL %s:%d: %s: %s (%d)\n", __FILE__, __LINE__, #call, \
				cudaGetErrorString(check_error), (int)check_error); \
			exit(1); \
		} \
	} while (0)

#define FAIL(...) \
	do { \
		printf("FAIL "); \
		printf(__VA_ARGS__); \
		printf("\n"); \
		exit(1); \
	} while (0)

/* The seed is printed, so that a failure can be repeated: SEED=n ./program */
static inline void
seed_random(void)
{
	const char *text = getenv("SEED");
	unsigned seed =
		text != NULL ? (unsigned)strtoul(text, NULL, 0) : (unsigned)time(NULL);

	printf("seed %u\n", seed);
	srand(seed);
}

static inline uint32_t
random_u32(void)
{
	return (uint32_t)rand() << 16 ^ (uint32_t)rand();
}

/* In [-1, 1). */
static inline float
random_float(void)
{
	return (float)(rand() & 0xffff) / 32768.0f - 1.0f;
}

/* The first argument as a size, or what the sample takes without one. */
static inline size_t
size_argument(int argc, char **argv, size_t otherwise)
{
	return argc > 1 ? (size_t)strtoull(argv[1], NULL, 0) : otherwise;
}
