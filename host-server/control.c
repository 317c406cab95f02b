/* SPDX-License-Identifier: Apache-2.0 */
/* control.c: what the daemon and a worker say to each other, over a unix socket. */
#include "host-server/control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union passed {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

int
control_send(int fd, const struct control_message *message, int passed_fd)
{
	union passed passed = { 0 };
	struct iovec iov = { (void *)message, sizeof(*message) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (passed_fd >= 0) {
		msg.msg_control = &passed;
		msg.msg_controllen = sizeof(passed.room);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &passed_fd, sizeof(int));
	}
	ssize_t n;
	do {
		n = sendmsg(fd, &msg, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int
control_receive(int fd, struct control_message *ret_message, int *ret_passed_fd)
{
	union passed passed = { 0 };
	struct control_message message;
	struct iovec iov = { &message, sizeof(message) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &passed,
		.msg_controllen = sizeof(passed.room),
	};
	int got = -1;

	ssize_t n;
	do {
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n <= 0) {
		return n < 0 ? (errno == ECONNRESET ? 0 : -errno) : 0;
	}
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
		c->cmsg_len == CMSG_LEN(sizeof(int))) {
		memcpy(&got, CMSG_DATA(c), sizeof(int));
	}
	if (n != (ssize_t)sizeof(message)) {
		if (got >= 0) {
			close(got);
		}
		return -EPROTO;
	}
	message.driver[CONTROL_TEXT_SIZE - 1] = '\0';
	message.device[CONTROL_TEXT_SIZE - 1] = '\0';
	message.text[CONTROL_TEXT_SIZE - 1] = '\0';
	message.cache[CONTROL_TEXT_SIZE - 1] = '\0';
	message.tenant[CONTROL_TENANT_SIZE - 1] = '\0';
	*ret_message = message;
	*ret_passed_fd = got;
	return 1;
}
