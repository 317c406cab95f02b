/* SPDX-License-Identifier: Apache-2.0 */
/* graph-node.c: the nodes of graphs, whose parameters name kernels and copies in the
 * runtime's way and are told to the driver in its own. */
#include <string.h>

#include "guest-shim/libcudart/copy.h"
#include "guest-shim/libcudart/driver.h"
#include "guest-shim/libcudart/kernel.h"

static cudaError_t
node_kernel(const struct cudaKernelNodeParams *params, CUDA_KERNEL_NODE_PARAMS *ret)
{
	CUkernel handle;
	cudaError_t error = params == NULL ? cudaErrorInvalidValue : device_enter();
	if (error == cudaSuccess) {
		error = kernel_find(params->func, &handle);
	}
	if (error != cudaSuccess) {
		return error;
	}
	*ret = (CUDA_KERNEL_NODE_PARAMS){
		.gridDimX = params->gridDim.x,
		.gridDimY = params->gridDim.y,
		.gridDimZ = params->gridDim.z,
		.blockDimX = params->blockDim.x,
		.blockDimY = params->blockDim.y,
		.blockDimZ = params->blockDim.z,
		.sharedMemBytes = params->sharedMemBytes,
		.kernelParams = params->kernelParams,
		.extra = params->extra,
		.kern = handle,
		.ctx = thread_self.context,
	};
	return cudaSuccess;
}

cudaError_t
cudaGraphAddKernelNode(cudaGraphNode_t *pGraphNode, cudaGraph_t graph,
	const cudaGraphNode_t *pDependencies, size_t numDependencies,
	const struct cudaKernelNodeParams *pNodeParams)
{
	CUDA_KERNEL_NODE_PARAMS params;
	cudaError_t error = node_kernel(pNodeParams, &params);
	if (error == cudaSuccess) {
		error = CALL(cuGraphAddKernelNode, pGraphNode, graph, pDependencies,
			numDependencies, &params);
	}
	return error_keep(error);
}

cudaError_t
cudaGraphKernelNodeSetParams(
	cudaGraphNode_t node, const struct cudaKernelNodeParams *pNodeParams)
{
	CUDA_KERNEL_NODE_PARAMS params;
	cudaError_t error = node_kernel(pNodeParams, &params);
	if (error == cudaSuccess) {
		error = CALL(cuGraphKernelNodeSetParams, node, &params);
	}
	return error_keep(error);
}

cudaError_t
cudaGraphExecKernelNodeSetParams(cudaGraphExec_t hGraphExec, cudaGraphNode_t node,
	const struct cudaKernelNodeParams *pNodeParams)
{
	CUDA_KERNEL_NODE_PARAMS params;
	cudaError_t error = node_kernel(pNodeParams, &params);
	if (error == cudaSuccess) {
		error = CALL(cuGraphExecKernelNodeSetParams, hGraphExec, node, &params);
	}
	return error_keep(error);
}

cudaError_t
cudaGraphKernelNodeGetParams(
	cudaGraphNode_t node, struct cudaKernelNodeParams *pNodeParams)
{
	CUDA_KERNEL_NODE_PARAMS found;
	memset(&found, 0, sizeof(found));
	cudaError_t error = pNodeParams == NULL
				    ? error_keep(cudaErrorInvalidValue)
				    : DRIVER(cuGraphKernelNodeGetParams, node, &found);
	if (error != cudaSuccess) {
		return error;
	}
	if (found.kern != NULL) {
		/* Good as a "func" again, which is what it will be used for. */
		kernel_know(found.kern);
	}
	*pNodeParams = (struct cudaKernelNodeParams){
		.func = found.kern != NULL ? (void *)found.kern : (void *)found.func,
		.gridDim = { found.gridDimX, found.gridDimY, found.gridDimZ },
		.blockDim = { found.blockDimX, found.blockDimY, found.blockDimZ },
		.sharedMemBytes = found.sharedMemBytes,
		.kernelParams = found.kernelParams,
		.extra = found.extra,
	};
	return cudaSuccess;
}

cudaError_t
cudaGraphKernelNodeGetAttribute(cudaGraphNode_t hNode, cudaLaunchAttributeID attr,
	cudaLaunchAttributeValue *value_out)
{
	return DRIVER(cuGraphKernelNodeGetAttribute, hNode, (CUkernelNodeAttrID)attr,
		(CUkernelNodeAttrValue *)value_out);
}

