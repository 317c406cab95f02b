/* SPDX-License-Identifier: Apache-2.0 */
/* module.h: modules, libraries, and the functions and kernels in them. */
#pragma once

#include <cuda.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cubin-loader/image.h"
#include "rpc/call.h"

struct context;
struct module;

/* A CUfunction or a CUkernel. */
struct function {
	enum handle_type type;
	void *handle;
	const struct image_kernel *layout;
	struct module *owner;    /* the module, or the library, that it is listed in */
	struct function *kernel; /* of a CUfunction that was made from a CUkernel */
	struct context *context; /* NULL for kernels */
	struct function *next;
	/* What the host has said: generation << 32 | value (function.c). */
	_Atomic uint64_t attributes[CU_FUNC_ATTRIBUTE_MAX];
};

/* A CUmodule or a CUlibrary. */
struct module {
	enum handle_type type;
	void *handle;
	struct image_kernels *kernels; /* its own, or those of its library */
	struct module *library;        /* of a module that was made from a library */
	struct context *context;       /* NULL for libraries */
	struct function *functions;
	struct global *globals;
	struct module *modules;        /* of a library, one for each context */
	struct module *next;
};

/* Under this lock the lists above change. */
void module_lock(void);
void module_unlock(void);

/* Load an image as a module or a library. */
CUresult module_load(enum handle_type type, const void *image, void **ret_handle);
/* Add a function to the list of its owner.  The lock is held. */
CUresult module_add_function(struct module *owner, const struct function *function,
	struct function **ret_function);
struct module *module_new(const struct module *module);
/* Forget it and all that it holds; the host has done so or is about to.  Its own handle,
 * too, unless that is dropped already.  The lock is held. */
void module_end(struct module *module);
/* Forget what belongs to a context that is gone. */
void module_end_all(struct context *context);
/* The address of a variable, which the map then knows. */
CUresult module_know_global(struct module *module, CUdeviceptr address, size_t size);
