/* SPDX-License-Identifier: Apache-2.0 */
/* test-error.c: errors, contexts and lazy loading, against a driver made of globals. */
#include "guest-shim/libcudart/error.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "guest-shim/libcudart/driver.h"

/* The driver: two devices, whose contexts are the addresses of these. */
static char contexts[2];
static int n_retains, n_resets, n_loads, n_launches, n_unloads;
static CUresult result;	       /* of cuMemAlloc and cuCtxSynchronize */
static CUresult launch_result; /* of cuLaunchKernel */
static CUresult load_result;   /* of cuLibraryLoadData */
static unsigned launched_shared;
static CUstream launched_stream;
static __thread CUcontext current;

CUresult
cuInit(unsigned flags)
{
	return CUDA_SUCCESS;
}
CUresult
cuDriverGetVersion(int *version)
{
	*version = 13000;
	return CUDA_SUCCESS;
}
CUresult
cuDeviceGetCount(int *n)
{
	*n = 2;
	return CUDA_SUCCESS;
}
CUresult
cuDeviceGet(CUdevice *device, int i)
{
	*device = i;
	return CUDA_SUCCESS;
}
CUresult
cuCtxGetCurrent(CUcontext *c)
{
	*c = current;
	return CUDA_SUCCESS;
}
CUresult
cuCtxSetCurrent(CUcontext c)
{
	current = c;
	return CUDA_SUCCESS;
}

CUresult
cuCtxGetDevice(CUdevice *device)
{
	*device = (char *)current == &contexts[1];
	return CUDA_SUCCESS;
}

CUresult
cuDevicePrimaryCtxRetain(CUcontext *c, CUdevice device)
{
	n_retains++;
	*c = (CUcontext)&contexts[device];
	return CUDA_SUCCESS;
}

CUresult
cuDevicePrimaryCtxRelease(CUdevice device)
{
	return CUDA_SUCCESS;
}
CUresult
cuDevicePrimaryCtxReset(CUdevice device)
{
	n_resets++;
	return CUDA_SUCCESS;
}
CUresult
cuCtxSynchronize(void)
{
	return result;
}

CUresult
cuMemAlloc(CUdeviceptr *address, size_t size)
{
	*address = 0x1000;
	return size == 0 ? CUDA_ERROR_INVALID_VALUE : result;
}

CUresult
cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device)
{
	*value = 1024;
	return CUDA_SUCCESS;
}

CUresult
cuLibraryLoadData(CUlibrary *library, const void *code, CUjit_option *options,
	void **values, unsigned n_options, CUlibraryOption *library_options,
	void **library_values, unsigned n_library_options)
{
	n_loads++;
	*library = (CUlibrary)code;
	return load_result;
}

CUresult
cuLibraryUnload(CUlibrary library)
{
	n_unloads++;
	return CUDA_SUCCESS;
}

CUresult
cuLibraryGetKernel(CUkernel *kernel, CUlibrary library, const char *name)
{
	if (strcmp(name, "lost") == 0) {
		return CUDA_ERROR_NOT_FOUND;
	}
	*kernel = (CUkernel)name;
	return CUDA_SUCCESS;
}

CUresult
cuLaunchKernel(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
	unsigned by, unsigned bz, unsigned shared, CUstream stream, void **args,
	void **extra)
{
	n_launches++;
	launched_shared = shared;
	launched_stream = stream;
	return launch_result;
}

static int
fresh(void **state)
{
	result = launch_result = load_result = CUDA_SUCCESS;
	cudaDeviceReset();
	cudaSetDevice(0);
	cudaGetLastError();
	return 0;
}

static void
success_does_not_clear_an_error(void **state)
{
	void *p;
	result = CUDA_ERROR_OUT_OF_MEMORY;
	assert_int_equal(cudaMalloc(&p, 8), cudaErrorMemoryAllocation);
	result = CUDA_SUCCESS;
	assert_int_equal(cudaMalloc(&p, 8), cudaSuccess);
	assert_int_equal(cudaPeekAtLastError(), cudaErrorMemoryAllocation);
	assert_int_equal(cudaPeekAtLastError(), cudaErrorMemoryAllocation);
	assert_int_equal(cudaGetLastError(), cudaErrorMemoryAllocation);
	assert_int_equal(cudaGetLastError(), cudaSuccess);
}

static void
a_later_error_replaces_an_earlier_one(void **state)
{
	cudaSetDevice(7);
	cudaMalloc(NULL, 8);
	assert_int_equal(cudaGetLastError(), cudaErrorInvalidValue);
}

