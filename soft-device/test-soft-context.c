/* SPDX-License-Identifier: Apache-2.0 */
/* test-soft-context.c: devices, contexts, and functions by name of the software device.
 */
#include "soft-device/test-soft.h"

#include <cudaTypedefs.h>

static void
nothing_works_before_init(void **state)
{
	CUdevice device;
	CUdeviceptr p;
	int n;

	assert_cu(CUDA_ERROR_NOT_INITIALIZED, cuDeviceGetCount(&n));
	assert_cu(CUDA_ERROR_NOT_INITIALIZED, cuDeviceGet(&device, 0));
	assert_cu(CUDA_ERROR_NOT_INITIALIZED, cuMemAlloc(&p, 1));
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuInit(1));
	assert_ok(cuInit(0));
	assert_cu(CUDA_ERROR_INVALID_CONTEXT, cuMemAlloc(&p, 1));
}

static void
devices_say_what_they_are(void **state)
{
	int n;
	int value;
	char name[100];
	char bus[20];
	CUuuid a;
	CUuuid b;
	CUdevice device;
	size_t size;

	assert_ok(cuDeviceGetCount(&n));
	assert_int_equal(n, 2);
	assert_cu(CUDA_ERROR_INVALID_DEVICE, cuDeviceGet(&device, 2));
	assert_cu(CUDA_ERROR_INVALID_DEVICE, cuDeviceGet(&device, -1));
	assert_ok(cuDeviceGetName(name, sizeof(name), 1));
	assert_string_equal(name, "Outboard software device (PTX interpreter)");
	assert_ok(cuDeviceGetName(name, 9, 1));
	assert_string_equal(name, "Outboard");
	assert_ok(cuDeviceTotalMem(&size, 0));
	assert_int_equal(size, 64 << 20);
	assert_ok(cuDeviceGetUuid(&a, 0));
	assert_ok(cuDeviceGetUuid(&b, 1));
	assert_memory_not_equal(&a, &b, sizeof(a));
	assert_ok(cuDeviceGetPCIBusId(bus, sizeof(bus), 1));
	assert_ok(cuDeviceGetByPCIBusId(&device, bus));
	assert_int_equal(device, 1);
	assert_ok(cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_WARP_SIZE, 0));
	assert_int_equal(value, 32);
	for (int i = 1; i < CU_DEVICE_ATTRIBUTE_MAX; i++) {
		assert_ok(cuDeviceGetAttribute(&value, i, 0));
	}
	assert_cu(CUDA_ERROR_INVALID_VALUE,
		cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_MAX, 0));
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuDeviceGetAttribute(&value, 0, 0));
}

static void
contexts_form_a_stack(void **state)
{
	CUcontext a;
	CUcontext b;
	CUcontext top;
	CUdevice device;
	CUdeviceptr p;

	assert_ok(cuCtxGetCurrent(&top));
	assert_null(top);
	assert_cu(CUDA_ERROR_INVALID_CONTEXT, cuCtxPopCurrent(&top));
	assert_ok(cuCtxCreate(&a, NULL, 0, 0));
	assert_ok(cuCtxCreate(&b, NULL, CU_CTX_SCHED_BLOCKING_SYNC, 1));
	assert_ok(cuCtxGetDevice(&device));
	assert_int_equal(device, 1);
	assert_ok(cuCtxPopCurrent(&top));
	assert_ptr_equal(top, b);
	assert_ok(cuCtxGetCurrent(&top));
	assert_ptr_equal(top, a);
	assert_ok(cuCtxPushCurrent(b));
	assert_ok(cuMemAlloc(&p, 10));
	assert_ok(cuCtxSetCurrent(a));
	assert_ok(cuCtxPushCurrent(b));
	assert_ok(cuCtxDestroy(b));
	assert_cu(CUDA_ERROR_INVALID_CONTEXT, cuCtxDestroy(b));
	assert_cu(CUDA_ERROR_INVALID_CONTEXT, cuCtxPushCurrent(b));
	/* Its memory has gone with it. */
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemFree(p));
	assert_ok(cuCtxDestroy(a));
	assert_cu(CUDA_ERROR_CONTEXT_IS_DESTROYED, cuCtxGetDevice(&device));
	assert_ok(cuCtxSetCurrent(NULL));
	assert_cu(CUDA_ERROR_INVALID_CONTEXT, cuCtxPushCurrent((CUcontext)&p));
}

static void
the_primary_context_is_counted(void **state)
{
	CUcontext a;
	CUcontext b;
	unsigned int flags;
	int active;
	CUdeviceptr p;
	CUstream stream;
	size_t free_size;
	size_t total;

	assert_ok(cuDevicePrimaryCtxGetState(1, &flags, &active));
	assert_int_equal(active, 0);
	assert_cu(CUDA_ERROR_INVALID_CONTEXT, cuDevicePrimaryCtxRelease(1));
	assert_ok(cuDevicePrimaryCtxRetain(&a, 1));
	assert_ok(cuDevicePrimaryCtxRetain(&b, 1));
	assert_ptr_equal(a, b);
	assert_cu(CUDA_ERROR_INVALID_CONTEXT, cuCtxDestroy(a));
	assert_ok(cuCtxSetCurrent(a));
	assert_ok(cuMemAlloc(&p, 1000));
	assert_ok(cuStreamCreate(&stream, 0));
	assert_ok(cuDevicePrimaryCtxRelease(1));
	assert_ok(cuMemsetD8(p, 1, 1000));
	assert_ok(cuDevicePrimaryCtxReset(1));
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemsetD8(p, 1, 1000));
	assert_cu(CUDA_ERROR_INVALID_HANDLE, cuStreamQuery(stream));
	assert_ok(cuMemGetInfo(&free_size, &total));
	assert_int_equal(free_size, total);
	assert_ok(cuDevicePrimaryCtxRelease(1));
	assert_cu(CUDA_ERROR_CONTEXT_IS_DESTROYED, cuMemAlloc(&p, 1));
	assert_ok(cuCtxSetCurrent(NULL));
}

