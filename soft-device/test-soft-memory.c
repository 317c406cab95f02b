/* SPDX-License-Identifier: Apache-2.0 */
/* test-soft-memory.c: allocations, pointers and copies of the software device. */
#include "soft-device/test-soft.h"

#include <sys/mman.h>

static void
freed_memory_is_gone_and_comes_back_zeroed(void **state)
{
	enum { N = 3 * 4096 + 77 };
	static unsigned char ones[N];
	static unsigned char back[N];

	memset(ones, 0xff, sizeof(ones));
	/* More rounds than the window has room for, so that addresses are used again. */
	for (int round = 0; round < 200; round++) {
		CUdeviceptr p;

		assert_ok(cuMemAlloc(&p, N));
		assert_ok(cuMemcpyDtoH(back, p, N));
		for (size_t i = 0; i < N; i++) {
			assert_int_equal(back[i], 0);
		}
		assert_ok(cuMemcpyHtoD(p, ones, N));
		assert_ok(cuMemFree(p));
		assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemFree(p));
		assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoD(p, ones, 1));
	}
}

static void
allocations_do_not_touch_and_are_counted(void **state)
{
	enum { N = 300 };
	CUdeviceptr p[N];
	size_t size[N];
	uint64_t random = 42;
	size_t before;
	size_t total;
	size_t after;

	assert_ok(cuMemGetInfo(&before, &total));
	for (int i = 0; i < N; i++) {
		size[i] = 1 + random_next(&random) % 10000;
		assert_ok(cuMemAlloc(&p[i], size[i]));
		assert_int_equal(p[i] % 512, 0);
		assert_ok(cuMemsetD8(p[i], (unsigned char)i, size[i]));
		if (i % 3 == 1) {
			assert_ok(cuMemFree(p[i - 1]));
			assert_ok(cuMemAlloc(&p[i - 1], size[i - 1]));
			assert_ok(cuMemsetD8(
				p[i - 1], (unsigned char)(i - 1), size[i - 1]));
		}
	}
	assert_ok(cuMemGetInfo(&after, &total));
	assert_true(after < before);
	for (int i = 0; i < N; i++) {
		cleanup_free unsigned char *back = malloc(size[i]);

		assert_ok(cuMemcpyDtoH(back, p[i], size[i]));
		for (size_t k = 0; k < size[i]; k++) {
			assert_int_equal(back[k], (unsigned char)i);
		}
		for (int k = 0; k < N; k++) {
			assert_true(k == i || p[k] + size[k] + 512 <= p[i] ||
				    p[i] + size[i] + 512 <= p[k]);
		}
	}
	for (int i = 0; i < N; i++) {
		assert_ok(cuMemFree(p[i]));
	}
	assert_ok(cuMemGetInfo(&after, &total));
	assert_int_equal(after, before);
}

static void
memory_is_bounded(void **state)
{
	size_t free_size;
	size_t total;
	CUdeviceptr p;
	CUdeviceptr q;

	assert_ok(cuMemGetInfo(&free_size, &total));
	assert_cu(CUDA_ERROR_OUT_OF_MEMORY, cuMemAlloc(&p, free_size + 512));
	assert_cu(CUDA_ERROR_OUT_OF_MEMORY, cuMemAlloc(&p, SIZE_MAX - 100));
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemAlloc(&p, 0));
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemAlloc(NULL, 1));
	assert_ok(cuMemAlloc(&p, free_size));
	assert_cu(CUDA_ERROR_OUT_OF_MEMORY, cuMemAlloc(&q, 1));
	assert_ok(cuMemFree(p));
}

