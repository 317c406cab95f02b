/* SPDX-License-Identifier: Apache-2.0 */
/* cache_file.h: one image in a file. */
#pragma once

#include "host-server/cache.h"

/* Write an image behind the beginning of an empty file.  0 or negative errno. */
int cache_file_write(int fd, const unsigned char *hash, const struct selection *image);
/* How large that makes the file. */
uint64_t cache_file_size(const struct selection *image);
/* Map it, if it is whole and has this hash.  0, -EBADMSG, or another negative errno. */
int cache_file_map(int fd, const unsigned char *hash, struct cached_image *ret_image);
