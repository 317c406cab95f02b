/* SPDX-License-Identifier: Apache-2.0 */
/* child.c: worker processes, as the daemon sees them. */
#include <cuda.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "host-server/account.h"
#include "host-server/daemon.h"

extern char **environ;

/* A worker whose guest is gone may be inside a kernel that never ends. */
#define LEAVE_MS 5000
/* Opening a driver and making a context takes seconds on a machine with many GPUs. */
#define START_MS 60000
#define DELAY_FIRST_MS 500
#define DELAY_MAX_MS 30000
#define GOODBYE_MS 2000
/* A worker that starts keeps the driver and the card busy for some tenths of a second, at the
 * cost of guests that run: one that is not needed yet waits until they are under way. */
#define RESPITE_MS 1000

size_t
children_count(const struct daemon *d, enum child_state state)
{
	size_t n = 0;

	for (const struct child *c = d->children; c != NULL; c = c->next) {
		n += c->state == state && c->process.fd >= 0;
	}
	return n;
}

/* ---- start ---- */

static int
child_spawn(struct daemon *d, int control, int account, pid_t *ret_pid)
{
	char parent[16];
	const char *argv[16];
	int n = 0;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, defaults;

	snprintf(parent, sizeof(parent), "%d", (int)getpid());
	argv[n++] = d->options.worker;
	argv[n++] = "--driver";
	argv[n++] = d->options.driver;
	argv[n++] = "--libdir";
	argv[n++] = d->options.libdir;
	argv[n++] = "--log";
	argv[n++] = d->options.log_level;
	argv[n++] = "--parent";
	argv[n++] = parent;
	if (d->options.memory_max != NULL) {
		argv[n++] = "--memory-max";
		argv[n++] = d->options.memory_max;
	}
	argv[n] = NULL;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(
		&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, d->options.log_fd, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, d->options.log_fd, STDERR_FILENO);
	posix_spawn_file_actions_adddup2(&actions, control, CONTROL_FD);
	posix_spawn_file_actions_adddup2(&actions, account, CONTROL_ACCOUNT_FD);
	posix_spawnattr_init(&attr);
	sigemptyset(&none);
	sigfillset(&defaults);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &defaults);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	/* Drivers copy device code when they load it, perhaps hundreds of megabytes, which
	 * takes two thirds of the time in large pages (measured). */
	setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1", 0);
	int r = posix_spawn(
		ret_pid, d->options.worker, &actions, &attr, (char **)argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static void child_control_ready(struct daemon *d, struct watch *watch, uint32_t events);
static void child_process_ready(struct daemon *d, struct watch *watch, uint32_t events);
static void child_guest_ready(struct daemon *d, struct watch *watch, uint32_t events);

/* Descriptors that are dup2()ed in the child must not be among those they become. */
static int
out_of_the_way(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, 10);

	close(fd);
	return moved < 0 ? -errno : moved;
}

static int
child_start(struct daemon *d)
{
	cleanup_free struct child *c = calloc(1, sizeof(*c));
	int pair[2];

	if (c == NULL ||
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
			pair) < 0) {
		return c == NULL ? -ENOMEM : -errno;
	}
	c->control = (struct watch){ .fd = pair[0], .ready = child_control_ready };
	c->process = (struct watch){ .fd = -1, .ready = child_process_ready };
	c->guest = (struct watch){ .fd = -1, .ready = child_guest_ready };
	cleanup_close int theirs = out_of_the_way(pair[1]);
	cleanup_close int account = -1;
	int r = theirs < 0 ? theirs : account_new(&c->account, &account);
	if (r == 0) {
		account = out_of_the_way(account);
		r = account < 0 ? account : 0;
	}
	if (r == 0) {
		/* The worker waits on its end. */
		fcntl(theirs, F_SETFL, 0);
		r = child_spawn(d, theirs, account, &c->pid);
	}
	if (r < 0) {
		close(pair[0]);
		account_unmap(c->account);
		return r;
	}
	c->process.fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (c->process.fd < 0 || watch_add(d, &c->process, EPOLLIN) < 0 ||
		watch_add(d, &c->control, EPOLLIN) < 0) {
		r = -errno;
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
		watch_end(d, &c->control);
		watch_end(d, &c->process);
		account_unmap(c->account);
		return r;
	}
	c->deadline_ms = daemon_now_ms() + START_MS;
	c->next = d->children;
	d->children = TAKE(c);
	d->n_children++;
	return 0;
}

