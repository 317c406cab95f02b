/* SPDX-License-Identifier: Apache-2.0 */
/* stream.h: the guest's streams, and how much of their work is known to be done. */
#pragma once

#include <cuda.h>
#include <stdbool.h>

#include "host-server/object.h"

struct session;

struct stream_ref {
	CUstream cuda;
	struct context *context;
	call_handle handle; /* 0: the legacy stream of the context */
};

/* False if it is unknown, or the legacy stream and no context is current. */
bool stream_find(struct session *s, call_handle handle, struct stream_ref *ret_ref);
/* NULL if the stream is gone. */
struct work *stream_work(struct session *s, const struct stream_ref *ref);
/* It was given work. */
void stream_used(struct session *s, const struct stream_ref *ref);
/* All that was submitted up to then is done. */
void stream_finished(struct session *s, const struct stream_ref *ref, uint64_t submitted);
