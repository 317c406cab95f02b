/* SPDX-License-Identifier: Apache-2.0 */
/* counted.c: a driver API program that makes a known number of calls, for test_stats.py.
 * Usage: counted return|exit */
#include <cuda.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(call)                                                          \
	do {                                                                 \
		CUresult result_ = (call);                                   \
		if (result_ != CUDA_SUCCESS) {                               \
			printf("FAIL: %s gave %d\n", #call, (int)result_);   \
			exit(1);                                             \
		}                                                            \
	} while (0)

#define SIZE 1000000
#define THREADS 4
#define LAUNCHES 250

static const char ptx[] = ".version 7.0\n.target sm_75\n.address_size 64\n"
			  ".visible .entry nothing() { ret; }\n";

static CUcontext context;
static CUfunction nothing;

static void *
launch(void *arg)
{
	CHECK(cuCtxSetCurrent(context));
	for (int i = 0; i < LAUNCHES; i++) {
		CHECK(cuLaunchKernel(nothing, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
	}
	return NULL;
}

/* Not inlined, so that it is a place of its own in the report. */
__attribute__((noinline)) static void
copy_back(unsigned char *to, CUdeviceptr from)
{
	CHECK(cuMemcpyDtoH(to, from, SIZE));
}

int
main(int argc, char **argv)
{
	static unsigned char data[SIZE], back[SIZE];
	pthread_t threads[THREADS];
	CUdeviceptr memory[7];
	CUdevice device;
	CUmodule module;

	CHECK(cuInit(0));
	CHECK(cuDeviceGet(&device, 0));
	CHECK(cuDevicePrimaryCtxRetain(&context, device));
	CHECK(cuCtxSetCurrent(context));
	CHECK(cuModuleLoadData(&module, ptx));
	CHECK(cuModuleGetFunction(&nothing, module, "nothing"));
	for (int i = 0; i < 7; i++) {
		CHECK(cuMemAlloc(&memory[i], SIZE));
	}
	for (int i = 0; i < SIZE; i++) {
		data[i] = (unsigned char)(i * 7 + i / 251);
	}
	for (int i = 0; i < 5; i++) {
		CHECK(cuMemcpyHtoD(memory[i], data, SIZE));
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_create(&threads[i], NULL, launch, NULL);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
	}
	for (int i = 0; i < 3; i++) {
		copy_back(back, memory[i]);
	}
	CHECK(cuCtxSynchronize());
	if (memcmp(data, back, SIZE) != 0) {
		printf("FAIL: other data came back\n");
		return 1;
	}
	printf("PASS\n");
	if (argc > 1 && strcmp(argv[1], "exit") == 0) {
		exit(7);
	}
	return 0;
}
