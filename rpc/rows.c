/* SPDX-License-Identifier: Apache-2.0 */
/* rows.c: bytes that lie in memory as rows, and travel one after another. */
#include "rpc/rows.h"

#include <string.h>

int
rows_pieces(const struct rows *rows, size_t at, struct iovec *ret_pieces, int n_max)
{
	size_t row = at / rows->width, column = at % rows->width;
	int n = 0;

	for (; row < rows->height && n < n_max; row++) {
		ret_pieces[n++] = (struct iovec){
			.iov_base = (char *)rows->first + row * rows->pitch + column,
			.iov_len = rows->width - column };
		column = 0;
	}
	return n;
}

void
rows_pack(const struct rows *rows, void *to, size_t size)
{
	const char *from = rows->first;

	for (size_t at = 0; at < size; at += rows->width) {
		size_t left = size - at;
		memcpy((char *)to + at, from, left < rows->width ? left : rows->width);
		from += rows->pitch;
	}
}

void
rows_unpack(const struct rows *rows, const void *from, size_t size)
{
	char *to = rows->first;

	for (size_t at = 0; at < size; at += rows->width) {
		size_t left = size - at;
		memcpy(to, (const char *)from + at, left < rows->width ? left : rows->width);
		to += rows->pitch;
	}
}
