/* SPDX-License-Identifier: Apache-2.0 */
/* graph.c: graphs as a whole: their edges, instances and launches.  Handles are the
 * driver's own. */
#include <stdlib.h>
#include <string.h>

#include "guest-shim/libcudart/driver.h"

cudaError_t
cudaGraphCreate(cudaGraph_t *pGraph, unsigned int flags)
{
	return DRIVER(cuGraphCreate, pGraph, flags);
}

cudaError_t
cudaGraphDestroy(cudaGraph_t graph)
{
	return DRIVER(cuGraphDestroy, graph);
}

cudaError_t
cudaGraphDestroyNode(cudaGraphNode_t node)
{
	return DRIVER(cuGraphDestroyNode, node);
}

cudaError_t
cudaGraphClone(cudaGraph_t *pGraphClone, cudaGraph_t originalGraph)
{
	return DRIVER(cuGraphClone, pGraphClone, originalGraph);
}

cudaError_t
cudaGraphNodeFindInClone(
	cudaGraphNode_t *pNode, cudaGraphNode_t originalNode, cudaGraph_t clonedGraph)
{
	return DRIVER(cuGraphNodeFindInClone, pNode, originalNode, clonedGraph);
}

cudaError_t
cudaGraphNodeGetType(cudaGraphNode_t node, enum cudaGraphNodeType *pType)
{
	return DRIVER(cuGraphNodeGetType, node, (CUgraphNodeType *)pType);
}

cudaError_t
cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *numNodes)
{
	return DRIVER(cuGraphGetNodes, graph, nodes, numNodes);
}

cudaError_t
cudaGraphGetRootNodes(
	cudaGraph_t graph, cudaGraphNode_t *pRootNodes, size_t *pNumRootNodes)
{
	return DRIVER(cuGraphGetRootNodes, graph, pRootNodes, pNumRootNodes);
}

/* CUDA 12 has each of these without the data of edges, and as _v2 with it. */
#if CUDART_MAJOR == 12
#define EDGES(name, before, call) \
	cudaError_t cuda12##name(before, size_t *n) EXPORT_AS("cuda" #name); \
	cudaError_t cuda12##name(before, size_t *n) \
	{ \
		cudaGraphEdgeData *edges = NULL; \
		return call; \
	} \
	cudaError_t cuda12##name##_v2(before, cudaGraphEdgeData *edges, size_t *n) \
		EXPORT_AS("cuda" #name "_v2"); \
	cudaError_t cuda12##name##_v2(before, cudaGraphEdgeData *edges, size_t *n) \
	{ \
		return call; \
	}
#else
#define EDGES(name, before, call) \
	cudaError_t cuda##name(before, cudaGraphEdgeData *edges, size_t *n) \
	{ \
		return call; \
	}
#endif
#define COMMA ,

EDGES(GraphGetEdges,
	cudaGraph_t graph COMMA cudaGraphNode_t *from COMMA cudaGraphNode_t *to,
	DRIVER(cuGraphGetEdges, graph, from, to, (CUgraphEdgeData *)edges, n))
EDGES(GraphNodeGetDependencies, cudaGraphNode_t node COMMA cudaGraphNode_t *nodes,
	DRIVER(cuGraphNodeGetDependencies, node, nodes, (CUgraphEdgeData *)edges, n))
EDGES(GraphNodeGetDependentNodes, cudaGraphNode_t node COMMA cudaGraphNode_t *nodes,
	DRIVER(cuGraphNodeGetDependentNodes, node, nodes, (CUgraphEdgeData *)edges, n))

#undef EDGES

#if CUDART_MAJOR == 12
#define EDGES(name, driver) \
	cudaError_t cuda12##name(cudaGraph_t graph, const cudaGraphNode_t *from, \
		const cudaGraphNode_t *to, size_t n) EXPORT_AS("cuda" #name); \
	cudaError_t cuda12##name(cudaGraph_t graph, const cudaGraphNode_t *from, \
		const cudaGraphNode_t *to, size_t n) \
	{ \
		return DRIVER(driver, graph, from, to, NULL, n); \
	} \
	cudaError_t cuda12##name##_v2(cudaGraph_t graph, const cudaGraphNode_t *from, \
		const cudaGraphNode_t *to, const cudaGraphEdgeData *edges, size_t n) \
		EXPORT_AS("cuda" #name "_v2"); \
	cudaError_t cuda12##name##_v2(cudaGraph_t graph, const cudaGraphNode_t *from, \
		const cudaGraphNode_t *to, const cudaGraphEdgeData *edges, size_t n) \
	{ \
		return DRIVER( \
			driver, graph, from, to, (const CUgraphEdgeData *)edges, n); \
	}
#else
#define EDGES(name, driver) \
	cudaError_t cuda##name(cudaGraph_t graph, const cudaGraphNode_t *from, \
		const cudaGraphNode_t *to, const cudaGraphEdgeData *edges, size_t n) \
	{ \
		return DRIVER( \
			driver, graph, from, to, (const CUgraphEdgeData *)edges, n); \
	}
#endif

EDGES(GraphAddDependencies, cuGraphAddDependencies)
EDGES(GraphRemoveDependencies, cuGraphRemoveDependencies)

#undef EDGES
#undef COMMA

cudaError_t
cudaGraphInstantiate(
	cudaGraphExec_t *pGraphExec, cudaGraph_t graph, unsigned long long flags)
{
	return DRIVER(cuGraphInstantiate, pGraphExec, graph, flags);
}

