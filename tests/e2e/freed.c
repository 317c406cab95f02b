/* SPDX-License-Identifier: Apache-2.0 */
/* freed.c: what was freed is free, and what is allocated is nobody else's.
 *
 * Usage: freed [MEMORY_MAX]     bytes that may be allocated at once; else the device's
 * A program of the driver API that knows nothing of us.  Kernels that are still running
 * write to memory when it is freed, and the next allocation often gets the same. */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define MIB ((size_t)1 << 20)
#define THREADS 4
#define ROUNDS 60

/* One thread: count for a while, then words[i] = value for all i < n. */
static const char source[] = PTX_HEAD
	".visible .entry late(.param .u64 p_words, .param .u32 p_n, .param .u32 p_value,\n"
	"	.param .u32 p_count)\n{\n"
	"	.reg .pred %p<3>;\n	.reg .b32 %r<6>;\n	.reg .b64 %rd<3>;\n"
	"	ld.param.u64 %rd1, [p_words];\n	ld.param.u32 %r1, [p_n];\n"
	"	ld.param.u32 %r2, [p_value];\n	ld.param.u32 %r3, [p_count];\n"
	"	cvta.to.global.u64 %rd2, %rd1;\n"
	"WAIT:\n	setp.eq.u32 %p1, %r3, 0;\n	@%p1 bra WRITE;\n"
	"	sub.u32 %r3, %r3, 1;\n	bra WAIT;\n"
	"WRITE:\n	setp.eq.u32 %p2, %r1, 0;\n	@%p2 bra DONE;\n"
	"	st.global.u32 [%rd2], %r2;\n	add.s64 %rd2, %rd2, 4;\n"
	"	sub.u32 %r1, %r1, 1;\n	bra WRITE;\n"
	"DONE:\n	ret;\n}\n";

static CUcontext context;
static CUfunction late;

static void
launch_late(CUdeviceptr words, unsigned n, unsigned value, unsigned count, CUstream stream)
{
	void *arguments[] = { &words, &n, &value, &count };

	DO(cuLaunchKernel(late, 1, 1, 1, 1, 1, 1, 0, stream, arguments, NULL));
}

static void
expect_words(CUdeviceptr memory, const unsigned *wanted, unsigned n, const char *when)
{
	unsigned *got = malloc(n * sizeof(*got));

	DO(cuMemcpyDtoH(got, memory, n * sizeof(*got)));
	for (unsigned i = 0; i < n; i++) {
		if (got[i] != wanted[i]) {
			FAIL("%s: word %u of %u is %08x, not %08x", when, i, n, got[i], wanted[i]);
		}
	}
	free(got);
}

/* ---- memory that is freed while kernels write to it ---- */

static void
round_trip(unsigned *random, CUstream one, CUstream other)
{
	static const unsigned sizes[] = { 16, 250, 1024, 5000 };
	unsigned n = sizes[next(random, 4)], junk = next(random, 1u << 24);
	unsigned *data = malloc(n * sizeof(*data));
	CUdeviceptr old, new;

	for (unsigned i = 0; i < n; i++) {
		data[i] = next(random, 1u << 24);
	}
	DO(cuMemAlloc(&old, n * sizeof(*data)));
	launch_late(old, n, junk, next(random, 60000), one);
	if (next(random, 4) == 0) {
		launch_late(old, n, junk, next(random, 10000), other);
	}
	DO(cuMemFree(old));
	if (next(random, 3) == 0) { /* something to do meanwhile */
		DO(cuMemAlloc(&old, 64));
		launch_late(old, 16, junk, 1000, other);
		DO(cuMemFree(old));
	}
	/* Often the same memory, in a stream that waits for no other. */
	DO(cuMemAlloc(&new, n * sizeof(*data)));
	DO(cuMemcpyHtoDAsync(new, data, n * sizeof(*data), other));
	DO(cuStreamSynchronize(other));
	expect_words(new, data, n, "at once");
	DO(cuStreamSynchronize(one));
	expect_words(new, data, n, "after the kernel of the one before");
	DO(cuMemFree(new));
	free(data);
}

