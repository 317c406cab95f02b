/* SPDX-License-Identifier: Apache-2.0 */
/* setting.h: what environment variables say. */
#pragma once

#include <stdint.h>

/* A number of bytes, like 512M; otherwise if the variable is not set, or is none. */
uint64_t setting_size(const char *name, uint64_t otherwise);
