/* SPDX-License-Identifier: Apache-2.0 */
/* handle.c: from the guest's handles to CUDA's objects, with what belongs to what.
 *
 * A kernel belongs to its library, a function to its module or kernel, and all but
 * libraries and kernels to a context.  When the owner goes, CUDA destroys what it owned,
 * and we forget the handles, so that no guest can name what is no longer there. */
#include "host-server/handle.h"

#include "host-server/context.h"
#include "host-server/device.h"
#include "host-server/image.h"
#include "host-server/object.h"
#include "host-server/session.h"
#include "host-server/stream.h"

bool
session_find(
	struct session *s, enum handle_type type, call_handle handle, void **ret_object)
{
	struct object *object = object_find(s->objects, type, handle);

	if (object == NULL) {
		return false;
	}
	*ret_object = object->cuda;
	return true;
}

bool
session_find_stream(struct session *s, call_handle handle, CUstream *ret_stream)
{
	struct stream_ref ref;

	if (!stream_find(s, handle, &ref)) {
		return false;
	}
	/* Whoever asks here is about to give the stream work. */
	stream_used(s, &ref);
	*ret_stream = ref.cuda;
	return true;
}

bool
session_find_function(struct session *s, call_handle handle, CUfunction *ret_function)
{
	/* CUDA allows a CUkernel wherever it takes a CUfunction. */
	enum handle_type type = handle_type_of(handle) == HANDLE_CUkernel
					? HANDLE_CUkernel
					: HANDLE_CUfunction;

	return session_find(s, type, handle, (void **)ret_function);
}

bool
session_find_device(struct session *s, int ordinal, CUdevice *ret_device)
{
	if (ordinal < 0 || (size_t)ordinal >= s->devices->n) {
		return false;
	}
	*ret_device = s->devices->device[ordinal];
	return true;
}

bool
session_vacant(struct session *s, enum handle_type type, call_handle handle)
{
	if (type == HANDLE_CUcontext) {
		/* A primary context has one handle however often it is retained. */
		struct object *object = object_find(s->objects, type, handle);
		if (object != NULL) {
			return s->call->info->number == CALL_cuDevicePrimaryCtxRetain &&
			       object->context->primary;
		}
	}
	return object_vacant(s->objects, type, handle);
}

/* ---- new ones ---- */

static call_handle
parent_in_call(const struct server_call *call)
{
	switch (call->info->number) {
	case CALL_cuModuleGetFunction:
		return ((cuModuleGetFunction_args *)call->args)->hmod;
	case CALL_cuLibraryGetKernel:
		return ((cuLibraryGetKernel_args *)call->args)->library;
	case CALL_cuLibraryGetModule:
		return ((cuLibraryGetModule_args *)call->args)->library;
	case CALL_cuKernelGetFunction:
		return ((cuKernelGetFunction_args *)call->args)->kernel;
	default: return 0;
	}
}

static CUdevice
device_in_call(struct session *s)
{
	int ordinal = s->call->info->number == CALL_cuCtxCreate_v2
			      ? ((cuCtxCreate_v2_args *)s->call->args)->dev
			      : ((cuDevicePrimaryCtxRetain_args *)s->call->args)->dev;
	CUdevice device = 0;

	session_find_device(s, ordinal, &device); /* was found before the call was made */
	return device;
}

