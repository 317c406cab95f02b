/* SPDX-License-Identifier: Apache-2.0 */
/* event.c: events, as the points in streams that they stand for. */
#include "soft-device/event.h"

#include <stdlib.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "soft-device/device.h"

/* Shorter times are rounded up to it, so that two events never seem to be one (the device
 * has a resolution of about half a microsecond). */
#define TIME_STEP_NS 500

struct event {
	struct object object;
	struct context *context; /* reference */
	unsigned int flags;
	pthread_mutex_t lock;
	struct point point;
	int64_t time_ns; /* of the last record that was reached */
	uint64_t n_records;
};

struct record_task {
	struct task task;
	struct event *event; /* reference */
	uint64_t record;
};

static void
event_release(struct object *object)
{
	struct event *event = (struct event *)object;

	object_put(event->point.stream);
	object_put(event->context);
	pthread_mutex_destroy(&event->lock);
	free(event);
}

static CUresult
event_get(CUevent handle, struct event **ret_event)
{
	TRY(device_ready());
	*ret_event = object_get(OBJECT_EVENT, handle);
	return *ret_event != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

#define USE_EVENT(name, handle) \
	cleanup_object struct event *name = NULL; \
	TRY(event_get(handle, &name))

CUresult
event_point(CUevent handle, struct point *ret_point)
{
	USE_EVENT(event, handle);
	HOLD_LOCK(&event->lock);

	*ret_point = event->point;
	if (event->point.stream != NULL) {
		object_ref(event->point.stream);
	}
	return CUDA_SUCCESS;
}

CUresult
cuEventCreate(CUevent *phEvent, unsigned int Flags)
{
	const unsigned int known =
		CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS;

	USE_CONTEXT(context);
	if (phEvent == NULL || (Flags & ~known) != 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if ((Flags & CU_EVENT_INTERPROCESS) != 0) {
		static bool said;

		unsupported_call("cuEventCreate for other processes", &said);
		return CUDA_ERROR_NOT_SUPPORTED;
	}
	struct event *event = calloc(1, sizeof(*event));

	if (event == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	pthread_mutex_init(&event->lock, NULL);
	event->flags = Flags;
	event->context = object_ref(context);
	if (!object_register(&event->object, OBJECT_EVENT, context, event_release)) {
		event_release(&event->object);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*phEvent = event->object.handle;
	return CUDA_SUCCESS;
}

CUresult
cuEventDestroy_v2(CUevent hEvent)
{
	USE_EVENT(event, hEvent);
	if (object_unregister(&event->object)) {
		object_put(event);
	}
	return CUDA_SUCCESS;
}

CUresult
cuEventDestroy(CUevent hEvent)
{
	return cuEventDestroy_v2(hEvent);
}

static CUresult
record_run(struct task *task, CUresult failure)
{
	struct record_task *t = (struct record_task *)task;
	int64_t now_ns = (int64_t)clock_ns();

	HOLD_LOCK(&t->event->lock);

	if (t->record == t->event->n_records) {
		t->event->time_ns = now_ns;
	}
	return CUDA_SUCCESS;
}

static void
record_release(struct task *task)
{
	object_put(((struct record_task *)task)->event);
}

CUresult
cuEventRecordWithFlags(CUevent hEvent, CUstream hStream, unsigned int flags)
{
	if ((flags & ~(unsigned int)CU_EVENT_RECORD_EXTERNAL) != 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	USE_STREAM(stream, hStream);
	USE_EVENT(event, hEvent);
	if (event->context != stream->context) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	struct record_task *t = task_new(sizeof(*t), record_run, record_release);

	if (t == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	t->task.always = true;
	t->event = object_ref(event);

	/* The old stream is put after the lock is released: that may free it. */
	cleanup_object struct stream *old = NULL;
	HOLD_LOCK(&event->lock);
	uint64_t number;

	t->record = event->n_records + 1;
	TRY(stream_submit(stream, &t->task, false, &number));
	event->n_records++;
	old = event->point.stream;
	event->point = (struct point){ object_ref(stream), number };
	return CUDA_SUCCESS;
}

CUresult
cuEventRecord(CUevent hEvent, CUstream hStream)
{
	return cuEventRecordWithFlags(hEvent, hStream, 0);
}

CUresult
cuEventQuery(CUevent hEvent)
{
	struct point point;

	USE_EVENT(event, hEvent);
	TRY(event_point(hEvent, &point));
	cleanup_object struct stream *stream = point.stream;

	if (stream != NULL && !stream_reached(stream, point.number)) {
		return CUDA_ERROR_NOT_READY;
	}
	stream_flush_output();
	return context_failure(event->context);
}

CUresult
cuEventSynchronize(CUevent hEvent)
{
	struct point point;

	USE_EVENT(event, hEvent);
	TRY(event_point(hEvent, &point));
	cleanup_object struct stream *stream = point.stream;

	if (stream != NULL) {
		stream_wait(stream, point.number);
	}
	stream_flush_output();
	return context_failure(event->context);
}

/* When the event was reached: NOT_READY, or INVALID_HANDLE if it cannot tell. */
static CUresult
event_time(CUevent handle, int64_t *ret_ns)
{
	struct point point;

	USE_EVENT(event, handle);
	TRY(event_point(handle, &point));
	cleanup_object struct stream *stream = point.stream;

	if (stream == NULL || (event->flags & CU_EVENT_DISABLE_TIMING) != 0) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	if (!stream_reached(stream, point.number)) {
		return CUDA_ERROR_NOT_READY;
	}
	HOLD_LOCK(&event->lock);

	*ret_ns = event->time_ns;
	return CUDA_SUCCESS;
}

CUresult
cuEventElapsedTime_v2(float *pMilliseconds, CUevent hStart, CUevent hEnd)
{
	if (pMilliseconds == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	int64_t start;
	int64_t end;
	CUresult first = event_time(hStart, &start);
	CUresult second = event_time(hEnd, &end);

	/* A wrong handle is worse than one that is not ready. */
	if (first == CUDA_ERROR_INVALID_HANDLE || second == CUDA_ERROR_INVALID_HANDLE) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	TRY(first);
	TRY(second);
	int64_t ns = end - start;

	if (hStart != hEnd && ns >= 0 && ns < TIME_STEP_NS) {
		ns = TIME_STEP_NS;
	}
	*pMilliseconds = (float)((double)ns / 1e6);
	return CUDA_SUCCESS;
}

CUresult
cuEventElapsedTime(float *pMilliseconds, CUevent hStart, CUevent hEnd)
{
	return cuEventElapsedTime_v2(pMilliseconds, hStart, hEnd);
}
