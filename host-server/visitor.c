/* SPDX-License-Identifier: Apache-2.0 */
/* visitor.c: connections that have not said HELLO.
 *
 * The first header is looked at without being taken from the socket.  If it is HELLO's,
 * the connection goes, unread, to a worker; if it is bulk_join's, to the one whose guest it
 * names.  Anything else is answered here: that is what rpcinfo, the status command and lost
 * strangers send. */
#include <arpa/inet.h>
#include <cuda.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "host-server/daemon.h"
#include "rpc/call.h"
#include "rpc/message.h"
#include "rpc/server.h"
#include "rpc/stream.h"

#define VISITORS_MAX 64
/* To say what one wants, and to be given a worker. */
#define PATIENCE_MS 10000
#define QUEUE_MS 60000
/* A visitor that does not read its answers must not hold up the others. */
#define STALL_MS 100

/* Record mark, xid, CALL, RPC version, program, version, procedure (RFC 5531). */
#define HEADER_WORDS 7
/* A whole bulk_join: the header of a call, the guest's number, the secret. */
#define JOIN_WORDS ((MESSAGE_MARK_SIZE + MESSAGE_CALL_SIZE + 8 + sizeof(call_secret)) / 4)
#define JOIN_GUEST_AT ((MESSAGE_MARK_SIZE + MESSAGE_CALL_SIZE) / 4)

/* A stream that lets a server read no further than the record that was looked at: what
 * comes behind it may be a HELLO, which is a worker's to read. */
struct leash {
	struct stream base;
	struct stream *inner; /* on a descriptor of its own */
	size_t left;
};

struct visitor {
	struct watch watch;
	struct visitor *next;
	struct server *server; /* once something had to be answered */
	struct leash *leash;   /* the server's */
	bool queued;	 /* has said HELLO, waits for a worker */
	uint64_t deadline_ms;
	char peer[DAEMON_PEER_SIZE];
};

static void
visitor_end(struct daemon *d, struct visitor *v)
{
	if (v->watch.fd >= 0) {
		d->n_visitors--;
	}
	watch_end(d, &v->watch); /* is freed by the next tick */
	v->server = server_free(v->server);
	v->leash = NULL;
	v->queued = false;
}

static ssize_t
leash_sendv(struct stream *s, const struct iovec *iov, int n_iov)
{
	struct stream *inner = ((struct leash *)s)->inner;

	return inner->ops->sendv(inner, iov, n_iov);
}

static ssize_t
leash_recv(struct stream *s, void *into, size_t size)
{
	struct leash *leash = (struct leash *)s;

	if (leash->left == 0) {
		return -EAGAIN;
	}
	ssize_t n = leash->inner->ops->recv(
		leash->inner, into, size < leash->left ? size : leash->left);
	leash->left -= n > 0 ? (size_t)n : 0;
	return n;
}

static int
leash_wait(struct stream *s, short events, int timeout_ms)
{
	struct stream *inner = ((struct leash *)s)->inner;

	return inner->ops->wait(inner, events, timeout_ms);
}

static void
leash_close(struct stream *s)
{
	stream_free(((struct leash *)s)->inner);
}

static const struct stream_ops leash_ops = {
	.sendv = leash_sendv,
	.recv = leash_recv,
	.wait = leash_wait,
	.close = leash_close,
};

/* A server on a second descriptor, so that the first can still go to a worker. */
static int
visitor_open_server(struct visitor *v)
{
	if (v->server != NULL) {
		return 0;
	}
	struct leash *leash = calloc(1, sizeof(*leash));
	int fd = leash != NULL ? fcntl(v->watch.fd, F_DUPFD_CLOEXEC, 0) : -1;
	int r = fd < 0 ? -errno : stream_of_fd(fd, &leash->inner);
	if (r < 0) {
		free(leash);
		return r;
	}
	*leash = (struct leash){ .base = { .ops = &leash_ops, .fd = fd },
		.inner = leash->inner };
	r = server_new(&leash->base, &v->server);
	if (r < 0) {
		return r;
	}
	v->leash = leash;
	server_set_stall(v->server, STALL_MS);
	return 0;
}

/* ---- answers ---- */

static int
answer_call(
	struct daemon *d, struct visitor *v, const struct server_call *call, int result)
{
	union {
		struct call_ret_head head;
		session_hello_ret hello;
		unsigned char room[1024];
	} ret = { 0 };

