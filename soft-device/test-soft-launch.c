/* SPDX-License-Identifier: Apache-2.0 */
/* test-soft-launch.c: modules, kernels and what goes wrong in them, through the driver
 * API. */
#include "soft-device/test-soft.h"

#include <stdio.h>

#define HEADER ".version 7.0\n.target sm_75\n.address_size 64\n"

/* out[i] = a * in[i] + table[i % 4] + offset, for i < n */
static const char affine[] = HEADER
	".visible .global .align 4 .u32 offset = 7;\n"
	".visible .const .align 4 .u32 table[4] = { 10, 20, 30, 40 };\n"
	".visible .entry affine(.param .u64 out, .param .u64 in, .param .u32 a, .param "
	".u64 n)\n"
	"{\n"
	"	.reg .pred %p<2>; .reg .b32 %r<12>; .reg .b64 %rd<12>;\n"
	"	ld.param.u64 %rd1, [out]; ld.param.u64 %rd2, [in];\n"
	"	ld.param.u32 %r1, [a]; ld.param.u64 %rd3, [n];\n"
	"	mov.u32 %r2, %ctaid.x; mov.u32 %r3, %ntid.x; mov.u32 %r4, %tid.x;\n"
	"	mad.lo.u32 %r5, %r2, %r3, %r4; cvt.u64.u32 %rd4, %r5;\n"
	"	setp.ge.u64 %p1, %rd4, %rd3; @%p1 bra DONE;\n"
	"	shl.b64 %rd5, %rd4, 2; add.u64 %rd6, %rd2, %rd5; ld.global.u32 %r6, "
	"[%rd6];\n"
	"	and.b32 %r7, %r5, 3; mul.wide.u32 %rd7, %r7, 4; mov.u64 %rd8, table;\n"
	"	add.u64 %rd9, %rd8, %rd7; ld.const.u32 %r8, [%rd9];\n"
	"	ld.global.u32 %r9, [offset];\n"
	"	mad.lo.u32 %r10, %r6, %r1, %r8; add.u32 %r10, %r10, %r9;\n"
	"	add.u64 %rd10, %rd1, %rd5; st.global.u32 [%rd10], %r10;\n"
	"DONE:	ret;\n"
	"}\n";

static const char faulty[] = HEADER
	".visible .entry store(.param .u64 p)\n"
	"{ .reg .b64 %rd<2>; .reg .b32 %r<2>; ld.param.u64 %rd1, [p]; mov.u32 %r1, 1;\n"
	"  st.global.u32 [%rd1], %r1; ret; }\n"
	".visible .entry stop() { trap; ret; }\n"
	".visible .entry exotic() { .reg .b32 %r<9>;\n"
	"  wgmma.fence.sync.aligned; ret; }\n"
	".visible .entry small() .maxntid 64, 1, 1 { ret; }\n"
	".visible .entry shared() { .shared .align 4 .b8 s[40000]; .reg .b32 %r<3>;\n"
	"  mov.u32 %r1, s; mov.u32 %r2, 1; st.shared.u32 [%r1], %r2; ret; }\n";

