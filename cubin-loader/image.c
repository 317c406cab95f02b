/* SPDX-License-Identifier: Apache-2.0 */
/* image.c: what a program hands to cuModuleLoadData: its kind, its size, its PTX. */
#include "cubin-loader/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "cubin-loader/elf.h"
#include "cubin-loader/fatbin.h"
#include "cubin-loader/kernels.h"
#include "cubin-loader/ptx_header.h"

/* Uncompressed PTX of one image. */
#define PTX_TOTAL_MAX ((uint64_t)1 << 30)

/* ---- trusted memory of unknown length ---- */

/* Stops at the first difference: a text may be shorter than what it is compared with. */
static bool
begins_with(const void *image, const void *magic, size_t len)
{
	const char *a = image;
	const char *b = magic;

	for (size_t i = 0; i < len; i++) {
		if (a[i] != b[i]) {
			return false;
		}
	}
	return true;
}

static bool
begins_with_u32(const void *image, uint32_t magic)
{
	return begins_with(image, &magic, sizeof(magic));
}

static int
measure_container(const void *data, struct image_part *ret_part)
{
	uint64_t size;

	if (data == NULL) {
		return -EINVAL;
	}
	int r = fatbin_measure(data, &size);
	if (r < 0) {
		return r;
	}
	if (size > IMAGE_PART_MAX) {
		return -E2BIG;
	}
	*ret_part = (struct image_part){ .data = data, .size = size };
	return 0;
}

static int
measure_wrapper(const void *image, struct image *ret_image)
{
	struct fatbin_wrapper wrapper;
	size_t n_list = 0;

	memcpy(&wrapper, image, sizeof(wrapper));
	if (wrapper.version != 1 && wrapper.version != 2) {
		return -EINVAL;
	}
	/* In version 1 the third word is a file name, and unused. */
	if (wrapper.version == 2 && wrapper.list != NULL) {
		while (wrapper.list[n_list] != NULL) {
			if (++n_list >= IMAGE_PARTS_MAX) {
				return -E2BIG;
			}
		}
	}
	cleanup_free struct image_part *parts = calloc(1 + n_list, sizeof(*parts));
	if (parts == NULL) {
		return -ENOMEM;
	}
	int r = measure_container(wrapper.data, &parts[0]);
	for (size_t i = 0; r == 0 && i < n_list; i++) {
		r = measure_container(wrapper.list[i], &parts[1 + i]);
	}
	if (r < 0) {
		return r;
	}
	*ret_image = (struct image){
		.kind = IMAGE_FATBIN,
		.n_parts = 1 + n_list,
		.parts = TAKE(parts),
	};
	return 0;
}

static int
measure_elf(const void *image, struct image_part *ret_part)
{
	struct elf elf;

	/* Nothing is read but what the file's own headers point at. */
	int r = elf_open(image, IMAGE_PART_MAX, &elf);
	if (r < 0) {
		return r == -E2BIG ? r : -EINVAL;
	}
	*ret_part = (struct image_part){ .data = image, .size = elf.end };
	return 0;
}

static int
measure_ptx(const void *image, struct image_part *ret_part)
{
	struct ptx_header header;

	size_t len = strnlen(image, IMAGE_PART_MAX + 1);
	if (len > IMAGE_PART_MAX) {
		return -E2BIG;
	}
	if (ptx_header_open(image, len, &header) < 0) {
		return -EINVAL;
	}
	ptx_header_deinit(&header);
	*ret_part = (struct image_part){ .data = image, .size = len };
	return 0;
}

