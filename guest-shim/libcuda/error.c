/* SPDX-License-Identifier: Apache-2.0 */
/* error.c: names and short descriptions of the errors of CUDA. */
#include "common/cuda_error.h"
#include "guest-shim/libcuda/api.h"
#include "guest-shim/libcuda/guest.h"

CUDA_EXPORT CUresult CUDAAPI
cuGetErrorName(CUresult error, const char **pStr)
{
	return cuda_error_name(error, pStr);
}

CUDA_EXPORT CUresult CUDAAPI
cuGetErrorString(CUresult error, const char **pStr)
{
	return cuda_error_string(error, pStr);
}