static void
launch_affine(CUfunction f, bool packed)
{
	enum { N = 10007, BLOCK = 96 };
	static uint32_t in[N];
	static uint32_t out[N];
	CUdeviceptr d_in;
	CUdeviceptr d_out;
	uint32_t a = 1234567;
	uint64_t n = N;

	random_fill(in, sizeof(in), packed);
	assert_ok(cuMemAlloc(&d_in, sizeof(in)));
	assert_ok(cuMemAlloc(&d_out, sizeof(out)));
	assert_ok(cuMemcpyHtoD(d_in, in, sizeof(in)));
	if (packed) {
		struct {
			CUdeviceptr out, in;
			uint32_t a;
			uint64_t n;
		} buffer = { d_out, d_in, a, n };
		size_t size = sizeof(buffer);
		void *extra[] = { CU_LAUNCH_PARAM_BUFFER_POINTER, &buffer,
			CU_LAUNCH_PARAM_BUFFER_SIZE, &size, CU_LAUNCH_PARAM_END };

		assert_ok(cuLaunchKernel(f, (N + BLOCK - 1) / BLOCK, 1, 1, BLOCK, 1, 1, 0,
			NULL, NULL, extra));
		size = 4;
		assert_cu(CUDA_ERROR_INVALID_VALUE,
			cuLaunchKernel(f, 1, 1, 1, BLOCK, 1, 1, 0, NULL, NULL, extra));
	} else {
		void *params[] = { &d_out, &d_in, &a, &n };

		assert_ok(cuLaunchKernel(f, (N + BLOCK - 1) / BLOCK, 1, 1, BLOCK, 1, 1, 0,
			NULL, params, NULL));
		/* They were copied by the launch. */
		a = 0;
		n = 0;
	}
	assert_ok(cuMemcpyDtoH(out, d_out, sizeof(out)));
	for (uint32_t i = 0; i < N; i++) {
		assert_int_equal(out[i], in[i] * 1234567u + (i % 4 + 1) * 10 + 7);
	}
	assert_ok(cuMemFree(d_in));
	assert_ok(cuMemFree(d_out));
}

static void
a_module_computes(void **state)
{
	CUmodule module;
	CUfunction f;
	CUdeviceptr p;
	size_t size;
	uint32_t value;
	size_t offset;
	const char *name;

	assert_ok(cuModuleLoadData(&module, affine));
	assert_ok(cuModuleGetFunction(&f, module, "affine"));
	launch_affine(f, false);
	launch_affine(f, true);
	assert_ok(cuModuleGetGlobal(&p, &size, module, "offset"));
	assert_int_equal(size, 4);
	assert_ok(cuMemcpyDtoH(&value, p, 4));
	assert_int_equal(value, 7);
	assert_ok(cuModuleGetGlobal(&p, &size, module, "table"));
	assert_int_equal(size, 16);
	assert_cu(CUDA_ERROR_NOT_FOUND, cuModuleGetGlobal(&p, &size, module, "nothing"));
	assert_cu(CUDA_ERROR_NOT_FOUND, cuModuleGetFunction(&f, module, "nothing"));
	assert_ok(cuModuleGetFunction(&f, module, "affine"));
	assert_ok(cuFuncGetName(&name, f));
	assert_string_equal(name, "affine");
	assert_ok(cuFuncGetParamInfo(f, 3, &offset, &size));
	assert_int_equal(offset, 24);
	assert_int_equal(size, 8);
	assert_ok(cuFuncGetParamInfo(f, 2, &offset, &size));
	assert_int_equal(offset, 16);
	assert_int_equal(size, 4);
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuFuncGetParamInfo(f, 4, &offset, &size));
	assert_ok(cuModuleUnload(module));
	assert_cu(CUDA_ERROR_INVALID_HANDLE, cuModuleUnload(module));
	assert_cu(CUDA_ERROR_INVALID_HANDLE, cuFuncGetName(&name, f));
	assert_cu(CUDA_ERROR_INVALID_HANDLE,
		cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemcpyDtoH(&value, p, 4));
}