int
image_measure(const void *image, struct image *ret_image)
{
	struct image_part part;
	enum image_kind kind;
	int r;

	if (image == NULL) {
		return -EINVAL;
	}
	if (begins_with_u32(image, FATBIN_WRAPPER_MAGIC)) {
		return measure_wrapper(image, ret_image);
	}
	if (begins_with_u32(image, FATBIN_MAGIC)) {
		kind = IMAGE_FATBIN;
		r = measure_container(image, &part);
	} else if (begins_with(image, "\177ELF", 4)) {
		kind = IMAGE_ELF;
		r = measure_elf(image, &part);
	} else {
		kind = IMAGE_PTX;
		r = measure_ptx(image, &part);
	}
	if (r < 0) {
		return r;
	}
	struct image_part *parts = malloc(sizeof(*parts));
	if (parts == NULL) {
		return -ENOMEM;
	}
	*parts = part;
	*ret_image = (struct image){ .kind = kind, .n_parts = 1, .parts = parts };
	return 0;
}

void
image_deinit(struct image *image)
{
	free(image->parts);
	*image = (struct image)IMAGE_INIT;
}

/* ---- bytes that nobody vouches for ---- */

size_t
image_text_len(const struct fatbin_payload *payload)
{
	const char *text = payload->data;
	size_t len = payload->size;

	while (len > 0 && text[len - 1] == '\0') {
		len--;
	}
	return len;
}

int
image_check_parts(const struct image *image)
{
	if (image->n_parts == 0 || image->parts == NULL ||
		(image->kind != IMAGE_FATBIN && image->n_parts != 1)) {
		return -EBADMSG;
	}
	if (image->n_parts > IMAGE_PARTS_MAX) {
		return -E2BIG;
	}
	for (size_t i = 0; i < image->n_parts; i++) {
		if (image->parts[i].data == NULL || image->parts[i].size == 0) {
			return -EBADMSG;
		}
		if (image->parts[i].size > IMAGE_PART_MAX) {
			return -E2BIG;
		}
	}
	return 0;
}

static int
validate_elf(const void *data, size_t size)
{
	struct elf elf;

	int r = elf_open(data, size, &elf);
	if (r < 0) {
		return r;
	}
	return elf_validate(&elf);
}

static int
validate_ptx(const char *text, size_t len)
{
	struct ptx_header header;

	if (memchr(text, '\0', len) != NULL) {
		return -EBADMSG;
	}
	int r = ptx_header_open(text, len, &header);
	if (r == 0) {
		ptx_header_deinit(&header);
	}
	return r;
}

static int
validate_entry(const struct fatbin_entry *entry, uint64_t *budget)
{
	cleanup(fatbin_payload_deinit) struct fatbin_payload payload =
		FATBIN_PAYLOAD_INIT;

	/* The format of LTO-IR is not published: its place in the container is all that
	 * can be checked, as with kinds that are newer than this code. */
	if (entry->kind != FATBIN_ELF && entry->kind != FATBIN_PTX) {
		return 0;
	}
	int r = fatbin_payload(entry, budget, &payload);
	if (r < 0) {
		return r;
	}
	if (entry->kind == FATBIN_ELF) {
		return validate_elf(payload.data, payload.size);
	}
	/* A reader of the text must find a NUL before the end. */
	size_t len = image_text_len(&payload);
	return len < payload.size ? validate_ptx(payload.data, len) : -EBADMSG;
}

static int
validate_container(const struct image_part *part, uint64_t *budget)
{
	struct fatbin fatbin;
	struct fatbin_entry entry;

	int r = fatbin_open(part->data, part->size, &fatbin);
	if (r < 0) {
		return r;
	}
	while ((r = fatbin_next(&fatbin, &entry)) > 0) {
		r = validate_entry(&entry, budget);
		if (r < 0) {
			return r;
		}
	}
	return r;
}

int
image_validate(const struct image *image)
{
	uint64_t budget = FATBIN_BUDGET;

	int r = image_check_parts(image);
	if (r < 0) {
		return r;
	}
	switch (image->kind) {
	case IMAGE_FATBIN:
		for (size_t i = 0; i < image->n_parts; i++) {
			r = validate_container(&image->parts[i], &budget);
			if (r < 0) {
				return r;
			}
		}
		return 0;
	case IMAGE_ELF: return validate_elf(image->parts[0].data, image->parts[0].size);
	case IMAGE_PTX: return validate_ptx(image->parts[0].data, image->parts[0].size);
	}
	return -EBADMSG;
}

