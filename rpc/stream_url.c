/* SPDX-License-Identifier: Apache-2.0 */
/* stream_url.c: from URLs to sockets. */
#include "rpc/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"

#define CONNECT_TIMEOUT_MS 10000
#define LISTEN_BACKLOG 128

static void
say(char *why, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void
say(char *why, size_t size, const char *format, ...)
{
	va_list args;

	if (why == NULL || size == 0) {
		return;
	}
	va_start(args, format);
	vsnprintf(why, size, format, args);
	va_end(args);
}

/* "HOST:PORT" or "[V6]:PORT"; a missing port is the default one. */
static bool
split_host_port(const char *text, char host[256], char port[16])
{
	const char *end, *colon;
	size_t host_len;

	if (text[0] == '[') {
		end = strchr(text, ']');
		if (end == NULL) {
			return false;
		}
		text++;
		host_len = (size_t)(end - text);
		colon = end[1] == ':' ? end + 1 : NULL;
		if (colon == NULL && end[1] != '\0') {
			return false;
		}
	} else {
		colon = strchr(text, ':');
		host_len = colon != NULL ? (size_t)(colon - text) : strlen(text);
	}
	if (host_len == 0 || host_len >= 256) {
		return false;
	}
	memcpy(host, text, host_len);
	host[host_len] = '\0';
	int n = snprintf(port, 16, "%s", colon != NULL ? colon + 1 : STREAM_PORT_DEFAULT);
	return n > 0 && n < 16;
}

static int
resolve(const char *url, bool passive, struct addrinfo **ret_list, char *why, size_t why_size)
{
	char host[256], port[16];
	struct addrinfo hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = passive ? AI_PASSIVE : 0 };

	if (!split_host_port(url + strlen("tcp://"), host, port)) {
		say(why, why_size, "'%s' is not of the form tcp://HOST:PORT", url);
		return -EINVAL;
	}
	int r = getaddrinfo(host, port, &hints, ret_list);
	if (r != 0) {
		say(why, why_size, "cannot resolve '%s': %s", host, gai_strerror(r));
		return -EHOSTUNREACH;
	}
	return 0;
}

static int
unix_address(const char *url, struct sockaddr_un *ret_address, char *why, size_t why_size)
{
	const char *path = url + strlen("unix://");

	if (path[0] != '/' || strlen(path) >= sizeof(ret_address->sun_path)) {
		say(why, why_size, "'%s' is not of the form unix:///PATH, or the path is too long",
			url);
		return -EINVAL;
	}
	*ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	strcpy(ret_address->sun_path, path);
	return 0;
}

static bool
is_unix(const char *url)
{
	return strncmp(url, "unix://", 7) == 0;
}

static bool
is_tcp(const char *url)
{
	return strncmp(url, "tcp://", 6) == 0;
}

/* Connect one address, within the time limit.  The socket, or negative errno. */
static int
connect_one(int family, const struct sockaddr *address, socklen_t len)
{
	cleanup_close int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return -errno;
	}
	if (connect(fd, address, len) != 0) {
		if (errno != EINPROGRESS && errno != EAGAIN) {
			return -errno;
		}
		struct pollfd entry = { .fd = fd, .events = POLLOUT };
		int n = poll(&entry, 1, CONNECT_TIMEOUT_MS);
		if (n <= 0) {
			return n == 0 ? -ETIMEDOUT : -errno;
		}
		int error = 0;
		socklen_t error_len = sizeof(error);
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len);
		if (error != 0) {
			return -error;
		}
	}
	int connected = fd;
	fd = -1;
	return connected;
}

