/* SPDX-License-Identifier: Apache-2.0 */
/* ring.c: bytes from one process to another through memory that both have. */
#include "rpc/ring.h"

#include <errno.h>
#include <string.h>

/* Of two ends that each write one word and then look at the other's, at least one must see
 * what the other wrote, or both would sleep: so the words are of a sequentially consistent
 * order (the default of these functions).  It costs one locked instruction a message. */

/* The bytes between two positions, if the other end's is one it can have. */
static ssize_t
distance(const struct ring *ring, uint64_t ahead, uint64_t behind)
{
	uint64_t n = ahead - behind;

	return n <= ring->size ? (ssize_t)n : -EPROTO;
}

ssize_t
ring_readable(struct ring *ring)
{
	if (ring->seen == ring->position) {
		ring->seen = atomic_load(&ring->shared->written);
	}
	return distance(ring, ring->seen, ring->position);
}

ssize_t
ring_read(struct ring *ring, void *into, size_t size)
{
	ssize_t readable = ring_readable(ring);

	if (readable <= 0) {
		return readable < 0 ? readable : -EAGAIN;
	}
	size_t n = size < (size_t)readable ? size : (size_t)readable;
	size_t at = ring->position & (ring->size - 1);
	size_t first = n < ring->size - at ? n : ring->size - at;
	memcpy(into, ring->bytes + at, first);
	memcpy((uint8_t *)into + first, ring->bytes, n - first);
	ring->position += n;
	atomic_store(&ring->shared->read, ring->position);
	return (ssize_t)n;
}

ssize_t
ring_writable(struct ring *ring)
{
	ssize_t used = distance(ring, ring->position, ring->seen);

	if (used == (ssize_t)ring->size) {
		ring->seen = atomic_load(&ring->shared->read);
		used = distance(ring, ring->position, ring->seen);
	}
	return used < 0 ? used : (ssize_t)ring->size - used;
}

ssize_t
ring_write(struct ring *ring, const void *from, size_t size)
{
	ssize_t writable = ring_writable(ring);

	if (writable >= 0 && (size_t)writable < size) {
		ring->seen = atomic_load(&ring->shared->read);
		writable = ring_writable(ring);
	}
	if (writable <= 0) {
		return writable < 0 ? writable : -EAGAIN;
	}
	size_t n = size < (size_t)writable ? size : (size_t)writable;
	size_t at = ring->position & (ring->size - 1);
	size_t first = n < ring->size - at ? n : ring->size - at;
	memcpy(ring->bytes + at, from, first);
	memcpy(ring->bytes, (const uint8_t *)from + first, n - first);
	ring->position += n;
	return (ssize_t)n;
}

void
ring_publish(struct ring *ring)
{
	atomic_store(&ring->shared->written, ring->position);
}

void
ring_reader_sleeps(struct ring *ring, bool sleeps)
{
	atomic_store(&ring->shared->reader_sleeps, sleeps);
}

void
ring_writer_sleeps(struct ring *ring, bool sleeps)
{
	atomic_store(&ring->shared->writer_sleeps, sleeps);
}

/* Once for each time that it sleeps. */
static bool
wakes(_Atomic uint32_t *sleeps)
{
	return atomic_load(sleeps) != 0 && atomic_exchange(sleeps, 0) != 0;
}

bool
ring_wakes_reader(struct ring *ring)
{
	return wakes(&ring->shared->reader_sleeps);
}

bool
ring_wakes_writer(struct ring *ring)
{
	return wakes(&ring->shared->writer_sleeps);
}
