/* SPDX-License-Identifier: Apache-2.0 */
/* upload.h: images on their way to the host. */
#pragma once

#include <cuda.h>
#include <stdint.h>

#include "cubin-loader/image.h"

/* Read an image in the program's memory and send it.  ret_kernels is NULL if its kernels
 * cannot be read here (ret_why then says why).  After the image was loaded: upload_drop. */
CUresult upload_image(const void *image, uint64_t *ret_id, struct image_kernels **ret_kernels,
	const char **ret_why);
void upload_drop(uint64_t id);
