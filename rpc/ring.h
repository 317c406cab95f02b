/* SPDX-License-Identifier: Apache-2.0 */
/* ring.h: bytes from one process to another through memory that both have.
 *
 * One end writes, the other reads; each keeps its own position to itself and only tells it
 * in the shared memory.  So an end that lies about its position breaks the connection
 * (-EPROTO) and nothing else.  Nothing here blocks or enters the kernel. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What the ends tell each other, in front of the bytes.  A cache line each: what one end
 * writes often, the other end should not have to fetch for another reason. */
struct ring_shared {
	_Alignas(64) _Atomic uint64_t written;
	_Alignas(64) _Atomic uint32_t reader_sleeps;
	_Alignas(64) _Atomic uint64_t read;
	_Alignas(64) _Atomic uint32_t writer_sleeps;
};

/* One end of one ring. */
struct ring {
	struct ring_shared *shared;
	uint8_t *bytes;
	size_t size;       /* of bytes; a power of two */
	uint64_t position; /* bytes that this end has written, or read */
	uint64_t seen;     /* the other end's position when it was last looked at */
};

/* How many bytes can be read now; negative errno. */
ssize_t ring_readable(struct ring *ring);
/* Read at most size bytes; -EAGAIN if there are none. */
ssize_t ring_read(struct ring *ring, void *into, size_t size);
ssize_t ring_writable(struct ring *ring);
/* Write at most size bytes, which the reader sees after ring_publish; -EAGAIN if there is
 * no room. */
ssize_t ring_write(struct ring *ring, const void *from, size_t size);
void ring_publish(struct ring *ring);

/* About to sleep until the other end has moved.  Look once more after this: it either sees
 * that we sleep, or we see that it has moved. */
void ring_reader_sleeps(struct ring *ring, bool sleeps);
void ring_writer_sleeps(struct ring *ring, bool sleeps);
/* After moving: whether the other end sleeps and is to be woken.  Says so once. */
bool ring_wakes_reader(struct ring *ring);
bool ring_wakes_writer(struct ring *ring);
