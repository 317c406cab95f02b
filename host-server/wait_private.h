/* SPDX-License-Identifier: Apache-2.0 */
/* wait_private.h: what one wait, the queue and the sleeping share. */
#pragma once

#include <stdint.h>

#include "host-server/stream.h"
#include "host-server/wait.h"
#include "host-server/waiter.h"

struct wait_event {
	CUevent event; /* NULL: nothing was put behind yet, and the stream itself is asked */
	bool ours;
	bool of_stream;	       /* ref and submitted say what its happening means */
	struct stream_ref ref; /* .context is set for all */
	uint64_t submitted;
	uint32_t fence;	  /* behind the work, in place of an event that was not recorded */
	unsigned n_looks; /* at it */
};

struct wait {
	struct session *s;
	struct wait *next;
	const struct call_info *info;
	uint32_t xid;
	struct slot *slot; /* of the payload, or NULL */
	size_t payload_size;
	struct bulk_slot *bulk; /* or of a payload that goes another way */
	bool bare;		/* has events that are not recorded */
	bool ready;
	CUresult result;
	bool delegated; /* the next event is with a waiter */
	struct waiter_job job;
	size_t n_events, n_happened;
	struct wait_event events[];
};

struct wait_queue {
	struct wait *first, **end; /* in the order of the calls */
	size_t n;
	struct wait *bare; /* the one with events that are not recorded yet, or NULL */
	struct waiter_pool *waiters;
	/* Events that the guest destroyed while they are waited for. */
	CUevent condemned[WAITS_MAX];
	size_t n_condemned;
};

/* Whether all has happened; what is known of it is kept. */
CUresult wait_query(struct session *s, struct wait *wait);
