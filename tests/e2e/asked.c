/* SPDX-License-Identifier: Apache-2.0 */
/* asked.c: ask ROUNDS times for all that a program may ask, for test_asked.py.
 * Usage: asked ROUNDS */
#include <stdlib.h>

#include "check.h"

#define HOLDS(condition) \
	do { \
		if (!(condition)) { \
			FAIL("not so: %s", #condition); \
		} \
	} while (0)

static CUdevice device, other;
static CUfunction function;
static CUkernel kernel;

static size_t
limit(CUlimit which)
{
	size_t value;

	DO(cuCtxGetLimit(&value, which));
	return value;
}

static CUfunc_cache
cache_config(void)
{
	CUfunc_cache config;

	DO(cuCtxGetCacheConfig(&config));
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
	DO(cuDeviceGetName(text, sizeof(text), device));
	DO(cuDeviceGetUuid_v2(&uuid, device));
	DO(cuDeviceTotalMem(&size, device));
	DO(cuDriverGetVersion(&value));
	DO(cuDeviceCanAccessPeer(&value, device, other));
	DO(cuDeviceGetP2PAttribute(
		&value, CU_DEVICE_P2P_ATTRIBUTE_NATIVE_ATOMIC_SUPPORTED, device, other));
	for (int i = 0; i < CU_FUNC_ATTRIBUTE_BINARY_VERSION; i++) {
		DO(cuFuncGetAttribute(&value, (CUfunction_attribute)i, function));
		DO(cuKernelGetAttribute(&value, (CUfunction_attribute)i, kernel, device));
	}
	DO(cuCtxGetStreamPriorityRange(&value, &value));
	(void)limit(CU_LIMIT_PRINTF_FIFO_SIZE);
	(void)limit(CU_LIMIT_MALLOC_HEAP_SIZE);
	(void)cache_config();
	for (int i = 32; i <= 1024; i *= 2) {
		DO(cuOccupancyMaxActiveBlocksPerMultiprocessor(&value, function, i, 0));
		DO(cuOccupancyAvailableDynamicSMemPerBlock(&size, function, 1, i));
		HOLDS(size > 0);
	}
	DO(cuOccupancyMaxPotentialBlockSize(&grid, &block, function, NULL, 0, 0));
	HOLDS(grid > 0 && block > 0);
}

/* What was set is what is told, whatever was remembered. */
static void
set_and_ask(void)
{
	size_t printf_size = limit(CU_LIMIT_PRINTF_FIFO_SIZE);
	size_t heap_size = limit(CU_LIMIT_MALLOC_HEAP_SIZE);

	DO(cuCtxSetLimit(CU_LIMIT_PRINTF_FIFO_SIZE, 2 * printf_size));
	HOLDS(limit(CU_LIMIT_PRINTF_FIFO_SIZE) == 2 * printf_size);
	HOLDS(limit(CU_LIMIT_MALLOC_HEAP_SIZE) == heap_size);
	DO(cuCtxSetCacheConfig(CU_FUNC_CACHE_PREFER_L1));
	HOLDS(cache_config() == CU_FUNC_CACHE_PREFER_L1);
	DO(cuCtxSetCacheConfig(CU_FUNC_CACHE_PREFER_SHARED));
	HOLDS(cache_config() == CU_FUNC_CACHE_PREFER_SHARED);
	DO(cuDevicePrimaryCtxReset(device));
	HOLDS(limit(CU_LIMIT_PRINTF_FIFO_SIZE) == printf_size);
}

int
main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 1;
	CUlibrary library;

	DO(cuInit(0));
	DO(cuDeviceGet(&device, 0));
	DO(cuDeviceGet(&other, 1));
	use_device(device);
	function = load_kernel(PTX_HEAD PTX_NOTHING, "nothing");
	DO(cuLibraryLoadData(
		&library, PTX_HEAD PTX_NOTHING, NULL, NULL, 0, NULL, NULL, 0));
	DO(cuLibraryGetKernel(&kernel, library, "nothing"));
	for (int i = 0; i < rounds; i++) {
		ask_all();
	}
	set_and_ask();
	printf("PASS\n");
	return 0;
}
