/* SPDX-License-Identifier: Apache-2.0 */
/* driver_api.c: a program of the driver API, checked against what the host computes itself.
 *
 * Usage: driver_api [SEED [ROUNDS]] [wild]
 * It knows nothing of us: it runs on any libcuda.so.1.  Random sizes, offsets
 * and contents come from a seed, which is printed; several threads at once. */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static const char source[] = PTX_HEAD ".global .align 4 .u32 counter;\n" PTX_SCALE;

static CUcontext context;
static CUfunction scale;
static unsigned rounds = 30;

static void
fill(unsigned *random, void *memory, size_t size)
{
	unsigned char *bytes = memory;

	for (size_t i = 0; i < size; i++) {
		bytes[i] = (unsigned char)next(random, 256);
	}
}

static void
compare(const char *what, const void *got, const void *wanted, size_t size)
{
	const unsigned char *a = got, *b = wanted;

	for (size_t i = 0; i < size; i++) {
		if (a[i] != b[i]) {
			FAIL("%s: byte %zu of %zu is %02x, not %02x", what, i, size, a[i], b[i]);
		}
	}
}

static void
kernels(unsigned *random, CUstream stream, bool pinned)
{
	unsigned n = 1 + next(random, 20000), factor = next(random, 1000);
	size_t size = n * sizeof(unsigned);
	unsigned *in, *out;
	CUdeviceptr d_in, d_out;

	if (pinned) {
		DO(cuMemAllocHost((void **)&in, size));
		DO(cuMemAllocHost((void **)&out, size));
	} else {
		in = malloc(size);
		out = malloc(size);
	}
	fill(random, in, size);
	memset(out, 0, size);
	DO(cuMemAlloc(&d_in, size));
	DO(cuMemAlloc(&d_out, size));
	DO(cuMemcpyHtoDAsync(d_in, in, size, stream));
	void *arguments[] = { &d_out, &d_in, &factor, &n };
	DO(cuLaunchKernel(scale, (n + 127) / 128, 1, 1, 128, 1, 1, 0, stream, arguments, NULL));
	DO(cuMemcpyDtoHAsync(out, d_out, size, stream));
	/* What was copied to the guest goes back: it must have arrived first. */
	DO(cuMemcpyHtoDAsync(d_in, out, size, stream));
	unsigned *again = malloc(size);
	DO(cuMemcpyDtoHAsync(again, d_in, size, stream));
	DO(cuStreamSynchronize(stream));
	for (unsigned i = 0; i < n; i++) {
		if (out[i] != in[i] * factor + i || again[i] != out[i]) {
			FAIL("element %u of %u is %u and %u, not %u", i, n, out[i], again[i],
				in[i] * factor + i);
		}
	}
	free(again);
	DO(cuMemFree(d_in));
	DO(cuMemFree(d_out));
	if (pinned) {
		DO(cuMemFreeHost(in));
		DO(cuMemFreeHost(out));
	} else {
		free(in);
		free(out);
	}
}

static void
large_copies(unsigned *random)
{
	size_t size = (3u << 20) + next(random, 3u << 20);
	unsigned char *there = malloc(size), *back = calloc(1, size);
	size_t from = next(random, 5000), n = size - from - next(random, 5000);
	CUdeviceptr d;

	fill(random, there, size);
	DO(cuMemAlloc(&d, size));
	DO(cuMemcpyHtoD(d, there, size));
	DO(cuMemcpyDtoH(back, d + from, n));
	compare("large copy", back, there + from, n);
	DO(cuMemsetD8(d + from, 0x5a, n));
	memset(there + from, 0x5a, n);
	memset(back, 0, size);
	DO(cuMemcpy((CUdeviceptr)(uintptr_t)back, d, size));
	compare("after memset", back, there, size);
	DO(cuMemFree(d));
	free(there);
	free(back);
}

