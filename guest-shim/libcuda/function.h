/* SPDX-License-Identifier: Apache-2.0 */
/* function.h: what is known about functions and kernels. */
#pragma once

#include <cuda.h>
#include <stdatomic.h>

#include "guest-shim/libcuda/handle.h"
#include "guest-shim/libcuda/module.h"

/* A CUfunction, or a CUkernel cast to one; NULL if it is neither. */
static inline struct function *
function_find(const void *handle)
{
	return handle_find(handle_type_of(handle_packed(handle)) == HANDLE_CUkernel
			? HANDLE_CUkernel
			: HANDLE_CUfunction,
		handle);
}

/* One attribute in the current context, asked once and remembered. */
CUresult function_attribute(struct function *function, CUfunction_attribute which, int *ret);
/* Changes whenever an attribute of any function does: what was remembered is void. */
unsigned function_generation(void);
