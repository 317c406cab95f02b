/* SPDX-License-Identifier: Apache-2.0 */
/* hash.h: the name that an image has by its content: part of the protocol.
 *
 * SHA-256 over: "outboard image 1" (16 bytes), the kind and the number of parts (32 bits
 * each), the size of each part (64 bits each), all little endian, and the SHA-256 of each
 * 256 KiB of the parts put together, the last piece shorter.  In two levels, so that
 * several threads can do it. */
#pragma once

#include "cubin-loader/selection.h"

#define IMAGE_HASH_SIZE 32

/* Large images keep up to four processors busy until it returns.  0, -ENOMEM. */
int image_hash(const struct selection *selection, unsigned char *ret_hash);
/* Of all of an image, as if nothing of it were left out. */
int image_hash_whole(const struct image *image, unsigned char *ret_hash);
