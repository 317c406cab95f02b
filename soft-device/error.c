/* SPDX-License-Identifier: Apache-2.0 */
/* error.c: names and short descriptions of the errors of CUDA. */
#include "soft-device/api.h"

#include "common/cuda_error.h"

CUresult
cuGetErrorName(CUresult error, const char **pStr)
{
	return cuda_error_name(error, pStr);
}

CUresult
cuGetErrorString(CUresult error, const char **pStr)
{
	return cuda_error_string(error, pStr);
}
