/* SPDX-License-Identifier: Apache-2.0 */
/* copy.h: rows of bytes from here to there: what every cuMemcpy* becomes. */
#pragma once

#include <cuda.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct copy_end {
	uint64_t address; /* of the first row */
	size_t pitch;     /* bytes from row to row; not looked at if there is one row */
	bool is_device;   /* as the program says; the map knows better */
};

struct copy {
	struct copy_end dst, src;
	size_t width;  /* bytes of a row */
	size_t height; /* rows */
	CUstream stream;
	bool wait;     /* a synchronous function of CUDA */
};

CUresult copy_run(const struct copy *copy);
