/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.h: outboardd: who listens, who has called, who works for whom.
 *
 * One thread and one epoll.  Whoever calls is a visitor until it has said HELLO; then it
 * is a guest, and its connection belongs to a child, a worker process.  The daemon itself
 * opens no driver and reads of a guest no more than the first header. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>
#include <time.h>

#include "host-server/control.h"

#define DAEMON_LISTENERS_MAX 16
#define DAEMON_URL_SIZE 256
#define DAEMON_PEER_SIZE 256
#define DAEMON_CACHE "/var/cache/outboard"

struct daemon;

/* Something that epoll watches.  The first member of its owner. */
struct watch {
	int fd; /* -1: not watched */
	void (*ready)(struct daemon *d, struct watch *watch, uint32_t events);
};

struct listener {
	struct watch watch;
	char url[DAEMON_URL_SIZE];
	bool inherited; /* from systemd, which unlinks its path itself */
};

struct daemon_options {
	const char *listen[DAEMON_LISTENERS_MAX];
	size_t n_listen;
	const char *driver;
	const char *worker; /* path of the executable */
	const char *libdir;
	const char *log_level;
	const char *memory_max; /* bytes per guest, as text; NULL: no limit */
	const char
		*cache; /* folder of images, "none", or NULL: the usual one if possible */
	uint64_t cache_size;
	bool cache_shared; /* by all tenants */
	unsigned warm;
	unsigned guests_max;
	bool do_register; /* with rpcbind */
	int log_fd;
};

struct daemon {
	struct daemon_options options;
	int epoll;
	struct watch signals;
	bool ending;
	struct listener listeners[DAEMON_LISTENERS_MAX];
	size_t n_listeners;
	bool registered;

	struct visitor *visitors;
	size_t n_visitors;
	struct child *children;
	size_t n_children;
	/* Not before this time after a worker that could not start, and how long that is.
	 */
	uint64_t start_after_ms;
	unsigned start_delay_ms;
	/* Nor before this one while there is a warm worker. */
	uint64_t respite_until_ms;
	bool said_driver;
	char driver[CONTROL_TEXT_SIZE]; /* as the last worker said */
	char device[CONTROL_TEXT_SIZE];

	time_t since;
	uint64_t served; /* guests so far; the last one's id */
};

/* 0, or negative errno after a line in the log. */
int daemon_init(struct daemon *d, const struct daemon_options *options);
/* Until SIGTERM or SIGINT. */
int daemon_run(struct daemon *d);
/* Ends all workers; removes what was made in the file system. */
void daemon_deinit(struct daemon *d);

uint64_t daemon_now_ms(void);
int watch_add(struct daemon *d, struct watch *watch, uint32_t events);
/* Closes the descriptor as well. */
void watch_end(struct daemon *d, struct watch *watch);

/* ---- visitor.c ---- */

/* Owns fd. */
void visitor_new(struct daemon *d, int fd);
/* Give those who wait for a worker the ones there are; say no if there will be none. */
void visitors_serve(struct daemon *d);
void visitors_refuse(struct daemon *d, int result);
/* Send those away whose time is over. */
void visitors_tick(struct daemon *d, uint64_t now_ms);
void visitors_free(struct daemon *d);

/* ---- child.c ---- */

enum child_state {
	CHILD_STARTING,
	CHILD_WARM,
	CHILD_SERVING,
	CHILD_LEAVING,
	CHILD_STATES
};

struct child {
	struct watch control;
	struct watch process; /* a pidfd: readable when it has ended */
	struct watch guest;   /* a second descriptor of the connection, to see its end */
	struct child *next;
	enum child_state state;
	pid_t pid;
	struct account *account;
	uint64_t guest_id;
	char peer[DAEMON_PEER_SIZE];
	time_t since;
	uint64_t since_ms;
	uint64_t deadline_ms; /* of leaving or starting */
};

size_t children_count(const struct daemon *d, enum child_state state);
/* Start workers until enough are warm. */
void children_warm(struct daemon *d);
/* Give the connection to a warm worker.  Owns fd if it returns true. */
bool children_take(struct daemon *d, int fd, const char *peer);
/* Give it to the worker of that guest as a further connection; it stays the caller's. */
bool children_join(struct daemon *d, int fd, uint64_t guest_id, const char *peer);
void children_tick(struct daemon *d, uint64_t now_ms);
/* End all: politely, then not. */
void children_free(struct daemon *d);

/* ---- tenant.c ---- */

/* Find or make the folder of images, and say what became of it: options->cache is then a
 * folder or NULL.  0, or negative errno if a folder was asked for that cannot be used. */
int tenant_open_cache(struct daemon_options *options);
/* Whose images the guest at this connection may find; "" if that cannot be told. */
void tenant_name(
	const struct daemon_options *options, int fd, char *ret_name, size_t size);

/* ---- report.c ---- */

struct server;
struct server_call;
/* Answer session_status.  0 or negative errno. */
int report_answer(
	struct daemon *d, struct server *server, const struct server_call *call);

/* ---- systemd.c ---- */

/* How many sockets the service manager passed, from descriptor 3 on. */
int systemd_listen_fds(void);
/* Tell it something, as sd_notify(3) does. */
void systemd_notify(const char *state);
