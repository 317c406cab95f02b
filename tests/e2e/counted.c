/* SPDX-License-Identifier: Apache-2.0 */
/* counted.c: a driver API program that makes a known number of calls, for test_stats.py.
 * Usage: counted return|exit */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define SIZE 1000000
#define THREADS 4
#define LAUNCHES 250

static CUcontext context;
static CUfunction nothing;

static void *
launch(void *arg)
{
	DO(cuCtxSetCurrent(context));
	for (int i = 0; i < LAUNCHES; i++) {
		DO(cuLaunchKernel(nothing, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
	}
	return NULL;
}

/* Not inlined, so that it is a place of its own in the report. */
__attribute__((noinline)) static void
copy_back(unsigned char *to, CUdeviceptr from)
{
	DO(cuMemcpyDtoH(to, from, SIZE));
}

int
main(int argc, char **argv)
{
	static unsigned char data[SIZE], back[SIZE];
	pthread_t threads[THREADS];
	CUdeviceptr memory[7];

	DO(cuInit(0));
	context = use_device(0);
	nothing = load_kernel(PTX_HEAD PTX_NOTHING, "nothing");
	for (int i = 0; i < 7; i++) {
		DO(cuMemAlloc(&memory[i], SIZE));
	}
	for (int i = 0; i < SIZE; i++) {
		data[i] = (unsigned char)(i * 7 + i / 251);
	}
	for (int i = 0; i < 5; i++) {
		DO(cuMemcpyHtoD(memory[i], data, SIZE));
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
	DO(cuCtxSynchronize());
	if (memcmp(data, back, SIZE) != 0) {
		FAIL("other data came back");
	}
	printf("PASS\n");
	if (argc > 1 && strcmp(argv[1], "exit") == 0) {
		exit(7);
	}
	return 0;
}