	if (call->info->number == CALL_session_status) {
		return report_answer(d, v->server, call);
	}
	if (call->info->one_way) {
		return -EPROTO;
	}
	ret.head.result = result;
	return server_reply(v->server, call->info, call->xid, &ret, NULL, 0);
}

/* Everything that is there.  result: what calls that need a worker get. */
static int
answer_all(struct daemon *d, struct visitor *v, int result)
{
	struct server_call call;

	int r;

	for (;;) {
		r = server_next(v->server, &call);
		if (r <= 0) {
			break;
		}
		r = answer_call(d, v, &call, result);
		if (r < 0) {
			break;
		}
	}
	int flushed = server_flush(v->server);
	return r < 0 ? r : flushed;
}

/* Answer all that it has said: it will not get a worker. */
static void
visitor_refuse(struct daemon *d, struct visitor *v, int result)
{
	if (visitor_open_server(v) == 0) {
		v->leash->left = SIZE_MAX;
		answer_all(d, v, result);
	}
	visitor_end(d, v);
}

/* Answer the record that was looked at, or the rest of one that was begun. */
static void
visitor_answer(struct daemon *d, struct visitor *v, size_t size)
{
	int r = visitor_open_server(v);

	if (r == 0) {
		v->leash->left += size;
		r = answer_all(d, v, CUDA_ERROR_NOT_PERMITTED);
	}

	if (r < 0) {
		if (r != -ENODATA && r != -ECONNRESET) {
			log_info("visitor: %s is sent away: %s", v->peer, strerror(-r));
		}
		visitor_end(d, v);
		return;
	}
	v->deadline_ms = daemon_now_ms() + PATIENCE_MS;
}

/* ---- the first look ---- */

enum look { LOOK_HELLO, LOOK_JOIN, LOOK_OTHER, LOOK_LATER, LOOK_GONE };

/* words: of n bytes.  Of a bulk_join all must be there: the worker does not wait. */
static enum look
look_at_call(const uint32_t *words, size_t n, uint64_t *ret_guest_id)
{
	if ((ntohl(words[0]) & MESSAGE_LAST) == 0 || ntohl(words[2]) != CALL ||
		ntohl(words[3]) != RPC_MSG_VERSION ||
		ntohl(words[4]) != OUTBOARD_PROGRAM ||
		ntohl(words[5]) != OUTBOARD_VERSION) {
		return LOOK_OTHER;
	}
	if (ntohl(words[6]) == CALL_session_hello) {
		return LOOK_HELLO;
	}
	if (ntohl(words[6]) != CALL_bulk_join ||
		(ntohl(words[0]) & ~MESSAGE_LAST) != (JOIN_WORDS - 1) * 4) {
		return LOOK_OTHER;
	}
	*ret_guest_id = (uint64_t)ntohl(words[JOIN_GUEST_AT]) << 32 |
			ntohl(words[JOIN_GUEST_AT + 1]);
	return n < JOIN_WORDS * 4 ? LOOK_LATER : LOOK_JOIN;
}

/* ret_size: of the record, with its mark; for LOOK_OTHER.  ret_guest_id: for LOOK_JOIN. */
static enum look
visitor_look(const struct visitor *v, size_t *ret_size, uint64_t *ret_guest_id)
{
	uint32_t words[JOIN_WORDS] = { 0 };

	ssize_t n = recv(v->watch.fd, words, sizeof(words), MSG_PEEK | MSG_DONTWAIT);
	if (n <= 0) {
		return n < 0 && (errno == EAGAIN || errno == EINTR) ? LOOK_LATER
								    : LOOK_GONE;
	}
	if (n < (ssize_t)sizeof(words[0])) {
		return LOOK_LATER;
	}
	*ret_size = sizeof(words[0]) + (ntohl(words[0]) & 0x7fffffffu);
	if (n < HEADER_WORDS * 4) {
		return *ret_size < HEADER_WORDS * 4 ? LOOK_OTHER : LOOK_LATER;
	}
	return look_at_call(words, (size_t)n, ret_guest_id);
}

static void
visitor_queue(struct daemon *d, struct visitor *v)
{
	/* It has been answered before, and has read that, or it would not be at the start
	 * of a record.  One that sends calls without waiting cheats only itself. */
	v->server = server_free(v->server);
	v->leash = NULL;
	v->queued = true;
	v->deadline_ms = daemon_now_ms() + QUEUE_MS;
	visitors_serve(d);
}

