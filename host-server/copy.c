/* SPDX-License-Identifier: Apache-2.0 */
/* copy.c: copies between the guest and the device, one payload at a time. */
#include "common/checked.h"
#include "host-server/context.h"
#include "host-server/dispatch.h"
#include "host-server/session.h"
#include "host-server/slot.h"
#include "host-server/stream.h"
#include "host-server/wait.h"

/* Bytes of packed rows; false if they do not fit into one payload. */
static bool
rows_size(uint64_t width, uint64_t height, size_t *ret_size)
{
	size_t size;

	if (!checked_mul(width, height, &size) || size > CALL_PAYLOAD_MAX) {
		return false;
	}
	*ret_size = size;
	return true;
}

CUresult
serve_copy_htod(struct session *s, const void *argp, void *outp)
{
	const copy_htod_args *args = argp;
	struct stream_ref ref;
	size_t size;

	if (!stream_find(s, args->hStream, &ref)) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	if (!rows_size(args->width, args->height, &size) ||
		size != s->call->payload_size) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (size == 0) {
		return CUDA_SUCCESS;
	}
	struct slot *slot = slot_take(s, size);
	if (slot == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	int r = server_payload(s->server, slot_memory(slot));
	if (r < 0) {
		s->error = r;
		slot_give(s, slot);
		return CUDA_ERROR_UNKNOWN;
	}
	CUresult result;
	if (args->height == 1) {
		result = s->driver->cuMemcpyHtoDAsync_v2(
			args->dst, slot_memory(slot), size, ref.cuda);
	} else {
		CUDA_MEMCPY2D copy = {
			.srcMemoryType = CU_MEMORYTYPE_HOST,
			.srcHost = slot_memory(slot),
			.srcPitch = args->width,
			.dstMemoryType = CU_MEMORYTYPE_DEVICE,
			.dstDevice = args->dst,
			.dstPitch = args->pitch,
			.WidthInBytes = args->width,
			.Height = args->height,
		};
		result = args->pitch < args->width
				 ? CUDA_ERROR_INVALID_VALUE
				 : s->driver->cuMemcpy2DAsync_v2(&copy, ref.cuda);
	}
	if (result != CUDA_SUCCESS) {
		slot_give(s, slot);
		return result;
	}
	stream_used(s, &ref);
	return slot_give_after(s, slot, &ref);
}

static CUresult
copy_into_slot(
	struct session *s, const copy_dtoh_args *args, void *memory, CUstream stream)
{
	if (args->height == 1) {
		return s->driver->cuMemcpyDtoHAsync_v2(
			memory, args->src, args->width, stream);
	}
	if (args->pitch < args->width) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	CUDA_MEMCPY2D copy = {
		.srcMemoryType = CU_MEMORYTYPE_DEVICE,
		.srcDevice = args->src,
		.srcPitch = args->pitch,
		.dstMemoryType = CU_MEMORYTYPE_HOST,
		.dstHost = memory,
		.dstPitch = args->width,
		.WidthInBytes = args->width,
		.Height = args->height,
	};
	return s->driver->cuMemcpy2DAsync_v2(&copy, stream);
}

CUresult
serve_copy_dtoh(struct session *s, const void *argp, void *outp)
{
	const copy_dtoh_args *args = argp;
	struct stream_ref ref;
	size_t size;

	if (!stream_find(s, args->hStream, &ref)) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	if (!rows_size(args->width, args->height, &size)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (size == 0) {
		return CUDA_SUCCESS;
	}
	struct wait *wait = wait_new(s, 1);
	struct slot *slot = wait != NULL ? slot_take(s, size) : NULL;
	if (slot == NULL) {
		wait_free(wait);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	wait_set_payload(wait, slot, size);
	CUresult result = copy_into_slot(s, args, slot_memory(slot), ref.cuda);
	if (result == CUDA_SUCCESS) {
		stream_used(s, &ref);
		result = wait_add_stream(wait, &ref);
		if (result != CUDA_SUCCESS) {
			/* The slot must not be given away while the copy runs. */
			CUresult sync = s->driver->cuStreamSynchronize(ref.cuda);
			result = sync != CUDA_SUCCESS ? sync : CUDA_SUCCESS;
		}
	}
	if (result != CUDA_SUCCESS) {
		wait_free(wait);
		return result;
	}
	return wait_begin(wait);
}

CUresult
serve_copy_dtod_2d(struct session *s, const void *argp, void *outp)
{
	const copy_dtod_2d_args *args = argp;
	CUstream stream = NULL;

	if (!session_find_stream(s, args->hStream, &stream)) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	if (args->width > args->src_pitch || args->width > args->dst_pitch) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	CUDA_MEMCPY2D copy = {
		.srcMemoryType = CU_MEMORYTYPE_DEVICE,
		.srcDevice = args->src,
		.srcPitch = args->src_pitch,
		.dstMemoryType = CU_MEMORYTYPE_DEVICE,
		.dstDevice = args->dst,
		.dstPitch = args->dst_pitch,
		.WidthInBytes = args->width,
		.Height = args->height,
	};
	return s->driver->cuMemcpy2DAsync_v2(&copy, stream);
}
