/* SPDX-License-Identifier: Apache-2.0 */
/* extent.h: which parts of a range of offsets are in use.
 *
 * The caller locks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct extent {
	uint64_t start, size;
};

/* Zeroed but for size, which does not change. */
struct extents {
	uint64_t size;
	struct extent *used; /* by start */
	size_t n, cap;
};

void extents_deinit(struct extents *extents);
/* The first free part of that size, which is not 0, at a multiple of align, a power of two.
 * false: there is none, or no memory to note it. */
bool extents_take(struct extents *extents, uint64_t size, uint64_t align, uint64_t *ret_start);
/* Give back what starts exactly there.  false: nothing does. */
bool extents_give(struct extents *extents, uint64_t start, uint64_t *ret_size);
/* The part in use around an offset. */
bool extents_find(const struct extents *extents, uint64_t offset, struct extent *ret_extent);
