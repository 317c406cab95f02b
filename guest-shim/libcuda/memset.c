/* SPDX-License-Identifier: Apache-2.0 */
/* memset.c: fills.  The synchronous forms are the asynchronous ones on a default stream:
 * CUDA's fills of device memory do not wait either. */
#include "common/checked.h"
#include "guest-shim/libcuda/api.h"
#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/guest.h"
#include "guest-shim/libcuda/map.h"
#include "remote.h"

/* Whether rows of n values of a size may be filled there. */
static CUresult
check(CUdeviceptr dst, size_t pitch, size_t value_size, size_t n, size_t height)
{
	struct map_entry entry;
	struct context *context;
	size_t width, size = 0;
	CUresult result = context_current(&context);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (!checked_mul(n, value_size, &width) ||
		(height > 1 && (pitch < width || pitch % value_size != 0)) ||
		(height > 1 && !checked_mul(pitch, height - 1, &size)) ||
		!checked_add(size, width, &size) || dst % value_size != 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (!map_find(dst, &entry) || !map_is_device(&entry) ||
		!checked_range(dst - entry.start, size, entry.size)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	return CUDA_SUCCESS;
}

/* One width of value: six functions of CUDA. */
#define FILL(BITS, type, value)                                                          \
	CUDA_EXPORT CUresult CUDAAPI cuMemsetD##BITS##Async(                             \
		CUdeviceptr dstDevice, type value, size_t N, CUstream hStream)           \
	{                                                                                \
		if (N == 0) {                                                            \
			return CUDA_SUCCESS;                                             \
		}                                                                        \
		CUresult result = check(dstDevice, 0, sizeof(type), N, 1);               \
		return result != CUDA_SUCCESS                                            \
			? result                                                         \
			: remote_cuMemsetD##BITS##Async(dstDevice, value, N, hStream);   \
	}                                                                                \
	CUDA_EXPORT CUresult CUDAAPI cuMemsetD##BITS##_v2(                               \
		CUdeviceptr dstDevice, type value, size_t N)                             \
	{                                                                                \
		return cuMemsetD##BITS##Async(dstDevice, value, N, NULL);                \
	}                                                                                \
	CUDA_EXPORT CUresult CUDAAPI cuMemsetD##BITS##_v2_ptds(                          \
		CUdeviceptr dstDevice, type value, size_t N)                             \
	{                                                                                \
		return cuMemsetD##BITS##Async(dstDevice, value, N, CU_STREAM_PER_THREAD); \
	}                                                                                \
	CUDA_EXPORT CUresult CUDAAPI cuMemsetD2D##BITS##Async(CUdeviceptr dstDevice,     \
		size_t dstPitch, type value, size_t Width, size_t Height,                \
		CUstream hStream)                                                        \
	{                                                                                \
		if (Width == 0 || Height == 0) {                                         \
			return CUDA_SUCCESS;                                             \
		}                                                                        \
		CUresult result = check(dstDevice, dstPitch, sizeof(type), Width, Height); \
		return result != CUDA_SUCCESS                                            \
			? result                                                         \
			: remote_cuMemsetD2D##BITS##Async(dstDevice, dstPitch, value,    \
				  Width, Height, hStream);                               \
	}                                                                                \
	CUDA_EXPORT CUresult CUDAAPI cuMemsetD2D##BITS##_v2(CUdeviceptr dstDevice,       \
		size_t dstPitch, type value, size_t Width, size_t Height)                \
	{                                                                                \
		return cuMemsetD2D##BITS##Async(                                         \
			dstDevice, dstPitch, value, Width, Height, NULL);                \
	}                                                                                \
	CUDA_EXPORT CUresult CUDAAPI cuMemsetD2D##BITS##_v2_ptds(CUdeviceptr dstDevice,  \
		size_t dstPitch, type value, size_t Width, size_t Height)                \
	{                                                                                \
		return cuMemsetD2D##BITS##Async(dstDevice, dstPitch, value, Width,       \
			Height, CU_STREAM_PER_THREAD);                                   \
	}

FILL(8, unsigned char, uc)
FILL(16, unsigned short, us)
FILL(32, unsigned int, ui)
