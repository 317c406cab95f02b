/* SPDX-License-Identifier: Apache-2.0 */
/* event.c: events.  Handles are the driver's own. */
#include "guest-shim/libcudart/driver.h"

cudaError_t
cudaEventCreate(cudaEvent_t *event)
{
	return DRIVER(cuEventCreate, event, CU_EVENT_DEFAULT);
}

cudaError_t
cudaEventCreateWithFlags(cudaEvent_t *event, unsigned int flags)
{
	return DRIVER(cuEventCreate, event, flags);
}

cudaError_t
cudaEventDestroy(cudaEvent_t event)
{
	return DRIVER(cuEventDestroy, event);
}

cudaError_t
cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
	return DRIVER(cuEventRecord, event, stream);
}

cudaError_t
cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned int flags)
{
	return DRIVER(cuEventRecordWithFlags, event, stream, flags);
}

cudaError_t
cudaEventQuery(cudaEvent_t event)
{
	return DRIVER(cuEventQuery, event);
}

cudaError_t
cudaEventSynchronize(cudaEvent_t event)
{
	return DRIVER(cuEventSynchronize, event);
}

cudaError_t
cudaEventElapsedTime(float *ms, cudaEvent_t start, cudaEvent_t end)
{
	return DRIVER(cuEventElapsedTime, ms, start, end);
}

#if CUDART_MAJOR == 12
cudaError_t cuda12EventElapsedTime_v2(float *ms, cudaEvent_t start, cudaEvent_t end)
	EXPORT_AS("cudaEventElapsedTime_v2");
cudaError_t
cuda12EventElapsedTime_v2(float *ms, cudaEvent_t start, cudaEvent_t end)
{
	return cudaEventElapsedTime(ms, start, end);
}
#endif

_Static_assert(sizeof(cudaIpcEventHandle_t) == sizeof(CUipcEventHandle), "same layout");
_Static_assert(sizeof(cudaIpcMemHandle_t) == sizeof(CUipcMemHandle), "same layout");

cudaError_t
cudaIpcGetEventHandle(cudaIpcEventHandle_t *handle, cudaEvent_t event)
{
	return DRIVER(cuIpcGetEventHandle, (CUipcEventHandle *)handle, event);
}

cudaError_t
cudaIpcOpenEventHandle(cudaEvent_t *event, cudaIpcEventHandle_t handle)
{
	CUipcEventHandle driver_handle;
	__builtin_memcpy(&driver_handle, &handle, sizeof(driver_handle));
	return DRIVER(cuIpcOpenEventHandle, event, driver_handle);
}

cudaError_t
cudaIpcGetMemHandle(cudaIpcMemHandle_t *handle, void *devPtr)
{
	return DRIVER(cuIpcGetMemHandle, (CUipcMemHandle *)handle, (CUdeviceptr)devPtr);
}

cudaError_t
cudaIpcOpenMemHandle(void **devPtr, cudaIpcMemHandle_t handle, unsigned int flags)
{
	CUipcMemHandle driver_handle;
	__builtin_memcpy(&driver_handle, &handle, sizeof(driver_handle));
	return DRIVER(cuIpcOpenMemHandle, (CUdeviceptr *)devPtr, driver_handle, flags);
}

cudaError_t
cudaIpcCloseMemHandle(void *devPtr)
{
	return DRIVER(cuIpcCloseMemHandle, (CUdeviceptr)devPtr);
}
