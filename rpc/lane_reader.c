/* SPDX-License-Identifier: Apache-2.0 */
/* lane_reader.c: the receiving half of the guest's lane.
 *
 * One waiting thread at a time is the leader: it reads, hands every reply to the one that
 * expects it, and stops when its own has come; then another waiter is woken and leads.  So
 * the thread that needs a reply reads it itself, if it waits alone, and nobody is woken. */
#include "rpc/lane_private.h"

#include <cuda.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/relax.h"

/* A sender that is stuck looks again after this long whether somebody still reads. */
#define STUCK_MS 10
/* And after at most this long, where there was nothing for long. */
#define STUCK_LONG_MS 320

/* Lives with the thread that sleeps. */
struct lane_waiter {
	const struct lane_reply *reply;
	pthread_cond_t wake;
	struct lane_waiter *next;
};

/* Wake who waits for this reply; NULL: all.  The read lock is held. */
static void
wake(struct lane *lane, const struct lane_reply *reply)
{
	for (struct lane_waiter *w = lane->waiters; w != NULL; w = w->next) {
		if (reply == NULL || w->reply == reply) {
			pthread_cond_signal(&w->wake);
		}
	}
}

/* Who leaves wakes one who may read from now on, and nobody else: with many threads on few
 * processors, waking all of them for each answer was most of the work.  One who is woken for
 * a reply that is done leaves, too, and hands on.  The read lock is held. */
static void
hand_on(struct lane *lane)
{
	if (!lane->reading && lane->waiters != NULL) {
		pthread_cond_signal(&lane->waiters->wake);
	}
}

/* Sleep until reply is done, or nobody reads.  The read lock is held, but for the sleep. */
static void
sleep_until_called(struct lane *lane, const struct lane_reply *reply)
{
	struct lane_waiter self = { .reply = reply, .wake = PTHREAD_COND_INITIALIZER,
		.next = lane->waiters };
	struct lane_waiter **at = &lane->waiters;

	lane->waiters = &self;
	while (!reply->done && lane->reading) {
		pthread_cond_wait(&self.wake, &lane->read_lock);
	}
	while (*at != &self) {
		at = &(*at)->next;
	}
	*at = self.next;
	pthread_cond_destroy(&self.wake);
}

int
lane_fail(struct lane *lane, int error)
{
	int expected = 0;

	atomic_compare_exchange_strong(&lane->error, &expected, error);
	HOLD_LOCK(&lane->read_lock);
	for (size_t i = 0; i < LANE_BUCKETS; i++) {
		while (lane->replies[i] != NULL) {
			struct lane_reply *reply = lane->replies[i];
			lane->replies[i] = reply->next;
			reply->done = true;
			if (reply->arrived != NULL) {
				reply->arrived(reply);
			}
		}
	}
	wake(lane, NULL);
	return atomic_load(&lane->error);
}

void
lane_expect(struct lane *lane, struct lane_reply *reply)
{
	HOLD_LOCK(&lane->read_lock);
	struct lane_reply **bucket = &lane->replies[reply->xid % LANE_BUCKETS];
	reply->done = false;
	reply->next = *bucket;
	*bucket = reply;
}

static struct lane_reply *
find(struct lane *lane, uint32_t xid)
{
	HOLD_LOCK(&lane->read_lock);
	struct lane_reply *reply = lane->replies[xid % LANE_BUCKETS];
	while (reply != NULL && reply->xid != xid) {
		reply = reply->next;
	}
	return reply;
}

static void
finish(struct lane *lane, struct lane_reply *reply)
{
	HOLD_LOCK(&lane->read_lock);
	struct lane_reply **at = &lane->replies[reply->xid % LANE_BUCKETS];
	while (*at != NULL && *at != reply) {
		at = &(*at)->next;
	}
	if (*at == NULL) {
		return; /* the lane failed meanwhile: it is done already */
	}
	*at = reply->next;
	reply->done = true;
	if (reply->arrived != NULL) {
		reply->arrived(reply);
	} else {
		wake(lane, reply);
	}
}

/* ---- bytes ---- */

