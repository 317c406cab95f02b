/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-ptx-header.c: a PTX text, as a guest may send it. */
#include <stdlib.h>

#include "cubin-loader/ptx_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ptx_header header;
	struct ptx_kernel kernel;

	if (ptx_header_open((const char *)data, size, &header) < 0) {
		return 0;
	}
	while (ptx_header_next_kernel(&header, &kernel) > 0) {
		for (size_t i = 0; i < kernel.n_params; i++) {
			if (kernel.params[i].offset + kernel.params[i].size >
				PTX_PARAMS_SIZE_MAX) {
				abort();
			}
		}
	}
	ptx_header_deinit(&header);
	return 0;
}