cudaError_t
cudaGraphKernelNodeSetAttribute(cudaGraphNode_t hNode, cudaLaunchAttributeID attr,
	const cudaLaunchAttributeValue *value)
{
	return DRIVER(cuGraphKernelNodeSetAttribute, hNode, (CUkernelNodeAttrID)attr,
		(const CUkernelNodeAttrValue *)value);
}

static cudaError_t
node_copy(const struct cudaMemcpy3DParms *params, CUDA_MEMCPY3D *ret_copy)
{
	return copy_3d_describe(params, ret_copy);
}

cudaError_t
cudaGraphAddMemcpyNode(cudaGraphNode_t *pGraphNode, cudaGraph_t graph,
	const cudaGraphNode_t *pDependencies, size_t numDependencies,
	const struct cudaMemcpy3DParms *pCopyParams)
{
	CUDA_MEMCPY3D copy;
	cudaError_t error = node_copy(pCopyParams, &copy);
	if (error == cudaSuccess) {
		error = CALL(cuGraphAddMemcpyNode, pGraphNode, graph, pDependencies,
			numDependencies, &copy, thread_self.context);
	}
	return error_keep(error);
}

cudaError_t
cudaGraphAddMemcpyNode1D(cudaGraphNode_t *pGraphNode, cudaGraph_t graph,
	const cudaGraphNode_t *pDependencies, size_t numDependencies, void *dst,
	const void *src, size_t count, enum cudaMemcpyKind kind)
{
	CUDA_MEMCPY3D copy;
	cudaError_t error = device_enter();
	if (error == cudaSuccess) {
		error = copy_1d_describe(dst, src, count, kind, &copy);
	}
	if (error == cudaSuccess) {
		error = CALL(cuGraphAddMemcpyNode, pGraphNode, graph, pDependencies,
			numDependencies, &copy, thread_self.context);
	}
	return error_keep(error);
}

cudaError_t
cudaGraphMemcpyNodeSetParams(
	cudaGraphNode_t node, const struct cudaMemcpy3DParms *pNodeParams)
{
	CUDA_MEMCPY3D copy;
	cudaError_t error = node_copy(pNodeParams, &copy);
	if (error == cudaSuccess) {
		error = CALL(cuGraphMemcpyNodeSetParams, node, &copy);
	}
	return error_keep(error);
}

cudaError_t
cudaGraphMemcpyNodeSetParams1D(cudaGraphNode_t node, void *dst, const void *src,
	size_t count, enum cudaMemcpyKind kind)
{
	CUDA_MEMCPY3D copy;
	cudaError_t error = device_enter();
	if (error == cudaSuccess) {
		error = copy_1d_describe(dst, src, count, kind, &copy);
	}
	if (error == cudaSuccess) {
		error = CALL(cuGraphMemcpyNodeSetParams, node, &copy);
	}
	return error_keep(error);
}

cudaError_t
cudaGraphExecMemcpyNodeSetParams(cudaGraphExec_t hGraphExec, cudaGraphNode_t node,
	const struct cudaMemcpy3DParms *pNodeParams)
{
	CUDA_MEMCPY3D copy;
	cudaError_t error = node_copy(pNodeParams, &copy);
	if (error == cudaSuccess) {
		error = CALL(cuGraphExecMemcpyNodeSetParams, hGraphExec, node, &copy,
			thread_self.context);
	}
	return error_keep(error);
}

cudaError_t
cudaGraphExecMemcpyNodeSetParams1D(cudaGraphExec_t hGraphExec, cudaGraphNode_t node,
	void *dst, const void *src, size_t count, enum cudaMemcpyKind kind)
{
	CUDA_MEMCPY3D copy;
	cudaError_t error = device_enter();
	if (error == cudaSuccess) {
		error = copy_1d_describe(dst, src, count, kind, &copy);
	}
	if (error == cudaSuccess) {
		error = CALL(cuGraphExecMemcpyNodeSetParams, hGraphExec, node, &copy,
			thread_self.context);
	}
	return error_keep(error);
}

_Static_assert(sizeof(struct cudaMemsetParams) == sizeof(CUDA_MEMSET_NODE_PARAMS),
	"same layout");

cudaError_t
cudaGraphAddMemsetNode(cudaGraphNode_t *pGraphNode, cudaGraph_t graph,
	const cudaGraphNode_t *pDependencies, size_t numDependencies,
	const struct cudaMemsetParams *pMemsetParams)
{
	return DRIVER(cuGraphAddMemsetNode, pGraphNode, graph, pDependencies,
		numDependencies, (const CUDA_MEMSET_NODE_PARAMS *)pMemsetParams,
		thread_self.context);
}

