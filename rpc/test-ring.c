/* SPDX-License-Identifier: Apache-2.0 */
/* test-ring.c: streams through rings in memory: bytes, sleeping, the end, and liars. */
#include "rpc/ring.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "rpc/stream_ring.h"

#define BYTES ((size_t)3 << 20)

struct pair {
	struct stream *guest, *host;
	void *memory;
};

static void
pair_new(struct pair *p)
{
	struct stream_rings rings = { .to_host = STREAM_RING_MIN, .to_guest = STREAM_RING_MIN };
	struct stream *ends[2];
	int fds[2];
	size_t size;

	assert_true(stream_rings_measure(&rings, &size));
	rings.memory = p->memory = aligned_alloc(4096, size);
	memset(rings.memory, 0, size);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(stream_of_fd(fds[i], &ends[i]), 0);
		assert_int_equal(stream_ring_new(ends[i], &rings, i == 0,
			i == 0 ? &p->host : &p->guest), 0);
	}
}

static void
pair_free(struct pair *p)
{
	p->guest = stream_free(p->guest);
	p->host = stream_free(p->host);
	free(p->memory);
}

/* Where the guest's positions are told: the first of both rings. */
static struct ring_shared *
to_host(const struct pair *p)
{
	return p->memory;
}

static unsigned char
byte_at(size_t at, unsigned seed)
{
	return (unsigned char)((at * 2654435761u + seed) >> 11);
}

struct work {
	struct stream *stream;
	unsigned seed;
	bool ok;
};

static void *
sender(void *user)
{
	struct work *w = user;
	unsigned char bytes[5000];
	unsigned random = w->seed;

	for (size_t at = 0; at < BYTES;) {
		size_t n = 1 + rand_r(&random) % sizeof(bytes);
		n = n < BYTES - at ? n : BYTES - at;
		for (size_t i = 0; i < n; i++) {
			bytes[i] = byte_at(at + i, w->seed);
		}
		for (size_t sent = 0; sent < n;) {
			size_t first = (n - sent) / 3;
			struct iovec iov[2] = { { bytes + sent, first },
				{ bytes + sent + first, n - sent - first } };
			ssize_t r = w->stream->ops->sendv(w->stream, iov, 2);
			if (r == -EAGAIN) {
				w->stream->ops->wait(w->stream, POLLOUT, -1);
				continue;
			}
			w->ok = w->ok && r > 0;
			sent += r > 0 ? (size_t)r : n;
		}
		at += n;
		if (random % 512 == 0) {
			usleep(200); /* the reader falls asleep */
		}
	}
	return NULL;
}

static void *
receiver(void *user)
{
	struct work *w = user;
	unsigned char bytes[7000];
	unsigned random = w->seed;

	for (size_t at = 0; at < BYTES;) {
		size_t size = 1 + rand_r(&random) % sizeof(bytes);
		ssize_t n = w->stream->ops->recv(w->stream, bytes, size);
		if (n == -EAGAIN) {
			w->stream->ops->wait(w->stream, POLLIN, -1);
			continue;
		}
		if (n <= 0) {
			w->ok = false;
			break;
		}
		for (ssize_t i = 0; i < n; i++) {
			w->ok = w->ok && bytes[i] == byte_at(at + (size_t)i, w->seed);
		}
		at += (size_t)n;
		if (random % 512 == 0) {
			usleep(200); /* the writer falls asleep */
		}
	}
	return NULL;
}

static void
bytes_arrive_in_both_directions_at_once(void **state)
{
	struct pair p;
	pthread_t threads[4];

	pair_new(&p);
	struct work work[4] = { { p.guest, 1, true }, { p.host, 1, true },
		{ p.host, 2, true }, { p.guest, 2, true } };
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL,
			i % 2 == 0 ? sender : receiver, &work[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_true(work[i].ok);
	}
	pair_free(&p);
}

static void
send_byte(struct stream *s, char byte)
{
	struct iovec iov = { &byte, 1 };

	assert_int_equal(s->ops->sendv(s, &iov, 1), 1);
}

