/* SPDX-License-Identifier: Apache-2.0 */
/* rdc_main.cu: calls a device function of rdc_part.cu; built with -rdc=true.
 * Usage: rdc [elements] */
#include "check.h"
#include "rdc_part.h"

__global__ void
mix_all(uint32_t *data, size_t n, uint32_t key)
{
	size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n) {
		data[i] = mix(data[i], key);
	}
}

int
main(int argc, char **argv)
{
	size_t n = size_argument(argc, argv, 60013);
	uint32_t *in = (uint32_t *)malloc(n * sizeof(uint32_t));
	uint32_t *out = (uint32_t *)malloc(n * sizeof(uint32_t));
	uint32_t *device;

	seed_random();
	for (size_t i = 0; i < n; i++) {
		in[i] = random_u32();
	}
	CHECK(cudaMalloc(&device, n * sizeof(uint32_t)));
	for (uint32_t n_rounds = 3; n_rounds < 6; n_rounds++) {
		uint32_t key = random_u32();
		if (n_rounds > 3) {
			CHECK(cudaMemcpyToSymbol(rounds, &n_rounds, sizeof(n_rounds)));
		}
		CHECK(cudaMemcpy(
			device, in, n * sizeof(uint32_t), cudaMemcpyHostToDevice));
		mix_all<<<(unsigned)((n + 255) / 256), 256>>>(device, n, key);
		CHECK(cudaGetLastError());
		CHECK(cudaMemcpy(
			out, device, n * sizeof(uint32_t), cudaMemcpyDeviceToHost));
		for (size_t i = 0; i < n; i++) {
			uint32_t expected = mix_reference(in[i], key, n_rounds);
			if (out[i] != expected) {
				FAIL("%u rounds: element %zu is %u, not %u", n_rounds, i,
					out[i], expected);
			}
		}
	}
	CHECK(cudaFree(device));
	free(in);
	free(out);
	printf("PASS\n");
	return 0;
}
