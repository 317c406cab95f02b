/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-fatbin.c: one container, as a guest may send it, through everything. */
#include <stdlib.h>

#include "cubin-loader/hash.h"
#include "cubin-loader/image.h"
#include "cubin-loader/selection.h"
#include "cubin-loader/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image_part parts[2] = { { data, size }, { data, size } };
	struct image image = { IMAGE_FATBIN, size % 2 + 1, parts };
	struct image_kernels *kernels;
	struct image_ptx *texts;
	struct selection_for target = {
		.ccs = { 90 }, .n_ccs = 1, .runs_machine_code = size % 3 > 0
	};
	struct selection *selection;
	unsigned char hash[IMAGE_HASH_SIZE];
	void *bytes;
	size_t n;

	image_validate(&image);
	if (image_kernels_new(&image, 90, &kernels) == 0) {
		image_kernels_free(kernels);
	}
	if (image_ptx(&image, &texts, &n) == 0) {
		image_ptx_free(texts, n);
	}
	if (selection_new(&image, &target, &selection) == 0) {
		image_hash(selection, hash);
		selection_free(selection);
	}
	image.n_parts = 1;
	if (image_unpack(&image, (size_t)64 << 20, &bytes, &n) == 0) {
		struct image_part unpacked = { bytes, n };
		/* Whether it was good or not, it still is. */
		if (image_validate(&image) == 0 &&
			image_validate(&(struct image){ IMAGE_FATBIN, 1, &unpacked }) <
				0) {
			abort();
		}
		free(bytes);
	}
	return 0;
}
