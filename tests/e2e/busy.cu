/* SPDX-License-Identifier: Apache-2.0 */
/* busy.cu: a guest that works until it is killed, or for a number of rounds. */
#include <cstdio>
#include <cstdlib>

__global__ void
count(unsigned *cell)
{
	atomicAdd(cell, 1u);
}

int
main(int argc, char **argv)
{
	unsigned *cell, value = 0, expected = 0;
	long rounds = argc > 1 && atol(argv[1]) > 0 ? atol(argv[1]) : 0;

	if (cudaMalloc(&cell, sizeof(*cell)) != cudaSuccess ||
		cudaMemset(cell, 0, sizeof(*cell)) != cudaSuccess) {
		fprintf(stderr, "%s\n", cudaGetErrorString(cudaGetLastError()));
		return 1;
	}
	for (long round = 0; argc > 1 ? rounds == 0 || round < rounds : round < 10; round++) {
		count<<<2, 32>>>(cell);
		expected += 64;
		if (cudaMemcpy(&value, cell, sizeof(value), cudaMemcpyDeviceToHost) !=
				cudaSuccess || value != expected) {
			printf("FAIL %u, expected %u\n", value, expected);
			return 1;
		}
	}
	printf("PASS\n");
	return 0;
}
