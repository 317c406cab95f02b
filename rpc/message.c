/* SPDX-License-Identifier: Apache-2.0 */
/* message.c: records and headers of ONC RPC, by hand. */
#include "rpc/message.h"

#include <errno.h>

#include "common/checked.h"

uint8_t *
message_put_call(uint8_t *at, uint32_t xid, uint32_t proc, size_t body_size)
{
	at = message_put_u32(at, MESSAGE_LAST | (uint32_t)(MESSAGE_CALL_SIZE + body_size));
	at = message_put_u32(at, xid);
	at = message_put_u32(at, CALL);
	at = message_put_u32(at, RPC_MSG_VERSION);
	at = message_put_u32(at, OUTBOARD_PROGRAM);
	at = message_put_u32(at, OUTBOARD_VERSION);
	at = message_put_u32(at, proc);
	memset(at, 0, 16); /* credentials and verifier: AUTH_NONE, empty */
	return at + 16;
}

uint8_t *
message_put_reply(uint8_t *at, uint32_t xid, enum accept_stat stat, size_t body_size)
{
	at = message_put_u32(at, MESSAGE_LAST | (uint32_t)(MESSAGE_REPLY_SIZE + body_size));
	at = message_put_u32(at, xid);
	at = message_put_u32(at, REPLY);
	at = message_put_u32(at, MSG_ACCEPTED);
	memset(at, 0, 8); /* verifier: AUTH_NONE, empty */
	return message_put_u32(at + 8, stat);
}

/* Step over an opaque_auth at *ret_at. */
static int
skip_auth(const uint8_t *at, size_t size, size_t *ret_at)
{
	if (!checked_range(*ret_at, 8, size)) {
		return -EAGAIN;
	}
	uint32_t len = message_get_u32(at + *ret_at + 4);
	if (len > MAX_AUTH_BYTES) {
		return -EPROTO;
	}
	if (!checked_range(*ret_at, 8 + message_padded(len), size)) {
		return -EAGAIN;
	}
	*ret_at += 8 + message_padded(len);
	return 0;
}

int
message_get_call(const uint8_t *at, size_t size, struct message_call *ret_call)
{
	if (size < 24) {
		return -EAGAIN;
	}
	if (message_get_u32(at + 4) != CALL) {
		return -EPROTO;
	}
	struct message_call call = {
		.xid = message_get_u32(at),
		.rpcvers = message_get_u32(at + 8),
		.prog = message_get_u32(at + 12),
		.vers = message_get_u32(at + 16),
		.proc = message_get_u32(at + 20),
		.size = MESSAGE_CALL_SIZE,
	};
	/* Credentials and verifier are empty, but for peers that are not ours. */
	static const uint8_t none[16];
	if (size >= MESSAGE_CALL_SIZE && memcmp(at + 24, none, sizeof(none)) == 0) {
		*ret_call = call;
		return 0;
	}
	call.size = 24;
	for (int i = 0; i < 2; i++) {
		int r = skip_auth(at, size, &call.size);
		if (r < 0) {
			return r;
		}
	}
	*ret_call = call;
	return 0;
}

int
message_get_reply(const uint8_t *at, size_t size, struct message_reply *ret_reply)
{
	if (size < 12) {
		return -EAGAIN;
	}
	if (message_get_u32(at + 4) != REPLY) {
		return -EPROTO;
	}
	struct message_reply reply = { .xid = message_get_u32(at), .size = 12 };
	if (message_get_u32(at + 8) != MSG_ACCEPTED) {
		*ret_reply = reply;
		return 0;
	}
	int r = skip_auth(at, size, &reply.size);
	if (r < 0) {
		return r;
	}
	if (!checked_range(reply.size, 4, size)) {
		return -EAGAIN;
	}
	reply.accepted = true;
	reply.stat = (enum accept_stat)message_get_u32(at + reply.size);
	reply.size += 4;
	*ret_reply = reply;
	return 0;
}

ssize_t
message_encode(uint8_t *at, size_t room, xdrproc_t filter, void *object)
{
	XDR xdr;

	xdrmem_create(&xdr, (char *)at, (u_int)room, XDR_ENCODE);
	if (!filter(&xdr, object)) {
		return -EMSGSIZE;
	}
	return xdr_getpos(&xdr);
}

int
message_decode(const uint8_t *at, size_t size, xdrproc_t filter, void *object,
	size_t object_size)
{
	XDR xdr;

	memset(object, 0, object_size);
	xdrmem_create(&xdr, (char *)(uintptr_t)at, (u_int)size, XDR_DECODE);
	if (!filter(&xdr, object) || xdr_getpos(&xdr) != size) {
		xdr_free(filter, object);
		memset(object, 0, object_size);
		return -EBADMSG;
	}
	return 0;
}
