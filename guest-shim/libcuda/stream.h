/* SPDX-License-Identifier: Apache-2.0 */
/* stream.h: streams, as the guest knows them. */
#pragma once

#include <cuda.h>
#include <stdbool.h>

#include "rpc/call.h"

struct context;

/* Make and destroy a stream in the current context, and whatever context is current. */
CUresult stream_begin(unsigned flags, int priority, CUstream *ret_stream);
void stream_end(CUstream stream);
/* Forget the streams and events of a context that is gone. */
void stream_end_all(struct context *context);
void event_end_all(struct context *context);

/* What a per-thread (_ptsz) function does with its stream argument. */
static inline CUstream
stream_of_thread(CUstream stream)
{
	return stream == NULL ? CU_STREAM_PER_THREAD : stream;
}

static inline bool
stream_is_legacy(call_handle packed)
{
	return packed <= 1;
}

/* Wait for everything in a stream, given as the wire has it. */
CUresult stream_synchronize(call_handle packed);
/* Whether some stream was made to wait for another one's event. */
bool stream_crossed(void);