/* Boxes by cuMemcpy3D, rows by cuMemcpy2D, against loops over bytes. */
static void
boxes(unsigned *random)
{
	size_t width = 1 + next(random, 300), height = 1 + next(random, 40);
	size_t depth = 1 + next(random, 5), host_pitch = width + next(random, 30);
	size_t device_pitch, slice_rows = height + next(random, 5);
	CUdeviceptr d;

	DO(cuMemAllocPitch(&d, &device_pitch, width, slice_rows * depth, 4));
	size_t host_size = host_pitch * slice_rows * depth;
	size_t device_size = device_pitch * slice_rows * depth;
	unsigned char *host = malloc(host_size), *back = malloc(device_size);
	unsigned char *wanted = malloc(device_size);
	fill(random, host, host_size);
	memset(wanted, 0xcd, device_size);
	DO(cuMemsetD8(d, 0xcd, device_size));
	CUDA_MEMCPY3D copy = { .srcMemoryType = CU_MEMORYTYPE_HOST, .srcHost = host,
		.srcPitch = host_pitch, .srcHeight = slice_rows,
		.dstMemoryType = CU_MEMORYTYPE_DEVICE, .dstDevice = d, .dstPitch = device_pitch,
		.dstHeight = slice_rows, .WidthInBytes = width, .Height = height,
		.Depth = depth };
	DO(cuMemcpy3D(&copy));
	for (size_t z = 0; z < depth; z++) {
		for (size_t y = 0; y < height; y++) {
			memcpy(wanted + (z * slice_rows + y) * device_pitch,
				host + (z * slice_rows + y) * host_pitch, width);
		}
	}
	DO(cuMemcpyDtoH(back, d, device_size));
	compare("3D", back, wanted, device_size);

	size_t x = next(random, (unsigned)width), y = next(random, (unsigned)height);
	memset(host, 0xaa, host_size);
	memset(wanted, 0xaa, host_size);
	CUDA_MEMCPY2D rows = { .srcMemoryType = CU_MEMORYTYPE_DEVICE, .srcDevice = d,
		.srcPitch = device_pitch, .srcXInBytes = x, .srcY = y,
		.dstMemoryType = CU_MEMORYTYPE_HOST, .dstHost = host, .dstPitch = host_pitch,
		.WidthInBytes = width - x, .Height = height - y };
	DO(cuMemcpy2D(&rows));
	for (size_t row = 0; row < height - y; row++) {
		memcpy(wanted + row * host_pitch, back + (y + row) * device_pitch + x, width - x);
	}
	compare("2D", host, wanted, host_size);
	DO(cuMemFree(d));
	free(host);
	free(back);
	free(wanted);
}