static void
copies_keep_data_at_every_offset_and_size(void **state)
{
	enum { N = 100003 };
	static unsigned char host[N];
	static unsigned char model[N];
	static unsigned char back[N];
	uint64_t random = 7;
	CUdeviceptr a;
	CUdeviceptr b;

	assert_ok(cuMemAlloc(&a, N));
	assert_ok(cuMemAlloc(&b, N));
	memset(model, 0, N);
	for (int round = 0; round < 300; round++) {
		size_t size = random_next(&random) % (round % 2 ? N : 100);
		size_t at = random_next(&random) % (N - size);
		size_t from = random_next(&random) % (N - size);

		random_fill(host + from, size, random);
		if (round % 3 == 0) {
			assert_ok(cuMemcpyHtoD(a + at, host + from, size));
		} else if (round % 3 == 1) {
			assert_ok(cuMemcpyHtoDAsync(a + at, host + from, size, NULL));
		} else {
			assert_ok(cuMemcpy(a + at, (CUdeviceptr)(host + from), size));
		}
		memcpy(model + at, host + from, size);
	}
	assert_ok(cuMemcpyDtoD(b, a, N));
	assert_ok(cuMemcpyDtoH(back, b, N));
	assert_memory_equal(back, model, N);
	memset(back, 0, N);
	assert_ok(cuMemcpy((CUdeviceptr)back, b, N));
	assert_memory_equal(back, model, N);

	assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoD(a + 1, host, N));
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoD(a + N, host, 1));
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemcpyDtoH(host, a - 1, 2));
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemcpyDtoH(host, a, SIZE_MAX));
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemcpyDtoD(b, a + 5, N));
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemcpyDtoH(NULL, a, 1));
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoD((CUdeviceptr)host, back, 1));
	assert_ok(cuMemcpyHtoD(a + N, host, 0));
	assert_ok(cuMemFree(a));
	assert_ok(cuMemFree(b));
}

static void
boxes_are_copied_and_nothing_else(void **state)
{
	enum { W = 61, H = 17, D = 5, PITCH = 128, ROWS = 20 };
	static unsigned char source[PITCH * ROWS * D];
	static unsigned char model[PITCH * ROWS * D];
	static unsigned char back[PITCH * ROWS * D];
	CUdeviceptr p;

	random_fill(source, sizeof(source), 3);
	random_fill(model, sizeof(model), 4);
	assert_ok(cuMemAlloc(&p, sizeof(model)));
	assert_ok(cuMemcpyHtoD(p, model, sizeof(model)));

	CUDA_MEMCPY3D box = {
		.srcXInBytes = 5,
		.srcY = 2,
		.srcZ = 1,
		.srcMemoryType = CU_MEMORYTYPE_HOST,
		.srcHost = source,
		.srcPitch = PITCH,
		.srcHeight = ROWS,
		.dstXInBytes = 11,
		.dstY = 1,
		.dstZ = 0,
		.dstMemoryType = CU_MEMORYTYPE_DEVICE,
		.dstDevice = p,
		.dstPitch = PITCH,
		.dstHeight = ROWS,
		.WidthInBytes = W,
		.Height = H,
		.Depth = D - 1,
	};

	assert_ok(cuMemcpy3D(&box));
	for (size_t z = 0; z < D - 1; z++) {
		for (size_t y = 0; y < H; y++) {
			memcpy(model + (z * ROWS + y + 1) * PITCH + 11,
				source + ((z + 1) * ROWS + y + 2) * PITCH + 5, W);
		}
	}
	assert_ok(cuMemcpyDtoH(back, p, sizeof(back)));
	assert_memory_equal(back, model, sizeof(back));
	box.dstZ = 1;
	box.dstY = 4; /* its last row is one too far */
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemcpy3D(&box));

	CUDA_MEMCPY2D plane = {
		.srcMemoryType = CU_MEMORYTYPE_DEVICE,
		.srcDevice = p,
		.srcXInBytes = 3,
		.srcY = 2,
		.srcPitch = PITCH,
		.dstMemoryType = CU_MEMORYTYPE_UNIFIED,
		.dstDevice = (CUdeviceptr)back,
		.dstPitch = W,
		.WidthInBytes = W,
		.Height = H,
	};

	memset(back, 0, sizeof(back));
	assert_ok(cuMemcpy2DAsync(&plane, NULL));
	for (size_t y = 0; y < H; y++) {
		assert_memory_equal(back + y * W, model + (y + 2) * PITCH + 3, W);
	}
	assert_int_equal(back[H * W], 0);
	plane.srcMemoryType = CU_MEMORYTYPE_ARRAY;
	assert_cu(CUDA_ERROR_NOT_SUPPORTED, cuMemcpy2D(&plane));
	assert_ok(cuMemFree(p));
}

