/* SPDX-License-Identifier: Apache-2.0 */
/* array.h: how texels are described. */
#pragma once

#include <cuda.h>

#include "guest-shim/libcudart/thread.h"

/* cudaErrorInvalidChannelDescriptor if no array can be made of such elements. */
cudaError_t array_format(const struct cudaChannelFormatDesc *desc,
	CUarray_format *ret_format, unsigned *ret_channels);
