/* SPDX-License-Identifier: Apache-2.0 */
/* per_thread.c: the functions whose default stream is the thread's own (_ptds, _ptsz).
 *
 * Each is its namesake with NULL meaning CU_STREAM_PER_THREAD while it runs. */
#include "soft-device/api.h"

#include "common/cleanup.h"
#include "soft-device/stream.h"

static void
leave_per_thread(bool *before)
{
	stream_null_is_per_thread(*before);
}

#define PER_THREAD \
	__attribute__((unused)) cleanup(leave_per_thread) bool before = \
		stream_null_is_per_thread(true)

CUresult
cuEventRecordWithFlags_ptsz(CUevent hEvent, CUstream hStream, unsigned int flags)
{
	PER_THREAD;
	return cuEventRecordWithFlags(hEvent, hStream, flags);
}

CUresult
cuEventRecord_ptsz(CUevent hEvent, CUstream hStream)
{
	PER_THREAD;
	return cuEventRecord(hEvent, hStream);
}

CUresult
cuLaunchCooperativeKernel_ptsz(CUfunction f, unsigned int gridDimX, unsigned int gridDimY,
	unsigned int gridDimZ, unsigned int blockDimX, unsigned int blockDimY,
	unsigned int blockDimZ, unsigned int sharedMemBytes, CUstream hStream,
	void **kernelParams)
{
	PER_THREAD;
	return cuLaunchCooperativeKernel(f, gridDimX, gridDimY, gridDimZ, blockDimX,
		blockDimY, blockDimZ, sharedMemBytes, hStream, kernelParams);
}

CUresult
cuLaunchHostFunc_ptsz(CUstream hStream, CUhostFn fn, void *userData)
{
	PER_THREAD;
	return cuLaunchHostFunc(hStream, fn, userData);
}

CUresult
cuLaunchKernelEx_ptsz(
	const CUlaunchConfig *config, CUfunction f, void **kernelParams, void **extra)
{
	PER_THREAD;
	return cuLaunchKernelEx(config, f, kernelParams, extra);
}

CUresult
cuLaunchKernel_ptsz(CUfunction f, unsigned int gridDimX, unsigned int gridDimY,
	unsigned int gridDimZ, unsigned int blockDimX, unsigned int blockDimY,
	unsigned int blockDimZ, unsigned int sharedMemBytes, CUstream hStream,
	void **kernelParams, void **extra)
{
	PER_THREAD;
	return cuLaunchKernel(f, gridDimX, gridDimY, gridDimZ, blockDimX, blockDimY,
		blockDimZ, sharedMemBytes, hStream, kernelParams, extra);
}

CUresult
cuMemAllocAsync_ptsz(CUdeviceptr *dptr, size_t bytesize, CUstream hStream)
{
	PER_THREAD;
	return cuMemAllocAsync(dptr, bytesize, hStream);
}

CUresult
cuMemAllocFromPoolAsync_ptsz(
	CUdeviceptr *dptr, size_t bytesize, CUmemoryPool pool, CUstream hStream)
{
	PER_THREAD;
	return cuMemAllocFromPoolAsync(dptr, bytesize, pool, hStream);
}

CUresult
cuMemFreeAsync_ptsz(CUdeviceptr dptr, CUstream hStream)
{
	PER_THREAD;
	return cuMemFreeAsync(dptr, hStream);
}

CUresult
cuMemPrefetchAsync_ptsz(
	CUdeviceptr devPtr, size_t count, CUdevice dstDevice, CUstream hStream)
{
	PER_THREAD;
	return cuMemPrefetchAsync(devPtr, count, dstDevice, hStream);
}

CUresult
cuMemPrefetchAsync_v2_ptsz(CUdeviceptr devPtr, size_t count, CUmemLocation location,
	unsigned int flags, CUstream hStream)
{
	PER_THREAD;
	return cuMemPrefetchAsync_v2(devPtr, count, location, flags, hStream);
}

