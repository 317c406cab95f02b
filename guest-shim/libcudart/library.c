/* SPDX-License-Identifier: Apache-2.0 */
/* library.c: images that the program loads itself, and their kernels. */
#include "guest-shim/libcudart/driver.h"
#include "guest-shim/libcudart/kernel.h"

cudaError_t
cudaLibraryLoadData(cudaLibrary_t *library, const void *code,
	enum cudaJitOption *jitOptions, void **jitOptionsValues,
	unsigned int numJitOptions, enum cudaLibraryOption *libraryOptions,
	void **libraryOptionValues, unsigned int numLibraryOptions)
{
	return DRIVER(cuLibraryLoadData, library, code, (CUjit_option *)jitOptions,
		jitOptionsValues, numJitOptions, (CUlibraryOption *)libraryOptions,
		libraryOptionValues, numLibraryOptions);
}

cudaError_t
cudaLibraryLoadFromFile(cudaLibrary_t *library, const char *fileName,
	enum cudaJitOption *jitOptions, void **jitOptionsValues,
	unsigned int numJitOptions, enum cudaLibraryOption *libraryOptions,
	void **libraryOptionValues, unsigned int numLibraryOptions)
{
	return DRIVER(cuLibraryLoadFromFile, library, fileName,
		(CUjit_option *)jitOptions, jitOptionsValues, numJitOptions,
		(CUlibraryOption *)libraryOptions, libraryOptionValues,
		numLibraryOptions);
}

cudaError_t
cudaLibraryUnload(cudaLibrary_t library)
{
	return DRIVER(cuLibraryUnload, library);
}

cudaError_t
cudaLibraryGetKernel(cudaKernel_t *pKernel, cudaLibrary_t library, const char *name)
{
	cudaError_t error = DRIVER(cuLibraryGetKernel, pKernel, library, name);
	if (error == cudaSuccess) {
		kernel_know(*pKernel);
	}
	return error;
}

cudaError_t
cudaLibraryGetGlobal(void **dptr, size_t *bytes, cudaLibrary_t library, const char *name)
{
	return DRIVER(cuLibraryGetGlobal, (CUdeviceptr *)dptr, bytes, library, name);
}

cudaError_t
cudaLibraryGetManaged(void **dptr, size_t *bytes, cudaLibrary_t library, const char *name)
{
	return DRIVER(cuLibraryGetManaged, (CUdeviceptr *)dptr, bytes, library, name);
}

cudaError_t
cudaLibraryGetUnifiedFunction(void **fptr, cudaLibrary_t library, const char *symbol)
{
	return DRIVER(cuLibraryGetUnifiedFunction, fptr, library, symbol);
}

cudaError_t
cudaLibraryGetKernelCount(unsigned int *count, cudaLibrary_t lib)
{
	return DRIVER(cuLibraryGetKernelCount, count, lib);
}

cudaError_t
cudaLibraryEnumerateKernels(
	cudaKernel_t *kernels, unsigned int numKernels, cudaLibrary_t lib)
{
	unsigned n = 0;
	cudaError_t error = DRIVER(cuLibraryEnumerateKernels, kernels, numKernels, lib);
	if (error == cudaSuccess) {
		error = DRIVER(cuLibraryGetKernelCount, &n, lib);
	}
	for (unsigned i = 0; error == cudaSuccess && i < n && i < numKernels; i++) {
		kernel_know(kernels[i]);
	}
	return error;
}
