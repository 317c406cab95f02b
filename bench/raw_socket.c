/* SPDX-License-Identifier: Apache-2.0 */
/* raw_socket.c: what a socket between two processes of this machine gives at best.
 *
 * Usage: raw_socket tcp|unix [ROUNDS [MIB]]
 * Prints "name value unit" lines: the round trip of a small message with both sides asleep
 * in recv and with both spinning, and the bandwidth of a stream of 1 MiB records, sent with
 * writev and received where they belong: in memory as large as the stream, and again and
 * again in the same 4 MiB, which stay in the caches.  The last record's data are compared. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

/* GiB/s. */
static double
give_stream(int fd, size_t mib, size_t window)
{
	uint8_t header[HEADER] = { 0 }, *memory = new_memory(window);
	char message[MESSAGE];

	receive(fd, message, sizeof(message), false); /* the other side is ready */
	double start = now();
	for (size_t i = 0; i < mib; i++) {
		send_record(fd, header, memory + ((i % window) << 20));
	}
	receive(fd, message, sizeof(message), false);
	double seconds = now() - start;
	if (message[0] != 1) {
		fprintf(stderr, "raw_socket: other data arrived\n");
		exit(2);
	}
	free(memory);
	return (double)mib / 1024 / seconds;
}

/* The best of some: what else the machine does is not the socket's. */
static void
measure_stream(int fd, size_t mib, size_t window, const char *name)
{
	double best = 0;

	for (int i = 0; i < STREAMS; i++) {
		double rate = give_stream(fd, mib, window);
		best = rate > best ? rate : best;
	}
	printf("%s %.3f GiB/s\n", name, best);
}

int
main(int argc, char **argv)
{
	bool is_tcp = argc > 1 && strcmp(argv[1], "tcp") == 0;
	int rounds = argc > 2 ? atoi(argv[2]) : 5000, mib = argc > 3 ? atoi(argv[3]) : 256;
	int pair[2], status = 0;

	if ((!is_tcp && (argc < 2 || strcmp(argv[1], "unix") != 0)) || rounds < 1 || mib < 1) {
		fprintf(stderr, "Usage: raw_socket tcp|unix [ROUNDS [MIB]]\n");
		return 2;
	}
	if (is_tcp) {
		tcp_pair(pair);
	} else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
		die("socketpair");
	}
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		answer(pair[1], false);
		answer(pair[1], true);
		for (int i = 0; i < 2 * STREAMS; i++) {
			take_stream(pair[1], (size_t)mib, i < STREAMS ? (size_t)mib : WINDOW);
		}
		return 0;
	}
	close(pair[1]);
	ping(pair[0], false, rounds);
	ping(pair[0], true, rounds);
	measure_stream(pair[0], (size_t)mib, (size_t)mib, "raw_stream");
	measure_stream(pair[0], (size_t)mib, WINDOW, "raw_stream_cached");
	waitpid(child, &status, 0);
	return status == 0 ? 0 : 1;
}
