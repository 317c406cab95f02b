/* SPDX-License-Identifier: Apache-2.0 */
/* wait.h: answers that are given when the device has got so far.
 *
 * A call that waits is turned into a struct wait, with the events that must have
 * happened, and the lane goes on.  wait_poll() asks the driver how far they are.  Two
 * rules keep the guest from seeing what cannot be:
 *
 *   - an answer that says "done" goes out after the payloads of all copies to the guest
 *     that were done before it;
 *   - waits on one stream are asked in their order, and the later ones not at all while
 *     an earlier one is not ready. */
#pragma once

#include <cuda.h>
#include <stdbool.h>
#include <stddef.h>

struct bulk_slot;
struct context;
struct session;
struct slot;
struct stream_ref;
struct wait;

/* Calls of one guest that wait at a time; more than that stop the lane. */
#define WAITS_MAX 1024

int wait_queue_new(struct session *s);
/* Nothing is answered any more; blocks until waiter threads have noticed. */
void wait_queue_free(struct session *s);

/* For the call being served, with room for that many events; NULL if out of memory. */
struct wait *wait_new(struct session *s, size_t n_events);
/* Of a wait that was not begun. */
struct wait *wait_free(struct wait *wait);
/* All that was given to the stream until now; our own event; an event of the guest. */
CUresult wait_add_stream(struct wait *wait, const struct stream_ref *ref);
void wait_add_own(struct wait *wait, CUevent event, struct context *context);
void wait_add_guests(struct wait *wait, CUevent event, struct context *context);
/* The answer's payload lies in the slot, which is the wait's from now on. */
void wait_set_payload(struct wait *wait, struct slot *slot, size_t size);
/* The payload lies there, and is sent by another thread: bulk_answer() is the answer. */
void wait_set_bulk(struct wait *wait, struct bulk_slot *bulk);
bool wait_is_empty(const struct wait *wait);
/* The call is answered by wait_poll from now on. */
CUresult wait_begin(struct wait *wait);
/* Before anything more is given to the device: a wait for all that a stream was given until
 * now, which needs no event as long as nothing comes behind, gets one. */
void wait_settle(struct session *s);

/* Answer what can be answered.  Says whether there was anything. */
bool wait_poll(struct session *s);
/* Between two polls: look for a moment whether the last wait is over. */
void wait_watch(const struct session *s);
/* Answer the copies whose payload is there: before an answer that says "done". */
void wait_poll_payloads(struct session *s);
bool wait_any(const struct session *s);

/* Get waiter threads to look at what is waited for; wait_fd becomes readable when there
 * is news.  False if that is not all there is to wait for: look again soon. */
bool wait_delegate(struct session *s);
int wait_fd(const struct session *s);
void wait_clear_fd(struct session *s);

/* Block until something could be answered; there must be a wait. */
void wait_block(struct session *s);
/* Block until nothing waits in the context. */
void wait_drain(struct session *s, struct context *context);
/* The guest destroys an event.  True if it is being waited for: it is destroyed later. */
bool wait_condemn_event(struct session *s, CUevent event);
