/* SPDX-License-Identifier: Apache-2.0 */
/* event.c: the guest's events, as far as they are waited for. */
#include "host-server/dispatch.h"
#include "host-server/object.h"
#include "host-server/session.h"
#include "host-server/wait.h"

CUresult
serve_cuEventSynchronize(struct session *s, const void *argp, void *outp)
{
	const cuEventSynchronize_args *args = argp;
	struct object *object = object_find(s->objects, HANDLE_CUevent, args->hEvent);

	if (object == NULL) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	CUresult result = s->driver->cuEventQuery(object->cuda);
	if (result != CUDA_ERROR_NOT_READY) {
		/* Returns at once, and lets the driver print. */
		return result == CUDA_SUCCESS
			       ? s->driver->cuEventSynchronize(object->cuda)
			       : result;
	}
	struct wait *wait = wait_new(s, 1);
	if (wait == NULL) {
		return s->driver->cuEventSynchronize(object->cuda);
	}
	wait_add_guests(wait, object->cuda, object->context);
	return wait_begin(wait);
}

CUresult
serve_cuEventQuery(struct session *s, const void *argp, void *outp)
{
	const cuEventQuery_args *args = argp;
	CUevent event = NULL;

	if (!session_find(s, HANDLE_CUevent, args->hEvent, (void **)&event)) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	return s->driver->cuEventQuery(event);
}

CUresult
serve_cuEventElapsedTime_v2(struct session *s, const void *argp, void *outp)
{
	const cuEventElapsedTime_v2_args *args = argp;
	cuEventElapsedTime_v2_out *out = outp;
	CUevent start = NULL, end = NULL;
	float milliseconds = 0;

	if (!session_find(s, HANDLE_CUevent, args->hStart, (void **)&start) ||
		!session_find(s, HANDLE_CUevent, args->hEnd, (void **)&end)) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	/* Drivers before 12.8 have only the plain name. */
	CUresult result =
		driver_has(s->driver->cuEventElapsedTime_v2)
			? s->driver->cuEventElapsedTime_v2(&milliseconds, start, end)
			: s->driver->cuEventElapsedTime_v1(&milliseconds, start, end);
	if (result == CUDA_SUCCESS) {
		out->pMilliseconds = milliseconds;
	}
	return result;
}
