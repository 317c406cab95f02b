/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c: the guest's streams, and how much of their work is known to be done. */
#include "host-server/stream.h"

#include "host-server/context.h"
#include "host-server/dispatch.h"
#include "host-server/session.h"
#include "host-server/wait.h"

/* CU_STREAM_LEGACY as the guest's handle; CU_STREAM_PER_THREAD the guest resolves. */
#define STREAM_LEGACY 1

bool
stream_find(struct session *s, call_handle handle, struct stream_ref *ret_ref)
{
	if (handle == 0 || handle == STREAM_LEGACY) {
		if (s->context == NULL) {
			return false;
		}
		*ret_ref = (struct stream_ref){ .context = s->context };
		return true;
	}
	struct object *object = object_find(s->objects, HANDLE_CUstream, handle);
	if (object == NULL) {
		return false;
	}
	*ret_ref = (struct stream_ref){
		.cuda = object->cuda, .context = object->context, .handle = handle
	};
	return true;
}

struct work *
stream_work(struct session *s, const struct stream_ref *ref)
{
	if (ref->handle == 0) {
		return &ref->context->legacy;
	}
	struct object *object = object_find(s->objects, HANDLE_CUstream, ref->handle);
	return object != NULL ? &object->work : NULL;
}

void
stream_used(struct session *s, const struct stream_ref *ref)
{
	struct work *work = stream_work(s, ref);

	if (work != NULL) {
		work->submitted++;
	}
}

void
stream_finished(struct session *s, const struct stream_ref *ref, uint64_t submitted)
{
	struct work *work = stream_work(s, ref);

	if (work != NULL && submitted > work->finished && submitted <= work->submitted) {
		work->finished = submitted;
	}
}

CUresult
serve_cuStreamCreateWithPriority(struct session *s, const void *argp, void *outp)
{
	const cuStreamCreateWithPriority_args *args = argp;
	CUstream stream = NULL;

	if (!session_vacant(s, HANDLE_CUstream, args->phStream)) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	CUresult result = s->driver->cuStreamCreateWithPriority(
		&stream, args->flags, args->priority);
	if (result != CUDA_SUCCESS) {
		return result;
	}
	return session_adopt(s, HANDLE_CUstream, args->phStream, stream);
}

CUresult
serve_cuStreamDestroy_v2(struct session *s, const void *argp, void *outp)
{
	const cuStreamDestroy_v2_args *args = argp;
	struct object *object = object_find(s->objects, HANDLE_CUstream, args->hStream);

	if (object == NULL) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	if (work_pending(&object->work)) {
		context_orphan(s, object->context, object->cuda);
	}
	CUresult result = s->driver->cuStreamDestroy_v2(object->cuda);
	session_drop(s, HANDLE_CUstream, args->hStream);
	return result;
}

CUresult
serve_cuStreamQuery(struct session *s, const void *argp, void *outp)
{
	const cuStreamQuery_args *args = argp;
	struct stream_ref ref;

	if (!stream_find(s, args->hStream, &ref)) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	CUresult result = s->driver->cuStreamQuery(ref.cuda);
	if (result == CUDA_SUCCESS) {
		stream_finished(s, &ref, stream_work(s, &ref)->submitted);
	}
	return result;
}

CUresult
serve_cuStreamSynchronize(struct session *s, const void *argp, void *outp)
{
	const cuStreamSynchronize_args *args = argp;
	struct stream_ref ref;

	if (!stream_find(s, args->hStream, &ref)) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	if (!work_pending(stream_work(s, &ref))) {
		/* Returns at once; tells of a sticky error, and prints. */
		return s->driver->cuStreamSynchronize(ref.cuda);
	}
	struct wait *wait = wait_new(s, 1);
	CUresult result =
		wait != NULL ? wait_add_stream(wait, &ref) : CUDA_ERROR_OUT_OF_MEMORY;
	if (result == CUDA_SUCCESS) {
		return wait_begin(wait);
	}
	wait_free(wait);
	/* No event to be had: everybody waits, but nobody is told a lie. */
	return result == CUDA_ERROR_OUT_OF_MEMORY
		       ? s->driver->cuStreamSynchronize(ref.cuda)
		       : result;
}
