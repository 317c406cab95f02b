/* SPDX-License-Identifier: Apache-2.0 */
/* test-stream.c: descriptors that go along with bytes, and what a guest configures. */
#include "rpc/stream.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct pair {
	struct stream *a, *b;
};

static void
pair_new(struct pair *p)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(stream_of_fd(fds[0], &p->a), 0);
	assert_int_equal(stream_of_fd(fds[1], &p->b), 0);
}

static void
pair_free(struct pair *p)
{
	stream_free(p->a);
	stream_free(p->b);
}

static void
send_bytes(struct stream *s, const char *text)
{
	struct iovec iov = { (void *)(uintptr_t)text, strlen(text) };

	assert_int_equal(s->ops->sendv(s, &iov, 1), strlen(text));
}

static void
expect_bytes(struct stream *s, const char *text)
{
	char got[64];

	for (size_t at = 0; at < strlen(text);) {
		ssize_t n = s->ops->recv(s, got, strlen(text) - at);
		assert_true(n > 0);
		assert_memory_equal(got, text + at, (size_t)n);
		at += (size_t)n;
	}
}

static unsigned
n_open(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(folder);
	while (readdir(folder) != NULL) {
		n++;
	}
	closedir(folder);
	return n;
}

static bool
is_same_file(int a, int b)
{
	struct stat x, y;

	assert_int_equal(fstat(a, &x), 0);
	assert_int_equal(fstat(b, &y), 0);
	return x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

static void
a_descriptor_goes_with_the_next_bytes_and_only_those(void **state)
{
	struct pair p;
	int fd = memfd_create("test", MFD_CLOEXEC);

	pair_new(&p);
	assert_int_equal(stream_take_fds(p.b, true), 0);
	send_bytes(p.a, "before");
	assert_int_equal(stream_send_fd(p.a, fd), 0);
	send_bytes(p.a, "with");
	send_bytes(p.a, "after");
	expect_bytes(p.b, "before");
	assert_int_equal(stream_received_fd(p.b), -1);
	expect_bytes(p.b, "withafter");
	int got = stream_received_fd(p.b);
	assert_true(got >= 0 && got != fd && is_same_file(got, fd));
	assert_true(fcntl(got, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(stream_received_fd(p.b), -1);
	close(got);
	close(fd);
	pair_free(&p);
}

static void
who_does_not_take_descriptors_gets_none(void **state)
{
	struct pair p;
	unsigned before = n_open();

	pair_new(&p);
	assert_int_equal(stream_send_fd(p.a, 0), 0);
	send_bytes(p.a, "with");
	expect_bytes(p.b, "with");
	assert_int_equal(stream_received_fd(p.b), -1);
	assert_int_equal(stream_take_fds(p.b, true), 0);
	assert_int_equal(stream_received_fd(p.b), -1);
	pair_free(&p);
	assert_int_equal(n_open(), before);
}

static void
one_is_kept_and_others_are_closed(void **state)
{
	struct pair p;
	int fds[8];
	union {
		struct cmsghdr align;
		unsigned char room[CMSG_SPACE(sizeof(fds))];
	} room = { 0 };
	struct iovec iov = { (void *)(uintptr_t)"x", 1 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &room,
		.msg_controllen = sizeof(room) };
	unsigned before = n_open();

	pair_new(&p);
	assert_int_equal(stream_take_fds(p.b, true), 0);
	for (int i = 0; i < 8; i++) {
		fds[i] = memfd_create("test", MFD_CLOEXEC);
	}
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	*head = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(fds)) };
	memcpy(CMSG_DATA(head), fds, sizeof(fds));
	for (int i = 0; i < 20; i++) {
		assert_int_equal(sendmsg(p.a->fd, &message, 0), 1);
		expect_bytes(p.b, "x");
	}
	int got = stream_received_fd(p.b);
	assert_true(got >= 0 && is_same_file(got, fds[0]));
	close(got);
	/* And one that nobody takes is closed with the stream. */
	assert_int_equal(sendmsg(p.a->fd, &message, 0), 1);
	expect_bytes(p.b, "x");
	for (int i = 0; i < 8; i++) {
		close(fds[i]);
	}
	pair_free(&p);
	assert_int_equal(n_open(), before);
}

static void
tcp_carries_none(void **state)
{
	struct stream *s;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(stream_of_fd(fd, &s), 0);
	assert_false(stream_is_local(s));
	assert_int_equal(stream_send_fd(s, 0), -ENOTSUP);
	assert_int_equal(stream_take_fds(s, true), -ENOTSUP);
	assert_int_equal(stream_received_fd(s), -1);
	stream_free(s);
}

/* ---- configuration ---- */

static int
connections(const char *variable, const char *file)
{
	char path[] = "/tmp/outboard-test-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, file, strlen(file)), (ssize_t)strlen(file));
	close(fd);
	setenv("OUTBOARD_CONFIG", path, 1);
	setenv("OUTBOARD_CONNECTIONS", variable, 1);
	int n = stream_configured_connections();
	unlink(path);
	return n;
}

static void
the_variable_comes_before_the_file(void **state)
{
	assert_int_equal(connections("", ""), -1);
	assert_int_equal(connections("5", ""), 5);
	assert_int_equal(connections("0", "connections = 3\n"), 0);
	assert_int_equal(connections("", "connections = 3\n"), 3);
	assert_int_equal(connections("", "server = tcp://a:1\n\t connections=4 \n"), 4);
	assert_int_equal(connections("", "connection = 3\nconnectionss = 3\n"), -1);
}

static void
what_is_no_number_counts_as_nothing(void **state)
{
	static const char *const wrong[] = { "many", "4x", "-1", "99999999999999999999", "4 5" };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(connections(wrong[i], "connections = 2\n"), -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_descriptor_goes_with_the_next_bytes_and_only_those),
		cmocka_unit_test(who_does_not_take_descriptors_gets_none),
		cmocka_unit_test(one_is_kept_and_others_are_closed),
		cmocka_unit_test(tcp_carries_none),
		cmocka_unit_test(the_variable_comes_before_the_file),
		cmocka_unit_test(what_is_no_number_counts_as_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
