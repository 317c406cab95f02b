/* SPDX-License-Identifier: Apache-2.0 */
/* vector_add.cu: c = a + b.  Usage: vector_add [elements] */
#include "check.h"

__global__ void
vector_add(const float *a, const float *b, float *c, size_t n)
{
	size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n) {
		c[i] = a[i] + b[i];
	}
}

int
main(int argc, char **argv)
{
	/* Not a multiple of the block, so that the last block is ragged. */
	size_t n = size_argument(argc, argv, 1000003);
	float *a = (float *)malloc(n * sizeof(float));
	float *b = (float *)malloc(n * sizeof(float));
	float *c = (float *)malloc(n * sizeof(float));
	float *device_a, *device_b, *device_c;

	seed_random();
	for (size_t i = 0; i < n; i++) {
		a[i] = random_float();
		b[i] = random_float();
	}
	CHECK(cudaMalloc(&device_a, n * sizeof(float)));
	CHECK(cudaMalloc(&device_b, n * sizeof(float)));
	CHECK(cudaMalloc(&device_c, n * sizeof(float)));
	CHECK(cudaMemcpy(device_a, a, n * sizeof(float), cudaMemcpyHostToDevice));
	CHECK(cudaMemcpy(device_b, b, n * sizeof(float), cudaMemcpyHostToDevice));
	vector_add<<<(unsigned)((n + 255) / 256), 256>>>(device_a, device_b, device_c, n);
	CHECK(cudaGetLastError());
	CHECK(cudaMemcpy(c, device_c, n * sizeof(float), cudaMemcpyDeviceToHost));
	for (size_t i = 0; i < n; i++) {
		if (c[i] != a[i] + b[i]) {
			FAIL("element %zu: %g + %g gave %g", i, a[i], b[i], c[i]);
		}
	}
	CHECK(cudaFree(device_a));
	CHECK(cudaFree(device_b));
	CHECK(cudaFree(device_c));
	free(a);
	free(b);
	free(c);
	printf("PASS\n");
	return 0;
}
