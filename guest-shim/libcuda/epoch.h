/* SPDX-License-Identifier: Apache-2.0 */
/* epoch.h: what of the work that was sent is known to be done. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct context;

/* Take part in what follows; once for each context. */
void epoch_join(struct context *context);

/* Around a call that waits for everything in context.  The call is sent after the first,
 * and has succeeded before the second. */
uint64_t epoch_begin_wait(struct context *context);
void epoch_end_wait(struct context *context, uint64_t wait);

/* A mark behind all that any context was sent so far; 0 if all of it is done. */
uint64_t epoch_mark(struct context *context);
/* Whether all that was sent before the mark is done. */
bool epoch_is_done(uint64_t mark);
/* Whether waiting for everything in context waits for nothing but what was sent to it
 * before the mark, and is all that is missing. */
bool epoch_can_wait(struct context *context, uint64_t mark);
