/* SPDX-License-Identifier: Apache-2.0 */
/* copy.h: copies between rows of our memory and rows of the device's. */
#pragma once

#include <cuda.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;

/* Of one row no pitch is looked at. */
struct copy_rows {
	CUdeviceptr device;
	uint64_t pitch, width, height;
	uint64_t memory_pitch; /* at our end; 0: they are packed */
};

/* Bytes of the rows, packed; false if they do not fit into one payload. */
bool copy_rows_size(const struct copy_rows *rows, size_t *ret_size);
/* Begin to copy; memory holds the rows until the stream has got so far. */
CUresult copy_to_device(struct session *s, const struct copy_rows *rows,
	const void *memory, CUstream stream);
CUresult copy_from_device(
	struct session *s, const struct copy_rows *rows, void *memory, CUstream stream);
