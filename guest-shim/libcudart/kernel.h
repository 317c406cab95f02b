/* SPDX-License-Identifier: Apache-2.0 */
/* kernel.h: from what a program calls a kernel to the driver's handle. */
#pragma once

#include <cuda.h>

#include "guest-shim/libcudart/fatbin.h"

cudaError_t kernel_load(struct kernel *kernel, CUkernel *ret_handle);

/* The handle of a registered kernel; loads its fat binary at the first call. */
static inline cudaError_t
kernel_handle(struct kernel *kernel, CUkernel *ret_handle)
{
	CUkernel handle = atomic_load_explicit(&kernel->handle, memory_order_acquire);
	if (__builtin_expect(handle == NULL, 0)) {
		return kernel_load(kernel, ret_handle);
	}
	*ret_handle = handle;
	return cudaSuccess;
}

/* Whatever the API allows for "const void *func": the address of a __global__ function,
 * or a handle from cudaGetKernel or cudaLibraryGetKernel. */
cudaError_t kernel_find(const void *func, CUkernel *ret_handle);
/* Makes a handle known to kernel_find(). */
void kernel_know(CUkernel handle);
