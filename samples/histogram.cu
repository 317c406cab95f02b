/* SPDX-License-Identifier: Apache-2.0 */
/* histogram.cu: counts bytes with atomics in shared and global memory.
 * Usage: histogram [bytes] */
#include "check.h"

#define BINS 256
#define BLOCK 128
#define GRID 48

__global__ void
histogram(const unsigned char *in, size_t n, unsigned *bins, unsigned *min, unsigned *max,
	unsigned *tickets)
{
	__shared__ unsigned local[BINS];

	for (int i = threadIdx.x; i < BINS; i += BLOCK) {
		local[i] = 0;
	}
	__syncthreads();
	for (size_t i = (size_t)blockIdx.x * BLOCK + threadIdx.x; i < n;
		i += GRID * BLOCK) {
		atomicAdd(&local[in[i]], 1u);
	}
	__syncthreads();
	for (int i = threadIdx.x; i < BINS; i += BLOCK) {
		if (local[i] != 0) {
			atomicAdd(&bins[i], local[i]);
			atomicMin(min, local[i]);
			atomicMax(max, local[i]);
		}
	}
	if (threadIdx.x == 0) {
		/* The same as an atomicAdd, by hand: every value is taken exactly once.
		 */
		unsigned seen = *tickets, assumed;
		do {
			assumed = seen;
			seen = atomicCAS(tickets, assumed, assumed + 1);
		} while (seen != assumed);
	}
}

/* What the kernel's extremes must be: over what each block counted for itself. */
static void
reference(const unsigned char *in, size_t n, unsigned *bins, unsigned *ret_min,
	unsigned *ret_max)
{
	static unsigned local[GRID][BINS];

	for (size_t i = 0; i < n; i++) {
		bins[in[i]]++;
		local[i / BLOCK % GRID][in[i]]++;
	}
	for (int block = 0; block < GRID; block++) {
		for (int i = 0; i < BINS; i++) {
			unsigned count = local[block][i];
			if (count != 0) {
				*ret_min = count < *ret_min ? count : *ret_min;
				*ret_max = count > *ret_max ? count : *ret_max;
			}
		}
	}
}

int
main(int argc, char **argv)
{
	size_t n = size_argument(argc, argv, 300007);
	unsigned char *in = (unsigned char *)malloc(n);
	unsigned expected[BINS] = { 0 }, got[BINS];
	unsigned extremes[3] = { ~0u, 0, 0 }, expected_min = ~0u, expected_max = 0;

	seed_random();
	for (size_t i = 0; i < n; i++) {
		/* Uneven on purpose: many threads meet at the low values. */
		in[i] = (unsigned char)(random_u32() % (1 + random_u32() % BINS));
	}
	reference(in, n, expected, &expected_min, &expected_max);

	unsigned char *device_in;
	unsigned *device_bins, *device_extremes;
	CHECK(cudaMalloc(&device_in, n));
	CHECK(cudaMalloc(&device_bins, sizeof(got)));
	CHECK(cudaMalloc(&device_extremes, sizeof(extremes)));
	CHECK(cudaMemcpy(device_in, in, n, cudaMemcpyHostToDevice));
	CHECK(cudaMemset(device_bins, 0, sizeof(got)));
	CHECK(cudaMemcpy(
		device_extremes, extremes, sizeof(extremes), cudaMemcpyHostToDevice));
	histogram<<<GRID, BLOCK>>>(device_in, n, device_bins, device_extremes,
		device_extremes + 1, device_extremes + 2);
	CHECK(cudaGetLastError());
	CHECK(cudaMemcpy(got, device_bins, sizeof(got), cudaMemcpyDeviceToHost));
	CHECK(cudaMemcpy(
		extremes, device_extremes, sizeof(extremes), cudaMemcpyDeviceToHost));
	for (int i = 0; i < BINS; i++) {
		if (got[i] != expected[i]) {
			FAIL("bin %d holds %u, not %u", i, got[i], expected[i]);
		}
	}
	if (extremes[0] != expected_min || extremes[1] != expected_max ||
		extremes[2] != GRID) {
		FAIL("minimum %u (expected %u), maximum %u (%u), tickets %u (%u)",
			extremes[0], expected_min, extremes[1], expected_max, extremes[2],
			GRID);
	}
	CHECK(cudaFree(device_in));
	CHECK(cudaFree(device_bins));
	CHECK(cudaFree(device_extremes));
	free(in);
	printf("PASS\n");
	return 0;
}
