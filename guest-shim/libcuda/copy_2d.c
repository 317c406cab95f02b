/* SPDX-License-Identifier: Apache-2.0 */
/* copy_2d.c: copies of rows and of boxes. */
#include "common/checked.h"
#include "guest-shim/libcuda/api.h"
#include "guest-shim/libcuda/copy.h"
#include "guest-shim/libcuda/guest.h"
#include "guest-shim/libcuda/unsupported.h"

/* One end of a box, as the program describes it. */
struct corner {
	CUmemorytype type;
	const void *host;
	CUdeviceptr device;
	size_t x, y, z;
	size_t pitch;  /* 0: as wide as the copy, if it is one row or packed */
	size_t height; /* rows from slice to slice */
};

/* Where the first byte is; CUDA lets a pitch of 0 mean "packed". */
static CUresult
end_of(const struct corner *corner, size_t width, struct copy_end *ret_end,
	size_t *ret_slice)
{
	size_t pitch = corner->pitch != 0 ? corner->pitch : corner->x + width;
	size_t skipped_rows, skipped, slice = 0, address;

	switch (corner->type) {
	case CU_MEMORYTYPE_HOST:
		address = (uintptr_t)corner->host;
		break;
	case CU_MEMORYTYPE_DEVICE:
	case CU_MEMORYTYPE_UNIFIED:
		address = corner->device;
		break;
	case CU_MEMORYTYPE_ARRAY:
		return UNSUPPORTED("copying to and from CUDA arrays");
	default:
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (address == 0 || pitch < width) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (!checked_mul(corner->z, corner->height, &skipped_rows) ||
		!checked_add(skipped_rows, corner->y, &skipped_rows) ||
		!checked_mul(skipped_rows, pitch, &skipped) ||
		!checked_add(skipped, corner->x, &skipped) ||
		!checked_add(address, skipped, &address) ||
		!checked_mul(pitch, corner->height, &slice)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*ret_end = (struct copy_end){ .address = address, .pitch = pitch,
		.is_device = corner->type == CU_MEMORYTYPE_DEVICE };
	*ret_slice = slice;
	return CUDA_SUCCESS;
}

static CUresult
copy_box(const struct corner *dst, const struct corner *src, size_t width, size_t height,
	size_t depth, CUstream stream, bool wait)
{
	struct copy copy = { .width = width, .height = height, .stream = stream, .wait = wait };
	size_t dst_slice, src_slice;

	if (width == 0 || height == 0 || depth == 0) {
		return CUDA_SUCCESS;
	}
	CUresult result = end_of(dst, width, &copy.dst, &dst_slice);
	if (result == CUDA_SUCCESS) {
		result = end_of(src, width, &copy.src, &src_slice);
	}
	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (depth > 1 && (dst->height < height || src->height < height)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	/* Slices that follow each other are but more rows. */
	if (dst->height == height && src->height == height && depth > 1 &&
		checked_mul(height, depth, &copy.height)) {
		return copy_run(&copy);
	}
	for (size_t z = 0; z < depth && result == CUDA_SUCCESS; z++) {
		result = copy_run(&copy);
		copy.dst.address += dst_slice;
		copy.src.address += src_slice;
	}
	return result;
}

static CUresult
copy_2d(const CUDA_MEMCPY2D *c, CUstream stream, bool wait)
{
	if (c == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	return copy_box(
		&(struct corner){ .type = c->dstMemoryType, .host = c->dstHost,
			.device = c->dstDevice, .x = c->dstXInBytes, .y = c->dstY,
			.pitch = c->dstPitch },
		&(struct corner){ .type = c->srcMemoryType, .host = c->srcHost,
			.device = c->srcDevice, .x = c->srcXInBytes, .y = c->srcY,
			.pitch = c->srcPitch },
		c->WidthInBytes, c->Height, 1, stream, wait);
}

CUDA_EXPORT CUresult CUDAAPI
cuMemcpy2D_v2(const CUDA_MEMCPY2D *pCopy)
{
	return copy_2d(pCopy, NULL, true);
}

CUDA_EXPORT CUresult CUDAAPI
cuMemcpy2D_v2_ptds(const CUDA_MEMCPY2D *pCopy)
{
	return copy_2d(pCopy, CU_STREAM_PER_THREAD, true);
}

CUDA_EXPORT CUresult CUDAAPI
cuMemcpy2DUnaligned_v2(const CUDA_MEMCPY2D *pCopy)
{
	return copy_2d(pCopy, NULL, true);
}

CUDA_EXPORT CUresult CUDAAPI
cuMemcpy2DUnaligned_v2_ptds(const CUDA_MEMCPY2D *pCopy)
{
	return copy_2d(pCopy, CU_STREAM_PER_THREAD, true);
}

CUDA_EXPORT CUresult CUDAAPI
cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D *pCopy, CUstream hStream)
{
	return copy_2d(pCopy, hStream, false);
}

static CUresult
copy_3d(const CUDA_MEMCPY3D *c, CUstream stream, bool wait)
{
	if (c == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	return copy_box(
		&(struct corner){ .type = c->dstMemoryType, .host = c->dstHost,
			.device = c->dstDevice, .x = c->dstXInBytes, .y = c->dstY, .z = c->dstZ,
			.pitch = c->dstPitch, .height = c->dstHeight },
		&(struct corner){ .type = c->srcMemoryType, .host = c->srcHost,
			.device = c->srcDevice, .x = c->srcXInBytes, .y = c->srcY, .z = c->srcZ,
			.pitch = c->srcPitch, .height = c->srcHeight },
		c->WidthInBytes, c->Height, c->Depth, stream, wait);
}

CUDA_EXPORT CUresult CUDAAPI
cuMemcpy3D_v2(const CUDA_MEMCPY3D *pCopy)
{
	return copy_3d(pCopy, NULL, true);
}

CUDA_EXPORT CUresult CUDAAPI
cuMemcpy3D_v2_ptds(const CUDA_MEMCPY3D *pCopy)
{
	return copy_3d(pCopy, CU_STREAM_PER_THREAD, true);
}

CUDA_EXPORT CUresult CUDAAPI
cuMemcpy3DAsync_v2(const CUDA_MEMCPY3D *pCopy, CUstream hStream)
{
	return copy_3d(pCopy, hStream, false);
}
