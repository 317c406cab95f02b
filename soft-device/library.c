/* SPDX-License-Identifier: Apache-2.0 */
/* library.c: programs that belong to no context, and are loaded into each that uses them.
 *
 * A library knows its modules by their handles: when a context goes, its module goes with
 * it, and the handle is simply not found any more. */
#include "soft-device/module.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "soft-device/device.h"

struct loaded {
	void *context; /* handle */
	void *module;  /* handle */
};

struct library {
	struct object object;
	struct program *program; /* reference */
	pthread_mutex_t lock;
	void **kernels; /* handles, by index in ptx->functions */
	struct loaded *loaded;
	size_t n_loaded;
};

struct kernel {
	struct object object;
	struct library *library; /* reference */
	const struct ptx_function *ptx;
	struct function_settings settings;
};

static void
library_release(struct object *object)
{
	struct library *library = (struct library *)object;

	program_put(library->program);
	pthread_mutex_destroy(&library->lock);
	free(library->kernels);
	free(library->loaded);
	free(library);
}

static void
kernel_release(struct object *object)
{
	struct kernel *kernel = (struct kernel *)object;

	object_put(kernel->library);
	free(kernel);
}

static CUresult
library_get(CUlibrary handle, struct library **ret_library)
{
	TRY(device_ready());
	*ret_library = object_get(OBJECT_LIBRARY, handle);
	return *ret_library != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

static CUresult
kernel_get(CUkernel handle, struct kernel **ret_kernel)
{
	TRY(device_ready());
	*ret_kernel = object_get(OBJECT_KERNEL, handle);
	return *ret_kernel != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

#define USE_LIBRARY(name, handle) \
	cleanup_object struct library *name = NULL; \
	TRY(library_get(handle, &name))
#define USE_KERNEL(name, handle) \
	cleanup_object struct kernel *name = NULL; \
	TRY(kernel_get(handle, &name))

/* The library's module in the current context, loaded now if it was not. */
static CUresult
library_module(struct library *library, struct module **ret_module)
{
	USE_CONTEXT(context);
	HOLD_LOCK(&library->lock);
	size_t i = 0;

	while (i < library->n_loaded &&
		library->loaded[i].context != context->object.handle) {
		i++;
	}
	if (i < library->n_loaded) {
		*ret_module = object_get(OBJECT_MODULE, library->loaded[i].module);
		if (*ret_module != NULL) {
			return CUDA_SUCCESS;
		}
	} else {
		struct loaded *grown = realloc(
			library->loaded, (library->n_loaded + 1) * sizeof(*grown));

		if (grown == NULL) {
			return CUDA_ERROR_OUT_OF_MEMORY;
		}
		library->loaded = grown;
		grown[library->n_loaded++] =
			(struct loaded){ context->object.handle, NULL };
	}
	TRY(module_new(context, library->program, ret_module));
	library->loaded[i].module = (*ret_module)->object.handle;
	return CUDA_SUCCESS;
}

static CUresult
kernel_find(struct library *library, const struct ptx_function *ptx, CUkernel *ret_handle)
{
	HOLD_LOCK(&library->lock);

	if (library->kernels[ptx->index] == NULL) {
		struct kernel *kernel = calloc(1, sizeof(*kernel));

		if (kernel == NULL) {
			return CUDA_ERROR_OUT_OF_MEMORY;
		}
		kernel->library = object_ref(library);
		kernel->ptx = ptx;
		kernel->settings.carveout = -1;
		if (!object_register(
			    &kernel->object, OBJECT_KERNEL, NULL, kernel_release)) {
			kernel_release(&kernel->object);
			return CUDA_ERROR_OUT_OF_MEMORY;
		}
		library->kernels[ptx->index] = kernel->object.handle;
	}
	*ret_handle = library->kernels[ptx->index];
	return CUDA_SUCCESS;
}

CUresult
kernel_function(CUkernel handle, struct function **ret_function)
{
	cleanup_object struct module *module = NULL;

	USE_KERNEL(kernel, handle);
	TRY(library_module(kernel->library, &module));
	return module_function(module, kernel->ptx->name, &kernel->object,
		&kernel->settings, ret_function);
}

static CUresult
library_new(struct program *program, CUlibrary *ret_handle)
{
	struct library *library = calloc(1, sizeof(*library));

	if (library == NULL) {
		program_put(program);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	pthread_mutex_init(&library->lock, NULL);
	library->program = program;
	library->kernels =
		calloc(program->ptx->n_functions + 1, sizeof(*library->kernels));
	if (library->kernels == NULL || !object_register(&library->object, OBJECT_LIBRARY,
						NULL, library_release)) {
		library_release(&library->object);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*ret_handle = library->object.handle;
	return CUDA_SUCCESS;
}

CUresult
cuLibraryLoadData(CUlibrary *library, const void *code, CUjit_option *jitOptions,
	void **jitOptionsValues, unsigned int numJitOptions,
	CUlibraryOption *libraryOptions, void **libraryOptionValues,
	unsigned int numLibraryOptions)
{
	TRY(device_ready());
	if (library == NULL ||
		(numJitOptions > 0 && (jitOptions == NULL || jitOptionsValues == NULL))) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	struct load_log log;
	struct program *program;

	load_log_init(&log, numJitOptions, jitOptions, jitOptionsValues);
	TRY(program_new(code, &log, &program));
	return library_new(program, library);
}

CUresult
cuLibraryLoadFromFile(CUlibrary *library, const char *fileName, CUjit_option *jitOptions,
	void **jitOptionsValues, unsigned int numJitOptions,
	CUlibraryOption *libraryOptions, void **libraryOptionValues,
	unsigned int numLibraryOptions)
{
	TRY(device_ready());
	if (library == NULL ||
		(numJitOptions > 0 && (jitOptions == NULL || jitOptionsValues == NULL))) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	struct load_log log;
	struct program *program;

	load_log_init(&log, numJitOptions, jitOptions, jitOptionsValues);
	TRY(program_new_file(fileName, &log, &program));
	return library_new(program, library);
}

CUresult
cuLibraryUnload(CUlibrary library)
{
	USE_LIBRARY(found, library);
	if (!object_unregister(&found->object)) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	for (uint32_t i = 0; i < found->program->ptx->n_functions; i++) {
		cleanup_object struct kernel *kernel =
			object_get(OBJECT_KERNEL, found->kernels[i]);

		if (kernel != NULL && object_unregister(&kernel->object)) {
			object_put(kernel);
		}
	}
	for (size_t i = 0; i < found->n_loaded; i++) {
		cleanup_object struct module *module =
			object_get(OBJECT_MODULE, found->loaded[i].module);

		if (module != NULL) {
			module_unload(module);
		}
	}
	object_put(found);
	return CUDA_SUCCESS;
}

CUresult
cuLibraryGetKernel(CUkernel *pKernel, CUlibrary library, const char *name)
{
	USE_LIBRARY(found, library);
	if (pKernel == NULL || name == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	const struct ptx_function *ptx = ptx_module_function(found->program->ptx, name);

	if (ptx == NULL || !ptx->is_entry || !ptx->is_defined) {
		return CUDA_ERROR_NOT_FOUND;
	}
	return kernel_find(found, ptx, pKernel);
}

CUresult
cuLibraryGetKernelCount(unsigned int *count, CUlibrary lib)
{
	USE_LIBRARY(library, lib);
	if (count == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*count = (unsigned int)program_n_entries(library->program);
	return CUDA_SUCCESS;
}

CUresult
cuLibraryEnumerateKernels(CUkernel *kernels, unsigned int numKernels, CUlibrary lib)
{
	USE_LIBRARY(library, lib);
	if (kernels == NULL || numKernels == 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	for (unsigned int i = 0; i < numKernels; i++) {
		const struct ptx_function *ptx = program_entry(library->program, i);

		if (ptx == NULL) {
			return CUDA_SUCCESS;
		}
		TRY(kernel_find(library, ptx, &kernels[i]));
	}
	return CUDA_SUCCESS;
}

CUresult
cuLibraryGetModule(CUmodule *pMod, CUlibrary library)
{
	USE_LIBRARY(found, library);
	if (pMod == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	cleanup_object struct module *module = NULL;

	TRY(library_module(found, &module));
	*pMod = module->object.handle;
	return CUDA_SUCCESS;
}

CUresult
cuLibraryGetGlobal(CUdeviceptr *dptr, size_t *bytes, CUlibrary library, const char *name)
{
	USE_LIBRARY(found, library);
	if (name == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	cleanup_object struct module *module = NULL;

	TRY(library_module(found, &module));
	return module_variable(module, name, dptr, bytes);
}

/* Memory of the device is memory of the host here, so every variable could be a managed
 * one; that a name is one, the caller knows from its program. */
CUresult
cuLibraryGetManaged(CUdeviceptr *dptr, size_t *bytes, CUlibrary library, const char *name)
{
	return cuLibraryGetGlobal(dptr, bytes, library, name);
}

/* ---- kernels ---- */

CUresult
cuKernelGetFunction(CUfunction *pFunc, CUkernel kernel)
{
	if (pFunc == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	cleanup_object struct function *function = NULL;

	TRY(kernel_function(kernel, &function));
	*pFunc = function->object.handle;
	return CUDA_SUCCESS;
}

CUresult
cuKernelGetLibrary(CUlibrary *pLib, CUkernel kernel)
{
	USE_KERNEL(found, kernel);
	if (pLib == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*pLib = found->library->object.handle;
	return CUDA_SUCCESS;
}

CUresult
cuKernelGetName(const char **name, CUkernel hfunc)
{
	USE_KERNEL(kernel, hfunc);
	if (name == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*name = kernel->ptx->name;
	return CUDA_SUCCESS;
}

CUresult
cuKernelGetParamInfo(
	CUkernel kernel, size_t paramIndex, size_t *paramOffset, size_t *paramSize)
{
	USE_KERNEL(found, kernel);
	return function_param(found->ptx, paramIndex, paramOffset, paramSize);
}

CUresult
cuKernelGetAttribute(int *pi, CUfunction_attribute attrib, CUkernel kernel, CUdevice dev)
{
	USE_KERNEL(found, kernel);
	TRY(device_check(dev));
	if (pi == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	return function_attribute(found->ptx, &found->settings, attrib, pi);
}

CUresult
cuKernelSetAttribute(CUfunction_attribute attrib, int val, CUkernel kernel, CUdevice dev)
{
	USE_KERNEL(found, kernel);
	TRY(device_check(dev));
	return function_set_attribute(found->ptx, &found->settings, attrib, val);
}

CUresult
cuKernelSetCacheConfig(CUkernel kernel, CUfunc_cache config, CUdevice dev)
{
	USE_KERNEL(found, kernel);
	TRY(device_check(dev));
	return config <= CU_FUNC_CACHE_PREFER_EQUAL ? CUDA_SUCCESS
						    : CUDA_ERROR_INVALID_VALUE;
}
