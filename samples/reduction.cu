/* SPDX-License-Identifier: Apache-2.0 */
/* reduction.cu: sum and maximum by warp shuffles.  Usage: reduction [elements] */
#include "check.h"

#define BLOCK 256
#define GRID 64

struct result {
	unsigned long long sum;
	unsigned max;
};

__device__ static void
warp_reduce(unsigned long long *sum, unsigned *max)
{
	for (int offset = 16; offset > 0; offset /= 2) {
		unsigned other = __shfl_xor_sync(0xffffffff, *max, offset);
		*sum += __shfl_down_sync(0xffffffff, *sum, offset);
		*max = other > *max ? other : *max;
	}
}

__global__ void
reduce(const unsigned *in, size_t n, struct result *out)
{
	__shared__ struct result partial[BLOCK / 32];
	unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
	unsigned long long sum = 0;
	unsigned max = 0;

	for (size_t i = (size_t)blockIdx.x * BLOCK + threadIdx.x; i < n;
		i += GRID * BLOCK) {
		sum += in[i];
		max = in[i] > max ? in[i] : max;
	}
	warp_reduce(&sum, &max);
	if (lane == 0) {
		partial[warp].sum = sum;
		partial[warp].max = max;
	}
	__syncthreads();
	if (warp == 0) {
		sum = lane < BLOCK / 32 ? partial[lane].sum : 0;
		max = lane < BLOCK / 32 ? partial[lane].max : 0;
		warp_reduce(&sum, &max);
		if (lane == 0) {
			out[blockIdx.x].sum = sum;
			out[blockIdx.x].max = max;
		}
	}
}

/* Each warp says which of its lanes hold an odd number, and how many of them. */
__global__ void
vote(const unsigned *in, size_t n, unsigned *n_odd)
{
	size_t i = (size_t)blockIdx.x * BLOCK + threadIdx.x;
	bool odd = i < n && (in[i] & 1) != 0;
	unsigned lanes = __ballot_sync(0xffffffff, odd);

	if (threadIdx.x % 32 == 0) {
		atomicAdd(n_odd, (unsigned)__popc(lanes));
	}
}

int
main(int argc, char **argv)
{
	size_t n = size_argument(argc, argv, 500009);
	unsigned *in = (unsigned *)malloc(n * sizeof(unsigned));
	struct result expected = { 0, 0 }, got = { 0, 0 }, blocks[GRID];
	unsigned expected_odd = 0, got_odd;

	seed_random();
	for (size_t i = 0; i < n; i++) {
		in[i] = random_u32();
		expected.sum += in[i];
		expected.max = in[i] > expected.max ? in[i] : expected.max;
		expected_odd += in[i] & 1;
	}
	unsigned *device_in, *device_odd;
	struct result *device_out;
	CHECK(cudaMalloc(&device_in, n * sizeof(unsigned)));
	CHECK(cudaMalloc(&device_odd, sizeof(unsigned)));
	CHECK(cudaMalloc(&device_out, sizeof(blocks)));
	CHECK(cudaMemset(device_odd, 0, sizeof(unsigned)));
	CHECK(cudaMemcpy(device_in, in, n * sizeof(unsigned), cudaMemcpyHostToDevice));
	reduce<<<GRID, BLOCK>>>(device_in, n, device_out);
	CHECK(cudaGetLastError());
	vote<<<(unsigned)((n + BLOCK - 1) / BLOCK), BLOCK>>>(device_in, n, device_odd);
	CHECK(cudaGetLastError());
	CHECK(cudaMemcpy(blocks, device_out, sizeof(blocks), cudaMemcpyDeviceToHost));
	CHECK(cudaMemcpy(&got_odd, device_odd, sizeof(got_odd), cudaMemcpyDeviceToHost));
	for (int i = 0; i < GRID; i++) {
		got.sum += blocks[i].sum;
		got.max = blocks[i].max > got.max ? blocks[i].max : got.max;
	}
	if (got.sum != expected.sum || got.max != expected.max ||
		got_odd != expected_odd) {
		FAIL("sum %llu (expected %llu), maximum %u (%u), odd %u (%u)", got.sum,
			expected.sum, got.max, expected.max, got_odd, expected_odd);
	}
	CHECK(cudaFree(device_in));
	CHECK(cudaFree(device_odd));
	CHECK(cudaFree(device_out));
	free(in);
	printf("PASS\n");
	return 0;
}
