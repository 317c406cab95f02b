/* SPDX-License-Identifier: Apache-2.0 */
/* server.h: the host's half of a connection: calls come in, replies go out.
 *
 * One thread.  Nothing here knows what a call means.  A record that breaks the rules of
 * ONC RPC, or a limit, ends the connection (-EPROTO, -EMSGSIZE); a well-formed call of an
 * unknown program, version or procedure, or with arguments that do not decode, is answered
 * with ONC RPC's own errors and the connection goes on. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/call.h"
#include "rpc/stream.h"
#include "rpc/stream_ring.h"

struct server;

/* A decoded call; valid until the next server_next(). */
struct server_call {
	uint32_t xid;
	const struct call_info *info;
	void *args;          /* args struct; the server frees it */
	size_t payload_size; /* of the last opaque; args has length 0 and NULL until read */
};

/* Owns stream, even on failure.  record_max bounds one record. */
int server_new(struct stream *stream, struct server **ret_server);
struct server *server_free(struct server *server);
/* Go on in memory that the guest has, too.  What is to be told on the old way is told
 * first; a guest that has already gone on there breaks the rules (-EPROTO). */
int server_use_rings(struct server *server, const struct stream_rings *rings);
/* The largest record accepted from now on.  4 KiB at start: nobody has said HELLO. */
void server_set_record_max(struct server *server, size_t record_max);
/* How long server_payload and sending wait for a peer that does not move, milliseconds;
 * then -ETIMEDOUT.  -1, for ever, at start: a guest may be stopped in its debugger. */
void server_set_stall(struct server *server, int stall_ms);

/* The next call.  1: *ret_call is filled in.  0: no whole call has arrived, and none could
 * be read without blocking.  -ENODATA: the peer has closed in an orderly way.  NULL calls
 * and errors of RPC are answered inside.  A payload that is not read with
 * server_payload() is skipped by the next server_next(). */
int server_next(struct server *server, struct server_call *ret_call);
/* Read the call's payload to into, which has room for payload_size: 0 when all is there.
 * Blocks while the peer is sending it. */
int server_payload(struct server *server, void *into);

/* Answer.  ret is the ret struct of info; its payload (if info has one and size > 0) is
 * taken from payload instead, padded, and sent without a copy. */
int server_reply(struct server *server, const struct call_info *info, uint32_t xid, void *ret,
	const void *payload, size_t payload_size);
/* Answer with an error of ONC RPC (GARBAGE_ARGS, SYSTEM_ERR...). */
int server_reply_error(struct server *server, uint32_t xid, enum accept_stat stat);
/* Replies are gathered; this sends them.  Blocks while the peer does not read. */
int server_flush(struct server *server);

/* Whether bytes are there to read now, and the stream (for waiting). */
struct stream *server_stream(struct server *server);
bool server_has_input(struct server *server);

struct server_counters {
	uint64_t calls, bytes_in, bytes_out;
};
const struct server_counters *server_counters(const struct server *server);
