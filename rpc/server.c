/* SPDX-License-Identifier: Apache-2.0 */
/* server.c: the host's half of a connection.
 *
 * Bytes are read into one buffer and decoded where they lie.  Of a record with a payload
 * only the head is taken into the buffer; server_payload() reads the rest to where it is
 * wanted.  Records in several fragments, and large ones without payload, come from peers
 * that are not ours (libtirpc cuts records at 64 KiB): they are gathered in a second
 * buffer first, in `whole`. */
#include "rpc/server.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/checked.h"
#include "rpc/message.h"
#include "rpc/message_launch.h"

#define IN_SIZE (128u << 10)
#define OUT_SIZE (256u << 10)
#define RECORD_MAX_BEFORE_HELLO 4096
/* Enough to see which call it is, and its arguments if they are short. */
#define HEAD_MAX (MESSAGE_CALL_SIZE_MAX + 256)
/* After a payload like this the next one is likely to be as large. */
#define LARGE_PAYLOAD (64u << 10)

struct server {
	struct stream *stream;
	size_t record_max;
	int stall_ms;

	uint8_t *in;
	size_t in_at, in_end;
	/* How much is read at once.  What is read here of a payload is copied once more. */
	size_t in_ahead;

	/* A record in several pieces: what is gathered, and of which capacity. */
	uint8_t *whole;
	size_t whole_len, whole_cap;
	size_t fragment_left;
	bool gathering, last_fragment;

	/* The call given out: its decoded args, and where its payload is. */
	const struct call_info *info;
	bool borrowed; /* args point into the message: nothing of theirs is to be freed */
	void *args;
	size_t args_cap;
	size_t payload_left;           /* bytes of the record still to be consumed */
	const uint8_t *whole_payload;  /* in whole, or NULL: in the stream */
	size_t payload_size;

	uint8_t *out;
	size_t out_len;
	struct server_counters counters;
};

