/* SPDX-License-Identifier: Apache-2.0 */
/* launch.c: launches: checked as far as that is possible here, then sent one-way. */
#include <stdlib.h>
#include <string.h>

#include "guest-shim/libcuda/api.h"
#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/function.h"
#include "guest-shim/libcuda/guest.h"
#include "guest-shim/libcuda/params.h"
#include "guest-shim/libcuda/session.h"
#include "guest-shim/libcuda/unsupported.h"

/* Parameters of at most so many bytes are packed on the stack: all but very few are. */
#define PARAMS_ON_STACK 4096

/* No kernel has so many registers that smaller blocks do not fit: 256 threads of 255 are
 * what a multiprocessor holds.  Larger blocks are compared with what the function can. */
#define BLOCK_ALWAYS_FITS 256
/* Below this no sum with a kernel's own shared memory is too much: 16 KiB of 64. */
#define SHARED_ALWAYS_FITS (16u << 10)

struct launch {
	CUfunction f;
	unsigned grid[3], block[3];
	unsigned shared_size;
	CUstream stream;
	void **kernel_params;
	void **extra;
};

static CUresult
check_block(const struct launch *l, struct function *function)
{
	const int *limits = session_device(thread_self.current->device)->attributes;

	for (int i = 0; i < 3; i++) { /* 0 - 1 is more than any limit */
		if (l->grid[i] - 1 >= (unsigned)limits[CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X + i] ||
			l->block[i] - 1 >=
				(unsigned)limits[CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X + i]) {
			return CUDA_ERROR_INVALID_VALUE;
		}
	}
	uint64_t threads = (uint64_t)l->block[0] * l->block[1] * l->block[2];
	if (threads > (unsigned)limits[CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK]) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	int most = 0;
	if (threads > BLOCK_ALWAYS_FITS) {
		CUresult result = function_attribute(
			function, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, &most);
		if (result != CUDA_SUCCESS) {
			return result;
		}
		if (threads > (unsigned)most) {
			return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
		}
	}
	if (l->shared_size > SHARED_ALWAYS_FITS) {
		CUresult result = function_attribute(
			function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, &most);
		if (result != CUDA_SUCCESS) {
			return result;
		}
		if (l->shared_size > (unsigned)most) {
			return CUDA_ERROR_INVALID_VALUE;
		}
	}
	return CUDA_SUCCESS;
}

static CUresult
send_plain(const struct launch *l, call_handle stream, const struct image_kernel *layout,
	unsigned char *params)
{
	cuLaunchKernel_args args = {
		.f = handle_packed(l->f),
		.gridDimX = l->grid[0], .gridDimY = l->grid[1], .gridDimZ = l->grid[2],
		.blockDimX = l->block[0], .blockDimY = l->block[1], .blockDimZ = l->block[2],
		.sharedMemBytes = l->shared_size,
		.hStream = stream,
		.params = { layout->params_size, (char *)params },
	};
	return guest_post_checked(call_find(CALL_cuLaunchKernel), &args);
}

static CUresult
send_extended(const struct launch *l, call_handle stream, const struct image_kernel *layout,
	unsigned char *params, const call_launch_attrs *attrs)
{
	cuLaunchKernelEx_args args = {
		.f = handle_packed(l->f),
		.gridDimX = l->grid[0], .gridDimY = l->grid[1], .gridDimZ = l->grid[2],
		.blockDimX = l->block[0], .blockDimY = l->block[1], .blockDimZ = l->block[2],
		.sharedMemBytes = l->shared_size,
		.hStream = stream,
		.attrs = *attrs,
		.params = { layout->params_size, (char *)params },
	};
	return guest_post_checked(call_find(CALL_cuLaunchKernelEx), &args);
}

static CUresult
pack_and_send(const struct launch *l, call_handle stream, const struct image_kernel *layout,
	unsigned char *buffer, const call_launch_attrs *attrs)
{
	CUresult result = params_pack(layout, l->kernel_params, l->extra, buffer);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	return attrs == NULL ? send_plain(l, stream, layout, buffer)
			     : send_extended(l, stream, layout, buffer, attrs);
}

