/* SPDX-License-Identifier: Apache-2.0 */
/* selection.c: what of an image a host needs. */
#include "cubin-loader/selection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cubin-loader/kernels.h"

/* The CUDA C++ programming guide, "binary compatibility": code of the same major revision
 * and of no higher minor one runs; arch-specific code (sm_90a) on exactly its own. */
static bool
fits(const struct fatbin_entry *entry, uint32_t cc)
{
	if ((entry->flags & FATBIN_FLAG_ARCH_SPECIFIC) != 0) {
		return entry->arch == cc;
	}
	return entry->arch / 10 == cc / 10 && entry->arch <= cc;
}

/* A bit for each device for which there is machine code of exactly its architecture. */
static uint32_t
find_exact(const struct fatbin *fatbin, const struct selection_for *target)
{
	struct fatbin walk = *fatbin;
	struct fatbin_entry entry;
	uint32_t exact = 0;

	while (fatbin_next(&walk, &entry) > 0) {
		for (size_t i = 0; entry.kind == FATBIN_ELF && i < target->n_ccs; i++) {
			exact |= (uint32_t)(entry.arch == target->ccs[i]) << i;
		}
	}
	return exact;
}

/* What fits is not always taken: code for Tegra (sm_72, sm_87) does not run on other
 * devices of its generation.  So only an exact match makes the others superfluous. */
static bool
needed_by(const struct fatbin_entry *entry, uint32_t cc, bool exact)
{
	if (entry->kind == FATBIN_ELF) {
		return exact ? entry->arch == cc : fits(entry, cc);
	}
	return !exact || (entry->kind != FATBIN_PTX && entry->kind != FATBIN_LTO);
}

static bool
needed(const struct fatbin_entry *entry, const struct selection_for *target,
	uint32_t exact)
{
	if (entry->kind == FATBIN_PTX && !target->runs_machine_code) {
		return true;
	}
	for (size_t i = 0; i < target->n_ccs; i++) {
		if (needed_by(entry, target->ccs[i], (exact >> i & 1) != 0)) {
			return true;
		}
	}
	return false;
}

/* Room for n slices was made. */
static void
add_slice(struct selection *selection, const void *data, size_t size, uint32_t part)
{
	struct image_slice *last = selection->n_slices > 0
					   ? &selection->slices[selection->n_slices - 1]
					   : NULL;

	if (last != NULL && last->part == part &&
		(const unsigned char *)last->data + last->size == data) {
		last->size += size;
	} else {
		selection->slices[selection->n_slices++] =
			(struct image_slice){ data, size, part };
	}
	selection->part_sizes[part] += size;
	selection->size += size;
}

static int
selection_alloc(
	const struct image *image, size_t n_slices, struct selection **ret_selection)
{
	struct selection *selection = calloc(1, sizeof(*selection));

	if (selection == NULL) {
		return -ENOMEM;
	}
	selection->kind = image->kind;
	selection->n_parts = image->n_parts;
	selection->part_sizes = calloc(image->n_parts, sizeof(*selection->part_sizes));
	selection->slices = calloc(n_slices, sizeof(*selection->slices));
	if (selection->part_sizes == NULL || selection->slices == NULL) {
		selection_free(selection);
		return -ENOMEM;
	}
	*ret_selection = selection;
	return 0;
}

int
selection_whole(const struct image *image, struct selection **ret_selection)
{
	struct selection *selection;

	if (image_check_parts(image) < 0) {
		return -EBADMSG;
	}
	int r = selection_alloc(image, image->n_parts, &selection);
	if (r < 0) {
		return r;
	}
	for (size_t i = 0; i < image->n_parts; i++) {
		add_slice(selection, image->parts[i].data, image->parts[i].size,
			(uint32_t)i);
	}
	*ret_selection = selection;
	return 0;
}

static int
select_entries(const struct image *image, const struct fatbin *fatbin,
	const struct selection_for *target, uint32_t exact, size_t n_needed,
	struct selection **ret_selection)
{
	struct selection *selection;
	struct fatbin walk = *fatbin;
	struct fatbin_entry entry;

	int r = selection_alloc(image, 1 + n_needed, &selection);
	if (r < 0) {
		return r;
	}
	add_slice(selection, selection->header, FATBIN_HEADER_SIZE, 0);
	while (fatbin_next(&walk, &entry) > 0) {
		if (needed(&entry, target, exact)) {
			add_slice(selection, entry.whole, entry.whole_size, 0);
		}
	}
	/* The same header, but for the size of the entries (fatbin.c). */
	uint64_t entries_size = selection->size - FATBIN_HEADER_SIZE;
	memcpy(selection->header, image->parts[0].data, 8);
	memcpy(selection->header + 8, &entries_size, sizeof(entries_size));
	*ret_selection = selection;
	return 0;
}

int
selection_new(const struct image *image, const struct selection_for *target,
	struct selection **ret_selection)
{
	struct fatbin fatbin;
	struct fatbin_entry entry;
	size_t n_needed = 0, n_entries = 0;

	if (image_check_parts(image) < 0) {
		return -EBADMSG;
	}
	if (image->kind != IMAGE_FATBIN || image->n_parts != 1) {
		return selection_whole(image, ret_selection);
	}
	int r = fatbin_open(image->parts[0].data, image->parts[0].size, &fatbin);
	if (r < 0) {
		return r;
	}
	uint32_t exact = find_exact(&fatbin, target);
	struct fatbin walk = fatbin;
	while ((r = fatbin_next(&walk, &entry)) > 0) {
		n_needed += needed(&entry, target, exact);
		n_entries++;
	}
	if (r < 0) {
		return r;
	}
	if (n_needed == 0 || n_needed == n_entries) {
		return selection_whole(image, ret_selection);
	}
	return select_entries(image, &fatbin, target, exact, n_needed, ret_selection);
}

struct selection *
selection_free(struct selection *selection)
{
	if (selection != NULL) {
		free(selection->part_sizes);
		free(selection->slices);
		free(selection);
	}
	return NULL;
}
