/* SPDX-License-Identifier: Apache-2.0 */
/* images.c: load files with device code, run the kernel "mix" of each, print what it
 * wrote. Usage: images FILE... */
#include <cuda.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(call) \
	do { \
		CUresult result_ = (call); \
		if (result_ != CUDA_SUCCESS) { \
			printf("FAIL: %s gave %d\n", #call, (int)result_); \
			exit(1); \
		} \
	} while (0)

#define N 64

int
main(int argc, char **argv)
{
	CUcontext context;
	CUdevice device;
	CUdeviceptr memory;

	CHECK(cuInit(0));
	CHECK(cuDeviceGet(&device, 0));
	CHECK(cuDevicePrimaryCtxRetain(&context, device));
	CHECK(cuCtxSetCurrent(context));
	CHECK(cuMemAlloc(&memory, N * sizeof(unsigned)));
	for (int i = 1; i < argc; i++) {
		unsigned results[N];
		CUmodule module;
		CUfunction mix;

		CHECK(cuModuleLoad(&module, argv[i]));
		CHECK(cuModuleGetFunction(&mix, module, "mix"));
		void *args[] = { &memory };
		CHECK(cuMemsetD8(memory, 0xcc, sizeof(results)));
		CHECK(cuLaunchKernel(mix, 1, 1, 1, N, 1, 1, 0, NULL, args, NULL));
		CHECK(cuMemcpyDtoH(results, memory, sizeof(results)));
		CHECK(cuModuleUnload(module));
		for (int j = 0; j < N; j++) {
			printf("%08x%c", results[j], j + 1 < N ? ' ' : '\n');
		}
	}
	return 0;
}
