/* SPDX-License-Identifier: Apache-2.0 */
/* mapped_memory.cu: kernels that read and write the program's own memory, where the device
 * can; else nothing is tested. */
#include "check.h"

#define N 100003

__global__ static void
square(const uint32_t *in, uint32_t *out, size_t n)
{
	for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < n;
		i += (size_t)gridDim.x * blockDim.x) {
		out[i] = in[i] * in[i] + (uint32_t)i;
	}
}

static void
fill(uint32_t *words)
{
	for (size_t i = 0; i < N; i++) {
		words[i] = random_u32();
	}
}

static void
compare(const char *what, const uint32_t *in, const uint32_t *out)
{
	for (size_t i = 0; i < N; i++) {
		if (out[i] != in[i] * in[i] + (uint32_t)i) {
			FAIL("%s: element %zu is %u, not %u", what, i, out[i],
				in[i] * in[i] + (uint32_t)i);
		}
	}
}

int
main(void)
{
	uint32_t *in, *out, *in_there, *out_there, *device, *back;
	int can_map = 0;

	seed_random();
	CHECK(cudaDeviceGetAttribute(&can_map, cudaDevAttrCanMapHostMemory, 0));
	if (!can_map) {
		CHECK(cudaMallocHost(&in, N * sizeof(*in)));
		if (cudaHostGetDevicePointer(&in_there, in, 0) == cudaSuccess) {
			FAIL("memory has a device pointer, but no device can use it");
		}
		(void)cudaGetLastError();
		CHECK(cudaFreeHost(in));
		printf("the device cannot map host memory\nPASS\n");
		return 0;
	}
	CHECK(cudaHostAlloc(&in, N * sizeof(*in), cudaHostAllocMapped));
	CHECK(cudaHostAlloc(&out, N * sizeof(*out), cudaHostAllocMapped));
	CHECK(cudaHostGetDevicePointer(&in_there, in, 0));
	CHECK(cudaHostGetDevicePointer(&out_there, out, 0));
	for (int round = 0; round < 4; round++) {
		fill(in);
		square<<<8, 128>>>(in_there, out_there, N);
		CHECK(cudaGetLastError());
		CHECK(cudaDeviceSynchronize());
		compare("mapped", in, out);
	}

	cudaPointerAttributes attributes;
	CHECK(cudaPointerGetAttributes(&attributes, out + 7));
	if (attributes.type != cudaMemoryTypeHost || attributes.hostPointer != out + 7 ||
		attributes.devicePointer != out_there + 7) {
		FAIL("the attributes of mapped memory: type %d, host %p, device %p",
			(int)attributes.type, attributes.hostPointer,
			attributes.devicePointer);
	}

	/* A copy from mapped memory comes after the kernel that writes it. */
	CHECK(cudaMalloc(&device, N * sizeof(*device)));
	back = (uint32_t *)malloc(N * sizeof(*back));
	for (int round = 0; round < 4; round++) {
		fill(in);
		square<<<8, 128>>>(in_there, out_there, N);
		CHECK(cudaMemcpy(device, out, N * sizeof(*out), cudaMemcpyHostToDevice));
		CHECK(cudaMemcpy(back, device, N * sizeof(*out), cudaMemcpyDeviceToHost));
		compare("copied", in, back);
	}
	free(back);
	CHECK(cudaFree(device));
	CHECK(cudaFreeHost(in));
	CHECK(cudaFreeHost(out));
	printf("PASS\n");
	return 0;
}