static void
memsets_write_their_elements(void **state)
{
	enum { N = 5000 };
	static unsigned char model[N];
	static unsigned char back[N];
	CUdeviceptr p;

	assert_ok(cuMemAlloc(&p, N));
	assert_ok(cuMemsetD8(p, 0x5a, N));
	memset(model, 0x5a, N);
	assert_ok(cuMemsetD16Async(p + 6, 0x1234, 100, NULL));
	for (int i = 0; i < 100; i++) {
		memcpy(model + 6 + 2 * i, &(uint16_t){ 0x1234 }, 2);
	}
	assert_ok(cuMemsetD32(p + 1000, 0xdeadbeef, 33));
	for (int i = 0; i < 33; i++) {
		memcpy(model + 1000 + 4 * i, &(uint32_t){ 0xdeadbeef }, 4);
	}
	assert_ok(cuMemsetD2D32(p + 2000, 64, 0x01020304, 5, 7));
	for (int y = 0; y < 7; y++) {
		for (int x = 0; x < 5; x++) {
			memcpy(model + 2000 + 64 * y + 4 * x, &(uint32_t){ 0x01020304 },
				4);
		}
	}
	assert_ok(cuMemcpyDtoH(back, p, N));
	assert_memory_equal(back, model, N);
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemsetD16(p + 1, 0, 1));
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemsetD32(p, 0, N / 4 + 1));
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemsetD32(p, 0, SIZE_MAX / 2));
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemsetD2D8(p, 1000, 0, 900, 6));
	assert_ok(cuMemFree(p));
}

static void
pitch_holds_the_rows(void **state)
{
	CUdeviceptr p;
	size_t pitch;

	assert_ok(cuMemAllocPitch(&p, &pitch, 1001, 9, 4));
	assert_true(pitch >= 1001 && pitch % 512 == 0);
	assert_ok(cuMemsetD2D8(p, pitch, 1, 1001, 9));
	assert_ok(cuMemFree(p));
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemAllocPitch(&p, &pitch, 1001, 9, 3));
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemAllocPitch(&p, &pitch, 0, 9, 4));
}

static void
pinned_memory_is_seen_by_both(void **state)
{
	enum { N = 9001 };
	unsigned char *host;
	CUdeviceptr mapped;
	CUdeviceptr p;
	unsigned int flags;

	assert_ok(cuMemHostAlloc((void **)&host, N, CU_MEMHOSTALLOC_DEVICEMAP));
	assert_ok(cuMemHostGetDevicePointer(&mapped, host, 0));
	assert_ok(cuMemHostGetFlags(&flags, host + 5));
	assert_int_equal(flags, CU_MEMHOSTALLOC_DEVICEMAP);
	assert_ok(cuMemAlloc(&p, N));
	random_fill(host, N, 1);
	assert_ok(cuMemcpyDtoD(p, mapped, N));

	static unsigned char back[N];

	assert_ok(cuMemcpyDtoH(back, p, N));
	assert_memory_equal(back, host, N);
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemcpyDtoD(p, mapped + 1, N));
	assert_ok(cuMemFreeHost(host));
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemFreeHost(host));
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemHostGetFlags(&flags, host));
	assert_ok(cuMemFree(p));
}

static void
registered_memory_is_checked(void **state)
{
	unsigned char *memory = mmap(
		NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CUdeviceptr mapped;

	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_ok(cuMemHostRegister(memory, 8192, 0));
	assert_cu(CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED,
		cuMemHostRegister(memory + 4096, 8192, 0));
	assert_ok(cuMemHostGetDevicePointer(&mapped, memory + 10, 0));
	assert_ok(cuMemsetD8(mapped, 9, 100));
	assert_ok(cuCtxSynchronize());
	assert_int_equal(memory[10], 9);
	assert_int_equal(memory[109], 9);
	assert_int_equal(memory[110], 0);
	assert_cu(CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED,
		cuMemHostUnregister(memory + 4096));
	assert_ok(cuMemHostUnregister(memory));
	assert_cu(CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED, cuMemHostUnregister(memory));
	assert_int_equal(munmap(memory, 16384), 0);
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemHostRegister(memory, 8192, 0));
	assert_cu(CUDA_ERROR_INVALID_VALUE,
		cuMemHostRegister((void *)64, SIZE_MAX - 32, 0));
}