static bool read_arrived(struct lane *lane);

/* Since when, and how often, the leader has looked for bytes that have not come. */
struct looks {
	uint64_t until_ns;
	unsigned n;
};

/* Before the leader looks again: at once for a while, then when there are bytes. */
static int
look_later(struct lane *lane, struct looks *looks)
{
	struct lane *beside = lane->options.beside;

	if (lane->options.spin_us > 0) {
		uint64_t now = clock_ns();
		if (looks->n == 0) {
			looks->until_ns = now + lane->options.spin_us * 1000u;
		}
		if (now < looks->until_ns) {
			relax(looks->n++);
			return 0;
		}
	}
	int timeout = beside != NULL ? STUCK_MS : -1;
	for (;;) {
		int ready = lane->stream->ops->wait(lane->stream, POLLIN, timeout);
		if (ready != 0) {
			return ready < 0 ? ready : 0;
		}
		if (read_arrived(beside)) {
			timeout = STUCK_MS;
		} else if (timeout < STUCK_LONG_MS) {
			timeout *= 2;
		}
	}
}

/* At least one byte, into pieces of memory. */
static ssize_t
receive(struct lane *lane, const struct iovec *iov, int n_iov)
{
	struct looks looks = { 0 };

	for (;;) {
		ssize_t n = n_iov == 1 ? lane->stream->ops->recv(lane->stream, iov->iov_base,
						 iov->iov_len)
				       : stream_recvv(lane->stream, iov, n_iov);
		if (n > 0) {
			atomic_fetch_add_explicit(
				&lane->bytes_in, (uint64_t)n, memory_order_relaxed);
			return n;
		}
		int r = n == -EAGAIN ? look_later(lane, &looks) : n < 0 ? (int)n : -ECONNRESET;
		if (r < 0) {
			return r;
		}
	}
}

/* Exactly size bytes, from the buffer first, then from the stream straight to into. */
static int
receive_all(struct lane *lane, void *into, size_t size)
{
	uint8_t *to = into;
	size_t n = lane->in_end - lane->in_at;

	n = n < size ? n : size;
	if (n > 0) {
		memcpy(to, lane->in + lane->in_at, n);
	}
	lane->in_at += n;
	for (size_t at = n; at < size;) {
		ssize_t got = receive(lane, &(struct iovec){ to + at, size - at }, 1);
		if (got < 0) {
			return (int)got;
		}
		at += (size_t)got;
	}
	return 0;
}

/* The same to where rows lie. */
static int
receive_rows(struct lane *lane, const struct rows *rows)
{
	struct iovec iov[LANE_ROWS_AT_ONCE];
	size_t size = rows_size(rows), at = lane->in_end - lane->in_at;

	at = at < size ? at : size;
	rows_unpack(rows, lane->in + lane->in_at, at);
	lane->in_at += at;
	while (at < size) {
		int n = rows_pieces(rows, at, iov, LANE_ROWS_AT_ONCE);
		ssize_t got = receive(lane, iov, n);
		if (got < 0) {
			return (int)got;
		}
		at += (size_t)got;
	}
	return 0;
}

/* Make sure that size bytes, at most LANE_IN_SIZE, lie in the buffer. */
static int
fill(struct lane *lane, size_t size)
{
	if (LANE_IN_SIZE - lane->in_at < size || lane->in_at == lane->in_end) {
		memmove(lane->in, lane->in + lane->in_at, lane->in_end - lane->in_at);
		lane->in_end -= lane->in_at;
		lane->in_at = 0;
	}
	while (lane->in_end - lane->in_at < size) {
		const struct iovec room = { lane->in + lane->in_end,
			LANE_IN_SIZE - lane->in_end };
		ssize_t got = receive(lane, &room, 1);
		if (got < 0) {
			return (int)got;
		}
		lane->in_end += (size_t)got;
	}
	return 0;
}

/* ---- replies ---- */

