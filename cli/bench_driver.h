/* SPDX-License-Identifier: Apache-2.0 */
/* bench_driver.h: the remote driver, as outboard bench calls it. */
#pragma once

#include <stdbool.h>

/* The names that cuda.h gives to the newest versions are those in the library. */
#include <cuda.h>

#define BENCH_STRING_OF(name) #name
#define BENCH_STRING(name) BENCH_STRING_OF(name)

/* The functions that are used; each becomes a member of struct bench_driver. */
#define BENCH_FUNCTIONS(X)              \
	X(init, cuInit)                       \
	X(error_string, cuGetErrorString)     \
	X(device_get, cuDeviceGet)            \
	X(device_name, cuDeviceGetName)       \
	X(context_retain, cuDevicePrimaryCtxRetain) \
	X(context_set, cuCtxSetCurrent)       \
	X(synchronize, cuCtxSynchronize)      \
	X(module_load, cuModuleLoadData)      \
	X(module_function, cuModuleGetFunction) \
	X(launch, cuLaunchKernel)             \
	X(event_new, cuEventCreate)           \
	X(event_record, cuEventRecord)        \
	X(event_query, cuEventQuery)          \
	X(alloc, cuMemAlloc)                  \
	X(free, cuMemFree)                    \
	X(alloc_host, cuMemAllocHost)         \
	X(free_host, cuMemFreeHost)           \
	X(to_device, cuMemcpyHtoD)            \
	X(from_device, cuMemcpyDtoH)

struct bench_driver {
#define MEMBER(member, name) __typeof__(name) *member;
	BENCH_FUNCTIONS(MEMBER)
#undef MEMBER
};

/* Load guest/libcuda.so.1 of our libraries; it stays loaded.  False, with a word on stderr,
 * if it cannot be. */
bool bench_driver_load(struct bench_driver *ret_driver);