static void
what_broke_the_context_comes_back_with_every_call(void **state)
{
	void *p;
	result = CUDA_ERROR_ILLEGAL_ADDRESS;
	assert_int_equal(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
	assert_int_equal(cudaGetLastError(), cudaErrorIllegalAddress);
	assert_int_equal(cudaGetLastError(), cudaSuccess);
	assert_int_equal(cudaMalloc(&p, 8), cudaErrorIllegalAddress);
	assert_int_equal(cudaGetLastError(), cudaErrorIllegalAddress);
}

static void *
look_for_error(void *data)
{
	*(cudaError_t *)data = cudaGetLastError();
	return NULL;
}

static void
each_thread_has_its_own_last_error(void **state)
{
	pthread_t thread;
	cudaError_t seen = cudaErrorUnknown;

	cudaSetDevice(7);
	pthread_create(&thread, NULL, look_for_error, &seen);
	pthread_join(thread, NULL);
	assert_int_equal(seen, cudaSuccess);
	assert_int_equal(cudaGetLastError(), cudaErrorInvalidDevice);
}

static void
every_error_has_a_name_and_a_text(void **state)
{
	assert_string_equal(cudaGetErrorName(cudaErrorNotReady), "cudaErrorNotReady");
	assert_string_equal(cudaGetErrorString(cudaSuccess), "no error");
	assert_string_equal(
		cudaGetErrorName((cudaError_t)777), "unrecognized error code");
	assert_string_equal(
		cudaGetErrorString((cudaError_t)-1), "unrecognized error code");
}

static void
size_zero_is_not_asked_of_the_driver(void **state)
{
	void *p = &p;
	assert_int_equal(cudaMalloc(&p, 0), cudaSuccess);
	assert_null(p);
}

static void
a_context_is_retained_once_and_again_after_reset(void **state)
{
	void *p;
	int n = n_retains;
	cudaMalloc(&p, 1);
	cudaMalloc(&p, 1);
	cudaSetDevice(0);
	assert_int_equal(n_retains, n);
	assert_int_equal(cudaDeviceReset(), cudaSuccess);
	cudaMalloc(&p, 1);
	assert_int_equal(n_retains, n + 1);
}

static void
a_context_of_the_programs_own_is_used(void **state)
{
	void *p;
	int device = -1;
	cuCtxSetCurrent((CUcontext)&contexts[1]);
	cudaMalloc(&p, 1);
	assert_ptr_equal(current, &contexts[1]);
	cudaGetDevice(&device);
	assert_int_equal(device, 1);
	cuCtxSetCurrent(NULL);
	cudaMalloc(&p, 1);
	assert_ptr_equal(current, &contexts[1]);
	cudaSetDevice(0);
	assert_ptr_equal(current, &contexts[0]);
}

static char wrapper, function, lost_function, shadow;

static void
a_binary_is_loaded_at_the_first_launch_and_once(void **state)
{
	cudaKernel_t kernel = NULL;
	dim3 one = { 1, 1, 1 };
	int loads = n_loads;
	int launches = n_launches;
	int unloads = n_unloads;
	void **handle = __cudaRegisterFatBinary(&wrapper);
	__cudaRegisterFunction(
		handle, &function, NULL, "kernel", -1, NULL, NULL, NULL, NULL, NULL);
	__cudaRegisterFunction(
		handle, &lost_function, NULL, "lost", -1, NULL, NULL, NULL, NULL, NULL);
	__cudaRegisterFatBinaryEnd(handle);
	assert_int_equal(__cudaGetKernel(&kernel, &function), cudaSuccess);
	assert_int_equal(n_loads, loads);

	load_result = CUDA_ERROR_NO_BINARY_FOR_GPU;
	assert_int_equal(__cudaLaunchKernel(kernel, one, one, NULL, 0, NULL),
		cudaErrorNoKernelImageForDevice);
	load_result = CUDA_SUCCESS;
	assert_int_equal(
		__cudaLaunchKernel(kernel, one, one, NULL, 8, NULL), cudaSuccess);
	assert_int_equal(
		__cudaLaunchKernel_ptsz(kernel, one, one, NULL, 0, NULL), cudaSuccess);
	assert_ptr_equal(launched_stream, CU_STREAM_PER_THREAD);
	assert_int_equal(
		cudaLaunchKernel(&function, one, one, NULL, 16, NULL), cudaSuccess);
	assert_int_equal(launched_shared, 16);
	assert_ptr_equal(launched_stream, NULL);
	assert_int_equal(n_loads, loads + 2); /* one failed */
	assert_int_equal(n_launches, launches + 3);
	assert_int_equal(cudaLaunchKernel(&lost_function, one, one, NULL, 0, NULL),
		cudaErrorInvalidDeviceFunction);
	assert_int_equal(
		cudaLaunchKernel(&function, one, one, NULL, (size_t)1 << 32, NULL),
		cudaErrorInvalidValue);

	__cudaUnregisterFatBinary(handle);
	assert_int_equal(n_unloads, unloads + 1);
	assert_int_equal(cudaLaunchKernel(&function, one, one, NULL, 0, NULL),
		cudaErrorInvalidResourceHandle);
	assert_int_equal(
		__cudaGetKernel(&kernel, &function), cudaErrorInvalidDeviceFunction);
}

static void
a_configuration_that_no_device_runs_is_told_apart_in_12(void **state)
{
	const cudaError_t wrong_configuration = CUDART_MAJOR == 12
							? cudaErrorInvalidConfiguration
							: cudaErrorInvalidValue;
	cudaKernel_t kernel = NULL;
	dim3 one = { 1, 1, 1 };
	dim3 none = { 0, 1, 1 };
	dim3 many = { 64, 64, 1 };
	void **handle = __cudaRegisterFatBinary(&wrapper);
	__cudaRegisterFunction(
		handle, &function, NULL, "kernel", -1, NULL, NULL, NULL, NULL, NULL);
	__cudaGetKernel(&kernel, &function);
	launch_result = CUDA_ERROR_INVALID_VALUE;
	assert_int_equal(__cudaLaunchKernel(kernel, none, one, NULL, 0, NULL),
		wrong_configuration);
	assert_int_equal(__cudaLaunchKernel(kernel, one, many, NULL, 0, NULL),
		wrong_configuration);
	assert_int_equal(__cudaLaunchKernel(kernel, one, one, NULL, 0, NULL),
		cudaErrorInvalidValue);
	__cudaUnregisterFatBinary(handle);
}

static void
configurations_nest_and_are_bounded(void **state)
{
	dim3 grid, block;
	size_t shared;
	cudaStream_t stream;
	unsigned n = 0;

	while (n < 1000 && __cudaPushCallConfiguration((dim3){ n + 1, 1, 1 },
				   (dim3){ 1, 1, 1 }, n, NULL) == 0) {
		n++;
	}
	assert_int_equal(n, THREAD_CONFIGS);
	while (n > 0) {
		assert_int_equal(
			__cudaPopCallConfiguration(&grid, &block, &shared, &stream),
			cudaSuccess);
		assert_int_equal(grid.x, n--);
		assert_int_equal(shared, n);
	}
	assert_int_equal(__cudaPopCallConfiguration(&grid, &block, &shared, &stream),
		cudaErrorMissingConfiguration);
}

static void
symbols_are_known_while_registered(void **state)
{
	size_t size;
	void **handle = __cudaRegisterFatBinary(&wrapper);
	assert_int_equal(cudaGetSymbolSize(&size, &shadow), cudaErrorInvalidSymbol);
	__cudaRegisterVar(handle, &shadow, NULL, "variable", 0, 4, 0, 0);
	/* This driver has no variables at all, and that is another answer. */
	assert_int_equal(cudaGetSymbolSize(&size, &shadow), cudaErrorNotSupported);
	__cudaUnregisterFatBinary(handle);
	assert_int_equal(cudaGetSymbolSize(&size, &shadow), cudaErrorInvalidSymbol);
}

static void
what_the_driver_lacks_is_not_supported(void **state)
{
	cudaStream_t stream;
	assert_int_equal(cudaStreamCreate(&stream), cudaErrorNotSupported);
	assert_int_equal(cudaGetLastError(), cudaErrorNotSupported);
}

static void
wrong_directions_and_pitches_are_refused(void **state)
{
	char a[8] = { 0 };
	assert_int_equal(cudaMemcpy(a, a, 1, (enum cudaMemcpyKind)5),
		cudaErrorInvalidMemcpyDirection);
	assert_int_equal(cudaMemcpy(a, a, 1, (enum cudaMemcpyKind) - 1),
		cudaErrorInvalidMemcpyDirection);
	assert_int_equal(cudaMemcpy2D(a, 1, a, 8, 2, 2, cudaMemcpyHostToDevice),
		cudaErrorInvalidPitchValue);
	assert_int_equal(cudaMemcpy(a, a, 0, cudaMemcpyDefault), cudaSuccess);
}

#define TEST(f) cmocka_unit_test_setup(f, fresh)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(success_does_not_clear_an_error),
		TEST(a_later_error_replaces_an_earlier_one),
		TEST(what_broke_the_context_comes_back_with_every_call),
		TEST(each_thread_has_its_own_last_error),
		TEST(every_error_has_a_name_and_a_text),
		TEST(size_zero_is_not_asked_of_the_driver),
		TEST(a_context_is_retained_once_and_again_after_reset),
		TEST(a_context_of_the_programs_own_is_used),
		TEST(a_binary_is_loaded_at_the_first_launch_and_once),
		TEST(a_configuration_that_no_device_runs_is_told_apart_in_12),
		TEST(configurations_nest_and_are_bounded),
		TEST(symbols_are_known_while_registered),
		TEST(what_the_driver_lacks_is_not_supported),
		TEST(wrong_directions_and_pitches_are_refused),
	};
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