static void
note_latched(struct lane *lane, const struct call_ret_head *head)
{
	uint64_t none = 0;

	if (head->lane.latched != 0) {
		/* The first one counts until somebody takes it. */
		atomic_compare_exchange_strong(&lane->latched, &none,
			(uint64_t)head->lane.latched_call << 32 | (uint32_t)head->lane.latched);
	}
}

static void
note_head(struct lane *lane, const struct call_ret_head *head)
{
	note_latched(lane, head);
	atomic_store(&lane->output, head->lane.output);
}

void
lane_note_head(struct lane *lane, const struct call_ret_head *head)
{
	note_latched(lane, head);
	/* It may have been overtaken by one that says that there is output. */
	if (head->lane.output > 0) {
		atomic_store(&lane->output, head->lane.output);
	}
}

/* What ONC RPC itself refused, in CUDA's words. */
static int
result_of_refusal(const struct message_reply *header)
{
	return header->accepted && header->stat == PROC_UNAVAIL ? CUDA_ERROR_NOT_SUPPORTED
								: CUDA_ERROR_UNKNOWN;
}

/* A record that lies in memory, but for its payload. */
static int
decode(struct lane *lane, struct lane_reply *reply, const uint8_t *record, size_t size)
{
	session_mark_ret bare;
	void *ret = reply->ret != NULL ? reply->ret : &bare;
	struct message_reply header;

	if (message_get_reply(record, size, &header) < 0) {
		return -EPROTO;
	}
	if (!header.accepted || header.stat != SUCCESS) {
		((struct call_ret_head *)ret)->result = result_of_refusal(&header);
		return 0;
	}
	xdrproc_t filter = reply->info->ret_xdr;
	size_t ret_size = reply->info->ret_size;
	if (reply->ret == NULL) { /* nobody wants more than the head */
		filter = (xdrproc_t)xdr_session_mark_ret;
		ret_size = sizeof(bare);
		size = size < header.size + 24 ? size : header.size + 24;
	}
	int r = message_decode(
		record + header.size, size - header.size, filter, ret, ret_size);
	if (r == 0) {
		note_head(lane, ret);
	}
	return r;
}

/* A reply whose payload goes to the caller's memory: the head is decoded from the buffer,
 * the payload is read to where it belongs. */
static int
take_payload(struct lane *lane, struct lane_reply *reply, size_t size)
{
	const struct call_payload_place *place = &reply->info->ret_payload;
	/* Header, call_lane and result, the results before the payload, its length. */
	size_t head = MESSAGE_REPLY_SIZE + 24 + place->wire_at + 4;

	int r = fill(lane, head);
	if (r < 0) {
		return r;
	}
	uint8_t *record = lane->in + lane->in_at;
	uint32_t payload = message_get_u32(record + head - 4);
	if (payload != reply->into_size || head + message_padded(payload) != size) {
		return -EPROTO;
	}
	message_put_u32(record + head - 4, 0);
	r = decode(lane, reply, record, head);
	if (r < 0) {
		return r;
	}
	lane->in_at += head;
	r = reply->rows != NULL ? receive_rows(lane, reply->rows)
				: receive_all(lane, reply->into, payload);
	uint8_t pad[4];
	return r < 0 ? r : receive_all(lane, pad, message_padded(payload) - payload);
}

/* A reply that is decoded from memory as a whole. */
static int
take_record(struct lane *lane, struct lane_reply *reply, size_t size)
{
	cleanup_free uint8_t *large = NULL;
	const uint8_t *record;
	int r;

	if (size <= LANE_IN_SIZE) {
		r = fill(lane, size);
		record = lane->in + lane->in_at;
	} else {
		record = large = malloc(size);
		r = large != NULL ? receive_all(lane, large, size) : -ENOMEM;
	}
	if (r == 0) {
		r = decode(lane, reply, record, size);
	}
	if (r == 0 && large == NULL) {
		lane->in_at += size;
	}
	return r;
}

