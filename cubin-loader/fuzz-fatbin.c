/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-fatbin.c: one container, as a guest may send it, through everything. */
#include "cubin-loader/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image_part parts[2] = { { data, size }, { data, size } };
	struct image image = { IMAGE_FATBIN, size % 2 + 1, parts };
	struct image_kernels *kernels;
	struct image_ptx *texts;
	size_t n;

	image_validate(&image);
	if (image_kernels_new(&image, 90, &kernels) == 0) {
		image_kernels_free(kernels);
	}
	if (image_ptx(&image, &texts, &n) == 0) {
		image_ptx_free(texts, n);
	}
	return 0;
}
