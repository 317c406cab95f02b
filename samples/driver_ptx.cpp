/* SPDX-License-Identifier: Apache-2.0 */
/* driver_ptx.cpp: the driver API alone; the kernel is PTX text inside the program. */
#include <cuda.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CHECK(call) \
	do { \
		CUresult check_result = (call); \
		if (check_result != CUDA_SUCCESS) { \
			const char *check_name = NULL; \
			cuGetErrorName(check_result, &check_name); \
			printf("FAIL %s:%d: %s: %s (%d)\n", __FILE__, __LINE__, #call, \
				check_name != NULL ? check_name : "?", \
				(int)check_result); \
			exit(1); \
		} \
	} while (0)

/* out[i] = in[i] * factor + bias, where bias is a variable of the module. */
static const char ptx[] =
	".version 7.0\n"
	".target sm_75\n"
	".address_size 64\n"
	".visible .global .align 4 .u32 bias = 1000;\n"
	".visible .entry scale(\n"
	"	.param .u64 in, .param .u64 out, .param .u32 factor, .param .u32 n)\n"
	"{\n"
	"	.reg .pred %p;\n"
	"	.reg .b32 %r<8>;\n"
	"	.reg .b64 %a<6>;\n"
	"	mov.u32 %r0, %ctaid.x;\n"
	"	mov.u32 %r1, %ntid.x;\n"
	"	mov.u32 %r2, %tid.x;\n"
	"	mad.lo.u32 %r3, %r0, %r1, %r2;\n"
	"	ld.param.u32 %r4, [n];\n"
	"	setp.ge.u32 %p, %r3, %r4;\n"
	"	@%p bra DONE;\n"
	"	ld.param.u64 %a0, [in];\n"
	"	ld.param.u64 %a1, [out];\n"
	"	cvta.to.global.u64 %a0, %a0;\n"
	"	cvta.to.global.u64 %a1, %a1;\n"
	"	mul.wide.u32 %a2, %r3, 4;\n"
	"	add.u64 %a3, %a0, %a2;\n"
	"	add.u64 %a4, %a1, %a2;\n"
	"	ld.global.u32 %r5, [%a3];\n"
	"	ld.param.u32 %r6, [factor];\n"
	"	ld.global.u32 %r7, [bias];\n"
	"	mad.lo.u32 %r5, %r5, %r6, %r7;\n"
	"	st.global.u32 [%a4], %r5;\n"
	"DONE:\n"
	"	ret;\n"
	"}\n";

static void
run(CUfunction kernel, CUdeviceptr in, CUdeviceptr out, uint32_t n, uint32_t bias)
{
	size_t size = n * sizeof(uint32_t);
	uint32_t *host = (uint32_t *)malloc(size);
	uint32_t *back = (uint32_t *)malloc(size);
	uint32_t factor = (uint32_t)rand();
	void *parameters[] = { &in, &out, &factor, &n };

	for (uint32_t i = 0; i < n; i++) {
		host[i] = (uint32_t)rand() << 16 ^ (uint32_t)rand();
	}
	CHECK(cuMemcpyHtoD(in, host, size));
	CHECK(cuMemsetD32(out, 0xdeadbeef, n));
	CHECK(cuLaunchKernel(
		kernel, (n + 191) / 192, 1, 1, 192, 1, 1, 0, NULL, parameters, NULL));
	CHECK(cuCtxSynchronize());
	CHECK(cuMemcpyDtoH(back, out, size));
	for (uint32_t i = 0; i < n; i++) {
		if (back[i] != host[i] * factor + bias) {
			printf("FAIL element %u is %u, not %u\n", i, back[i],
				host[i] * factor + bias);
			exit(1);
		}
	}
	free(host);
	free(back);
}

int
main(int argc, char **argv)
{
	uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 70001;
	unsigned seed = (unsigned)time(NULL);
	CUdevice device;
	CUcontext context;
	CUmodule module;
	CUfunction kernel, missing;
	CUdeviceptr in, out, bias_address;
	size_t bias_size;
	char name[128];

	printf("seed %u\n", seed);
	srand(seed);
	CHECK(cuInit(0));
	CHECK(cuDeviceGet(&device, 0));
	CHECK(cuDeviceGetName(name, sizeof(name), device));
	printf("device \"%s\"\n", name);
	CHECK(cuDevicePrimaryCtxRetain(&context, device));
	CHECK(cuCtxSetCurrent(context));
	CHECK(cuModuleLoadData(&module, ptx));
	CHECK(cuModuleGetFunction(&kernel, module, "scale"));
	if (cuModuleGetFunction(&missing, module, "no_such_kernel") !=
		CUDA_ERROR_NOT_FOUND) {
		printf("FAIL a kernel was found that does not exist\n");
		return 1;
	}
	CHECK(cuMemAlloc(&in, n * sizeof(uint32_t)));
	CHECK(cuMemAlloc(&out, n * sizeof(uint32_t)));
	run(kernel, in, out, n, 1000);

	uint32_t bias = (uint32_t)rand();
	CHECK(cuModuleGetGlobal(&bias_address, &bias_size, module, "bias"));
	if (bias_size != sizeof(bias)) {
		printf("FAIL bias has %zu bytes\n", bias_size);
		return 1;
	}
	CHECK(cuMemcpyHtoD(bias_address, &bias, sizeof(bias)));
	run(kernel, in, out, n, bias);

	CHECK(cuMemFree(in));
	CHECK(cuMemFree(out));
	CHECK(cuModuleUnload(module));
	CHECK(cuDevicePrimaryCtxRelease(device));
	printf("PASS\n");
	return 0;
}