cudaError_t
cudaGraphMemsetNodeGetParams(cudaGraphNode_t node, struct cudaMemsetParams *pNodeParams)
{
	return DRIVER(
		cuGraphMemsetNodeGetParams, node, (CUDA_MEMSET_NODE_PARAMS *)pNodeParams);
}

cudaError_t
cudaGraphMemsetNodeSetParams(
	cudaGraphNode_t node, const struct cudaMemsetParams *pNodeParams)
{
	return DRIVER(cuGraphMemsetNodeSetParams, node,
		(const CUDA_MEMSET_NODE_PARAMS *)pNodeParams);
}

cudaError_t
cudaGraphExecMemsetNodeSetParams(cudaGraphExec_t hGraphExec, cudaGraphNode_t node,
	const struct cudaMemsetParams *pNodeParams)
{
	return DRIVER(cuGraphExecMemsetNodeSetParams, hGraphExec, node,
		(const CUDA_MEMSET_NODE_PARAMS *)pNodeParams, thread_self.context);
}

_Static_assert(sizeof(struct cudaHostNodeParams) == sizeof(CUDA_HOST_NODE_PARAMS),
	"same layout");

cudaError_t
cudaGraphAddHostNode(cudaGraphNode_t *pGraphNode, cudaGraph_t graph,
	const cudaGraphNode_t *pDependencies, size_t numDependencies,
	const struct cudaHostNodeParams *pNodeParams)
{
	return DRIVER(cuGraphAddHostNode, pGraphNode, graph, pDependencies,
		numDependencies, (const CUDA_HOST_NODE_PARAMS *)pNodeParams);
}

cudaError_t
cudaGraphHostNodeGetParams(cudaGraphNode_t node, struct cudaHostNodeParams *pNodeParams)
{
	return DRIVER(
		cuGraphHostNodeGetParams, node, (CUDA_HOST_NODE_PARAMS *)pNodeParams);
}

cudaError_t
cudaGraphHostNodeSetParams(
	cudaGraphNode_t node, const struct cudaHostNodeParams *pNodeParams)
{
	return DRIVER(cuGraphHostNodeSetParams, node,
		(const CUDA_HOST_NODE_PARAMS *)pNodeParams);
}

cudaError_t
cudaGraphExecHostNodeSetParams(cudaGraphExec_t hGraphExec, cudaGraphNode_t node,
	const struct cudaHostNodeParams *pNodeParams)
{
	return DRIVER(cuGraphExecHostNodeSetParams, hGraphExec, node,
		(const CUDA_HOST_NODE_PARAMS *)pNodeParams);
}

cudaError_t
cudaGraphAddChildGraphNode(cudaGraphNode_t *pGraphNode, cudaGraph_t graph,
	const cudaGraphNode_t *pDependencies, size_t numDependencies,
	cudaGraph_t childGraph)
{
	return DRIVER(cuGraphAddChildGraphNode, pGraphNode, graph, pDependencies,
		numDependencies, childGraph);
}

cudaError_t
cudaGraphChildGraphNodeGetGraph(cudaGraphNode_t node, cudaGraph_t *pGraph)
{
	return DRIVER(cuGraphChildGraphNodeGetGraph, node, pGraph);
}

cudaError_t
cudaGraphExecChildGraphNodeSetParams(
	cudaGraphExec_t hGraphExec, cudaGraphNode_t node, cudaGraph_t childGraph)
{
	return DRIVER(cuGraphExecChildGraphNodeSetParams, hGraphExec, node, childGraph);
}

cudaError_t
cudaGraphAddEmptyNode(cudaGraphNode_t *pGraphNode, cudaGraph_t graph,
	const cudaGraphNode_t *pDependencies, size_t numDependencies)
{
	return DRIVER(
		cuGraphAddEmptyNode, pGraphNode, graph, pDependencies, numDependencies);
}

cudaError_t
cudaGraphAddEventRecordNode(cudaGraphNode_t *pGraphNode, cudaGraph_t graph,
	const cudaGraphNode_t *pDependencies, size_t numDependencies, cudaEvent_t event)
{
	return DRIVER(cuGraphAddEventRecordNode, pGraphNode, graph, pDependencies,
		numDependencies, event);
}

cudaError_t
cudaGraphAddEventWaitNode(cudaGraphNode_t *pGraphNode, cudaGraph_t graph,
	const cudaGraphNode_t *pDependencies, size_t numDependencies, cudaEvent_t event)
{
	return DRIVER(cuGraphAddEventWaitNode, pGraphNode, graph, pDependencies,
		numDependencies, event);
}