static void *
work(void *seed)
{
	unsigned random = (unsigned)(uintptr_t)seed;
	CUstream one, other;

	DO(cuCtxSetCurrent(context));
	DO(cuStreamCreate(&one, CU_STREAM_NON_BLOCKING));
	DO(cuStreamCreate(&other, CU_STREAM_NON_BLOCKING));
	for (unsigned i = 0; i < ROUNDS; i++) {
		round_trip(&random, one, other);
	}
	DO(cuStreamDestroy(one));
	DO(cuStreamDestroy(other));
	return NULL;
}

/* ---- what a program can see of freed memory ---- */

static void
freed_is_unknown(void)
{
	CUmemorytype type;
	CUdeviceptr d, base, again;
	unsigned long long id, id_again;
	size_t size;
	char byte = 0;

	DO(cuMemAlloc(&d, 5000));
	DO(cuPointerGetAttribute(&id, CU_POINTER_ATTRIBUTE_BUFFER_ID, d));
	DO(cuMemFree(d));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemFree(d));
	EXPECT(CUDA_ERROR_INVALID_VALUE,
		cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, d));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoD(d, &byte, 1));
	DO(cuMemAlloc(&again, 5000));
	DO(cuPointerGetAttribute(&id_again, CU_POINTER_ATTRIBUTE_BUFFER_ID, again));
	if (id_again == id) {
		FAIL("two allocations are one buffer, %llu", id);
	}
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoD(again + 5000, &byte, 1));
	DO(cuMemGetAddressRange(&base, &size, again + 100));
	if (base != again || size != 5000) {
		FAIL("the range is %zu bytes", size);
	}
	DO(cuMemFree(again));
	DO(cuMemAllocAsync(&d, 5000, NULL));
	DO(cuMemFree(d));
	DO(cuMemAlloc(&d, 5000));
	DO(cuMemFreeAsync(d, NULL));
	EXPECT(CUDA_ERROR_INVALID_VALUE, cuMemFree(d));
	DO(cuCtxSynchronize());
}

static void
freed_is_free(void)
{
	size_t before, held, after, total;
	CUdeviceptr d[20];

	DO(cuMemGetInfo(&before, &total));
	for (int i = 0; i < 20; i++) {
		DO(cuMemAlloc(&d[i], 2 * MIB));
	}
	DO(cuMemGetInfo(&held, &total));
	for (int i = 0; i < 20; i++) {
		DO(cuMemFree(d[i]));
	}
	DO(cuMemGetInfo(&after, &total));
	if (before - held < 40 * MIB || after != before) {
		FAIL("%zu bytes were free, then %zu, then %zu", before, held, after);
	}
}

/* All that there is can be had, and again, in one piece and in many. */
static void
all_can_be_had(size_t most)
{
	enum { PIECES = 100 };
	CUdeviceptr pieces[PIECES], whole, too_much;
	size_t size = most / PIECES & ~(size_t)4095;

	for (int i = 0; i < 3; i++) {
		for (int j = 0; j < PIECES; j++) {
			DO(cuMemAlloc(&pieces[j], size - (size_t)i * 4096));
		}
		EXPECT(CUDA_ERROR_OUT_OF_MEMORY, cuMemAlloc(&too_much, 4 * size + 5 * MIB));
		for (int j = 0; j < PIECES; j++) {
			DO(cuMemFree(pieces[j]));
		}
		DO(cuMemAlloc(&whole, most - MIB));
		DO(cuMemFree(whole));
		size_t pitch;
		DO(cuMemAlloc(&pieces[0], 4 * MIB));
		DO(cuMemFree(pieces[0]));
		DO(cuMemAllocPitch(&whole, &pitch, 4096, most / 4096 - 256, 4));
		DO(cuMemFree(whole));
	}
}

