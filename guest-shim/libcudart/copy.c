/* SPDX-License-Identifier: Apache-2.0 */
/* copy.c: copies of linear memory, of rectangles and of boxes.
 *
 * The kind of a copy is the program's promise about the two pointers; with unified
 * addresses the driver can also find out itself (cudaMemcpyDefault).  A synchronous copy
 * in the legacy stream has driver functions of its own; in a thread's own stream it is
 * an asynchronous copy and a wait. */
#include "guest-shim/libcudart/copy.h"

#include <string.h>

#include "common/checked.h"
#include "guest-shim/libcudart/driver.h"

static bool
copy_kind_valid(enum cudaMemcpyKind kind)
{
	return (unsigned)kind <= cudaMemcpyDefault;
}

static cudaError_t
copy_finish(cudaError_t error, struct copy_order order)
{
	return error == cudaSuccess && order.sync && order.stream != NULL
		       ? CALL(cuStreamSynchronize, order.stream)
		       : error;
}

cudaError_t
copy_linear(void *dst, const void *src, size_t size, enum cudaMemcpyKind kind,
	struct copy_order order)
{
	CUdeviceptr to = (CUdeviceptr)dst;
	CUdeviceptr from = (CUdeviceptr)src;
	cudaError_t error = device_enter();
	if (error != cudaSuccess) {
		return error;
	}
	if (size == 0) {
		return cudaSuccess;
	}
	if (!copy_kind_valid(kind)) {
		return cudaErrorInvalidMemcpyDirection;
	}
	if (order.sync && order.stream == NULL) {
		switch (kind) {
		case cudaMemcpyHostToDevice: return CALL(cuMemcpyHtoD, to, src, size);
		case cudaMemcpyDeviceToHost: return CALL(cuMemcpyDtoH, dst, from, size);
		case cudaMemcpyDeviceToDevice: return CALL(cuMemcpyDtoD, to, from, size);
		default: return CALL(cuMemcpy, to, from, size);
		}
	}
	switch (kind) {
	case cudaMemcpyHostToDevice:
		error = CALL(cuMemcpyHtoDAsync, to, src, size, order.stream);
		break;
	case cudaMemcpyDeviceToHost:
		error = CALL(cuMemcpyDtoHAsync, dst, from, size, order.stream);
		break;
	case cudaMemcpyDeviceToDevice:
		error = CALL(cuMemcpyDtoDAsync, to, from, size, order.stream);
		break;
	default: error = CALL(cuMemcpyAsync, to, from, size, order.stream); break;
	}
	return copy_finish(error, order);
}

static bool
copy_from_host(enum cudaMemcpyKind kind)
{
	return kind == cudaMemcpyHostToDevice || kind == cudaMemcpyHostToHost;
}

static bool
copy_to_host(enum cudaMemcpyKind kind)
{
	return kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyHostToHost;
}

static CUmemorytype
copy_memory_type(bool host, enum cudaMemcpyKind kind)
{
	if (kind == cudaMemcpyDefault) {
		return CU_MEMORYTYPE_UNIFIED;
	}
	return host ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
}

