/* SPDX-License-Identifier: Apache-2.0 */
/* event.c: events, as the guest knows them. */
#include <stdatomic.h>
#include <stdlib.h>

#include "guest-shim/libcuda/api.h"
#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/copy_pending.h"
#include "guest-shim/libcuda/guest.h"
#include "guest-shim/libcuda/session.h"
#include "guest-shim/libcuda/stream.h"
#include "remote.h"

#define EVENT_FLAGS \
	(CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS)

struct event {
	CUevent handle;
	struct context *context;
	unsigned flags;
	/* Where it was recorded last, and which copies to the guest had been started. */
	_Atomic(call_handle) stream;
	_Atomic uint64_t mark;
};

static void
end_if_of(void *object, void *context)
{
	struct event *event = object;

	if (event->context == context) {
		guest_drop(HANDLE_CUevent, event->handle);
		free(event);
	}
}

void
event_end_all(struct context *context)
{
	handle_each(HANDLE_CUevent, end_if_of, context);
}

static CUresult
find(CUevent handle, struct event **ret_event)
{
	struct context *context;
	CUresult result = context_current(&context);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	*ret_event = handle_find(HANDLE_CUevent, handle);
	return *ret_event != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUDA_EXPORT CUresult CUDAAPI
cuEventCreate(CUevent *phEvent, unsigned int Flags)
{
	struct context *context;
	CUresult result = context_current(&context);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (phEvent == NULL || (Flags & ~(unsigned)EVENT_FLAGS) != 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (Flags & CU_EVENT_INTERPROCESS) {
		/* Such an event needs DISABLE_TIMING; sharing one is not to be had here. */
		return Flags & CU_EVENT_DISABLE_TIMING ? CUDA_ERROR_NOT_SUPPORTED
						       : CUDA_ERROR_INVALID_VALUE;
	}
	struct event *event = calloc(1, sizeof(*event));
	if (event == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	result = remote_cuEventCreate(&event->handle, Flags);
	if (result != CUDA_SUCCESS) {
		free(event);
		return result;
	}
	event->context = context;
	event->flags = Flags;
	handle_set(HANDLE_CUevent, event->handle, event);
	*phEvent = event->handle;
	return CUDA_SUCCESS;
}

CUDA_EXPORT CUresult CUDAAPI
cuEventDestroy_v2(CUevent hEvent)
{
	struct event *event;
	CUresult result = find(hEvent, &event);

	if (result == CUDA_SUCCESS) {
		result = remote_cuEventDestroy_v2(hEvent);
	}
	if (result == CUDA_SUCCESS) {
		free(event);
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuEventRecord(CUevent hEvent, CUstream hStream)
{
	struct event *event;
	call_handle packed;
	CUresult result = find(hEvent, &event);

	if (result == CUDA_SUCCESS) {
		result = guest_pack_stream(hStream, &packed);
	}
	if (result == CUDA_SUCCESS && event->context != thread_self.current) {
		result = CUDA_ERROR_INVALID_HANDLE;
	}
	if (result == CUDA_SUCCESS) {
		atomic_store_explicit(&event->stream, packed, memory_order_relaxed);
		atomic_store_explicit(&event->mark, copy_pending_mark(), memory_order_relaxed);
		result = remote_cuEventRecord(hEvent, hStream);
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuEventRecordWithFlags(CUevent hEvent, CUstream hStream, unsigned int flags)
{
	if (flags != CU_EVENT_RECORD_DEFAULT) {
		return flags == CU_EVENT_RECORD_EXTERNAL ? CUDA_ERROR_NOT_SUPPORTED
							 : CUDA_ERROR_INVALID_VALUE;
	}
	return cuEventRecord(hEvent, hStream);
}

/* Its work is done: so are the copies to the guest that were started before it. */
static CUresult
collect(struct event *event)
{
	return copy_pending_wait_stream(
		atomic_load_explicit(&event->stream, memory_order_relaxed),
		atomic_load_explicit(&event->mark, memory_order_relaxed));
}

CUDA_EXPORT CUresult CUDAAPI
cuEventSynchronize(CUevent hEvent)
{
	cuEventSynchronize_args args = { .hEvent = handle_packed(hEvent) };
	cuEventSynchronize_ret ret = { 0 };
	struct event *event;
	CUresult result = find(hEvent, &event);

	if (result == CUDA_SUCCESS && !context_is_idle(thread_self.current)) {
		result = guest_call(CALL_cuEventSynchronize, &args, &ret);
	}
	return result == CUDA_SUCCESS ? collect(event) : result;
}

CUDA_EXPORT CUresult CUDAAPI
cuEventQuery(CUevent hEvent)
{
	cuEventQuery_args args = { .hEvent = handle_packed(hEvent) };
	cuEventQuery_ret ret = { 0 };
	struct event *event;
	CUresult result = find(hEvent, &event);

	if (result == CUDA_SUCCESS && !context_is_idle(thread_self.current)) {
		result = guest_call(CALL_cuEventQuery, &args, &ret);
	}
	return result == CUDA_SUCCESS ? collect(event) : result;
}

/* Older programs call it by this name; the arguments are the same. */
CUDA_EXPORT CUresult CUDAAPI
cuEventElapsedTime(float *pMilliseconds, CUevent hStart, CUevent hEnd)
{
	return cuEventElapsedTime_v2(pMilliseconds, hStart, hEnd);
}