int
stream_connect(const char *url, struct stream **ret_stream, char *ret_why, size_t why_size)
{
	int fd = -EINVAL;

	if (is_unix(url)) {
		struct sockaddr_un address;
		int r = unix_address(url, &address, ret_why, why_size);
		if (r < 0) {
			return r;
		}
		fd = connect_one(AF_UNIX, (struct sockaddr *)&address, sizeof(address));
	} else if (is_tcp(url)) {
		struct addrinfo *list = NULL;
		int r = resolve(url, false, &list, ret_why, why_size);
		if (r < 0) {
			return r;
		}
		for (struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
			fd = connect_one(a->ai_family, a->ai_addr, a->ai_addrlen);
		}
		freeaddrinfo(list);
	} else {
		say(ret_why, why_size, "'%s' is neither tcp://HOST:PORT nor unix:///PATH", url);
		return -EINVAL;
	}
	if (fd < 0) {
		say(ret_why, why_size, "cannot connect to %s: %s", url, strerror(-fd));
		return fd;
	}
	return stream_of_fd(fd, ret_stream);
}

/* A socket file that nobody listens on is left over from a daemon that was killed. */
static void
unlink_stale(const struct sockaddr_un *address)
{
	struct stat st;

	if (lstat(address->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode)) {
		return;
	}
	int fd = connect_one(AF_UNIX, (const struct sockaddr *)address, sizeof(*address));
	if (fd >= 0) {
		close(fd);
	} else if (fd == -ECONNREFUSED) {
		unlink(address->sun_path);
	}
}

static int
listen_one(int family, const struct sockaddr *address, socklen_t len)
{
	cleanup_close int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0) {
		return -errno;
	}
	if (family != AF_UNIX) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	}
	if (bind(fd, address, len) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
		return -errno;
	}
	int listening = fd;
	fd = -1;
	return listening;
}

static void
name_of_address(const struct sockaddr_storage *address, socklen_t len, char *name, size_t size)
{
	char host[256] = "?", port[16] = "?";

	getnameinfo((const struct sockaddr *)address, len, host, sizeof(host), port, sizeof(port),
		NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(name, size, strchr(host, ':') != NULL ? "tcp://[%s]:%s" : "tcp://%s:%s", host,
		port);
}

int
stream_listen(const char *url, int *ret_fd, char *ret_bound, size_t bound_size, char *ret_why,
	size_t why_size)
{
	int fd = -EINVAL;

	if (is_unix(url)) {
		struct sockaddr_un address;
		int r = unix_address(url, &address, ret_why, why_size);
		if (r < 0) {
			return r;
		}
		unlink_stale(&address);
		fd = listen_one(AF_UNIX, (struct sockaddr *)&address, sizeof(address));
	} else if (is_tcp(url)) {
		struct addrinfo *list = NULL;
		int r = resolve(url, true, &list, ret_why, why_size);
		if (r < 0) {
			return r;
		}
		for (struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
			fd = listen_one(a->ai_family, a->ai_addr, a->ai_addrlen);
		}
		freeaddrinfo(list);
	} else {
		say(ret_why, why_size, "'%s' is neither tcp://HOST:PORT nor unix:///PATH", url);
		return -EINVAL;
	}
	if (fd < 0) {
		say(ret_why, why_size, "cannot listen on %s: %s", url, strerror(-fd));
		return fd;
	}
	struct sockaddr_storage bound = { 0 };
	socklen_t bound_len = sizeof(bound);
	if (is_tcp(url) && getsockname(fd, (struct sockaddr *)&bound, &bound_len) == 0) {
		name_of_address(&bound, bound_len, ret_bound, bound_size);
	} else {
		snprintf(ret_bound, bound_size, "%s", url);
	}
	*ret_fd = fd;
	return 0;
}

void
stream_peer_name(int fd, char *name, size_t size)
{
	struct sockaddr_storage peer = { 0 };
	socklen_t len = sizeof(peer);

	snprintf(name, size, "?");
	if (getpeername(fd, (struct sockaddr *)&peer, &len) != 0) {
		return;
	}
	if (peer.ss_family == AF_UNIX) {
		struct ucred cred;
		socklen_t cred_len = sizeof(cred);
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &cred_len) == 0) {
			snprintf(name, size, "unix:pid=%d,uid=%u", (int)cred.pid, cred.uid);
		}
		return;
	}
	name_of_address(&peer, len, name, size);
}
