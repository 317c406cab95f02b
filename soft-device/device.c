/* SPDX-License-Identifier: Apache-2.0 */
/* device.c: the devices that this library pretends to drive, and what they can do.
 *
 * Attributes are true of the interpreter: what it cannot do (textures, clusters, IPC,
 * virtual memory management) is 0.  Compute capability 7.5 is the lowest that nvcc 13
 * compiles for, and needs no instruction that we lack. */
#include "soft-device/device.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "soft-device/allocation.h"

#define DEVICE_NAME "Outboard software device (PTX interpreter)"
#define MEMORY_DEFAULT ((size_t)4 << 30)
#define MEMORY_MIN ((size_t)1 << 20)
#define MEMORY_MAX ((size_t)64 << 30)

static pthread_mutex_t init_lock = PTHREAD_MUTEX_INITIALIZER;
static bool initialized; /* atomic */
static int n_devices;
static int visible[DEVICES_MAX]; /* what the program calls 0, 1, ... */
static size_t memory_size;
static int n_processors;

static size_t
size_of_environment(const char *name, size_t fallback, size_t min, size_t max)
{
	const char *text = getenv(name);

	if (text == NULL || *text == '\0') {
		return fallback;
	}
	char *end;

	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	static const char units[] = "KMGT";
	const char *unit = *end != '\0' ? strchr(units, *end & ~0x20) : NULL;
	int shift = 0;

	if (unit != NULL && *unit != '\0') {
		shift = 10 * (int)(unit - units + 1);
		end++;
	}
	if (errno != 0 || *end != '\0' || end == text || value > max >> shift ||
		(size_t)value << shift < min) {
		log_warning("soft-device: %s='%s' is not between %zu and %zu, using %zu",
			name, text, min, max, fallback);
		return fallback;
	}
	return (size_t)value << shift;
}

/* CUDA_VISIBLE_DEVICES: numbers with commas; the first that is wrong ends the list. */
static void
devices_select(int present)
{
	const char *text = getenv("CUDA_VISIBLE_DEVICES");

	n_devices = 0;
	if (text == NULL) {
		for (int i = 0; i < present; i++) {
			visible[n_devices++] = i;
		}
		return;
	}
	while (n_devices < DEVICES_MAX) {
		char *end;
		long value = strtol(text, &end, 10);

		if (end == text || value < 0 || value >= present) {
			return;
		}
		for (int i = 0; i < n_devices; i++) {
			if (visible[i] == value) {
				n_devices = 0; /* named twice: none, as the real driver */
				return;
			}
		}
		visible[n_devices++] = (int)value;
		if (*end != ',') {
			return;
		}
		text = end + 1;
	}
}

