/* SPDX-License-Identifier: Apache-2.0 */
/* image.h: what a program hands to cuModuleLoadData or cuLibraryLoadData, taken apart.
 *
 * CUDA's interface takes a pointer without a length.  image_measure() finds out what is
 * behind it and how long it is; that is possible only in the process that owns the memory,
 * and trusts that process.  Everything else here takes pointer and length, trusts nothing,
 * and is fuzzed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum image_kind {
	IMAGE_FATBIN, /* every part is one fat binary container */
	IMAGE_ELF,    /* one part, a cubin */
	IMAGE_PTX,    /* one part, text; the terminating NUL is not counted */
};

/* More containers than this in one -rdc wrapper are refused. */
#define IMAGE_PARTS_MAX 4096
/* A part larger than this is refused (the largest known is 59 MB compressed). */
#define IMAGE_PART_MAX ((size_t)1 << 30)

struct image_part {
	const void *data; /* borrowed */
	size_t size;      /* bytes */
};

/* For a wrapper of version 2 (-rdc=true) part 0 is the device-linked container and the
 * others are those of the object files. */
struct image {
	enum image_kind kind;
	size_t n_parts;
	struct image_part *parts; /* image_deinit frees the array, not the data */
};

#define IMAGE_INIT { .parts = NULL }

/* Recognise a wrapper, a container, a cubin or PTX text at image, in trusted memory.
 * 0, -EINVAL (not an image), -E2BIG, -ENOMEM. */
int image_measure(const void *image, struct image *ret_image);
void image_deinit(struct image *image);

/* Whether the parts may be handed to a driver: they are of the kind that they claim to be,
 * and no header, table or compressed size in them reaches outside.  The driver tells the
 * kinds apart by the first bytes, and would follow the pointers of a wrapper; nothing that
 * passes can be taken for one.  Text is passed without its NUL: the caller must append it.
 * Every cubin and PTX is uncompressed in turn, at about 1 GB/s.
 * 0, -EBADMSG, -E2BIG (too many or too large), -ENOMEM. */
int image_validate(const struct image *image);

/* ---- kernels and their parameters, without a driver ---- */

struct image_param {
	uint32_t offset; /* bytes from the start of the parameter buffer */
	uint32_t size;   /* bytes */
};

struct image_kernel {
	const char *name;
	size_t n_params;
	const struct image_param *params; /* in order of declaration */
	uint32_t params_size;             /* max(offset + size) */
};

struct image_kernels; /* all kernels of an image, found by name */

/* Read every kernel of the image: from the cubin whose architecture fits best (same major,
 * highest minor <= device), else any cubin, else PTX.  cc is major * 10 + minor of the
 * device.  A kernel whose parameters are recorded in a form that we do not know is left
 * out.  Caller frees.  0, -EBADMSG (malformed), -ENOTSUP (no cubin and no PTX: LTO-IR
 * only), -ENOMEM. */
int image_kernels_new(const struct image *image, int cc, struct image_kernels **ret_kernels);
struct image_kernels *image_kernels_free(struct image_kernels *kernels);
/* NULL if there is no such kernel.  Lives as long as kernels. */
const struct image_kernel *image_kernels_find(const struct image_kernels *kernels,
	const char *name);
/* Whether any of them may print: printf() or assert() is called somewhere. */
bool image_kernels_print(const struct image_kernels *kernels);
size_t image_kernels_count(const struct image_kernels *kernels);
const struct image_kernel *image_kernels_at(const struct image_kernels *kernels, size_t i);

/* How many bytes image_kernels_new would have to uncompress; below IMAGE_KERNELS_CHEAP
 * that takes no longer than asking somebody on a network. */
#define IMAGE_KERNELS_CHEAP ((uint64_t)2 << 20)
uint64_t image_kernels_cost(const struct image *image, int cc);

/* The same as bytes, for somebody who need not read the image then.  pack: caller frees
 * *ret_bytes; 0, -E2BIG, -ENOMEM.  unpack: as image_kernels_new; 0, -EBADMSG, -ENOMEM. */
int image_kernels_pack(
	const struct image_kernels *kernels, void **ret_bytes, size_t *ret_size);
int image_kernels_unpack(
	const void *bytes, size_t size, struct image_kernels **ret_kernels);

/* ---- PTX for a device that runs nothing else ---- */

struct image_ptx {
	char *text; /* NUL-terminated */
	size_t len;
};

/* The PTX to load: from every container that holds one, the text with the lowest
 * architecture, uncompressed.  An image of several parts (-rdc) may give several texts,
 * which are to be linked; for those, part 0 gives its text only if the others give none.
 * Caller frees each text and the array (image_ptx_free).  0, -ENOENT (machine code
 * only), -EBADMSG, -ENOMEM. */
int image_ptx(const struct image *image, struct image_ptx **ret_texts, size_t *ret_n);
void image_ptx_free(struct image_ptx *texts, size_t n);
