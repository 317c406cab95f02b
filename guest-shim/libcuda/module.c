/* SPDX-License-Identifier: Apache-2.0 */
/* module.c: modules, and what modules and libraries have in common.
 *
 * Which kernels there are is known from the image, so that naming one needs no answer from
 * the host.  Whoever unloads a module must not be using it; CUDA asks for that, too. */
#include "guest-shim/libcuda/module.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "guest-shim/libcuda/api.h"
#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/global.h"
#include "guest-shim/libcuda/guest.h"
#include "guest-shim/libcuda/map.h"
#include "guest-shim/libcuda/memory.h"
#include "guest-shim/libcuda/module_file.h"
#include "guest-shim/libcuda/reserve.h"
#include "guest-shim/libcuda/session.h"
#include "guest-shim/libcuda/upload.h"
#include "remote.h"

static pthread_mutex_t modules_lock = PTHREAD_MUTEX_INITIALIZER;

void
module_lock(void)
{
	pthread_mutex_lock(&modules_lock);
}

void
module_unlock(void)
{
	pthread_mutex_unlock(&modules_lock);
}

struct module *
module_new(const struct module *module)
{
	struct module *copy = malloc(sizeof(*copy));

	if (copy != NULL) {
		*copy = *module;
		handle_set(copy->type, copy->handle, copy);
	}
	return copy;
}

CUresult
module_add_function(struct module *owner, const struct function *function,
	struct function **ret_function)
{
	struct function *copy = calloc(1, sizeof(*copy));

	if (copy == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	copy->type = function->type;
	copy->handle = function->handle;
	copy->layout = function->layout;
	copy->kernel = function->kernel;
	copy->context = function->context;
	copy->owner = owner;
	copy->next = owner->functions;
	owner->functions = copy;
	handle_set(copy->type, copy->handle, copy);
	*ret_function = copy;
	return CUDA_SUCCESS;
}

static void
end_functions(struct module *owner, const struct context *only)
{
	struct function **at = &owner->functions;

	while (*at != NULL) {
		struct function *function = *at;
		if (only != NULL && function->context != only) {
			at = &function->next;
			continue;
		}
		*at = function->next;
		guest_drop(function->type, function->handle);
		free(function);
	}
}

void
module_end(struct module *module)
{
	while (module->modules != NULL) {
		struct module *part = module->modules;
		module->modules = part->next;
		module_end(part);
	}
	end_functions(module, NULL);
	global_end(module, NULL);
	map_end_owner(module);
	if (module->library == NULL) {
		image_kernels_free(module->kernels);
	}
	guest_drop(module->type, module->handle);
	free(module);
}

static void
end_module_if_of(void *object, void *context)
{
	struct module *module = object;

	if (module->context == context && module->library == NULL) {
		module_end(module);
	}
}

static void
end_parts_of(void *object, void *context)
{
	struct module *library = object;
	struct module **at = &library->modules;

	end_functions(library, context);
	global_end(library, context);
	while (*at != NULL) {
		struct module *part = *at;
		if (part->context == context) {
			*at = part->next;
			module_end(part);
		} else {
			at = &part->next;
		}
	}
}

void
module_end_all(struct context *context)
{
	module_lock();
	handle_each(HANDLE_CUmodule, end_module_if_of, context);
	handle_each(HANDLE_CUlibrary, end_parts_of, context);
	module_unlock();
}

/* ---- loading ---- */

/* A second time with what the program has freed, if the device has too little memory. */
static CUresult
call_with_room(uint32_t number, void *args, void *ret)
{
	CUresult result = guest_call(number, args, ret);

	if (result == CUDA_ERROR_OUT_OF_MEMORY && memory_give_back()) {
		result = guest_call(number, args, ret);
	}
	return result;
}

static CUresult
load_on_host(enum handle_type type, uint64_t image, call_handle handle)
{
	if (type == HANDLE_CUlibrary) {
		cuLibraryLoadData_args args = { .library = handle, .image = image };
		cuLibraryLoadData_ret ret = { 0 };
		return call_with_room(CALL_cuLibraryLoadData, &args, &ret);
	}
	cuModuleLoadData_args args = { .module = handle, .image = image };
	cuModuleLoadData_ret ret = { 0 };
	return call_with_room(CALL_cuModuleLoadData, &args, &ret);
}

static void
unload_on_host(enum handle_type type, call_handle handle)
{
	if (type == HANDLE_CUlibrary) {
		cuLibraryUnload_args args = { .library = handle };
		(void)guest_post(CALL_cuLibraryUnload, &args);
	} else {
		cuModuleUnload_args args = { .hmod = handle };
		(void)guest_post(CALL_cuModuleUnload, &args);
	}
}

CUresult
module_load(enum handle_type type, const void *image, void **ret_handle)
{
	struct image_kernels *kernels = NULL;
	const char *why = "";
	call_handle packed;
	uint64_t id;
	void *handle;

	CUresult result = guest_mint(type, &handle, &packed);
	if (result != CUDA_SUCCESS) {
		return result;
	}
	result = upload_image(image, &id, &kernels, &why);
	if (result == CUDA_SUCCESS) {
		result = load_on_host(type, id, packed);
		upload_drop(id);
	}
	if (result == CUDA_SUCCESS && kernels == NULL) {
		log_error("the host loads this image, but its kernels cannot be read here: %s; "
			  "build the program with PTX or machine code for the device", why);
		unload_on_host(type, packed);
		result = CUDA_ERROR_NOT_SUPPORTED;
	}
	if (result == CUDA_SUCCESS) {
		struct module module = { .type = type, .handle = handle, .kernels = kernels,
			.context = type == HANDLE_CUmodule ? thread_self.current : NULL };
		if (module_new(&module) == NULL) {
			unload_on_host(type, packed);
			result = CUDA_ERROR_OUT_OF_MEMORY;
		}
	}
	if (result != CUDA_SUCCESS) {
		image_kernels_free(kernels);
		guest_drop(type, handle);
		return result;
	}
	*ret_handle = handle;
	return CUDA_SUCCESS;
}

CUresult
module_read_file(const char *path, void **ret_image)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_free char *bytes = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		return CUDA_ERROR_FILE_NOT_FOUND;
	}
	if (st.st_size <= 0 || (uint64_t)st.st_size > IMAGE_PART_MAX) {
		return CUDA_ERROR_INVALID_IMAGE;
	}
	/* PTX is text that ends with a NUL; and what measures an image trusts its fields. */
	size_t size = (size_t)st.st_size, at = 0;
	bytes = calloc(1, size + 64);
	while (bytes != NULL && at < size) {
		ssize_t n = read(fd, bytes + at, size - at);
		if (n <= 0) {
			return CUDA_ERROR_FILE_NOT_FOUND;
		}
		at += (size_t)n;
	}
	if (bytes == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*ret_image = TAKE(bytes);
	return CUDA_SUCCESS;
}