cudaError_t
copy_rectangle(struct copy_end dst, struct copy_end src, size_t width, size_t height,
	enum cudaMemcpyKind kind, struct copy_order order)
{
	CUDA_MEMCPY2D copy = {
		.srcXInBytes = src.x_bytes,
		.srcY = src.y,
		.srcMemoryType = src.array != NULL
					 ? CU_MEMORYTYPE_ARRAY
					 : copy_memory_type(copy_from_host(kind), kind),
		.srcHost = src.memory,
		.srcDevice = (CUdeviceptr)src.memory,
		.srcArray = (CUarray)src.array,
		.srcPitch = src.pitch,
		.dstXInBytes = dst.x_bytes,
		.dstY = dst.y,
		.dstMemoryType = dst.array != NULL
					 ? CU_MEMORYTYPE_ARRAY
					 : copy_memory_type(copy_to_host(kind), kind),
		.dstHost = (void *)dst.memory,
		.dstDevice = (CUdeviceptr)dst.memory,
		.dstArray = (CUarray)dst.array,
		.dstPitch = dst.pitch,
		.WidthInBytes = width,
		.Height = height,
	};
	cudaError_t error = device_enter();
	if (error != cudaSuccess) {
		return error;
	}
	if (width == 0 || height == 0) {
		return cudaSuccess;
	}
	if ((src.array == NULL && height > 1 && src.pitch < width) ||
		(dst.array == NULL && height > 1 && dst.pitch < width)) {
		return cudaErrorInvalidPitchValue;
	}
	if (!copy_kind_valid(kind)) {
		return cudaErrorInvalidMemcpyDirection;
	}
	if (order.sync && order.stream == NULL) {
		/* The plain form restricts pitches between two places on the device. */
		return CALL(cuMemcpy2DUnaligned, &copy);
	}
	return copy_finish(CALL(cuMemcpy2DAsync, &copy, order.stream), order);
}

cudaError_t
copy_2d(void *dst, size_t dst_pitch, const void *src, size_t src_pitch, size_t width,
	size_t height, enum cudaMemcpyKind kind, struct copy_order order)
{
	struct copy_end to = { .memory = dst, .pitch = dst_pitch };
	struct copy_end from = { .memory = src, .pitch = src_pitch };

	/* Which error it is depends on the height, as measured with CUDA 12.9 and 13.0.
	 */
	if (height == 1 && (dst_pitch < width || src_pitch < width)) {
		return cudaErrorInvalidValue;
	}
	return copy_rectangle(to, from, width, height, kind, order);
}

/* Bytes per element of an array. */
static cudaError_t
copy_element_size(cudaArray_const_t array, size_t *ret_size)
{
	CUDA_ARRAY3D_DESCRIPTOR descriptor;
	cudaError_t error = CALL(cuArray3DGetDescriptor, &descriptor, (CUarray)array);
	if (error != cudaSuccess) {
		return error;
	}
	switch (descriptor.Format) {
	case CU_AD_FORMAT_UNSIGNED_INT8:
	case CU_AD_FORMAT_SIGNED_INT8: *ret_size = descriptor.NumChannels; break;
	case CU_AD_FORMAT_UNSIGNED_INT16:
	case CU_AD_FORMAT_SIGNED_INT16:
	case CU_AD_FORMAT_HALF: *ret_size = 2 * (size_t)descriptor.NumChannels; break;
	case CU_AD_FORMAT_UNSIGNED_INT32:
	case CU_AD_FORMAT_SIGNED_INT32:
	case CU_AD_FORMAT_FLOAT: *ret_size = 4 * (size_t)descriptor.NumChannels; break;
	default: return cudaErrorNotSupported;
	}
	return cudaSuccess;
}

static cudaError_t
copy_rows_of_array(struct copy_end end, size_t *ret_row_size)
{
	CUDA_ARRAY3D_DESCRIPTOR descriptor;
	size_t element;
	cudaError_t error = CALL(cuArray3DGetDescriptor, &descriptor, (CUarray)end.array);
	if (error == cudaSuccess) {
		error = copy_element_size(end.array, &element);
	}
	if (error == cudaSuccess &&
		!checked_mul(descriptor.Width, element, ret_row_size)) {
		error = cudaErrorInvalidValue;
	}
	return error;
}

