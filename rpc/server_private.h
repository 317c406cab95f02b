/* SPDX-License-Identifier: Apache-2.0 */
/* server_private.h: what the sending and the receiving half of a server share. */
#pragma once

#include "rpc/message.h"
#include "rpc/server.h"

#define SERVER_IN_SIZE (128u << 10)

struct server {
	struct stream *stream;
	int stall_ms;
	struct server_counters counters;

	/* Sending. */
	uint8_t *out;
	size_t out_len;

	/* Reading. */
	size_t record_max;
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
	size_t payload_left;	      /* bytes of the record still to be consumed */
	const uint8_t *whole_payload; /* in whole, or NULL: in the stream */
	size_t payload_size;
};

/* The call that was given out is over. */
void server_forget_call(struct server *s);

/* The peer does not move: wait until it does.  0, or negative errno. */
int server_wait(struct server *s, short events);
/* Answer a call with an error, or with what there is to say if it is for none of ours. */
int server_refuse(
	struct server *s, const struct message_call *call, enum accept_stat stat);
int server_refuse_unknown(struct server *s, const struct message_call *call);
