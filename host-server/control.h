/* SPDX-License-Identifier: Apache-2.0 */
/* control.h: what the daemon and a worker say to each other, over a unix socket.
 *
 * The worker's first message is READY or FAILED.  The daemon's first one is SERVE, with
 * the guest's connection; then, for each connection of that guest that wants to join,
 * JOIN with it.  One message is one packet (SOCK_SEQPACKET). */
#pragma once

#include <stdint.h>

enum control_kind { CONTROL_READY = 1, CONTROL_FAILED, CONTROL_SERVE, CONTROL_JOIN };

/* Descriptors of a new worker. */
#define CONTROL_FD 3
#define CONTROL_ACCOUNT_FD 4

#define CONTROL_TEXT_SIZE 512
#define CONTROL_TENANT_SIZE 80

struct control_message {
	uint32_t kind;
	uint64_t guest_id;		/* SERVE */
	char driver[CONTROL_TEXT_SIZE]; /* READY: what was opened, in words */
	char device[CONTROL_TEXT_SIZE]; /* READY: name of device 0 */
	char text[CONTROL_TEXT_SIZE];	/* FAILED: why; SERVE: who */
	char cache[CONTROL_TEXT_SIZE];	/* SERVE: folder of images, or "" */
	char tenant[CONTROL_TENANT_SIZE]; /* SERVE: whose images the guest may find */
	uint64_t cache_size;		  /* SERVE */
};

/* passed_fd: a descriptor to pass, or -1; it stays the caller's as well. */
int control_send(int fd, const struct control_message *message, int passed_fd);
/* 1: there was a message; *ret_passed_fd is the caller's, or -1.  0: the peer is gone.
 * -EAGAIN if fd does not block and there is none; -EPROTO. */
int control_receive(int fd, struct control_message *ret_message, int *ret_passed_fd);