static void
a_library_computes_in_every_context(void **state)
{
	CUlibrary library;
	CUkernel kernel;
	CUkernel same;
	CUmodule module;
	CUfunction f;
	CUcontext other;
	CUdeviceptr here;
	CUdeviceptr there;
	unsigned int count;
	size_t size;

	assert_ok(cuLibraryLoadData(&library, affine, NULL, NULL, 0, NULL, NULL, 0));
	assert_ok(cuLibraryGetKernel(&kernel, library, "affine"));
	assert_ok(cuLibraryGetKernelCount(&count, library));
	assert_int_equal(count, 1);
	assert_ok(cuLibraryEnumerateKernels(&same, 1, library));
	assert_ptr_equal(kernel, same);
	launch_affine((CUfunction)kernel, false);
	assert_ok(cuLibraryGetGlobal(&here, &size, library, "offset"));
	assert_ok(cuCtxCreate(&other, NULL, 0, 0));
	launch_affine((CUfunction)kernel, true);
	assert_ok(cuLibraryGetGlobal(&there, &size, library, "offset"));
	assert_true(here != there);
	assert_ok(cuCtxDestroy(other));
	launch_affine((CUfunction)kernel, true);
	assert_ok(cuLibraryGetModule(&module, library));
	assert_ok(cuModuleGetFunction(&f, module, "affine"));
	launch_affine(f, false);
	assert_ok(cuKernelGetFunction(&f, kernel));
	launch_affine(f, false);
	assert_cu(CUDA_ERROR_NOT_FOUND, cuLibraryGetKernel(&kernel, library, "nothing"));
	assert_ok(cuLibraryUnload(library));
	assert_cu(CUDA_ERROR_INVALID_HANDLE, cuLibraryUnload(library));
	assert_cu(CUDA_ERROR_INVALID_HANDLE,
		cuLaunchKernel((CUfunction)same, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
}

static void
wrong_images_are_refused_with_a_reason(void **state)
{
	CUmodule module;
	char log[200] = "";
	CUjit_option names[] = { CU_JIT_ERROR_LOG_BUFFER,
		CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES };
	void *values[] = { log, (void *)sizeof(log) };

	assert_cu(CUDA_ERROR_INVALID_PTX,
		cuModuleLoadDataEx(&module, HEADER ".visible .entry k( { ret; }\n", 2,
			names, values));
	assert_non_null(strstr(log, "line"));
	assert_int_equal((size_t)values[1], strlen(log) + 1);
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuModuleLoadData(&module, NULL));
	assert_int_not_equal(
		CUDA_SUCCESS, cuModuleLoadData(&module, "not a program at all"));
	assert_cu(CUDA_ERROR_FILE_NOT_FOUND, cuModuleLoad(&module, "/nonexistent"));
}

/* Load `faulty` into a context of its own, which is current afterwards. */
static CUfunction
faulty_function(CUcontext *ret_context, const char *name)
{
	CUmodule module;
	CUfunction f;

	assert_ok(cuCtxCreate(ret_context, NULL, 0, 0));
	assert_ok(cuModuleLoadData(&module, faulty));
	assert_ok(cuModuleGetFunction(&f, module, name));
	return f;
}

static void
launches_are_checked(void **state)
{
	CUcontext context;
	CUfunction f = faulty_function(&context, "store");
	CUdeviceptr p = 0;
	void *params[] = { &p };
	const CUresult bad = CUDA_ERROR_INVALID_VALUE;

	assert_cu(bad, cuLaunchKernel(f, 0, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
	assert_cu(bad, cuLaunchKernel(f, 1, 65536, 1, 1, 1, 1, 0, NULL, params, NULL));
	assert_cu(bad, cuLaunchKernel(f, 1, 1, 1, 1025, 1, 1, 0, NULL, params, NULL));
	assert_cu(bad, cuLaunchKernel(f, 1, 1, 1, 64, 32, 1, 0, NULL, params, NULL));
	assert_cu(bad, cuLaunchKernel(f, 1, 1, 1, 1, 1, 65, 0, NULL, params, NULL));
	assert_cu(bad, cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 49153, NULL, params, NULL));
	assert_cu(bad, cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
	assert_cu(CUDA_ERROR_INVALID_HANDLE, cuLaunchKernel((CUfunction)context, 1, 1, 1,
						     1, 1, 1, 0, NULL, params, NULL));
	assert_cu(CUDA_ERROR_INVALID_HANDLE,
		cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, (CUstream)f, params, NULL));
	assert_ok(cuCtxDestroy(context));

	f = faulty_function(&context, "small");
	assert_cu(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES,
		cuLaunchKernel(f, 1, 1, 1, 65, 1, 1, 0, NULL, NULL, NULL));
	assert_ok(cuLaunchKernel(f, 1, 1, 1, 64, 1, 1, 0, NULL, NULL, NULL));
	assert_ok(cuCtxSynchronize());
	assert_ok(cuCtxDestroy(context));

	f = faulty_function(&context, "exotic");
	assert_cu(CUDA_ERROR_NOT_SUPPORTED,
		cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
	assert_ok(cuCtxSynchronize());
	assert_ok(cuCtxDestroy(context));
}

static void
shared_memory_is_limited(void **state)
{
	CUcontext context;
	CUfunction f = faulty_function(&context, "shared");
	int value;
	int blocks;

	assert_ok(cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, f));
	assert_int_equal(value, 40000);
	assert_cu(CUDA_ERROR_INVALID_VALUE,
		cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 20000, NULL, NULL, NULL));
	assert_cu(CUDA_ERROR_INVALID_VALUE,
		cuFuncSetAttribute(
			f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 30000));
	assert_ok(cuFuncSetAttribute(
		f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 20000));
	assert_ok(cuFuncGetAttribute(
		&value, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, f));
	assert_int_equal(value, 20000);
	assert_ok(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 20000, NULL, NULL, NULL));
	assert_ok(cuCtxSynchronize());
	assert_ok(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, f, 32, 20000));
	assert_int_equal(blocks, 1);
	assert_ok(cuCtxDestroy(context));
}

