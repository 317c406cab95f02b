/* SPDX-License-Identifier: Apache-2.0 */
/* copy.h: one copy, of one to three dimensions. */
#pragma once

#include "soft-device/api.h"

/* Where a side of a copy may lie. */
enum copy_side {
	COPY_DEVICE, /* in the table of allocations */
	COPY_HOST,   /* anywhere but in device memory that is not allocated */
	COPY_ANY,    /* what the address says */
};

struct copy_end {
	enum copy_side side;
	uint64_t address;
	size_t pitch; /* bytes from row to row */
	size_t slice; /* bytes from plane to plane */
};

struct copy {
	struct copy_end dst;
	struct copy_end src;
	size_t width; /* bytes */
	size_t height;
	size_t depth;
};

/* Check and submit.  A copy from or to memory that is not pinned is over when this
 * returns, as CUDA says it may be, except a short one to the device, which is staged. */
CUresult copy_submit(CUstream stream, const struct copy *copy, bool wait);