static void
visitor_ready(struct daemon *d, struct watch *watch, uint32_t events)
{
	struct visitor *v = (struct visitor *)watch;
	bool gone = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
	size_t size = 0;
	uint64_t guest_id = 0;

	if (v->queued) {
		/* Only its end is news. */
		if (gone) {
			visitor_end(d, v);
		}
		return;
	}
	/* Edge-triggered: go on until there is nothing, or somebody else's turn. */
	while (v->watch.fd >= 0 && !v->queued) {
		if (v->leash != NULL && v->leash->left > 0) {
			visitor_answer(d, v, 0);
			if (v->leash != NULL && v->leash->left > 0) {
				break;
			}
			continue;
		}
		switch (visitor_look(v, &size, &guest_id)) {
		case LOOK_HELLO: visitor_queue(d, v); break;
		case LOOK_JOIN:
			if (children_join(d, v->watch.fd, guest_id, v->peer)) {
				visitor_end(d, v);
			} else {
				visitor_answer(d, v, size);
			}
			break;
		case LOOK_OTHER: visitor_answer(d, v, size); break;
		case LOOK_GONE: visitor_end(d, v); break;
		case LOOK_LATER:
			if (gone) {
				visitor_end(d, v);
			}
			return;
		}
	}
}

/* ---- all of them ---- */

/* A crowd that says nothing must not keep others out: the oldest of it goes. */
static void
make_room(struct daemon *d)
{
	struct visitor *oldest = NULL;

	for (struct visitor *v = d->visitors; v != NULL; v = v->next) {
		if (v->watch.fd >= 0 && !v->queued) {
			oldest = v; /* the newest come first */
		}
	}
	if (oldest != NULL) {
		log_info("visitor: %s makes room: has said nothing yet", oldest->peer);
		visitor_end(d, oldest);
	}
}

void
visitor_new(struct daemon *d, int fd)
{
	if (d->n_visitors >= VISITORS_MAX) {
		make_room(d);
	}
	struct visitor *v = d->n_visitors < VISITORS_MAX ? calloc(1, sizeof(*v)) : NULL;

	if (v == NULL) {
		log_warning("visitor: too many wait for a worker, one is sent away");
		close(fd);
		return;
	}
	stream_peer_name(fd, v->peer, sizeof(v->peer));
	v->watch = (struct watch){ .fd = fd, .ready = visitor_ready };
	v->deadline_ms = daemon_now_ms() + PATIENCE_MS;
	v->next = d->visitors;
	d->visitors = v;
	d->n_visitors++;
	/* Edge-triggered: what was only peeked at stays in the socket. */
	if (watch_add(d, &v->watch, EPOLLIN | EPOLLRDHUP | EPOLLET) < 0) {
		visitor_end(d, v);
	}
}

void
visitors_serve(struct daemon *d)
{
	for (struct visitor *v = d->visitors; v != NULL; v = v->next) {
		if (!v->queued) {
			continue;
		}
		if (children_count(d, CHILD_SERVING) + children_count(d, CHILD_LEAVING) >=
			d->options.guests_max) {
			log_warning("visitor: %s is sent away: there are %u guests",
				v->peer, d->options.guests_max);
			visitor_refuse(d, v, CUDA_ERROR_DEVICE_UNAVAILABLE);
			continue;
		}
		int fd = fcntl(v->watch.fd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0) {
			continue;
		}
		if (children_take(d, fd, v->peer)) {
			visitor_end(d, v);
		} else {
			close(fd);
		}
	}
}

void
visitors_refuse(struct daemon *d, int result)
{
	for (struct visitor *v = d->visitors; v != NULL; v = v->next) {
		if (v->queued) {
			log_warning(
				"visitor: %s is sent away: no worker can start", v->peer);
			visitor_refuse(d, v, result);
		}
	}
}

void
visitors_tick(struct daemon *d, uint64_t now_ms)
{
	for (struct visitor **at = &d->visitors; *at != NULL;) {
		struct visitor *v = *at;
		if (v->watch.fd >= 0 && now_ms >= v->deadline_ms) {
			log_info("visitor: %s is sent away: %s", v->peer,
				v->queued ? "no worker became free" : "has said nothing");
			if (v->queued) {
				visitor_refuse(d, v, CUDA_ERROR_DEVICE_UNAVAILABLE);
			}
			visitor_end(d, v);
		}
		if (v->watch.fd < 0) {
			*at = v->next;
			free(v);
		} else {
			at = &v->next;
		}
	}
}

void
visitors_free(struct daemon *d)
{
	for (struct visitor *v = d->visitors; v != NULL; v = v->next) {
		visitor_end(d, v);
	}
	visitors_tick(d, 0);
}