static CUresult
launch(const struct launch *l, const call_launch_attrs *attrs)
{
	unsigned char on_stack[PARAMS_ON_STACK];
	struct context *context;
	call_handle stream;

	CUresult result = context_current(&context);
	if (result != CUDA_SUCCESS) {
		return result;
	}
	struct function *function = function_find(l->f);
	if (function == NULL) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	result = guest_pack_stream(l->stream, &stream);
	if (result == CUDA_SUCCESS) {
		result = check_block(l, function);
	}
	if (result != CUDA_SUCCESS) {
		return result;
	}
	const struct image_kernel *layout = function->layout;
	if (layout->params_size <= PARAMS_ON_STACK) {
		return pack_and_send(l, stream, layout, on_stack, attrs);
	}
	if (layout->params_size > CALL_PARAMS_MAX) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	unsigned char *buffer = malloc(layout->params_size);
	if (buffer == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	result = pack_and_send(l, stream, layout, buffer, attrs);
	free(buffer);
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuLaunchKernel(CUfunction f, unsigned int gridDimX, unsigned int gridDimY,
	unsigned int gridDimZ, unsigned int blockDimX, unsigned int blockDimY,
	unsigned int blockDimZ, unsigned int sharedMemBytes, CUstream hStream,
	void **kernelParams, void **extra)
{
	return launch(&(struct launch){ .f = f,
			      .grid = { gridDimX, gridDimY, gridDimZ },
			      .block = { blockDimX, blockDimY, blockDimZ },
			      .shared_size = sharedMemBytes,
			      .stream = hStream,
			      .kernel_params = kernelParams,
			      .extra = extra },
		NULL);
}

CUDA_EXPORT CUresult CUDAAPI
cuLaunchCooperativeKernel(CUfunction f, unsigned int gridDimX, unsigned int gridDimY,
	unsigned int gridDimZ, unsigned int blockDimX, unsigned int blockDimY,
	unsigned int blockDimZ, unsigned int sharedMemBytes, CUstream hStream,
	void **kernelParams)
{
	call_launch_attr cooperative = { .id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE, .value = { 1 } };
	call_launch_attrs attrs = { 1, &cooperative };

	return launch(&(struct launch){ .f = f,
			      .grid = { gridDimX, gridDimY, gridDimZ },
			      .block = { blockDimX, blockDimY, blockDimZ },
			      .shared_size = sharedMemBytes,
			      .stream = hStream,
			      .kernel_params = kernelParams },
		&attrs);
}

/* Whether the value means the same on the other side: it has no handle or pointer in it. */
static bool
can_travel(CUlaunchAttributeID id)
{
	switch (id) {
	case CU_LAUNCH_ATTRIBUTE_COOPERATIVE:
	case CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY:
	case CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION:
	case CU_LAUNCH_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:
	case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION:
	case CU_LAUNCH_ATTRIBUTE_PRIORITY:
	case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP:
	case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN:
	case CU_LAUNCH_ATTRIBUTE_PREFERRED_CLUSTER_DIMENSION:
	case CU_LAUNCH_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
		return true;
	default:
		return false;
	}
}

static CUresult
pack_attributes(const CUlaunchConfig *config, call_launch_attr *attrs, u_int *ret_n)
{
	u_int n = 0;

	if (config->numAttrs > 0 && config->attrs == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	for (unsigned i = 0; i < config->numAttrs; i++) {
		const CUlaunchAttribute *attribute = &config->attrs[i];
		if (attribute->id == CU_LAUNCH_ATTRIBUTE_IGNORE) {
			continue;
		}
		if (!can_travel(attribute->id)) {
			return UNSUPPORTED("a launch attribute with events or device nodes");
		}
		if (n == CALL_LAUNCH_ATTRS_MAX) {
			return CUDA_ERROR_INVALID_VALUE;
		}
		attrs[n].id = attribute->id;
		memcpy(attrs[n].value, &attribute->value, sizeof(attrs[n].value));
		n++;
	}
	*ret_n = n;
	return CUDA_SUCCESS;
}

CUDA_EXPORT CUresult CUDAAPI
cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction f, void **kernelParams,
	void **extra)
{
	call_launch_attr list[CALL_LAUNCH_ATTRS_MAX];
	u_int n = 0;

	if (config == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	CUresult result = pack_attributes(config, list, &n);
	if (result != CUDA_SUCCESS) {
		return result;
	}
	call_launch_attrs attrs = { n, list };
	return launch(&(struct launch){ .f = f,
			      .grid = { config->gridDimX, config->gridDimY, config->gridDimZ },
			      .block = { config->blockDimX, config->blockDimY,
				      config->blockDimZ },
			      .shared_size = config->sharedMemBytes,
			      .stream = config->hStream,
			      .kernel_params = kernelParams,
			      .extra = extra },
		n > 0 ? &attrs : NULL);
}