static CUresult
adopt_context(struct session *s, call_handle handle, CUcontext cuda)
{
	bool primary = s->call->info->number == CALL_cuDevicePrimaryCtxRetain;
	CUdevice device = device_in_call(s);

	if (!primary) {
		/* cuCtxCreate has made it current; the guest says itself what is. */
		CUcontext popped;
		s->driver->cuCtxPopCurrent_v2(&popped);
		context_leave(s);
	}
	struct context *context = context_get(s, cuda, device, primary);
	struct object *object = object_find(s->objects, HANDLE_CUcontext, handle);
	if (context != NULL && object == NULL) {
		object = object_add(s->objects, HANDLE_CUcontext, handle, cuda);
	}
	if (context == NULL || object == NULL) {
		if (primary) {
			s->driver->calls.cuDevicePrimaryCtxRelease_v2(device);
		} else {
			s->driver->cuCtxDestroy_v2(cuda);
		}
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	object->cuda = cuda;
	object->context = context;
	context->n_retained += primary;
	return CUDA_SUCCESS;
}

static void
destroy(struct session *s, enum handle_type type, void *cuda)
{
	switch (type) {
	case HANDLE_CUstream: s->driver->cuStreamDestroy_v2(cuda); break;
	case HANDLE_CUevent: s->driver->calls.cuEventDestroy_v2(cuda); break;
	case HANDLE_CUmodule: s->driver->calls.cuModuleUnload(cuda); break;
	case HANDLE_CUlibrary: s->driver->calls.cuLibraryUnload(cuda); break;
	default: break; /* go with what they belong to */
	}
}

CUresult
session_adopt(struct session *s, enum handle_type type, call_handle handle, void *cuda)
{
	if (type == HANDLE_CUcontext) {
		return adopt_context(s, handle, cuda);
	}
	struct object *object = object_add(s->objects, type, handle, cuda);
	if (object == NULL) {
		if (parent_in_call(s->call) == 0) {
			destroy(s, type, cuda);
		}
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	object->parent = parent_in_call(s->call);
	bool everywhere = type == HANDLE_CUlibrary || type == HANDLE_CUkernel;
	object->context = everywhere ? NULL : s->context;
	return CUDA_SUCCESS;
}

/* ---- gone ---- */

struct dropping {
	struct session *s;
	call_handle parent;
	struct context *context;
	CUcontext before, after;
};

static void forget(struct session *s, struct object *object);

static void
forget_child(struct object *object, void *user)
{
	struct dropping *d = user;

	if (object->parent == d->parent) {
		forget(d->s, object);
	}
}

/* The depth is that of library, kernel, function: the parent's type is always another. */
static void
forget(struct session *s, struct object *object)
{
	struct dropping d = { .s = s, .parent = object->handle };
	unsigned type = handle_type_of(object->handle);

	image_release(s->images, object->image);
	object_drop(s->objects, object);
	if (type == HANDLE_CUlibrary) {
		object_each(s->objects, HANDLE_CUkernel, forget_child, &d);
		object_each(s->objects, HANDLE_CUmodule, forget_child, &d);
	} else if (type == HANDLE_CUmodule || type == HANDLE_CUkernel) {
		object_each(s->objects, HANDLE_CUfunction, forget_child, &d);
	}
}

void
session_drop(struct session *s, enum handle_type type, call_handle handle)
{
	struct object *object = object_find(s->objects, type, handle);

	if (object != NULL) {
		forget(s, object);
	}
}

static void
forget_in_context(struct object *object, void *user)
{
	struct dropping *d = user;

	if (object->context == d->context) {
		forget(d->s, object);
	}
}

void
handles_forget_context(struct session *s, struct context *context)
{
	static const enum handle_type types[] = { HANDLE_CUfunction, HANDLE_CUmodule,
		HANDLE_CUstream, HANDLE_CUevent };
	struct dropping d = { .s = s, .context = context };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		object_each(s->objects, types[i], forget_in_context, &d);
	}
}

static void
rename_context(struct object *object, void *user)
{
	struct dropping *d = user;

	if (object->cuda == d->before) {
		object->cuda = d->after;
	}
}

void
handles_rename_context(struct session *s, CUcontext before, CUcontext after)
{
	struct dropping d = { .s = s, .before = before, .after = after };

	object_each(s->objects, HANDLE_CUcontext, rename_context, &d);
}

static void
destroy_one(struct object *object, void *user)
{
	struct dropping *d = user;

	/* A module that was taken from a library goes with the library. */
	if (object->parent == 0) {
		if (object->context != NULL) {
			context_enter(d->s, object->context);
		}
		destroy(d->s, (enum handle_type)handle_type_of(object->handle),
			object->cuda);
	}
	forget(d->s, object);
}

void
handles_destroy(struct session *s)
{
	static const enum handle_type types[] = { HANDLE_CUstream, HANDLE_CUevent,
		HANDLE_CUmodule, HANDLE_CUlibrary };
	struct dropping d = { .s = s };

	s->context = NULL;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		object_each(s->objects, types[i], destroy_one, &d);
	}
}
