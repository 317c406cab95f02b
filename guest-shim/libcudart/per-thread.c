/* SPDX-License-Identifier: Apache-2.0 */
/* per-thread.c: what programs built with --default-stream per-thread call instead.
 *
 * In the _ptsz forms stream 0 means the calling thread's own stream, which has a constant
 * of its own; all else is as in the plain function.  The _ptds forms have no stream
 * parameter: they work in that stream, and wait as the plain ones do. */
#include "guest-shim/libcudart/copy.h"
#include "guest-shim/libcudart/driver.h"

static inline cudaStream_t
own(cudaStream_t stream)
{
	return stream == NULL ? cudaStreamPerThread : stream;
}

#define PTSZ(name, parameters, arguments) \
	__attribute__((visibility("default"))) cudaError_t name##_ptsz parameters; \
	cudaError_t name##_ptsz parameters \
	{ \
		return name arguments; \
	}

#define PTDS(name, parameters, result) \
	__attribute__((visibility("default"))) cudaError_t name##_ptds parameters; \
	cudaError_t name##_ptds parameters \
	{ \
		return error_keep(result); \
	}

#define S cudaStream_t stream

PTSZ(cudaMemcpyAsync,
	(void *dst, const void *src, size_t count, enum cudaMemcpyKind kind, S),
	(dst, src, count, kind, own(stream)))
PTSZ(cudaMemcpyToSymbolAsync,
	(const void *symbol, const void *src, size_t count, size_t offset,
		enum cudaMemcpyKind kind, S),
	(symbol, src, count, offset, kind, own(stream)))
PTSZ(cudaMemcpyFromSymbolAsync,
	(void *dst, const void *symbol, size_t count, size_t offset,
		enum cudaMemcpyKind kind, S),
	(dst, symbol, count, offset, kind, own(stream)))
PTSZ(cudaMemcpy2DAsync,
	(void *dst, size_t dpitch, const void *src, size_t spitch, size_t width,
		size_t height, enum cudaMemcpyKind kind, S),
	(dst, dpitch, src, spitch, width, height, kind, own(stream)))
PTSZ(cudaMemcpy3DAsync, (const struct cudaMemcpy3DParms *p, S), (p, own(stream)))
PTSZ(cudaMemcpy3DPeerAsync, (const struct cudaMemcpy3DPeerParms *p, S), (p, own(stream)))
PTSZ(cudaMemsetAsync, (void *pointer, int value, size_t count, S),
	(pointer, value, count, own(stream)))
PTSZ(cudaMemset2DAsync,
	(void *pointer, size_t pitch, int value, size_t width, size_t height, S),
	(pointer, pitch, value, width, height, own(stream)))
PTSZ(cudaMemset3DAsync,
	(struct cudaPitchedPtr pitched, int value, struct cudaExtent extent, S),
	(pitched, value, extent, own(stream)))
PTSZ(cudaStreamQuery, (S), (own(stream)))
PTSZ(cudaStreamGetDevice, (S, int *device), (own(stream), device))
PTSZ(cudaStreamGetFlags, (S, unsigned *flags), (own(stream), flags))
PTSZ(cudaStreamGetId, (S, unsigned long long *id), (own(stream), id))
PTSZ(cudaStreamGetPriority, (S, int *priority), (own(stream), priority))
PTSZ(cudaEventRecord, (cudaEvent_t event, S), (event, own(stream)))
PTSZ(cudaEventRecordWithFlags, (cudaEvent_t event, S, unsigned flags),
	(event, own(stream), flags))
PTSZ(cudaStreamWaitEvent, (S, cudaEvent_t event, unsigned flags),
	(own(stream), event, flags))
PTSZ(cudaStreamAddCallback,
	(S, cudaStreamCallback_t callback, void *user_data, unsigned flags),
	(own(stream), callback, user_data, flags))
PTSZ(cudaStreamAttachMemAsync, (S, void *pointer, size_t size, unsigned flags),
	(own(stream), pointer, size, flags))
PTSZ(cudaStreamSynchronize, (S), (own(stream)))
PTSZ(cudaStreamBeginCapture, (S, enum cudaStreamCaptureMode mode), (own(stream), mode))
PTSZ(cudaStreamBeginCaptureToGraph,
	(S, cudaGraph_t graph, const cudaGraphNode_t *dependencies,
		const cudaGraphEdgeData *edges, size_t n_dependencies,
		enum cudaStreamCaptureMode mode),
	(own(stream), graph, dependencies, edges, n_dependencies, mode))
PTSZ(cudaStreamEndCapture, (S, cudaGraph_t *graph), (own(stream), graph))
PTSZ(cudaStreamIsCapturing, (S, enum cudaStreamCaptureStatus *status),
	(own(stream), status))
PTSZ(cudaStreamCopyAttributes, (cudaStream_t dst, cudaStream_t src), (own(dst), own(src)))
PTSZ(cudaStreamGetAttribute, (S, cudaStreamAttrID attr, cudaStreamAttrValue *value),
	(own(stream), attr, value))
PTSZ(cudaStreamSetAttribute, (S, cudaStreamAttrID attr, const cudaStreamAttrValue *value),
	(own(stream), attr, value))
