/* SPDX-License-Identifier: Apache-2.0 */
/* error.h: from the driver's results to the runtime's, and the last one of each thread.
 */
#pragma once

#include <cuda.h>

#include "guest-shim/libcudart/thread.h"

/* The numbers are the same wherever a driver call can return them. */
static inline cudaError_t
error_of(CUresult result)
{
	return (cudaError_t)result;
}

/* Records an error as the thread's last one, in the copy of the runtime that the caller
 * uses. */
cudaError_t error_record(cudaError_t error, const void *caller);

/* After a reset there is none, in no copy. */
void error_forget(void);

/* Returns error; success is the fast path and changes nothing.  Always inline: the return
 * address is that of the public function, and says who called it. */
static inline __attribute__((always_inline)) cudaError_t
error_keep(cudaError_t error)
{
	return __builtin_expect(error == cudaSuccess, 1)
		? error
		: error_record(error, __builtin_return_address(0));
}
