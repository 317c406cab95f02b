/* SPDX-License-Identifier: Apache-2.0 */
/* copy_pending.h: copies to the guest that nobody waits for yet. */
#pragma once

#include <cuda.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/lane.h"

/* Start a copy_dtoh whose answer goes straight to into, size bytes that stay where they
 * are.  stream is the one of the call. */
CUresult copy_pending_start(struct lane *lane, const struct lane_message *message,
	call_handle stream, void *into, size_t size);
/* Copies started until now have this mark or a lower one. */
uint64_t copy_pending_mark(void);
/* Wait until the answers are here: all of them; those of a stream (and of what CUDA orders
 * before it) up to a mark; those that go to a range.  The first error of a copy. */
CUresult copy_pending_wait_all(void);
CUresult copy_pending_wait_stream(call_handle stream, uint64_t mark);
CUresult copy_pending_wait_range(uint64_t start, uint64_t size);
