/* SPDX-License-Identifier: Apache-2.0 */
/* stream_query.c: what the program asks of streams, and callbacks in them. */
#include "soft-device/stream.h"

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "soft-device/event.h"

CUresult
cuStreamSynchronize(CUstream hStream)
{
	USE_STREAM(stream, hStream);
	stream_wait(stream, stream_submitted(stream));
	stream_flush_output();
	return context_failure(stream->context);
}

CUresult
cuStreamQuery(CUstream hStream)
{
	USE_STREAM(stream, hStream);
	if (!stream_reached(stream, stream_submitted(stream))) {
		return CUDA_ERROR_NOT_READY;
	}
	stream_flush_output();
	return context_failure(stream->context);
}

struct callback_task {
	struct task task;
	CUhostFn function;
	CUstreamCallback callback;
	CUstream stream;
	void *data;
};

static CUresult
callback_run(struct task *task, CUresult failure)
{
	struct callback_task *t = (struct callback_task *)task;

	stream_flush_output();
	context_enter_callback();
	if (t->callback != NULL) {
		t->callback(t->stream, failure, t->data);
	} else if (failure == CUDA_SUCCESS) {
		t->function(t->data);
	}
	context_leave_callback();
	return CUDA_SUCCESS;
}

static CUresult
callback_submit(
	CUstream hStream, CUhostFn function, CUstreamCallback callback, void *data)
{
	USE_STREAM(stream, hStream);
	struct callback_task *t = task_new(sizeof(*t), callback_run, NULL);

	if (t == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	t->task.always = true;
	t->function = function;
	t->callback = callback;
	t->stream = hStream;
	t->data = data;
	return stream_submit(stream, &t->task, false, NULL);
}

CUresult
cuLaunchHostFunc(CUstream hStream, CUhostFn fn, void *userData)
{
	return fn == NULL ? CUDA_ERROR_INVALID_VALUE
			  : callback_submit(hStream, fn, NULL, userData);
}

CUresult
cuStreamAddCallback(
	CUstream hStream, CUstreamCallback callback, void *userData, unsigned int flags)
{
	if (callback == NULL || flags != 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	return callback_submit(hStream, NULL, callback, userData);
}

static CUresult
nothing_run(struct task *task, CUresult failure)
{
	return CUDA_SUCCESS;
}

CUresult
cuStreamWaitEvent(CUstream hStream, CUevent hEvent, unsigned int Flags)
{
	if ((Flags & ~(unsigned int)CU_EVENT_WAIT_EXTERNAL) != 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	USE_STREAM(stream, hStream);
	struct point point;

	TRY(event_point(hEvent, &point));
	if (point.stream == NULL || stream_reached(point.stream, point.number)) {
		object_put(point.stream);
		return CUDA_SUCCESS;
	}
	struct task *task = task_new(sizeof(*task), nothing_run, NULL);
	CUresult result =
		task == NULL ? CUDA_ERROR_OUT_OF_MEMORY : task_wait_for(task, &point);

	object_put(point.stream);
	if (result != CUDA_SUCCESS) {
		task_free(task);
		return result;
	}
	return stream_submit(stream, task, false, NULL);
}

/* ---- what a stream is ---- */

CUresult
cuStreamGetPriority(CUstream hStream, int *priority)
{
	if (priority == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	USE_STREAM(stream, hStream);
	*priority = stream->priority;
	return CUDA_SUCCESS;
}

CUresult
cuStreamGetFlags(CUstream hStream, unsigned int *flags)
{
	if (flags == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	USE_STREAM(stream, hStream);
	*flags = stream->flags;
	return CUDA_SUCCESS;
}

CUresult
cuStreamGetId(CUstream hStream, unsigned long long *streamId)
{
	if (streamId == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	USE_STREAM(stream, hStream);
	*streamId = stream->id;
	return CUDA_SUCCESS;
}

CUresult
cuStreamGetDevice(CUstream hStream, CUdevice *device)
{
	if (device == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	USE_STREAM(stream, hStream);
	*device = stream->context->device;
	return CUDA_SUCCESS;
}

CUresult
cuStreamGetCtx(CUstream hStream, CUcontext *pctx)
{
	if (pctx == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	USE_STREAM(stream, hStream);
	*pctx = stream->context->object.handle;
	return CUDA_SUCCESS;
}

CUresult
cuStreamGetCtx_v2(CUstream hStream, CUcontext *pCtx, CUgreenCtx *pGreenCtx)
{
	TRY(cuStreamGetCtx(hStream, pCtx));
	if (pGreenCtx != NULL) {
		*pGreenCtx = NULL;
	}
	return CUDA_SUCCESS;
}

CUresult
cuStreamGetAttribute(CUstream hStream, CUstreamAttrID attr, CUstreamAttrValue *value_out)
{
	if (value_out == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	USE_STREAM(stream, hStream);
	memset(value_out, 0, sizeof(*value_out));
	switch (attr) {
	case CU_LAUNCH_ATTRIBUTE_PRIORITY:
		value_out->priority = stream->priority;
		return CUDA_SUCCESS;
	case CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY:
		value_out->syncPolicy = CU_SYNC_POLICY_AUTO;
		return CUDA_SUCCESS;
	case CU_LAUNCH_ATTRIBUTE_ACCESS_POLICY_WINDOW:
	case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP:
	case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN: return CUDA_SUCCESS;
	default: return CUDA_ERROR_INVALID_VALUE;
	}
}

CUresult
cuStreamSetAttribute(
	CUstream hStream, CUstreamAttrID attr, const CUstreamAttrValue *value)
{
	if (value == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	USE_STREAM(stream, hStream);
	switch (attr) {
	/* Hints: nothing here would act on them. */
	case CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY:
	case CU_LAUNCH_ATTRIBUTE_ACCESS_POLICY_WINDOW:
	case CU_LAUNCH_ATTRIBUTE_PRIORITY:
	case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP:
	case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN: return CUDA_SUCCESS;
	default: return CUDA_ERROR_INVALID_VALUE;
	}
}

/* ---- capture: there is none ---- */

CUresult
cuStreamIsCapturing(CUstream hStream, CUstreamCaptureStatus *captureStatus)
{
	if (captureStatus == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	USE_STREAM(stream, hStream);
	*captureStatus = CU_STREAM_CAPTURE_STATUS_NONE;
	return CUDA_SUCCESS;
}

CUresult
cuStreamGetCaptureInfo(
	CUstream hStream, CUstreamCaptureStatus *captureStatus_out, cuuint64_t *id_out)
{
	return cuStreamIsCapturing(hStream, captureStatus_out);
}

CUresult
cuStreamGetCaptureInfo_v2(CUstream hStream, CUstreamCaptureStatus *captureStatus_out,
	cuuint64_t *id_out, CUgraph *graph_out, const CUgraphNode **dependencies_out,
	size_t *numDependencies_out)
{
	return cuStreamIsCapturing(hStream, captureStatus_out);
}

CUresult
cuStreamGetCaptureInfo_v3(CUstream hStream, CUstreamCaptureStatus *captureStatus_out,
	cuuint64_t *id_out, CUgraph *graph_out, const CUgraphNode **dependencies_out,
	const CUgraphEdgeData **edgeData_out, size_t *numDependencies_out)
{
	return cuStreamIsCapturing(hStream, captureStatus_out);
}

CUresult
cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode *mode)
{
	static __thread CUstreamCaptureMode current;

	if (mode == NULL || *mode > CU_STREAM_CAPTURE_MODE_RELAXED) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	CUstreamCaptureMode old = current;

	current = *mode;
	*mode = old;
	return CUDA_SUCCESS;
}
