/* SPDX-License-Identifier: Apache-2.0 */
/* function.c: what is known about functions and kernels.
 *
 * Attributes are asked of the host once.  Setting one makes all that is remembered void:
 * attributes depend on each other, and a function shares them with its kernel. */
#include "guest-shim/libcuda/function.h"

#include "guest-shim/libcuda/api.h"
#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/guest.h"
#include "guest-shim/libcuda/session.h"
#include "remote.h"

/* 0 is never current: a zeroed cache is empty. */
static atomic_uint generation = 1;

unsigned
function_generation(void)
{
	return atomic_load_explicit(&generation, memory_order_acquire);
}

static void
forget_attributes(void)
{
	if (atomic_fetch_add(&generation, 1) + 1 == 0) {
		atomic_fetch_add(&generation, 1);
	}
}

static bool
remembered(const struct function *function, CUfunction_attribute which, int *ret)
{
	uint64_t known =
		atomic_load_explicit(&function->attributes[which], memory_order_relaxed);

	*ret = (int)(uint32_t)known;
	return known >> 32 == function_generation();
}

static void
remember(struct function *function, CUfunction_attribute which, int value, unsigned since)
{
	atomic_store_explicit(&function->attributes[which],
		(uint64_t)since << 32 | (uint32_t)value, memory_order_relaxed);
}

/* A kernel's attributes are remembered for one device: programs with several are few. */
static bool
is_remembering(const struct function *function, CUdevice device)
{
	return function->type != HANDLE_CUkernel || device == 0;
}

CUresult
function_attribute(struct function *function, CUfunction_attribute which, int *ret)
{
	CUdevice device = thread_self.current->device;
	unsigned since = function_generation();
	int value;

	if (is_remembering(function, device) && remembered(function, which, ret)) {
		return CUDA_SUCCESS;
	}
	CUresult result = function->type == HANDLE_CUkernel
		? remote_cuKernelGetAttribute(&value, which, function->handle, device)
		: remote_cuFuncGetAttribute(&value, which, function->handle);
	if (result == CUDA_SUCCESS) {
		if (is_remembering(function, device)) {
			remember(function, which, value, since);
		}
		*ret = value;
	}
	return result;
}

static CUresult
find(const void *handle, struct function **ret_function)
{
	struct context *context;
	CUresult result = context_current(&context);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	*ret_function = function_find(handle);
	return *ret_function != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUDA_EXPORT CUresult CUDAAPI
cuFuncGetAttribute(int *pi, CUfunction_attribute attrib, CUfunction hfunc)
{
	struct function *function;
	CUresult result = find(hfunc, &function);

	if (result == CUDA_SUCCESS &&
		(pi == NULL || (int)attrib < 0 || attrib >= CU_FUNC_ATTRIBUTE_MAX)) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	return result == CUDA_SUCCESS ? function_attribute(function, attrib, pi) : result;
}

CUDA_EXPORT CUresult CUDAAPI
cuFuncSetAttribute(CUfunction hfunc, CUfunction_attribute attrib, int value)
{
	struct function *function;
	CUresult result = find(hfunc, &function);

	if (result == CUDA_SUCCESS) {
		result = remote_cuFuncSetAttribute(hfunc, attrib, value);
		forget_attributes();
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuKernelGetAttribute(int *pi, CUfunction_attribute attrib, CUkernel kernel, CUdevice dev)
{
	unsigned since = function_generation();
	CUresult result = session_error();

	if (result != CUDA_SUCCESS) {
		return result;
	}
	struct function *function = handle_find(HANDLE_CUkernel, kernel);
	if (function == NULL) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	if (pi == NULL || (int)attrib < 0 || attrib >= CU_FUNC_ATTRIBUTE_MAX) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (is_remembering(function, dev) && remembered(function, attrib, pi)) {
		return CUDA_SUCCESS;
	}
	result = remote_cuKernelGetAttribute(pi, attrib, kernel, dev);
	if (result == CUDA_SUCCESS && is_remembering(function, dev)) {
		remember(function, attrib, *pi, since);
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuKernelSetAttribute(CUfunction_attribute attrib, int val, CUkernel kernel, CUdevice dev)
{
	CUresult result = remote_cuKernelSetAttribute(attrib, val, kernel, dev);

	forget_attributes();
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuFuncSetCacheConfig(CUfunction hfunc, CUfunc_cache config)
{
	return config > CU_FUNC_CACHE_PREFER_EQUAL ? CUDA_ERROR_INVALID_VALUE
						   : remote_cuFuncSetCacheConfig(hfunc, config);
}

CUDA_EXPORT CUresult CUDAAPI
cuKernelSetCacheConfig(CUkernel kernel, CUfunc_cache config, CUdevice dev)
{
	return config > CU_FUNC_CACHE_PREFER_EQUAL
		? CUDA_ERROR_INVALID_VALUE
		: remote_cuKernelSetCacheConfig(kernel, config, dev);
}

/* Without effect on every device that CUDA 12 supports. */
CUDA_EXPORT CUresult CUDAAPI
cuFuncSetSharedMemConfig(CUfunction hfunc, CUsharedconfig config)
{
	struct function *function;

	return config > CU_SHARED_MEM_CONFIG_EIGHT_BYTE_BANK_SIZE ? CUDA_ERROR_INVALID_VALUE
								  : find(hfunc, &function);
}

CUDA_EXPORT CUresult CUDAAPI
cuFuncGetModule(CUmodule *hmod, CUfunction hfunc)
{
	struct function *function;
	CUresult result = find(hfunc, &function);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (hmod == NULL || function->type == HANDLE_CUkernel) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (function->owner->type == HANDLE_CUlibrary) {
		return cuLibraryGetModule(hmod, function->owner->handle);
	}
	*hmod = function->owner->handle;
	return CUDA_SUCCESS;
}

CUDA_EXPORT CUresult CUDAAPI
cuFuncGetName(const char **name, CUfunction hfunc)
{
	struct function *function;
	CUresult result = find(hfunc, &function);

	if (result == CUDA_SUCCESS && name == NULL) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	if (result == CUDA_SUCCESS) {
		*name = function->layout->name;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuFuncGetParamInfo(CUfunction func, size_t paramIndex, size_t *paramOffset,
	size_t *paramSize)
{
	struct function *function;
	CUresult result = find(func, &function);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (paramOffset == NULL || paramIndex >= function->layout->n_params) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*paramOffset = function->layout->params[paramIndex].offset;
	if (paramSize != NULL) {
		*paramSize = function->layout->params[paramIndex].size;
	}
	return CUDA_SUCCESS;
}

/* The host loads a function when it wants to; to the program it always is. */
CUDA_EXPORT CUresult CUDAAPI
cuFuncIsLoaded(CUfunctionLoadingState *state, CUfunction function)
{
	struct function *object;
	CUresult result = find(function, &object);

	if (result == CUDA_SUCCESS && state == NULL) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	if (result == CUDA_SUCCESS) {
		*state = CU_FUNCTION_LOADING_STATE_LOADED;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuFuncLoad(CUfunction function)
{
	struct function *object;

	return find(function, &object);
}