int
server_new(struct stream *stream, struct server **ret_server)
{
	struct server *s = calloc(1, sizeof(*s));

	if (s != NULL) {
		s->in = malloc(IN_SIZE);
		s->out = malloc(OUT_SIZE);
		s->record_max = RECORD_MAX_BEFORE_HELLO;
		s->stall_ms = -1;
		s->in_ahead = IN_SIZE;
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

static void
forget_call(struct server *s)
{
	if (s->info != NULL && !s->borrowed) {
		xdr_free(s->info->args_xdr, s->args);
	}
	s->info = NULL;
}

struct server *
server_free(struct server *s)
{
	if (s != NULL) {
		forget_call(s);
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

/* ---- bytes in ---- */

static int
receive(struct server *s, size_t n)
{
	while (s->in_end - s->in_at < n) {
		if (s->in_at > 0 && IN_SIZE - s->in_at < n) {
			memmove(s->in, s->in + s->in_at, s->in_end - s->in_at);
			s->in_end -= s->in_at;
			s->in_at = 0;
		}
		size_t need = n - (s->in_end - s->in_at), room = IN_SIZE - s->in_end;
		size_t most = need > s->in_ahead ? need : s->in_ahead;
		ssize_t got = s->stream->ops->recv(
			s->stream, s->in + s->in_end, most < room ? most : room);
		if (got == -EAGAIN) {
			return 0;
		}
		if (got <= 0) {
			return got < 0 ? (int)got : -ENODATA;
		}
		s->in_end += (size_t)got;
		s->counters.bytes_in += (uint64_t)got;
	}
	return 1;
}

/* Make sure that n bytes lie in the buffer.  1, 0 (not yet), or negative errno. */
static inline int
fill(struct server *s, size_t n)
{
	return s->in_end - s->in_at >= n ? 1 : receive(s, n);
}

bool
server_has_input(struct server *s)
{
	if (s->in_end > s->in_at) {
		return true;
	}
	int r = fill(s, 1);
	return r != 0;
}

static void
consume(struct server *s, size_t n)
{
	s->in_at += n;
	if (s->in_at == s->in_end) {
		s->in_at = s->in_end = 0;
	}
}

/* Throw away what is left of a record whose payload nobody wanted. */
static int
skip_rest(struct server *s)
{
	while (s->payload_left > 0) {
		size_t n = s->payload_left < IN_SIZE ? s->payload_left : IN_SIZE;
		int r = fill(s, n);
		if (r <= 0) {
			return r;
		}
		consume(s, n);
		s->payload_left -= n;
	}
	return 1;
}

/* ---- the record ---- */

static int
refuse(struct server *s, const struct message_call *call, enum accept_stat stat)
{
	const struct call_info *info = call_find(call->proc);

	/* One-way calls are never answered; a guest of ours does not send a wrong one. */
	if (stat == GARBAGE_ARGS && info != NULL && info->one_way) {
		return -EPROTO;
	}
	return server_reply_error(s, call->xid, stat);
}

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
	if (OUT_SIZE - s->out_len < sizeof(reply)) {
		int r = server_flush(s);
		if (r < 0) {
			return r;
		}
	}
	memcpy(s->out + s->out_len, reply, sizeof(reply));
	s->out_len += sizeof(reply);
	return server_flush(s);
}

/* A header, and the call that it is for: NULL if it is for none of ours. */
struct head {
	struct message_call call;
	const struct call_info *info;
};

static int
read_head(const uint8_t *record, size_t size, struct head *ret_head)
{
	struct head head = { .info = NULL };

	int r = message_get_call(record, size, &head.call);
	if (r < 0) {
		return -EPROTO;
	}
	if (head.call.rpcvers == RPC_MSG_VERSION && head.call.prog == OUTBOARD_PROGRAM &&
		head.call.vers == OUTBOARD_VERSION) {
		head.info = call_find(head.call.proc);
	}
	*ret_head = head;
	return 0;
}

/* What is for none of our calls. */
static int
refuse_unknown(struct server *s, const struct message_call *call)
{
	if (call->rpcvers != RPC_MSG_VERSION) {
		return refuse_rpc_version(s, call->xid);
	}
	if (call->prog != OUTBOARD_PROGRAM) {
		return refuse(s, call, PROG_UNAVAIL);
	}
	if (call->vers != OUTBOARD_VERSION) {
		return refuse(s, call, PROG_MISMATCH);
	}
	return call->proc == NULLPROC ? server_reply_error(s, call->xid, SUCCESS)
				      : refuse(s, call, PROC_UNAVAIL);
}

static int
decode(struct server *s, const struct call_info *info, const uint8_t *at, size_t size)
{
	if (s->args_cap < info->args_size) {
		void *args = realloc(s->args, info->args_size);
		if (args == NULL) {
			return -ENOMEM;
		}
		s->args = args;
		s->args_cap = info->args_size;
	}
	s->borrowed = info->number == CALL_cuLaunchKernel;
	if (s->borrowed) {
		return message_decode_launch(at, size, s->args);
	}
	return message_decode(at, size, info->args_xdr, s->args, info->args_size);
}

static int
give_out(struct server *s, const struct call_info *info, uint32_t xid,
	struct server_call *ret_call)
{
	s->info = info;
	s->counters.calls++;
	s->in_ahead = s->payload_size < LARGE_PAYLOAD ? IN_SIZE
						      : MESSAGE_MARK_SIZE + HEAD_MAX;
	*ret_call = (struct server_call){
		.xid = xid, .info = info, .args = s->args, .payload_size = s->payload_size
	};
	return 1;
}

/* How long the arguments are without their payload.  Negative: the length word lies. */
static ssize_t
head_size(const struct call_info *info, const uint8_t *args, size_t size, size_t args_size,
	size_t *ret_payload)
{
	size_t head = info->payload.wire_at + 4;

	if (size < head) {
		return -EBADMSG;
	}
	size_t payload = message_get_u32(args + info->payload.wire_at);
	if (payload > CALL_PAYLOAD_MAX || head + message_padded(payload) != args_size) {
		return -EBADMSG;
	}
	*ret_payload = payload;
	return (ssize_t)head;
}

/* A record that lies in memory as a whole. */
static int
take_whole(struct server *s, const struct head *head, uint8_t *record, size_t size,
	struct server_call *ret_call)
{
	const struct call_info *info = head->info;

	if (info == NULL) {
		return refuse_unknown(s, &head->call);
	}
	uint8_t *args = record + head->call.size;
	size_t args_size = size - head->call.size, payload = 0;
	if (info->payload.has) {
		ssize_t used = head_size(info, args, args_size, args_size, &payload);
		if (used < 0) {
			return refuse(s, &head->call, GARBAGE_ARGS);
		}
		message_put_u32(args + info->payload.wire_at, 0);
		s->whole_payload = args + used;
		args_size = (size_t)used;
	}
	int r = decode(s, info, args, args_size);
	if (r == -EBADMSG) {
		return refuse(s, &head->call, GARBAGE_ARGS);
	}
	s->payload_size = payload;
	return r < 0 ? r : give_out(s, info, head->call.xid, ret_call);
}

/* A record in one fragment whose payload stays in the stream. */
static int
take_head(struct server *s, const struct head *head, size_t size, struct server_call *ret_call)
{
	const struct message_call *call = &head->call;
	const struct call_info *info = head->info;
	uint8_t *record = s->in + s->in_at + MESSAGE_MARK_SIZE;
	size_t have = s->in_end - s->in_at - MESSAGE_MARK_SIZE;
	size_t payload;

	have = have < size ? have : size;
	ssize_t args_size = head_size(info, record + call->size, have - call->size,
		size - call->size, &payload);
	int r = args_size < 0 ? -EBADMSG : 0;
	if (r == 0) {
		message_put_u32(record + call->size + info->payload.wire_at, 0);
		r = decode(s, info, record + call->size, (size_t)args_size);
	}
	if (r == -ENOMEM) {
		return r;
	}
	size_t used = call->size + (r == 0 ? (size_t)args_size : 0);
	consume(s, MESSAGE_MARK_SIZE + used);
	s->payload_left = size - used;
	if (r < 0) {
		return refuse(s, call, GARBAGE_ARGS);
	}
	s->payload_size = payload;
	return give_out(s, info, call->xid, ret_call);
}

/* ---- records in pieces ---- */

static int
gather_begin(struct server *s, uint32_t mark)
{
	size_t size = mark & ~MESSAGE_LAST;

	if (size == 0 || !checked_range(s->whole_len, size, s->record_max)) {
		return size == 0 ? -EPROTO : -EMSGSIZE;
	}
	if (s->whole_len + size > s->whole_cap) {
		uint8_t *whole = realloc(s->whole, s->whole_len + size);
		if (whole == NULL) {
			return -ENOMEM;
		}
		s->whole = whole;
		s->whole_cap = s->whole_len + size;
	}
	consume(s, MESSAGE_MARK_SIZE);
	s->gathering = true;
	s->fragment_left = size;
	s->last_fragment = (mark & MESSAGE_LAST) != 0;
	return 1;
}

/* 1 when the record is whole. */
static int
gather(struct server *s)
{
	for (;;) {
		while (s->fragment_left > 0) {
			int r = fill(s, 1);
			if (r <= 0) {
				return r == -ENODATA ? -ECONNRESET : r;
			}
			size_t n = s->in_end - s->in_at;
			n = n < s->fragment_left ? n : s->fragment_left;
			memcpy(s->whole + s->whole_len, s->in + s->in_at, n);
			s->whole_len += n;
			s->fragment_left -= n;
			consume(s, n);
		}
		if (s->last_fragment) {
			return 1;
		}
		int r = fill(s, MESSAGE_MARK_SIZE);
		if (r > 0) {
			r = gather_begin(s, message_get_u32(s->in + s->in_at));
		}
		if (r <= 0) {
			return r == -ENODATA ? -ECONNRESET : r;
		}
	}
}

static int
next_gathered(struct server *s, struct server_call *ret_call)
{
	int r = gather(s);

	if (r <= 0) {
		return r;
	}
	size_t size = s->whole_len;
	struct head head;
	s->gathering = false;
	s->whole_len = 0;
	r = read_head(s->whole, size, &head);
	return r < 0 ? r : take_whole(s, &head, s->whole, size, ret_call);
}

/* One record.  1: a call.  0: nothing whole yet.  2: answered inside, look again. */
static int
next_record(struct server *s, struct server_call *ret_call)
{
	if (s->gathering) {
		int r = next_gathered(s, ret_call);
		return r == 0 && !s->gathering ? 2 : r;
	}
	int r = fill(s, MESSAGE_MARK_SIZE);
	if (r <= 0) {
		return r == -ENODATA && s->in_end > s->in_at ? -ECONNRESET : r;
	}
	uint32_t mark = message_get_u32(s->in + s->in_at);
	size_t size = mark & ~MESSAGE_LAST;
	if (size > s->record_max) {
		return -EMSGSIZE;
	}
	if (!(mark & MESSAGE_LAST)) {
		r = gather_begin(s, mark);
		return r < 0 ? r : 2;
	}
	size_t first = size < HEAD_MAX ? size : HEAD_MAX;
	r = fill(s, MESSAGE_MARK_SIZE + first);
	if (r <= 0) {
		return r == -ENODATA ? -ECONNRESET : r;
	}
	struct head head;
	r = read_head(s->in + s->in_at + MESSAGE_MARK_SIZE, first, &head);
	if (r < 0) {
		return r;
	}
	if (head.info != NULL && head.info->payload.has) {
		r = take_head(s, &head, size, ret_call);
		return r == 0 ? 2 : r;
	}
	if (MESSAGE_MARK_SIZE + size > IN_SIZE) {
		r = gather_begin(s, mark);
		return r < 0 ? r : 2;
	}
	r = fill(s, MESSAGE_MARK_SIZE + size);
	if (r <= 0) {
		return r == -ENODATA ? -ECONNRESET : r;
	}
	uint8_t *record = s->in + s->in_at + MESSAGE_MARK_SIZE;
	r = take_whole(s, &head, record, size, ret_call);
	consume(s, MESSAGE_MARK_SIZE + size);
	return r == 0 ? 2 : r;
}

int
server_next(struct server *s, struct server_call *ret_call)
{
	forget_call(s);
	s->whole_payload = NULL;
	s->payload_size = 0;
	for (;;) {
		int r = skip_rest(s);
		if (r <= 0) {
			return r == -ENODATA ? -ECONNRESET : r;
		}
		r = next_record(s, ret_call);
		if (r != 2) {
			return r;
		}
	}
}

int
server_payload(struct server *s, void *into)
{
	uint8_t *to = into;
	size_t left = s->payload_size;

	if (s->whole_payload != NULL) {
		memcpy(to, s->whole_payload, left);
		return 0;
	}
	size_t n = s->in_end - s->in_at;
	n = n < left ? n : left;
	memcpy(to, s->in + s->in_at, n);
	consume(s, n);
	s->payload_left -= n;
	while ((left -= n) > 0) {
		to += n;
		ssize_t got = s->stream->ops->recv(s->stream, to, left);
		if (got == -EAGAIN) {
			int ready = s->stream->ops->wait(s->stream, POLLIN, s->stall_ms);
			if (ready <= 0) {
				return ready < 0 ? ready : -ETIMEDOUT;
			}
			got = 0;
		} else if (got <= 0) {
			return got < 0 ? (int)got : -ECONNRESET;
		}
		n = (size_t)got;
		s->payload_left -= n;
		s->counters.bytes_in += n;
	}
	return 0;
}

/* ---- replies ---- */

static int
send_all(struct server *s, struct iovec *iov, int n_iov)
{
	while (n_iov > 0) {
		ssize_t sent = s->stream->ops->sendv(s->stream, iov, n_iov);
		if (sent == -EAGAIN) {
			int ready = s->stream->ops->wait(s->stream, POLLOUT, s->stall_ms);
			if (ready <= 0) {
				return ready < 0 ? ready : -ETIMEDOUT;
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

int
server_reply_error(struct server *s, uint32_t xid, enum accept_stat stat)
{
	size_t body = stat == PROG_MISMATCH ? 8 : 0;

	if (OUT_SIZE - s->out_len < MESSAGE_MARK_SIZE + MESSAGE_REPLY_SIZE + body) {
		int r = server_flush(s);
		if (r < 0) {
			return r;
		}
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
		if (attempt > 0 || OUT_SIZE - s->out_len < MESSAGE_BODY_MAX) {
			int r = server_flush(s);
			if (r < 0) {
				return r;
			}
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
