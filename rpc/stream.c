/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c: a stream over a connected socket, whatever its family. */
#include "rpc/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for one descriptor; the kernel's padding makes it room for two. */
union fd_room {
	struct cmsghdr align;
	unsigned char room[CMSG_SPACE(sizeof(int))];
};

static ssize_t
socket_sendv(struct stream *s, const struct iovec *iov, int n_iov)
{
	struct msghdr message = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n_iov };
	union fd_room room = { 0 };
	ssize_t n;

	if (s->has_outgoing) {
		message.msg_control = &room;
		message.msg_controllen = sizeof(room);
		struct cmsghdr *head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &s->outgoing, sizeof(int));
	}
	do {
		n = sendmsg(s->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		s->has_outgoing = false;
	}
	return n < 0 ? -errno : n;
}

static void
keep_one(struct stream *s, int fd)
{
	if (s->incoming < 0) {
		s->incoming = fd;
	} else {
		close(fd);
	}
}

static ssize_t
receive_with_fds(struct stream *s, const struct iovec *iov, int n_iov)
{
	union fd_room room;
	struct msghdr message = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n_iov,
		.msg_control = &room, .msg_controllen = sizeof(room) };

	ssize_t n = recvmsg(s->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0) {
		return n;
	}
	for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head != NULL;
		head = CMSG_NXTHDR(&message, head)) {
		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) {
			continue;
		}
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= head->cmsg_len;
			at += sizeof(int)) {
			int fd;
			memcpy(&fd, (unsigned char *)head + at, sizeof(fd));
			keep_one(s, fd);
		}
	}
	return n;
}

static ssize_t
socket_recv(struct stream *s, void *into, size_t size)
{
	ssize_t n;

	do {
		n = s->takes_fds ? receive_with_fds(s, &(struct iovec){ into, size }, 1)
				 : recv(s->fd, into, size, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t
socket_recvv(struct stream *s, const struct iovec *iov, int n_iov)
{
	struct msghdr message = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n_iov };
	ssize_t n;

	do {
		n = s->takes_fds ? receive_with_fds(s, iov, n_iov)
				 : recvmsg(s->fd, &message, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int
socket_wait(struct stream *s, short events, int timeout_ms)
{
	struct pollfd entry = { .fd = s->fd, .events = events };
	int n;

	do {
		n = poll(&entry, 1, timeout_ms);
	} while (n < 0 && errno == EINTR);
	/* An error or hang-up is for the next send or recv to report. */
	return n < 0 ? -errno : entry.revents;
}

static void
socket_close(struct stream *s)
{
	close(s->fd);
	s->fd = -1;
	stream_take_fds(s, false);
}

static const struct stream_ops socket_ops = {
	.sendv = socket_sendv,
	.recv = socket_recv,
	.recvv = socket_recvv,
	.wait = socket_wait,
	.close = socket_close,
};

ssize_t
stream_recvv(struct stream *s, const struct iovec *iov, int n_iov)
{
	ssize_t all = 0;

	if (s->ops->recvv != NULL) {
		return s->ops->recvv(s, iov, n_iov);
	}
	for (int i = 0; i < n_iov; i++) {
		ssize_t n = s->ops->recv(s, iov[i].iov_base, iov[i].iov_len);
		if (n <= 0) {
			/* What went wrong is there to be found by the next one. */
			return all > 0 ? all : n;
		}
		all += n;
		if ((size_t)n < iov[i].iov_len) {
			break;
		}
	}
	return all;
}

bool
stream_is_local(const struct stream *s)
{
	int family = 0;
	socklen_t len = sizeof(family);

	return s->ops == &socket_ops &&
		getsockopt(s->fd, SOL_SOCKET, SO_DOMAIN, &family, &len) == 0 &&
		family == AF_UNIX;
}

int
stream_send_fd(struct stream *s, int fd)
{
	if (!stream_is_local(s)) {
		return -ENOTSUP;
	}
	s->outgoing = fd;
	s->has_outgoing = true;
	return 0;
}

int
stream_take_fds(struct stream *s, bool take)
{
	if (take == s->takes_fds) {
		return 0;
	}
	if (take && !stream_is_local(s)) {
		return -ENOTSUP;
	}
	if (!take && s->incoming >= 0) {
		close(s->incoming);
	}
	s->incoming = -1;
	s->takes_fds = take;
	return 0;
}

int
stream_received_fd(struct stream *s)
{
	if (!s->takes_fds) {
		return -1;
	}
	int fd = s->incoming;
	s->incoming = -1;
	return fd;
}

static bool
is_same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family) {
		return false;
	}
	if (a->ss_family == AF_INET) {
		return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
			((const struct sockaddr_in *)b)->sin_addr.s_addr;
	}
	return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
		       &((const struct sockaddr_in6 *)b)->sin6_addr, 16) == 0;
}

/* Nothing here is fatal: a socket without one of these is slower, not wrong. */
static void
tune_tcp(int fd)
{
	struct sockaddr_storage local = { 0 }, peer = { 0 };
	socklen_t local_len = sizeof(local), peer_len = sizeof(peer);

	if (getsockname(fd, (struct sockaddr *)&local, &local_len) != 0 ||
		getpeername(fd, (struct sockaddr *)&peer, &peer_len) != 0 ||
		(local.ss_family != AF_INET && local.ss_family != AF_INET6)) {
		return;
	}
	int on = 1, idle_s = 20, interval_s = 5, probes = 6;
	unsigned dead_ms = 300000;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms, sizeof(dead_ms));
	/* bbr, the default on many hosts, costs a third to a half of the throughput
	 * between two ends of one machine (measured). */
	if (is_same_address(&local, &peer) &&
		setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", strlen("cubic")) != 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", strlen("reno"));
	}
}

int
stream_of_fd(int fd, struct stream **ret_stream)
{
	struct stream *s = calloc(1, sizeof(*s));
	if (s == NULL) {
		close(fd);
		return -ENOMEM;
	}
	tune_tcp(fd);
	*s = (struct stream){ .ops = &socket_ops, .fd = fd };
	*ret_stream = s;
	return 0;
}

bool
stream_park(struct stream *s)
{
	return s->ops->park == NULL || s->ops->park(s);
}

void
stream_unpark(struct stream *s)
{
	if (s->ops->unpark != NULL) {
		s->ops->unpark(s);
	}
}

struct stream *
stream_free(struct stream *s)
{
	if (s != NULL) {
		s->ops->close(s);
		free(s);
	}
	return NULL;
}
