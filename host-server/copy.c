/* SPDX-License-Identifier: Apache-2.0 */
/* copy.c: copies between the guest and the device, one payload at a time. */
#include "host-server/copy.h"

#include "common/checked.h"
#include "host-server/context.h"
#include "host-server/dispatch.h"
#include "host-server/session.h"
#include "host-server/slot.h"
#include "host-server/stream.h"
#include "host-server/wait.h"

static size_t
memory_pitch(const struct copy_rows *rows)
{
	return rows->memory_pitch != 0 ? rows->memory_pitch : rows->width;
}

bool
copy_rows_size(const struct copy_rows *rows, size_t *ret_size)
{
	size_t size;

	if (!checked_mul(rows->width, rows->height, &size) || size > CALL_PAYLOAD_MAX) {
		return false;
	}
	*ret_size = size;
	return true;
}

CUresult
copy_to_device(struct session *s, const struct copy_rows *rows, const void *memory,
	CUstream stream)
{
	if (rows->height == 1) {
		return s->driver->cuMemcpyHtoDAsync_v2(
			rows->device, memory, rows->width, stream);
	}
	if (rows->pitch < rows->width) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	CUDA_MEMCPY2D copy = {
		.srcMemoryType = CU_MEMORYTYPE_HOST,
		.srcHost = memory,
		.srcPitch = memory_pitch(rows),
		.dstMemoryType = CU_MEMORYTYPE_DEVICE,
		.dstDevice = rows->device,
		.dstPitch = rows->pitch,
		.WidthInBytes = rows->width,
		.Height = rows->height,
	};
	return s->driver->cuMemcpy2DAsync_v2(&copy, stream);
}

CUresult
copy_from_device(
	struct session *s, const struct copy_rows *rows, void *memory, CUstream stream)
{
	if (rows->height == 1) {
		return s->driver->cuMemcpyDtoHAsync_v2(
			memory, rows->device, rows->width, stream);
	}
	if (rows->pitch < rows->width) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	CUDA_MEMCPY2D copy = {
		.srcMemoryType = CU_MEMORYTYPE_DEVICE,
		.srcDevice = rows->device,
		.srcPitch = rows->pitch,
		.dstMemoryType = CU_MEMORYTYPE_HOST,
		.dstHost = memory,
		.dstPitch = memory_pitch(rows),
		.WidthInBytes = rows->width,
		.Height = rows->height,
	};
	return s->driver->cuMemcpy2DAsync_v2(&copy, stream);
}

CUresult
serve_copy_htod(struct session *s, const void *argp, void *outp)
{
	const copy_htod_args *args = argp;
	const struct copy_rows rows = { args->dst, args->pitch, args->width, args->height, 0 };
	struct stream_ref ref;
	size_t size;

	if (!stream_find(s, args->hStream, &ref)) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	if (!copy_rows_size(&rows, &size) || size != s->call->payload_size) {
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
	CUresult result = copy_to_device(s, &rows, slot_memory(slot), ref.cuda);
	if (result != CUDA_SUCCESS) {
		slot_give(s, slot);
		return result;
	}
	stream_used(s, &ref);
	return slot_give_after(s, slot, &ref);
}

CUresult
serve_copy_dtoh(struct session *s, const void *argp, void *outp)
{
	const copy_dtoh_args *args = argp;
	const struct copy_rows rows = { args->src, args->pitch, args->width, args->height, 0 };
	struct stream_ref ref;
	size_t size;

	if (!stream_find(s, args->hStream, &ref)) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	if (!copy_rows_size(&rows, &size)) {
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
	CUresult result = copy_from_device(s, &rows, slot_memory(slot), ref.cuda);
	if (result == CUDA_SUCCESS) {
		stream_used(s, &ref);
		result = wait_add_stream(wait, &ref);
		if (result != CUDA_SUCCESS) {
			/* The slot must not be given away while the copy runs. */
			result = s->driver->cuStreamSynchronize(ref.cuda);
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
