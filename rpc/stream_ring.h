/* SPDX-License-Identifier: Apache-2.0 */
/* stream_ring.h: a stream through two rings in memory that both ends have.
 *
 * The socket on which they met stays: its end is the stream's end, and a byte in it wakes a
 * peer that sleeps. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "rpc/stream.h"

/* A ring's size is a power of two from here ... */
#define STREAM_RING_MIN ((size_t)64 << 10)
/* ... to here: more only hides that the other end does not keep up. */
#define STREAM_RING_MAX ((size_t)64 << 20)

struct stream_rings {
	void *memory; /* zero at first, aligned to pages; outlives the stream */
	size_t to_host, to_guest; /* sizes of the rings */
};

/* Whether the sizes are allowed; how much memory they take. */
bool stream_rings_measure(const struct stream_rings *rings, size_t *ret_size);
/* Owns socket from then on if it succeeds. */
int stream_ring_new(struct stream *socket, const struct stream_rings *rings, bool host,
	struct stream **ret_stream);
