/* SPDX-License-Identifier: Apache-2.0 */
/* per_thread.c: the functions for which stream 0 is the calling thread's own.
 *
 * They are called by programs compiled with --default-stream per-thread.  (The synchronous
 * ones, _ptds, are beside their siblings.) */
#include "guest-shim/libcuda/api.h"
#include "guest-shim/libcuda/guest.h"
#include "guest-shim/libcuda/stream.h"

#define OWN stream_of_thread(hStream)
#define PER_THREAD(name, params, args)              \
	CUDA_EXPORT CUresult CUDAAPI name##_ptsz params \
	{                                           \
		return name args;                   \
	}

PER_THREAD(cuEventRecord, (CUevent hEvent, CUstream hStream), (hEvent, OWN))
PER_THREAD(cuEventRecordWithFlags, (CUevent hEvent, CUstream hStream, unsigned int flags),
	(hEvent, OWN, flags))
PER_THREAD(cuLaunchCooperativeKernel,
	(CUfunction f, unsigned int gridDimX, unsigned int gridDimY, unsigned int gridDimZ,
		unsigned int blockDimX, unsigned int blockDimY, unsigned int blockDimZ,
		unsigned int sharedMemBytes, CUstream hStream, void **kernelParams),
	(f, gridDimX, gridDimY, gridDimZ, blockDimX, blockDimY, blockDimZ, sharedMemBytes, OWN,
		kernelParams))
PER_THREAD(cuLaunchKernel,
	(CUfunction f, unsigned int gridDimX, unsigned int gridDimY, unsigned int gridDimZ,
		unsigned int blockDimX, unsigned int blockDimY, unsigned int blockDimZ,
		unsigned int sharedMemBytes, CUstream hStream, void **kernelParams, void **extra),
	(f, gridDimX, gridDimY, gridDimZ, blockDimX, blockDimY, blockDimZ, sharedMemBytes, OWN,
		kernelParams, extra))
PER_THREAD(cuMemAllocAsync, (CUdeviceptr *dptr, size_t bytesize, CUstream hStream),
	(dptr, bytesize, OWN))
PER_THREAD(cuMemFreeAsync, (CUdeviceptr dptr, CUstream hStream), (dptr, OWN))
PER_THREAD(cuMemcpyAsync,
	(CUdeviceptr dst, CUdeviceptr src, size_t ByteCount, CUstream hStream),
	(dst, src, ByteCount, OWN))
PER_THREAD(cuMemcpyHtoDAsync_v2,
	(CUdeviceptr dstDevice, const void *srcHost, size_t ByteCount, CUstream hStream),
	(dstDevice, srcHost, ByteCount, OWN))
PER_THREAD(cuMemcpyDtoHAsync_v2,
	(void *dstHost, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream),
	(dstHost, srcDevice, ByteCount, OWN))
PER_THREAD(cuMemcpyDtoDAsync_v2,
	(CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream),
	(dstDevice, srcDevice, ByteCount, OWN))
PER_THREAD(cuMemcpy2DAsync_v2, (const CUDA_MEMCPY2D *pCopy, CUstream hStream), (pCopy, OWN))
PER_THREAD(cuMemcpy3DAsync_v2, (const CUDA_MEMCPY3D *pCopy, CUstream hStream), (pCopy, OWN))
PER_THREAD(cuMemcpyPeerAsync,
	(CUdeviceptr dstDevice, CUcontext dstContext, CUdeviceptr srcDevice,
		CUcontext srcContext, size_t ByteCount, CUstream hStream),
	(dstDevice, dstContext, srcDevice, srcContext, ByteCount, OWN))
PER_THREAD(cuMemsetD8Async,
	(CUdeviceptr dstDevice, unsigned char uc, size_t N, CUstream hStream),
	(dstDevice, uc, N, OWN))
PER_THREAD(cuMemsetD16Async,
	(CUdeviceptr dstDevice, unsigned short us, size_t N, CUstream hStream),
	(dstDevice, us, N, OWN))
PER_THREAD(cuMemsetD32Async,
	(CUdeviceptr dstDevice, unsigned int ui, size_t N, CUstream hStream),
	(dstDevice, ui, N, OWN))
PER_THREAD(cuMemsetD2D8Async,
	(CUdeviceptr dstDevice, size_t dstPitch, unsigned char uc, size_t Width, size_t Height,
		CUstream hStream),
	(dstDevice, dstPitch, uc, Width, Height, OWN))
PER_THREAD(cuMemsetD2D16Async,
	(CUdeviceptr dstDevice, size_t dstPitch, unsigned short us, size_t Width,
		size_t Height, CUstream hStream),
	(dstDevice, dstPitch, us, Width, Height, OWN))
PER_THREAD(cuMemsetD2D32Async,
	(CUdeviceptr dstDevice, size_t dstPitch, unsigned int ui, size_t Width, size_t Height,
		CUstream hStream),
	(dstDevice, dstPitch, ui, Width, Height, OWN))
PER_THREAD(cuStreamGetCaptureInfo,
	(CUstream hStream, CUstreamCaptureStatus *captureStatus_out, cuuint64_t *id_out),
	(OWN, captureStatus_out, id_out))
PER_THREAD(cuStreamGetCaptureInfo_v2,
	(CUstream hStream, CUstreamCaptureStatus *captureStatus_out, cuuint64_t *id_out,
		CUgraph *graph_out, const CUgraphNode **dependencies_out,
		size_t *numDependencies_out),
	(OWN, captureStatus_out, id_out, graph_out, dependencies_out, numDependencies_out))
PER_THREAD(cuStreamGetCaptureInfo_v3,
	(CUstream hStream, CUstreamCaptureStatus *captureStatus_out, cuuint64_t *id_out,
		CUgraph *graph_out, const CUgraphNode **dependencies_out,
		const CUgraphEdgeData **edgeData_out, size_t *numDependencies_out),
	(OWN, captureStatus_out, id_out, graph_out, dependencies_out, edgeData_out,
		numDependencies_out))
PER_THREAD(cuStreamGetCtx, (CUstream hStream, CUcontext *pctx), (OWN, pctx))
PER_THREAD(cuStreamGetCtx_v2, (CUstream hStream, CUcontext *pCtx, CUgreenCtx *pGreenCtx),
	(OWN, pCtx, pGreenCtx))
PER_THREAD(cuStreamGetDevice, (CUstream hStream, CUdevice *device), (OWN, device))
PER_THREAD(cuStreamGetFlags, (CUstream hStream, unsigned int *flags), (OWN, flags))
PER_THREAD(cuStreamGetId, (CUstream hStream, unsigned long long *streamId), (OWN, streamId))
PER_THREAD(cuStreamGetPriority, (CUstream hStream, int *priority), (OWN, priority))
PER_THREAD(cuStreamIsCapturing,
	(CUstream hStream, CUstreamCaptureStatus *captureStatus), (OWN, captureStatus))
PER_THREAD(cuStreamQuery, (CUstream hStream), (OWN))
PER_THREAD(cuStreamSynchronize, (CUstream hStream), (OWN))
PER_THREAD(cuStreamWaitEvent, (CUstream hStream, CUevent hEvent, unsigned int Flags),
	(OWN, hEvent, Flags))

CUDA_EXPORT CUresult CUDAAPI
cuLaunchKernelEx_ptsz(const CUlaunchConfig *config, CUfunction f, void **kernelParams,
	void **extra)
{
	if (config == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	CUlaunchConfig own = *config;
	own.hStream = stream_of_thread(own.hStream);
	return cuLaunchKernelEx(&own, f, kernelParams, extra);
}
