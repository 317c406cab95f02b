/* SPDX-License-Identifier: Apache-2.0 */
/* driver.h: how this runtime calls the CUDA driver API.
 *
 * Three drivers can stand behind libcuda.so.1, and an older one lacks newer functions.
 * So every function but cuInit is a weak reference: what is missing is answered with
 * cudaErrorNotSupported and named once, and does not kill the program in ld.so. */
#pragma once

#include <cuda.h>
#include <stdbool.h>

#include "guest-shim/libcudart/device.h"
#include "guest-shim/libcudart/error.h"

#define DRIVER_FUNCTIONS(WEAK) \
	WEAK(cuArray3DCreate) \
	WEAK(cuArray3DGetDescriptor) \
	WEAK(cuArrayDestroy) \
	WEAK(cuArrayGetPlane) \
	WEAK(cuCtxDisablePeerAccess) \
	WEAK(cuCtxEnablePeerAccess) \
	WEAK(cuCtxGetCacheConfig) \
	WEAK(cuCtxGetCurrent) \
	WEAK(cuCtxGetDevice) \
	WEAK(cuCtxGetLimit) \
	WEAK(cuCtxGetStreamPriorityRange) \
	WEAK(cuCtxResetPersistingL2Cache) \
	WEAK(cuCtxSetCacheConfig) \
	WEAK(cuCtxSetCurrent) \
	WEAK(cuCtxSetLimit) \
	WEAK(cuCtxSynchronize) \
	WEAK(cuDeviceCanAccessPeer) \
	WEAK(cuDeviceGet) \
	WEAK(cuDeviceGetAttribute) \
	WEAK(cuDeviceGetByPCIBusId) \
	WEAK(cuDeviceGetCount) \
	WEAK(cuDeviceGetDefaultMemPool) \
	WEAK(cuDeviceGetGraphMemAttribute) \
	WEAK(cuDeviceGetMemPool) \
	WEAK(cuDeviceGetName) \
	WEAK(cuDeviceGetP2PAttribute) \
	WEAK(cuDeviceGetPCIBusId) \
	WEAK(cuDeviceGetTexture1DLinearMaxWidth) \
	WEAK(cuDeviceGetUuid) \
	WEAK(cuDeviceGraphMemTrim) \
	WEAK(cuDevicePrimaryCtxGetState) \
	WEAK(cuDevicePrimaryCtxRelease) \
	WEAK(cuDevicePrimaryCtxReset) \
	WEAK(cuDevicePrimaryCtxRetain) \
	WEAK(cuDevicePrimaryCtxSetFlags) \
	WEAK(cuDeviceSetGraphMemAttribute) \
	WEAK(cuDeviceSetMemPool) \
	WEAK(cuDeviceTotalMem) \
	WEAK(cuDriverGetVersion) \
	WEAK(cuEventCreate) \
	WEAK(cuEventDestroy) \
	WEAK(cuEventElapsedTime) \
	WEAK(cuEventQuery) \
	WEAK(cuEventRecord) \
	WEAK(cuEventRecordWithFlags) \
	WEAK(cuEventSynchronize) \
	WEAK(cuFlushGPUDirectRDMAWrites) \
	WEAK(cuGetProcAddress) \
	WEAK(cuGraphAddChildGraphNode) \
	WEAK(cuGraphAddDependencies) \
	WEAK(cuGraphAddEmptyNode) \
	WEAK(cuGraphAddEventRecordNode) \
	WEAK(cuGraphAddEventWaitNode) \
	WEAK(cuGraphAddHostNode) \
	WEAK(cuGraphAddKernelNode) \
	WEAK(cuGraphAddMemAllocNode) \
	WEAK(cuGraphAddMemFreeNode) \
	WEAK(cuGraphAddMemcpyNode) \
	WEAK(cuGraphAddMemsetNode) \
	WEAK(cuGraphAddNode) \
	WEAK(cuGraphChildGraphNodeGetGraph) \
	WEAK(cuGraphClone) \
	WEAK(cuGraphConditionalHandleCreate) \
	WEAK(cuGraphCreate) \
	WEAK(cuGraphDebugDotPrint) \
	WEAK(cuGraphDestroy) \
	WEAK(cuGraphDestroyNode) \
	WEAK(cuGraphEventRecordNodeGetEvent) \
	WEAK(cuGraphEventRecordNodeSetEvent) \
	WEAK(cuGraphEventWaitNodeGetEvent) \
	WEAK(cuGraphEventWaitNodeSetEvent) \
	WEAK(cuGraphExecChildGraphNodeSetParams) \
	WEAK(cuGraphExecDestroy) \
	WEAK(cuGraphExecEventRecordNodeSetEvent) \
	WEAK(cuGraphExecEventWaitNodeSetEvent) \
	WEAK(cuGraphExecGetFlags) \
	WEAK(cuGraphExecHostNodeSetParams) \
	WEAK(cuGraphExecKernelNodeSetParams) \
	WEAK(cuGraphExecMemcpyNodeSetParams) \
	WEAK(cuGraphExecMemsetNodeSetParams) \
	WEAK(cuGraphExecNodeSetParams) \
	WEAK(cuGraphExecUpdate) \
	WEAK(cuGraphGetEdges) \
	WEAK(cuGraphGetNodes) \
	WEAK(cuGraphGetRootNodes) \
	WEAK(cuGraphHostNodeGetParams) \
	WEAK(cuGraphHostNodeSetParams) \
	WEAK(cuGraphInstantiate) \
	WEAK(cuGraphInstantiateWithParams) \
	WEAK(cuGraphKernelNodeCopyAttributes) \
	WEAK(cuGraphKernelNodeGetAttribute) \
	WEAK(cuGraphKernelNodeGetParams) \
	WEAK(cuGraphKernelNodeSetAttribute) \
	WEAK(cuGraphKernelNodeSetParams) \
	WEAK(cuGraphLaunch) \
	WEAK(cuGraphMemAllocNodeGetParams) \
	WEAK(cuGraphMemFreeNodeGetParams) \
	WEAK(cuGraphMemcpyNodeSetParams) \
	WEAK(cuGraphMemsetNodeGetParams) \
	WEAK(cuGraphMemsetNodeSetParams) \
	WEAK(cuGraphNodeFindInClone) \
	WEAK(cuGraphNodeGetDependencies) \
	WEAK(cuGraphNodeGetDependentNodes) \
	WEAK(cuGraphNodeGetEnabled) \
	WEAK(cuGraphNodeGetType) \
	WEAK(cuGraphNodeSetEnabled) \
	WEAK(cuGraphNodeSetParams) \
	WEAK(cuGraphReleaseUserObject) \
	WEAK(cuGraphRemoveDependencies) \
	WEAK(cuGraphRetainUserObject) \
	WEAK(cuGraphUpload) \
	WEAK(cuIpcCloseMemHandle) \
	WEAK(cuIpcGetEventHandle) \
	WEAK(cuIpcGetMemHandle) \
	WEAK(cuIpcOpenEventHandle) \
	WEAK(cuIpcOpenMemHandle) \
	WEAK(cuKernelGetAttribute) \
	WEAK(cuKernelGetFunction) \
	WEAK(cuKernelGetName) \
	WEAK(cuKernelGetParamInfo) \
	WEAK(cuKernelSetAttribute) \
	WEAK(cuKernelSetCacheConfig) \
	WEAK(cuLaunchCooperativeKernel) \
	WEAK(cuLaunchHostFunc) \
	WEAK(cuLaunchKernel) \
	WEAK(cuLaunchKernelEx) \
	WEAK(cuLibraryEnumerateKernels) \
	WEAK(cuLibraryGetGlobal) \
	WEAK(cuLibraryGetKernel) \
	WEAK(cuLibraryGetKernelCount) \
	WEAK(cuLibraryGetManaged) \
	WEAK(cuLibraryGetUnifiedFunction) \
	WEAK(cuLibraryLoadData) \
	WEAK(cuLibraryLoadFromFile) \
	WEAK(cuLibraryUnload) \
	WEAK(cuMemAdvise) \
	WEAK(cuMemAlloc) \
	WEAK(cuMemAllocAsync) \
	WEAK(cuMemAllocFromPoolAsync) \
	WEAK(cuMemAllocManaged) \
	WEAK(cuMemAllocPitch) \
	WEAK(cuMemFree) \
	WEAK(cuMemFreeAsync) \
	WEAK(cuMemFreeHost) \
	WEAK(cuMemGetInfo) \
	WEAK(cuMemHostAlloc) \
	WEAK(cuMemHostGetDevicePointer) \
	WEAK(cuMemHostGetFlags) \
	WEAK(cuMemHostRegister) \
	WEAK(cuMemHostUnregister) \
	WEAK(cuMemPoolCreate) \
	WEAK(cuMemPoolDestroy) \
	WEAK(cuMemPoolExportPointer) \
	WEAK(cuMemPoolExportToShareableHandle) \
	WEAK(cuMemPoolGetAccess) \
	WEAK(cuMemPoolGetAttribute) \
	WEAK(cuMemPoolImportFromShareableHandle) \
	WEAK(cuMemPoolImportPointer) \
	WEAK(cuMemPoolSetAccess) \
	WEAK(cuMemPoolSetAttribute) \
	WEAK(cuMemPoolTrimTo) \
	WEAK(cuMemPrefetchAsync) \
	WEAK(cuMemRangeGetAttribute) \
	WEAK(cuMemRangeGetAttributes) \
	WEAK(cuMemcpy) \
	WEAK(cuMemcpy2DAsync) \
	WEAK(cuMemcpy2DUnaligned) \
	WEAK(cuMemcpy3D) \
	WEAK(cuMemcpy3DAsync) \
	WEAK(cuMemcpy3DPeer) \
	WEAK(cuMemcpy3DPeerAsync) \
	WEAK(cuMemcpyAsync) \
	WEAK(cuMemcpyDtoD) \
	WEAK(cuMemcpyDtoDAsync) \
	WEAK(cuMemcpyDtoH) \
	WEAK(cuMemcpyDtoHAsync) \
	WEAK(cuMemcpyHtoD) \
	WEAK(cuMemcpyHtoDAsync) \
	WEAK(cuMemcpyPeer) \
	WEAK(cuMemcpyPeerAsync) \
	WEAK(cuMemsetD2D8) \
	WEAK(cuMemsetD2D8Async) \
	WEAK(cuMemsetD8) \
	WEAK(cuMemsetD8Async) \
	WEAK(cuMipmappedArrayCreate) \
	WEAK(cuMipmappedArrayDestroy) \
	WEAK(cuMipmappedArrayGetLevel) \
	WEAK(cuOccupancyAvailableDynamicSMemPerBlock) \
	WEAK(cuOccupancyMaxActiveBlocksPerMultiprocessor) \
	WEAK(cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags) \
	WEAK(cuOccupancyMaxActiveClusters) \
	WEAK(cuOccupancyMaxPotentialClusterSize) \
	WEAK(cuPointerGetAttributes) \
	WEAK(cuStreamAddCallback) \
	WEAK(cuStreamAttachMemAsync) \
	WEAK(cuStreamBeginCapture) \
	WEAK(cuStreamBeginCaptureToGraph) \
	WEAK(cuStreamCopyAttributes) \
	WEAK(cuStreamCreate) \
	WEAK(cuStreamCreateWithPriority) \
	WEAK(cuStreamDestroy) \
	WEAK(cuStreamEndCapture) \
	WEAK(cuStreamGetAttribute) \
	WEAK(cuStreamGetCaptureInfo) \
	WEAK(cuStreamGetDevice) \
	WEAK(cuStreamGetFlags) \
	WEAK(cuStreamGetId) \
	WEAK(cuStreamGetPriority) \
	WEAK(cuStreamIsCapturing) \
	WEAK(cuStreamQuery) \
	WEAK(cuStreamSetAttribute) \
	WEAK(cuStreamSynchronize) \
	WEAK(cuStreamUpdateCaptureDependencies) \
	WEAK(cuStreamWaitEvent) \
	WEAK(cuSurfObjectCreate) \
	WEAK(cuSurfObjectDestroy) \
	WEAK(cuTexObjectCreate) \
	WEAK(cuTexObjectDestroy) \
	WEAK(cuThreadExchangeStreamCaptureMode) \
	WEAK(cuUserObjectCreate) \
	WEAK(cuUserObjectRelease) \
	WEAK(cuUserObjectRetain)

#define WEAK(name) extern __typeof__(name) name __attribute__((weak));
DRIVER_FUNCTIONS(WEAK)
#undef WEAK

/* Says once per function that the driver does not have it. */
cudaError_t driver_missing(const char *name, bool *said);

/* Calls the driver without looking at contexts; a cudaError_t. */
#define CALL(function, ...) \
	({ \
		static bool said_; \
		function != NULL ? error_of(function(__VA_ARGS__)) \
				 : driver_missing(#function, &said_); \
	})

/* Calls the driver with a current context, and remembers an error for cudaGetLastError.
 */
#define DRIVER(function, ...) \
	({ \
		cudaError_t error_ = device_enter(); \
		error_keep( \
			error_ != cudaSuccess ? error_ : CALL(function, __VA_ARGS__)); \
	})