CUresult
cuInit(unsigned int Flags)
{
	if (Flags != 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	HOLD_LOCK(&init_lock);

	if (!initialized) {
		int present = (int)size_of_environment(
			"OUTBOARD_SOFT_DEVICES", 1, 1, DEVICES_MAX);

		memory_size = size_of_environment(
			"OUTBOARD_SOFT_MEMORY", MEMORY_DEFAULT, MEMORY_MIN, MEMORY_MAX);
		n_processors = (int)sysconf(_SC_NPROCESSORS_ONLN);
		n_processors = n_processors < 1 ? 1 : n_processors;
		devices_select(present);
		if (n_devices > 0 && !allocation_setup(n_devices, memory_size)) {
			return CUDA_ERROR_OUT_OF_MEMORY;
		}
		__atomic_store_n(&initialized, true, __ATOMIC_RELEASE);
	}
	return n_devices > 0 ? CUDA_SUCCESS : CUDA_ERROR_NO_DEVICE;
}

CUresult
device_ready(void)
{
	return __atomic_load_n(&initialized, __ATOMIC_ACQUIRE)
		       ? CUDA_SUCCESS
		       : CUDA_ERROR_NOT_INITIALIZED;
}

CUresult
device_check(CUdevice device)
{
	TRY(device_ready());
	return device >= 0 && device < n_devices ? CUDA_SUCCESS
						 : CUDA_ERROR_INVALID_DEVICE;
}

int
device_count(void)
{
	return n_devices;
}

size_t
device_memory(CUdevice device)
{
	return memory_size;
}

int
device_processors(void)
{
	return n_processors;
}

CUresult
cuDriverGetVersion(int *driverVersion)
{
	if (driverVersion == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*driverVersion = DEVICE_DRIVER_VERSION;
	return CUDA_SUCCESS;
}

CUresult
cuDeviceGetCount(int *count)
{
	TRY(device_ready());
	if (count == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*count = n_devices;
	return CUDA_SUCCESS;
}

CUresult
cuDeviceGet(CUdevice *device, int ordinal)
{
	TRY(device_ready());
	if (device == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	TRY(device_check(ordinal));
	*device = ordinal;
	return CUDA_SUCCESS;
}

CUresult
cuDeviceGetName(char *name, int len, CUdevice dev)
{
	TRY(device_check(dev));
	if (name == NULL || len <= 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	snprintf(name, (size_t)len, "%s", DEVICE_NAME);
	return CUDA_SUCCESS;
}

CUresult
cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice dev)
{
	TRY(device_check(dev));
	if (uuid == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	memcpy(uuid->bytes, "outboard-soft-\0", 16);
	uuid->bytes[15] = (char)visible[dev];
	return CUDA_SUCCESS;
}

CUresult
cuDeviceGetUuid(CUuuid *uuid, CUdevice dev)
{
	return cuDeviceGetUuid_v2(uuid, dev);
}

CUresult
cuDeviceTotalMem_v2(size_t *bytes, CUdevice dev)
{
	TRY(device_check(dev));
	if (bytes == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*bytes = memory_size;
	return CUDA_SUCCESS;
}

CUresult
cuDeviceComputeCapability(int *major, int *minor, CUdevice dev)
{
	TRY(device_check(dev));
	if (major == NULL || minor == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*major = 7;
	*minor = 5;
	return CUDA_SUCCESS;
}

#define ATTRIBUTE(name) CU_DEVICE_ATTRIBUTE_##name

static const struct {
	CUdevice_attribute attribute;
	int value;
} attributes[] = {
	{ ATTRIBUTE(MAX_THREADS_PER_BLOCK), 1024 },
	{ ATTRIBUTE(MAX_BLOCK_DIM_X), 1024 },
	{ ATTRIBUTE(MAX_BLOCK_DIM_Y), 1024 },
	{ ATTRIBUTE(MAX_BLOCK_DIM_Z), 64 },
	{ ATTRIBUTE(MAX_GRID_DIM_X), INT_MAX },
	{ ATTRIBUTE(MAX_GRID_DIM_Y), 65535 },
	{ ATTRIBUTE(MAX_GRID_DIM_Z), 65535 },
	{ ATTRIBUTE(MAX_SHARED_MEMORY_PER_BLOCK), DEVICE_SHARED_DEFAULT },
	{ ATTRIBUTE(TOTAL_CONSTANT_MEMORY), 65536 },
	{ ATTRIBUTE(WARP_SIZE), 32 },
	{ ATTRIBUTE(MAX_PITCH), INT_MAX },
	{ ATTRIBUTE(MAX_REGISTERS_PER_BLOCK), DEVICE_REGISTERS },
	/* Nobody can know; a round number, in kHz. */
	{ ATTRIBUTE(CLOCK_RATE), 1000000 },
	{ ATTRIBUTE(MEMORY_CLOCK_RATE), 1000000 },
	{ ATTRIBUTE(GLOBAL_MEMORY_BUS_WIDTH), 64 },
	{ ATTRIBUTE(TEXTURE_ALIGNMENT), 512 },
	{ ATTRIBUTE(SURFACE_ALIGNMENT), 512 },
	{ ATTRIBUTE(TEXTURE_PITCH_ALIGNMENT), 32 },
	{ ATTRIBUTE(GPU_OVERLAP), 1 },
	{ ATTRIBUTE(ASYNC_ENGINE_COUNT), 2 },
	{ ATTRIBUTE(CAN_MAP_HOST_MEMORY), 1 },
	{ ATTRIBUTE(CONCURRENT_KERNELS), 1 },
	{ ATTRIBUTE(L2_CACHE_SIZE), 1 << 20 },
	{ ATTRIBUTE(MAX_THREADS_PER_MULTIPROCESSOR), DEVICE_THREADS_PER_PROCESSOR },
	{ ATTRIBUTE(UNIFIED_ADDRESSING), 1 },
	{ ATTRIBUTE(COMPUTE_CAPABILITY_MAJOR), 7 },
	{ ATTRIBUTE(COMPUTE_CAPABILITY_MINOR), 5 },
	{ ATTRIBUTE(STREAM_PRIORITIES_SUPPORTED), 1 },
	{ ATTRIBUTE(GLOBAL_L1_CACHE_SUPPORTED), 1 },
	{ ATTRIBUTE(LOCAL_L1_CACHE_SUPPORTED), 1 },
	{ ATTRIBUTE(MAX_SHARED_MEMORY_PER_MULTIPROCESSOR), DEVICE_SHARED_MAX },
	{ ATTRIBUTE(MAX_REGISTERS_PER_MULTIPROCESSOR), DEVICE_REGISTERS },
	{ ATTRIBUTE(MANAGED_MEMORY), 1 },
	{ ATTRIBUTE(CONCURRENT_MANAGED_ACCESS), 1 },
	{ ATTRIBUTE(DIRECT_MANAGED_MEM_ACCESS_FROM_HOST), 1 },
	{ ATTRIBUTE(HOST_NATIVE_ATOMIC_SUPPORTED), 1 },
	{ ATTRIBUTE(SINGLE_TO_DOUBLE_PRECISION_PERF_RATIO), 1 },
	{ ATTRIBUTE(COMPUTE_PREEMPTION_SUPPORTED), 1 },
	{ ATTRIBUTE(CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM), 1 },
	{ ATTRIBUTE(COOPERATIVE_LAUNCH), 1 },
	{ ATTRIBUTE(MAX_SHARED_MEMORY_PER_BLOCK_OPTIN), DEVICE_SHARED_MAX },
	{ ATTRIBUTE(HOST_REGISTER_SUPPORTED), 1 },
	{ ATTRIBUTE(READ_ONLY_HOST_REGISTER_SUPPORTED), 1 },
	{ ATTRIBUTE(MAX_BLOCKS_PER_MULTIPROCESSOR), DEVICE_BLOCKS_PER_PROCESSOR },
	{ ATTRIBUTE(MEMORY_POOLS_SUPPORTED), 1 },
	{ ATTRIBUTE(MEM_SYNC_DOMAIN_COUNT), 1 },
	{ ATTRIBUTE(NUMA_ID), -1 },
	{ ATTRIBUTE(HOST_NUMA_ID), -1 },
};

#undef ATTRIBUTE

CUresult
device_attribute(int *ret_value, CUdevice_attribute attribute, CUdevice device)
{
	if ((int)attribute < 1 || attribute >= CU_DEVICE_ATTRIBUTE_MAX) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (attribute == CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT) {
		*ret_value = n_processors;
		return CUDA_SUCCESS;
	}
	if (attribute == CU_DEVICE_ATTRIBUTE_PCI_BUS_ID) {
		*ret_value = visible[device] + 1;
		return CUDA_SUCCESS;
	}
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
		if (attributes[i].attribute == attribute) {
			*ret_value = attributes[i].value;
			return CUDA_SUCCESS;
		}
	}
	*ret_value = 0;
	return CUDA_SUCCESS;
}

CUresult
cuDeviceGetAttribute(int *pi, CUdevice_attribute attrib, CUdevice dev)
{
	TRY(device_check(dev));
	if (pi == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	return device_attribute(pi, attrib, dev);
}

CUresult
cuDeviceGetProperties(CUdevprop *prop, CUdevice dev)
{
	TRY(device_check(dev));
	if (prop == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*prop = (CUdevprop){
		.maxThreadsPerBlock = 1024,
		.maxThreadsDim = { 1024, 1024, 64 },
		.maxGridSize = { INT_MAX, 65535, 65535 },
		.sharedMemPerBlock = DEVICE_SHARED_DEFAULT,
		.totalConstantMemory = 65536,
		.SIMDWidth = 32,
		.memPitch = INT_MAX,
		.regsPerBlock = DEVICE_REGISTERS,
		.clockRate = 1000000,
		.textureAlign = 512,
	};
	return CUDA_SUCCESS;
}

CUresult
cuDeviceGetPCIBusId(char *pciBusId, int len, CUdevice dev)
{
	TRY(device_check(dev));
	if (pciBusId == NULL || len < 13) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	snprintf(pciBusId, (size_t)len, "0000:%02X:00.0", (unsigned int)visible[dev] + 1);
	return CUDA_SUCCESS;
}

CUresult
cuDeviceGetByPCIBusId(CUdevice *dev, const char *pciBusId)
{
	TRY(device_ready());
	if (dev == NULL || pciBusId == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	unsigned int domain;
	unsigned int bus;
	unsigned int device;

	if (sscanf(pciBusId, "%x:%x:%x", &domain, &bus, &device) != 3) {
		domain = 0;
		if (sscanf(pciBusId, "%x:%x", &bus, &device) != 2) {
			return CUDA_ERROR_INVALID_VALUE;
		}
	}
	for (int i = 0; i < n_devices; i++) {
		if (domain == 0 && device == 0 && bus == (unsigned int)visible[i] + 1) {
			*dev = i;
			return CUDA_SUCCESS;
		}
	}
	return CUDA_ERROR_INVALID_DEVICE;
}

CUresult
cuDeviceGetExecAffinitySupport(int *pi, CUexecAffinityType type, CUdevice dev)
{
	TRY(device_check(dev));
	if (pi == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*pi = 0;
	return CUDA_SUCCESS;
}

CUresult
cuDeviceCanAccessPeer(int *canAccessPeer, CUdevice dev, CUdevice peerDev)
{
	TRY(device_check(dev));
	TRY(device_check(peerDev));
	if (canAccessPeer == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*canAccessPeer = dev != peerDev;
	return CUDA_SUCCESS;
}

CUresult
cuDeviceGetP2PAttribute(
	int *value, CUdevice_P2PAttribute attrib, CUdevice srcDevice, CUdevice dstDevice)
{
	TRY(device_check(srcDevice));
	TRY(device_check(dstDevice));
	if (value == NULL || srcDevice == dstDevice) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	switch (attrib) {
	case CU_DEVICE_P2P_ATTRIBUTE_ACCESS_SUPPORTED:
	case CU_DEVICE_P2P_ATTRIBUTE_NATIVE_ATOMIC_SUPPORTED:
		*value = 1;
		return CUDA_SUCCESS;
	case CU_DEVICE_P2P_ATTRIBUTE_PERFORMANCE_RANK:
	case CU_DEVICE_P2P_ATTRIBUTE_CUDA_ARRAY_ACCESS_SUPPORTED:
	case CU_DEVICE_P2P_ATTRIBUTE_ONLY_PARTIAL_NATIVE_ATOMIC_SUPPORTED:
		*value = 0;
		return CUDA_SUCCESS;
	default: return CUDA_ERROR_INVALID_VALUE;
	}
}
