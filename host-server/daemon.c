/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.c: the daemon's loop, its sockets and its signals. */
#include "host-server/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <rpc/pmap_clnt.h>
#include <rpc/rpc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "outboard.h"
#include "rpc/stream.h"

#define EVENTS_AT_ONCE 64
#define ACCEPTS_AT_ONCE 32
#define TICK_MS 500
#define LISTEN_FD_FIRST 3
#define UNIX_DIR "/run/outboard"
#define UNIX_URL "unix://" UNIX_DIR "/outboard.sock"

uint64_t
daemon_now_ms(void)
{
	return clock_ns() / 1000000;
}

int
watch_add(struct daemon *d, struct watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	return epoll_ctl(d->epoll, EPOLL_CTL_ADD, watch->fd, &event) < 0 ? -errno : 0;
}

void
watch_end(struct daemon *d, struct watch *watch)
{
	if (watch->fd >= 0) {
		/* By hand: close() does not, if a worker has the same open file. */
		epoll_ctl(d->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
		close(watch->fd);
		watch->fd = -1;
	}
}

/* ---- sockets ---- */

static void
listener_ready(struct daemon *d, struct watch *watch, uint32_t events)
{
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE) {
				log_warning("daemon: cannot accept: %s", strerror(errno));
			}
			return;
		}
		visitor_new(d, fd);
	}
}

static int
listener_add(struct daemon *d, int fd, const char *url, bool inherited)
{
	struct listener *listener = &d->listeners[d->n_listeners++];

	listener->watch = (struct watch){ .fd = fd, .ready = listener_ready };
	listener->inherited = inherited;
	snprintf(listener->url, sizeof(listener->url), "%s", url);
	log_info("daemon: listening on %s", url);
	return watch_add(d, &listener->watch, EPOLLIN);
}

static int
listen_on(struct daemon *d, const char *url, bool optional)
{
	char bound[DAEMON_URL_SIZE], why[512];
	int fd;

	if (d->n_listeners == DAEMON_LISTENERS_MAX) {
		return -E2BIG;
	}
	int r = stream_listen(url, &fd, bound, sizeof(bound), why, sizeof(why));
	if (r < 0) {
		if (optional) {
			log_info("daemon: not listening on %s: %s", url, why);
			return 0;
		}
		log_error("daemon: cannot listen on %s: %s", url, why);
		return r;
	}
	return listener_add(d, fd, bound, false);
}

static int
listen_inherited(struct daemon *d, int n)
{
	for (int i = 0; i < n && i < DAEMON_LISTENERS_MAX; i++) {
		int fd = LISTEN_FD_FIRST + i;
		char name[DAEMON_URL_SIZE];
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		snprintf(name, sizeof(name), "socket %d of the service manager", i + 1);
		int r = listener_add(d, fd, name, true);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int
listen_all(struct daemon *d)
{
	int n = systemd_listen_fds();

	if (n > 0) {
		return listen_inherited(d, n);
	}
	for (size_t i = 0; i < d->options.n_listen; i++) {
		int r = listen_on(d, d->options.listen[i], false);
		if (r < 0) {
			return r;
		}
	}
	if (d->options.n_listen > 0) {
		return 0;
	}
	int r = listen_on(d, STREAM_URL_DEFAULT, false);
	if (r == 0 && (mkdir(UNIX_DIR, 0755) == 0 || errno == EEXIST)) {
		r = listen_on(d, UNIX_URL, true);
	}
	return r;
}

/* ---- rpcbind ---- */

static void
register_program(struct daemon *d)
{
	for (size_t i = 0; i < d->n_listeners; i++) {
		struct sockaddr_storage address;
		socklen_t len = sizeof(address);
		if (getsockname(d->listeners[i].watch.fd, (struct sockaddr *)&address,
			    &len) < 0 ||
			address.ss_family != AF_INET) {
			continue;
		}
		uint16_t port = ntohs(((struct sockaddr_in *)&address)->sin_port);
		pmap_unset(OUTBOARD_PROGRAM, OUTBOARD_VERSION);
		d->registered =
			pmap_set(OUTBOARD_PROGRAM, OUTBOARD_VERSION, IPPROTO_TCP, port);
		if (d->registered) {
			log_info("daemon: registered with rpcbind, port %u", port);
		} else {
			log_warning("daemon: rpcbind did not take the registration");
		}
		return;
	}
	log_warning("daemon: nothing to register with rpcbind: no TCP socket over IPv4");
}

/* ---- signals ---- */

static void
signals_ready(struct daemon *d, struct watch *watch, uint32_t events)
{
	struct signalfd_siginfo info;

	while (read(watch->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		log_info("daemon: ending: %s", strsignal((int)info.ssi_signo));
		d->ending = true;
	}
}

static int
signals_open(struct daemon *d)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	d->signals.ready = signals_ready;
	d->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return d->signals.fd < 0 ? -errno : watch_add(d, &d->signals, EPOLLIN);
}

/* ---- life ---- */

int
daemon_init(struct daemon *d, const struct daemon_options *options)
{
	*d = (struct daemon){
		.options = *options, .signals.fd = -1, .since = time(NULL)
	};
	d->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (d->epoll < 0) {
		int r = -errno;
		log_error("daemon: no epoll: %s", strerror(-r));
		return r;
	}
	int r = signals_open(d);
	if (r < 0) {
		log_error("daemon: cannot take signals: %s", strerror(-r));
		return r;
	}
	r = listen_all(d);
	if (r < 0) {
		return r;
	}
	if (d->options.do_register) {
		register_program(d);
	}
	return 0;
}

static bool
has_deadlines(const struct daemon *d)
{
	return d->visitors != NULL || children_count(d, CHILD_STARTING) > 0 ||
	       children_count(d, CHILD_LEAVING) > 0 || d->start_after_ms > 0 ||
	       d->respite_until_ms > 0;
}

int
daemon_run(struct daemon *d)
{
	struct epoll_event events[EVENTS_AT_ONCE];

	children_warm(d);
	systemd_notify("READY=1");
	while (!d->ending) {
		int n = epoll_wait(d->epoll, events, EVENTS_AT_ONCE,
			has_deadlines(d) ? TICK_MS : -1);
		if (n < 0 && errno != EINTR) {
			int r = -errno;
			log_error("daemon: epoll: %s", strerror(-r));
			return r;
		}
		for (int i = 0; i < n; i++) {
			struct watch *watch = events[i].data.ptr;
			if (watch->fd >= 0) {
				watch->ready(d, watch, events[i].events);
			}
		}
		uint64_t now = daemon_now_ms();
		children_tick(d, now);
		visitors_serve(d);
		visitors_tick(d, now);
		children_warm(d);
	}
	return 0;
}

void
daemon_deinit(struct daemon *d)
{
	systemd_notify("STOPPING=1");
	if (d->registered) {
		pmap_unset(OUTBOARD_PROGRAM, OUTBOARD_VERSION);
	}
	for (size_t i = 0; i < d->n_listeners; i++) {
		struct listener *listener = &d->listeners[i];
		const char *path = listener->url + strlen("unix://");
		watch_end(d, &listener->watch);
		if (!listener->inherited && strncmp(listener->url, "unix://", 7) == 0) {
			unlink(path);
		}
	}
	visitors_free(d);
	children_free(d);
	watch_end(d, &d->signals);
	if (d->epoll >= 0) {
		close(d->epoll);
	}
}
