/* SPDX-License-Identifier: Apache-2.0 */
/* lane.c: the sending half of the guest's lane.
 *
 * Everything here happens under the send lock, so the order of the calls is the order in
 * which threads take it.  Small calls are encoded into the buffer; a large payload is sent
 * straight from the caller's memory, after what is buffered.
 *
 * No deadlock: when the host does not take what we send, it may be waiting for us to take
 * its replies, so a sender that is stuck reads. */
#include "rpc/lane_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "rpc/message_launch.h"

/* Send when this much is buffered: several calls a system call, yet soon. */
#define FLUSH_AT (32u << 10)
/* Payloads up to this size are copied into the buffer. */
#define COPY_MAX (16u << 10)

static const uint8_t zeros[4];

int
lane_new(struct stream *stream, const struct lane_options *options, struct lane **ret_lane)
{
	struct lane *lane = calloc(1, sizeof(*lane));
	uint8_t *out = malloc(LANE_OUT_SIZE);

	if (lane == NULL || out == NULL) {
		free(lane);
		free(out);
		stream_free(stream);
		return -ENOMEM;
	}
	lane->stream = stream;
	lane->options = *options;
	lane->out = out;
	pthread_mutex_init(&lane->send_lock, NULL);
	pthread_mutex_init(&lane->read_lock, NULL);
	*ret_lane = lane;
	return 0;
}

int
lane_use_rings(struct lane *lane, const struct stream_rings *rings)
{
	HOLD_LOCK(&lane->send_lock);
	int r = lane->in_at != lane->in_end || lane->out_len != 0
		? -EPROTO
		: stream_ring_new(lane->stream, rings, false, &lane->stream);
	lane->in_rings = r == 0;
	return r;
}

struct lane *
lane_free(struct lane *lane)
{
	if (lane != NULL) {
		lane_flusher_stop(lane);
		lane_fail(lane, -ENOTCONN);
		stream_free(lane->stream);
		pthread_mutex_destroy(&lane->send_lock);
		pthread_mutex_destroy(&lane->read_lock);
		free(lane->out);
		free(lane);
	}
	return NULL;
}

void
lane_abandon(struct lane *lane)
{
	/* The locks may be held by threads that exist only in the parent: touch none. */
	atomic_store(&lane->error, -ENOTCONN);
	lane->has_flusher = false;
	lane->stream->ops->close(lane->stream);
}

int
lane_error(struct lane *lane)
{
	return atomic_load(&lane->error);
}

