/* SPDX-License-Identifier: Apache-2.0 */
/* alias.c: functions that are called by an older name as well, with the same arguments. */
#include "guest-shim/libcuda/api.h"
#include "guest-shim/libcuda/guest.h"

#define ALIAS(old, new, params, args)     \
	CUDA_EXPORT CUresult CUDAAPI old params \
	{                                 \
		return new args;          \
	}

ALIAS(cuCtxCreate, cuCtxCreate_v2, (CUcontext *pctx, unsigned int flags, CUdevice dev),
	(pctx, flags, dev))
ALIAS(cuCtxDestroy, cuCtxDestroy_v2, (CUcontext ctx), (ctx))
ALIAS(cuCtxPushCurrent, cuCtxPushCurrent_v2, (CUcontext ctx), (ctx))
ALIAS(cuCtxPopCurrent, cuCtxPopCurrent_v2, (CUcontext *pctx), (pctx))
ALIAS(cuDevicePrimaryCtxRelease, cuDevicePrimaryCtxRelease_v2, (CUdevice dev), (dev))
ALIAS(cuDevicePrimaryCtxReset, cuDevicePrimaryCtxReset_v2, (CUdevice dev), (dev))
ALIAS(cuDevicePrimaryCtxSetFlags, cuDevicePrimaryCtxSetFlags_v2,
	(CUdevice dev, unsigned int flags), (dev, flags))
ALIAS(cuDeviceGetUuid, cuDeviceGetUuid_v2, (CUuuid *uuid, CUdevice dev), (uuid, dev))
ALIAS(cuStreamDestroy, cuStreamDestroy_v2, (CUstream hStream), (hStream))
ALIAS(cuEventDestroy, cuEventDestroy_v2, (CUevent hEvent), (hEvent))
ALIAS(cuMemHostRegister, cuMemHostRegister_v2,
	(void *p, size_t bytesize, unsigned int Flags), (p, bytesize, Flags))