cudaError_t
copy_rows(struct copy_end dst, struct copy_end src, size_t count,
	enum cudaMemcpyKind kind, struct copy_order order)
{
	size_t dst_row = SIZE_MAX;
	size_t src_row = SIZE_MAX;
	cudaError_t error = device_enter();
	if (error == cudaSuccess && dst.array != NULL) {
		error = copy_rows_of_array(dst, &dst_row);
	}
	if (error == cudaSuccess && src.array != NULL) {
		error = copy_rows_of_array(src, &src_row);
	}
	if (error != cudaSuccess) {
		return error;
	}
	if (dst.x_bytes > dst_row || src.x_bytes > src_row) {
		return cudaErrorInvalidValue;
	}
	/* Row by row: at most as many copies as the array has rows, because the driver
	 * refuses the first one past its end. */
	while (count > 0) {
		if (dst.x_bytes == dst_row) {
			dst.x_bytes = 0;
			dst.y++;
		}
		if (src.x_bytes == src_row) {
			src.x_bytes = 0;
			src.y++;
		}
		size_t n = count;
		n = n < dst_row - dst.x_bytes ? n : dst_row - dst.x_bytes;
		n = n < src_row - src.x_bytes ? n : src_row - src.x_bytes;
		if (n == 0) {
			return cudaErrorInvalidValue;
		}
		error = copy_rectangle(dst, src, n, 1, kind, order);
		if (error != cudaSuccess) {
			return error;
		}
		dst.x_bytes += n;
		src.x_bytes += n;
		count -= n;
	}
	return cudaSuccess;
}

/* The unit of extents and of positions in arrays is the element, elsewhere the byte. */
static cudaError_t
copy_units(cudaArray_const_t dst, cudaArray_const_t src, size_t *ret_dst_unit,
	size_t *ret_src_unit, size_t *ret_extent_unit)
{
	size_t dst_unit = 1;
	size_t src_unit = 1;
	cudaError_t error = cudaSuccess;
	if (dst != NULL) {
		error = copy_element_size(dst, &dst_unit);
	}
	if (src != NULL && error == cudaSuccess) {
		error = copy_element_size(src, &src_unit);
	}
	if (dst != NULL && src != NULL && dst_unit != src_unit && error == cudaSuccess) {
		error = cudaErrorInvalidValue;
	}
	if (error == cudaSuccess) {
		*ret_dst_unit = dst_unit;
		*ret_src_unit = src_unit;
		*ret_extent_unit = dst != NULL ? dst_unit : src_unit;
	}
	return error;
}

cudaError_t
copy_3d_describe(const struct cudaMemcpy3DParms *p, CUDA_MEMCPY3D *ret_copy)
{
	size_t dst_unit;
	size_t src_unit;
	size_t unit;
	cudaError_t error = p == NULL ? cudaErrorInvalidValue : device_enter();
	if (error != cudaSuccess) {
		return error;
	}
	if (!copy_kind_valid(p->kind)) {
		return cudaErrorInvalidMemcpyDirection;
	}
	/* Each end is an array or memory, and not both. */
	if ((p->srcArray != NULL) == (p->srcPtr.ptr != NULL) ||
		(p->dstArray != NULL) == (p->dstPtr.ptr != NULL)) {
		return cudaErrorInvalidValue;
	}
	error = copy_units(p->dstArray, p->srcArray, &dst_unit, &src_unit, &unit);
	if (error != cudaSuccess) {
		return error;
	}
	CUDA_MEMCPY3D copy = {
		.srcY = p->srcPos.y,
		.srcZ = p->srcPos.z,
		.srcMemoryType =
			p->srcArray != NULL
				? CU_MEMORYTYPE_ARRAY
				: copy_memory_type(copy_from_host(p->kind), p->kind),
		.srcHost = p->srcPtr.ptr,
		.srcDevice = (CUdeviceptr)p->srcPtr.ptr,
		.srcArray = (CUarray)p->srcArray,
		.srcPitch = p->srcPtr.pitch,
		.srcHeight = p->srcPtr.ysize,
		.dstY = p->dstPos.y,
		.dstZ = p->dstPos.z,
		.dstMemoryType =
			p->dstArray != NULL
				? CU_MEMORYTYPE_ARRAY
				: copy_memory_type(copy_to_host(p->kind), p->kind),
		.dstHost = p->dstPtr.ptr,
		.dstDevice = (CUdeviceptr)p->dstPtr.ptr,
		.dstArray = (CUarray)p->dstArray,
		.dstPitch = p->dstPtr.pitch,
		.dstHeight = p->dstPtr.ysize,
		.Height = p->extent.height,
		.Depth = p->extent.depth,
	};
	if (!checked_mul(p->srcPos.x, src_unit, &copy.srcXInBytes) ||
		!checked_mul(p->dstPos.x, dst_unit, &copy.dstXInBytes) ||
		!checked_mul(p->extent.width, unit, &copy.WidthInBytes)) {
		return cudaErrorInvalidValue;
	}
	if ((p->srcArray == NULL && p->srcPtr.pitch < copy.WidthInBytes) ||
		(p->dstArray == NULL && p->dstPtr.pitch < copy.WidthInBytes)) {
		return copy.Height == 1 && copy.Depth == 1 ? cudaErrorInvalidValue
							   : cudaErrorInvalidPitchValue;
	}
	*ret_copy = copy;
	return cudaSuccess;
}

