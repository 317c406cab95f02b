/* SPDX-License-Identifier: Apache-2.0 */
/* capture.c: stream capture, of which there is none: no stream is ever being captured. */
#include "guest-shim/libcuda/api.h"
#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/guest.h"

/* Beginning a capture is refused; asking for one is answered truthfully. */
static CUresult
none(CUstream stream, CUstreamCaptureStatus *status)
{
	struct context *context;
	call_handle packed;
	CUresult result = context_current(&context);

	if (result == CUDA_SUCCESS && status == NULL) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	if (result == CUDA_SUCCESS) {
		result = guest_pack_stream(stream, &packed);
	}
	if (result == CUDA_SUCCESS) {
		*status = CU_STREAM_CAPTURE_STATUS_NONE;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuStreamIsCapturing(CUstream hStream, CUstreamCaptureStatus *captureStatus)
{
	return none(hStream, captureStatus);
}

CUDA_EXPORT CUresult CUDAAPI
cuStreamGetCaptureInfo(CUstream hStream, CUstreamCaptureStatus *captureStatus_out,
	cuuint64_t *id_out)
{
	return none(hStream, captureStatus_out);
}

CUDA_EXPORT CUresult CUDAAPI
cuStreamGetCaptureInfo_v2(CUstream hStream, CUstreamCaptureStatus *captureStatus_out,
	cuuint64_t *id_out, CUgraph *graph_out, const CUgraphNode **dependencies_out,
	size_t *numDependencies_out)
{
	return none(hStream, captureStatus_out);
}

CUDA_EXPORT CUresult CUDAAPI
cuStreamGetCaptureInfo_v3(CUstream hStream, CUstreamCaptureStatus *captureStatus_out,
	cuuint64_t *id_out, CUgraph *graph_out, const CUgraphNode **dependencies_out,
	const CUgraphEdgeData **edgeData_out, size_t *numDependencies_out)
{
	return none(hStream, captureStatus_out);
}

CUDA_EXPORT CUresult CUDAAPI
cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode *mode)
{
	if (mode == NULL || *mode > CU_STREAM_CAPTURE_MODE_RELAXED) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	CUstreamCaptureMode previous = thread_self.capture_mode;
	thread_self.capture_mode = *mode;
	*mode = previous;
	return CUDA_SUCCESS;
}
