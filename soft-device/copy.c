/* SPDX-License-Identifier: Apache-2.0 */
/* copy.c: copies of one to three dimensions, checked before they are submitted. */
#include "soft-device/copy.h"

#include <string.h>

#include "common/checked.h"
#include "common/cleanup.h"
#include "soft-device/allocation.h"
#include "soft-device/stream.h"

/* CUDA stages copies from pageable memory up to this size and returns at once. */
#define STAGED_MAX (64 << 10)

struct copy_task {
	struct task task;
	struct copy copy;
	unsigned char staged[]; /* the source, if it is here */
};

static void
copy_perform(const struct copy *c)
{
	for (size_t z = 0; z < c->depth; z++) {
		for (size_t y = 0; y < c->height; y++) {
			memmove((void *)(c->dst.address + z * c->dst.slice +
					 y * c->dst.pitch),
				(const void *)(c->src.address + z * c->src.slice +
					       y * c->src.pitch),
				c->width);
		}
	}
}

static CUresult
copy_run(struct task *task, CUresult failure)
{
	struct copy_task *t = (struct copy_task *)task;

	copy_perform(&t->copy);
	return CUDA_SUCCESS;
}

/* From the first to the last byte of one end. */
static bool
end_extent(const struct copy *c, const struct copy_end *end, size_t *ret_size)
{
	size_t rows;
	size_t planes;

	return checked_mul(c->height - 1, end->pitch, &rows) &&
	       checked_mul(c->depth - 1, end->slice, &planes) &&
	       checked_add(rows, planes, &rows) && checked_add(rows, c->width, ret_size);
}

/* Whether the copy may touch that end, and whether it is memory that we do not know. */
static bool
end_check(const struct copy *c, const struct copy_end *end, bool *ret_pageable)
{
	size_t size;
	struct allocation a;

	if ((c->height > 1 && end->pitch < c->width) || !end_extent(c, end, &size)) {
		return false;
	}
	if (end->address == 0 || end->address + size < end->address) {
		return false;
	}
	bool found = allocation_find(end->address, size, &a);

	*ret_pageable = !found;
	return found ||
	       (end->side != COPY_DEVICE && !allocation_in_window(end->address, size));
}

