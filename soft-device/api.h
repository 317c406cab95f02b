/* SPDX-License-Identifier: Apache-2.0 */
/* api.h: cuda.h as its implementer needs it: every version of every function, exported.
 * Include it first in a file. */
#pragma once

#define __CUDA_API_VERSION_INTERNAL
#pragma GCC visibility push(default)
#include <cuda.h>
#include <cudaProfiler.h>
#pragma GCC visibility pop

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Say once, on stderr, that the caller wants a function that we do not have. */
int unsupported_call(const char *name, bool *said);

/* Return from the enclosing function unless expression is CUDA_SUCCESS. */
#define TRY(expression)                              \
	do {                                         \
		CUresult try_result_ = (expression); \
		if (try_result_ != CUDA_SUCCESS) {   \
			return try_result_;          \
		}                                    \
	} while (0)
