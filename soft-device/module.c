/* SPDX-License-Identifier: Apache-2.0 */
/* module.c: programs, as loaded into a context. */
#include "soft-device/module.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "soft-device/allocation.h"
#include "soft-device/device.h"

static void
module_release(struct object *object)
{
	struct module *module = (struct module *)object;

	program_put(module->program);
	object_put(module->context);
	pthread_mutex_destroy(&module->lock);
	free(module->functions);
	free(module);
}

/* Whether a variable has memory of the device. */
static bool
variable_is_placed(const struct ptx_variable *v)
{
	return (v->space == PTX_GLOBAL || v->space == PTX_CONST) &&
	       v->linkage != PTX_LINKAGE_EXTERN;
}

static void
variables_free(struct ptx_module *ptx)
{
	for (uint32_t i = 0; i < ptx->n_variables; i++) {
		if (variable_is_placed(ptx->variables[i]) &&
			ptx->variables[i]->address != 0) {
			allocation_free(
				ptx->variables[i]->address, 1u << ALLOCATION_MODULE);
			ptx->variables[i]->address = 0;
		}
	}
}

static bool
variables_place(struct ptx_module *ptx, struct context *context)
{
	for (uint32_t i = 0; i < ptx->n_variables; i++) {
		struct ptx_variable *v = ptx->variables[i];

		if (!variable_is_placed(v)) {
			continue;
		}
		v->address = allocation_new(context->device, v->size == 0 ? 1 : v->size,
			ALLOCATION_MODULE, context, NULL);
		if (v->address == 0) {
			variables_free(ptx);
			return false;
		}
	}
	for (uint32_t i = 0; i < ptx->n_variables; i++) {
		if (variable_is_placed(ptx->variables[i])) {
			ptx_variable_fill(
				ptx->variables[i], (void *)ptx->variables[i]->address);
		}
	}
	return true;
}

