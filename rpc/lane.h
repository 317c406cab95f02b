/* SPDX-License-Identifier: Apache-2.0 */
/* lane.h: the guest's half of a connection: one ordered lane of calls.
 *
 * All threads of the guest put their calls into one stream, in the order in which they
 * enter here.  A one-way call is encoded into a buffer and sent with the next call that
 * waits, when the buffer is full, or within tens of microseconds by the flusher thread.
 * Replies may come in any order; the thread that waits reads them, for itself and for the
 * others (leader and followers), so that a round trip wakes nobody twice.
 *
 * Thread-safe.  Errors are negative errno and mean that the lane is gone: every later call
 * gives the same one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/call.h"
#include "rpc/rows.h"
#include "rpc/stream.h"
#include "rpc/stream_ring.h"

struct lane;

struct lane_options {
	unsigned spin_us;     /* spin this long for a reply before sleeping; 0: never */
	bool no_flusher;      /* no thread: what does not leave at once does with the next call */
	struct lane *beside;  /* read this one, too, while stuck: the host may be, there */
};

/* Owns stream, even on failure. */
int lane_new(struct stream *stream, const struct lane_options *options, struct lane **ret_lane);
/* Go on in memory that the host has, too; it must have agreed, and nothing else may be
 * under way. */
int lane_use_rings(struct lane *lane, const struct stream_rings *rings);
/* Closes the connection.  No other thread may be inside. */
struct lane *lane_free(struct lane *lane);

/* One call.  context is the handle that the call runs in (session_context is sent first if
 * the lane's last call ran in another), or 0 if the call needs none.  args is filled in
 * but for its payload; payload_size bytes at payload are sent as the last opaque,
 * straight from there if they are many, and may be reused when the function returns. */
struct lane_message {
	const struct call_info *info;
	void *args;
	uint64_t context;
	const void *payload;
	size_t payload_size;
	const struct rows *rows; /* the payload lies there, not at payload; or NULL */
	const int *fd; /* a descriptor that goes along, or NULL; see rpc/stream.h */
	bool now;      /* a one-way call: send it now rather than soon */
};

/* Send a one-way call. */
int lane_post(struct lane *lane, const struct lane_message *message);

/* A reply that somebody waits for, or that is expected later.  Lives with the caller,
 * unmoved, until done.  Zero it, then set ret or into. */
struct lane_reply {
	void *ret;        /* ret struct of the call, zeroed; decoded here (xdr_free it) */
	void *into;       /* where the payload of the reply goes, straight from the socket */
	size_t into_size; /* must be the size that arrives, else the lane is broken (-EPROTO) */
	const struct rows *rows; /* it goes there, and not to into, which is their first byte */
	/* Called with the lane's read lock held, after everything above is filled in; may
	 * free the reply.  NULL for replies that lane_wait() waits for. */
	void (*arrived)(struct lane_reply *reply);
	void *user;

	/* The lane's own. */
	uint32_t xid;
	bool done;
	const struct call_info *info;
	struct lane_reply *next;
};

/* Send a call whose reply comes to *reply.  flush: send now rather than soon; a descriptor
 * only goes along if so. */
int lane_start(struct lane *lane, const struct lane_message *message, struct lane_reply *reply,
	bool flush);
/* Wait until reply is done.  The result is 0 even when CUDA's was an error. */
int lane_wait(struct lane *lane, struct lane_reply *reply);
/* Whether reply is done; takes what has arrived, but waits for nothing. */
bool lane_done(struct lane *lane, const struct lane_reply *reply);
/* Send and wait. */
int lane_call(struct lane *lane, const struct lane_message *message, struct lane_reply *reply);
/* Send what is buffered. */
int lane_flush(struct lane *lane);

/* The first error of a one-way call that arrived and was not taken yet, else 0; takes it. */
int lane_take_latched(struct lane *lane, uint32_t *ret_call);
/* What the head of a reply that came over another connection says counts for this lane. */
void lane_note_head(struct lane *lane, const struct call_ret_head *head);
/* Whether descriptors can go along: the host is a process of this machine. */
bool lane_is_local(const struct lane *lane);
/* Bytes of kernels' output that the last reply announced. */
uint32_t lane_output_pending(struct lane *lane);
/* 0, or the error that ended the lane. */
int lane_error(struct lane *lane);

/* In the child of a fork: the lane is the parent's; every call here gives -ENOTCONN. */
void lane_abandon(struct lane *lane);

struct lane_counters {
	uint64_t sync_calls, one_way_calls, bytes_out, bytes_in, flushes;
};
/* False if the lane is stuck in sending: who exits then must not wait for it. */
bool lane_counters(struct lane *lane, struct lane_counters *ret_counters);
