/* SPDX-License-Identifier: Apache-2.0 */
/* memset.c: filling memory, rectangles and boxes with a byte. */
#include "common/checked.h"
#include "guest-shim/libcudart/copy.h"
#include "guest-shim/libcudart/driver.h"

/* Filling device memory is asynchronous even in the functions without Async; the driver's
 * own synchronous forms wait where they must (memory of the host). */
cudaError_t
set_linear(void *pointer, int value, size_t size, struct copy_order order)
{
	cudaError_t error = device_enter();
	if (error != cudaSuccess || size == 0) {
		return error;
	}
	if (order.sync && order.stream == NULL) {
		return CALL(cuMemsetD8, (CUdeviceptr)pointer, (unsigned char)value, size);
	}
	return CALL(cuMemsetD8Async, (CUdeviceptr)pointer, (unsigned char)value, size,
		order.stream);
}

cudaError_t
set_2d(void *pointer, size_t pitch, int value, size_t width, size_t height,
	struct copy_order order)
{
	cudaError_t error = device_enter();
	if (error != cudaSuccess || width == 0 || height == 0) {
		return error;
	}
	if (pitch < width && height > 1) {
		return cudaErrorInvalidValue;
	}
	if (order.sync && order.stream == NULL) {
		return CALL(cuMemsetD2D8, (CUdeviceptr)pointer, pitch,
			(unsigned char)value, width, height);
	}
	return CALL(cuMemsetD2D8Async, (CUdeviceptr)pointer, pitch, (unsigned char)value,
		width, height, order.stream);
}

cudaError_t
set_3d(struct cudaPitchedPtr pitched, int value, struct cudaExtent extent,
	struct copy_order order)
{
	size_t rows;
	size_t slice;

	if (extent.width == 0 || extent.height == 0 || extent.depth == 0) {
		return device_enter();
	}
	if (extent.depth > 1 && pitched.ysize < extent.height) {
		return cudaErrorInvalidValue;
	}
	if (extent.depth == 1 || pitched.ysize == extent.height) {
		/* Slices without a gap are one rectangle. */
		return checked_mul(extent.height, extent.depth, &rows)
			       ? set_2d(pitched.ptr, pitched.pitch, value, extent.width,
					 rows, order)
			       : cudaErrorInvalidValue;
	}
	if (!checked_mul(pitched.pitch, pitched.ysize, &slice) ||
		!checked_mul(slice, extent.depth, &rows)) {
		return cudaErrorInvalidValue;
	}
	for (size_t z = 0; z < extent.depth; z++) {
		cudaError_t error = set_2d((char *)pitched.ptr + z * slice, pitched.pitch,
			value, extent.width, extent.height, order);
		if (error != cudaSuccess) {
			return error;
		}
	}
	return cudaSuccess;
}

cudaError_t
cudaMemset(void *devPtr, int value, size_t count)
{
	return error_keep(set_linear(devPtr, value, count, COPY_SYNC));
}

cudaError_t
cudaMemsetAsync(void *devPtr, int value, size_t count, cudaStream_t stream)
{
	return error_keep(set_linear(devPtr, value, count, COPY_ASYNC(stream)));
}

cudaError_t
cudaMemset2D(void *devPtr, size_t pitch, int value, size_t width, size_t height)
{
	return error_keep(set_2d(devPtr, pitch, value, width, height, COPY_SYNC));
}

cudaError_t
cudaMemset2DAsync(void *devPtr, size_t pitch, int value, size_t width, size_t height,
	cudaStream_t stream)
{
	return error_keep(
		set_2d(devPtr, pitch, value, width, height, COPY_ASYNC(stream)));
}

cudaError_t
cudaMemset3D(struct cudaPitchedPtr pitchedDevPtr, int value, struct cudaExtent extent)
{
	return error_keep(set_3d(pitchedDevPtr, value, extent, COPY_SYNC));
}

cudaError_t
cudaMemset3DAsync(struct cudaPitchedPtr pitchedDevPtr, int value,
	struct cudaExtent extent, cudaStream_t stream)
{
	return error_keep(set_3d(pitchedDevPtr, value, extent, COPY_ASYNC(stream)));
}
