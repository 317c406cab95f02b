/* SPDX-License-Identifier: Apache-2.0 */
/* copy.h: copies between packed rows of our memory and rows of the device's. */
#pragma once

#include <cuda.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;

/* Rows on the device; of one row the pitch is not looked at. */
struct copy_rows {
	CUdeviceptr device;
	uint64_t pitch, width, height;
};

/* Bytes of the rows, packed; false if they do not fit into one payload. */
bool copy_rows_size(const struct copy_rows *rows, size_t *ret_size);
/* Begin to copy; memory holds the packed rows until the stream has got so far. */
CUresult copy_to_device(struct session *s, const struct copy_rows *rows,
	const void *memory, CUstream stream);
CUresult copy_from_device(
	struct session *s, const struct copy_rows *rows, void *memory, CUstream stream);