CUresult
cuMemcpy2DAsync_v2_ptsz(const CUDA_MEMCPY2D *pCopy, CUstream hStream)
{
	PER_THREAD;
	return cuMemcpy2DAsync_v2(pCopy, hStream);
}

CUresult
cuMemcpy2DUnaligned_v2_ptds(const CUDA_MEMCPY2D *pCopy)
{
	PER_THREAD;
	return cuMemcpy2DUnaligned_v2(pCopy);
}

CUresult
cuMemcpy2D_v2_ptds(const CUDA_MEMCPY2D *pCopy)
{
	PER_THREAD;
	return cuMemcpy2D_v2(pCopy);
}

CUresult
cuMemcpy3DAsync_v2_ptsz(const CUDA_MEMCPY3D *pCopy, CUstream hStream)
{
	PER_THREAD;
	return cuMemcpy3DAsync_v2(pCopy, hStream);
}

CUresult
cuMemcpy3DPeerAsync_ptsz(const CUDA_MEMCPY3D_PEER *pCopy, CUstream hStream)
{
	PER_THREAD;
	return cuMemcpy3DPeerAsync(pCopy, hStream);
}

CUresult
cuMemcpy3DPeer_ptds(const CUDA_MEMCPY3D_PEER *pCopy)
{
	PER_THREAD;
	return cuMemcpy3DPeer(pCopy);
}

CUresult
cuMemcpy3D_v2_ptds(const CUDA_MEMCPY3D *pCopy)
{
	PER_THREAD;
	return cuMemcpy3D_v2(pCopy);
}

CUresult
cuMemcpyAsync_ptsz(CUdeviceptr dst, CUdeviceptr src, size_t ByteCount, CUstream hStream)
{
	PER_THREAD;
	return cuMemcpyAsync(dst, src, ByteCount, hStream);
}

CUresult
cuMemcpyDtoDAsync_v2_ptsz(
	CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream)
{
	PER_THREAD;
	return cuMemcpyDtoDAsync_v2(dstDevice, srcDevice, ByteCount, hStream);
}

CUresult
cuMemcpyDtoD_v2_ptds(CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount)
{
	PER_THREAD;
	return cuMemcpyDtoD_v2(dstDevice, srcDevice, ByteCount);
}

CUresult
cuMemcpyDtoHAsync_v2_ptsz(
	void *dstHost, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream)
{
	PER_THREAD;
	return cuMemcpyDtoHAsync_v2(dstHost, srcDevice, ByteCount, hStream);
}

CUresult
cuMemcpyDtoH_v2_ptds(void *dstHost, CUdeviceptr srcDevice, size_t ByteCount)
{
	PER_THREAD;
	return cuMemcpyDtoH_v2(dstHost, srcDevice, ByteCount);
}

CUresult
cuMemcpyHtoDAsync_v2_ptsz(
	CUdeviceptr dstDevice, const void *srcHost, size_t ByteCount, CUstream hStream)
{
	PER_THREAD;
	return cuMemcpyHtoDAsync_v2(dstDevice, srcHost, ByteCount, hStream);
}

CUresult
cuMemcpyHtoD_v2_ptds(CUdeviceptr dstDevice, const void *srcHost, size_t ByteCount)
{
	PER_THREAD;
	return cuMemcpyHtoD_v2(dstDevice, srcHost, ByteCount);
}

CUresult
cuMemcpyPeerAsync_ptsz(CUdeviceptr dstDevice, CUcontext dstContext, CUdeviceptr srcDevice,
	CUcontext srcContext, size_t ByteCount, CUstream hStream)
{
	PER_THREAD;
	return cuMemcpyPeerAsync(
		dstDevice, dstContext, srcDevice, srcContext, ByteCount, hStream);
}

CUresult
cuMemcpyPeer_ptds(CUdeviceptr dstDevice, CUcontext dstContext, CUdeviceptr srcDevice,
	CUcontext srcContext, size_t ByteCount)
{
	PER_THREAD;
	return cuMemcpyPeer(dstDevice, dstContext, srcDevice, srcContext, ByteCount);
}

