/* SPDX-License-Identifier: Apache-2.0 */
/* kernel.cu: a program as nvcc builds it, static runtime and all. */
#include <cuda_runtime.h>
#include <stdio.h>

__global__ void
add(const float *a, const float *b, float *c, int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n) {
		c[i] = a[i] + b[i];
	}
}

int
main(void)
{
	float *p = NULL;
	cudaError_t error = cudaMalloc((void **)&p, 12345);

	add<<<3, 5>>>(p, p, p, 42);
	printf("malloc %d %p, launch %d, %s\n", (int)error, (void *)p,
		(int)cudaGetLastError(), cudaGetErrorString(cudaSuccess));
	return 0;
}