static void
a_fault_stays_in_its_context(void **state)
{
	CUcontext context;
	CUcontext outer;
	CUdeviceptr p = 0x123456789000;
	CUdeviceptr q;
	CUdeviceptr kept;
	void *params[] = { &p };
	uint32_t value = 5;

	assert_ok(cuMemAlloc(&kept, 4));
	assert_ok(cuMemcpyHtoD(kept, &value, 4));
	assert_ok(cuCtxGetCurrent(&outer));

	CUfunction f = faulty_function(&context, "store");

	assert_ok(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
	assert_cu(CUDA_ERROR_ILLEGAL_ADDRESS, cuCtxSynchronize());
	assert_cu(CUDA_ERROR_ILLEGAL_ADDRESS, cuMemAlloc(&q, 4));
	assert_cu(CUDA_ERROR_ILLEGAL_ADDRESS, cuStreamQuery(NULL));
	assert_cu(CUDA_ERROR_ILLEGAL_ADDRESS,
		cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
	assert_ok(cuCtxDestroy(context));
	value = 0;
	assert_ok(cuMemcpyDtoH(&value, kept, 4));
	assert_int_equal(value, 5);

	/* One byte past the end, and misaligned inside. */
	f = faulty_function(&context, "store");
	assert_ok(cuMemAlloc(&q, 7));
	p = q + 4;
	assert_ok(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
	assert_cu(CUDA_ERROR_ILLEGAL_ADDRESS, cuStreamSynchronize(NULL));
	assert_ok(cuCtxDestroy(context));
	f = faulty_function(&context, "store");
	assert_ok(cuMemAlloc(&q, 8));
	p = q + 2;
	assert_ok(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
	assert_cu(CUDA_ERROR_MISALIGNED_ADDRESS, cuCtxSynchronize());
	assert_ok(cuCtxDestroy(context));

	/* Freed memory is gone for kernels too. */
	f = faulty_function(&context, "store");
	assert_ok(cuMemAlloc(&p, 8));
	assert_ok(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
	assert_ok(cuMemFree(p));
	assert_ok(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
	assert_cu(CUDA_ERROR_ILLEGAL_ADDRESS, cuCtxSynchronize());
	assert_ok(cuCtxDestroy(context));

	f = faulty_function(&context, "stop");
	assert_ok(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
	assert_cu(CUDA_ERROR_LAUNCH_FAILED, cuCtxSynchronize());
	assert_ok(cuCtxDestroy(context));

	CUcontext now;

	assert_ok(cuCtxGetCurrent(&now));
	assert_ptr_equal(now, outer);
	assert_ok(cuMemFree(kept));
}

int
main(void)
{
	setenv("OUTBOARD_SOFT_MEMORY", "64M", 1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_module_computes),
		cmocka_unit_test(a_library_computes_in_every_context),
		cmocka_unit_test(wrong_images_are_refused_with_a_reason),
		cmocka_unit_test(launches_are_checked),
		cmocka_unit_test(shared_memory_is_limited),
		cmocka_unit_test(a_fault_stays_in_its_context),
	};

	return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