PTSZ(cudaLaunchKernel,
	(const void *func, dim3 grid, dim3 block, void **args, size_t shared_size, S),
	(func, grid, block, args, shared_size, own(stream)))
PTSZ(cudaLaunchCooperativeKernel,
	(const void *func, dim3 grid, dim3 block, void **args, size_t shared_size, S),
	(func, grid, block, args, shared_size, own(stream)))
PTSZ(cudaLaunchHostFunc, (S, cudaHostFn_t function, void *user_data),
	(own(stream), function, user_data))
PTSZ(cudaMallocAsync, (void **pointer, size_t size, S), (pointer, size, own(stream)))
PTSZ(cudaMallocFromPoolAsync, (void **pointer, size_t size, cudaMemPool_t pool, S),
	(pointer, size, pool, own(stream)))
PTSZ(cudaFreeAsync, (void *pointer, S), (pointer, own(stream)))

PTDS(cudaMemcpy, (void *dst, const void *src, size_t count, enum cudaMemcpyKind kind),
	copy_linear(dst, src, count, kind, COPY_SYNC_PER_THREAD))
PTDS(cudaMemcpyToSymbol,
	(const void *symbol, const void *src, size_t count, size_t offset,
		enum cudaMemcpyKind kind),
	copy_to_symbol(symbol, src, count, offset, kind, COPY_SYNC_PER_THREAD))
PTDS(cudaMemcpyFromSymbol,
	(void *dst, const void *symbol, size_t count, size_t offset,
		enum cudaMemcpyKind kind),
	copy_from_symbol(dst, symbol, count, offset, kind, COPY_SYNC_PER_THREAD))
PTDS(cudaMemcpy2D,
	(void *dst, size_t dpitch, const void *src, size_t spitch, size_t width,
		size_t height, enum cudaMemcpyKind kind),
	copy_2d(dst, dpitch, src, spitch, width, height, kind, COPY_SYNC_PER_THREAD))
PTDS(cudaMemcpy3D, (const struct cudaMemcpy3DParms *p), copy_3d(p, COPY_SYNC_PER_THREAD))
PTDS(cudaMemcpy3DPeer, (const struct cudaMemcpy3DPeerParms *p),
	copy_3d_peer(p, COPY_SYNC_PER_THREAD))
PTDS(cudaMemset, (void *pointer, int value, size_t count),
	set_linear(pointer, value, count, COPY_SYNC_PER_THREAD))
PTDS(cudaMemset2D, (void *pointer, size_t pitch, int value, size_t width, size_t height),
	set_2d(pointer, pitch, value, width, height, COPY_SYNC_PER_THREAD))
PTDS(cudaMemset3D, (struct cudaPitchedPtr pitched, int value, struct cudaExtent extent),
	set_3d(pitched, value, extent, COPY_SYNC_PER_THREAD))

#undef S
#undef PTSZ
#undef PTDS

cudaError_t
__cudaLaunchKernel_ptsz(cudaKernel_t kernel, dim3 grid, dim3 block, void **args,
	size_t shared_size, cudaStream_t stream)
{
	return __cudaLaunchKernel(kernel, grid, block, args, shared_size, own(stream));
}

__attribute__((visibility("default"))) cudaError_t cudaLaunchKernelExC_ptsz(
	const cudaLaunchConfig_t *config, const void *func, void **args);
cudaError_t
cudaLaunchKernelExC_ptsz(const cudaLaunchConfig_t *config, const void *func, void **args)
{
	if (config == NULL) {
		return error_keep(cudaErrorInvalidValue);
	}
	cudaLaunchConfig_t own_config = *config;
	own_config.stream = own(config->stream);
	return cudaLaunchKernelExC(&own_config, func, args);
}

/* The driver has a flag for its own functions of this kind. */
__attribute__((visibility("default"))) cudaError_t cudaGetDriverEntryPointByVersion_ptsz(
	const char *symbol, void **pointer, unsigned version, unsigned long long flags,
	enum cudaDriverEntryPointQueryResult *status);
cudaError_t
cudaGetDriverEntryPointByVersion_ptsz(const char *symbol, void **pointer,
	unsigned version, unsigned long long flags,
	enum cudaDriverEntryPointQueryResult *status)
{
	if (flags == cudaEnableDefault) {
		flags = cudaEnablePerThreadDefaultStream;
	}
	return cudaGetDriverEntryPointByVersion(symbol, pointer, version, flags, status);
}

__attribute__((visibility("default"))) cudaError_t cudaGetDriverEntryPoint_ptsz(
	const char *symbol, void **pointer, unsigned long long flags,
	enum cudaDriverEntryPointQueryResult *status);
cudaError_t
cudaGetDriverEntryPoint_ptsz(const char *symbol, void **pointer, unsigned long long flags,
	enum cudaDriverEntryPointQueryResult *status)
{
	int version = 0;
	cudaRuntimeGetVersion(&version);
	return cudaGetDriverEntryPointByVersion_ptsz(
		symbol, pointer, (unsigned)version, flags, status);
}
