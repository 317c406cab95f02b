/* SPDX-License-Identifier: Apache-2.0 */
/* driver.h: a libcuda.so.1, opened by path, as a struct of functions.
 *
 * Three libraries answer to that name: NVIDIA's, the software device, and our remote one
 * (which makes of a worker a relay).  A function that the library lacks is replaced by
 * driver_missing, which answers CUDA_ERROR_NOT_SUPPORTED. */
#pragma once

#include <cuda.h>
#include <stdbool.h>
#include <stddef.h>

#include "driver_calls.h" /* generated */

/* What hand-written code calls besides DRIVER_CALLS. */
#define DRIVER_MORE_CALLS(X) \
	X(cuInit) \
	X(cuDriverGetVersion) \
	X(cuDeviceGetCount) \
	X(cuDeviceGet) \
	X(cuDeviceGetName) \
	X(cuDeviceGetUuid_v2) \
	X(cuDeviceTotalMem_v2) \
	X(cuDeviceGetAttribute) \
	X(cuCtxSetCurrent) \
	X(cuCtxPopCurrent_v2) \
	X(cuCtxDestroy_v2) \
	X(cuCtxSynchronize) \
	X(cuStreamCreateWithPriority) \
	X(cuStreamDestroy_v2) \
	X(cuStreamQuery) \
	X(cuStreamSynchronize) \
	X(cuStreamWriteValue32_v2) \
	X(cuEventQuery) \
	X(cuEventSynchronize) \
	X(cuEventElapsedTime_v2) \
	X(cuMemFree_v2) \
	X(cuMemFreeAsync) \
	X(cuMemHostAlloc) \
	X(cuMemFreeHost) \
	X(cuMemHostGetDevicePointer_v2) \
	X(cuMemHostRegister_v2) \
	X(cuMemHostUnregister) \
	X(cuMemcpyHtoDAsync_v2) \
	X(cuMemcpyDtoHAsync_v2) \
	X(cuMemcpy2DAsync_v2) \
	X(cuModuleLoadData) \
	X(cuLibraryLoadData) \
	X(cuLaunchKernel) \
	X(cuLaunchKernelEx) \
	X(cuFuncGetParamInfo) \
	X(cuKernelGetParamInfo)

struct driver {
	struct driver_calls calls;
#define FIELD(name) __typeof__(name) *name;
	DRIVER_MORE_CALLS(FIELD)
#undef FIELD
	/* The plain name: cuda.h 13 makes a macro of it. */
	CUresult (*cuEventElapsedTime_v1)(
		float *milliseconds, CUevent start, CUevent end);

	void *library;
	size_t n_missing;
	bool runs_machine_code; /* known to be NVIDIA's, and not told to want PTX */
};

CUresult driver_missing(void);
#define driver_has(function) ((void *)(function) != (void *)driver_missing)

/* Open the library.  0 or negative errno; ret_why gets a sentence on failure. */
int driver_open(struct driver *driver, const char *path, char *ret_why, size_t why_size);
void driver_close(struct driver *driver);