static void *
work(void *seed)
{
	unsigned random = (unsigned)(uintptr_t)seed;
	CUstream streams[3];
	CUevent event;

	DO(cuCtxSetCurrent(context));
	DO(cuStreamCreate(&streams[0], CU_STREAM_DEFAULT));
	DO(cuStreamCreate(&streams[1], CU_STREAM_NON_BLOCKING));
	streams[2] = CU_STREAM_PER_THREAD;
	DO(cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
	for (unsigned i = 0; i < rounds; i++) {
		kernels(&random, streams[next(&random, 3)], next(&random, 2));
		if (i % 4 == 0) {
			boxes(&random);
		}
		if (i % 8 == 0) {
			large_copies(&random);
		}
		CUstream stream = streams[next(&random, 3)];
		DO(cuEventRecord(event, stream));
		DO(cuStreamWaitEvent(streams[next(&random, 3)], event, 0));
		if (next(&random, 2)) {
			DO(cuEventSynchronize(event));
		} else {
			DO(cuCtxSynchronize());
		}
		EXPECT(CUDA_SUCCESS, cuEventQuery(event));
	}
	DO(cuEventDestroy(event));
	DO(cuStreamDestroy(streams[0]));
	DO(cuStreamDestroy(streams[1]));
	return NULL;
}

/* What must fail, and with which code, without harm to what follows. */
/* Handles that never were, or are no more: NVIDIA's driver follows them. */
static bool wild;

static void
mistakes(void)
{
	CUdeviceptr d, none = 0;
	CUfunction f;
	CUmodule m;
	char bytes[16] = "";
	unsigned n = 0;
	void *arguments[] = { &none, &none, &n, &n };

	DO(cuMemAlloc(&d, 1000));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoD(d + 990, bytes, 16));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemcpyDtoH(bytes, d + 1000, 1));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemsetD8(d, 0, 1001));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemsetD32(d + 1, 0, 4));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemcpyDtoD(d, d + 512, 512));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemFree(d + 4));
	DO(cuMemFree(d));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemFree(d));
	DO(cuMemFree(0));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemAlloc(&d, 0));
	EXPECT(CUDA_ERROR_OUT_OF_MEMORY, cuMemAlloc(&d, (size_t)1 << 46));
	EXPECT(CUDA_ERROR_INVALID_VALUE,
		cuLaunchKernel(scale, 0, 1, 1, 1, 1, 1, 0, NULL, arguments, NULL));
	EXPECT(CUDA_ERROR_INVALID_VALUE,
		cuLaunchKernel(scale, 1, 1, 1, 2048, 1, 1, 0, NULL, arguments, NULL));
	EXPECT(CUDA_ERROR_INVALID_VALUE,
		cuLaunchKernel(scale, 1, 1, 1, 1, 1, 1, 1 << 20, NULL, arguments, NULL));
	EXPECT(CUDA_ERROR_INVALID_VALUE,
		cuLaunchKernel(scale, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
	EXPECT(CUDA_ERROR_INVALID_IMAGE, cuModuleLoadData(&m, "\177nothing"));
	DO(cuModuleLoadData(&m, source));
	EXPECT(CUDA_ERROR_NOT_FOUND, cuModuleGetFunction(&f, m, "scales"));
	DO(cuModuleGetFunction(&f, m, "scale"));
	DO(cuModuleUnload(m));
	DO(cuCtxSynchronize());
	if (wild) {
		EXPECT(CUDA_ERROR_INVALID_HANDLE, cuStreamSynchronize((CUstream)0x1234));
		EXPECT(CUDA_ERROR_INVALID_HANDLE, cuEventSynchronize((CUevent)0x1234));
		EXPECT(CUDA_ERROR_INVALID_HANDLE, cuLaunchKernel((CUfunction)77, 1, 1, 1, 1,
			1, 1, 0, NULL, arguments, NULL));
		EXPECT(CUDA_ERROR_INVALID_HANDLE, cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0,
			NULL, arguments, NULL));
		EXPECT(CUDA_ERROR_INVALID_HANDLE, cuModuleUnload(m));
	}
}

static void
variables(CUmodule module)
{
	CUdeviceptr d, nowhere;
	size_t size, range_size;
	unsigned value = 12345, back = 0;
	CUmemorytype type;

	DO(cuModuleGetGlobal(&d, &size, module, "counter"));
	if (size != 4) {
		FAIL("the variable has %zu bytes", size);
	}
	DO(cuMemcpyHtoD(d, &value, 4));
	DO(cuMemcpyDtoH(&back, d, 4));
	if (back != value) {
		FAIL("the variable is %u", back);
	}
	EXPECT(CUDA_ERROR_NOT_FOUND, cuModuleGetGlobal(&nowhere, &size, module, "nothing"));
	DO(cuMemGetAddressRange(&d, &range_size, d + 3));
	DO(cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, d));
	if (range_size != 4 || type != CU_MEMORYTYPE_DEVICE) {
		FAIL("the variable lies in %zu bytes of type %d", range_size, (int)type);
	}
	EXPECT(CUDA_ERROR_INVALID_VALUE,
		cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
			(CUdeviceptr)(uintptr_t)&value));
}

