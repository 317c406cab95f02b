/* SPDX-License-Identifier: Apache-2.0 */
/* handle.h: the numbers that stand for the program's objects, and what is behind them. */
#pragma once

#include <stdint.h>

#include "rpc/call.h"

/* What the guest keeps for a handle, or NULL if it is unknown, stale or of another type.
 * No lock: a few loads. */
void *handle_find(enum handle_type type, const void *handle);
/* Give a minted handle its object; from now on it is found. */
void handle_set(enum handle_type type, void *handle, void *object);
/* Call visit for every object of a type; it may drop handles. */
void handle_each(enum handle_type type, void (*visit)(void *object, void *user), void *user);

static inline call_handle
handle_packed(const void *handle)
{
	return (call_handle)(uintptr_t)handle;
}
