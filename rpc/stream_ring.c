/* SPDX-License-Identifier: Apache-2.0 */
/* stream_ring.c: a stream through two rings in memory that both ends have.
 *
 * While both ends look into the memory, no system call is made.  An end that is about to
 * sleep says so in the ring, and the other one sends it a byte through the socket, which is
 * what it sleeps on.  Those bytes say nothing but "look".
 *
 * Sending and receiving may go on in two threads, as on a socket.  Only the one that
 * receives takes bytes out of the socket, so it cannot miss the one that is meant for it.
 * It may take one that is meant for the sender, who therefore looks again now and then. */
#include "rpc/stream_ring.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "rpc/ring.h"

/* In front of the bytes: what the ends tell each other about both rings. */
struct control {
	struct ring_shared to_host, to_guest;
};
#define CONTROL_SIZE ((size_t)4096)
#define LOOK_AGAIN_MS 10

struct ring_stream {
	struct stream base;
	struct stream *socket;
	struct ring in, out;
	atomic_bool closed; /* the socket's other end is */
};

static struct ring_stream *
ring_stream(struct stream *s)
{
	return (struct ring_stream *)s;
}

/* Not by way of the stream: both the sender and the receiver do this, perhaps at once. */
static void
wake_peer(struct ring_stream *rs)
{
	const char look = 0;
	ssize_t n;

	do {
		n = send(rs->base.fd, &look, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	/* A socket full of bytes that were not read wakes it as well. */
	if (n < 0 && errno != EAGAIN) {
		atomic_store(&rs->closed, true);
	}
}

static void
take_wakes(struct ring_stream *rs)
{
	char bytes[64];
	ssize_t n;

	do {
		n = rs->socket->ops->recv(rs->socket, bytes, sizeof(bytes));
	} while (n > 0);
	if (n != -EAGAIN) {
		atomic_store(&rs->closed, true);
	}
}

static ssize_t
ring_stream_sendv(struct stream *s, const struct iovec *iov, int n_iov)
{
	struct ring_stream *rs = ring_stream(s);
	ssize_t sent = 0, n = 0;

	if (atomic_load_explicit(&rs->closed, memory_order_relaxed)) {
		return -EPIPE;
	}
	for (int i = 0; i < n_iov && n >= 0; i++) {
		if (iov[i].iov_len == 0) {
			continue;
		}
		n = ring_write(&rs->out, iov[i].iov_base, iov[i].iov_len);
		if (n < 0) {
			break;
		}
		sent += n;
		if ((size_t)n < iov[i].iov_len) {
			break;
		}
	}
	if (sent == 0) {
		return n;
	}
	ring_publish(&rs->out);
	if (ring_wakes_reader(&rs->out)) {
		wake_peer(rs);
	}
	return sent;
}

static ssize_t
ring_stream_recv(struct stream *s, void *into, size_t size)
{
	struct ring_stream *rs = ring_stream(s);
	/* What was sent before the end is there before it is known. */
	bool closed = atomic_load(&rs->closed);

	ssize_t n = ring_read(&rs->in, into, size);
	if (n > 0 && ring_wakes_writer(&rs->in)) {
		wake_peer(rs);
	}
	return n == -EAGAIN && closed ? 0 : n;
}

/* What is possible now, an error or the end included: those are for send and recv to tell. */
static int
look(struct ring_stream *rs, short events)
{
	bool closed = atomic_load_explicit(&rs->closed, memory_order_relaxed);
	int ready = 0;

	if ((events & POLLIN) && (closed || ring_readable(&rs->in) != 0)) {
		ready |= POLLIN;
	}
	if ((events & POLLOUT) && (closed || ring_writable(&rs->out) != 0)) {
		ready |= POLLOUT;
	}
	return ready;
}

static void
set_sleeps(struct ring_stream *rs, short events, bool sleeps)
{
	if (events & POLLIN) {
		ring_reader_sleeps(&rs->in, sleeps);
	}
	if (events & POLLOUT) {
		ring_writer_sleeps(&rs->out, sleeps);
	}
}

/* Sleep until the peer or the time wakes us: what is possible then, or negative errno. */
static int
sleep_once(struct ring_stream *rs, short events, int timeout_ms)
{
	set_sleeps(rs, events, true);
	int ready = look(rs, events);
	if (ready == 0) {
		int woken = rs->socket->ops->wait(rs->socket, POLLIN, timeout_ms);
		if (woken > 0 && (events & POLLIN)) {
			take_wakes(rs);
		}
		ready = woken < 0 ? woken : look(rs, events);
	}
	set_sleeps(rs, events, false);
	return ready;
}

static int
ring_stream_wait(struct stream *s, short events, int timeout_ms)
{
	struct ring_stream *rs = ring_stream(s);
	int ready = look(rs, events);

	if (events == POLLRDHUP) {
		return rs->socket->ops->wait(rs->socket, events, timeout_ms);
	}
	if (ready != 0 || timeout_ms == 0) {
		return ready;
	}
	uint64_t end_ns = clock_ns() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0) * 1000000u;
	while (ready == 0) {
		uint64_t now = clock_ns();
		if (timeout_ms > 0 && now >= end_ns) {
			return 0;
		}
		int left = timeout_ms < 0 ? -1 : (int)((end_ns - now + 999999) / 1000000);
		bool bounded = !(events & POLLIN) && (left < 0 || left > LOOK_AGAIN_MS);
		ready = sleep_once(rs, events, bounded ? LOOK_AGAIN_MS : left);
	}
	return ready;
}

static bool
ring_stream_park(struct stream *s)
{
	struct ring_stream *rs = ring_stream(s);

	set_sleeps(rs, POLLIN, true);
	if (look(rs, POLLIN) == 0) {
		return true;
	}
	set_sleeps(rs, POLLIN, false);
	return false;
}

static void
ring_stream_unpark(struct stream *s)
{
	set_sleeps(ring_stream(s), POLLIN, false);
	take_wakes(ring_stream(s));
}

/* The memory is not touched: in a child of fork() it is not there. */
static void
ring_stream_close(struct stream *s)
{
	ring_stream(s)->socket = stream_free(ring_stream(s)->socket);
	s->fd = -1;
}

static const struct stream_ops ring_stream_ops = {
	.sendv = ring_stream_sendv,
	.recv = ring_stream_recv,
	.wait = ring_stream_wait,
	.park = ring_stream_park,
	.unpark = ring_stream_unpark,
	.close = ring_stream_close,
};

static bool
is_ring_size(size_t size)
{
	return size >= STREAM_RING_MIN && size <= STREAM_RING_MAX && (size & (size - 1)) == 0;
}

bool
stream_rings_measure(const struct stream_rings *rings, size_t *ret_size)
{
	if (!is_ring_size(rings->to_host) || !is_ring_size(rings->to_guest)) {
		return false;
	}
	*ret_size = CONTROL_SIZE + rings->to_host + rings->to_guest;
	return true;
}

int
stream_ring_new(struct stream *socket, const struct stream_rings *rings, bool host,
	struct stream **ret_stream)
{
	struct ring_stream *rs = calloc(1, sizeof(*rs));
	struct control *control = rings->memory;
	uint8_t *bytes = (uint8_t *)rings->memory + CONTROL_SIZE;

	_Static_assert(sizeof(*control) <= CONTROL_SIZE, "the control words fit");
	if (rs == NULL) {
		return -ENOMEM;
	}
	struct ring to_host = { .shared = &control->to_host, .bytes = bytes,
		.size = rings->to_host };
	struct ring to_guest = { .shared = &control->to_guest,
		.bytes = bytes + rings->to_host, .size = rings->to_guest };
	*rs = (struct ring_stream){ .base = { .ops = &ring_stream_ops, .fd = socket->fd },
		.socket = socket, .in = host ? to_host : to_guest,
		.out = host ? to_guest : to_host };
	*ret_stream = &rs->base;
	return 0;
}
