/* SPDX-License-Identifier: Apache-2.0 */
/* occupancy.h: how many blocks fit on a multiprocessor. */
#pragma once

#include "soft-device/module.h"

/* 0 if one does not fit. */
int occupancy_blocks(const struct ptx_function *ptx,
	const struct function_settings *settings, int block_size, size_t dynamic_shared);
