/* SPDX-License-Identifier: Apache-2.0 */
/* event.h: events, as the points in streams that they stand for. */
#pragma once

#include "soft-device/stream.h"

/* Where the event was last recorded, with a reference to the stream for the caller, or
 * with stream NULL if it never was.  INVALID_HANDLE. */
CUresult event_point(CUevent handle, struct point *ret_point);