cudaError_t
cudaGraphInstantiateWithFlags(
	cudaGraphExec_t *pGraphExec, cudaGraph_t graph, unsigned long long flags)
{
	return DRIVER(cuGraphInstantiate, pGraphExec, graph, flags);
}

_Static_assert(
	sizeof(cudaGraphInstantiateParams) == sizeof(CUDA_GRAPH_INSTANTIATE_PARAMS),
	"same layout");

cudaError_t
cudaGraphInstantiateWithParams(cudaGraphExec_t *pGraphExec, cudaGraph_t graph,
	cudaGraphInstantiateParams *instantiateParams)
{
	return DRIVER(cuGraphInstantiateWithParams, pGraphExec, graph,
		(CUDA_GRAPH_INSTANTIATE_PARAMS *)instantiateParams);
}

__attribute__((visibility("default"))) cudaError_t cudaGraphInstantiateWithParams_ptsz(
	cudaGraphExec_t *exec, cudaGraph_t graph, cudaGraphInstantiateParams *params);
cudaError_t
cudaGraphInstantiateWithParams_ptsz(
	cudaGraphExec_t *exec, cudaGraph_t graph, cudaGraphInstantiateParams *params)
{
	if (params == NULL) {
		return error_keep(cudaErrorInvalidValue);
	}
	cudaStream_t stream = params->uploadStream;
	if (stream == NULL) {
		params->uploadStream = cudaStreamPerThread;
	}
	cudaError_t error = cudaGraphInstantiateWithParams(exec, graph, params);
	params->uploadStream = stream;
	return error;
}

_Static_assert(
	sizeof(cudaGraphExecUpdateResultInfo) == sizeof(CUgraphExecUpdateResultInfo),
	"same layout");

cudaError_t
cudaGraphExecUpdate(cudaGraphExec_t hGraphExec, cudaGraph_t hGraph,
	cudaGraphExecUpdateResultInfo *resultInfo)
{
	return DRIVER(cuGraphExecUpdate, hGraphExec, hGraph,
		(CUgraphExecUpdateResultInfo *)resultInfo);
}

cudaError_t
cudaGraphExecGetFlags(cudaGraphExec_t graphExec, unsigned long long *flags)
{
	cuuint64_t found = 0;
	cudaError_t error = DRIVER(cuGraphExecGetFlags, graphExec, &found);
	if (error == cudaSuccess && flags != NULL) {
		*flags = found;
	}
	return error;
}

cudaError_t
cudaGraphUpload(cudaGraphExec_t graphExec, cudaStream_t stream)
{
	return DRIVER(cuGraphUpload, graphExec, stream);
}

cudaError_t
cudaGraphLaunch(cudaGraphExec_t graphExec, cudaStream_t stream)
{
	return DRIVER(cuGraphLaunch, graphExec, stream);
}

__attribute__((visibility("default"))) cudaError_t cudaGraphUpload_ptsz(
	cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t
cudaGraphUpload_ptsz(cudaGraphExec_t exec, cudaStream_t stream)
{
	return cudaGraphUpload(exec, stream == NULL ? cudaStreamPerThread : stream);
}

__attribute__((visibility("default"))) cudaError_t cudaGraphLaunch_ptsz(
	cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t
cudaGraphLaunch_ptsz(cudaGraphExec_t exec, cudaStream_t stream)
{
	return cudaGraphLaunch(exec, stream == NULL ? cudaStreamPerThread : stream);
}

cudaError_t
cudaGraphExecDestroy(cudaGraphExec_t graphExec)
{
	return DRIVER(cuGraphExecDestroy, graphExec);
}

cudaError_t
cudaGraphDebugDotPrint(cudaGraph_t graph, const char *path, unsigned int flags)
{
	return DRIVER(cuGraphDebugDotPrint, graph, path, flags);
}

cudaError_t
cudaUserObjectCreate(cudaUserObject_t *object_out, void *ptr, cudaHostFn_t destroy,
	unsigned int initialRefcount, unsigned int flags)
{
	return DRIVER(
		cuUserObjectCreate, object_out, ptr, destroy, initialRefcount, flags);
}

cudaError_t
cudaUserObjectRetain(cudaUserObject_t object, unsigned int count)
{
	return DRIVER(cuUserObjectRetain, object, count);
}

cudaError_t
cudaUserObjectRelease(cudaUserObject_t object, unsigned int count)
{
	return DRIVER(cuUserObjectRelease, object, count);
}

cudaError_t
cudaGraphRetainUserObject(cudaGraph_t graph, cudaUserObject_t object, unsigned int count,
	unsigned int flags)
{
	return DRIVER(cuGraphRetainUserObject, graph, object, count, flags);
}

cudaError_t
cudaGraphReleaseUserObject(cudaGraph_t graph, cudaUserObject_t object, unsigned int count)
{
	return DRIVER(cuGraphReleaseUserObject, graph, object, count);
}

cudaError_t
cudaGraphConditionalHandleCreate(cudaGraphConditionalHandle *pHandle_out,
	cudaGraph_t graph, unsigned int defaultLaunchValue, unsigned int flags)
{
	cuuint64_t handle = 0;
	cudaError_t error = DRIVER(cuGraphConditionalHandleCreate, &handle, graph,
		thread_self.context, defaultLaunchValue, flags);
	if (error == cudaSuccess && pHandle_out != NULL) {
		*pHandle_out = handle;
	}
	return error;
}