static void
pointers_tell_what_they_are(void **state)
{
	CUdeviceptr p;
	CUdeviceptr base;
	size_t size;
	unsigned int type;
	unsigned int managed;
	int ordinal;
	CUcontext context;
	CUcontext current;

	assert_ok(cuMemAlloc(&p, 1000));
	assert_ok(cuMemGetAddressRange(&base, &size, p + 999));
	assert_int_equal(base, p);
	assert_int_equal(size, 1000);
	assert_cu(CUDA_ERROR_NOT_FOUND, cuMemGetAddressRange(&base, &size, p + 1000));
	assert_ok(
		cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, p + 500));
	assert_int_equal(type, CU_MEMORYTYPE_DEVICE);
	assert_ok(cuPointerGetAttribute(&context, CU_POINTER_ATTRIBUTE_CONTEXT, p));
	assert_ok(cuCtxGetCurrent(&current));
	assert_ptr_equal(context, current);
	assert_cu(CUDA_ERROR_INVALID_VALUE,
		cuPointerGetAttribute(
			&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, (CUdeviceptr)&p));
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuPointerGetAttribute(&type, 999, p));

	CUpointer_attribute names[] = { CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
		CU_POINTER_ATTRIBUTE_IS_MANAGED, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL };
	void *data[] = { &type, &managed, &ordinal };

	type = managed = 77;
	assert_ok(cuPointerGetAttributes(3, names, data, (CUdeviceptr)&p));
	assert_int_equal(type, 0);
	assert_int_equal(managed, 0);
	assert_int_equal(ordinal, -2);

	CUdeviceptr shared;

	assert_ok(cuMemAllocManaged(&shared, 100, CU_MEM_ATTACH_GLOBAL));
	assert_ok(cuPointerGetAttributes(3, names, data, shared));
	assert_int_equal(managed, 1);
	assert_int_equal(ordinal, 0);
	strcpy((char *)shared, "from the host");

	char back[14];

	assert_ok(cuMemcpyDtoH(back, shared, sizeof(back)));
	assert_string_equal(back, "from the host");
	assert_ok(cuMemFree(shared));
	assert_ok(cuMemFree(p));
}

static void
stream_ordered_memory_is_freed_in_order(void **state)
{
	size_t before;
	size_t after;
	size_t total;
	CUstream stream;
	CUdeviceptr p;
	char back[100];

	assert_ok(cuMemGetInfo(&before, &total));
	assert_ok(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	assert_ok(cuMemAllocAsync(&p, 100, stream));
	assert_ok(cuMemsetD8Async(p, 3, 100, stream));
	assert_ok(cuMemcpyDtoHAsync(back, p, 100, stream));
	assert_ok(cuMemFreeAsync(p, stream));
	assert_ok(cuStreamSynchronize(stream));
	assert_int_equal(back[99], 3);
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuMemFreeAsync(p, stream));
	assert_ok(cuMemGetInfo(&after, &total));
	assert_int_equal(after, before);
	assert_ok(cuStreamDestroy(stream));
}

int
main(void)
{
	setenv("OUTBOARD_SOFT_MEMORY", "64M", 1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(freed_memory_is_gone_and_comes_back_zeroed),
		cmocka_unit_test(allocations_do_not_touch_and_are_counted),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(copies_keep_data_at_every_offset_and_size),
		cmocka_unit_test(boxes_are_copied_and_nothing_else),
		cmocka_unit_test(memsets_write_their_elements),
		cmocka_unit_test(pitch_holds_the_rows),
		cmocka_unit_test(pinned_memory_is_seen_by_both),
		cmocka_unit_test(registered_memory_is_checked),
		cmocka_unit_test(pointers_tell_what_they_are),
		cmocka_unit_test(stream_ordered_memory_is_freed_in_order),
	};

	return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