cudaError_t
copy_3d(const struct cudaMemcpy3DParms *p, struct copy_order order)
{
	CUDA_MEMCPY3D copy;
	if (p != NULL &&
		(p->extent.width == 0 || p->extent.height == 0 || p->extent.depth == 0)) {
		return device_enter();
	}
	cudaError_t error = copy_3d_describe(p, &copy);
	if (error != cudaSuccess) {
		return error;
	}
	if (order.sync && order.stream == NULL) {
		return CALL(cuMemcpy3D, &copy);
	}
	return copy_finish(CALL(cuMemcpy3DAsync, &copy, order.stream), order);
}

cudaError_t
copy_1d_describe(void *dst, const void *src, size_t size, enum cudaMemcpyKind kind,
	CUDA_MEMCPY3D *ret_copy)
{
	if (!copy_kind_valid(kind)) {
		return cudaErrorInvalidMemcpyDirection;
	}
	memset(ret_copy, 0, sizeof(*ret_copy));
	ret_copy->srcMemoryType = copy_memory_type(copy_from_host(kind), kind);
	ret_copy->srcHost = src;
	ret_copy->srcDevice = (CUdeviceptr)src;
	ret_copy->srcPitch = size;
	ret_copy->dstMemoryType = copy_memory_type(copy_to_host(kind), kind);
	ret_copy->dstHost = dst;
	ret_copy->dstDevice = (CUdeviceptr)dst;
	ret_copy->dstPitch = size;
	ret_copy->WidthInBytes = size;
	ret_copy->Height = 1;
	ret_copy->Depth = 1;
	return cudaSuccess;
}

cudaError_t
copy_3d_peer(const struct cudaMemcpy3DPeerParms *p, struct copy_order order)
{
	size_t dst_unit;
	size_t src_unit;
	size_t unit;
	CUDA_MEMCPY3D_PEER copy;
	memset(&copy, 0, sizeof(copy));
	cudaError_t error = p == NULL ? cudaErrorInvalidValue : device_enter();
	if (error == cudaSuccess) {
		error = device_context(p->srcDevice, &copy.srcContext);
	}
	if (error == cudaSuccess) {
		error = device_context(p->dstDevice, &copy.dstContext);
	}
	if (error == cudaSuccess) {
		error = copy_units(p->dstArray, p->srcArray, &dst_unit, &src_unit, &unit);
	}
	if (error != cudaSuccess) {
		return error;
	}
	copy.srcY = p->srcPos.y;
	copy.srcZ = p->srcPos.z;
	copy.srcMemoryType =
		p->srcArray != NULL ? CU_MEMORYTYPE_ARRAY : CU_MEMORYTYPE_DEVICE;
	copy.srcDevice = (CUdeviceptr)p->srcPtr.ptr;
	copy.srcArray = (CUarray)p->srcArray;
	copy.srcPitch = p->srcPtr.pitch;
	copy.srcHeight = p->srcPtr.ysize;
	copy.dstY = p->dstPos.y;
	copy.dstZ = p->dstPos.z;
	copy.dstMemoryType =
		p->dstArray != NULL ? CU_MEMORYTYPE_ARRAY : CU_MEMORYTYPE_DEVICE;
	copy.dstDevice = (CUdeviceptr)p->dstPtr.ptr;
	copy.dstArray = (CUarray)p->dstArray;
	copy.dstPitch = p->dstPtr.pitch;
	copy.dstHeight = p->dstPtr.ysize;
	copy.Height = p->extent.height;
	copy.Depth = p->extent.depth;
	if (!checked_mul(p->srcPos.x, src_unit, &copy.srcXInBytes) ||
		!checked_mul(p->dstPos.x, dst_unit, &copy.dstXInBytes) ||
		!checked_mul(p->extent.width, unit, &copy.WidthInBytes)) {
		return cudaErrorInvalidValue;
	}
	if (order.sync && order.stream == NULL) {
		return CALL(cuMemcpy3DPeer, &copy);
	}
	return copy_finish(CALL(cuMemcpy3DPeerAsync, &copy, order.stream), order);
}

