/* SPDX-License-Identifier: Apache-2.0 */
/* extent.c: which parts of a range of offsets are in use.
 *
 * An array sorted by offset; the first gap that is large enough is taken. */
#include "guest-shim/libcuda/extent.h"

#include <stdlib.h>
#include <string.h>

#include "common/checked.h"

void
extents_deinit(struct extents *extents)
{
	free(extents->used);
	*extents = (struct extents){ 0 };
}

/* How many parts start at or below offset. */
static size_t
position(const struct extents *extents, uint64_t offset)
{
	size_t low = 0, high = extents->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (extents->used[middle].start <= offset) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static bool
grow(struct extents *extents)
{
	if (extents->n < extents->cap) {
		return true;
	}
	size_t cap = extents->cap != 0 ? 2 * extents->cap : 16;
	struct extent *used = realloc(extents->used, cap * sizeof(*used));
	if (used == NULL) {
		return false;
	}
	extents->used = used;
	extents->cap = cap;
	return true;
}

bool
extents_take(struct extents *extents, uint64_t size, uint64_t align, uint64_t *ret_start)
{
	uint64_t at = 0;
	size_t i = 0;

	if (size == 0 || size > extents->size || !grow(extents)) {
		return false;
	}
	for (; i < extents->n; i++) {
		const struct extent *next = &extents->used[i];
		if (at <= next->start && next->start - at >= size) {
			break;
		}
		at = round_up(next->start + next->size, align);
	}
	if (!checked_range(at, size, extents->size)) {
		return false;
	}
	memmove(&extents->used[i + 1], &extents->used[i],
		(extents->n - i) * sizeof(extents->used[0]));
	extents->used[i] = (struct extent){ .start = at, .size = size };
	extents->n++;
	*ret_start = at;
	return true;
}

bool
extents_give(struct extents *extents, uint64_t start, uint64_t *ret_size)
{
	size_t at = position(extents, start);

	if (at == 0 || extents->used[at - 1].start != start) {
		return false;
	}
	*ret_size = extents->used[at - 1].size;
	memmove(&extents->used[at - 1], &extents->used[at],
		(extents->n - at) * sizeof(extents->used[0]));
	extents->n--;
	return true;
}

bool
extents_find(const struct extents *extents, uint64_t offset, struct extent *ret_extent)
{
	size_t at = position(extents, offset);

	if (at == 0 || offset - extents->used[at - 1].start >= extents->used[at - 1].size) {
		return false;
	}
	*ret_extent = extents->used[at - 1];
	return true;
}