static int
send_all(struct lane *lane, struct iovec *iov, int n_iov)
{
	lane->sent_ns = clock_ns();
	while (n_iov > 0) {
		ssize_t sent = lane->stream->ops->sendv(lane->stream, iov, n_iov);
		if (sent == -EAGAIN) {
			int r = lane_read_while_sending(lane);
			if (r < 0) {
				return r;
			}
			continue;
		}
		if (sent < 0) {
			return lane_fail(lane, (int)sent);
		}
		lane->counters.bytes_out += (uint64_t)sent;
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
	return lane_error(lane);
}

int
lane_flush_locked(struct lane *lane)
{
	struct iovec iov = { lane->out, lane->out_len };

	if (lane->out_len == 0) {
		return lane_error(lane);
	}
	lane->counters.flushes++;
	lane->out_len = 0;
	return send_all(lane, &iov, 1);
}

/* Does a one-way call, now the only one in the buffer, leave at once?  In rings that costs
 * some hundredths of a microsecond, as long as the host looks.  Else it costs a system call:
 * for the first one in a while, which the device may be waiting for, and not for a row of
 * them. */
static bool
is_urgent(const struct lane *lane)
{
	return lane->in_rings || clock_ns() - lane->sent_ns > LANE_QUIET_NS;
}

/* Send what is buffered and the rows from where they lie. */
static int
send_rows(struct lane *lane, const struct rows *rows, size_t pad)
{
	struct iovec iov[LANE_ROWS_AT_ONCE + 2] = { { lane->out, lane->out_len } };
	size_t size = rows_size(rows);
	int n = 1, r = 0;

	lane->out_len = 0;
	for (size_t at = 0; at < size && r == 0; n = 0) {
		int end = n + rows_pieces(rows, at, iov + n, LANE_ROWS_AT_ONCE);
		for (; n < end; n++) {
			at += iov[n].iov_len;
		}
		if (at == size && pad > 0) {
			iov[n++] = (struct iovec){ (void *)(uintptr_t)zeros, pad };
		}
		r = send_all(lane, iov, n);
	}
	return r;
}

static int
send_payload(struct lane *lane, const struct lane_message *message)
{
	const struct rows packed = { .first = (void *)(uintptr_t)message->payload,
		.width = message->payload_size, .height = 1 };
	const struct rows *rows = message->rows != NULL ? message->rows : &packed;
	size_t pad = message_padded(message->payload_size) - message->payload_size;

	if (message->payload_size <= COPY_MAX) {
		rows_pack(rows, lane->out + lane->out_len, message->payload_size);
		memset(lane->out + lane->out_len + message->payload_size, 0, pad);
		lane->out_len += message->payload_size + pad;
		return 0;
	}
	lane->counters.flushes++;
	return send_rows(lane, rows, pad);
}

/* Put a call behind what is buffered. */
static int
encode(struct lane *lane, const struct lane_message *message, uint32_t xid)
{
	const size_t head = MESSAGE_MARK_SIZE + MESSAGE_CALL_SIZE;

	if (LANE_OUT_SIZE - lane->out_len < head + MESSAGE_BODY_MAX + COPY_MAX) {
		int r = lane_flush_locked(lane);
		if (r < 0) {
			return r;
		}
	}
	uint8_t *at = lane->out + lane->out_len;
	ssize_t body = message->info->number == CALL_cuLaunchKernel
		? message_encode_launch(at + head, MESSAGE_BODY_MAX, message->args)
		: message_encode(at + head, MESSAGE_BODY_MAX, message->info->args_xdr,
			  message->args);
	if (body < 0) {
		return (int)body;
	}
	message_put_call(at, xid, message->info->number,
		(size_t)body + message_padded(message->payload_size));
	lane->out_len += head + (size_t)body;
	if (message->payload_size == 0) {
		return 0;
	}
	/* The payload was encoded as empty: its length is the last word. */
	message_put_u32(at + head + body - 4, (uint32_t)message->payload_size);
	return send_payload(lane, message);
}

/* The host runs the lane's calls in one context at a time: say when it changes. */
static int
enter_context(struct lane *lane, uint64_t context)
{
	if (context == 0 || context == lane->context) {
		return 0;
	}
	session_context_args args = { .ctx = context };
	int r = encode(lane,
		&(struct lane_message){ .info = call_find(CALL_session_context), .args = &args },
		++lane->last_xid);
	if (r == 0) {
		lane->context = context;
	}
	return r;
}

/* After every so much one-way work ask for a sign of life, and do not run further ahead
 * than the host has answered. */
static int
take_credit(struct lane *lane, size_t size)
{
	lane->calls_since_mark++;
	lane->bytes_since_mark += size;
	if (lane->calls_since_mark < LANE_MARK_CALLS && lane->bytes_since_mark < LANE_MARK_BYTES) {
		return 0;
	}
	struct lane_reply *mark = &lane->marks[lane->mark_at++ % LANE_MARKS];
	int r = 0;
	if (mark->info != NULL) {
		r = lane_flush_locked(lane);
		r = r < 0 ? r : lane_wait(lane, mark);
	}
	if (r < 0) {
		return r;
	}
	lane->calls_since_mark = 0;
	lane->bytes_since_mark = 0;
	session_mark_args args = { 0 };
	*mark = (struct lane_reply){ .info = call_find(CALL_session_mark),
		.xid = ++lane->last_xid };
	lane_expect(lane, mark);
	return encode(lane, &(struct lane_message){ .info = mark->info, .args = &args },
		mark->xid);
}

int
lane_post(struct lane *lane, const struct lane_message *message)
{
	int r = lane_error(lane);
	if (r < 0) {
		return r;
	}
	HOLD_LOCK(&lane->send_lock);
	bool urgent = message->now || (lane->out_len == 0 && is_urgent(lane));
	r = take_credit(lane, message->payload_size);
	if (r == 0) {
		r = enter_context(lane, message->context);
	}
	if (r == 0) {
		r = encode(lane, message, ++lane->last_xid);
	}
	if (r < 0) {
		return r;
	}
	lane->counters.one_way_calls++;
	if (lane->out_len >= FLUSH_AT || urgent) {
		return lane_flush_locked(lane);
	}
	if (lane->out_len > 0) {
		if (!lane->has_flusher && !lane->options.no_flusher) {
			r = lane_flusher_start(lane);
		}
		lane_flusher_wake(lane);
	}
	return r;
}

int
lane_start(struct lane *lane, const struct lane_message *message, struct lane_reply *reply,
	bool flush)
{
	int r = lane_error(lane);
	if (r < 0) {
		return r;
	}
	HOLD_LOCK(&lane->send_lock);
	r = enter_context(lane, message->context);
	if (r == 0 && message->fd != NULL) {
		/* It goes with the first byte of what follows. */
		r = lane_flush_locked(lane);
		r = r < 0 ? r : stream_send_fd(lane->stream, *message->fd);
	}
	if (r < 0) {
		return r;
	}
	reply->info = message->info;
	reply->xid = ++lane->last_xid;
	lane_expect(lane, reply);
	r = encode(lane, message, reply->xid);
	lane->counters.sync_calls++;
	if (r == 0 && (flush || lane->out_len >= FLUSH_AT)) {
		r = lane_flush_locked(lane);
	}
	/* A reply that is expected and will not come would be waited for, or freed twice. */
	return r < 0 ? lane_fail(lane, r) : 0;
}

int
lane_call(struct lane *lane, const struct lane_message *message, struct lane_reply *reply)
{
	int r = lane_start(lane, message, reply, true);

	return r < 0 ? r : lane_wait(lane, reply);
}

int
lane_flush(struct lane *lane)
{
	int r = lane_error(lane);
	if (r < 0) {
		return r;
	}
	HOLD_LOCK(&lane->send_lock);
	return lane_flush_locked(lane);
}

bool
lane_is_local(const struct lane *lane)
{
	return stream_is_local(lane->stream);
}

bool
lane_counters(struct lane *lane, struct lane_counters *ret_counters)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	if (pthread_mutex_timedlock(&lane->send_lock, &until) != 0) {
		return false;
	}
	*ret_counters = lane->counters;
	ret_counters->bytes_in = atomic_load(&lane->bytes_in);
	pthread_mutex_unlock(&lane->send_lock);
	return true;
}