static void
the_end_comes_after_the_last_byte(void **state)
{
	struct pair p;
	char byte = 0;

	pair_new(&p);
	send_byte(p.guest, 'x');
	p.guest = stream_free(p.guest);
	assert_int_equal(p.host->ops->wait(p.host, POLLIN, 1000), POLLIN);
	assert_int_equal(p.host->ops->recv(p.host, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	assert_int_equal(p.host->ops->wait(p.host, POLLIN, 1000), POLLIN);
	assert_int_equal(p.host->ops->recv(p.host, &byte, 1), 0);
	struct iovec iov = { &byte, 1 };
	assert_int_equal(p.host->ops->sendv(p.host, &iov, 1), -EPIPE);
	pair_free(&p);
}

static void
who_sleeps_in_poll_is_woken(void **state)
{
	struct pair p;
	char byte;

	pair_new(&p);
	struct pollfd entry = { .fd = p.host->fd, .events = POLLIN };
	assert_int_equal(p.host->ops->wait(p.host, POLLIN, 20), 0);
	send_byte(p.guest, 'a'); /* nobody sleeps: no system call */
	assert_int_equal(poll(&entry, 1, 0), 0);
	assert_false(stream_park(p.host));
	assert_int_equal(p.host->ops->recv(p.host, &byte, 1), 1);
	assert_true(stream_park(p.host));
	assert_int_equal(poll(&entry, 1, 0), 0);
	send_byte(p.guest, 'b');
	assert_int_equal(poll(&entry, 1, 1000), 1);
	send_byte(p.guest, 'c'); /* it is awake already */
	stream_unpark(p.host);
	assert_int_equal(poll(&entry, 1, 0), 0);
	assert_int_equal(p.host->ops->recv(p.host, &byte, 1), 1);
	assert_int_equal(p.host->ops->recv(p.host, &byte, 1), 1);
	assert_int_equal(byte, 'c');
	assert_int_equal(p.host->ops->recv(p.host, &byte, 1), -EAGAIN);
	pair_free(&p);
}

static void
positions_that_cannot_be_are_refused(void **state)
{
	/* Behind where it was, further than the ring is long, and far away. */
	static const uint64_t lies[] = { STREAM_RING_MIN + 1, UINT64_MAX, 1ull << 63 };
	static const uint64_t lies_read[] = { 1, STREAM_RING_MIN, 1ull << 63 };
	unsigned char bytes[STREAM_RING_MIN];
	struct iovec iov = { bytes, sizeof(bytes) };

	memset(bytes, 1, sizeof(bytes));
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct pair p;
		pair_new(&p);
		atomic_store(&to_host(&p)->written, lies[i]);
		assert_int_equal(p.host->ops->wait(p.host, POLLIN, 0), POLLIN);
		assert_int_equal(p.host->ops->recv(p.host, bytes, sizeof(bytes)), -EPROTO);
		pair_free(&p);
		pair_new(&p);
		/* It has read more than was written. */
		assert_int_equal(p.guest->ops->sendv(p.guest, &iov, 1), sizeof(bytes));
		atomic_store(&to_host(&p)->read, sizeof(bytes) + lies_read[i]);
		assert_int_equal(p.guest->ops->sendv(p.guest, &iov, 1), -EPROTO);
		pair_free(&p);
	}
}

static void
sizes_are_powers_of_two_within_bounds(void **state)
{
	static const size_t wrong[] = { 0, 1, STREAM_RING_MIN / 2, STREAM_RING_MIN + 1,
		3 * STREAM_RING_MIN, STREAM_RING_MAX * 2, SIZE_MAX };
	struct stream_rings rings = { .to_host = STREAM_RING_MAX,
		.to_guest = STREAM_RING_MAX };
	size_t size;

	assert_true(stream_rings_measure(&rings, &size));
	assert_int_equal(size, 4096 + 2 * STREAM_RING_MAX);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		rings = (struct stream_rings){ .to_host = wrong[i], .to_guest = STREAM_RING_MIN };
		assert_false(stream_rings_measure(&rings, &size));
		rings = (struct stream_rings){ .to_host = STREAM_RING_MIN, .to_guest = wrong[i] };
		assert_false(stream_rings_measure(&rings, &size));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_arrive_in_both_directions_at_once),
		cmocka_unit_test(the_end_comes_after_the_last_byte),
		cmocka_unit_test(who_sleeps_in_poll_is_woken),
		cmocka_unit_test(positions_that_cannot_be_are_refused),
		cmocka_unit_test(sizes_are_powers_of_two_within_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