cudaError_t
cudaGraphEventRecordNodeGetEvent(cudaGraphNode_t node, cudaEvent_t *event_out)
{
	return DRIVER(cuGraphEventRecordNodeGetEvent, node, event_out);
}

cudaError_t
cudaGraphEventRecordNodeSetEvent(cudaGraphNode_t node, cudaEvent_t event)
{
	return DRIVER(cuGraphEventRecordNodeSetEvent, node, event);
}

cudaError_t
cudaGraphEventWaitNodeGetEvent(cudaGraphNode_t node, cudaEvent_t *event_out)
{
	return DRIVER(cuGraphEventWaitNodeGetEvent, node, event_out);
}

cudaError_t
cudaGraphEventWaitNodeSetEvent(cudaGraphNode_t node, cudaEvent_t event)
{
	return DRIVER(cuGraphEventWaitNodeSetEvent, node, event);
}

cudaError_t
cudaGraphExecEventRecordNodeSetEvent(
	cudaGraphExec_t hGraphExec, cudaGraphNode_t hNode, cudaEvent_t event)
{
	return DRIVER(cuGraphExecEventRecordNodeSetEvent, hGraphExec, hNode, event);
}

cudaError_t
cudaGraphExecEventWaitNodeSetEvent(
	cudaGraphExec_t hGraphExec, cudaGraphNode_t hNode, cudaEvent_t event)
{
	return DRIVER(cuGraphExecEventWaitNodeSetEvent, hGraphExec, hNode, event);
}

_Static_assert(
	sizeof(struct cudaMemAllocNodeParams) == sizeof(CUDA_MEM_ALLOC_NODE_PARAMS),
	"same layout");

cudaError_t
cudaGraphAddMemAllocNode(cudaGraphNode_t *pGraphNode, cudaGraph_t graph,
	const cudaGraphNode_t *pDependencies, size_t numDependencies,
	struct cudaMemAllocNodeParams *nodeParams)
{
	return DRIVER(cuGraphAddMemAllocNode, pGraphNode, graph, pDependencies,
		numDependencies, (CUDA_MEM_ALLOC_NODE_PARAMS *)nodeParams);
}

cudaError_t
cudaGraphMemAllocNodeGetParams(
	cudaGraphNode_t node, struct cudaMemAllocNodeParams *params_out)
{
	return DRIVER(cuGraphMemAllocNodeGetParams, node,
		(CUDA_MEM_ALLOC_NODE_PARAMS *)params_out);
}

cudaError_t
cudaGraphAddMemFreeNode(cudaGraphNode_t *pGraphNode, cudaGraph_t graph,
	const cudaGraphNode_t *pDependencies, size_t numDependencies, void *dptr)
{
	return DRIVER(cuGraphAddMemFreeNode, pGraphNode, graph, pDependencies,
		numDependencies, (CUdeviceptr)dptr);
}

cudaError_t
cudaGraphMemFreeNodeGetParams(cudaGraphNode_t node, void *dptr_out)
{
	return DRIVER(cuGraphMemFreeNodeGetParams, node, (CUdeviceptr *)dptr_out);
}

cudaError_t
cudaGraphNodeSetEnabled(
	cudaGraphExec_t hGraphExec, cudaGraphNode_t hNode, unsigned int isEnabled)
{
	return DRIVER(cuGraphNodeSetEnabled, hGraphExec, hNode, isEnabled);
}

cudaError_t
cudaGraphNodeGetEnabled(
	cudaGraphExec_t hGraphExec, cudaGraphNode_t hNode, unsigned int *isEnabled)
{
	return DRIVER(cuGraphNodeGetEnabled, hGraphExec, hNode, isEnabled);
}

/* The generic form: the layouts agree but for how kernels, copies and contexts are named.
 */
_Static_assert(
	sizeof(struct cudaGraphNodeParams) == sizeof(CUgraphNodeParams), "same layout");
_Static_assert(offsetof(struct cudaGraphNodeParams, kernel) ==
		       offsetof(CUgraphNodeParams, kernel),
	"same layout");

