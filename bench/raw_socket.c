/* SPDX-License-Identifier: Apache-2.0 */
/* raw_socket.c: what a socket between two processes of this machine gives at best.
 *
 * Usage: raw_socket tcp|unix [ROUNDS [MIB]]
 * Prints "name value unit" lines: the round trip of a small message with both sides
 * asleep in recv and with both spinning, and the bandwidth of a stream of 1 MiB records,
 * sent with writev and received where they belong: in memory as large as the stream, and
 * again and again in the same 4 MiB, which stay in the caches.  Then the first of these
 * through 2 and 4 connections at once, with a thread for each end of each.  The last
 * record's data are compared. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE 64
#define RECORD (1u << 20)
#define HEADER 80 /* about what a call's header and arguments take */
#define WINDOW 4 /* MiB */
#define STREAMS 3
#define CONNECTIONS 4
#define SECONDS_MAX 3

static void
die(const char *what)
{
	fprintf(stderr, "raw_socket: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void
tcp_pair(int pair[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int on = 1;

	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, len) != 0 ||
		listen(listener, 1) != 0 ||
		getsockname(listener, (struct sockaddr *)&address, &len) != 0) {
		die("listen");
	}
	pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (pair[0] < 0 || connect(pair[0], (struct sockaddr *)&address, len) != 0) {
		die("connect");
	}
	pair[1] = accept(listener, NULL, NULL);
	if (pair[1] < 0) {
		die("accept");
	}
	close(listener);
	for (int i = 0; i < 2; i++) {
		setsockopt(pair[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		/* As rpc/stream.c has it, and why: what is compared shall be the best. */
		setsockopt(pair[i], IPPROTO_TCP, TCP_CONGESTION, "cubic", strlen("cubic"));
	}
}

static void
receive(int fd, void *into, size_t size, bool spin)
{
	for (size_t at = 0; at < size;) {
		ssize_t n = recv(fd, (char *)into + at, size - at, spin ? MSG_DONTWAIT : 0);
		if (n > 0) {
			at += (size_t)n;
		} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			die("recv");
		}
	}
}

static void
send_message(int fd, const void *message)
{
	if (send(fd, message, MESSAGE, MSG_NOSIGNAL) != MESSAGE) {
		die("send");
	}
}

static int
ascending(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

/* The first byte of a message says whether there is another one. */
static void
answer(int fd, bool spin)
{
	char message[MESSAGE];

	do {
		receive(fd, message, sizeof(message), spin);
		send_message(fd, message);
	} while (message[0] != 0);
}

static void
ping(int fd, bool spin, int rounds)
{
	char message[MESSAGE] = { 1 };
	double *us = calloc((size_t)rounds, sizeof(*us));
	double end = now() + SECONDS_MAX;
	int n = 0;

	if (us == NULL) {
		die("memory");
	}
	while (n < rounds && message[0] != 0) {
		double start = now();
		message[0] = n + 1 < rounds && start < end;
		send_message(fd, message);
		receive(fd, message, sizeof(message), spin);
		us[n++] = (now() - start) * 1e6;
	}
	qsort(us, (size_t)n, sizeof(*us), ascending);
	printf("raw_round_trip_%s %.2f us\n", spin ? "spinning" : "blocking", us[n / 2]);
	printf("raw_round_trip_%s_p95 %.2f us\n", spin ? "spinning" : "blocking",
		us[n * 95 / 100]);
	free(us);
}

static void
send_record(int fd, const uint8_t *header, const uint8_t *data)
{
	struct iovec iov[2] = { { (void *)(uintptr_t)header, HEADER },
		{ (void *)(uintptr_t)data, RECORD } };
	int at = 0;

	while (at < 2) {
		ssize_t n = writev(fd, iov + at, 2 - at);
		if (n < 0) {
			die("writev");
		}
		while (at < 2 && (size_t)n >= iov[at].iov_len) {
			n -= (ssize_t)iov[at++].iov_len;
		}
		if (at < 2) {
			iov[at].iov_base = (char *)iov[at].iov_base + n;
			iov[at].iov_len -= (size_t)n;
		}
	}
}

static uint8_t *
new_memory(size_t mib)
{
	uint8_t *memory = malloc(mib << 20);

	if (memory == NULL) {
		die("memory");
	}
	for (size_t i = 0; i < mib << 20; i++) {
		memory[i] = (uint8_t)(i * 2654435761u >> 13);
	}
	return memory;
}

/* mib records, into window of memory. */
static void
take_stream(int fd, size_t mib, size_t window)
{
	uint8_t header[HEADER], *memory = new_memory(window), *last = malloc(RECORD);
	size_t last_at = ((mib - 1) % window) << 20;
	char message[MESSAGE] = { 0 };

	if (last == NULL) {
		die("memory");
	}
	memcpy(last, memory + last_at, RECORD);
	memset(memory, 0, window << 20);
	send_message(fd, message);
	for (size_t i = 0; i < mib; i++) {
		receive(fd, header, HEADER, false);
		receive(fd, memory + ((i % window) << 20), RECORD, false);
	}
	message[0] = memcmp(last, memory + last_at, RECORD) == 0;
	send_message(fd, message);
	free(last);
	free(memory);
}

/* What one connection carries of a stream. */
struct part {
	int fd;
	size_t mib, window;
	pthread_barrier_t *ready; /* all parts start together */
	double start, end;
};

static void *
take_part(void *user)
{
	const struct part *part = user;

	take_stream(part->fd, part->mib, part->window);
	return NULL;
}

static void *
give_part(void *user)
{
	struct part *part = user;
	uint8_t header[HEADER] = { 0 }, *memory = new_memory(part->window);
	char message[MESSAGE];

	receive(part->fd, message, sizeof(message), false); /* the other side is ready */
	pthread_barrier_wait(part->ready);
	part->start = now();
	for (size_t i = 0; i < part->mib; i++) {
		send_record(part->fd, header, memory + ((i % part->window) << 20));
	}
	receive(part->fd, message, sizeof(message), false);
	part->end = now();
	if (message[0] != 1) {
		fprintf(stderr, "raw_socket: other data arrived\n");
		exit(2);
	}
	free(memory);
	return NULL;
}

/* One end of a stream over n connections.  Seconds that it took. */
static double
run_parts(void *(*run)(void *), const int *fds, int n, size_t mib, size_t window)
{
	struct part parts[CONNECTIONS];
	pthread_t threads[CONNECTIONS];
	pthread_barrier_t ready;
	double start = 0, end = 0;

	pthread_barrier_init(&ready, NULL, (unsigned)n);
	for (int i = 0; i < n; i++) {
		parts[i] = (struct part){ .fd = fds[i], .mib = mib / (size_t)n,
			.window = window / (size_t)n, .ready = &ready };
		if (pthread_create(&threads[i], NULL, run, &parts[i]) != 0) {
			die("thread");
		}
	}
	for (int i = 0; i < n; i++) {
		pthread_join(threads[i], NULL);
		start = i == 0 || parts[i].start < start ? parts[i].start : start;
		end = parts[i].end > end ? parts[i].end : end;
	}
	pthread_barrier_destroy(&ready);
	return end - start;
}

static const struct stream_kind {
	const char *name;
	int n_connections;
	bool is_cached;
} kinds[] = { { "raw_stream", 1, false }, { "raw_stream_cached", 1, true },
	{ "raw_stream_2", 2, false }, { "raw_stream_4", 4, false } };

/* Both sides come through here in step.  The best of some counts: what else the machine
 * does is not the socket's. */
static void
stream_all(void *(*run)(void *), const int *fds, size_t mib)
{
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		double best = 0;
		for (int i = 0; i < STREAMS; i++) {
			double seconds = run_parts(run, fds, kinds[k].n_connections, mib,
				kinds[k].is_cached ? WINDOW : mib);
			best = i == 0 || seconds < best ? seconds : best;
		}
		if (run == give_part) {
			printf("%s %.3f GiB/s\n", kinds[k].name, (double)mib / 1024 / best);
		}
	}
}

int
main(int argc, char **argv)
{
	bool is_tcp = argc > 1 && strcmp(argv[1], "tcp") == 0;
	int rounds = argc > 2 ? atoi(argv[2]) : 5000, mib = argc > 3 ? atoi(argv[3]) : 256;
	int ours[CONNECTIONS], theirs[CONNECTIONS], status = 0;

	if ((!is_tcp && (argc < 2 || strcmp(argv[1], "unix") != 0)) || rounds < 1 ||
		mib < CONNECTIONS) {
		fprintf(stderr, "Usage: raw_socket tcp|unix [ROUNDS [MIB]]\n");
		return 2;
	}
	for (int i = 0; i < CONNECTIONS; i++) {
		int pair[2];
		if (is_tcp) {
			tcp_pair(pair);
		} else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
			die("socketpair");
		}
		ours[i] = pair[0];
		theirs[i] = pair[1];
	}
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int i = 0; i < CONNECTIONS; i++) {
			close(ours[i]);
		}
		answer(theirs[0], false);
		answer(theirs[0], true);
		stream_all(take_part, theirs, (size_t)mib);
		return 0;
	}
	for (int i = 0; i < CONNECTIONS; i++) {
		close(theirs[i]);
	}
	ping(ours[0], false, rounds);
	ping(ours[0], true, rounds);
	stream_all(give_part, ours, (size_t)mib);
	waitpid(child, &status, 0);
	return status == 0 ? 0 : 1;
}
