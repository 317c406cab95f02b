/* SPDX-License-Identifier: Apache-2.0 */
/* copy.c: copies of one row, and what all copies share: which way, and is it allowed.
 *
 * Memory that the host shares (arena.h) is copied from and to directly, when the stream has
 * got so far, as CUDA copies pinned memory.  For other memory:  To the device: sent one-way;
 * the bytes have left the program's buffer on return, so that it may be used again, pinned
 * or not.  From the device: waited for, unless it is an asynchronous copy into memory that
 * the map knows. */
#include "guest-shim/libcuda/copy.h"

#include <stdatomic.h>
#include <string.h>

#include "common/checked.h"
#include "guest-shim/libcuda/api.h"
#include "guest-shim/libcuda/arena.h"
#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/copy_pending.h"
#include "guest-shim/libcuda/copy_train.h"
#include "guest-shim/libcuda/guest.h"
#include "guest-shim/libcuda/map.h"
#include "guest-shim/libcuda/staging.h"
#include "guest-shim/libcuda/stream.h"
#include "remote.h"

/* One end, looked up. */
struct place {
	bool is_device;
	bool is_known; /* lies in one entry of the map */
	bool is_shared; /* and that in the arena, at offset */
	uint64_t address;
	uint64_t offset;
	size_t pitch;
};

/* Bytes from the first to the last of all rows. */
static bool
extent(const struct copy *copy, const struct copy_end *end, size_t *ret_size)
{
	size_t before_last = 0;

	return (copy->height == 1 || checked_mul(end->pitch, copy->height - 1, &before_last)) &&
		checked_add(before_last, copy->width, ret_size);
}

