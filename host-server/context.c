/* SPDX-License-Identifier: Apache-2.0 */
/* context.c: the CUDA contexts of a guest, and the events that we record in them. */
#include "host-server/context.h"

#include <stdlib.h>

#include "host-server/arena.h"
#include "host-server/bulk.h"
#include "host-server/device.h"
#include "host-server/dispatch.h"
#include "host-server/fence.h"
#include "host-server/handle.h"
#include "host-server/memory.h"
#include "host-server/session.h"
#include "host-server/slot.h"
#include "host-server/stream.h"
#include "host-server/wait.h"

/* ---- which there are ---- */

static struct context *
context_find_primary(struct session *s, CUdevice device)
{
	for (struct context *c = s->contexts; c != NULL; c = c->next) {
		if (c->primary && c->device == device) {
			return c;
		}
	}
	return NULL;
}

struct context *
context_get(struct session *s, CUcontext cuda, CUdevice device, bool primary)
{
	size_t n = 0;

	for (struct context *c = s->contexts; c != NULL; c = c->next, n++) {
		if (c->cuda == cuda) {
			return c;
		}
	}
	struct context *context = n < CONTEXTS_MAX ? calloc(1, sizeof(*context)) : NULL;
	if (context == NULL) {
		return NULL;
	}
	context->cuda = cuda;
	context->device = device;
	context->primary = primary;
	context->next = s->contexts;
	s->contexts = context;
	return context;
}

CUresult
context_open_home(struct session *s)
{
	CUcontext cuda = NULL;
	CUdevice device = s->devices->device[0];

	CUresult result = s->driver->calls.cuDevicePrimaryCtxRetain(&cuda, device);
	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (s->home == NULL) {
		s->home = context_get(s, cuda, device, true);
		if (s->home == NULL) {
			return CUDA_ERROR_OUT_OF_MEMORY;
		}
	}
	s->home->cuda = cuda;
	s->home->n_held++;
	result = s->driver->cuCtxSetCurrent(cuda);
	if (result == CUDA_SUCCESS) {
		fences_open(s);
	}
	return result;
}

CUresult
context_enter(struct session *s, struct context *context)
{
	if (context == s->context) {
		return CUDA_SUCCESS;
	}
	return s->driver->cuCtxSetCurrent(context->cuda);
}

void
context_leave(struct session *s)
{
	/* Ours in place of none: what runs without the guest's needs one all the same. */
	struct context *context = s->context != NULL ? s->context : s->home;

	s->driver->cuCtxSetCurrent(context->cuda);
}

/* ---- events of ours ---- */

static bool
push(CUevent **list, size_t *n, size_t *cap, CUevent event)
{
	if (*n == *cap) {
		size_t wanted = *cap == 0 ? 16 : *cap * 2;
		CUevent *grown = realloc(*list, wanted * sizeof(*grown));
		if (grown == NULL) {
			return false;
		}
		*list = grown;
		*cap = wanted;
	}
	(*list)[(*n)++] = event;
	return true;
}

CUevent
context_take_event(struct session *s, struct context *context)
{
	CUevent event = NULL;

	if (context->n_idle > 0) {
		return context->idle_events[--context->n_idle];
	}
	if (context->n_events >= CONTEXT_EVENTS_MAX ||
		context_enter(s, context) != CUDA_SUCCESS) {
		return NULL;
	}
	CUresult result = s->driver->calls.cuEventCreate(
		&event, CU_EVENT_DISABLE_TIMING);
	if (context != s->context) {
		context_leave(s);
	}
	if (result != CUDA_SUCCESS) {
		return NULL;
	}
	context->n_events++;
	return event;
}

void
context_give_event(struct session *s, struct context *context, CUevent event)
{
	if (!push(&context->idle_events, &context->n_idle, &context->idle_cap, event)) {
		s->driver->calls.cuEventDestroy_v2(event);
		context->n_events--;
	}
}

static void
forget_done_orphans(struct session *s, struct context *context)
{
	size_t kept = 0;

	for (size_t i = 0; i < context->n_orphans; i++) {
		CUevent event = context->orphans[i];
		if (s->driver->cuEventQuery(event) == CUDA_ERROR_NOT_READY) {
			context->orphans[kept++] = event;
		} else {
			context_give_event(s, context, event);
		}
	}
	context->n_orphans = kept;
}

void
context_orphan(struct session *s, struct context *context, CUstream stream)
{
	if (context->n_orphans >= 16) {
		forget_done_orphans(s, context);
	}
	CUevent event = context_take_event(s, context);
	if (event != NULL &&
		s->driver->calls.cuEventRecord(event, stream) == CUDA_SUCCESS &&
		push(&context->orphans, &context->n_orphans, &context->orphans_cap,
			event)) {
		return;
	}
	if (event != NULL) {
		context_give_event(s, context, event);
	}
	s->driver->cuStreamSynchronize(stream);
}

static void
destroy_events(struct session *s, struct context *context)
{
	for (size_t i = 0; i < context->n_idle; i++) {
		s->driver->calls.cuEventDestroy_v2(context->idle_events[i]);
	}
	for (size_t i = 0; i < context->n_orphans; i++) {
		s->driver->calls.cuEventDestroy_v2(context->orphans[i]);
	}
	context->n_idle = context->n_orphans = context->n_events = 0;
}

