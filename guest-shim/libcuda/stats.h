/* SPDX-License-Identifier: Apache-2.0 */
/* stats.h: why a program waits: what OUTBOARD_STATS=1 prints at the end of a process.
 *
 * While it is off, a call pays for one load and a branch.  A call is noted in two steps:
 *
 *	uint64_t began = stats_begin();
 *	... send, and wait ...
 *	stats_called(info, payload_size, began);
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/clock.h"
#include "rpc/call.h"
#include "rpc/lane.h"

extern atomic_bool stats_active;

/* The time, or 0 if nothing is to be noted. */
static inline uint64_t
stats_begin(void)
{
	return __builtin_expect(atomic_load_explicit(&stats_active, memory_order_relaxed), 0)
		? clock_ns() : 0;
}

/* Begin, if OUTBOARD_STATS is set, and print at exit.  url must stay. */
void stats_start(const char *url);
/* The greeting is over.  lane must stay, too. */
void stats_connected(struct lane *lane);
/* In the child of a fork: these are the parent's numbers. */
void stats_forget(void);

/* A one-way call was sent. */
void stats_posted(const struct call_info *info, size_t payload_size, uint64_t began);
/* A call was sent and its answer has come: a round trip. */
void stats_called(const struct call_info *info, size_t payload_size, uint64_t began);
/* A call was sent whose answer somebody will wait for later; its time is noted apart. */
void stats_asked(const struct call_info *info, size_t payload_size);
/* Such calls were sent, or their answers have come: one round trip for all of them, unless
 * the program did other work meanwhile. */
void stats_waited(const struct call_info *info, bool is_round_trip, uint64_t began);

/* Writes nothing if there never was a connection. */
void stats_report(FILE *to);
