/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-elf.c: one cubin, as a guest may send it. */
#include <stdlib.h>

#include "cubin-loader/elf.h"
#include "cubin-loader/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image_part part = { data, size };
	struct image image = { IMAGE_ELF, 1, &part };
	struct image_kernels *kernels;
	struct elf elf;

	image_validate(&image);
	if (image_kernels_new(&image, 90, &kernels) == 0) {
		for (size_t i = 0; i < image_kernels_count(kernels); i++) {
			const struct image_kernel *k = image_kernels_at(kernels, i);
			if (image_kernels_find(kernels, k->name) != k) {
				abort();
			}
		}
		image_kernels_free(kernels);
	}
	if (elf_open(data, size, &elf) == 0) {
		struct elf_section section;
		elf_section_find(&elf, ".nv.info", &section);
		if (elf.end > size) {
			abort();
		}
	}
	return 0;
}
