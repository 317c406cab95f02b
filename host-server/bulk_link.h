/* SPDX-License-Identifier: Apache-2.0 */
/* bulk_link.h: one further connection of a guest, and the thread that serves it.
 *
 * The lane says what is copied, a link moves the bytes.  Both count: the copy with serial
 * n uses the slot n % LINK_SLOTS, so they meet there without looking for each other, and
 * a link that is ahead waits for its slot to be free, which stops the guest. */
#pragma once

#include <cuda.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/call.h"
#include "rpc/server.h"

struct context;
struct session;

/* What a link can be ahead of the lane, in payloads. */
#define LINK_SLOTS 4
/* A guest that does not go on with a copy for so long is gone. */
#define LINK_STALL_MS 60000

enum bulk_state {
	BULK_FREE,
	BULK_FULL,   /* the link has received it */
	BULK_BUSY,   /* the device reads it, until event */
	BULK_WAITED, /* the device writes it, a struct wait watches */
	BULK_READY,  /* the link may send it, or what went wrong */
};

struct bulk_slot {
	struct link *link;
	uint8_t *memory;
	enum bulk_state state;
	size_t size;
	CUevent event;
	struct context *context;
	struct call_ret_head head;
};

enum link_doing { LINK_NOTHING, LINK_PUT, LINK_GET };

/* What the two threads share is under the lock of bulk. */
struct link {
	struct links *all;
	struct server *server; /* the link's thread's */
	unsigned number;
	uint32_t join_xid;
	pthread_t thread;
	pthread_cond_t news; /* for that thread */
	struct bulk_slot slots[LINK_SLOTS];
	enum link_doing doing;
	uint64_t serial;      /* of what it does, or will do next */
	uint64_t lane_serial; /* the lane's */
	int error;	      /* why it has ended, or 0 */
	uint8_t *memory;
	bool pinned, not_pinned; /* the lane's: it is, or cannot be */
	_Atomic uint64_t bytes_in, bytes_out;
};

struct links {
	pthread_mutex_t lock;
	pthread_cond_t news; /* for the lane; its clock is CLOCK_MONOTONIC */
	bool ending;
	struct link *links[CALL_LINKS_MAX];
	_Atomic unsigned n; /* grows under the lock */
};

/* The guest's links, NULL if it has not asked for any.  The n that are there stay. */
struct links *bulk_links(const struct session *s, unsigned *ret_n);

#define LINK_MEMORY_SIZE ((size_t)LINK_SLOTS * CALL_PAYLOAD_MAX)

/* A link for a connection that has shown that it may be one, and whose call xid is to be
 * answered.  Owns server, even on failure. */
int link_new(struct links *all, struct server *server, uint32_t xid);
struct link *link_free(struct link *link);
/* Make its thread end, whatever it waits for.  The lock is held. */
void link_end(struct link *link);