/* Not again at once: what failed a moment ago fails again. */
static void
children_start_failed(struct daemon *d)
{
	d->start_delay_ms =
		d->start_delay_ms == 0 ? DELAY_FIRST_MS : d->start_delay_ms * 2;
	if (d->start_delay_ms > DELAY_MAX_MS) {
		d->start_delay_ms = DELAY_MAX_MS;
	}
	d->start_after_ms = daemon_now_ms() + d->start_delay_ms;
	if (children_count(d, CHILD_WARM) == 0) {
		visitors_refuse(d, CUDA_ERROR_SYSTEM_NOT_READY);
	}
}

/* Whether that time is over; one that is is forgotten. */
static bool
is_over(uint64_t *until_ms)
{
	if (*until_ms > daemon_now_ms()) {
		return false;
	}
	*until_ms = 0;
	return true;
}

void
children_warm(struct daemon *d)
{
	bool urgent = children_count(d, CHILD_WARM) == 0;

	if (!is_over(&d->start_after_ms) || (!is_over(&d->respite_until_ms) && !urgent)) {
		return;
	}
	while (children_count(d, CHILD_WARM) + children_count(d, CHILD_STARTING) <
		d->options.warm) {
		int r = child_start(d);
		if (r < 0) {
			log_error("child: cannot start %s: %s", d->options.worker,
				strerror(-r));
			children_start_failed(d);
			return;
		}
	}
}

/* ---- news ---- */

static void
child_is_warm(struct daemon *d, struct child *c, const struct control_message *message)
{
	c->state = CHILD_WARM;
	d->start_delay_ms = 0;
	d->start_after_ms = 0;
	snprintf(d->driver, sizeof(d->driver), "%s", message->driver);
	snprintf(d->device, sizeof(d->device), "%s", message->device);
	if (!d->said_driver) {
		log_info("daemon: driver: %s; device: %s", d->driver, d->device);
		d->said_driver = true;
	}
	visitors_serve(d);
}

static void
child_control_ready(struct daemon *d, struct watch *watch, uint32_t events)
{
	struct child *c = (struct child *)watch;
	struct control_message message;
	int passed = -1;

	int r = control_receive(watch->fd, &message, &passed);
	if (passed >= 0) {
		close(passed);
	}
	if (r == -EAGAIN) {
		return;
	}
	if (r == 1 && message.kind == CONTROL_READY && c->state == CHILD_STARTING) {
		child_is_warm(d, c, &message);
		return;
	}
	if (r == 1 && message.kind == CONTROL_FAILED && c->state == CHILD_STARTING) {
		log_error("child: a worker cannot start: %s", message.text);
	}
	/* It has no more to say; that it has ended its pidfd tells. */
	watch_end(d, &c->control);
}

static void
child_guest_ready(struct daemon *d, struct watch *watch, uint32_t events)
{
	struct child *c = (struct child *)((char *)watch - offsetof(struct child, guest));

	if (c->state == CHILD_SERVING) {
		c->state = CHILD_LEAVING;
		c->deadline_ms = daemon_now_ms() + LEAVE_MS;
	}
}

static void
child_say_goodbye(const struct daemon *d, const struct child *c, int status)
{
	struct account_copy a;
	const char *how = WIFSIGNALED(status) ? "signal" : "exit";
	int code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);

	account_read(c->account, &a);
	log_info("guest: end id=%llu peer=%s program=\"%s\" guest_pid=%llu worker=%d "
		 "seconds=%.3f calls=%llu bytes_in=%llu bytes_out=%llu memory=%llu "
		 "errors=%llu %s=%d",
		(unsigned long long)c->guest_id, c->peer, a.program_name,
		(unsigned long long)a.pid, (int)c->pid,
		(double)(daemon_now_ms() - c->since_ms) / 1000,
		(unsigned long long)a.calls, (unsigned long long)a.bytes_in,
		(unsigned long long)a.bytes_out, (unsigned long long)a.memory,
		(unsigned long long)a.errors, how, code);
}

