/* SPDX-License-Identifier: Apache-2.0 */
/* properties.c: all that is known about a device, in one structure. */
#include "guest-shim/libcudart/properties.h"

#include <stddef.h>
#include <string.h>

#include "guest-shim/libcudart/driver.h"

#if CUDART_MAJOR == 12
typedef struct properties12 properties;
#else
typedef struct cudaDeviceProp properties;
#endif

/* A driver that does not know an attribute has no such ability. */
static int
attribute(CUdevice device, CUdevice_attribute attr)
{
	int value = 0;
	return CALL(cuDeviceGetAttribute, &value, attr, device) == cudaSuccess ? value
									       : 0;
}

#define GET(attr) attribute(device, CU_DEVICE_ATTRIBUTE_##attr)

static void
properties_textures(properties *p, CUdevice device)
{
	p->maxTexture1D = GET(MAXIMUM_TEXTURE1D_WIDTH);
	p->maxTexture1DMipmap = GET(MAXIMUM_TEXTURE1D_MIPMAPPED_WIDTH);
	p->maxTexture2D[0] = GET(MAXIMUM_TEXTURE2D_WIDTH);
	p->maxTexture2D[1] = GET(MAXIMUM_TEXTURE2D_HEIGHT);
	p->maxTexture2DMipmap[0] = GET(MAXIMUM_TEXTURE2D_MIPMAPPED_WIDTH);
	p->maxTexture2DMipmap[1] = GET(MAXIMUM_TEXTURE2D_MIPMAPPED_HEIGHT);
	p->maxTexture2DLinear[0] = GET(MAXIMUM_TEXTURE2D_LINEAR_WIDTH);
	p->maxTexture2DLinear[1] = GET(MAXIMUM_TEXTURE2D_LINEAR_HEIGHT);
	p->maxTexture2DLinear[2] = GET(MAXIMUM_TEXTURE2D_LINEAR_PITCH);
	p->maxTexture2DGather[0] = GET(MAXIMUM_TEXTURE2D_GATHER_WIDTH);
	p->maxTexture2DGather[1] = GET(MAXIMUM_TEXTURE2D_GATHER_HEIGHT);
	p->maxTexture3D[0] = GET(MAXIMUM_TEXTURE3D_WIDTH);
	p->maxTexture3D[1] = GET(MAXIMUM_TEXTURE3D_HEIGHT);
	p->maxTexture3D[2] = GET(MAXIMUM_TEXTURE3D_DEPTH);
	p->maxTexture3DAlt[0] = GET(MAXIMUM_TEXTURE3D_WIDTH_ALTERNATE);
	p->maxTexture3DAlt[1] = GET(MAXIMUM_TEXTURE3D_HEIGHT_ALTERNATE);
	p->maxTexture3DAlt[2] = GET(MAXIMUM_TEXTURE3D_DEPTH_ALTERNATE);
	p->maxTextureCubemap = GET(MAXIMUM_TEXTURECUBEMAP_WIDTH);
	p->maxTexture1DLayered[0] = GET(MAXIMUM_TEXTURE1D_LAYERED_WIDTH);
	p->maxTexture1DLayered[1] = GET(MAXIMUM_TEXTURE1D_LAYERED_LAYERS);
	p->maxTexture2DLayered[0] = GET(MAXIMUM_TEXTURE2D_LAYERED_WIDTH);
	p->maxTexture2DLayered[1] = GET(MAXIMUM_TEXTURE2D_LAYERED_HEIGHT);
	p->maxTexture2DLayered[2] = GET(MAXIMUM_TEXTURE2D_LAYERED_LAYERS);
	p->maxTextureCubemapLayered[0] = GET(MAXIMUM_TEXTURECUBEMAP_LAYERED_WIDTH);
	p->maxTextureCubemapLayered[1] = GET(MAXIMUM_TEXTURECUBEMAP_LAYERED_LAYERS);
	p->maxSurface1D = GET(MAXIMUM_SURFACE1D_WIDTH);
	p->maxSurface2D[0] = GET(MAXIMUM_SURFACE2D_WIDTH);
	p->maxSurface2D[1] = GET(MAXIMUM_SURFACE2D_HEIGHT);
	p->maxSurface3D[0] = GET(MAXIMUM_SURFACE3D_WIDTH);
	p->maxSurface3D[1] = GET(MAXIMUM_SURFACE3D_HEIGHT);
	p->maxSurface3D[2] = GET(MAXIMUM_SURFACE3D_DEPTH);
	p->maxSurface1DLayered[0] = GET(MAXIMUM_SURFACE1D_LAYERED_WIDTH);
	p->maxSurface1DLayered[1] = GET(MAXIMUM_SURFACE1D_LAYERED_LAYERS);
	p->maxSurface2DLayered[0] = GET(MAXIMUM_SURFACE2D_LAYERED_WIDTH);
	p->maxSurface2DLayered[1] = GET(MAXIMUM_SURFACE2D_LAYERED_HEIGHT);
	p->maxSurface2DLayered[2] = GET(MAXIMUM_SURFACE2D_LAYERED_LAYERS);
	p->maxSurfaceCubemap = GET(MAXIMUM_SURFACECUBEMAP_WIDTH);
	p->maxSurfaceCubemapLayered[0] = GET(MAXIMUM_SURFACECUBEMAP_LAYERED_WIDTH);
	p->maxSurfaceCubemapLayered[1] = GET(MAXIMUM_SURFACECUBEMAP_LAYERED_LAYERS);
	p->textureAlignment = (size_t)GET(TEXTURE_ALIGNMENT);
	p->texturePitchAlignment = (size_t)GET(TEXTURE_PITCH_ALIGNMENT);
	p->surfaceAlignment = (size_t)GET(SURFACE_ALIGNMENT);
}