CUresult
cuMemcpy_ptds(CUdeviceptr dst, CUdeviceptr src, size_t ByteCount)
{
	PER_THREAD;
	return cuMemcpy(dst, src, ByteCount);
}

CUresult
cuMemsetD16Async_ptsz(
	CUdeviceptr dstDevice, unsigned short us, size_t N, CUstream hStream)
{
	PER_THREAD;
	return cuMemsetD16Async(dstDevice, us, N, hStream);
}

CUresult
cuMemsetD16_v2_ptds(CUdeviceptr dstDevice, unsigned short us, size_t N)
{
	PER_THREAD;
	return cuMemsetD16_v2(dstDevice, us, N);
}

CUresult
cuMemsetD2D16Async_ptsz(CUdeviceptr dstDevice, size_t dstPitch, unsigned short us,
	size_t Width, size_t Height, CUstream hStream)
{
	PER_THREAD;
	return cuMemsetD2D16Async(dstDevice, dstPitch, us, Width, Height, hStream);
}

CUresult
cuMemsetD2D16_v2_ptds(CUdeviceptr dstDevice, size_t dstPitch, unsigned short us,
	size_t Width, size_t Height)
{
	PER_THREAD;
	return cuMemsetD2D16_v2(dstDevice, dstPitch, us, Width, Height);
}

CUresult
cuMemsetD2D32Async_ptsz(CUdeviceptr dstDevice, size_t dstPitch, unsigned int ui,
	size_t Width, size_t Height, CUstream hStream)
{
	PER_THREAD;
	return cuMemsetD2D32Async(dstDevice, dstPitch, ui, Width, Height, hStream);
}

CUresult
cuMemsetD2D32_v2_ptds(CUdeviceptr dstDevice, size_t dstPitch, unsigned int ui,
	size_t Width, size_t Height)
{
	PER_THREAD;
	return cuMemsetD2D32_v2(dstDevice, dstPitch, ui, Width, Height);
}

CUresult
cuMemsetD2D8Async_ptsz(CUdeviceptr dstDevice, size_t dstPitch, unsigned char uc,
	size_t Width, size_t Height, CUstream hStream)
{
	PER_THREAD;
	return cuMemsetD2D8Async(dstDevice, dstPitch, uc, Width, Height, hStream);
}

CUresult
cuMemsetD2D8_v2_ptds(CUdeviceptr dstDevice, size_t dstPitch, unsigned char uc,
	size_t Width, size_t Height)
{
	PER_THREAD;
	return cuMemsetD2D8_v2(dstDevice, dstPitch, uc, Width, Height);
}

CUresult
cuMemsetD32Async_ptsz(CUdeviceptr dstDevice, unsigned int ui, size_t N, CUstream hStream)
{
	PER_THREAD;
	return cuMemsetD32Async(dstDevice, ui, N, hStream);
}

CUresult
cuMemsetD32_v2_ptds(CUdeviceptr dstDevice, unsigned int ui, size_t N)
{
	PER_THREAD;
	return cuMemsetD32_v2(dstDevice, ui, N);
}

CUresult
cuMemsetD8Async_ptsz(CUdeviceptr dstDevice, unsigned char uc, size_t N, CUstream hStream)
{
	PER_THREAD;
	return cuMemsetD8Async(dstDevice, uc, N, hStream);
}

CUresult
cuMemsetD8_v2_ptds(CUdeviceptr dstDevice, unsigned char uc, size_t N)
{
	PER_THREAD;
	return cuMemsetD8_v2(dstDevice, uc, N);
}

CUresult
cuStreamAddCallback_ptsz(
	CUstream hStream, CUstreamCallback callback, void *userData, unsigned int flags)
{
	PER_THREAD;
	return cuStreamAddCallback(hStream, callback, userData, flags);
}

