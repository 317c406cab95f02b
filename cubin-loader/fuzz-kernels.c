/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-kernels.c: a table of kernels, as a host may send it. */
#include <stdlib.h>

#include "cubin-loader/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image_kernels *kernels;
	void *bytes;

	if (image_kernels_unpack(data, size, &kernels) < 0) {
		return 0;
	}
	if (image_kernels_pack(kernels, &bytes, &size) == 0) {
		free(bytes);
	}
	image_kernels_free(kernels);
	return 0;
}
