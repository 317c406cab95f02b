/* SPDX-License-Identifier: Apache-2.0 */
/* message.h: records and headers of ONC RPC (RFC 5531), by hand.
 *
 * They are the same 40 and 24 bytes in every message; a test compares them with what
 * libtirpc's xdr_callmsg and xdr_replymsg write. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <arpa/inet.h>

#include "rpc/call.h"

#define MESSAGE_MARK_SIZE 4          /* record mark: last-fragment bit and length */
#define MESSAGE_LAST 0x80000000u
#define MESSAGE_CALL_SIZE 40         /* header of a call with AUTH_NONE */
#define MESSAGE_REPLY_SIZE 24        /* header of an accepted reply with AUTH_NONE */
#define MESSAGE_CALL_SIZE_MAX (MESSAGE_CALL_SIZE + 2 * MAX_AUTH_BYTES)
/* Arguments and results without payload; launches with all their parameters fit. */
#define MESSAGE_BODY_MAX (64u << 10)
/* A whole record. */
#define MESSAGE_RECORD_MAX (MESSAGE_BODY_MAX + CALL_PAYLOAD_MAX)

static inline uint32_t
message_get_u32(const uint8_t *at)
{
	uint32_t be;

	memcpy(&be, at, sizeof(be));
	return ntohl(be);
}

static inline uint8_t *
message_put_u32(uint8_t *at, uint32_t value)
{
	uint32_t be = htonl(value);

	memcpy(at, &be, sizeof(be));
	return at + sizeof(be);
}

/* XDR pads opaques to words. */
static inline size_t
message_padded(size_t size)
{
	return (size + 3) & ~(size_t)3;
}

/* Mark and header at, for a record of body_size bytes after the header. */
uint8_t *message_put_call(uint8_t *at, uint32_t xid, uint32_t proc, size_t body_size);
uint8_t *message_put_reply(uint8_t *at, uint32_t xid, enum accept_stat stat, size_t body_size);

struct message_call {
	uint32_t xid;
	uint32_t rpcvers, prog, vers, proc;
	size_t size; /* of the header: where the arguments begin */
};

/* 0; -EPROTO: not a call, or credentials too long; -EAGAIN: more bytes are needed. */
int message_get_call(const uint8_t *at, size_t size, struct message_call *ret_call);

struct message_reply {
	uint32_t xid;
	bool accepted;
	enum accept_stat stat;
	size_t size;
};

int message_get_reply(const uint8_t *at, size_t size, struct message_reply *ret_reply);

/* XDR-encode into room bytes at; the size, or -EMSGSIZE. */
ssize_t message_encode(uint8_t *at, size_t room, xdrproc_t filter, void *object);
/* Decode exactly size bytes into a zeroed object.  On failure what was allocated is
 * freed: -EBADMSG. */
int message_decode(const uint8_t *at, size_t size, xdrproc_t filter, void *object,
	size_t object_size);
