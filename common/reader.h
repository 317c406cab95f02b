/* SPDX-License-Identifier: Apache-2.0 */
/* reader.h: a bounded view of bytes that somebody else wrote, little endian.
 *
 * Every read is checked against the end.  The first read past it sets failed; from then
 * on every read returns zeros, so that a parser may check once, after several reads. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
	const uint8_t *data;
	size_t size;
	size_t at;
	bool failed;
};

static inline struct reader
reader_of(const void *data, size_t size)
{
	return (struct reader){ .data = data, .size = size };
}

/* The next n bytes, or NULL; they live as long as the data. */
const void *reader_bytes(struct reader *r, size_t n);
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
void reader_seek(struct reader *r, size_t at);

static inline void
reader_skip(struct reader *r, size_t n)
{
	reader_bytes(r, n);
}

static inline size_t
reader_left(const struct reader *r)
{
	return r->failed ? 0 : r->size - r->at;
}

/* A part of r by absolute offset; failed if it does not lie inside. */
struct reader reader_part(const struct reader *r, size_t at, size_t size);
/* The NUL-terminated string at an absolute offset, or NULL if it does not end inside. */
const char *reader_string(const struct reader *r, size_t at);