static cudaError_t
node_params(const struct cudaGraphNodeParams *params, CUgraphNodeParams *ret)
{
	cudaError_t error = params == NULL ? cudaErrorInvalidValue : device_enter();
	if (error != cudaSuccess) {
		return error;
	}
	memcpy(ret, params, sizeof(*ret));
	switch ((int)params->type) {
	case cudaGraphNodeTypeKernel: {
		CUkernel handle;
		error = kernel_find(params->kernel.func, &handle);
		if (error == cudaSuccess) {
			ret->kernel.func = NULL;
			ret->kernel.kern = handle;
			ret->kernel.ctx = thread_self.context;
		}
		return error;
	}
	case cudaGraphNodeTypeMemcpy:
		memset(&ret->memcpy, 0, sizeof(ret->memcpy));
		ret->memcpy.flags = params->memcpy.flags;
		ret->memcpy.copyCtx = thread_self.context;
		return copy_3d_describe(
			&params->memcpy.copyParams, &ret->memcpy.copyParams);
	case cudaGraphNodeTypeMemset:
		ret->memset.ctx = thread_self.context;
		return cudaSuccess;
	case cudaGraphNodeTypeConditional:
		ret->conditional.ctx = thread_self.context;
		return cudaSuccess;
	default: return cudaSuccess;
	}
}

static cudaError_t
node_add(cudaGraphNode_t *ret_node, cudaGraph_t graph,
	const cudaGraphNode_t *dependencies, const cudaGraphEdgeData *edges, size_t n,
	struct cudaGraphNodeParams *params)
{
	CUgraphNodeParams made;
	cudaError_t error = node_params(params, &made);
	if (error == cudaSuccess) {
		error = CALL(cuGraphAddNode, ret_node, graph, dependencies,
			(const CUgraphEdgeData *)edges, n, &made);
	}
	/* Two kinds answer in their parameters. */
	if (error == cudaSuccess && params->type == cudaGraphNodeTypeMemAlloc) {
		params->alloc.dptr = (void *)made.alloc.dptr;
	} else if (error == cudaSuccess && params->type == cudaGraphNodeTypeConditional) {
		params->conditional.phGraph_out = made.conditional.phGraph_out;
	}
	return error_keep(error);
}

#if CUDART_MAJOR == 12
cudaError_t cuda12GraphAddNode(cudaGraphNode_t *ret_node, cudaGraph_t graph,
	const cudaGraphNode_t *dependencies, size_t n, struct cudaGraphNodeParams *params)
	EXPORT_AS("cudaGraphAddNode");
cudaError_t
cuda12GraphAddNode(cudaGraphNode_t *ret_node, cudaGraph_t graph,
	const cudaGraphNode_t *dependencies, size_t n, struct cudaGraphNodeParams *params)
{
	return node_add(ret_node, graph, dependencies, NULL, n, params);
}

cudaError_t cuda12GraphAddNode_v2(cudaGraphNode_t *ret_node, cudaGraph_t graph,
	const cudaGraphNode_t *dependencies, const cudaGraphEdgeData *edges, size_t n,
	struct cudaGraphNodeParams *params) EXPORT_AS("cudaGraphAddNode_v2");
cudaError_t
cuda12GraphAddNode_v2(cudaGraphNode_t *ret_node, cudaGraph_t graph,
	const cudaGraphNode_t *dependencies, const cudaGraphEdgeData *edges, size_t n,
	struct cudaGraphNodeParams *params)
{
	return node_add(ret_node, graph, dependencies, edges, n, params);
}
#else
cudaError_t
cudaGraphAddNode(cudaGraphNode_t *pGraphNode, cudaGraph_t graph,
	const cudaGraphNode_t *pDependencies, const cudaGraphEdgeData *dependencyData,
	size_t numDependencies, struct cudaGraphNodeParams *nodeParams)
{
	return node_add(pGraphNode, graph, pDependencies, dependencyData, numDependencies,
		nodeParams);
}

cudaError_t
cudaGraphKernelNodeCopyAttributes(cudaGraphNode_t hDst, cudaGraphNode_t hSrc)
{
	return DRIVER(cuGraphKernelNodeCopyAttributes, hDst, hSrc);
}
#endif

cudaError_t
cudaGraphNodeSetParams(cudaGraphNode_t node, struct cudaGraphNodeParams *nodeParams)
{
	CUgraphNodeParams made;
	cudaError_t error = node_params(nodeParams, &made);
	if (error == cudaSuccess) {
		error = CALL(cuGraphNodeSetParams, node, &made);
	}
	return error_keep(error);
}

cudaError_t
cudaGraphExecNodeSetParams(cudaGraphExec_t graphExec, cudaGraphNode_t node,
	struct cudaGraphNodeParams *nodeParams)
{
	CUgraphNodeParams made;
	cudaError_t error = node_params(nodeParams, &made);
	if (error == cudaSuccess) {
		error = CALL(cuGraphExecNodeSetParams, graphExec, node, &made);
	}
	return error_keep(error);
}
