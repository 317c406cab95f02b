/* SPDX-License-Identifier: Apache-2.0 */
/* api.h: names that libcuda exports and that cuda.h of CUDA 13 does not declare, or only
 * under another one.  cuda.h is read with __CUDA_API_VERSION_INTERNAL here: its macros then
 * rename nothing. */
#pragma once

#include <cuda.h>

CUresult CUDAAPI cuDeviceGetUuid(CUuuid *uuid, CUdevice dev);
CUresult CUDAAPI cuDevicePrimaryCtxRelease(CUdevice dev);
CUresult CUDAAPI cuDevicePrimaryCtxReset(CUdevice dev);
CUresult CUDAAPI cuDevicePrimaryCtxSetFlags(CUdevice dev, unsigned int flags);
CUresult CUDAAPI cuCtxDestroy(CUcontext ctx);
CUresult CUDAAPI cuCtxPushCurrent(CUcontext ctx);
CUresult CUDAAPI cuCtxPopCurrent(CUcontext *pctx);
CUresult CUDAAPI cuStreamDestroy(CUstream hStream);
CUresult CUDAAPI cuEventDestroy(CUevent hEvent);
CUresult CUDAAPI cuGetProcAddress(
	const char *symbol, void **pfn, int cudaVersion, cuuint64_t flags);