static void
peers_copy_to_each_other(void **state)
{
	CUcontext a;
	CUcontext b;
	CUdeviceptr p;
	CUdeviceptr q;
	char data[100];
	char back[100];
	int can;

	random_fill(data, sizeof(data), 1);
	assert_ok(cuDeviceCanAccessPeer(&can, 0, 1));
	assert_int_equal(can, 1);
	assert_ok(cuCtxCreate(&a, NULL, 0, 0));
	assert_ok(cuMemAlloc(&p, sizeof(data)));
	assert_ok(cuMemcpyHtoD(p, data, sizeof(data)));
	assert_ok(cuCtxCreate(&b, NULL, 0, 1));
	assert_ok(cuMemAlloc(&q, sizeof(data)));
	assert_true(p > q ? p - q >= 1ull << 26 : q - p >= 1ull << 26);
	assert_ok(cuMemcpyPeer(q, b, p, a, sizeof(data)));
	assert_ok(cuMemcpyDtoH(back, q, sizeof(back)));
	assert_memory_equal(back, data, sizeof(data));
	assert_cu(CUDA_ERROR_INVALID_CONTEXT,
		cuMemcpyPeer(q, (CUcontext)&a, p, a, sizeof(data)));
	assert_ok(cuCtxDestroy(b));
	assert_ok(cuCtxDestroy(a));
}

static void
limits_are_kept(void **state)
{
	CUcontext context;
	size_t value;

	assert_ok(cuCtxCreate(&context, NULL, 0, 0));
	assert_ok(cuCtxSetLimit(CU_LIMIT_STACK_SIZE, 4000));
	assert_ok(cuCtxGetLimit(&value, CU_LIMIT_STACK_SIZE));
	assert_int_equal(value, 4000);
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuCtxSetLimit(CU_LIMIT_STACK_SIZE, 1 << 30));
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuCtxSetLimit(99, 1));
	assert_ok(cuCtxDestroy(context));
}

static void
functions_are_found_by_name_and_version(void **state)
{
	void *pfn;
	CUdriverProcAddressQueryResult status;
	CUcontext context;

	assert_ok(cuGetProcAddress("cuMemAlloc", &pfn, 13000, 0, &status));
	assert_int_equal(status, CU_GET_PROC_ADDRESS_SUCCESS);
	assert_ptr_equal(pfn, (void *)cuMemAlloc);
	assert_ok(cuCtxCreate(&context, NULL, 0, 0));
	CUdeviceptr p;

	assert_ok(((PFN_cuMemAlloc_v3020)pfn)(&p, 5));
	assert_ok(cuCtxDestroy(context));
	assert_ok(cuGetProcAddress("cuMemAllocAsync", &pfn, 2000, 0, &status));
	assert_int_equal(status, CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT);
	assert_null(pfn);
	assert_ok(cuGetProcAddress("cuNothing", &pfn, 13000, 0, &status));
	assert_int_equal(status, CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND);
	assert_null(pfn);
	assert_cu(CUDA_ERROR_NOT_FOUND, cuGetProcAddress("", &pfn, 0, 0, NULL));

	void *legacy;
	void *per_thread;

	assert_ok(cuGetProcAddress("cuLaunchKernel", &legacy, 13000,
		CU_GET_PROC_ADDRESS_LEGACY_STREAM, &status));
	assert_ok(cuGetProcAddress("cuLaunchKernel", &per_thread, 13000,
		CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM, &status));
	assert_ptr_equal(legacy, (void *)cuLaunchKernel);
	assert_ptr_not_equal(legacy, per_thread);

	const void *table = &table;

	assert_cu(CUDA_ERROR_NOT_FOUND, cuGetExportTable(&table, &(CUuuid){ "" }));
}

static void
errors_have_names(void **state)
{
	const char *text;

	assert_ok(cuGetErrorName(CUDA_ERROR_ILLEGAL_ADDRESS, &text));
	assert_string_equal(text, "CUDA_ERROR_ILLEGAL_ADDRESS");
	assert_ok(cuGetErrorString(CUDA_SUCCESS, &text));
	assert_string_equal(text, "no error");
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuGetErrorName(12345, &text));
}

int
main(void)
{
	setenv("OUTBOARD_SOFT_MEMORY", "64M", 1);
	setenv("OUTBOARD_SOFT_DEVICES", "3", 1);
	setenv("CUDA_VISIBLE_DEVICES", "2,0", 1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_works_before_init),
		cmocka_unit_test(devices_say_what_they_are),
		cmocka_unit_test(contexts_form_a_stack),
		cmocka_unit_test(the_primary_context_is_counted),
		cmocka_unit_test(peers_copy_to_each_other),
		cmocka_unit_test(limits_are_kept),
		cmocka_unit_test(functions_are_found_by_name_and_version),
		cmocka_unit_test(errors_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
