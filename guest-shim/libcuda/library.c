/* SPDX-License-Identifier: Apache-2.0 */
/* library.c: libraries, which are modules of every context, and their kernels. */
#include <stdlib.h>

#include "common/cleanup.h"
#include "guest-shim/libcuda/api.h"
#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/global.h"
#include "guest-shim/libcuda/guest.h"
#include "guest-shim/libcuda/module.h"
#include "guest-shim/libcuda/module_file.h"
#include "guest-shim/libcuda/session.h"
#include "remote.h"

static void
unlockp(int *unused)
{
	module_unlock();
}

/* The modules' lock until the end of the scope. */
#define HOLD_MODULES()           \
	module_lock();           \
	cleanup(unlockp) __attribute__((unused)) int held_ = 0

static CUresult
find(CUlibrary handle, struct module **ret_library)
{
	CUresult result = session_error();

	if (result != CUDA_SUCCESS) {
		return result;
	}
	*ret_library = handle_find(HANDLE_CUlibrary, handle);
	return *ret_library != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUDA_EXPORT CUresult CUDAAPI
cuLibraryLoadData(CUlibrary *library, const void *code, CUjit_option *jitOptions,
	void **jitOptionsValues, unsigned int numJitOptions, CUlibraryOption *libraryOptions,
	void **libraryOptionValues, unsigned int numLibraryOptions)
{
	struct context *context;
	CUresult result = context_current(&context);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (library == NULL || code == NULL ||
		(numJitOptions > 0 && (jitOptions == NULL || jitOptionsValues == NULL))) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	result = module_load(HANDLE_CUlibrary, code, (void **)library);
	module_empty_logs(numJitOptions, jitOptions, jitOptionsValues);
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuLibraryLoadFromFile(CUlibrary *library, const char *fileName, CUjit_option *jitOptions,
	void **jitOptionsValues, unsigned int numJitOptions, CUlibraryOption *libraryOptions,
	void **libraryOptionValues, unsigned int numLibraryOptions)
{
	cleanup_free void *image = NULL;

	if (library == NULL || fileName == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	CUresult result = module_read_file(fileName, &image);
	return result != CUDA_SUCCESS
		? result
		: cuLibraryLoadData(library, image, jitOptions, jitOptionsValues, numJitOptions,
			  libraryOptions, libraryOptionValues, numLibraryOptions);
}

CUDA_EXPORT CUresult CUDAAPI
cuLibraryUnload(CUlibrary library)
{
	struct module *object;
	CUresult result = find(library, &object);

	if (result == CUDA_SUCCESS) {
		result = remote_cuLibraryUnload(library); /* drops the handle */
	}
	if (result == CUDA_SUCCESS) {
		HOLD_MODULES();
		module_end(object);
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuLibraryGetKernelCount(unsigned int *count, CUlibrary lib)
{
	struct module *library;
	CUresult result = find(lib, &library);

	if (result == CUDA_SUCCESS && count == NULL) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	if (result == CUDA_SUCCESS) {
		*count = (unsigned)image_kernels_count(library->kernels);
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuLibraryEnumerateKernels(CUkernel *kernels, unsigned int numKernels, CUlibrary lib)
{
	struct module *library;
	CUresult result = find(lib, &library);

	if (result == CUDA_SUCCESS && kernels == NULL) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	for (unsigned i = 0; result == CUDA_SUCCESS && i < numKernels &&
		i < image_kernels_count(library->kernels); i++) {
		result = cuLibraryGetKernel(
			&kernels[i], lib, image_kernels_at(library->kernels, i)->name);
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuLibraryGetKernel(CUkernel *pKernel, CUlibrary library, const char *name)
{
	struct module *object;
	CUresult result = find(library, &object);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (pKernel == NULL || name == NULL || name[0] == '\0') {
		return CUDA_ERROR_INVALID_VALUE;
	}
	const struct image_kernel *layout = image_kernels_find(object->kernels, name);
	if (layout == NULL) {
		return CUDA_ERROR_NOT_FOUND;
	}
	HOLD_MODULES();
	for (struct function *f = object->functions; f != NULL; f = f->next) {
		if (f->layout == layout && f->type == HANDLE_CUkernel) {
			*pKernel = f->handle;
			return CUDA_SUCCESS;
		}
	}
	struct function *kernel;
	CUkernel handle;
	result = remote_cuLibraryGetKernel(&handle, library, name);
	if (result == CUDA_SUCCESS) {
		result = module_add_function(object, &(struct function){
			.type = HANDLE_CUkernel, .handle = handle, .layout = layout }, &kernel);
	}
	if (result == CUDA_SUCCESS) {
		*pKernel = handle;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuLibraryGetModule(CUmodule *pMod, CUlibrary library)
{
	struct module *object;
	struct context *context;
	CUresult result = find(library, &object);

	if (result == CUDA_SUCCESS) {
		result = context_current(&context);
	}
	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (pMod == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	HOLD_MODULES();
	for (struct module *m = object->modules; m != NULL; m = m->next) {
		if (m->context == context) {
			*pMod = m->handle;
			return CUDA_SUCCESS;
		}
	}
	CUmodule handle;
	result = remote_cuLibraryGetModule(&handle, library);
	if (result != CUDA_SUCCESS) {
		return result;
	}
	struct module *module = module_new(&(struct module){ .type = HANDLE_CUmodule,
		.handle = handle, .kernels = object->kernels, .library = object,
		.context = context, .next = object->modules });
	if (module == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	object->modules = module;
	*pMod = handle;
	return CUDA_SUCCESS;
}

CUDA_EXPORT CUresult CUDAAPI
cuLibraryGetGlobal(CUdeviceptr *dptr, size_t *bytes, CUlibrary library, const char *name)
{
	struct module *object;
	CUresult result = find(library, &object);

	return result == CUDA_SUCCESS ? global_get(object, name, dptr, bytes) : result;
}

/* ---- kernels ---- */

static CUresult
find_kernel(CUkernel handle, struct function **ret_kernel)
{
	CUresult result = session_error();

	if (result != CUDA_SUCCESS) {
		return result;
	}
	*ret_kernel = handle_find(HANDLE_CUkernel, handle);
	return *ret_kernel != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUDA_EXPORT CUresult CUDAAPI
cuKernelGetFunction(CUfunction *pFunc, CUkernel kernel)
{
	struct function *object;
	struct context *context;
	CUresult result = find_kernel(kernel, &object);

	if (result == CUDA_SUCCESS) {
		result = context_current(&context);
	}
	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (pFunc == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	HOLD_MODULES();
	for (struct function *f = object->owner->functions; f != NULL; f = f->next) {
		if (f->kernel == object && f->context == context) {
			*pFunc = f->handle;
			return CUDA_SUCCESS;
		}
	}
	struct function *function;
	CUfunction handle;
	result = remote_cuKernelGetFunction(&handle, kernel);
	if (result == CUDA_SUCCESS) {
		result = module_add_function(object->owner, &(struct function){
			.type = HANDLE_CUfunction, .handle = handle, .layout = object->layout,
			.kernel = object, .context = context }, &function);
	}
	if (result == CUDA_SUCCESS) {
		*pFunc = handle;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuKernelGetLibrary(CUlibrary *pLib, CUkernel kernel)
{
	struct function *object;
	CUresult result = find_kernel(kernel, &object);

	if (result == CUDA_SUCCESS && pLib == NULL) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	if (result == CUDA_SUCCESS) {
		*pLib = object->owner->handle;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuKernelGetName(const char **name, CUkernel hfunc)
{
	struct function *object;
	CUresult result = find_kernel(hfunc, &object);

	if (result == CUDA_SUCCESS && name == NULL) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	if (result == CUDA_SUCCESS) {
		*name = object->layout->name;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuKernelGetParamInfo(CUkernel kernel, size_t paramIndex, size_t *paramOffset,
	size_t *paramSize)
{
	struct function *object;
	CUresult result = find_kernel(kernel, &object);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (paramOffset == NULL || paramIndex >= object->layout->n_params) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*paramOffset = object->layout->params[paramIndex].offset;
	if (paramSize != NULL) {
		*paramSize = object->layout->params[paramIndex].size;
	}
	return CUDA_SUCCESS;
}
