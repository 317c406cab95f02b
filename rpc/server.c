/* SPDX-License-Identifier: Apache-2.0 */
/* server.c: the host's half of a connection: its life, and its replies.
 *
 * Replies are gathered in one buffer.  A payload is sent straight from where it lies,
 * behind what is gathered; an error is sent at once. */
#include "rpc/server_private.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define OUT_SIZE (256u << 10)
#define RECORD_MAX_BEFORE_HELLO 4096

int
server_new(struct stream *stream, struct server **ret_server)
{
	struct server *s = calloc(1, sizeof(*s));

	if (s != NULL) {
		s->in = malloc(SERVER_IN_SIZE);
		s->out = malloc(OUT_SIZE);
		s->record_max = RECORD_MAX_BEFORE_HELLO;
		s->stall_ms = -1;
		s->in_ahead = SERVER_IN_SIZE;
	}
	if (s == NULL || s->in == NULL || s->out == NULL) {
		stream_free(stream);
		server_free(s);
		return -ENOMEM;
	}
	s->stream = stream;
	*ret_server = s;
	return 0;
}

struct server *
server_free(struct server *s)
{
	if (s != NULL) {
		server_forget_call(s);
		stream_free(s->stream);
		free(s->in);
		free(s->out);
		free(s->whole);
		free(s->args);
		free(s);
	}
	return NULL;
}

void
server_set_record_max(struct server *s, size_t record_max)
{
	s->record_max = record_max;
}

void
server_set_stall(struct server *s, int stall_ms)
{
	s->stall_ms = stall_ms;
}

struct stream *
server_stream(struct server *s)
{
	return s->stream;
}

const struct server_counters *
server_counters(const struct server *s)
{
	return &s->counters;
}

int
server_wait(struct server *s, short events)
{
	int ready = s->stream->ops->wait(s->stream, events, s->stall_ms);

	return ready > 0 ? 0 : ready < 0 ? ready : -ETIMEDOUT;
}

/* ---- sending ---- */

static int
send_all(struct server *s, struct iovec *iov, int n_iov)
{
	while (n_iov > 0) {
		ssize_t sent = s->stream->ops->sendv(s->stream, iov, n_iov);
		if (sent == -EAGAIN) {
			int r = server_wait(s, POLLOUT);
			if (r < 0) {
				return r;
			}
			continue;
		}
		if (sent < 0) {
			return (int)sent;
		}
		s->counters.bytes_out += (uint64_t)sent;
		while (n_iov > 0 && (size_t)sent >= iov->iov_len) {
			sent -= (ssize_t)iov->iov_len;
			iov++;
			n_iov--;
		}
		if (n_iov > 0) {
			iov->iov_base = (uint8_t *)iov->iov_base + sent;
			iov->iov_len -= (size_t)sent;
		}
	}
	return 0;
}

int
server_flush(struct server *s)
{
	struct iovec iov = { s->out, s->out_len };

	if (s->out_len == 0) {
		return 0;
	}
	s->out_len = 0;
	return send_all(s, &iov, 1);
}

int
server_use_rings(struct server *s, const struct stream_rings *rings)
{
	int r = server_flush(s);

	if (r < 0) {
		return r;
	}
	return s->in_at != s->in_end || s->payload_left > 0 || s->gathering
		? -EPROTO
		: stream_ring_new(s->stream, rings, true, &s->stream);
}

/* ---- replies ---- */

static int
make_room(struct server *s, size_t size)
{
	return OUT_SIZE - s->out_len < size ? server_flush(s) : 0;
}

int
server_reply_error(struct server *s, uint32_t xid, enum accept_stat stat)
{
	size_t body = stat == PROG_MISMATCH ? 8 : 0;

	int r = make_room(s, MESSAGE_MARK_SIZE + MESSAGE_REPLY_SIZE + body);
	if (r < 0) {
		return r;
	}
	uint8_t *at = message_put_reply(s->out + s->out_len, xid, stat, body);
	if (stat == PROG_MISMATCH) {
		at = message_put_u32(at, OUTBOARD_VERSION); /* lowest */
		at = message_put_u32(at, OUTBOARD_VERSION); /* and highest that is served */
	}
	s->out_len = (size_t)(at - s->out);
	return server_flush(s);
}

int
server_reply(struct server *s, const struct call_info *info, uint32_t xid, void *ret,
	const void *payload, size_t payload_size)
{
	static const uint8_t zeros[4];
	const size_t head = MESSAGE_MARK_SIZE + MESSAGE_REPLY_SIZE;
	ssize_t body = -EMSGSIZE;

	for (int attempt = 0; attempt < 2 && body < 0; attempt++) {
		int r = attempt > 0 ? server_flush(s) : make_room(s, MESSAGE_BODY_MAX);
		if (r < 0) {
			return r;
		}
		uint8_t *at = s->out + s->out_len;
		body = message_encode(at + head, OUT_SIZE - s->out_len - head, info->ret_xdr, ret);
	}
	if (body < 0) {
		return server_reply_error(s, xid, SYSTEM_ERR);
	}
	uint8_t *at = s->out + s->out_len;
	size_t padded = message_padded(payload_size);
	message_put_reply(at, xid, SUCCESS, (size_t)body + padded);
	s->out_len += head + (size_t)body;
	if (payload_size == 0) {
		return 0;
	}
	/* The payload was encoded as empty: its length is the last word. */
	message_put_u32(s->out + s->out_len - 4, (uint32_t)payload_size);
	struct iovec iov[3] = {
		{ s->out, s->out_len },
		{ (void *)(uintptr_t)payload, payload_size },
		{ (void *)(uintptr_t)zeros, padded - payload_size },
	};
	s->out_len = 0;
	return send_all(s, iov, padded > payload_size ? 3 : 2);
}

/* ---- refusals ---- */

static int
refuse_rpc_version(struct server *s, uint32_t xid)
{
	uint8_t reply[28], *at = message_put_u32(reply, MESSAGE_LAST | 24);

	at = message_put_u32(at, xid);
	at = message_put_u32(at, REPLY);
	at = message_put_u32(at, MSG_DENIED);
	at = message_put_u32(at, RPC_MISMATCH);
	at = message_put_u32(at, RPC_MSG_VERSION);
	message_put_u32(at, RPC_MSG_VERSION);
	int r = make_room(s, sizeof(reply));
	if (r < 0) {
		return r;
	}
	memcpy(s->out + s->out_len, reply, sizeof(reply));
	s->out_len += sizeof(reply);
	return server_flush(s);
}

int
server_refuse(struct server *s, const struct message_call *call, enum accept_stat stat)
{
	const struct call_info *info = call_find(call->proc);

	/* One-way calls are never answered; a guest of ours does not send a wrong one. */
	if (stat == GARBAGE_ARGS && info != NULL && info->one_way) {
		return -EPROTO;
	}
	return server_reply_error(s, call->xid, stat);
}

int
server_refuse_unknown(struct server *s, const struct message_call *call)
{
	if (call->rpcvers != RPC_MSG_VERSION) {
		return refuse_rpc_version(s, call->xid);
	}
	if (call->prog != OUTBOARD_PROGRAM) {
		return server_refuse(s, call, PROG_UNAVAIL);
	}
	if (call->vers != OUTBOARD_VERSION) {
		return server_refuse(s, call, PROG_MISMATCH);
	}
	return call->proc == NULLPROC ? server_reply_error(s, call->xid, SUCCESS)
				      : server_refuse(s, call, PROC_UNAVAIL);
}
