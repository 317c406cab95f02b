/* SPDX-License-Identifier: Apache-2.0 */
/* server_reader.c: the receiving half of a server.
 *
 * Bytes are read into one buffer and decoded where they lie.  Of a record with a payload
 * only the head is taken into the buffer; server_payload() reads the rest to where it is
 * wanted.  Records in several fragments, and large ones without payload, come from peers
 * that are not ours (libtirpc cuts records at 64 KiB): they are gathered in a second
 * buffer first, in `whole`. */
#include "rpc/server_private.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/checked.h"
#include "rpc/message_launch.h"

/* Enough to see which call it is, and its arguments if they are short. */
#define HEAD_MAX (MESSAGE_CALL_SIZE_MAX + 256)
/* After a payload like this the next one is likely to be as large. */
#define LARGE_PAYLOAD (64u << 10)

/* ---- bytes in ---- */

static int
receive(struct server *s, size_t n)
{
	while (s->in_end - s->in_at < n) {
		if (s->in_at > 0 && SERVER_IN_SIZE - s->in_at < n) {
			memmove(s->in, s->in + s->in_at, s->in_end - s->in_at);
			s->in_end -= s->in_at;
			s->in_at = 0;
		}
		size_t need = n - (s->in_end - s->in_at);
		size_t room = SERVER_IN_SIZE - s->in_end;
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

/* The same inside a record, where the peer must not close. */
static inline int
fill_more(struct server *s, size_t n)
{
	int r = fill(s, n);

	return r == -ENODATA ? -ECONNRESET : r;
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
		size_t n = s->payload_left < SERVER_IN_SIZE ? s->payload_left : SERVER_IN_SIZE;
		int r = fill_more(s, n);
		if (r <= 0) {
			return r;
		}
		consume(s, n);
		s->payload_left -= n;
	}
	return 1;
}

bool
server_has_input(struct server *s)
{
	return fill(s, 1) != 0;
}

/* ---- the record ---- */

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
	s->in_ahead = s->payload_size < LARGE_PAYLOAD ? SERVER_IN_SIZE
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
		return server_refuse_unknown(s, &head->call);
	}
	uint8_t *args = record + head->call.size;
	size_t args_size = size - head->call.size, payload = 0;
	if (info->payload.has) {
		ssize_t used = head_size(info, args, args_size, args_size, &payload);
		if (used < 0) {
			return server_refuse(s, &head->call, GARBAGE_ARGS);
		}
		message_put_u32(args + info->payload.wire_at, 0);
		s->whole_payload = args + used;
		args_size = (size_t)used;
	}
	int r = decode(s, info, args, args_size);
	if (r == -EBADMSG) {
		return server_refuse(s, &head->call, GARBAGE_ARGS);
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
		return server_refuse(s, call, GARBAGE_ARGS);
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
			int r = fill_more(s, 1);
			if (r <= 0) {
				return r;
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
		int r = fill_more(s, MESSAGE_MARK_SIZE);
		if (r > 0) {
			r = gather_begin(s, message_get_u32(s->in + s->in_at));
		}
		if (r <= 0) {
			return r;
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

/* ---- the next call ---- */

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
	r = fill_more(s, MESSAGE_MARK_SIZE + first);
	if (r <= 0) {
		return r;
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
	if (MESSAGE_MARK_SIZE + size > SERVER_IN_SIZE) {
		r = gather_begin(s, mark);
		return r < 0 ? r : 2;
	}
	r = fill_more(s, MESSAGE_MARK_SIZE + size);
	if (r <= 0) {
		return r;
	}
	uint8_t *record = s->in + s->in_at + MESSAGE_MARK_SIZE;
	r = take_whole(s, &head, record, size, ret_call);
	consume(s, MESSAGE_MARK_SIZE + size);
	return r == 0 ? 2 : r;
}

void
server_forget_call(struct server *s)
{
	if (s->info != NULL && !s->borrowed) {
		xdr_free(s->info->args_xdr, s->args);
	}
	s->info = NULL;
}

int
server_next(struct server *s, struct server_call *ret_call)
{
	server_forget_call(s);
	s->whole_payload = NULL;
	s->payload_size = 0;
	for (;;) {
		int r = skip_rest(s);
		if (r <= 0) {
			return r;
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
			int r = server_wait(s, POLLIN);
			if (r < 0) {
				return r;
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
