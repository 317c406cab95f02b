/* SPDX-License-Identifier: Apache-2.0 */
/* rows.h: bytes that lie in memory as rows, and travel one after another. */
#pragma once

#include <stddef.h>
#include <sys/uio.h>

struct rows {
	void *first;
	size_t pitch, width, height; /* at least one byte each; pitch if height > 1 */
};

static inline size_t
rows_size(const struct rows *rows)
{
	return rows->width * rows->height;
}

/* Where the bytes from at on lie, in at most n_max pieces; how many there are. */
int rows_pieces(const struct rows *rows, size_t at, struct iovec *ret_pieces, int n_max);
/* Copy the first size bytes of the rows to, or from, where they are packed. */
void rows_pack(const struct rows *rows, void *to, size_t size);
void rows_unpack(const struct rows *rows, const void *from, size_t size);
