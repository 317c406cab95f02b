/* SPDX-License-Identifier: Apache-2.0 */
/* idle.cu: works a little, says so, and does nothing until its stdin ends; then it works
 * again.  For test_idle.py. */
#include <cstdio>
#include <cstdlib>

#define N 4096

__global__ void
scale(unsigned *data, unsigned factor)
{
	data[blockIdx.x * blockDim.x + threadIdx.x] *= factor;
}

static void
check(cudaError_t error)
{
	if (error != cudaSuccess) {
		printf("FAIL %s\n", cudaGetErrorString(error));
		exit(1);
	}
}

int
main()
{
	static unsigned values[N], got[N];
	unsigned *device, *pinned;

	for (unsigned i = 0; i < N; i++) {
		values[i] = i * 2654435761u;
	}
	check(cudaMalloc(&device, sizeof(values)));
	check(cudaMallocHost(&pinned, sizeof(values)));
	check(cudaMemcpy(device, values, sizeof(values), cudaMemcpyHostToDevice));
	scale<<<N / 128, 128>>>(device, 3);
	check(cudaMemcpy(got, device, sizeof(got), cudaMemcpyDeviceToHost));
	/* What nobody waits for leaves and arrives all the same. */
	scale<<<N / 128, 128>>>(device, 5);
	check(cudaMemcpyAsync(pinned, device, sizeof(values), cudaMemcpyDeviceToHost));
	printf("READY\n");
	fflush(stdout);
	while (getchar() != EOF) {
	}
	check(cudaDeviceSynchronize());
	for (unsigned i = 0; i < N; i++) {
		if (got[i] != values[i] * 3 || pinned[i] != values[i] * 15) {
			printf("FAIL element %u: %u, %u\n", i, got[i], pinned[i]);
			return 1;
		}
	}
	printf("PASS\n");
	return 0;
}
