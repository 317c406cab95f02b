/* SPDX-License-Identifier: Apache-2.0 */
/* launch.c: kernels.  The guest sends the parameter buffer as the kernel sees it. */
#include <string.h>

#include "host-server/context.h"
#include "host-server/dispatch.h"
#include "host-server/object.h"
#include "host-server/session.h"

/* CUDA's parameters are at most this; what lies beyond the guest's bytes is zero. */
#define PARAMS_SIZE 32768
/* A kernel of 32 KiB parameters has at most so many. */
#define PARAMS_MAX PARAMS_SIZE

/* How long the parameters of a function are, if the driver can tell (12.4 and later). */
static bool
params_size(struct session *s, struct object *object, uint32_t *ret_size)
{
	bool kernel = handle_type_of(object->handle) == HANDLE_CUkernel;
	size_t end = 0;

	if (object->params_known) {
		*ret_size = object->params_size;
		return true;
	}
	if (kernel ? !driver_has(s->driver->cuKernelGetParamInfo)
		   : !driver_has(s->driver->cuFuncGetParamInfo)) {
		return false;
	}
	for (size_t i = 0; i < PARAMS_MAX; i++) {
		size_t offset = 0, size = 0;
		CUresult result = kernel ? s->driver->cuKernelGetParamInfo(
						   object->cuda, i, &offset, &size)
					 : s->driver->cuFuncGetParamInfo(
						   object->cuda, i, &offset, &size);
		if (result == CUDA_ERROR_INVALID_VALUE) {
			break; /* there is no such parameter: it was the last */
		}
		if (result != CUDA_SUCCESS) {
			return false;
		}
		end = offset + size > end ? offset + size : end;
	}
	object->params_known = true;
	object->params_size = (uint32_t)end;
	*ret_size = object->params_size;
	return true;
}

/* The buffer is read by the driver as far as the kernel's metadata say, whatever length
 * is given: so a short one is refused, and one of which that is not known is made as long
 * as it can be. */
struct params {
	unsigned char bytes[PARAMS_SIZE];
	size_t size;
	void *extra[5];
};

static CUresult
params_init(struct params *params, struct session *s, struct object *function,
	const call_params *given)
{
	uint32_t wanted;

	params->size = given->call_params_len;
	memcpy(params->bytes, given->call_params_val, params->size);
	if (!params_size(s, function, &wanted)) {
		memset(params->bytes + params->size, 0, sizeof(params->bytes) - params->size);
	} else if (params->size < wanted) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	params->extra[0] = CU_LAUNCH_PARAM_BUFFER_POINTER;
	params->extra[1] = params->bytes;
	params->extra[2] = CU_LAUNCH_PARAM_BUFFER_SIZE;
	params->extra[3] = &params->size;
	params->extra[4] = CU_LAUNCH_PARAM_END;
	return CUDA_SUCCESS;
}

/* CUDA takes a kernel for a function, too. */
static struct object *
find_function(struct session *s, call_handle handle)
{
	bool kernel = handle_type_of(handle) == HANDLE_CUkernel;

	return object_find(s->objects, kernel ? HANDLE_CUkernel : HANDLE_CUfunction, handle);
}

CUresult
serve_cuLaunchKernel(struct session *s, const void *argp, void *outp)
{
	const cuLaunchKernel_args *args = argp;
	struct object *function = find_function(s, args->f);
	CUstream stream = NULL;
	struct params params;

	if (function == NULL || !session_find_stream(s, args->hStream, &stream)) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	CUresult result = params_init(&params, s, function, &args->params);
	if (result != CUDA_SUCCESS) {
		return result;
	}
	return s->driver->cuLaunchKernel(function->cuda, args->gridDimX, args->gridDimY,
		args->gridDimZ, args->blockDimX, args->blockDimY, args->blockDimZ,
		args->sharedMemBytes, stream, NULL, params.extra);
}

/* Attributes whose values hold no pointer and no handle. */
static bool
attribute_allowed(int id)
{
	switch (id) {
	case CU_LAUNCH_ATTRIBUTE_IGNORE:
	case CU_LAUNCH_ATTRIBUTE_COOPERATIVE:
	case CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY:
	case CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION:
	case CU_LAUNCH_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:
	case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION:
	case CU_LAUNCH_ATTRIBUTE_PRIORITY:
	case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP:
	case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN:
	case CU_LAUNCH_ATTRIBUTE_PREFERRED_CLUSTER_DIMENSION:
	case CU_LAUNCH_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT: return true;
	default: return false;
	}
}

static bool
attributes_take(const call_launch_attrs *given, CUlaunchAttribute *attributes)
{
	for (u_int i = 0; i < given->call_launch_attrs_len; i++) {
		const call_launch_attr *attr = &given->call_launch_attrs_val[i];
		if (!attribute_allowed(attr->id)) {
			return false;
		}
		attributes[i].id = (CUlaunchAttributeID)attr->id;
		memcpy(&attributes[i].value, attr->value, sizeof(attr->value));
	}
	return true;
}

CUresult
serve_cuLaunchKernelEx(struct session *s, const void *argp, void *outp)
{
	const cuLaunchKernelEx_args *args = argp;
	CUlaunchAttribute attributes[CALL_LAUNCH_ATTRS_MAX] = { 0 };
	struct object *function = find_function(s, args->f);
	CUstream stream = NULL;
	struct params params;

	if (function == NULL || !session_find_stream(s, args->hStream, &stream)) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	if (!attributes_take(&args->attrs, attributes)) {
		return CUDA_ERROR_NOT_SUPPORTED;
	}
	CUresult result = params_init(&params, s, function, &args->params);
	if (result != CUDA_SUCCESS) {
		return result;
	}
	CUlaunchConfig config = {
		.gridDimX = args->gridDimX,
		.gridDimY = args->gridDimY,
		.gridDimZ = args->gridDimZ,
		.blockDimX = args->blockDimX,
		.blockDimY = args->blockDimY,
		.blockDimZ = args->blockDimZ,
		.sharedMemBytes = args->sharedMemBytes,
		.hStream = stream,
		.attrs = attributes,
		.numAttrs = args->attrs.call_launch_attrs_len,
	};
	return s->driver->cuLaunchKernelEx(&config, function->cuda, NULL, params.extra);
}
