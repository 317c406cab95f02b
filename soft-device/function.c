/* SPDX-License-Identifier: Apache-2.0 */
/* function.c: what the program asks of functions, and sets on them. */
#include "soft-device/module.h"

#include "common/cleanup.h"
#include "soft-device/device.h"
#include "soft-device/exec.h"

/* The interpreter has as many registers as it likes.  A program that divides the 65536 of
 * the device by this number must find that its largest block fits. */
#define REGISTERS_MAX 64

CUresult
function_use(CUfunction handle, struct function **ret_function)
{
	TRY(device_ready());
	*ret_function = object_get(OBJECT_FUNCTION, handle);
	if (*ret_function != NULL) {
		return CUDA_SUCCESS;
	}
	return kernel_function((CUkernel)handle, ret_function);
}

static size_t
static_shared(const struct ptx_function *ptx)
{
	return ptx->shared_size;
}

size_t
function_max_dynamic(
	const struct ptx_function *ptx, const struct function_settings *settings)
{
	int set = __atomic_load_n(&settings->max_dynamic_shared, __ATOMIC_RELAXED);
	size_t fixed = static_shared(ptx);
	size_t fallback =
		fixed < DEVICE_SHARED_DEFAULT ? DEVICE_SHARED_DEFAULT - fixed : 0;

	return set > 0 && (size_t)set > fallback ? (size_t)set : fallback;
}

CUresult
function_attribute(const struct ptx_function *ptx,
	const struct function_settings *settings, CUfunction_attribute attribute,
	int *ret_value)
{
	struct exec_attributes a;

	exec_attributes(ptx, &a);
	switch (attribute) {
	case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *ret_value = a.max_threads; break;
	case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: *ret_value = (int)a.shared_size; break;
	case CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES: *ret_value = (int)a.const_size; break;
	case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES: *ret_value = (int)a.local_size; break;
	case CU_FUNC_ATTRIBUTE_NUM_REGS:
		*ret_value =
			a.n_registers < REGISTERS_MAX ? a.n_registers : REGISTERS_MAX;
		break;
	case CU_FUNC_ATTRIBUTE_PTX_VERSION:
	case CU_FUNC_ATTRIBUTE_BINARY_VERSION: *ret_value = 75; break;
	case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
		*ret_value = (int)function_max_dynamic(ptx, settings);
		break;
	case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
		*ret_value = __atomic_load_n(&settings->carveout, __ATOMIC_RELAXED);
		break;
	case CU_FUNC_ATTRIBUTE_CACHE_MODE_CA:
	case CU_FUNC_ATTRIBUTE_CLUSTER_SIZE_MUST_BE_SET:
	case CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED:
	case CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:
		*ret_value = 0;
		break;
	case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH:
		*ret_value = (int)ptx->required_cluster[0];
		break;
	case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT:
		*ret_value = (int)ptx->required_cluster[1];
		break;
	case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH:
		*ret_value = (int)ptx->required_cluster[2];
		break;
	default: return CUDA_ERROR_INVALID_VALUE;
	}
	return CUDA_SUCCESS;
}

CUresult
function_set_attribute(const struct ptx_function *ptx, struct function_settings *settings,
	CUfunction_attribute attribute, int value)
{
	switch (attribute) {
	case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
		if (value < 0 || (size_t)value + static_shared(ptx) > DEVICE_SHARED_MAX) {
			return CUDA_ERROR_INVALID_VALUE;
		}
		__atomic_store_n(&settings->max_dynamic_shared, value, __ATOMIC_RELAXED);
		return CUDA_SUCCESS;
	case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
		if (value < -1 || value > 100) {
			return CUDA_ERROR_INVALID_VALUE;
		}
		__atomic_store_n(&settings->carveout, value, __ATOMIC_RELAXED);
		return CUDA_SUCCESS;
	case CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED:
	case CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:
	case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH:
	case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT:
	case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH: return CUDA_ERROR_NOT_SUPPORTED;
	default: return CUDA_ERROR_INVALID_VALUE;
	}
}

CUresult
function_param(
	const struct ptx_function *ptx, size_t i, size_t *ret_offset, size_t *ret_size)
{
	if (ret_offset == NULL || i >= ptx->n_params) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*ret_offset = ptx->params[i].offset;
	if (ret_size != NULL) {
		*ret_size = ptx->params[i].size;
	}
	return CUDA_SUCCESS;
}

CUresult
cuFuncGetAttribute(int *pi, CUfunction_attribute attrib, CUfunction hfunc)
{
	if (pi == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	USE_FUNCTION(function, hfunc);
	return function_attribute(function->ptx, function->settings, attrib, pi);
}

CUresult
cuFuncSetAttribute(CUfunction hfunc, CUfunction_attribute attrib, int value)
{
	USE_FUNCTION(function, hfunc);
	return function_set_attribute(function->ptx, function->settings, attrib, value);
}

CUresult
cuFuncSetCacheConfig(CUfunction hfunc, CUfunc_cache config)
{
	USE_FUNCTION(function, hfunc);
	return config <= CU_FUNC_CACHE_PREFER_EQUAL ? CUDA_SUCCESS
						    : CUDA_ERROR_INVALID_VALUE;
}

CUresult
cuFuncSetSharedMemConfig(CUfunction hfunc, CUsharedconfig config)
{
	USE_FUNCTION(function, hfunc);
	return config <= CU_SHARED_MEM_CONFIG_EIGHT_BYTE_BANK_SIZE
		       ? CUDA_SUCCESS
		       : CUDA_ERROR_INVALID_VALUE;
}

CUresult
cuFuncGetModule(CUmodule *hmod, CUfunction hfunc)
{
	if (hmod == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	USE_FUNCTION(function, hfunc);
	*hmod = function->module->object.handle;
	return CUDA_SUCCESS;
}

CUresult
cuFuncGetName(const char **name, CUfunction hfunc)
{
	if (name == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	USE_FUNCTION(function, hfunc);
	*name = function->ptx->name;
	return CUDA_SUCCESS;
}

CUresult
cuFuncGetParamInfo(
	CUfunction func, size_t paramIndex, size_t *paramOffset, size_t *paramSize)
{
	USE_FUNCTION(function, func);
	return function_param(function->ptx, paramIndex, paramOffset, paramSize);
}

CUresult
cuFuncIsLoaded(CUfunctionLoadingState *state, CUfunction function)
{
	if (state == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	USE_FUNCTION(found, function);
	*state = CU_FUNCTION_LOADING_STATE_LOADED;
	return CUDA_SUCCESS;
}

CUresult
cuFuncLoad(CUfunction function)
{
	USE_FUNCTION(found, function);
	return CUDA_SUCCESS;
}