cudaError_t
cudaMemcpy(void *dst, const void *src, size_t count, enum cudaMemcpyKind kind)
{
	return error_keep(copy_linear(dst, src, count, kind, COPY_SYNC));
}

cudaError_t
cudaMemcpyAsync(void *dst, const void *src, size_t count, enum cudaMemcpyKind kind,
	cudaStream_t stream)
{
	return error_keep(copy_linear(dst, src, count, kind, COPY_ASYNC(stream)));
}

cudaError_t
cudaMemcpy2D(void *dst, size_t dpitch, const void *src, size_t spitch, size_t width,
	size_t height, enum cudaMemcpyKind kind)
{
	return error_keep(
		copy_2d(dst, dpitch, src, spitch, width, height, kind, COPY_SYNC));
}

cudaError_t
cudaMemcpy2DAsync(void *dst, size_t dpitch, const void *src, size_t spitch, size_t width,
	size_t height, enum cudaMemcpyKind kind, cudaStream_t stream)
{
	return error_keep(copy_2d(
		dst, dpitch, src, spitch, width, height, kind, COPY_ASYNC(stream)));
}

cudaError_t
cudaMemcpy3D(const struct cudaMemcpy3DParms *p)
{
	return error_keep(copy_3d(p, COPY_SYNC));
}

cudaError_t
cudaMemcpy3DAsync(const struct cudaMemcpy3DParms *p, cudaStream_t stream)
{
	return error_keep(copy_3d(p, COPY_ASYNC(stream)));
}

cudaError_t
cudaMemcpy3DPeer(const struct cudaMemcpy3DPeerParms *p)
{
	return error_keep(copy_3d_peer(p, COPY_SYNC));
}

cudaError_t
cudaMemcpy3DPeerAsync(const struct cudaMemcpy3DPeerParms *p, cudaStream_t stream)
{
	return error_keep(copy_3d_peer(p, COPY_ASYNC(stream)));
}

static cudaError_t
copy_contexts(int dst_device, int src_device, CUcontext *ret_dst, CUcontext *ret_src)
{
	cudaError_t error = device_enter();
	if (error == cudaSuccess) {
		error = device_context(dst_device, ret_dst);
	}
	return error == cudaSuccess ? device_context(src_device, ret_src) : error;
}

cudaError_t
cudaMemcpyPeer(void *dst, int dstDevice, const void *src, int srcDevice, size_t count)
{
	CUcontext to;
	CUcontext from;
	cudaError_t error = copy_contexts(dstDevice, srcDevice, &to, &from);
	if (error == cudaSuccess && count > 0) {
		error = CALL(cuMemcpyPeer, (CUdeviceptr)dst, to, (CUdeviceptr)src, from,
			count);
	}
	return error_keep(error);
}

cudaError_t
cudaMemcpyPeerAsync(void *dst, int dstDevice, const void *src, int srcDevice,
	size_t count, cudaStream_t stream)
{
	CUcontext to;
	CUcontext from;
	cudaError_t error = copy_contexts(dstDevice, srcDevice, &to, &from);
	if (error == cudaSuccess && count > 0) {
		error = CALL(cuMemcpyPeerAsync, (CUdeviceptr)dst, to, (CUdeviceptr)src,
			from, count, stream);
	}
	return error_keep(error);
}