/* What was freed is there for a variable as for an allocation. */
static void
variables_have_room(void)
{
	enum { PIECES = 4 };
	CUdeviceptr pieces[PIECES], d;
	CUmodule module;
	CUlibrary library;
	size_t size, total;
	char ptx[200];

	DO(cuMemGetInfo(&size, &total));
	size -= 32 * MIB;
	snprintf(ptx, sizeof(ptx), PTX_HEAD ".global .align 8 .b8 large[%zu];\n" PTX_NOTHING,
		size);
	for (int as_library = 0; as_library < 2; as_library++) {
		for (int i = 0; i < PIECES; i++) {
			DO(cuMemAlloc(&pieces[i], 16 * MIB));
		}
		for (int i = 0; i < PIECES; i++) {
			DO(cuMemFree(pieces[i]));
		}
		if (as_library) {
			DO(cuLibraryLoadData(&library, ptx, NULL, NULL, 0, NULL, NULL, 0));
			DO(cuLibraryGetGlobal(&d, &size, library, "large"));
			DO(cuLibraryUnload(library));
		} else {
			DO(cuModuleLoadData(&module, ptx));
			DO(cuModuleUnload(module));
		}
	}
}

/* A launch that fails late is told by who waits, and nothing is lost meanwhile. */
static void
earlier_errors_cost_nothing(size_t most)
{
	unsigned n = 0, value = 0, count = 0;
	CUdeviceptr d, words = 0;
	void *arguments[] = { &words, &n, &value, &count };

	for (int i = 0; i < 10; i++) {
		CUresult result = cuLaunchCooperativeKernel(
			late, 1u << 30, 1, 1, 1, 1, 1, 0, NULL, arguments);
		DO(cuMemAlloc(&d, most / 4));
		EXPECT(CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE,
			result == CUDA_SUCCESS ? cuCtxSynchronize() : result);
		DO(cuCtxSynchronize());
		DO(cuMemFree(d));
	}
}

/* Memory goes with its context, freed or not. */
static void
contexts(void)
{
	const unsigned wanted[4] = { 1, 2, 3, 4 };
	CUcontext own;
	CUdeviceptr d, in_own;

	for (int i = 0; i < 5; i++) {
		DO(cuMemAlloc(&d, sizeof(wanted)));
		DO(cuCtxCreate(&own, NULL, 0, 0));
		DO(cuMemAlloc(&in_own, sizeof(wanted)));
		DO(cuMemFree(d)); /* of the other context */
		DO(cuMemFree(in_own));
		DO(cuMemAlloc(&in_own, sizeof(wanted)));
		DO(cuMemcpyHtoD(in_own, wanted, sizeof(wanted)));
		expect_words(in_own, wanted, 4, "in a context of our own");
		DO(cuMemFree(in_own));
		DO(cuCtxDestroy(own));
		DO(cuCtxSetCurrent(context));
		DO(cuMemAlloc(&d, sizeof(wanted)));
		DO(cuMemcpyHtoD(d, wanted, sizeof(wanted)));
		expect_words(d, wanted, 4, "in the primary context");
		DO(cuMemFree(d));
		DO(cuDevicePrimaryCtxReset(0));
		DO(cuMemAlloc(&d, sizeof(wanted)));
		DO(cuMemcpyHtoD(d, wanted, sizeof(wanted)));
		expect_words(d, wanted, 4, "after a reset");
		DO(cuMemFree(d));
	}
}

int
main(int argc, char **argv)
{
	unsigned seed = (unsigned)getpid();
	pthread_t threads[THREADS];
	size_t most, total;

	printf("seed %u\n", seed);
	DO(cuInit(0));
	context = use_device(0);
	late = load_kernel(source, "late");
	for (uintptr_t i = 0; i < THREADS; i++) {
		pthread_create(&threads[i], NULL, work, (void *)(seed + i));
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
	}
	freed_is_unknown();
	freed_is_free();
	DO(cuMemGetInfo(&most, &total));
	most = argc > 1 ? strtoull(argv[1], NULL, 10) : most;
	all_can_be_had(most);
	earlier_errors_cost_nothing(most);
	variables_have_room();
	contexts();
	puts("PASS");
	return 0;
}
