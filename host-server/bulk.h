/* SPDX-License-Identifier: Apache-2.0 */
/* bulk.h: further connections of a guest, links, for the bytes of large copies. */
#pragma once

#include <cuda.h>
#include <stdbool.h>
#include <stdint.h>

struct bulk_slot;
struct context;
struct server_counters;
struct session;

/* At HELLO: whether the guest may open it. */
bool bulk_offer(struct session *s, uint32_t guest_features);
/* No link moves any more; then, when the device is done, free them. */
void bulk_end(struct session *s);
void bulk_free(struct session *s);

/* The copy into the slot has come to its end: its link may send it, or the error. */
void bulk_answer(struct session *s, struct bulk_slot *slot, CUresult result);
/* Add what has gone over the links. */
void bulk_count(const struct session *s, struct server_counters *counters);

/* Block until no copy of that context uses a slot. */
void bulk_drain(struct session *s, struct context *context);
/* Unpin everything: the home context is about to be reset. */
void bulk_clear(struct session *s);