/* Read one record and hand it over.  The caller is the leader. */
static int
read_record(struct lane *lane)
{
	int r = fill(lane, MESSAGE_MARK_SIZE + 8);

	if (r < 0) {
		return r;
	}
	uint32_t mark = message_get_u32(lane->in + lane->in_at);
	size_t size = mark & ~MESSAGE_LAST;
	/* Our hosts send every record in one fragment. */
	if (!(mark & MESSAGE_LAST) || size < 16 || size > MESSAGE_RECORD_MAX) {
		return -EPROTO;
	}
	struct lane_reply *reply = find(lane, message_get_u32(lane->in + lane->in_at + 4));
	if (reply == NULL) {
		return -EPROTO;
	}
	lane->in_at += MESSAGE_MARK_SIZE;
	/* Without results there is no payload either: the head and the result alone. */
	if (reply->into != NULL && size > MESSAGE_REPLY_SIZE + 24) {
		r = take_payload(lane, reply, size);
	} else {
		r = take_record(lane, reply, size);
	}
	if (r == 0) {
		finish(lane, reply);
	}
	return r;
}

/* Read one record.  The read lock is held, but for the reading.  Whoever gives it back then
 * hands on. */
static void
lead_once(struct lane *lane)
{
	lane->reading = true;
	pthread_mutex_unlock(&lane->read_lock);
	int r = read_record(lane);
	if (r < 0) {
		lane_fail(lane, r);
	}
	pthread_mutex_lock(&lane->read_lock);
	lane->reading = false;
}

int
lane_wait(struct lane *lane, struct lane_reply *reply)
{
	HOLD_LOCK(&lane->read_lock);
	while (!reply->done) {
		if (lane->reading) {
			sleep_until_called(lane, reply);
		} else {
			lead_once(lane);
		}
	}
	hand_on(lane);
	return lane_error(lane);
}

static bool
has_arrived(struct lane *lane)
{
	return lane->in_at != lane->in_end ||
		lane->stream->ops->wait(lane->stream, POLLIN, 0) != 0;
}

bool
lane_done(struct lane *lane, const struct lane_reply *reply)
{
	HOLD_LOCK(&lane->read_lock);
	while (!reply->done && !lane->reading && has_arrived(lane)) {
		lead_once(lane);
	}
	hand_on(lane);
	return reply->done;
}

/* Read what has arrived, unless somebody else does.  Whether there was anything. */
static bool
read_arrived(struct lane *lane)
{
	bool any = false;

	HOLD_LOCK(&lane->read_lock);
	while (lane_error(lane) == 0 && !lane->reading && has_arrived(lane)) {
		lead_once(lane);
		any = true;
	}
	hand_on(lane);
	return any;
}

/* Become the one who reads, if nobody is. */
static bool
lead(struct lane *lane)
{
	HOLD_LOCK(&lane->read_lock);
	if (lane->reading) {
		return false;
	}
	return lane->reading = true;
}

static void
lead_no_more(struct lane *lane)
{
	HOLD_LOCK(&lane->read_lock);
	lane->reading = false;
	hand_on(lane);
}

int
lane_read_while_sending(struct lane *lane)
{
	bool leads = lead(lane);
	int r = 0;

	short events = (short)(leads ? POLLIN | POLLOUT : POLLOUT);
	int ready = lane->stream->ops->wait(lane->stream, events, STUCK_MS);
	if (ready < 0) {
		r = ready;
	} else if (leads && (ready & POLLIN)) {
		r = read_record(lane);
	}
	if (r < 0) {
		r = lane_fail(lane, r);
	}
	if (leads) {
		lead_no_more(lane);
	}
	if (ready == 0 && lane->options.beside != NULL) {
		read_arrived(lane->options.beside);
	}
	return r < 0 ? r : lane_error(lane);
}

int
lane_take_latched(struct lane *lane, uint32_t *ret_call)
{
	if (atomic_load_explicit(&lane->latched, memory_order_relaxed) == 0) {
		return 0;
	}
	uint64_t latched = atomic_exchange(&lane->latched, 0);
	if (latched != 0 && ret_call != NULL) {
		*ret_call = (uint32_t)(latched >> 32);
	}
	return (int)(uint32_t)latched;
}

uint32_t
lane_output_pending(struct lane *lane)
{
	return atomic_load_explicit(&lane->output, memory_order_relaxed);
}
