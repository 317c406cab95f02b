/* SPDX-License-Identifier: Apache-2.0 */
/* device.c: devices, from what the greeting brought: no call here asks the host. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "guest-shim/libcuda/api.h"
#include "guest-shim/libcuda/arena.h"
#include "guest-shim/libcuda/guest.h"
#include "guest-shim/libcuda/session.h"

CUDA_EXPORT CUresult CUDAAPI
cuInit(unsigned int Flags)
{
	return Flags != 0 ? CUDA_ERROR_INVALID_VALUE : session_open();
}

CUDA_EXPORT CUresult CUDAAPI
cuDriverGetVersion(int *driverVersion)
{
	if (driverVersion == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	/* CUDA allows this before cuInit; the host's is the only honest answer. */
	CUresult result = session_open();
	if (result == CUDA_SUCCESS) {
		*driverVersion = session_driver_version();
	}
	return result;
}

CUresult
guest_pack_device(CUdevice device, int *ret_packed)
{
	const struct session_device *about = session_device(device);

	if (about == NULL) {
		CUresult result = session_error();
		return result != CUDA_SUCCESS ? result : CUDA_ERROR_INVALID_DEVICE;
	}
	*ret_packed = about->host_ordinal;
	return CUDA_SUCCESS;
}

static CUresult
find(const void *ret, CUdevice dev, const struct session_device **ret_about)
{
	CUresult result = session_error();

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (ret == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*ret_about = session_device(dev);
	return *ret_about != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

CUDA_EXPORT CUresult CUDAAPI
cuDeviceGetCount(int *count)
{
	CUresult result = session_error();

	if (result == CUDA_SUCCESS && count == NULL) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	if (result == CUDA_SUCCESS) {
		*count = session_n_devices();
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuDeviceGet(CUdevice *device, int ordinal)
{
	const struct session_device *about;
	CUresult result = find(device, ordinal, &about);

	if (result == CUDA_SUCCESS) {
		*device = ordinal;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuDeviceGetName(char *name, int len, CUdevice dev)
{
	const struct session_device *about;
	CUresult result = find(name, dev, &about);

	if (result == CUDA_SUCCESS && len <= 0) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	if (result == CUDA_SUCCESS) {
		snprintf(name, (size_t)len, "%s", about->name);
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice dev)
{
	const struct session_device *about;
	CUresult result = find(uuid, dev, &about);

	if (result == CUDA_SUCCESS) {
		*uuid = about->uuid;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuDeviceTotalMem_v2(size_t *bytes, CUdevice dev)
{
	const struct session_device *about;
	CUresult result = find(bytes, dev, &about);

	if (result == CUDA_SUCCESS) {
		*bytes = about->total_memory;
	}
	return result;
}

/* What a device has that its distant user cannot have, or not yet. */
static bool
is_out_of_reach(CUdevice_attribute attribute)
{
	switch (attribute) {
	case CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY:
		return !arena_is_mapped();
	case CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY:
	case CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS:
	case CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS:
	case CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES:
	case CU_DEVICE_ATTRIBUTE_DIRECT_MANAGED_MEM_ACCESS_FROM_HOST:
	case CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM:
	case CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_READ_ONLY_HOST_REGISTER_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_HOST_NATIVE_ATOMIC_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_CAN_USE_STREAM_MEM_OPS_V1:
	case CU_DEVICE_ATTRIBUTE_CAN_USE_64_BIT_STREAM_MEM_OPS:
	case CU_DEVICE_ATTRIBUTE_CAN_USE_64_BIT_STREAM_MEM_OPS_V1:
	case CU_DEVICE_ATTRIBUTE_CAN_USE_STREAM_WAIT_VALUE_NOR:
	case CU_DEVICE_ATTRIBUTE_CAN_USE_STREAM_WAIT_VALUE_NOR_V1:
	case CU_DEVICE_ATTRIBUTE_CAN_FLUSH_REMOTE_WRITES:
	case CU_DEVICE_ATTRIBUTE_COOPERATIVE_MULTI_DEVICE_LAUNCH:
	case CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_WIN32_HANDLE_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_WIN32_KMT_HANDLE_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_FABRIC_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_GENERIC_COMPRESSION_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_SPARSE_CUDA_ARRAY_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_DEFERRED_MAPPING_CUDA_ARRAY_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_FLUSH_WRITES_OPTIONS:
	case CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_WITH_CUDA_VMM_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_DMA_BUF_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_IPC_EVENT_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_MEMPOOL_SUPPORTED_HANDLE_TYPES:
	case CU_DEVICE_ATTRIBUTE_MULTICAST_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_TIMELINE_SEMAPHORE_INTEROP_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_HOST_NUMA_MULTINODE_IPC_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_HOST_MEMORY_POOLS_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_HOST_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_HOST_ALLOC_DMA_BUF_SUPPORTED:
	case CU_DEVICE_ATTRIBUTE_MEM_DECOMPRESS_ALGORITHM_MASK:
		return true;
	default:
		return false;
	}
}

CUDA_EXPORT CUresult CUDAAPI
cuDeviceGetAttribute(int *pi, CUdevice_attribute attrib, CUdevice dev)
{
	const struct session_device *about;
	CUresult result = find(pi, dev, &about);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if ((int)attrib <= 0 || attrib >= CU_DEVICE_ATTRIBUTE_MAX ||
		!about->has_attribute[attrib]) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*pi = is_out_of_reach(attrib) ? 0 : about->attributes[attrib];
	return CUDA_SUCCESS;
}

CUDA_EXPORT CUresult CUDAAPI
cuDeviceComputeCapability(int *major, int *minor, CUdevice dev)
{
	if (minor == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	CUresult result =
		cuDeviceGetAttribute(major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, dev);
	return result != CUDA_SUCCESS
		? result
		: cuDeviceGetAttribute(minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, dev);
}

CUDA_EXPORT CUresult CUDAAPI
cuDeviceGetProperties(CUdevprop *prop, CUdevice dev)
{
	const struct session_device *about;
	CUresult result = find(prop, dev, &about);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	const int *a = about->attributes;
	*prop = (CUdevprop){
		.maxThreadsPerBlock = a[CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK],
		.maxThreadsDim = { a[CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X],
			a[CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y],
			a[CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z] },
		.maxGridSize = { a[CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X],
			a[CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y],
			a[CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z] },
		.sharedMemPerBlock = a[CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK],
		.totalConstantMemory = a[CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY],
		.SIMDWidth = a[CU_DEVICE_ATTRIBUTE_WARP_SIZE],
		.memPitch = a[CU_DEVICE_ATTRIBUTE_MAX_PITCH],
		.regsPerBlock = a[CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK],
		.clockRate = a[CU_DEVICE_ATTRIBUTE_CLOCK_RATE],
		.textureAlign = a[CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT],
	};
	return CUDA_SUCCESS;
}

CUDA_EXPORT CUresult CUDAAPI
cuDeviceGetPCIBusId(char *pciBusId, int len, CUdevice dev)
{
	const struct session_device *about;
	CUresult result = find(pciBusId, dev, &about);

	if (result == CUDA_SUCCESS && len <= 0) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	if (result == CUDA_SUCCESS) {
		const int *a = about->attributes;
		snprintf(pciBusId, (size_t)len, "%04X:%02X:%02X.0",
			(unsigned)a[CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID],
			(unsigned)a[CU_DEVICE_ATTRIBUTE_PCI_BUS_ID],
			(unsigned)a[CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID]);
	}
	return result;
}

/* "domain:bus:device.function", "domain:bus:device" or "bus:device.function", in hex. */
static bool
parse_bus_id(const char *text, unsigned *domain, unsigned *bus, unsigned *device)
{
	unsigned function = 0;
	int end = 0;

	if (sscanf(text, "%8x:%8x:%8x.%8x%n", domain, bus, device, &function, &end) == 4) {
		return text[end] == '\0';
	}
	end = 0;
	if (sscanf(text, "%8x:%8x:%8x%n", domain, bus, device, &end) == 3) {
		return text[end] == '\0';
	}
	*domain = 0;
	end = 0;
	return sscanf(text, "%8x:%8x.%8x%n", bus, device, &function, &end) == 3 &&
		text[end] == '\0';
}

CUDA_EXPORT CUresult CUDAAPI
cuDeviceGetByPCIBusId(CUdevice *dev, const char *pciBusId)
{
	unsigned domain = 0, bus = 0, device = 0;
	CUresult result = session_error();

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (dev == NULL || pciBusId == NULL || !parse_bus_id(pciBusId, &domain, &bus, &device)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	for (int i = 0; i < session_n_devices(); i++) {
		const int *a = session_device(i)->attributes;
		if ((unsigned)a[CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID] == domain &&
			(unsigned)a[CU_DEVICE_ATTRIBUTE_PCI_BUS_ID] == bus &&
			(unsigned)a[CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID] == device) {
			*dev = i;
			return CUDA_SUCCESS;
		}
	}
	return CUDA_ERROR_INVALID_DEVICE;
}

CUDA_EXPORT CUresult CUDAAPI
cuDeviceGetExecAffinitySupport(int *pi, CUexecAffinityType type, CUdevice dev)
{
	const struct session_device *about;
	CUresult result = find(pi, dev, &about);

	if (result == CUDA_SUCCESS) {
		*pi = 0;
	}
	return result;
}
