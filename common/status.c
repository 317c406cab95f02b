/* SPDX-License-Identifier: Apache-2.0 */
/* status.c: from negative errno to CUresult. */
#include "common/status.h"

#include <errno.h>

CUresult
status_of_errno(int negative_errno)
{
	switch (-negative_errno) {
	case 0: return CUDA_SUCCESS;
	case ENOMEM: return CUDA_ERROR_OUT_OF_MEMORY;
	case EINVAL: return CUDA_ERROR_INVALID_VALUE;
	case EBADMSG: return CUDA_ERROR_INVALID_IMAGE;
	case ENOENT: return CUDA_ERROR_NOT_FOUND;
	case ENOTSUP: return CUDA_ERROR_NOT_SUPPORTED;
	case EACCES:
	case EPERM: return CUDA_ERROR_NOT_PERMITTED;
	case ENODEV: return CUDA_ERROR_NO_DEVICE;
	/* The link to the host is gone, or never was. */
	case ECONNREFUSED:
	case ECONNRESET:
	case ENOTCONN:
	case EPIPE:
	case ETIMEDOUT: return CUDA_ERROR_SYSTEM_NOT_READY;
	default: return CUDA_ERROR_UNKNOWN;
	}
}
