/* SPDX-License-Identifier: Apache-2.0 */
/* params.h: a kernel's arguments, from what the program passes to the bytes that travel. */
#pragma once

#include <cuda.h>
#include <stddef.h>

#include "cubin-loader/image.h"

/* Fill buffer, layout->params_size bytes, from kernelParams or from extra, as
 * cuLaunchKernel is given them. */
CUresult params_pack(const struct image_kernel *layout, void *const *kernel_params,
	void *const *extra, unsigned char *buffer);