CUresult
copy_submit(CUstream hStream, const struct copy *copy, bool wait)
{
	USE_STREAM(stream, hStream);
	if (copy->width == 0 || copy->height == 0 || copy->depth == 0) {
		return CUDA_SUCCESS;
	}
	bool dst_pageable;
	bool src_pageable;

	if (!end_check(copy, &copy->dst, &dst_pageable) ||
		!end_check(copy, &copy->src, &src_pageable)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	bool stage = !wait && src_pageable && !dst_pageable && copy->height == 1 &&
		     copy->depth == 1 && copy->width <= STAGED_MAX;
	struct copy_task *t =
		task_new(sizeof(*t) + (stage ? copy->width : 0), copy_run, NULL);

	if (t == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	t->copy = *copy;
	if (stage) {
		memcpy(t->staged, (const void *)copy->src.address, copy->width);
		t->copy.src.address = (uint64_t)t->staged;
	}
	wait = wait || dst_pageable || (src_pageable && !stage);
	return stream_submit(stream, &t->task, wait, NULL);
}

static CUresult
copy_line(CUstream stream, uint64_t dst, enum copy_side dst_side, uint64_t src,
	enum copy_side src_side, size_t size, bool wait)
{
	return copy_submit(stream,
		&(struct copy){ .dst = { .side = dst_side, .address = dst },
			.src = { .side = src_side, .address = src },
			.width = size,
			.height = 1,
			.depth = 1 },
		wait);
}

CUresult
cuMemcpy(CUdeviceptr dst, CUdeviceptr src, size_t ByteCount)
{
	return copy_line(NULL, dst, COPY_ANY, src, COPY_ANY, ByteCount, true);
}

CUresult
cuMemcpyAsync(CUdeviceptr dst, CUdeviceptr src, size_t ByteCount, CUstream hStream)
{
	return copy_line(hStream, dst, COPY_ANY, src, COPY_ANY, ByteCount, false);
}

CUresult
cuMemcpyHtoD_v2(CUdeviceptr dstDevice, const void *srcHost, size_t ByteCount)
{
	return copy_line(NULL, dstDevice, COPY_DEVICE, (uint64_t)srcHost, COPY_HOST,
		ByteCount, true);
}

CUresult
cuMemcpyHtoDAsync_v2(
	CUdeviceptr dstDevice, const void *srcHost, size_t ByteCount, CUstream hStream)
{
	return copy_line(hStream, dstDevice, COPY_DEVICE, (uint64_t)srcHost, COPY_HOST,
		ByteCount, false);
}

CUresult
cuMemcpyDtoH_v2(void *dstHost, CUdeviceptr srcDevice, size_t ByteCount)
{
	return copy_line(NULL, (uint64_t)dstHost, COPY_HOST, srcDevice, COPY_DEVICE,
		ByteCount, true);
}

CUresult
cuMemcpyDtoHAsync_v2(
	void *dstHost, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream)
{
	return copy_line(hStream, (uint64_t)dstHost, COPY_HOST, srcDevice, COPY_DEVICE,
		ByteCount, false);
}

CUresult
cuMemcpyDtoD_v2(CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount)
{
	return copy_line(
		NULL, dstDevice, COPY_DEVICE, srcDevice, COPY_DEVICE, ByteCount, true);
}

CUresult
cuMemcpyDtoDAsync_v2(
	CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream)
{
	return copy_line(hStream, dstDevice, COPY_DEVICE, srcDevice, COPY_DEVICE,
		ByteCount, false);
}

/* Device memory is one address space: only the handles are to be checked. */
static CUresult
peers_check(CUcontext dst, CUcontext src)
{
	cleanup_object struct context *to = object_get(OBJECT_CONTEXT, dst);
	cleanup_object struct context *from = object_get(OBJECT_CONTEXT, src);

	return to != NULL && from != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

CUresult
cuMemcpyPeer(CUdeviceptr dstDevice, CUcontext dstContext, CUdeviceptr srcDevice,
	CUcontext srcContext, size_t ByteCount)
{
	TRY(peers_check(dstContext, srcContext));
	return cuMemcpyDtoD_v2(dstDevice, srcDevice, ByteCount);
}

CUresult
cuMemcpyPeerAsync(CUdeviceptr dstDevice, CUcontext dstContext, CUdeviceptr srcDevice,
	CUcontext srcContext, size_t ByteCount, CUstream hStream)
{
	TRY(peers_check(dstContext, srcContext));
	return cuMemcpyDtoDAsync_v2(dstDevice, srcDevice, ByteCount, hStream);
}

/* ---- two and three dimensions ---- */

/* One end as the 3D structures of CUDA describe it.  pitch 0: rows are dense. */
static CUresult
end_of(struct copy_end *end, CUmemorytype type, const void *host, CUdeviceptr device,
	size_t pitch, size_t height, const size_t at[3], const struct copy *c)
{
	switch (type) {
	case CU_MEMORYTYPE_HOST:
		end->side = COPY_HOST;
		end->address = (uint64_t)host;
		break;
	case CU_MEMORYTYPE_DEVICE:
		end->side = COPY_DEVICE;
		end->address = device;
		break;
	case CU_MEMORYTYPE_UNIFIED:
		end->side = COPY_ANY;
		end->address = device;
		break;
	case CU_MEMORYTYPE_ARRAY: {
		static bool said;

		unsupported_call("a copy from or to an array", &said);
		return CUDA_ERROR_NOT_SUPPORTED;
	}
	default: return CUDA_ERROR_INVALID_VALUE;
	}
	end->pitch = pitch != 0 ? pitch : c->width + at[0];
	height = height != 0 ? height : c->height + at[1];

	size_t y;
	size_t z;
	size_t offset;

	if (!checked_mul(end->pitch, height, &end->slice) ||
		!checked_mul(at[1], end->pitch, &y) ||
		!checked_mul(at[2], end->slice, &z) || !checked_add(y, z, &offset) ||
		!checked_add(offset, at[0], &offset) || end->address == 0 ||
		__builtin_add_overflow(end->address, offset, &end->address)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	return CUDA_SUCCESS;
}

static CUresult
copy_box(const CUDA_MEMCPY3D *p, CUstream stream, bool wait)
{
	if (p->srcLOD != 0 || p->dstLOD != 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	struct copy c = {
		.width = p->WidthInBytes, .height = p->Height, .depth = p->Depth
	};

	if (c.width == 0 || c.height == 0 || c.depth == 0) {
		USE_STREAM(unused, stream);
		return CUDA_SUCCESS;
	}
	TRY(end_of(&c.src, p->srcMemoryType, p->srcHost, p->srcDevice, p->srcPitch,
		p->srcHeight, (size_t[]){ p->srcXInBytes, p->srcY, p->srcZ }, &c));
	TRY(end_of(&c.dst, p->dstMemoryType, p->dstHost, p->dstDevice, p->dstPitch,
		p->dstHeight, (size_t[]){ p->dstXInBytes, p->dstY, p->dstZ }, &c));
	return copy_submit(stream, &c, wait);
}

static CUresult
copy_plane(const CUDA_MEMCPY2D *p, CUstream stream, bool wait)
{
	if (p == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	return copy_box(&(CUDA_MEMCPY3D){ .srcXInBytes = p->srcXInBytes,
				.srcY = p->srcY,
				.srcMemoryType = p->srcMemoryType,
				.srcHost = p->srcHost,
				.srcDevice = p->srcDevice,
				.srcPitch = p->srcPitch,
				.dstXInBytes = p->dstXInBytes,
				.dstY = p->dstY,
				.dstMemoryType = p->dstMemoryType,
				.dstHost = p->dstHost,
				.dstDevice = p->dstDevice,
				.dstPitch = p->dstPitch,
				.WidthInBytes = p->WidthInBytes,
				.Height = p->Height,
				.Depth = 1 },
		stream, wait);
}

CUresult
cuMemcpy2D_v2(const CUDA_MEMCPY2D *pCopy)
{
	return copy_plane(pCopy, NULL, true);
}

CUresult
cuMemcpy2DUnaligned_v2(const CUDA_MEMCPY2D *pCopy)
{
	return copy_plane(pCopy, NULL, true);
}

CUresult
cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D *pCopy, CUstream hStream)
{
	return copy_plane(pCopy, hStream, false);
}

CUresult
cuMemcpy3D_v2(const CUDA_MEMCPY3D *pCopy)
{
	return pCopy == NULL ? CUDA_ERROR_INVALID_VALUE : copy_box(pCopy, NULL, true);
}

CUresult
cuMemcpy3DAsync_v2(const CUDA_MEMCPY3D *pCopy, CUstream hStream)
{
	return pCopy == NULL ? CUDA_ERROR_INVALID_VALUE : copy_box(pCopy, hStream, false);
}

static CUresult
copy_peer_box(const CUDA_MEMCPY3D_PEER *p, CUstream stream, bool wait)
{
	if (p == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	TRY(peers_check(p->dstContext, p->srcContext));
	return copy_box(&(CUDA_MEMCPY3D){ .srcXInBytes = p->srcXInBytes,
				.srcY = p->srcY,
				.srcZ = p->srcZ,
				.srcLOD = p->srcLOD,
				.srcMemoryType = p->srcMemoryType,
				.srcHost = p->srcHost,
				.srcDevice = p->srcDevice,
				.srcPitch = p->srcPitch,
				.srcHeight = p->srcHeight,
				.dstXInBytes = p->dstXInBytes,
				.dstY = p->dstY,
				.dstZ = p->dstZ,
				.dstLOD = p->dstLOD,
				.dstMemoryType = p->dstMemoryType,
				.dstHost = p->dstHost,
				.dstDevice = p->dstDevice,
				.dstPitch = p->dstPitch,
				.dstHeight = p->dstHeight,
				.WidthInBytes = p->WidthInBytes,
				.Height = p->Height,
				.Depth = p->Depth },
		stream, wait);
}

CUresult
cuMemcpy3DPeer(const CUDA_MEMCPY3D_PEER *pCopy)
{
	return copy_peer_box(pCopy, NULL, true);
}

CUresult
cuMemcpy3DPeerAsync(const CUDA_MEMCPY3D_PEER *pCopy, CUstream hStream)
{
	return copy_peer_box(pCopy, hStream, false);
}
