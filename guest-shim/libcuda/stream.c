/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c: streams, as the guest knows them.
 *
 * Creating and destroying needs no answer.  CUDA's constants: 0 and 1 are the legacy stream
 * and travel as such; 2 is the calling thread's own, which is an ordinary stream that the
 * thread makes when it first uses it. */
#include "guest-shim/libcuda/stream.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/copy_pending.h"
#include "guest-shim/libcuda/guest.h"
#include "guest-shim/libcuda/session.h"
#include "remote.h"

struct stream_object {
	CUstream handle;
	struct context *context;
	unsigned flags;
	int priority;
	unsigned long long id;
};

/* 1 and 2 are the legacy and the per-thread default stream. */
static atomic_ullong stream_last_id = 16;
static atomic_bool stream_has_crossed;

bool
stream_crossed(void)
{
	return atomic_load_explicit(&stream_has_crossed, memory_order_relaxed);
}

CUresult
stream_begin(unsigned flags, int priority, CUstream *ret_stream)
{
	struct stream_object *object = calloc(1, sizeof(*object));

	if (object == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	CUresult result = remote_cuStreamCreateWithPriority(&object->handle, flags, priority);
	if (result != CUDA_SUCCESS) {
		free(object);
		return result;
	}
	object->context = thread_self.current;
	object->flags = flags;
	object->priority = priority;
	object->id = atomic_fetch_add(&stream_last_id, 1) + 1;
	if (flags & CU_STREAM_NON_BLOCKING) {
		atomic_fetch_add(&object->context->n_nonblocking, 1);
	}
	handle_set(HANDLE_CUstream, object->handle, object);
	*ret_stream = object->handle;
	return CUDA_SUCCESS;
}

static void
forget(struct stream_object *object)
{
	if (object->flags & CU_STREAM_NON_BLOCKING) {
		atomic_fetch_sub(&object->context->n_nonblocking, 1);
	}
	free(object);
}

void
stream_end(CUstream stream)
{
	struct stream_object *object = handle_find(HANDLE_CUstream, stream);

	if (object == NULL) {
		return; /* gone with its context */
	}
	struct context *current = thread_self.current;
	thread_self.current = object->context;
	CUresult result = remote_cuStreamDestroy_v2(stream);
	thread_self.current = current;
	if (result == CUDA_SUCCESS) {
		forget(object);
	}
}

static void
end_if_of(void *object, void *context)
{
	struct stream_object *stream = object;

	if (stream->context == context) {
		guest_drop(HANDLE_CUstream, stream->handle);
		forget(stream);
	}
}

void
stream_end_all(struct context *context)
{
	handle_each(HANDLE_CUstream, end_if_of, context);
	event_end_all(context);
}

CUresult
guest_pack_stream(CUstream stream, call_handle *ret_packed)
{
	uintptr_t value = (uintptr_t)stream;

	if (value <= 1) {
		*ret_packed = value;
		return CUDA_SUCCESS;
	}
	if (stream == CU_STREAM_PER_THREAD) {
		struct context *context;
		CUresult result = context_current(&context);
		if (result == CUDA_SUCCESS) {
			result = thread_stream(&stream);
		}
		if (result == CUDA_SUCCESS) {
			*ret_packed = handle_packed(stream);
		}
		return result;
	}
	return guest_pack_handle(HANDLE_CUstream, stream, ret_packed);
}

CUDA_EXPORT CUresult CUDAAPI
cuStreamCreateWithPriority(CUstream *phStream, unsigned int flags, int priority)
{
	struct context *context;
	CUresult result = context_current(&context);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (phStream == NULL || (flags & ~(unsigned)CU_STREAM_NON_BLOCKING) != 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (priority != 0) {
		/* What is out of range is moved to its end, as CUDA does. */
		int least, greatest;
		result = cuCtxGetStreamPriorityRange(&least, &greatest);
		if (result != CUDA_SUCCESS) {
			return result;
		}
		priority = priority > least ? least : priority < greatest ? greatest : priority;
	}
	return stream_begin(flags, priority, phStream);
}

CUDA_EXPORT CUresult CUDAAPI
cuStreamCreate(CUstream *phStream, unsigned int Flags)
{
	return cuStreamCreateWithPriority(phStream, Flags, 0);
}

CUDA_EXPORT CUresult CUDAAPI
cuStreamDestroy_v2(CUstream hStream)
{
	CUresult result = session_error();

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (handle_find(HANDLE_CUstream, hStream) == NULL) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	stream_end(hStream);
	return session_error();
}

/* ---- what a stream is ---- */

/* CUDA's constants have no object: *ret_object is NULL then. */
static CUresult
find(CUstream stream, struct stream_object **ret_object)
{
	struct context *context;
	call_handle packed;

	*ret_object = NULL;
	CUresult result = context_current(&context);
	if (result == CUDA_SUCCESS) {
		result = guest_pack_stream(stream, &packed);
	}
	if (result == CUDA_SUCCESS && !stream_is_legacy(packed)) {
		*ret_object = handle_find(HANDLE_CUstream, (void *)(uintptr_t)packed);
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuStreamGetPriority(CUstream hStream, int *priority)
{
	struct stream_object *object;
	CUresult result = priority == NULL ? CUDA_ERROR_INVALID_VALUE : find(hStream, &object);

	if (result == CUDA_SUCCESS) {
		*priority = object != NULL ? object->priority : 0;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuStreamGetFlags(CUstream hStream, unsigned int *flags)
{
	struct stream_object *object;
	CUresult result = flags == NULL ? CUDA_ERROR_INVALID_VALUE : find(hStream, &object);

	if (result == CUDA_SUCCESS) {
		*flags = object != NULL ? object->flags : 0;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuStreamGetId(CUstream hStream, unsigned long long *streamId)
{
	struct stream_object *object;
	CUresult result = streamId == NULL ? CUDA_ERROR_INVALID_VALUE : find(hStream, &object);

	if (result == CUDA_SUCCESS) {
		*streamId = object != NULL ? object->id : 1;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuStreamGetCtx(CUstream hStream, CUcontext *pctx)
{
	struct stream_object *object;
	CUresult result = pctx == NULL ? CUDA_ERROR_INVALID_VALUE : find(hStream, &object);

	if (result == CUDA_SUCCESS) {
		*pctx = object != NULL ? object->context->handle : thread_self.current->handle;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuStreamGetCtx_v2(CUstream hStream, CUcontext *pCtx, CUgreenCtx *pGreenCtx)
{
	CUresult result = cuStreamGetCtx(hStream, pCtx);

	if (result == CUDA_SUCCESS && pGreenCtx != NULL) {
		*pGreenCtx = NULL; /* there are none */
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuStreamGetDevice(CUstream hStream, CUdevice *device)
{
	struct stream_object *object;
	CUresult result = device == NULL ? CUDA_ERROR_INVALID_VALUE : find(hStream, &object);

	if (result == CUDA_SUCCESS) {
		*device = object != NULL ? object->context->device : thread_self.current->device;
	}
	return result;
}

/* ---- waiting ---- */

CUresult
stream_synchronize(call_handle packed)
{
	struct context *context = thread_self.current;
	uint64_t mark = copy_pending_mark();
	CUresult result = context_check(context);

	if (result == CUDA_SUCCESS && !context_is_quiet(context, packed)) {
		cuStreamSynchronize_args args = { .hStream = packed };
		cuStreamSynchronize_ret ret = { 0 };
		uint64_t wait = context_quiet_begin(context);
		result = guest_call(CALL_cuStreamSynchronize, &args, &ret);
		if (result == CUDA_SUCCESS) {
			context_quiet_end(context, wait, packed);
		}
	}
	CUresult copied = copy_pending_wait_stream(packed, mark);
	return result != CUDA_SUCCESS ? result : copied;
}

CUDA_EXPORT CUresult CUDAAPI
cuStreamSynchronize(CUstream hStream)
{
	struct context *context;
	call_handle packed;
	CUresult result = context_current(&context);

	if (result == CUDA_SUCCESS) {
		result = guest_pack_stream(hStream, &packed);
	}
	return result == CUDA_SUCCESS ? stream_synchronize(packed) : result;
}

CUDA_EXPORT CUresult CUDAAPI
cuStreamQuery(CUstream hStream)
{
	struct context *context;
	cuStreamQuery_args args = { 0 };
	cuStreamQuery_ret ret = { 0 };
	uint64_t mark = copy_pending_mark();
	CUresult result = context_current(&context);

	if (result == CUDA_SUCCESS) {
		result = guest_pack_stream(hStream, &args.hStream);
	}
	if (result == CUDA_SUCCESS && !context_is_quiet(context, args.hStream)) {
		result = guest_call(CALL_cuStreamQuery, &args, &ret);
	}
	if (result == CUDA_SUCCESS) {
		result = copy_pending_wait_stream(args.hStream, mark);
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuStreamWaitEvent(CUstream hStream, CUevent hEvent, unsigned int Flags)
{
	if (Flags != 0) { /* CU_EVENT_WAIT_EXTERNAL is for captures */
		return (Flags & ~(unsigned)CU_EVENT_WAIT_EXTERNAL) != 0
			? CUDA_ERROR_INVALID_VALUE : CUDA_ERROR_NOT_SUPPORTED;
	}
	atomic_store_explicit(&stream_has_crossed, true, memory_order_relaxed);
	return remote_cuStreamWaitEvent(hStream, hEvent, Flags);
}