static void
child_process_ready(struct daemon *d, struct watch *watch, uint32_t events)
{
	struct child *c =
		(struct child *)((char *)watch - offsetof(struct child, process));
	int status;

	if (waitpid(c->pid, &status, WNOHANG) != c->pid) {
		return;
	}
	/* Whatever is left of what it said, it said before it ended. */
	if (c->control.fd >= 0 && c->state == CHILD_STARTING) {
		child_control_ready(d, &c->control, 0);
	}
	enum child_state was = c->state;
	watch_end(d, &c->process); /* is freed by the next tick */
	watch_end(d, &c->control);
	if (was == CHILD_SERVING || was == CHILD_LEAVING) {
		child_say_goodbye(d, c, status);
		/* We hold the connection as well: without this the guest would not
		 * notice. */
		shutdown(c->guest.fd, SHUT_RDWR);
	} else if (!d->ending) {
		log_warning(
			"child: worker %d ended before it had a guest, with status %#x",
			(int)c->pid, (unsigned)status);
		children_start_failed(d);
	}
	watch_end(d, &c->guest);
}

/* ---- guests ---- */

bool
children_take(struct daemon *d, int fd, const char *peer)
{
	struct child *c = d->children;

	while (c != NULL && (c->state != CHILD_WARM || c->process.fd < 0)) {
		c = c->next;
	}
	if (c == NULL) {
		return false;
	}
	struct control_message order = { .kind = CONTROL_SERVE,
		.guest_id = d->served + 1 };
	snprintf(order.text, sizeof(order.text), "%s", peer);
	if (d->options.cache != NULL) {
		tenant_name(&d->options, fd, order.tenant, sizeof(order.tenant));
		order.cache_size = d->options.cache_size;
		snprintf(order.cache, sizeof(order.cache), "%s",
			order.tenant[0] != '\0' ? d->options.cache : "");
	}
	if (control_send(c->control.fd, &order, fd) < 0) {
		watch_end(d, &c->control);
		kill(c->pid, SIGKILL);
		c->state = CHILD_STARTING; /* it never was of any use */
		return false;
	}
	d->served++;
	c->state = CHILD_SERVING;
	c->guest_id = d->served;
	c->since = time(NULL);
	c->since_ms = daemon_now_ms();
	d->respite_until_ms = c->since_ms + RESPITE_MS;
	snprintf(c->peer, sizeof(c->peer), "%s", peer);
	c->guest.fd = fd;
	/* Once is enough, and what it sends is the worker's business. */
	watch_add(d, &c->guest, EPOLLRDHUP | EPOLLONESHOT);
	log_info("guest: start id=%llu peer=%s worker=%d",
		(unsigned long long)c->guest_id, c->peer, (int)c->pid);
	return true;
}

bool
children_join(struct daemon *d, int fd, uint64_t guest_id, const char *peer)
{
	struct child *c = d->children;

	while (c != NULL && (c->state != CHILD_SERVING || c->guest_id != guest_id)) {
		c = c->next;
	}
	if (c == NULL || c->control.fd < 0) {
		return false;
	}
	/* Whether it may join is for the worker to say. */
	struct control_message order = { .kind = CONTROL_JOIN, .guest_id = guest_id };
	snprintf(order.text, sizeof(order.text), "%s", peer);
	return control_send(c->control.fd, &order, fd) == 0;
}

void
children_tick(struct daemon *d, uint64_t now_ms)
{
	for (struct child **at = &d->children; *at != NULL;) {
		struct child *c = *at;
		bool late = c->state == CHILD_LEAVING || c->state == CHILD_STARTING;
		if (c->process.fd >= 0 && late && now_ms >= c->deadline_ms) {
			log_warning("child: worker %d is killed: it does not %s",
				(int)c->pid, c->state == CHILD_LEAVING ? "end" : "start");
			kill(c->pid, SIGKILL);
			c->deadline_ms = now_ms + LEAVE_MS;
		}
		if (c->process.fd < 0) {
			*at = c->next;
			d->n_children--;
			account_unmap(c->account);
			free(c);
		} else {
			at = &c->next;
		}
	}
}

void
children_free(struct daemon *d)
{
	uint64_t until = daemon_now_ms() + GOODBYE_MS;

	for (struct child *c = d->children; c != NULL; c = c->next) {
		if (c->process.fd >= 0) {
			kill(c->pid, SIGTERM);
		}
	}
	bool killed = false;
	while (d->children != NULL) {
		struct epoll_event events[16];
		int n = epoll_wait(d->epoll, events, 16, 100);
		for (int i = 0; i < n; i++) {
			struct watch *watch = events[i].data.ptr;
			if (watch->fd >= 0 && watch->ready == child_process_ready) {
				watch->ready(d, watch, events[i].events);
			}
		}
		children_tick(d, 0);
		for (struct child *c = d->children;
			c != NULL && !killed && daemon_now_ms() >= until; c = c->next) {
			kill(c->pid, SIGKILL);
			killed = c->next == NULL;
		}
	}
}