static void
properties_limits(properties *p, CUdevice device)
{
	p->sharedMemPerBlock = (size_t)GET(MAX_SHARED_MEMORY_PER_BLOCK);
	p->regsPerBlock = GET(MAX_REGISTERS_PER_BLOCK);
	p->warpSize = GET(WARP_SIZE);
	p->memPitch = (size_t)GET(MAX_PITCH);
	p->maxThreadsPerBlock = GET(MAX_THREADS_PER_BLOCK);
	p->maxThreadsDim[0] = GET(MAX_BLOCK_DIM_X);
	p->maxThreadsDim[1] = GET(MAX_BLOCK_DIM_Y);
	p->maxThreadsDim[2] = GET(MAX_BLOCK_DIM_Z);
	p->maxGridSize[0] = GET(MAX_GRID_DIM_X);
	p->maxGridSize[1] = GET(MAX_GRID_DIM_Y);
	p->maxGridSize[2] = GET(MAX_GRID_DIM_Z);
	p->totalConstMem = (size_t)GET(TOTAL_CONSTANT_MEMORY);
	p->multiProcessorCount = GET(MULTIPROCESSOR_COUNT);
	p->memoryBusWidth = GET(GLOBAL_MEMORY_BUS_WIDTH);
	p->l2CacheSize = GET(L2_CACHE_SIZE);
	p->persistingL2CacheMaxSize = GET(MAX_PERSISTING_L2_CACHE_SIZE);
	p->maxThreadsPerMultiProcessor = GET(MAX_THREADS_PER_MULTIPROCESSOR);
	p->sharedMemPerMultiprocessor = (size_t)GET(MAX_SHARED_MEMORY_PER_MULTIPROCESSOR);
	p->regsPerMultiprocessor = GET(MAX_REGISTERS_PER_MULTIPROCESSOR);
	p->sharedMemPerBlockOptin = (size_t)GET(MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
	p->maxBlocksPerMultiProcessor = GET(MAX_BLOCKS_PER_MULTIPROCESSOR);
	p->accessPolicyMaxWindowSize = GET(MAX_ACCESS_POLICY_WINDOW_SIZE);
	p->reservedSharedMemPerBlock = (size_t)GET(RESERVED_SHARED_MEMORY_PER_BLOCK);
	p->asyncEngineCount = GET(ASYNC_ENGINE_COUNT);
}

static void
properties_abilities(properties *p, CUdevice device)
{
	p->integrated = GET(INTEGRATED);
	p->canMapHostMemory = GET(CAN_MAP_HOST_MEMORY);
	p->concurrentKernels = GET(CONCURRENT_KERNELS);
	p->ECCEnabled = GET(ECC_ENABLED);
	p->tccDriver = GET(TCC_DRIVER);
	p->unifiedAddressing = GET(UNIFIED_ADDRESSING);
	p->streamPrioritiesSupported = GET(STREAM_PRIORITIES_SUPPORTED);
	p->globalL1CacheSupported = GET(GLOBAL_L1_CACHE_SUPPORTED);
	p->localL1CacheSupported = GET(LOCAL_L1_CACHE_SUPPORTED);
	p->managedMemory = GET(MANAGED_MEMORY);
	p->isMultiGpuBoard = GET(MULTI_GPU_BOARD);
	p->multiGpuBoardGroupID = GET(MULTI_GPU_BOARD_GROUP_ID);
	p->hostNativeAtomicSupported = GET(HOST_NATIVE_ATOMIC_SUPPORTED);
	p->pageableMemoryAccess = GET(PAGEABLE_MEMORY_ACCESS);
	p->concurrentManagedAccess = GET(CONCURRENT_MANAGED_ACCESS);
	p->computePreemptionSupported = GET(COMPUTE_PREEMPTION_SUPPORTED);
	p->canUseHostPointerForRegisteredMem =
		GET(CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM);
	p->cooperativeLaunch = GET(COOPERATIVE_LAUNCH);
	p->pageableMemoryAccessUsesHostPageTables =
		GET(PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES);
	p->directManagedMemAccessFromHost = GET(DIRECT_MANAGED_MEM_ACCESS_FROM_HOST);
	p->hostRegisterSupported = GET(HOST_REGISTER_SUPPORTED);
	p->sparseCudaArraySupported = GET(SPARSE_CUDA_ARRAY_SUPPORTED);
	p->hostRegisterReadOnlySupported = GET(READ_ONLY_HOST_REGISTER_SUPPORTED);
	p->timelineSemaphoreInteropSupported = GET(TIMELINE_SEMAPHORE_INTEROP_SUPPORTED);
	p->memoryPoolsSupported = GET(MEMORY_POOLS_SUPPORTED);
	p->gpuDirectRDMASupported = GET(GPU_DIRECT_RDMA_SUPPORTED);
	p->gpuDirectRDMAFlushWritesOptions =
		(unsigned)GET(GPU_DIRECT_RDMA_FLUSH_WRITES_OPTIONS);
	p->gpuDirectRDMAWritesOrdering = GET(GPU_DIRECT_RDMA_WRITES_ORDERING);
	p->memoryPoolSupportedHandleTypes = (unsigned)GET(MEMPOOL_SUPPORTED_HANDLE_TYPES);
	p->deferredMappingCudaArraySupported = GET(DEFERRED_MAPPING_CUDA_ARRAY_SUPPORTED);
	p->ipcEventSupported = GET(IPC_EVENT_SUPPORTED);
	p->clusterLaunch = GET(CLUSTER_LAUNCH);
	p->unifiedFunctionPointers = GET(UNIFIED_FUNCTION_POINTERS);
}

static void
properties_of_major(properties *p, CUdevice device)
{
#if CUDART_MAJOR == 12
	p->clockRate = GET(CLOCK_RATE);
	p->deviceOverlap = GET(GPU_OVERLAP);
	p->kernelExecTimeoutEnabled = GET(KERNEL_EXEC_TIMEOUT);
	p->computeMode = GET(COMPUTE_MODE);
	p->maxTexture1DLinear = GET(MAXIMUM_TEXTURE1D_LINEAR_WIDTH);
	p->memoryClockRate = GET(MEMORY_CLOCK_RATE);
	p->singleToDoublePrecisionPerfRatio = GET(SINGLE_TO_DOUBLE_PRECISION_PERF_RATIO);
	p->cooperativeMultiDeviceLaunch = GET(COOPERATIVE_MULTI_DEVICE_LAUNCH);
#else
	p->deviceNumaConfig = GET(NUMA_CONFIG);
	p->deviceNumaId = GET(NUMA_ID);
	p->mpsEnabled = GET(MPS_ENABLED);
	p->hostNumaId = GET(HOST_NUMA_ID);
	p->gpuPciDeviceID = (unsigned)GET(GPU_PCI_DEVICE_ID);
	p->gpuPciSubsystemID = (unsigned)GET(GPU_PCI_SUBSYSTEM_ID);
	p->hostNumaMultinodeIpcSupported = GET(HOST_NUMA_MULTINODE_IPC_SUPPORTED);
#endif
}

static cudaError_t
properties_get(properties *p, int ordinal)
{
	CUdevice device;
	cudaError_t error = device_get(ordinal, &device);
	if (error != cudaSuccess) {
		return error;
	}
	memset(p, 0, sizeof(*p));
	error = CALL(cuDeviceGetName, p->name, sizeof(p->name), device);
	if (error == cudaSuccess) {
		error = CALL(cuDeviceTotalMem, &p->totalGlobalMem, device);
	}
	if (error == cudaSuccess) {
		error = CALL(cuDeviceGetUuid, (CUuuid *)&p->uuid, device);
	}
	if (error != cudaSuccess) {
		return error;
	}
	p->major = GET(COMPUTE_CAPABILITY_MAJOR);
	p->minor = GET(COMPUTE_CAPABILITY_MINOR);
	p->pciBusID = GET(PCI_BUS_ID);
	p->pciDeviceID = GET(PCI_DEVICE_ID);
	p->pciDomainID = GET(PCI_DOMAIN_ID);
	properties_limits(p, device);
	properties_textures(p, device);
	properties_abilities(p, device);
	properties_of_major(p, device);
	return cudaSuccess;
}

#undef GET

#if CUDART_MAJOR == 12
cudaError_t cuda12GetDeviceProperties_v2(struct properties12 *prop, int device)
	EXPORT_AS("cudaGetDeviceProperties_v2");
cudaError_t
cuda12GetDeviceProperties_v2(struct properties12 *prop, int device)
{
	return error_keep(
		prop == NULL ? cudaErrorInvalidValue : properties_get(prop, device));
}

cudaError_t
cudaGetDeviceProperties(struct cudaDeviceProp *prop, int device)
{
	struct properties12 found;
	cudaError_t error =
		prop == NULL ? cudaErrorInvalidValue : properties_get(&found, device);
	if (error == cudaSuccess) {
		memcpy(prop, &found,
			offsetof(struct properties12, hostRegisterSupported));
	}
	return error_keep(error);
}

cudaError_t
cudaChooseDevice(int *device, const struct cudaDeviceProp *prop)
{
	const struct properties12 *wanted = (const struct properties12 *)prop;
#else
cudaError_t
cudaGetDeviceProperties(struct cudaDeviceProp *prop, int device)
{
	return error_keep(
		prop == NULL ? cudaErrorInvalidValue : properties_get(prop, device));
}

cudaError_t
cudaChooseDevice(int *device, const struct cudaDeviceProp *prop)
{
	const properties *wanted = prop;
#endif
	properties found;
	cudaError_t error =
		device == NULL || prop == NULL ? cudaErrorInvalidValue : device_init();
	if (error != cudaSuccess) {
		return error_keep(error);
	}
	/* The first one that has at least what is asked for, else the first one. */
	*device = 0;
	for (int i = 0; i < device_count(); i++) {
		if (properties_get(&found, i) == cudaSuccess &&
			found.major * 100 + found.minor >=
				wanted->major * 100 + wanted->minor &&
			found.totalGlobalMem >= wanted->totalGlobalMem &&
			found.multiProcessorCount >= wanted->multiProcessorCount) {
			*device = i;
			break;
		}
	}
	return cudaSuccess;
}
