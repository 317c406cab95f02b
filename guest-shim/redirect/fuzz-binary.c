/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-binary.c: any bytes as the file of a program. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "guest-shim/redirect/binary.h"
#include "guest-shim/redirect/jump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct binary b;
	struct binary_function f;
	int major;
	size_t n = 0;

	jump_padding(data, size);
	if (binary_parse(&b, data, size) < 0) {
		return 0;
	}
	binary_runtime(&b, &major);
	for (size_t at = 0; binary_next(&b, &at, &f) && n < 64; n++) {
		if (strlen(f.name) == 0 || f.size > f.n_bytes) {
			abort();
		}
		jump_padding(f.bytes, f.n_bytes);
		binary_next_address(&b, f.address);
	}
	return 0;
}
