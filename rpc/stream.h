/* SPDX-License-Identifier: Apache-2.0 */
/* stream.h: an ordered stream of bytes to a peer; what TCP, unix sockets and tests share.
 *
 * URLs:  tcp://HOST:PORT  (HOST may be a name, an IPv4 or a bracketed IPv6 address),
 *        unix:///PATH  */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#define STREAM_PORT_DEFAULT "18661"
#define STREAM_URL_DEFAULT "tcp://127.0.0.1:" STREAM_PORT_DEFAULT

struct stream;

/* What a kind of stream can do.  None of them blocks except wait; none raises SIGPIPE.
 * -EAGAIN says that nothing could be sent or read now; recv gives 0 at the end. */
struct stream_ops {
	ssize_t (*sendv)(struct stream *s, const struct iovec *iov, int n_iov);
	ssize_t (*recv)(struct stream *s, void *into, size_t size);
	/* Into several pieces; NULL if it can only do that one by one (stream_recvv). */
	ssize_t (*recvv)(struct stream *s, const struct iovec *iov, int n_iov);
	/* Until a read (POLLIN), write (POLLOUT) or either is possible.  Events that are
	 * ready, 0 at the timeout (milliseconds; -1 is for ever), or negative errno. */
	int (*wait)(struct stream *s, short events, int timeout_ms);
	/* For who sleeps in poll() on fd, and other descriptors: see stream_park. */
	bool (*park)(struct stream *s);
	void (*unpark)(struct stream *s);
	void (*close)(struct stream *s);
};

struct stream {
	const struct stream_ops *ops;
	int fd;

	/* Descriptors, see below; stream.c's own. */
	int outgoing;       /* goes with the next byte that is sent; if has_outgoing */
	int incoming;       /* has come and was not taken, or -1; if takes_fds */
	bool has_outgoing;
	bool takes_fds;
};

ssize_t stream_recvv(struct stream *s, const struct iovec *iov, int n_iov);

/* A descriptor may go along with bytes, where the stream is a unix socket (-ENOTSUP on any
 * other).  stream_send_fd: fd, which stays the caller's, and open until then, goes with the
 * next byte that is sent.  stream_take_fds: from now on keep a descriptor that comes; else
 * they are refused by the kernel.  One is kept, others are closed until it is taken. */
int stream_send_fd(struct stream *s, int fd);
int stream_take_fds(struct stream *s, bool take);
/* The descriptor that has come with bytes that were read, the caller's from now on, or -1. */
int stream_received_fd(struct stream *s);
/* Before and after sleeping in poll() for POLLIN on s->fd.  stream_park: false if there is
 * something to read, and no reason to sleep. */
bool stream_park(struct stream *s);
void stream_unpark(struct stream *s);
/* Whether it is a unix socket: the peer is a process of this machine. */
bool stream_is_local(const struct stream *s);

/* The URL to use when no option says: $OUTBOARD_SERVER, else the line "server = URL" of
 * $OUTBOARD_CONFIG or /etc/outboard/client.conf, else STREAM_URL_DEFAULT. */
void stream_configured_url(char *url, size_t size);
/* How many connections large copies use: $OUTBOARD_CONNECTIONS, else "connections = N" of
 * that file; negative if neither says. */
int stream_configured_connections(void);

/* Connect to a URL.  Caller frees.  On failure ret_why (if not NULL) gets a sentence. */
int stream_connect(const char *url, struct stream **ret_stream, char *ret_why, size_t why_size);
/* Wrap a connected socket (accepted, passed, or one end of a socketpair); owns fd. */
int stream_of_fd(int fd, struct stream **ret_stream);
struct stream *stream_free(struct stream *s);

/* A listening socket for a URL, CLOEXEC and non-blocking.  ret_bound gets the URL with the
 * port that was really taken (ask for port 0 to get any). */
int stream_listen(const char *url, int *ret_fd, char *ret_bound, size_t bound_size,
	char *ret_why, size_t why_size);
/* "tcp://1.2.3.4:567", or "unix:pid=…,uid=…", of a connected socket. */
void stream_peer_name(int fd, char *name, size_t size);
