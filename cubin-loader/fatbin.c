/* SPDX-License-Identifier: Apache-2.0 */
/* fatbin.c: fat binary containers and what they hold.
 *
 * A container is a header of 16 bytes and entries behind each other; an entry is a header
 * of 64 bytes or more and a payload padded to 8.  Found by experiment with
 * nvcc 11.8, 12.4 and 13.0; offsets stand beside the reads below. */
#include "cubin-loader/fatbin.h"

#include <errno.h>
#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "common/checked.h"
#include "common/cleanup.h"

#define ENTRY_HEADER_SIZE 64

int
fatbin_measure(const void *data, uint64_t *ret_size)
{
	struct reader r = reader_of(data, FATBIN_HEADER_SIZE);
	uint32_t magic = reader_u32(&r);
	uint16_t version = reader_u16(&r);
	uint16_t header_size = reader_u16(&r);
	uint64_t entries_size = reader_u64(&r);

	if (magic != FATBIN_MAGIC || version != 1 || header_size != FATBIN_HEADER_SIZE) {
		return -EINVAL;
	}
	if (__builtin_add_overflow(entries_size, header_size, ret_size)) {
		return -EINVAL;
	}
	return 0;
}

int
fatbin_open(const void *data, size_t size, struct fatbin *ret_fatbin)
{
	uint64_t measured;

	if (size < FATBIN_HEADER_SIZE || fatbin_measure(data, &measured) < 0 ||
		measured != size) {
		return -EBADMSG;
	}
	struct reader r = reader_of(data, size);
	ret_fatbin->entries =
		reader_part(&r, FATBIN_HEADER_SIZE, size - FATBIN_HEADER_SIZE);
	return 0;
}

/* Name and options lie in the entry's header, behind the fixed part. */
static bool
inside_header(uint32_t offset, uint32_t size, uint32_t header_size)
{
	return checked_range(offset, size, header_size);
}

int
fatbin_next(struct fatbin *fatbin, struct fatbin_entry *ret_entry)
{
	struct reader *r = &fatbin->entries;
	size_t start = r->at;
	struct fatbin_entry entry = { 0 };

	if (!r->failed && reader_left(r) == 0) {
		return 0;
	}
	entry.kind = reader_u16(r);		  /* 0 */
	reader_skip(r, 2);			  /* 2: 0x0101 */
	uint32_t header_size = reader_u32(r);	  /* 4 */
	uint64_t payload_size = reader_u64(r);	  /* 8 */
	uint32_t compressed_size = reader_u32(r); /* 16 */
	uint32_t options_offset = reader_u32(r);  /* 20 */
	reader_skip(r, 4);			  /* 24: version of PTX or of the ABI */
	entry.arch = reader_u32(r);		  /* 28 */
	uint32_t name_offset = reader_u32(r);	  /* 32 */
	uint32_t name_size = reader_u32(r);	  /* 36 */
	entry.flags = reader_u64(r);		  /* 40 */
	reader_skip(r, 8);			  /* 48 */
	entry.size = reader_u64(r);		  /* 56 */

	if (r->failed || header_size < ENTRY_HEADER_SIZE ||
		!inside_header(name_offset, name_size, header_size) ||
		(options_offset != 0 && !inside_header(options_offset, 8, header_size))) {
		return -EBADMSG;
	}
	reader_skip(r, header_size - ENTRY_HEADER_SIZE);
	entry.data = reader_bytes(r, payload_size);
	if (r->failed) {
		return -EBADMSG;
	}
	entry.whole = r->data + start;
	entry.whole_size = r->at - start;
	if (options_offset != 0) {
		struct reader options = *r;
		reader_seek(&options, start + options_offset);
		uint32_t offset = reader_u32(&options);
		uint32_t size = reader_u32(&options);
		if (!inside_header(offset, size, header_size)) {
			return -EBADMSG;
		}
	}

	if ((entry.flags & (FATBIN_FLAG_LZ4 | FATBIN_FLAG_ZSTD)) != 0) {
		entry.stored_size = compressed_size;
		if (compressed_size > payload_size) {
			return -EBADMSG;
		}
	} else {
		/* Compressed in a way that we do not know? */
		if (compressed_size != 0 && entry.kind != FATBIN_LTO) {
			return -EBADMSG;
		}
		entry.stored_size = payload_size;
		entry.size = payload_size;
	}
	*ret_entry = entry;
	return 1;
}

static bool
decompress(const struct fatbin_entry *entry, void *out)
{
	if ((entry->flags & FATBIN_FLAG_ZSTD) != 0) {
		size_t n = ZSTD_decompress(
			out, entry->size, entry->data, entry->stored_size);
		return !ZSTD_isError(n) && n == entry->size;
	}
	int n = LZ4_decompress_safe(
		entry->data, out, (int)entry->stored_size, (int)entry->size);
	return n >= 0 && (uint64_t)n == entry->size;
}

int
fatbin_payload(const struct fatbin_entry *entry, uint64_t *budget,
	struct fatbin_payload *ret_payload)
{
	uint64_t codec = entry->flags & (FATBIN_FLAG_LZ4 | FATBIN_FLAG_ZSTD);

	if (codec == 0) {
		*ret_payload = (struct fatbin_payload){
			.data = entry->data,
			.size = entry->stored_size,
		};
		return 0;
	}
	/* Both at once has no meaning, and LTO-IR is packed once more in its own way. */
	if (codec == (FATBIN_FLAG_LZ4 | FATBIN_FLAG_ZSTD) || entry->size == 0 ||
		entry->stored_size == 0) {
		return -EBADMSG;
	}
	if (entry->size > FATBIN_UNCOMPRESSED_MAX ||
		entry->stored_size > FATBIN_UNCOMPRESSED_MAX || entry->size > *budget) {
		return -E2BIG;
	}
	if (entry->size / FATBIN_RATIO_MAX > entry->stored_size) {
		return -EBADMSG;
	}
	*budget -= entry->size;

	cleanup_free void *out = malloc(entry->size);
	if (out == NULL) {
		return -ENOMEM;
	}
	if (!decompress(entry, out)) {
		return -EBADMSG;
	}
	ret_payload->data = out;
	ret_payload->size = entry->size;
	ret_payload->owned = TAKE(out);
	return 0;
}

void
fatbin_payload_deinit(struct fatbin_payload *payload)
{
	free(payload->owned);
	*payload = (struct fatbin_payload)FATBIN_PAYLOAD_INIT;
}
