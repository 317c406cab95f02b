/* SPDX-License-Identifier: Apache-2.0 */
/* context.h: the CUDA contexts of a guest, and the events that we record in them.
 *
 * The worker holds the primary context of device 0 from its start (s->home), so that the
 * guest need not wait for it, and keeps its pinned memory there.  What the guest sees is
 * as if it did not: when it releases the context for the last time, the context is reset.
 */
#pragma once

#include <cuda.h>
#include <stdbool.h>
#include <stddef.h>

#include "host-server/object.h"

struct session;

/* Contexts of one guest. */
#define CONTEXTS_MAX 64
/* Events of ours in one context; each wait and each copy under way needs one. */
#define CONTEXT_EVENTS_MAX 4096

struct context {
	CUcontext cuda;
	CUdevice device;
	bool primary;
	unsigned n_retained;  /* by the guest; primary contexts only */
	unsigned n_held;      /* and by us */
	struct work legacy;   /* of the legacy stream */
	CUevent *idle_events; /* ours, not in use */
	size_t n_idle, idle_cap;
	size_t n_events;  /* ours, in use or not */
	CUevent *orphans; /* ours: the last work of streams that were destroyed */
	size_t n_orphans, orphans_cap;
	struct context *next;
};

/* Retain the primary context of device 0 and make it current. */
CUresult context_open_home(struct session *s);
/* Destroys all contexts and what is in them.  Nothing waits any more. */
void contexts_free(struct session *s);

/* The context of that CUcontext, known or new.  NULL if there are too many. */
struct context *context_get(
	struct session *s, CUcontext cuda, CUdevice device, bool primary);
/* Make it the thread's, and back to the one that the guest's calls run in. */
CUresult context_enter(struct session *s, struct context *context);
void context_leave(struct session *s);

/* An event of ours that does not measure time.  NULL if there is none to be had. */
CUevent context_take_event(struct session *s, struct context *context);
void context_give_event(struct session *s, struct context *context, CUevent event);
/* A stream is being destroyed: cuCtxSynchronize must still wait for its work. */
void context_orphan(struct session *s, struct context *context, CUstream stream);

/* In place of the driver's functions, which do not know what we keep in the context. */
CUresult context_release(struct session *s, CUdevice device);
CUresult context_reset(struct session *s, CUdevice device);