/* ---- the end of a context ---- */

/* Let go of everything in the context, which is about to be destroyed or reset.  Blocks
 * until the work is done that replies are due for, as destroying a context does anyway.
 */
static void
context_empty(struct session *s, struct context *context)
{
	wait_drain(s, context);
	slots_drain(s, context);
	arena_drain(s, context);
	bulk_drain(s, context);
	if (context == s->home) {
		slots_clear(s);
		arena_clear(s);
		bulk_clear(s);
		fences_clear(s);
	}
	destroy_events(s, context);
	handles_forget_context(s, context);
	memory_forget_context(s, context);
	context->legacy = (struct work){ 0 };
}

CUresult
context_reset(struct session *s, CUdevice device)
{
	struct context *context = context_find_primary(s, device);

	if (context == NULL) {
		return s->driver->calls.cuDevicePrimaryCtxReset_v2(device);
	}
	CUcontext before = context->cuda;
	context_empty(s, context);
	CUresult result = s->driver->calls.cuDevicePrimaryCtxReset_v2(device);
	if (context == s->home) {
		/* Whether a reset takes retains away is not documented; another one makes
		 * the context live again in either case. */
		CUresult again = context_open_home(s);
		result = result != CUDA_SUCCESS ? result : again;
		handles_rename_context(s, before, context->cuda);
	}
	context_leave(s);
	return result;
}

CUresult
context_release(struct session *s, CUdevice device)
{
	struct context *context = context_find_primary(s, device);

	if (context == NULL || context->n_retained == 0) {
		return CUDA_ERROR_INVALID_CONTEXT;
	}
	if (--context->n_retained == 0) {
		context_reset(s, device);
	}
	return s->driver->calls.cuDevicePrimaryCtxRelease_v2(device);
}

static void
context_unlink(struct session *s, struct context *context)
{
	struct context **at = &s->contexts;

	while (*at != context) {
		at = &(*at)->next;
	}
	*at = context->next;
	free(context->idle_events);
	free(context->orphans);
	free(context);
}

CUresult
serve_cuCtxDestroy_v2(struct session *s, const void *argp, void *outp)
{
	const cuCtxDestroy_v2_args *args = argp;
	struct object *object = object_find(s->objects, HANDLE_CUcontext, args->ctx);

	if (object == NULL) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	struct context *context = object->context;
	if (context->primary) {
		return CUDA_ERROR_INVALID_CONTEXT; /* is released, not destroyed */
	}
	context_empty(s, context);
	if (context == s->context) {
		s->context = NULL;
	}
	CUresult result = s->driver->cuCtxDestroy_v2(context->cuda);
	session_drop(s, HANDLE_CUcontext, args->ctx);
	context_unlink(s, context);
	context_leave(s);
	return result;
}

void
contexts_free(struct session *s)
{
	s->context = NULL;
	while (s->contexts != NULL) {
		struct context *context = s->contexts;
		context_enter(s, context);
		context_empty(s, context);
		if (context->primary) {
			unsigned n = context->n_retained + context->n_held;
			while (n-- > 0) {
				s->driver->calls.cuDevicePrimaryCtxRelease_v2(
					context->device);
			}
		} else {
			s->driver->cuCtxDestroy_v2(context->cuda);
		}
		context_unlink(s, context);
	}
	s->home = NULL;
}

/* ---- waiting ---- */

struct gathering {
	struct session *s;
	struct wait *wait;
	CUresult result;
};

static void
add_stream(struct object *object, void *user)
{
	struct gathering *g = user;

	if (object->context == g->s->context && work_pending(&object->work) &&
		g->result == CUDA_SUCCESS) {
		struct stream_ref ref = { .cuda = object->cuda,
			.context = object->context,
			.handle = object->handle };
		g->result = wait_add_stream(g->wait, &ref);
	}
}

CUresult
serve_cuCtxSynchronize(struct session *s, const void *argp, void *outp)
{
	struct context *context = s->context;
	struct gathering g = { .s = s };

	forget_done_orphans(s, context);
	size_t n = 1 + context->n_orphans + object_count(s->objects, HANDLE_CUstream);
	g.wait = n <= CONTEXT_EVENTS_MAX ? wait_new(s, n) : NULL;
	if (g.wait == NULL) {
		return s->driver->cuCtxSynchronize();
	}
	if (work_pending(&context->legacy)) {
		g.result = wait_add_stream(
			g.wait, &(struct stream_ref){ .context = context });
	}
	object_each(s->objects, HANDLE_CUstream, add_stream, &g);
	/* From the list of orphans to this wait, which gives the events back. */
	while (g.result == CUDA_SUCCESS && context->n_orphans > 0) {
		wait_add_own(g.wait, context->orphans[--context->n_orphans], context);
	}
	if (g.result == CUDA_SUCCESS && wait_is_empty(g.wait)) {
		wait_free(g.wait);
		/* Nothing to wait for; this tells of a sticky error, and prints. */
		return s->driver->cuCtxSynchronize();
	}
	if (g.result == CUDA_ERROR_OUT_OF_MEMORY) {
		wait_free(g.wait);
		return s->driver->cuCtxSynchronize();
	}
	if (g.result != CUDA_SUCCESS) {
		wait_free(g.wait);
		return g.result;
	}
	return wait_begin(g.wait);
}
