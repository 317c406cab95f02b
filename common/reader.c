/* SPDX-License-Identifier: Apache-2.0 */
/* reader.c: a bounded view of bytes that somebody else wrote. */
#include "common/reader.h"

#include <string.h>

#include "common/checked.h"

const void *
reader_bytes(struct reader *r, size_t n)
{
	if (r->failed || n > r->size - r->at) {
		r->failed = true;
		return NULL;
	}
	const uint8_t *bytes = r->data + r->at;
	r->at += n;
	return bytes;
}

static uint64_t
read_le(struct reader *r, size_t n)
{
	const uint8_t *bytes = reader_bytes(r, n);
	uint64_t value = 0;

	if (bytes == NULL) {
		return 0;
	}
	for (size_t i = n; i-- > 0;) {
		value = value << 8 | bytes[i];
	}
	return value;
}

uint8_t
reader_u8(struct reader *r)
{
	return (uint8_t)read_le(r, 1);
}

uint16_t
reader_u16(struct reader *r)
{
	return (uint16_t)read_le(r, 2);
}

uint32_t
reader_u32(struct reader *r)
{
	return (uint32_t)read_le(r, 4);
}

uint64_t
reader_u64(struct reader *r)
{
	return read_le(r, 8);
}

void
reader_seek(struct reader *r, size_t at)
{
	if (at > r->size) {
		r->failed = true;
		return;
	}
	r->at = at;
}

struct reader
reader_part(const struct reader *r, size_t at, size_t size)
{
	if (r->failed || !checked_range(at, size, r->size)) {
		return (struct reader){ .failed = true };
	}
	return reader_of(r->data + at, size);
}

const char *
reader_string(const struct reader *r, size_t at)
{
	if (r->failed || at >= r->size || memchr(r->data + at, 0, r->size - at) == NULL) {
		return NULL;
	}
	return (const char *)r->data + at;
}