/* A program whose variables have no addresses yet: this one, or a new parse of it. */
static CUresult
program_claim(struct program *program, struct program **ret_program)
{
	if (__atomic_exchange_n(&program->claimed, 1, __ATOMIC_ACQ_REL) == 0) {
		*ret_program = program_ref(program);
		return CUDA_SUCCESS;
	}
	struct program *copy = calloc(1, sizeof(*copy));
	struct ptx_error error;

	if (copy == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	copy->n_references = 1;
	copy->claimed = 1;
	if (ptx_module_new(program->texts, program->n_texts, NULL, &error, &copy->ptx) !=
		0) {
		program_put(copy);
		return CUDA_ERROR_OUT_OF_MEMORY; /* it was parsed before: what else */
	}
	*ret_program = copy;
	return CUDA_SUCCESS;
}

CUresult
module_new(struct context *context, struct program *program, struct module **ret_module)
{
	struct module *module = calloc(1, sizeof(*module));

	if (module == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	pthread_mutex_init(&module->lock, NULL);
	module->context = object_ref(context);

	CUresult result = program_claim(program, &module->program);

	if (result == CUDA_SUCCESS) {
		struct ptx_module *ptx = module->program->ptx;

		module->functions = calloc(
			2 * (size_t)ptx->n_functions + 1, sizeof(*module->functions));
		result = module->functions != NULL && variables_place(ptx, context)
				 ? CUDA_SUCCESS
				 : CUDA_ERROR_OUT_OF_MEMORY;
		if (result == CUDA_SUCCESS &&
			!object_register(&module->object, OBJECT_MODULE, context,
				module_release)) {
			variables_free(ptx);
			result = CUDA_ERROR_OUT_OF_MEMORY;
		}
	}
	if (result != CUDA_SUCCESS) {
		module_release(&module->object);
		return result;
	}
	*ret_module = object_ref(module);
	return CUDA_SUCCESS;
}

void
module_unload(struct module *module)
{
	if (!object_unregister(&module->object)) {
		return;
	}
	context_wait_all();

	struct ptx_module *ptx = module->program->ptx;

	for (size_t i = 0; i < 2 * (size_t)ptx->n_functions; i++) {
		cleanup_object struct function *f =
			object_get(OBJECT_FUNCTION, module->functions[i]);

		if (f != NULL && object_unregister(&f->object)) {
			object_put(f);
		}
	}
	variables_free(ptx);
	object_put(module);
}

static void
function_release(struct object *object)
{
	struct function *function = (struct function *)object;

	object_put(function->module);
	object_put(function->kernel);
	free(function);
}

static CUresult
function_new(struct module *module, const struct ptx_function *ptx, struct object *kernel,
	struct function_settings *settings, struct function **ret_function)
{
	struct function *function = calloc(1, sizeof(*function));

	if (function == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	function->module = object_ref(module);
	function->ptx = ptx;
	function->settings = &function->own;
	function->own.carveout = -1;
	if (kernel != NULL) {
		function->kernel = object_ref(kernel);
		function->settings = settings;
	}
	if (!object_register(&function->object, OBJECT_FUNCTION, module->context,
		    function_release)) {
		function_release(&function->object);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*ret_function = object_ref(function);
	return CUDA_SUCCESS;
}

CUresult
module_function(struct module *module, const char *name, struct object *kernel,
	struct function_settings *settings, struct function **ret_function)
{
	const struct ptx_function *ptx = ptx_module_function(module->program->ptx, name);

	if (ptx == NULL || !ptx->is_entry || !ptx->is_defined) {
		return CUDA_ERROR_NOT_FOUND;
	}
	HOLD_LOCK(&module->lock);
	size_t i = ptx->index + (kernel != NULL ? module->program->ptx->n_functions : 0);

	*ret_function = object_get(OBJECT_FUNCTION, module->functions[i]);
	if (*ret_function == NULL) {
		TRY(function_new(module, ptx, kernel, settings, ret_function));
		module->functions[i] = (*ret_function)->object.handle;
	}
	return CUDA_SUCCESS;
}

CUresult
module_variable(struct module *module, const char *name, CUdeviceptr *ret_address,
	size_t *ret_size)
{
	const struct ptx_variable *v = ptx_module_variable(module->program->ptx, name);

	if (v == NULL || !variable_is_placed(v) || v->address == 0) {
		return CUDA_ERROR_NOT_FOUND;
	}
	if (ret_address != NULL) {
		*ret_address = v->address;
	}
	if (ret_size != NULL) {
		*ret_size = v->size;
	}
	return CUDA_SUCCESS;
}

/* ---- the calls ---- */

static CUresult
module_get(CUmodule handle, struct module **ret_module)
{
	USE_CONTEXT(context);
	*ret_module = object_get(OBJECT_MODULE, handle);
	return *ret_module != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

#define USE_MODULE(name, handle) \
	cleanup_object struct module *name = NULL; \
	TRY(module_get(handle, &name))

static CUresult
module_load(CUmodule *ret_handle, struct context *context, struct program *program)
{
	cleanup_object struct module *module = NULL;
	CUresult result = module_new(context, program, &module);

	program_put(program);
	if (result == CUDA_SUCCESS) {
		*ret_handle = module->object.handle;
	}
	return result;
}

CUresult
cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned int numOptions,
	CUjit_option *options, void **optionValues)
{
	USE_CONTEXT(context);
	if (module == NULL ||
		(numOptions > 0 && (options == NULL || optionValues == NULL))) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	struct load_log log;
	struct program *program;

	load_log_init(&log, numOptions, options, optionValues);
	TRY(program_new(image, &log, &program));
	return module_load(module, context, program);
}

CUresult
cuModuleLoadData(CUmodule *module, const void *image)
{
	return cuModuleLoadDataEx(module, image, 0, NULL, NULL);
}

CUresult
cuModuleLoadFatBinary(CUmodule *module, const void *fatCubin)
{
	return cuModuleLoadDataEx(module, fatCubin, 0, NULL, NULL);
}

CUresult
cuModuleLoad(CUmodule *module, const char *fname)
{
	USE_CONTEXT(context);
	if (module == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	struct load_log log;
	struct program *program;

	load_log_init(&log, 0, NULL, NULL);
	TRY(program_new_file(fname, &log, &program));
	return module_load(module, context, program);
}

CUresult
cuModuleUnload(CUmodule hmod)
{
	USE_MODULE(module, hmod);
	module_unload(module);
	return CUDA_SUCCESS;
}

CUresult
cuModuleGetLoadingMode(CUmoduleLoadingMode *mode)
{
	TRY(device_ready());
	if (mode == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*mode = CU_MODULE_LAZY_LOADING;
	return CUDA_SUCCESS;
}

CUresult
cuModuleGetFunction(CUfunction *hfunc, CUmodule hmod, const char *name)
{
	USE_MODULE(module, hmod);
	if (hfunc == NULL || name == NULL || *name == '\0') {
		return CUDA_ERROR_INVALID_VALUE;
	}
	cleanup_object struct function *function = NULL;

	TRY(module_function(module, name, NULL, NULL, &function));
	*hfunc = function->object.handle;
	return CUDA_SUCCESS;
}

CUresult
cuModuleGetGlobal_v2(CUdeviceptr *dptr, size_t *bytes, CUmodule hmod, const char *name)
{
	USE_MODULE(module, hmod);
	if (name == NULL || *name == '\0') {
		return CUDA_ERROR_INVALID_VALUE;
	}
	return module_variable(module, name, dptr, bytes);
}

CUresult
cuModuleGetFunctionCount(unsigned int *count, CUmodule mod)
{
	USE_MODULE(module, mod);
	if (count == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*count = (unsigned int)program_n_entries(module->program);
	return CUDA_SUCCESS;
}

CUresult
cuModuleEnumerateFunctions(CUfunction *functions, unsigned int numFunctions, CUmodule mod)
{
	USE_MODULE(module, mod);
	if (functions == NULL || numFunctions == 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	for (unsigned int i = 0; i < numFunctions; i++) {
		const struct ptx_function *ptx = program_entry(module->program, i);
		cleanup_object struct function *function = NULL;

		if (ptx == NULL) {
			return CUDA_SUCCESS;
		}
		TRY(module_function(module, ptx->name, NULL, NULL, &function));
		functions[i] = function->object.handle;
	}
	return CUDA_SUCCESS;
}
