/* SPDX-License-Identifier: Apache-2.0 */
/* symbols.cu: variables of the device, written and read from both sides. */
#include "check.h"

#define N 300

__constant__ float coefficients[16];
__constant__ struct {
	int shift;
	unsigned char table[7];
} settings = { 5, { 1, 2, 3, 4, 5, 6, 7 } };
__device__ unsigned counter = 42;
__device__ float results[N];
__device__ float *pointer_to_results = results;

__global__ void
evaluate(void)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i >= N) {
		return;
	}
	float x = (float)i / N, y = 0;
	for (int k = 15; k >= 0; k--) {
		y = __fadd_rn(__fmul_rn(y, x), coefficients[k]);
	}
	pointer_to_results[i] = y + (float)(settings.table[i % 7] << settings.shift);
	atomicAdd(&counter, 1u);
}

static void
run(const float *c, int shift, const unsigned char *table)
{
	float got[N];

	evaluate<<<(N + 63) / 64, 64>>>();
	CHECK(cudaGetLastError());
	CHECK(cudaMemcpyFromSymbol(got, results, sizeof(got)));
	for (int i = 0; i < N; i++) {
		volatile float x = (float)i / N, y = 0;
		for (int k = 15; k >= 0; k--) {
			/* Through a volatile: a product rounded by itself, as on the
			 * device. */
			y = y * x;
			y = y + c[k];
		}
		y = y + (float)(table[i % 7] << shift);
		if (got[i] != y) {
			FAIL("result %d is %g, not %g", i, got[i], y);
		}
	}
}

int
main(void)
{
	unsigned char table[7] = { 1, 2, 3, 4, 5, 6, 7 };
	float c[16];
	unsigned count;
	size_t size;
	void *address;

	seed_random();
	for (int k = 0; k < 16; k++) {
		c[k] = random_float();
	}
	CHECK(cudaMemcpyToSymbol(coefficients, c, sizeof(c)));
	run(c, 5, table);

	/* A part of a constant, at an offset. */
	for (int k = 3; k < 8; k++) {
		c[k] = random_float();
	}
	CHECK(cudaMemcpyToSymbol(
		coefficients, c + 3, 5 * sizeof(float), 3 * sizeof(float)));
	int shift = (int)(random_u32() % 8);
	table[4] = 200;
	CHECK(cudaMemcpyToSymbol(settings, &shift, sizeof(shift)));
	CHECK(cudaMemcpyToSymbol(settings, table, 7, sizeof(shift)));
	run(c, shift, table);

	CHECK(cudaMemcpyFromSymbol(&count, counter, sizeof(count)));
	if (count != 42 + 2 * N) {
		FAIL("counter is %u, not %u", count, 42 + 2 * N);
	}
	CHECK(cudaGetSymbolSize(&size, results));
	if (size != sizeof(float) * N) {
		FAIL("size of results is %zu", size);
	}
	/* The address of the symbol is an ordinary device pointer. */
	CHECK(cudaGetSymbolAddress(&address, counter));
	count = 7;
	CHECK(cudaMemcpy(address, &count, sizeof(count), cudaMemcpyHostToDevice));
	run(c, shift, table);
	CHECK(cudaMemcpyFromSymbol(&count, counter, sizeof(count)));
	if (count != 7 + N) {
		FAIL("counter is %u, not %u, after it was written by its address", count,
			7 + N);
	}
	if (cudaMemcpyToSymbol(counter, c, sizeof(c)) != cudaErrorInvalidValue) {
		FAIL("a copy past the end of a symbol was allowed");
	}
	printf("PASS\n");
	return 0;
}
