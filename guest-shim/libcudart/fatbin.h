/* SPDX-License-Identifier: Apache-2.0 */
/* fatbin.h: the fat binaries of the program, with their kernels and variables. */
#pragma once

#include <cuda.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "guest-shim/libcudart/thread.h"

struct fatbin;

/* A __global__ function.  Names and addresses live in the program until it unregisters.
 */
struct kernel {
	_Atomic(CUkernel) handle; /* NULL until first used */
	struct fatbin *fatbin;	  /* NULL: the slot is free */
	const void *host_function;
	const char *name;
	struct kernel *next;
};

/* A __device__, __constant__ or __managed__ variable. */
struct variable {
	struct fatbin *fatbin;
	const void *host_variable;
	void **managed; /* where the program keeps the address of a __managed__ one */
	const void *managed_address;
	const char *name;
	size_t size;
	struct variable *next;
};

struct fatbin {
	void *wrapper;
	_Atomic(CUlibrary) library; /* NULL until first used */
	pthread_mutex_t lock;
	struct kernel *kernels;
	struct variable *variables;
};

/* The driver's library for a fat binary, loaded at the first call. */
cudaError_t fatbin_library(struct fatbin *fatbin, CUlibrary *ret_library);
/* NULL if nothing is registered there. */
struct kernel *fatbin_kernel(const void *host_function);
struct variable *fatbin_variable(const void *host_variable);
/* Whether this is a slot of ours and not a handle of the driver's. */
bool fatbin_is_kernel(const void *pointer);
