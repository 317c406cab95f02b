/* SPDX-License-Identifier: Apache-2.0 */
/* copy_train.h: a copy between guest and device as a train of records. */
#pragma once

#include <cuda.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/call.h"
#include "rpc/rows.h"

/* Rows of which one end is on the device and the other in the guest's memory. */
struct copy_train {
	uint64_t device;
	size_t device_pitch;
	unsigned char *host;
	size_t host_pitch;
	size_t width, height;
	call_handle stream;
	size_t piece_max; /* bytes, at most CALL_PAYLOAD_MAX, which 0 means */
	/* Where the train is. */
	size_t row, column;
};

/* What one record carries: part of a row, or some whole rows. */
struct copy_piece {
	uint64_t device;
	unsigned char *host;
	size_t width, height;
	bool is_packed; /* its bytes lie in the guest's memory one after another */
};

/* Where the piece lies in the guest's memory. */
struct rows copy_train_rows(const struct copy_train *train, const struct copy_piece *piece);
/* Whether all pieces are sent from there and received there; else rows are packed first. */
bool copy_train_in_place(const struct copy_train *train, bool to_device);
/* The next piece of at most piece_max bytes; false at the end. */
bool copy_train_next(struct copy_train *train, struct copy_piece *ret_piece);

/* To the device: the bytes have left the guest's memory when it returns. */
CUresult copy_train_send(struct copy_train *train);
/* From the device; waits. */
CUresult copy_train_fetch(struct copy_train *train);
/* From the device; the bytes come later.  The guest's rows must be packed. */
CUresult copy_train_start(struct copy_train *train);
