/* SPDX-License-Identifier: Apache-2.0 */
/* guest_lane.h: for the calls that use the lane themselves: several in flight at once. */
#pragma once

#include "guest-shim/libcuda/guest.h"

/* The lane and the context that a call of this kind runs in, or why it cannot run. */
CUresult guest_enter(const struct call_info *info, struct lane **ret_lane,
	uint64_t *ret_context);
/* After waiting: print what kernels printed; the result, or else the first error of an
 * earlier one-way call.  Remembers an error that spoils the context. */
CUresult guest_settle(struct lane *lane, CUresult result);
/* Remember result if it spoils the current context. */
void guest_note(CUresult result);
