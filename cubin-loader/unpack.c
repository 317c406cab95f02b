/* SPDX-License-Identifier: Apache-2.0 */
/* unpack.c: a fat binary as nvcc's --compress-mode=none would have made it.
 *
 * A driver uncompresses an image whenever a process loads it.  What is kept for the next
 * process is better kept uncompressed. */
#include "cubin-loader/unpack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/checked.h"
#include "common/cleanup.h"
#include "cubin-loader/fatbin.h"
#include "cubin-loader/kernels.h"

#define CODECS (FATBIN_FLAG_LZ4 | FATBIN_FLAG_ZSTD)

/* LTO-IR is packed once more in its own way (fatbin.c). */
static bool
is_packed(const struct fatbin_entry *entry)
{
	return (entry->flags & CODECS) != 0 &&
	       (entry->kind == FATBIN_ELF || entry->kind == FATBIN_PTX);
}

static size_t
header_size(const struct fatbin_entry *entry)
{
	return (size_t)((const uint8_t *)entry->data - (const uint8_t *)entry->whole);
}

static int
unpacked_size(struct fatbin fatbin, size_t *ret_size)
{
	struct fatbin_entry entry;
	size_t size = FATBIN_HEADER_SIZE;
	bool any = false;
	int r;

	while ((r = fatbin_next(&fatbin, &entry)) > 0) {
		size_t more = entry.whole_size;
		if (is_packed(&entry)) {
			if (entry.size > FATBIN_UNCOMPRESSED_MAX) {
				return -E2BIG;
			}
			more = header_size(&entry) + round_up(entry.size, 8);
			any = true;
		}
		if (!checked_add(size, more, &size)) {
			return -E2BIG;
		}
	}
	*ret_size = size;
	return r < 0 ? r : any ? 0 : -ENOENT;
}

/* Where the next entry goes, or NULL. */
static uint8_t *
put_unpacked(uint8_t *at, const struct fatbin_entry *entry, int *ret_error)
{
	cleanup(fatbin_payload_deinit) struct fatbin_payload payload =
		FATBIN_PAYLOAD_INIT;
	uint64_t budget = FATBIN_UNCOMPRESSED_MAX;
	size_t size = header_size(entry), padded = round_up(entry->size, 8);
	uint64_t payload_size = padded, flags = entry->flags & ~(uint64_t)CODECS;

	*ret_error = fatbin_payload(entry, &budget, &payload);
	if (*ret_error < 0) {
		return NULL;
	}
	memcpy(at, entry->whole, size);
	memcpy(at + 8, &payload_size, 8);
	memset(at + 16, 0, 4); /* compressed size */
	memcpy(at + 40, &flags, 8);
	memset(at + 56, 0, 8); /* uncompressed size, of what is compressed */
	memcpy(at + size, payload.data, payload.size);
	memset(at + size + payload.size, 0, padded - payload.size);
	return at + size + padded;
}

int
image_unpack(
	const struct image *image, size_t size_max, void **ret_bytes, size_t *ret_size)
{
	struct fatbin fatbin;
	struct fatbin_entry entry;
	size_t size = 0;

	if (image_check_parts(image) < 0) {
		return -EBADMSG;
	}
	if (image->kind != IMAGE_FATBIN || image->n_parts != 1) {
		return -ENOENT;
	}
	int r = fatbin_open(image->parts[0].data, image->parts[0].size, &fatbin);
	if (r == 0) {
		r = unpacked_size(fatbin, &size);
	}
	if (r < 0) {
		return r;
	}
	if (size > size_max) {
		return -E2BIG;
	}
	cleanup_free uint8_t *bytes = malloc(size);
	if (bytes == NULL) {
		return -ENOMEM;
	}
	uint64_t entries_size = size - FATBIN_HEADER_SIZE;
	memcpy(bytes, image->parts[0].data, 8);
	memcpy(bytes + 8, &entries_size, 8);
	uint8_t *at = bytes + FATBIN_HEADER_SIZE;
	while (fatbin_next(&fatbin, &entry) > 0) {
		if (is_packed(&entry)) {
			at = put_unpacked(at, &entry, &r);
			if (at == NULL) {
				return r;
			}
		} else {
			memcpy(at, entry.whole, entry.whole_size);
			at += entry.whole_size;
		}
	}
	*ret_bytes = TAKE(bytes);
	*ret_size = size;
	return 0;
}
