/* SPDX-License-Identifier: Apache-2.0 */
/* images.c: load files with device code, run the kernel "mix" of each, print what it
 * wrote. Usage: images FILE... */
#include "check.h"

#define N 64

int
main(int argc, char **argv)
{
	CUdeviceptr memory;

	DO(cuInit(0));
	use_device(0);
	DO(cuMemAlloc(&memory, N * sizeof(unsigned)));
	for (int i = 1; i < argc; i++) {
		unsigned results[N];
		CUmodule module;
		CUfunction mix;

		DO(cuModuleLoad(&module, argv[i]));
		DO(cuModuleGetFunction(&mix, module, "mix"));
		void *args[] = { &memory };
		DO(cuMemsetD8(memory, 0xcc, sizeof(results)));
		DO(cuLaunchKernel(mix, 1, 1, 1, N, 1, 1, 0, NULL, args, NULL));
		DO(cuMemcpyDtoH(results, memory, sizeof(results)));
		DO(cuModuleUnload(module));
		for (int j = 0; j < N; j++) {
			printf("%08x%c", results[j], j + 1 < N ? ' ' : '\n');
		}
	}
	return 0;
}
