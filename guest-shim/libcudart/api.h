/* SPDX-License-Identifier: Apache-2.0 */
/* api.h: the runtime's names, visible to programs; all else in this folder is hidden.
 *
 * One source is built twice: CUDART_MAJOR is 13 or 12.  The headers are always those of
 * CUDA 13, so a function whose parameters differ in 12 has a name of ours in C and gets
 * its real one by EXPORT_AS(). */
#pragma once

#pragma GCC visibility push(default)
#include <cuda_runtime_api.h>

/* What compilers emit calls to (crt/host_runtime.h, crt/device_functions.h). */
void **__cudaRegisterFatBinary(void *wrapper);
void __cudaRegisterFatBinaryEnd(void **handle);
void __cudaUnregisterFatBinary(void **handle);
char __cudaInitModule(void **handle);
void __cudaRegisterFunction(void **handle, const char *host_function,
	char *device_function, const char *name, int thread_limit, uint3 *tid, uint3 *bid,
	dim3 *block, dim3 *grid, int *warp_size);
void __cudaRegisterVar(void **handle, char *host_variable, char *device_address,
	const char *name, int is_extern, size_t size, int is_constant, int is_global);
void __cudaRegisterManagedVar(void **handle, void **host_pointer, char *device_address,
	const char *name, int is_extern, size_t size, int is_constant, int is_global);
unsigned __cudaPushCallConfiguration(
	dim3 grid, dim3 block, size_t shared_size, struct CUstream_st *stream);
cudaError_t __cudaPopCallConfiguration(
	dim3 *grid, dim3 *block, size_t *shared_size, void *stream);
cudaError_t __cudaGetKernel(cudaKernel_t *kernel, const void *host_function);
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void **args,
	size_t shared_size, cudaStream_t stream);
cudaError_t __cudaLaunchKernel_ptsz(cudaKernel_t kernel, dim3 grid, dim3 block,
	void **args, size_t shared_size, cudaStream_t stream);

/* Exported by NVIDIA's library, declared in other headers of the toolkit or in none. */
cudaError_t cudaProfilerStart(void);
cudaError_t cudaProfilerStop(void);
cudaError_t cudaGetExportTable(const void **table, const cudaUUID_t *id);
#pragma GCC visibility pop

#define EXPORT_AS(name) __asm__(name) __attribute__((visibility("default")))