static CUresult
locate(const struct copy *copy, const struct copy_end *end, struct place *ret_place)
{
	struct map_entry entry;
	struct place place = { .address = end->address, .pitch = end->pitch };
	size_t size;

	if (end->address == 0 || (copy->height > 1 && end->pitch < copy->width) ||
		!extent(copy, end, &size)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (map_find(end->address, &entry)) {
		place.is_device = map_is_device(&entry);
		place.is_known =
			checked_range(end->address - entry.start, size, entry.size);
		place.is_shared = place.is_known && entry.kind == MAP_HOST &&
			arena_offset(end->address, &place.offset);
		if (place.is_device && !place.is_known) {
			return CUDA_ERROR_INVALID_VALUE;
		}
	} else if (end->is_device) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*ret_place = place;
	return CUDA_SUCCESS;
}

static struct copy_train
train_of(const struct copy *copy, const struct place *device, const struct place *host,
	call_handle stream)
{
	return (struct copy_train){ .device = device->address, .device_pitch = device->pitch,
		.host = (unsigned char *)(uintptr_t)host->address, .host_pitch = host->pitch,
		.width = copy->width, .height = copy->height, .stream = stream };
}

static bool
is_staged(const struct copy_train *train, size_t min)
{
	return train->width >= min || train->width * train->height >= min;
}

/* The host's end is shared: nothing is sent but where it is. */
static CUresult
shared(const struct copy *copy, const struct place *device, const struct place *host,
	call_handle stream)
{
	struct arena_copy shared = { .device = device->address,
		.device_pitch = device->pitch, .offset = host->offset,
		.host_pitch = host->pitch, .width = copy->width, .height = copy->height,
		.stream = stream };
	uint64_t mark = copy_pending_mark();

	if (copy->height > 1 && device->pitch == copy->width && host->pitch == copy->width) {
		shared.width *= copy->height;
		shared.height = 1;
	}
	CUresult result = host->address == copy->src.address
		? arena_copy_to_device(&shared)
		: arena_copy_to_host(&shared);
	if (result != CUDA_SUCCESS || !copy->wait) {
		return result;
	}
	/* The stream is known to have work: no need to look whether the context has. */
	cuStreamSynchronize_args args = { .hStream = stream };
	cuStreamSynchronize_ret ret = { 0 };
	result = guest_call(CALL_cuStreamSynchronize, &args, &ret);
	CUresult earlier = copy_pending_wait_stream(stream, mark);
	return result != CUDA_SUCCESS ? result : earlier;
}

static CUresult
to_device(const struct copy *copy, const struct place *dst, const struct place *src,
	call_handle stream)
{
	struct copy_train train = train_of(copy, dst, src, stream);
	struct context *context = thread_self.current;
	size_t size;

	if (src->is_shared) {
		return shared(copy, dst, src, stream);
	}
	/* A copy to the guest that has not arrived may be what is to be sent. */
	if (src->is_known && extent(copy, &copy->src, &size)) {
		CUresult result = copy_pending_wait_range(src->address, size);
		if (result != CUDA_SUCCESS) {
			return result;
		}
	}
	CUresult result = is_staged(&train, STAGING_SEND_MIN) ? staging_send(&train)
							  : copy_train_send(&train);
	/* CUDA's has reached the device when it returns.  Whoever comes after it in an
	 * ordinary stream comes after it on the host, too; not so in a non-blocking one. */
	if (result == CUDA_SUCCESS && copy->wait &&
		atomic_load_explicit(&context->n_nonblocking, memory_order_relaxed) > 0) {
		result = stream_synchronize(stream);
	}
	return result;
}

static CUresult
to_host(const struct copy *copy, const struct place *dst, const struct place *src,
	call_handle stream)
{
	struct copy_train train = train_of(copy, src, dst, stream);

	if (dst->is_shared) {
		return shared(copy, src, dst, stream);
	}
	if (!copy->wait && dst->is_known && (copy->height == 1 || dst->pitch == copy->width)) {
		return copy_train_start(&train);
	}
	struct context *context = thread_self.current;
	uint64_t mark = copy_pending_mark(), wait = context_quiet_begin(context);
	CUresult result = is_staged(&train, STAGING_FETCH_MIN) ? staging_fetch(&train)
							   : copy_train_fetch(&train);
	/* Programs like to synchronise the stream then, and need not ask again. */
	if (result == CUDA_SUCCESS) {
		context_quiet_end(context, wait, stream);
	}
	CUresult earlier = copy_pending_wait_stream(stream, mark);
	return result != CUDA_SUCCESS ? result : earlier;
}

static CUresult
within_device(const struct copy *copy, const struct place *dst, const struct place *src,
	call_handle stream)
{
	if (copy->height == 1 || (dst->pitch == copy->width && src->pitch == copy->width)) {
		cuMemcpyDtoDAsync_v2_args args = { .dstDevice = dst->address,
			.srcDevice = src->address, .ByteCount = copy->width * copy->height,
			.hStream = stream };
		return guest_post(CALL_cuMemcpyDtoDAsync_v2, &args);
	}
	copy_dtod_2d_args args = { .dst = dst->address, .dst_pitch = dst->pitch,
		.src = src->address, .src_pitch = src->pitch, .width = copy->width,
		.height = copy->height, .hStream = stream };
	return guest_post(CALL_copy_dtod_2d, &args);
}

static CUresult
within_host(const struct copy *copy, call_handle stream)
{
	unsigned char *to = (unsigned char *)(uintptr_t)copy->dst.address;
	const unsigned char *from = (const unsigned char *)(uintptr_t)copy->src.address;

	CUresult result = stream_synchronize(stream);
	if (result != CUDA_SUCCESS) {
		return result;
	}
	for (size_t row = 0; row < copy->height; row++) {
		memmove(to + row * copy->dst.pitch, from + row * copy->src.pitch, copy->width);
	}
	return CUDA_SUCCESS;
}

CUresult
copy_run(const struct copy *copy)
{
	struct context *context;
	struct place dst, src;
	call_handle stream;

	CUresult result = context_current(&context);
	if (result == CUDA_SUCCESS) {
		result = guest_pack_stream(copy->stream, &stream);
	}
	if (result != CUDA_SUCCESS || copy->width == 0 || copy->height == 0) {
		return result;
	}
	result = locate(copy, &copy->dst, &dst);
	if (result == CUDA_SUCCESS) {
		result = locate(copy, &copy->src, &src);
	}
	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (dst.is_device) {
		return src.is_device ? within_device(copy, &dst, &src, stream)
				     : to_device(copy, &dst, &src, stream);
	}
	return src.is_device ? to_host(copy, &dst, &src, stream) : within_host(copy, stream);
}

/* ---- one row ---- */

enum { TO_DEVICE = 1, FROM_DEVICE = 2 };

static CUresult
copy_row(uint64_t dst, uint64_t src, size_t size, int says, CUstream stream, bool wait)
{
	return copy_run(&(struct copy){
		.dst = { .address = dst, .is_device = says & TO_DEVICE },
		.src = { .address = src, .is_device = says & FROM_DEVICE },
		.width = size, .height = 1, .stream = stream, .wait = wait });
}

CUDA_EXPORT CUresult CUDAAPI
cuMemcpyHtoD_v2(CUdeviceptr dstDevice, const void *srcHost, size_t ByteCount)
{
	return copy_row(dstDevice, (uintptr_t)srcHost, ByteCount, TO_DEVICE, NULL, true);
}

CUDA_EXPORT CUresult CUDAAPI
cuMemcpyHtoD_v2_ptds(CUdeviceptr dstDevice, const void *srcHost, size_t ByteCount)
{
	return copy_row(dstDevice, (uintptr_t)srcHost, ByteCount, TO_DEVICE,
		CU_STREAM_PER_THREAD, true);
}

CUDA_EXPORT CUresult CUDAAPI
cuMemcpyHtoDAsync_v2(CUdeviceptr dstDevice, const void *srcHost, size_t ByteCount,
	CUstream hStream)
{
	return copy_row(dstDevice, (uintptr_t)srcHost, ByteCount, TO_DEVICE, hStream, false);
}

CUDA_EXPORT CUresult CUDAAPI
cuMemcpyDtoH_v2(void *dstHost, CUdeviceptr srcDevice, size_t ByteCount)
{
	return copy_row((uintptr_t)dstHost, srcDevice, ByteCount, FROM_DEVICE, NULL, true);
}

CUDA_EXPORT CUresult CUDAAPI
cuMemcpyDtoH_v2_ptds(void *dstHost, CUdeviceptr srcDevice, size_t ByteCount)
{
	return copy_row((uintptr_t)dstHost, srcDevice, ByteCount, FROM_DEVICE,
		CU_STREAM_PER_THREAD, true);
}

CUDA_EXPORT CUresult CUDAAPI
cuMemcpyDtoHAsync_v2(void *dstHost, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream)
{
	return copy_row((uintptr_t)dstHost, srcDevice, ByteCount, FROM_DEVICE, hStream, false);
}

CUDA_EXPORT CUresult CUDAAPI
cuMemcpyDtoD_v2(CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount)
{
	return copy_row(dstDevice, srcDevice, ByteCount, TO_DEVICE | FROM_DEVICE, NULL, true);
}

CUDA_EXPORT CUresult CUDAAPI
cuMemcpyDtoD_v2_ptds(CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount)
{
	return copy_row(dstDevice, srcDevice, ByteCount, TO_DEVICE | FROM_DEVICE,
		CU_STREAM_PER_THREAD, true);
}

CUDA_EXPORT CUresult CUDAAPI
cuMemcpyDtoDAsync_v2(CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount,
	CUstream hStream)
{
	return copy_row(dstDevice, srcDevice, ByteCount, TO_DEVICE | FROM_DEVICE, hStream,
		false);
}

/* Which way is for the map to find out. */
CUDA_EXPORT CUresult CUDAAPI
cuMemcpy(CUdeviceptr dst, CUdeviceptr src, size_t ByteCount)
{
	return copy_row(dst, src, ByteCount, 0, NULL, true);
}

CUDA_EXPORT CUresult CUDAAPI
cuMemcpy_ptds(CUdeviceptr dst, CUdeviceptr src, size_t ByteCount)
{
	return copy_row(dst, src, ByteCount, 0, CU_STREAM_PER_THREAD, true);
}

CUDA_EXPORT CUresult CUDAAPI
cuMemcpyAsync(CUdeviceptr dst, CUdeviceptr src, size_t ByteCount, CUstream hStream)
{
	return copy_row(dst, src, ByteCount, 0, hStream, false);
}

/* ---- between devices ---- */

CUDA_EXPORT CUresult CUDAAPI
cuMemcpyPeerAsync(CUdeviceptr dstDevice, CUcontext dstContext, CUdeviceptr srcDevice,
	CUcontext srcContext, size_t ByteCount, CUstream hStream)
{
	struct map_entry dst, src;
	struct context *context;
	CUresult result = context_current(&context);

	if (result != CUDA_SUCCESS || ByteCount == 0) {
		return result;
	}
	if (!map_find(dstDevice, &dst) || !map_find(srcDevice, &src) || !map_is_device(&dst) ||
		!map_is_device(&src) ||
		!checked_range(dstDevice - dst.start, ByteCount, dst.size) ||
		!checked_range(srcDevice - src.start, ByteCount, src.size)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	return remote_cuMemcpyPeerAsync(
		dstDevice, dstContext, srcDevice, srcContext, ByteCount, hStream);
}

CUDA_EXPORT CUresult CUDAAPI
cuMemcpyPeer(CUdeviceptr dstDevice, CUcontext dstContext, CUdeviceptr srcDevice,
	CUcontext srcContext, size_t ByteCount)
{
	return cuMemcpyPeerAsync(dstDevice, dstContext, srcDevice, srcContext, ByteCount, NULL);
}

CUDA_EXPORT CUresult CUDAAPI
cuMemcpyPeer_ptds(CUdeviceptr dstDevice, CUcontext dstContext, CUdeviceptr srcDevice,
	CUcontext srcContext, size_t ByteCount)
{
	return cuMemcpyPeerAsync(dstDevice, dstContext, srcDevice, srcContext, ByteCount,
		CU_STREAM_PER_THREAD);
}