/* What is waited for may be another context's than the current one, which has no work. */
static void
two_contexts(void)
{
	unsigned n = 20000, factor = 3;
	CUcontext other;
	CUdeviceptr d;
	CUstream stream;
	CUevent event;

	DO(cuMemAlloc(&d, n * sizeof(unsigned)));
	DO(cuMemsetD8(d, 1, n * sizeof(unsigned)));
	DO(cuStreamCreate(&stream, 0));
	DO(cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
	DO(cuCtxCreate(&other, NULL, 0, 0));
	void *arguments[] = { &d, &d, &factor, &n };
	for (int by_event = 0; by_event < 2; by_event++) {
		DO(cuCtxSetCurrent(context));
		for (int i = 0; i < 100; i++) {
			DO(cuLaunchKernel(scale, (n + 127) / 128, 1, 1, 128, 1, 1, 0, stream,
				arguments, NULL));
		}
		DO(cuEventRecord(event, stream));
		DO(cuCtxSetCurrent(other));
		DO(by_event ? cuEventSynchronize(event) : cuStreamSynchronize(stream));
		DO(cuCtxSetCurrent(context));
		DO(cuEventQuery(event));
	}
	DO(cuCtxDestroy(other));
	DO(cuEventDestroy(event));
	DO(cuStreamDestroy(stream));
	DO(cuMemFree(d));
}

static void
set_variable(CUlibrary library, unsigned value)
{
	unsigned back = 0;
	CUdeviceptr d;
	size_t size;

	for (int i = 0; i < 2; i++) { /* the second time its place is known */
		DO(cuLibraryGetGlobal(&d, &size, library, "counter"));
		value += (unsigned)i;
		DO(cuMemcpyHtoD(d, &value, size));
		DO(cuMemcpyDtoH(&back, d, size));
		if (back != value) {
			FAIL("the library's variable is %u, not %u", back, value);
		}
	}
}

/* Everything is gone after a reset, and all can be had again. */
static void
reset(void)
{
	CUdeviceptr d;
	CUstream stream;
	CUcontext again;
	CUlibrary library;
	unsigned value = 4711;

	DO(cuMemAlloc(&d, 4096));
	DO(cuStreamCreate(&stream, 0));
	DO(cuLibraryLoadData(&library, source, NULL, NULL, 0, NULL, NULL, 0));
	set_variable(library, value);
	DO(cuDevicePrimaryCtxReset(0));
	DO(cuDevicePrimaryCtxRelease(0));
	DO(cuDevicePrimaryCtxRetain(&again, 0));
	DO(cuCtxSetCurrent(again));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemFree(d));
	/* The library is there still; its variable lies in a new context. */
	set_variable(library, value + 1);
	DO(cuLibraryUnload(library));
	if (wild) {
		EXPECT(CUDA_ERROR_INVALID_HANDLE, cuStreamSynchronize(stream));
	}
	DO(cuMemAlloc(&d, 4096));
	DO(cuMemsetD8Async(d, 1, 4096, CU_STREAM_PER_THREAD));
	DO(cuStreamSynchronize(CU_STREAM_PER_THREAD));
	DO(cuMemFree(d));
	/* A context of our own, beside the primary one. */
	CUcontext own, popped;
	DO(cuCtxCreate(&own, NULL, 0, 0));
	DO(cuMemAlloc(&d, 100));
	DO(cuCtxPopCurrent(&popped));
	if (popped != own) {
		FAIL("popped another context");
	}
	DO(cuCtxDestroy(own));
	if (wild) {
		EXPECT(CUDA_ERROR_INVALID_CONTEXT, cuCtxSetCurrent(own));
	}
	DO(cuCtxSynchronize());
}

int
main(int argc, char **argv)
{
	wild = argc > 1 && strcmp(argv[argc - 1], "wild") == 0;
	argc -= wild;
	unsigned seed = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : (unsigned)getpid();
	pthread_t threads[4];
	CUmodule module;
	int count;

	printf("seed %u\n", seed);
	if (argc > 2) {
		rounds = (unsigned)strtoul(argv[2], NULL, 10);
	}
	EXPECT(CUDA_ERROR_NOT_INITIALIZED, cuDeviceGetCount(&count));
	DO(cuInit(0));
	EXPECT(CUDA_ERROR_INVALID_CONTEXT, cuCtxSynchronize());
	context = use_device(0);
	DO(cuModuleLoadData(&module, source));
	DO(cuModuleGetFunction(&scale, module, "scale"));
	variables(module);
	mistakes();
	for (uintptr_t i = 0; i < 4; i++) {
		pthread_create(&threads[i], NULL, work, (void *)(seed + i));
	}
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
	}
	two_contexts();
	reset();
	puts("PASS");
	return 0;
}
