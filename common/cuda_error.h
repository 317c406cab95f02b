/* SPDX-License-Identifier: Apache-2.0 */
/* cuda_error.h: what cuGetErrorName and cuGetErrorString answer. */
#pragma once

#include <cuda.h>

/* CUDA_ERROR_INVALID_VALUE, and NULL, for an error that is none. */
CUresult cuda_error_name(CUresult error, const char **ret_name);
CUresult cuda_error_string(CUresult error, const char **ret_text);