CUresult
cuStreamAttachMemAsync_ptsz(
	CUstream hStream, CUdeviceptr dptr, size_t length, unsigned int flags)
{
	PER_THREAD;
	return cuStreamAttachMemAsync(hStream, dptr, length, flags);
}

CUresult
cuStreamGetAttribute_ptsz(CUstream hStream, CUstreamAttrID attr, CUstreamAttrValue *value)
{
	PER_THREAD;
	return cuStreamGetAttribute(hStream, attr, value);
}

CUresult
cuStreamGetCaptureInfo_ptsz(
	CUstream hStream, CUstreamCaptureStatus *captureStatus_out, cuuint64_t *id_out)
{
	PER_THREAD;
	return cuStreamGetCaptureInfo(hStream, captureStatus_out, id_out);
}

CUresult
cuStreamGetCaptureInfo_v2_ptsz(CUstream hStream, CUstreamCaptureStatus *captureStatus_out,
	cuuint64_t *id_out, CUgraph *graph_out, const CUgraphNode **dependencies_out,
	size_t *numDependencies_out)
{
	PER_THREAD;
	return cuStreamGetCaptureInfo_v2(hStream, captureStatus_out, id_out, graph_out,
		dependencies_out, numDependencies_out);
}

CUresult
cuStreamGetCaptureInfo_v3_ptsz(CUstream hStream, CUstreamCaptureStatus *captureStatus_out,
	cuuint64_t *id_out, CUgraph *graph_out, const CUgraphNode **dependencies_out,
	const CUgraphEdgeData **edgeData_out, size_t *numDependencies_out)
{
	PER_THREAD;
	return cuStreamGetCaptureInfo_v3(hStream, captureStatus_out, id_out, graph_out,
		dependencies_out, edgeData_out, numDependencies_out);
}

CUresult
cuStreamGetCtx_ptsz(CUstream hStream, CUcontext *pctx)
{
	PER_THREAD;
	return cuStreamGetCtx(hStream, pctx);
}

CUresult
cuStreamGetCtx_v2_ptsz(CUstream hStream, CUcontext *pCtx, CUgreenCtx *pGreenCtx)
{
	PER_THREAD;
	return cuStreamGetCtx_v2(hStream, pCtx, pGreenCtx);
}

CUresult
cuStreamGetDevice_ptsz(CUstream hStream, CUdevice *device)
{
	PER_THREAD;
	return cuStreamGetDevice(hStream, device);
}

CUresult
cuStreamGetFlags_ptsz(CUstream hStream, unsigned int *flags)
{
	PER_THREAD;
	return cuStreamGetFlags(hStream, flags);
}

CUresult
cuStreamGetId_ptsz(CUstream hStream, unsigned long long *streamId)
{
	PER_THREAD;
	return cuStreamGetId(hStream, streamId);
}

CUresult
cuStreamGetPriority_ptsz(CUstream hStream, int *priority)
{
	PER_THREAD;
	return cuStreamGetPriority(hStream, priority);
}

CUresult
cuStreamIsCapturing_ptsz(CUstream hStream, CUstreamCaptureStatus *captureStatus)
{
	PER_THREAD;
	return cuStreamIsCapturing(hStream, captureStatus);
}

CUresult
cuStreamQuery_ptsz(CUstream hStream)
{
	PER_THREAD;
	return cuStreamQuery(hStream);
}

CUresult
cuStreamSetAttribute_ptsz(
	CUstream hStream, CUstreamAttrID attr, const CUstreamAttrValue *param)
{
	PER_THREAD;
	return cuStreamSetAttribute(hStream, attr, param);
}

CUresult
cuStreamSynchronize_ptsz(CUstream hStream)
{
	PER_THREAD;
	return cuStreamSynchronize(hStream);
}

CUresult
cuStreamWaitEvent_ptsz(CUstream hStream, CUevent hEvent, unsigned int Flags)
{
	PER_THREAD;
	return cuStreamWaitEvent(hStream, hEvent, Flags);
}

#undef PER_THREAD
