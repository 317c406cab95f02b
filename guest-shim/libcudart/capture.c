/* SPDX-License-Identifier: Apache-2.0 */
/* capture.c: recording what goes into a stream as a graph. */
#include "guest-shim/libcudart/driver.h"

cudaError_t
cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
	return DRIVER(cuStreamBeginCapture, stream, (CUstreamCaptureMode)mode);
}

_Static_assert(sizeof(cudaGraphEdgeData) == sizeof(CUgraphEdgeData), "same layout");

cudaError_t
cudaStreamBeginCaptureToGraph(cudaStream_t stream, cudaGraph_t graph,
	const cudaGraphNode_t *dependencies, const cudaGraphEdgeData *dependencyData,
	size_t numDependencies, enum cudaStreamCaptureMode mode)
{
	return DRIVER(cuStreamBeginCaptureToGraph, stream, graph, dependencies,
		(const CUgraphEdgeData *)dependencyData, numDependencies,
		(CUstreamCaptureMode)mode);
}

cudaError_t
cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *pGraph)
{
	return DRIVER(cuStreamEndCapture, stream, pGraph);
}

cudaError_t
cudaStreamIsCapturing(cudaStream_t stream, enum cudaStreamCaptureStatus *pCaptureStatus)
{
	return DRIVER(
		cuStreamIsCapturing, stream, (CUstreamCaptureStatus *)pCaptureStatus);
}

cudaError_t
cudaThreadExchangeStreamCaptureMode(enum cudaStreamCaptureMode *mode)
{
	return DRIVER(cuThreadExchangeStreamCaptureMode, (CUstreamCaptureMode *)mode);
}

static cudaError_t
stream_capture_info(cudaStream_t stream, enum cudaStreamCaptureStatus *status,
	unsigned long long *id, cudaGraph_t *graph, const cudaGraphNode_t **dependencies,
	const cudaGraphEdgeData **edges, size_t *n_dependencies)
{
	cuuint64_t driver_id = 0;
	cudaError_t error = DRIVER(cuStreamGetCaptureInfo, stream,
		(CUstreamCaptureStatus *)status, &driver_id, graph, dependencies,
		(const CUgraphEdgeData **)edges, n_dependencies);
	if (error == cudaSuccess && id != NULL) {
		*id = driver_id;
	}
	return error;
}

static cudaError_t
stream_update_capture(cudaStream_t stream, cudaGraphNode_t *dependencies,
	const cudaGraphEdgeData *edges, size_t n_dependencies, unsigned flags)
{
	return DRIVER(cuStreamUpdateCaptureDependencies, stream, dependencies,
		(const CUgraphEdgeData *)edges, n_dependencies, flags);
}

/* In the _ptsz forms stream 0 is the calling thread's own. */
static inline cudaStream_t
own(cudaStream_t stream)
{
	return stream == NULL ? cudaStreamPerThread : stream;
}

#if CUDART_MAJOR == 12
cudaError_t cuda12StreamGetCaptureInfo(
	cudaStream_t stream, enum cudaStreamCaptureStatus *status, unsigned long long *id)
	EXPORT_AS("cudaStreamGetCaptureInfo");
cudaError_t
cuda12StreamGetCaptureInfo(
	cudaStream_t stream, enum cudaStreamCaptureStatus *status, unsigned long long *id)
{
	return stream_capture_info(stream, status, id, NULL, NULL, NULL, NULL);
}

cudaError_t cuda12StreamGetCaptureInfo_v2(cudaStream_t stream,
	enum cudaStreamCaptureStatus *status, unsigned long long *id, cudaGraph_t *graph,
	const cudaGraphNode_t **dependencies, size_t *n_dependencies)
	EXPORT_AS("cudaStreamGetCaptureInfo_v2");
cudaError_t
cuda12StreamGetCaptureInfo_v2(cudaStream_t stream, enum cudaStreamCaptureStatus *status,
	unsigned long long *id, cudaGraph_t *graph, const cudaGraphNode_t **dependencies,
	size_t *n_dependencies)
{
	return stream_capture_info(
		stream, status, id, graph, dependencies, NULL, n_dependencies);
}

