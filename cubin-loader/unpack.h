/* SPDX-License-Identifier: Apache-2.0 */
/* unpack.h: a fat binary as nvcc's --compress-mode=none would have made it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cubin-loader/image.h"

/* Caller frees.  0, -ENOENT (nothing is compressed, or it has several parts, or is no fat
 * binary), -E2BIG (it would have more than size_max bytes), -EBADMSG, -ENOMEM. */
int image_unpack(
	const struct image *image, size_t size_max, void **ret_bytes, size_t *ret_size);
