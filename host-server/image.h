/* SPDX-License-Identifier: Apache-2.0 */
/* image.h: the images that a guest has sent, whole or in part.
 *
 * The guest names an image by a number of its own and sends its parts piece by piece.  A
 * complete image that stands the parsers of cubin-loader can be loaded; its bytes then
 * live as long as what was loaded from them, as the driver may go on reading them.
 * Large images are also kept for later guests (cache.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host-server/cache.h"

struct image_entry;
struct image_store;

/* Bytes of all images of one guest. */
#define IMAGES_SIZE_MAX ((size_t)2 << 30)
#define IMAGES_MAX 16384
/* Smaller ones are sent again sooner than they are asked for. */
#define IMAGE_KEEP_MIN ((size_t)64 << 10)

struct image_piece {
	uint64_t image;
	uint32_t kind; /* enum image_kind */
	uint32_t n_parts;
	uint32_t part;
	uint64_t part_size;
	size_t size; /* of this piece */
};

int image_store_new(struct image_store **ret_store);
struct image_store *image_store_free(struct image_store *store);
/* Where images come from that need not be sent; owns it; once.  cc is that of all devices
 * (major * 10 + minor), or 0 if they differ: then no tables of kernels are kept. */
void image_store_use_cache(struct image_store *store, struct cache *cache, int cc);
bool image_store_has_cache(const struct image_store *store);
/* Wait until everything that was to be kept is. */
void image_store_settle(struct image_store *store);

/* Where the bytes of a piece go; fill them in and call image_received.  0, -EINVAL
 * (against the rules above), -EDQUOT (more than a guest may send), -ENOMEM. */
int image_place(
	struct image_store *store, const struct image_piece *piece, void **ret_into);
void image_received(struct image_store *store, const struct image_piece *piece);
/* From now on a number names the image that the cache has under this hash.  0, -ENOENT,
 * -EINVAL (the number is taken), -EDQUOT, -ENOMEM. */
int image_from_cache(
	struct image_store *store, uint64_t image, const unsigned char *hash);
/* The table of kernels that was kept with it; *ret_size is 0 if there is none, or no such
 * image.  Lives as long as the image. */
const void *image_kernels_of(struct image_store *store, uint64_t image, size_t *ret_size);
/* No later call names it. */
void image_drop(struct image_store *store, uint64_t image);

/* The image, complete and checked, held until image_release.  0, -ENOENT, -EBUSY
 * (incomplete), -EBADMSG, -ENOMEM. */
int image_hold(struct image_store *store, uint64_t image, struct image_entry **ret_entry);
void image_release(
	struct image_store *store, struct image_entry *entry); /* NULL is allowed */
/* A driver has taken it: let the cache have it, soon, unless that is where it comes from.
 */
void image_keep(struct image_store *store, struct image_entry *entry);
/* What CUDA's loading functions take.  Lives as long as the entry is held. */
const void *image_pointer(const struct image_entry *entry);
size_t image_store_size(const struct image_store *store);
