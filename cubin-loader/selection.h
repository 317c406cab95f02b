/* SPDX-License-Identifier: Apache-2.0 */
/* selection.h: what of an image a host needs: of a fat binary, the entries that its
 * driver may choose for the devices there are.
 *
 * An entry left out that the driver would have chosen is a wrong result; one too many
 * costs only time.  So everything stays that is not understood, and PTX stays unless
 * there is machine code for exactly the device. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cubin-loader/fatbin.h"
#include "cubin-loader/image.h"

/* Bytes of a part that lie together. */
struct image_slice {
	const void *data;
	size_t size;
	uint32_t part;
};

struct selection {
	enum image_kind kind;
	size_t n_parts;
	size_t *part_sizes;
	size_t size; /* of all parts */
	size_t n_slices;
	struct image_slice *slices; /* part after part; they borrow the image */
	unsigned char header[FATBIN_HEADER_SIZE]; /* of a container that lost entries */
};

#define SELECTION_CCS_MAX 32

struct selection_for {
	uint32_t ccs[SELECTION_CCS_MAX]; /* of each device, major * 10 + minor */
	size_t n_ccs;
	bool runs_machine_code; /* the driver; else it may want PTX all the same */
};

/* Images of several parts, which are to be linked, and those of which nothing would be
 * left are selected whole.  Caller frees.  0, -EBADMSG, -ENOMEM. */
int selection_new(const struct image *image, const struct selection_for *target,
	struct selection **ret_selection);
/* All of it. */
int selection_whole(const struct image *image, struct selection **ret_selection);
struct selection *selection_free(struct selection *selection);
