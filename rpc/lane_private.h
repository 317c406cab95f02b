/* SPDX-License-Identifier: Apache-2.0 */
/* lane_private.h: what the sending and the reading half of a lane share. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "rpc/lane.h"
#include "rpc/message.h"

#define LANE_OUT_SIZE (128u << 10)
#define LANE_IN_SIZE (16u << 10)
#define LANE_BUCKETS 64
/* Rows that one system call sends or receives. */
#define LANE_ROWS_AT_ONCE 256
/* Credits: at most LANE_MARKS unanswered marks, each after this much of one-way work.  The
 * host holds none of it, the transport does: so this bounds how stale an error may be, and
 * programs launch some ten thousand kernels ahead. */
#define LANE_MARKS 8
#define LANE_MARK_CALLS 8192
#define LANE_MARK_BYTES (8u << 20)

/* A flusher's nap: a one-way call that is sent after less than that waits for the next end
 * of one. */
#define LANE_QUIET_NS 40000

struct lane {
	struct stream *stream;
	bool in_rings; /* that stream is */
	struct lane_options options;
	_Atomic int error;

	/* Sending. */
	pthread_mutex_t send_lock;
	uint8_t *out;
	_Atomic size_t out_len;
	uint64_t sent_ns; /* when something was sent last; clock_ns() */
	uint32_t last_xid;
	uint64_t context;
	struct lane_reply marks[LANE_MARKS]; /* a ring; info is NULL until first used */
	unsigned mark_at;
	uint32_t calls_since_mark;
	size_t bytes_since_mark;
	struct lane_counters counters;

	/* Reading: reading is true while a thread has the stream's receiving end; the
	 * buffer below is that thread's. */
	pthread_mutex_t read_lock;
	struct lane_waiter *waiters; /* asleep until their reply is done, or they may read */
	bool reading;
	struct lane_reply *replies[LANE_BUCKETS];
	uint8_t in[LANE_IN_SIZE];
	size_t in_at, in_end;
	_Atomic uint64_t bytes_in;

	/* What the last replies said. */
	_Atomic uint64_t latched; /* call << 32 | error */
	_Atomic uint32_t output;

	pthread_t flusher;
	bool has_flusher;
	_Atomic int flusher_state; /* futex */
};

/* End the lane: every waiter and every later call gets error.  The first one counts. */
int lane_fail(struct lane *lane, int error);
/* Let reply be found by the reader. */
void lane_expect(struct lane *lane, struct lane_reply *reply);
/* While sending cannot go on: read what has arrived, unless somebody else does, and wait a
 * little for either direction. */
int lane_read_while_sending(struct lane *lane);

int lane_flusher_start(struct lane *lane);
void lane_flusher_stop(struct lane *lane);
/* Something is in the buffer that nobody else will send. */
void lane_flusher_wake(struct lane *lane);
/* Send what is buffered; the send lock is held. */
int lane_flush_locked(struct lane *lane);
