/* SPDX-License-Identifier: Apache-2.0 */
/* setting.c: what environment variables say. */
#include "guest-shim/libcuda/setting.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/log.h"

uint64_t
setting_size(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	char *end;

	if (text == NULL || *text == '\0') {
		return otherwise;
	}
	uint64_t size = strtoull(text, &end, 10);
	unsigned shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
	bool is_number = *text >= '0' && *text <= '9' && end[shift != 0] == '\0';
	if (!is_number || size > UINT64_MAX >> shift) {
		log_warning("%s must be a size like 512M or 16G", name);
		return otherwise;
	}
	return size << shift;
}
