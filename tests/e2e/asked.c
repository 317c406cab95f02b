/* SPDX-License-Identifier: Apache-2.0 */
/* asked.c: ask ROUNDS times for all that a program may ask, for test_asked.py.
 * Usage: asked ROUNDS */
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
#define EXPECT(condition) \
	do { \
		if (!(condition)) { \
			printf("FAIL: %s\n", #condition); \
			exit(1); \
		} \
	} while (0)

static const char ptx[] = ".version 7.0\n.target sm_75\n.address_size 64\n"
			  ".visible .entry nothing() { ret; }\n";

static CUdevice device, other;
static CUfunction function;
static CUkernel kernel;

static size_t
limit(CUlimit which)
{
	size_t value;

	CHECK(cuCtxGetLimit(&value, which));
	return value;
}

static CUfunc_cache
cache_config(void)
{
	CUfunc_cache config;

	CHECK(cuCtxGetCacheConfig(&config));
	return config;
}

static void
ask_all(void)
{
	char text[100];
	size_t size;
	int value, grid, block;
	CUuuid uuid;

	for (int i = 1; i < CU_DEVICE_ATTRIBUTE_MAX; i++) {
		(void)cuDeviceGetAttribute(&value, (CUdevice_attribute)i, device);
	}
	CHECK(cuDeviceGetName(text, sizeof(text), device));
	CHECK(cuDeviceGetUuid_v2(&uuid, device));
	CHECK(cuDeviceTotalMem(&size, device));
	CHECK(cuDriverGetVersion(&value));
	CHECK(cuDeviceCanAccessPeer(&value, device, other));
	CHECK(cuDeviceGetP2PAttribute(
		&value, CU_DEVICE_P2P_ATTRIBUTE_NATIVE_ATOMIC_SUPPORTED, device, other));
	for (int i = 0; i < CU_FUNC_ATTRIBUTE_BINARY_VERSION; i++) {
		CHECK(cuFuncGetAttribute(&value, (CUfunction_attribute)i, function));
		CHECK(cuKernelGetAttribute(
			&value, (CUfunction_attribute)i, kernel, device));
	}
	CHECK(cuCtxGetStreamPriorityRange(&value, &value));
	(void)limit(CU_LIMIT_PRINTF_FIFO_SIZE);
	(void)limit(CU_LIMIT_MALLOC_HEAP_SIZE);
	(void)cache_config();
	for (int i = 32; i <= 1024; i *= 2) {
		CHECK(cuOccupancyMaxActiveBlocksPerMultiprocessor(
			&value, function, i, 0));
		CHECK(cuOccupancyAvailableDynamicSMemPerBlock(&size, function, 1, i));
		EXPECT(size > 0);
	}
	CHECK(cuOccupancyMaxPotentialBlockSize(&grid, &block, function, NULL, 0, 0));
	EXPECT(grid > 0 && block > 0);
}

/* What was set is what is told, whatever was remembered. */
static void
set_and_ask(void)
{
	size_t printf_size = limit(CU_LIMIT_PRINTF_FIFO_SIZE);
	size_t heap_size = limit(CU_LIMIT_MALLOC_HEAP_SIZE);

	CHECK(cuCtxSetLimit(CU_LIMIT_PRINTF_FIFO_SIZE, 2 * printf_size));
	EXPECT(limit(CU_LIMIT_PRINTF_FIFO_SIZE) == 2 * printf_size);
	EXPECT(limit(CU_LIMIT_MALLOC_HEAP_SIZE) == heap_size);
	CHECK(cuCtxSetCacheConfig(CU_FUNC_CACHE_PREFER_L1));
	EXPECT(cache_config() == CU_FUNC_CACHE_PREFER_L1);
	CHECK(cuCtxSetCacheConfig(CU_FUNC_CACHE_PREFER_SHARED));
	EXPECT(cache_config() == CU_FUNC_CACHE_PREFER_SHARED);
	CHECK(cuDevicePrimaryCtxReset(device));
	EXPECT(limit(CU_LIMIT_PRINTF_FIFO_SIZE) == printf_size);
}

int
main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 1;
	CUcontext context;
	CUmodule module;
	CUlibrary library;

	CHECK(cuInit(0));
	CHECK(cuDeviceGet(&device, 0));
	CHECK(cuDeviceGet(&other, 1));
	CHECK(cuDevicePrimaryCtxRetain(&context, device));
	CHECK(cuCtxSetCurrent(context));
	CHECK(cuModuleLoadData(&module, ptx));
	CHECK(cuModuleGetFunction(&function, module, "nothing"));
	CHECK(cuLibraryLoadData(&library, ptx, NULL, NULL, 0, NULL, NULL, 0));
	CHECK(cuLibraryGetKernel(&kernel, library, "nothing"));
	for (int i = 0; i < rounds; i++) {
		ask_all();
	}
	set_and_ask();
	printf("PASS\n");
	return 0;
}
