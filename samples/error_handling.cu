/* SPDX-License-Identifier: Apache-2.0 */
/* error_handling.cu: what goes wrong is reported as CUDA documents it, and no further. */
#include "check.h"

#define EXPECT(call, expected) \
	do { \
		cudaError_t expect_error = (call); \
		if (expect_error != (expected)) { \
			FAIL("line %d: %s gave %s (%d), not %s", __LINE__, #call, \
				cudaGetErrorName(expect_error), (int)expect_error, \
				#expected); \
		} \
	} while (0)

/* What is wrong with a launch has two names: cudaErrorInvalidConfiguration and
 * cudaErrorInvalidDeviceFunction as documented and up to 12; with the runtime and driver
 * of 13.0 the first is cudaErrorInvalidValue, the second cudaErrorInvalidResourceHandle.
 */
#define EXPECT_EITHER(call, documented, in_13) \
	do { \
		cudaError_t either_error = (call); \
		if (either_error != (documented) && either_error != (in_13)) { \
			FAIL("line %d: %s gave %s (%d), not %s", __LINE__, #call, \
				cudaGetErrorName(either_error), (int)either_error, \
				#documented); \
		} \
	} while (0)

__global__ void
fill(int *data, int value)
{
	data[threadIdx.x] = value;
}

static void
not_a_kernel(void)
{
}

static int not_a_symbol;

/* The device still works: what it wrote comes back. */
static void
alive(int *device)
{
	int value = rand(), back[32];

	fill<<<1, 32>>>(device, value);
	CHECK(cudaGetLastError());
	CHECK(cudaMemcpy(back, device, sizeof(back), cudaMemcpyDeviceToHost));
	for (int i = 0; i < 32; i++) {
		if (back[i] != value) {
			FAIL("after an error: element %d is %d, not %d", i, back[i],
				value);
		}
	}
}

static void
expect_wrong_launch(int line)
{
	cudaError_t peeked = cudaPeekAtLastError();

	EXPECT_EITHER(peeked, cudaErrorInvalidConfiguration, cudaErrorInvalidValue);
	cudaError_t got = cudaGetLastError(), then = cudaGetLastError();
	if (got != peeked || then != cudaSuccess) {
		FAIL("line %d: peeked %s, got %s, then %s", line,
			cudaGetErrorName(peeked), cudaGetErrorName(got),
			cudaGetErrorName(then));
	}
}

static void
wrong_launches(int *device)
{
	int value = 1;
	void *arguments[] = { &device, &value };

	fill<<<1, 2000>>>(device, 1);
	expect_wrong_launch(__LINE__);
	fill<<<0, 32>>>(device, 1);
	expect_wrong_launch(__LINE__);
	fill<<<dim3(1, 1, 100000), 32>>>(device, 1);
	expect_wrong_launch(__LINE__);
	fill<<<1, dim3(1, 1, 65)>>>(device, 1);
	expect_wrong_launch(__LINE__);
	fill<<<1, 32, 64 << 20>>>(device, 1);
	expect_wrong_launch(__LINE__);
	EXPECT_EITHER(cudaLaunchKernel((const void *)not_a_kernel, dim3(1), dim3(1),
			      arguments, 0, 0),
		cudaErrorInvalidDeviceFunction, cudaErrorInvalidResourceHandle);
	EXPECT_EITHER(cudaGetLastError(), cudaErrorInvalidDeviceFunction,
		cudaErrorInvalidResourceHandle);
	EXPECT(cudaGetLastError(), cudaSuccess);
	alive(device);
}

static void
wrong_arguments(int *device)
{
	size_t n_free, n_total;
	void *too_much = NULL;
	int value = 0;

	CHECK(cudaMemGetInfo(&n_free, &n_total));
	EXPECT(cudaMalloc(&too_much, n_total + ((size_t)1 << 30)),
		cudaErrorMemoryAllocation);
	EXPECT(cudaGetLastError(), cudaErrorMemoryAllocation);
	EXPECT(cudaGetLastError(), cudaSuccess);
	EXPECT(cudaMemcpyToSymbol(not_a_symbol, &value, sizeof(value)),
		cudaErrorInvalidSymbol);
	EXPECT(cudaGetLastError(), cudaErrorInvalidSymbol);
	EXPECT(cudaMemcpy(&value, device, sizeof(value), (cudaMemcpyKind)77),
		cudaErrorInvalidMemcpyDirection);
	EXPECT(cudaSetDevice(10000), cudaErrorInvalidDevice);
	EXPECT(cudaFree(&value), cudaErrorInvalidValue);
	EXPECT(cudaFree(NULL), cudaSuccess);
	EXPECT(cudaGetLastError(), cudaErrorInvalidValue);
	alive(device);
}

/* From here on the context is lost, and every call says so. */
static void
illegal_address(int *device)
{
	void *pointer;
	int value;

	fill<<<1, 32>>>((int *)0x10, 1);
	EXPECT(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
	EXPECT(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
	EXPECT(cudaGetLastError(), cudaErrorIllegalAddress);
	EXPECT(cudaMalloc(&pointer, 256), cudaErrorIllegalAddress);
	EXPECT(cudaMemcpy(&value, device, sizeof(value), cudaMemcpyDeviceToHost),
		cudaErrorIllegalAddress);
	fill<<<1, 32>>>(device, 1);
	EXPECT(cudaGetLastError(), cudaErrorIllegalAddress);
	EXPECT(cudaFree(device), cudaErrorIllegalAddress);
	EXPECT(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
}

int
main(void)
{
	int *device;

	seed_random();
	CHECK(cudaMalloc(&device, 32 * sizeof(int)));
	alive(device);
	wrong_launches(device);
	wrong_arguments(device);
	illegal_address(device);
	printf("PASS\n");
	return 0;
}