void
module_empty_logs(unsigned n, const CUjit_option *options, void **values)
{
	for (unsigned i = 0; i < n; i++) {
		for (unsigned j = 0; j < n; j++) {
			bool log = (options[i] == CU_JIT_INFO_LOG_BUFFER &&
					   options[j] == CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES) ||
				(options[i] == CU_JIT_ERROR_LOG_BUFFER &&
					options[j] == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
			if (log && values[i] != NULL && (uintptr_t)values[j] > 0) {
				*(char *)values[i] = '\0';
			}
		}
	}
	for (unsigned i = 0; i < n; i++) {
		if (options[i] == CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES ||
			options[i] == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES) {
			values[i] = NULL; /* bytes written */
		} else if (options[i] == CU_JIT_WALL_TIME) {
			*(float *)&values[i] = 0;
		}
	}
}

/* ---- CUDA's functions ---- */

CUDA_EXPORT CUresult CUDAAPI
cuModuleLoadData(CUmodule *module, const void *image)
{
	struct context *context;
	CUresult result = context_current(&context);

	if (result == CUDA_SUCCESS && (module == NULL || image == NULL)) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	return result == CUDA_SUCCESS ? module_load(HANDLE_CUmodule, image, (void **)module)
				      : result;
}

CUDA_EXPORT CUresult CUDAAPI
cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned int numOptions,
	CUjit_option *options, void **optionValues)
{
	if (numOptions > 0 && (options == NULL || optionValues == NULL)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	CUresult result = cuModuleLoadData(module, image);
	module_empty_logs(numOptions, options, optionValues);
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuModuleLoadFatBinary(CUmodule *module, const void *fatCubin)
{
	return cuModuleLoadData(module, fatCubin);
}

CUDA_EXPORT CUresult CUDAAPI
cuModuleLoad(CUmodule *module, const char *fname)
{
	cleanup_free void *image = NULL;

	if (module == NULL || fname == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	CUresult result = module_read_file(fname, &image);
	return result == CUDA_SUCCESS ? cuModuleLoadData(module, image) : result;
}

static CUresult
find(CUmodule handle, struct module **ret_module)
{
	struct context *context;
	CUresult result = context_current(&context);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	*ret_module = handle_find(HANDLE_CUmodule, handle);
	return *ret_module != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUDA_EXPORT CUresult CUDAAPI
cuModuleUnload(CUmodule hmod)
{
	struct module *module;
	CUresult result = find(hmod, &module);

	if (result == CUDA_SUCCESS && module->library != NULL) {
		result = CUDA_ERROR_INVALID_HANDLE; /* goes with its library */
	}
	if (result == CUDA_SUCCESS) {
		result = remote_cuModuleUnload(hmod); /* drops the handle */
	}
	if (result == CUDA_SUCCESS) {
		module_lock();
		module_end(module);
		module_unlock();
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuModuleGetLoadingMode(CUmoduleLoadingMode *mode)
{
	CUresult result = session_error();

	if (result == CUDA_SUCCESS && mode == NULL) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	if (result == CUDA_SUCCESS) {
		*mode = CU_MODULE_LAZY_LOADING;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuModuleGetFunctionCount(unsigned int *count, CUmodule mod)
{
	struct module *module;
	CUresult result = find(mod, &module);

	if (result == CUDA_SUCCESS && count == NULL) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	if (result == CUDA_SUCCESS) {
		*count = (unsigned)image_kernels_count(module->kernels);
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuModuleEnumerateFunctions(CUfunction *functions, unsigned int numFunctions, CUmodule mod)
{
	struct module *module;
	CUresult result = find(mod, &module);

	if (result == CUDA_SUCCESS && functions == NULL) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	for (unsigned i = 0; result == CUDA_SUCCESS && i < numFunctions &&
		i < image_kernels_count(module->kernels); i++) {
		result = cuModuleGetFunction(
			&functions[i], mod, image_kernels_at(module->kernels, i)->name);
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuModuleGetFunction(CUfunction *hfunc, CUmodule hmod, const char *name)
{
	struct module *module;
	CUresult result = find(hmod, &module);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (hfunc == NULL || name == NULL || name[0] == '\0') {
		return CUDA_ERROR_INVALID_VALUE;
	}
	const struct image_kernel *layout = image_kernels_find(module->kernels, name);
	if (layout == NULL) {
		return CUDA_ERROR_NOT_FOUND;
	}
	HOLD_LOCK(&modules_lock);
	for (struct function *f = module->functions; f != NULL; f = f->next) {
		if (f->layout == layout) {
			*hfunc = f->handle;
			return CUDA_SUCCESS;
		}
	}
	struct function *function;
	CUfunction handle;
	result = remote_cuModuleGetFunction(&handle, hmod, name);
	if (result == CUDA_SUCCESS) {
		result = module_add_function(module, &(struct function){
			.type = HANDLE_CUfunction, .handle = handle, .layout = layout,
			.context = module->context }, &function);
	}
	if (result == CUDA_SUCCESS) {
		*hfunc = handle;
	}
	return result;
}

CUresult
module_know_global(struct module *module, CUdeviceptr address, size_t size)
{
	struct map_entry known;

	if (size == 0 || (map_find(address, &known) && known.kind == MAP_GLOBAL)) {
		return CUDA_SUCCESS;
	}
	if (!reserve_range(address, size)) {
		/* It cannot be moved.  Copies go by the map, which is asked first. */
		log_debug("a variable at %#llx covers memory of this process",
			(unsigned long long)address);
	}
	CUresult result = map_add(&(struct map_entry){ .start = address, .size = size,
		.kind = MAP_GLOBAL, .context = thread_self.current, .owner = module });
	/* Two threads may ask for the same variable at once. */
	return result == CUDA_ERROR_ALREADY_MAPPED ? CUDA_SUCCESS : result;
}

CUDA_EXPORT CUresult CUDAAPI
cuModuleGetGlobal_v2(CUdeviceptr *dptr, size_t *bytes, CUmodule hmod, const char *name)
{
	struct module *module;
	CUresult result = find(hmod, &module);

	return result == CUDA_SUCCESS ? global_get(module, name, dptr, bytes) : result;
}
