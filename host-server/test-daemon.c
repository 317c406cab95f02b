/* SPDX-License-Identifier: Apache-2.0 */
/* test-daemon.c: outboardd with real workers and the software device.
 *
 * test-daemon OUTBOARDD WORKER LIBCUDA */
#include <arpa/inet.h>
#include <cuda.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "rpc/lane.h"

extern char **environ;
static const char *outboardd, *worker, *libcuda;

struct bench {
	char dir[32], unix_path[64], unix_url[80], tcp_url[80];
	pid_t pid;
	FILE *log; /* the daemon's stderr */
};

/* Read the log up to a line with that in it.  The test's timeout is the limit. */
static void
await(struct bench *b, const char *text, char *ret_line, size_t size)
{
	char line[2048];

	while (fgets(line, sizeof(line), b->log) != NULL) {
		if (strstr(line, text) != NULL) {
			if (ret_line != NULL) {
				snprintf(ret_line, size, "%s", line);
			}
			return;
		}
	}
	fail_msg("the daemon has ended without saying '%s'", text);
}

static long
value_in(const char *line, const char *key)
{
	const char *at = strstr(line, key);

	assert_non_null(at);
	return strtol(at + strlen(key), NULL, 10);
}

static int
setup_with(void **state, const char *driver, const char *workers)
{
	struct bench *b = calloc(1, sizeof(*b));
	char line[2048];
	int pair[2];

	snprintf(b->dir, sizeof(b->dir), "/tmp/outboard-test-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->unix_path, sizeof(b->unix_path), "%s/socket", b->dir);
	snprintf(b->unix_url, sizeof(b->unix_url), "unix://%s", b->unix_path);
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	const char *argv[] = { outboardd, "--listen", "tcp://127.0.0.1:0", "--listen",
		b->unix_url, "--driver", driver, "--worker", worker, "--max-guests", "2",
		"--cache", "none", "--workers", workers, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pair[1], STDERR_FILENO);
	assert_int_equal(
		posix_spawn(&b->pid, outboardd, &actions, NULL, (char **)argv, environ),
		0);
	posix_spawn_file_actions_destroy(&actions);
	close(pair[1]);
	b->log = fdopen(pair[0], "r");
	await(b, "listening on tcp://", line, sizeof(line));
	sscanf(strstr(line, "tcp://"), "%79s", b->tcp_url);
	await(b, "listening on unix://", NULL, 0);
	*state = b;
	return 0;
}

static int
setup(void **state)
{
	return setup_with(state, libcuda, "1");
}

static int
setup_two(void **state)
{
	return setup_with(state, libcuda, "2");
}

static int
setup_broken(void **state)
{
	return setup_with(state, "/nonexistent/libcuda.so.1", "1");
}

static int
teardown(void **state)
{
	struct bench *b = *state;
	struct stat st;
	int status;

	kill(b->pid, SIGTERM);
	assert_int_equal(waitpid(b->pid, &status, 0), b->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(stat(b->unix_path, &st), -1);
	fclose(b->log);
	assert_int_equal(rmdir(b->dir), 0);
	free(b);
	return 0;
}

/* ---- guests ---- */

static int
call(struct lane *lane, uint32_t number, void *args, void *ret)
{
	struct lane_message m = { .info = call_find(number), .args = args };
	struct lane_reply reply = { .ret = ret };

	int r = lane_call(lane, &m, &reply);
	return r < 0 ? r : ((struct call_ret_head *)ret)->result;
}

static int
greet(const char *url, struct lane **ret_lane, uint64_t *ret_id)
{
	char name[] = "guest \"of\" test", why[256];
	session_hello_args args = {
		.guest_version = 1, .pid = 1234, .program_name = name
	};
	session_hello_ret ret = { 0 };
	struct lane_options options = { .no_flusher = true };
	struct stream *stream;

	assert_int_equal(stream_connect(url, &stream, why, sizeof(why)), 0);
	assert_int_equal(lane_new(stream, &options, ret_lane), 0);
	int result = call(*ret_lane, CALL_session_hello, &args, &ret);
	if (result == 0 && ret_id != NULL) {
		*ret_id = ret.u.session_hello_result_u.out.guest_id;
		assert_true(
			ret.u.session_hello_result_u.out.devices.call_devices_len > 0);
	}
	xdr_free((xdrproc_t)xdr_session_hello_ret, (char *)&ret);
	return result;
}

static int
mark(struct lane *lane)
{
	session_mark_args args = { 0 };
	session_mark_ret ret = { 0 };

	return call(lane, CALL_session_mark, &args, &ret);
}

static void
ask_status(const char *url, session_status_ret *ret)
{
	session_status_args args = { 0 };
	struct lane_options options = { .no_flusher = true };
	struct stream *stream;
	struct lane *lane;
	char why[256];

	*ret = (session_status_ret){ 0 };
	assert_int_equal(stream_connect(url, &stream, why, sizeof(why)), 0);
	assert_int_equal(lane_new(stream, &options, &lane), 0);
	assert_int_equal(call(lane, CALL_session_status, &args, ret), 0);
	lane_free(lane);
}

static void
guests_come_and_go(void **state)
{
	struct bench *b = *state;
	struct lane *first, *second;
	session_status_ret status;
	uint64_t id;
	char line[2048];

	assert_int_equal(greet(b->tcp_url, &first, &id), 0);
	assert_int_equal(id, 1);
	assert_int_equal(greet(b->unix_url, &second, &id), 0);
	assert_int_equal(id, 2);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(mark(first), 0);
	}
	ask_status(b->unix_url, &status);
	const session_status_out *out = &status.u.session_status_result_u.out;
	assert_int_equal(out->served, 2);
	assert_int_equal(out->guests.call_guests_len, 2);
	assert_string_equal(out->driver, libcuda);
	for (u_int i = 0; i < 2; i++) {
		const call_guest *guest = &out->guests.call_guests_val[i];
		assert_string_equal(guest->program_name, "guest__of__test");
		assert_int_equal(guest->pid, 1234);
		assert_int_equal(guest->calls, guest->id == 1 ? 11 : 1);
		assert_non_null(strstr(
			guest->peer, guest->id == 1 ? "tcp://127.0.0.1:" : "unix:"));
	}
	xdr_free((xdrproc_t)xdr_session_status_ret, (char *)&status);
	lane_free(first);
	await(b, "guest: end id=1", line, sizeof(line));
	assert_non_null(strstr(line, " exit=0"));
	assert_int_equal(value_in(line, " calls="), 11);
	assert_int_equal(mark(second), 0);
	lane_free(second);
	await(b, "guest: end id=2", NULL, 0);
}

static void
there_is_no_room_for_a_third(void **state)
{
	struct bench *b = *state;
	struct lane *lanes[3];

	assert_int_equal(greet(b->unix_url, &lanes[0], NULL), 0);
	assert_int_equal(greet(b->unix_url, &lanes[1], NULL), 0);
	assert_int_equal(
		greet(b->unix_url, &lanes[2], NULL), CUDA_ERROR_DEVICE_UNAVAILABLE);
	lane_free(lanes[2]);
	lane_free(lanes[1]);
	await(b, "guest: end id=2", NULL, 0);
	assert_int_equal(greet(b->unix_url, &lanes[1], NULL), 0);
	lane_free(lanes[0]);
	lane_free(lanes[1]);
}

static void
a_worker_that_dies_harms_only_its_guest(void **state)
{
	struct bench *b = *state;
	struct lane *first, *second;
	char line[2048];

	assert_int_equal(greet(b->tcp_url, &first, NULL), 0);
	await(b, "guest: start id=1", line, sizeof(line));
	assert_int_equal(greet(b->tcp_url, &second, NULL), 0);
	kill((pid_t)value_in(line, " worker="), SIGKILL);
	assert_true(mark(first) < 0);
	await(b, "guest: end id=1", line, sizeof(line));
	assert_non_null(strstr(line, " signal=9"));
	assert_int_equal(mark(second), 0);
	lane_free(first);
	lane_free(second);
}

/* A worker that is stopped does not see that its guest has gone: the daemon does. */
static void
a_worker_that_hangs_is_killed(void **state)
{
	struct bench *b = *state;
	struct lane *lane;
	char line[2048];

	assert_int_equal(greet(b->unix_url, &lane, NULL), 0);
	await(b, "guest: start id=1", line, sizeof(line));
	kill((pid_t)value_in(line, " worker="), SIGSTOP);
	lane_free(lane);
	await(b, "guest: end id=1", line, sizeof(line));
	assert_non_null(strstr(line, " signal=9"));
}

static int
connect_raw(const char *url)
{
	struct stream *stream;
	char why[256];

	assert_int_equal(stream_connect(url, &stream, why, sizeof(why)), 0);
	int fd = dup(stream->fd);
	stream_free(stream);
	return fd;
}

/* Bytes that the daemon answers before it closes, or 0 if it is silent for a while. */
static ssize_t
say_raw(const char *url, const void *bytes, size_t size, void *answer, size_t room)
{
	cleanup_close int fd = connect_raw(url);
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
	if (poll(&pfd, 1, 300) <= 0) {
		return 0;
	}
	return recv(fd, answer, room, MSG_DONTWAIT);
}

static void
strangers_are_answered_or_sent_away(void **state)
{
	struct bench *b = *state;
	struct lane *lane;
	uint8_t answer[256];
	uint32_t null_call[11] = { htonl(0x80000028), htonl(7), 0, htonl(2),
		htonl(OUTBOARD_PROGRAM), htonl(OUTBOARD_VERSION), 0, 0, 0, 0, 0 };
	uint32_t words[7];

	assert_int_equal(
		say_raw(b->tcp_url, null_call, sizeof(null_call), answer, 256), 28);
	null_call[5] = htonl(99);
	/* PROG_MISMATCH with the lowest and highest version. */
	assert_int_equal(
		say_raw(b->tcp_url, null_call, sizeof(null_call), answer, 256), 36);
	memcpy(words, answer, sizeof(words));
	assert_int_equal(ntohl(words[6]), PROG_MISMATCH);
	null_call[4] = htonl(100000);
	assert_int_equal(
		say_raw(b->tcp_url, null_call, sizeof(null_call), answer, 256), 28);
	static const char http[] = "GET / HTTP/1.1\r\nHost: here and there\r\n\r\n";
	assert_true(say_raw(b->tcp_url, http, sizeof(http), answer, 256) <= 0);
	memset(words, 0xff, sizeof(words));
	assert_true(say_raw(b->unix_url, words, sizeof(words), answer, 256) <= 0);
	assert_int_equal(say_raw(b->unix_url, words, 3, answer, 256), 0);
	assert_int_equal(greet(b->unix_url, &lane, NULL), 0);
	lane_free(lane);
}

static void
hello_in_pieces_is_hello(void **state)
{
	struct bench *b = *state;
	cleanup_close int fd = connect_raw(b->unix_url);
	uint32_t hello[17] = { htonl(0x80000000 | 64), htonl(9), 0, htonl(2),
		htonl(OUTBOARD_PROGRAM), htonl(OUTBOARD_VERSION),
		htonl(CALL_session_hello), 0, 0, 0, 0, htonl(1), 0, 0, htonl(55),
		htonl(4), htonl(0x61626364) };
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	for (size_t i = 0; i < 68; i += 10) {
		size_t n = 68 - i < 10 ? 68 - i : 10;
		assert_int_equal(send(fd, (char *)hello + i, n, 0), (ssize_t)n);
		usleep(1000);
	}
	assert_int_equal(poll(&pfd, 1, 5000), 1);
	uint32_t words[7];
	assert_int_equal(
		recv(fd, words, sizeof(words), MSG_WAITALL), (ssize_t)sizeof(words));
	assert_int_equal(ntohl(words[1]), 9);
	assert_int_equal(ntohl(words[6]), SUCCESS);
}

static void
a_guest_without_a_driver_is_told(void **state)
{
	struct bench *b = *state;
	struct lane *lane;
	char line[2048];

	assert_int_equal(greet(b->unix_url, &lane, NULL), CUDA_ERROR_SYSTEM_NOT_READY);
	lane_free(lane);
	await(b, "a worker cannot start", line, sizeof(line));
	assert_non_null(strstr(line, "/nonexistent/libcuda.so.1"));
}

static void
await_warm(struct bench *b, u_int wanted)
{
	u_int n;

	do {
		session_status_ret status;
		usleep(5000);
		ask_status(b->unix_url, &status);
		n = status.u.session_status_result_u.out.warm_workers;
		xdr_free((xdrproc_t)xdr_session_status_ret, (char *)&status);
	} while (n != wanted);
}

static void
a_worker_that_is_not_needed_yet_starts_later(void **state)
{
	struct bench *b = *state;
	struct lane *first, *second;

	await_warm(b, 2);
	uint64_t began = clock_ns();
	assert_int_equal(greet(b->unix_url, &first, NULL), 0);
	await_warm(b, 1);
	await_warm(b, 2);
	assert_true(clock_ns() - began >= 1000000000u);
	/* Nobody is ready for the next one: then at once. */
	lane_free(first);
	await(b, "guest: end id=1", NULL, 0);
	assert_int_equal(greet(b->unix_url, &first, NULL), 0);
	assert_int_equal(greet(b->unix_url, &second, NULL), 0);
	await_warm(b, 2);
	lane_free(first);
	lane_free(second);
}

int
main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(guests_come_and_go),
		TEST(there_is_no_room_for_a_third),
		TEST(a_worker_that_dies_harms_only_its_guest),
		TEST(a_worker_that_hangs_is_killed),
		TEST(strangers_are_answered_or_sent_away),
		TEST(hello_in_pieces_is_hello),
		cmocka_unit_test_setup_teardown(
			a_guest_without_a_driver_is_told, setup_broken, teardown),
		cmocka_unit_test_setup_teardown(
			a_worker_that_is_not_needed_yet_starts_later, setup_two, teardown),
	};
#undef TEST

	if (argc != 4) {
		return 77;
	}
	outboardd = argv[1];
	worker = argv[2];
	libcuda = argv[3];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
