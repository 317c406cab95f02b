/* SPDX-License-Identifier: Apache-2.0 */
/* module.h: programs, as loaded into a context; their functions and variables. */
#pragma once

#include "soft-device/api.h"
#include "soft-device/context.h"
#include "soft-device/object.h"
#include "soft-device/ptx.h"

/* PTX, parsed.  Shared by a library and the first module made of it. */
struct program {
	uint32_t n_references; /* atomic */
	struct ptx_module *ptx;
	struct ptx_text *texts; /* kept to parse again for the next context */
	size_t n_texts;
	uint32_t claimed; /* atomic; its variables have addresses in some context */
};

/* What the program may set on a function or kernel. */
struct function_settings {
	int max_dynamic_shared; /* atomic, as all of these; 0: the default */
	int carveout;
};

struct function {
	struct object object;
	struct module *module; /* reference */
	const struct ptx_function *ptx;
	struct function_settings own;
	struct function_settings *settings; /* own, or those of the kernel */
	void *kernel;			    /* reference, or NULL */
};

struct module {
	struct object object;
	struct context *context; /* reference */
	struct program *program; /* reference */
	pthread_mutex_t lock;
	/* Handles by index in ptx->functions, then once more those with the settings of a
	 * kernel; under the lock. */
	void **functions;
};

/* What to do with messages of the loader: the JIT options of CUDA. */
struct load_log {
	char *error;
	size_t error_size;
	char *info;
	size_t info_size;
	void **ret_error_size; /* where the option's value is, or NULL */
	void **ret_info_size;
};

void load_log_init(struct load_log *log, unsigned int n_options,
	const CUjit_option *options, void **values);

/* Everything from an image in our memory to a parsed program. */
CUresult program_new(
	const void *image, struct load_log *log, struct program **ret_program);
CUresult program_new_file(
	const char *path, struct load_log *log, struct program **ret_program);
struct program *program_ref(struct program *program);
void program_put(struct program *program);

/* Load into the context; takes no reference to program. The new module is in the table,
 * and *ret_module one more reference. */
CUresult module_new(
	struct context *context, struct program *program, struct module **ret_module);
/* Take the module and its functions and variables from the program. */
void module_unload(struct module *module);
/* The function with that name, as a reference for the caller.  NOT_FOUND.  kernel, which
 * may be NULL, is what its settings come from. */
CUresult module_function(struct module *module, const char *name, struct object *kernel,
	struct function_settings *settings, struct function **ret_function);
/* A .global or .const variable.  NOT_FOUND. */
CUresult module_variable(struct module *module, const char *name,
	CUdeviceptr *ret_address, size_t *ret_size);

CUresult function_attribute(const struct ptx_function *ptx,
	const struct function_settings *settings, CUfunction_attribute attribute,
	int *ret_value);
CUresult function_set_attribute(const struct ptx_function *ptx,
	struct function_settings *settings, CUfunction_attribute attribute, int value);
CUresult function_param(
	const struct ptx_function *ptx, size_t i, size_t *ret_offset, size_t *ret_size);
/* The most dynamic shared memory that a launch may ask for. */
size_t function_max_dynamic(
	const struct ptx_function *ptx, const struct function_settings *settings);
/* A CUfunction, or a CUkernel in its place, as a function in the current context; the
 * caller has a reference.  INVALID_HANDLE. */
CUresult function_use(CUfunction handle, struct function **ret_function);
/* The entries of a program, in order: how many, or the i-th. */
size_t program_n_entries(const struct program *program);
const struct ptx_function *program_entry(const struct program *program, size_t i);

/* library.c: the function that a kernel is in the current context. */
CUresult kernel_function(CUkernel handle, struct function **ret_function);

#define USE_FUNCTION(name, handle) \
	cleanup_object struct function *name = NULL; \
	TRY(function_use(handle, &name))