cudaError_t cuda12StreamGetCaptureInfo_v3(cudaStream_t stream,
	enum cudaStreamCaptureStatus *status, unsigned long long *id, cudaGraph_t *graph,
	const cudaGraphNode_t **dependencies, const cudaGraphEdgeData **edges,
	size_t *n_dependencies) EXPORT_AS("cudaStreamGetCaptureInfo_v3");
cudaError_t
cuda12StreamGetCaptureInfo_v3(cudaStream_t stream, enum cudaStreamCaptureStatus *status,
	unsigned long long *id, cudaGraph_t *graph, const cudaGraphNode_t **dependencies,
	const cudaGraphEdgeData **edges, size_t *n_dependencies)
{
	return stream_capture_info(
		stream, status, id, graph, dependencies, edges, n_dependencies);
}

cudaError_t cuda12StreamUpdateCaptureDependencies(cudaStream_t stream,
	cudaGraphNode_t *dependencies, size_t n_dependencies, unsigned flags)
	EXPORT_AS("cudaStreamUpdateCaptureDependencies");
cudaError_t
cuda12StreamUpdateCaptureDependencies(cudaStream_t stream, cudaGraphNode_t *dependencies,
	size_t n_dependencies, unsigned flags)
{
	return stream_update_capture(stream, dependencies, NULL, n_dependencies, flags);
}

cudaError_t cuda12StreamUpdateCaptureDependencies_v2(cudaStream_t stream,
	cudaGraphNode_t *dependencies, const cudaGraphEdgeData *edges,
	size_t n_dependencies, unsigned flags)
	EXPORT_AS("cudaStreamUpdateCaptureDependencies_v2");
cudaError_t
cuda12StreamUpdateCaptureDependencies_v2(cudaStream_t stream,
	cudaGraphNode_t *dependencies, const cudaGraphEdgeData *edges,
	size_t n_dependencies, unsigned flags)
{
	return stream_update_capture(stream, dependencies, edges, n_dependencies, flags);
}

cudaError_t ptsz_cudaStreamGetCaptureInfo(
	cudaStream_t stream, enum cudaStreamCaptureStatus *status, unsigned long long *id)
	EXPORT_AS("cudaStreamGetCaptureInfo_ptsz");
cudaError_t
ptsz_cudaStreamGetCaptureInfo(
	cudaStream_t stream, enum cudaStreamCaptureStatus *status, unsigned long long *id)
{
	return cuda12StreamGetCaptureInfo(own(stream), status, id);
}

cudaError_t ptsz_cudaStreamGetCaptureInfo_v2(cudaStream_t stream,
	enum cudaStreamCaptureStatus *status, unsigned long long *id, cudaGraph_t *graph,
	const cudaGraphNode_t **dependencies, size_t *n_dependencies)
	EXPORT_AS("cudaStreamGetCaptureInfo_v2_ptsz");
cudaError_t
ptsz_cudaStreamGetCaptureInfo_v2(cudaStream_t stream,
	enum cudaStreamCaptureStatus *status, unsigned long long *id, cudaGraph_t *graph,
	const cudaGraphNode_t **dependencies, size_t *n_dependencies)
{
	return cuda12StreamGetCaptureInfo_v2(
		own(stream), status, id, graph, dependencies, n_dependencies);
}

cudaError_t ptsz_cudaStreamGetCaptureInfo_v3(cudaStream_t stream,
	enum cudaStreamCaptureStatus *status, unsigned long long *id, cudaGraph_t *graph,
	const cudaGraphNode_t **dependencies, const cudaGraphEdgeData **edges,
	size_t *n_dependencies) EXPORT_AS("cudaStreamGetCaptureInfo_v3_ptsz");
