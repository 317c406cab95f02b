/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c: streams, their attributes and callbacks.  Handles are the driver's own. */
#include <stdlib.h>

#include "guest-shim/libcudart/driver.h"

cudaError_t
cudaStreamCreate(cudaStream_t *pStream)
{
	return DRIVER(cuStreamCreate, pStream, CU_STREAM_DEFAULT);
}

cudaError_t
cudaStreamCreateWithFlags(cudaStream_t *pStream, unsigned int flags)
{
	return DRIVER(cuStreamCreate, pStream, flags);
}

cudaError_t
cudaStreamCreateWithPriority(cudaStream_t *pStream, unsigned int flags, int priority)
{
	return DRIVER(cuStreamCreateWithPriority, pStream, flags, priority);
}

cudaError_t
cudaStreamDestroy(cudaStream_t stream)
{
	/* The three constants are not streams that could be destroyed. */
	if (stream == NULL || stream == cudaStreamLegacy ||
		stream == cudaStreamPerThread) {
		return error_keep(cudaErrorInvalidResourceHandle);
	}
	return DRIVER(cuStreamDestroy, stream);
}

cudaError_t
cudaStreamSynchronize(cudaStream_t stream)
{
	return DRIVER(cuStreamSynchronize, stream);
}

cudaError_t
cudaStreamQuery(cudaStream_t stream)
{
	return DRIVER(cuStreamQuery, stream);
}

cudaError_t
cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int flags)
{
	return DRIVER(cuStreamWaitEvent, stream, event, flags);
}

cudaError_t
cudaStreamGetPriority(cudaStream_t hStream, int *priority)
{
	return DRIVER(cuStreamGetPriority, hStream, priority);
}

cudaError_t
cudaStreamGetFlags(cudaStream_t hStream, unsigned int *flags)
{
	return DRIVER(cuStreamGetFlags, hStream, flags);
}

cudaError_t
cudaStreamGetId(cudaStream_t hStream, unsigned long long *streamId)
{
	return DRIVER(cuStreamGetId, hStream, streamId);
}

cudaError_t
cudaStreamGetDevice(cudaStream_t hStream, int *device)
{
	return DRIVER(cuStreamGetDevice, hStream, device);
}

_Static_assert(sizeof(cudaStreamAttrValue) == sizeof(CUstreamAttrValue), "same layout");

cudaError_t
cudaStreamCopyAttributes(cudaStream_t dst, cudaStream_t src)
{
	return DRIVER(cuStreamCopyAttributes, dst, src);
}

cudaError_t
cudaStreamGetAttribute(
	cudaStream_t hStream, cudaStreamAttrID attr, cudaStreamAttrValue *value_out)
{
	return DRIVER(cuStreamGetAttribute, hStream, (CUstreamAttrID)attr,
		(CUstreamAttrValue *)value_out);
}

cudaError_t
cudaStreamSetAttribute(
	cudaStream_t hStream, cudaStreamAttrID attr, const cudaStreamAttrValue *value)
{
	return DRIVER(cuStreamSetAttribute, hStream, (CUstreamAttrID)attr,
		(const CUstreamAttrValue *)value);
}

/* The driver's callback gets a CUresult, the runtime's a cudaError_t: same numbers, same
 * registers, and a function pointer cast would still be undefined.  Hence the detour. */
struct stream_callback {
	cudaStreamCallback_t function;
	void *user_data;
};

static void CUDA_CB
stream_call_back(CUstream stream, CUresult status, void *data)
{
	struct stream_callback callback = *(struct stream_callback *)data;
	free(data);
	callback.function(stream, error_of(status), callback.user_data);
}

cudaError_t
cudaStreamAddCallback(cudaStream_t stream, cudaStreamCallback_t callback, void *userData,
	unsigned int flags)
{
	if (callback == NULL || flags != 0) {
		return error_keep(cudaErrorInvalidValue);
	}
	struct stream_callback *data = malloc(sizeof(*data));
	if (data == NULL) {
		return error_keep(cudaErrorMemoryAllocation);
	}
	data->function = callback;
	data->user_data = userData;
	cudaError_t error =
		DRIVER(cuStreamAddCallback, stream, stream_call_back, data, flags);
	if (error != cudaSuccess) {
		free(data);
	}
	return error;
}