/* ---- PTX ---- */

static int
copy_text(const char *text, size_t len, uint64_t *budget, struct image_ptx *ret_text)
{
	int r = validate_ptx(text, len);
	if (r < 0) {
		return r;
	}
	if (len > *budget) {
		return -ENOMEM;
	}
	*budget -= len;
	char *copy = malloc(len + 1);
	if (copy == NULL) {
		return -ENOMEM;
	}
	memcpy(copy, text, len);
	copy[len] = '\0';
	*ret_text = (struct image_ptx){ copy, len };
	return 0;
}

/* Lower architectures first, and of one architecture what is not bound to it. */
static uint64_t
ptx_order(const struct fatbin_entry *entry)
{
	bool bound = (entry->flags & (FATBIN_FLAG_ARCH_SPECIFIC |
					     FATBIN_FLAG_FAMILY_SPECIFIC)) != 0;

	return (uint64_t)entry->arch << 1 | bound;
}

/* 1 and the text, 0 if the container holds none, or negative. */
static int
container_ptx(const struct image_part *part, uint64_t *budget, struct image_ptx *ret_text)
{
	cleanup(fatbin_payload_deinit) struct fatbin_payload payload =
		FATBIN_PAYLOAD_INIT;
	struct fatbin fatbin;
	struct fatbin_entry entry;
	struct fatbin_entry best;
	bool found = false;

	int r = fatbin_open(part->data, part->size, &fatbin);
	if (r < 0) {
		return r;
	}
	while ((r = fatbin_next(&fatbin, &entry)) > 0) {
		if (entry.kind == FATBIN_PTX &&
			(!found || ptx_order(&entry) < ptx_order(&best))) {
			best = entry;
			found = true;
		}
	}
	if (r < 0 || !found) {
		return r;
	}
	/* What is uncompressed here is freed before the next part: the texts count. */
	uint64_t uncompressed = FATBIN_UNCOMPRESSED_MAX;
	r = fatbin_payload(&best, &uncompressed, &payload);
	if (r < 0) {
		return r == -ENOMEM ? r : -EBADMSG;
	}
	r = copy_text(payload.data, image_text_len(&payload), budget, ret_text);
	return r < 0 ? r : 1;
}

/* Texts of parts [first, end). */
static int
collect_ptx(const struct image *image, size_t first, size_t end, uint64_t *budget,
	struct image_ptx *texts, size_t *n)
{
	for (size_t i = first; i < end; i++) {
		int r = container_ptx(&image->parts[i], budget, &texts[*n]);
		if (r < 0) {
			return r;
		}
		*n += (size_t)r;
	}
	return 0;
}

int
image_ptx(const struct image *image, struct image_ptx **ret_texts, size_t *ret_n)
{
	uint64_t budget = PTX_TOTAL_MAX;
	size_t n = 0;

	if (image_check_parts(image) < 0) {
		return -EBADMSG;
	}
	if (image->kind == IMAGE_ELF) {
		return -ENOENT;
	}
	struct image_ptx *texts = calloc(image->n_parts, sizeof(*texts));
	if (texts == NULL) {
		return -ENOMEM;
	}
	const struct image_part *part = &image->parts[0];
	int r = 0;
	if (image->kind == IMAGE_PTX) {
		r = copy_text(part->data, part->size, &budget, &texts[0]);
		n = r == 0;
	} else {
		r = collect_ptx(image, 1, image->n_parts, &budget, texts, &n);
		if (r == 0 && n == 0) {
			r = collect_ptx(image, 0, 1, &budget, texts, &n);
		}
		if (r == 0 && n == 0) {
			r = -ENOENT;
		}
	}
	if (r < 0) {
		image_ptx_free(texts, n);
		return r;
	}
	*ret_texts = texts;
	*ret_n = n;
	return 0;
}

void
image_ptx_free(struct image_ptx *texts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(texts[i].text);
	}
	free(texts);
}