cudaError_t
ptsz_cudaStreamGetCaptureInfo_v3(cudaStream_t stream,
	enum cudaStreamCaptureStatus *status, unsigned long long *id, cudaGraph_t *graph,
	const cudaGraphNode_t **dependencies, const cudaGraphEdgeData **edges,
	size_t *n_dependencies)
{
	return cuda12StreamGetCaptureInfo_v3(
		own(stream), status, id, graph, dependencies, edges, n_dependencies);
}

cudaError_t ptsz_cudaStreamUpdateCaptureDependencies(cudaStream_t stream,
	cudaGraphNode_t *dependencies, size_t n_dependencies, unsigned flags)
	EXPORT_AS("cudaStreamUpdateCaptureDependencies_ptsz");
cudaError_t
ptsz_cudaStreamUpdateCaptureDependencies(cudaStream_t stream,
	cudaGraphNode_t *dependencies, size_t n_dependencies, unsigned flags)
{
	return cuda12StreamUpdateCaptureDependencies(
		own(stream), dependencies, n_dependencies, flags);
}

cudaError_t ptsz_cudaStreamUpdateCaptureDependencies_v2(cudaStream_t stream,
	cudaGraphNode_t *dependencies, const cudaGraphEdgeData *edges,
	size_t n_dependencies, unsigned flags)
	EXPORT_AS("cudaStreamUpdateCaptureDependencies_v2_ptsz");
cudaError_t
ptsz_cudaStreamUpdateCaptureDependencies_v2(cudaStream_t stream,
	cudaGraphNode_t *dependencies, const cudaGraphEdgeData *edges,
	size_t n_dependencies, unsigned flags)
{
	return cuda12StreamUpdateCaptureDependencies_v2(
		own(stream), dependencies, edges, n_dependencies, flags);
}
#else
cudaError_t
cudaStreamGetCaptureInfo(cudaStream_t stream,
	enum cudaStreamCaptureStatus *captureStatus_out, unsigned long long *id_out,
	cudaGraph_t *graph_out, const cudaGraphNode_t **dependencies_out,
	const cudaGraphEdgeData **edgeData_out, size_t *numDependencies_out)
{
	return stream_capture_info(stream, captureStatus_out, id_out, graph_out,
		dependencies_out, edgeData_out, numDependencies_out);
}

cudaError_t
cudaStreamUpdateCaptureDependencies(cudaStream_t stream, cudaGraphNode_t *dependencies,
	const cudaGraphEdgeData *dependencyData, size_t numDependencies,
	unsigned int flags)
{
	return stream_update_capture(
		stream, dependencies, dependencyData, numDependencies, flags);
}

cudaError_t ptsz_cudaStreamGetCaptureInfo(cudaStream_t stream,
	enum cudaStreamCaptureStatus *status, unsigned long long *id, cudaGraph_t *graph,
	const cudaGraphNode_t **dependencies, const cudaGraphEdgeData **edges,
	size_t *n_dependencies) EXPORT_AS("cudaStreamGetCaptureInfo_ptsz");
cudaError_t
ptsz_cudaStreamGetCaptureInfo(cudaStream_t stream, enum cudaStreamCaptureStatus *status,
	unsigned long long *id, cudaGraph_t *graph, const cudaGraphNode_t **dependencies,
	const cudaGraphEdgeData **edges, size_t *n_dependencies)
{
	return cudaStreamGetCaptureInfo(
		own(stream), status, id, graph, dependencies, edges, n_dependencies);
}

cudaError_t ptsz_cudaStreamUpdateCaptureDependencies(cudaStream_t stream,
	cudaGraphNode_t *dependencies, const cudaGraphEdgeData *edges,
	size_t n_dependencies, unsigned flags)
	EXPORT_AS("cudaStreamUpdateCaptureDependencies_ptsz");
cudaError_t
ptsz_cudaStreamUpdateCaptureDependencies(cudaStream_t stream,
	cudaGraphNode_t *dependencies, const cudaGraphEdgeData *edges,
	size_t n_dependencies, unsigned flags)
{
	return cudaStreamUpdateCaptureDependencies(
		own(stream), dependencies, edges, n_dependencies, flags);
}
#endif
