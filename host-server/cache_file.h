/* SPDX-License-Identifier: Apache-2.0 */
/* cache_file.h: one image in a file. */
#pragma once

#include "host-server/cache.h"

/* How large the file of this content is. */
uint64_t cache_file_size(const struct cache_content *content);
/* Write it to an empty file.  0 or negative errno. */
int cache_file_write(
	int fd, const unsigned char *hash, const struct cache_content *content);
/* Map it, if it is whole and kept under this hash.  0, -EBADMSG, or another. */
int cache_file_map(int fd, const unsigned char *hash, struct cached_image *ret_image);
