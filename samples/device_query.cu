/* SPDX-License-Identifier: Apache-2.0 */
/* device_query.cu: prints what the devices are, and checks that the answers agree. */
#include "check.h"

static int
attribute(int device, cudaDeviceAttr which)
{
	int value = -1;

	CHECK(cudaDeviceGetAttribute(&value, which, device));
	return value;
}

static void
query(int device)
{
	cudaDeviceProp p;
	size_t n_free, n_total;

	CHECK(cudaGetDeviceProperties(&p, device));
	CHECK(cudaSetDevice(device));
	CHECK(cudaMemGetInfo(&n_free, &n_total));
	printf("device %d: \"%s\"\n", device, p.name);
	printf("  compute capability      %d.%d\n", p.major, p.minor);
	printf("  multiprocessors         %d\n", p.multiProcessorCount);
	printf("  global memory           %zu MiB, %zu MiB free\n",
		p.totalGlobalMem >> 20, n_free >> 20);
	printf("  shared memory per block %zu\n", p.sharedMemPerBlock);
	printf("  registers per block     %d\n", p.regsPerBlock);
	printf("  constant memory         %zu\n", p.totalConstMem);
	printf("  warp size               %d\n", p.warpSize);
	printf("  threads per block       %d\n", p.maxThreadsPerBlock);
	printf("  block dimensions        %d x %d x %d\n", p.maxThreadsDim[0],
		p.maxThreadsDim[1], p.maxThreadsDim[2]);
	printf("  grid dimensions         %d x %d x %d\n", p.maxGridSize[0],
		p.maxGridSize[1], p.maxGridSize[2]);
	printf("  L2 cache                %d\n", p.l2CacheSize);
	printf("  PCI                     %04x:%02x:%02x\n", p.pciDomainID, p.pciBusID,
		p.pciDeviceID);
	printf("  UUID                    ");
	for (int i = 0; i < 16; i++) {
		printf("%02x", (unsigned char)p.uuid.bytes[i]);
	}
	printf("\n");

	if (p.name[0] == '\0' || p.warpSize != 32 || p.multiProcessorCount < 1 ||
		p.major < 1) {
		FAIL("device %d: properties make no sense", device);
	}
	if (p.major != attribute(device, cudaDevAttrComputeCapabilityMajor) ||
		p.minor != attribute(device, cudaDevAttrComputeCapabilityMinor) ||
		p.multiProcessorCount !=
			attribute(device, cudaDevAttrMultiProcessorCount) ||
		p.maxThreadsPerBlock !=
			attribute(device, cudaDevAttrMaxThreadsPerBlock) ||
		p.maxThreadsDim[2] != attribute(device, cudaDevAttrMaxBlockDimZ) ||
		p.maxGridSize[1] != attribute(device, cudaDevAttrMaxGridDimY) ||
		p.warpSize != attribute(device, cudaDevAttrWarpSize) ||
		(int)p.sharedMemPerBlock !=
			attribute(device, cudaDevAttrMaxSharedMemoryPerBlock)) {
		FAIL("device %d: properties and attributes differ", device);
	}
	if (n_free > n_total || n_total > p.totalGlobalMem) {
		FAIL("device %d: %zu free of %zu, %zu in all", device, n_free, n_total,
			p.totalGlobalMem);
	}
}

int
main(void)
{
	int n_devices = 0, driver = 0, runtime = 0;

	CHECK(cudaGetDeviceCount(&n_devices));
	CHECK(cudaDriverGetVersion(&driver));
	CHECK(cudaRuntimeGetVersion(&runtime));
	printf("%d device(s), driver %d.%d, runtime %d.%d\n", n_devices, driver / 1000,
		driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
	if (n_devices < 1 || runtime / 1000 != CUDART_VERSION / 1000) {
		FAIL("%d devices, runtime %d, built with %d", n_devices, runtime,
			CUDART_VERSION);
	}
	for (int i = 0; i < n_devices; i++) {
		query(i);
	}
	cudaDeviceProp p;
	if (cudaGetDeviceProperties(&p, n_devices) != cudaErrorInvalidDevice) {
		FAIL("device %d should not exist", n_devices);
	}
	printf("PASS\n");
	return 0;
}
