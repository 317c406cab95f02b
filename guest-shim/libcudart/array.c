/* SPDX-License-Identifier: Apache-2.0 */
/* array.c: arrays in the layout of textures, and copies to, from and between them. */
#include "guest-shim/libcudart/array.h"

#include <string.h>

#include "guest-shim/libcudart/copy.h"
#include "guest-shim/libcudart/driver.h"

static CUarray_format
array_format_of(enum cudaChannelFormatKind kind, int bits)
{
	switch (kind) {
	case cudaChannelFormatKindSigned:
		return bits == 8    ? CU_AD_FORMAT_SIGNED_INT8
		       : bits == 16 ? CU_AD_FORMAT_SIGNED_INT16
		       : bits == 32 ? CU_AD_FORMAT_SIGNED_INT32
				    : 0;
	case cudaChannelFormatKindUnsigned:
		return bits == 8    ? CU_AD_FORMAT_UNSIGNED_INT8
		       : bits == 16 ? CU_AD_FORMAT_UNSIGNED_INT16
		       : bits == 32 ? CU_AD_FORMAT_UNSIGNED_INT32
				    : 0;
	case cudaChannelFormatKindFloat:
		return bits == 16   ? CU_AD_FORMAT_HALF
		       : bits == 32 ? CU_AD_FORMAT_FLOAT
				    : 0;
	default: return 0;
	}
}

cudaError_t
array_format(const struct cudaChannelFormatDesc *desc, CUarray_format *ret_format,
	unsigned *ret_channels)
{
	const int bits[4] = { desc->x, desc->y, desc->z, desc->w };
	unsigned n = 0;
	while (n < 4 && bits[n] != 0) {
		n++;
	}
	/* One, two or four channels of one width, and no gap before an unused one. */
	for (unsigned i = 0; i < 4; i++) {
		if (bits[i] != (i < n ? bits[0] : 0)) {
			return cudaErrorInvalidChannelDescriptor;
		}
	}
	CUarray_format format = array_format_of(desc->f, bits[0]);
	if (format == 0 || n == 0 || n == 3) {
		return cudaErrorInvalidChannelDescriptor;
	}
	*ret_format = format;
	*ret_channels = n;
	return cudaSuccess;
}

static cudaError_t
array_desc(CUarray_format format, unsigned n_channels, struct cudaChannelFormatDesc *ret)
{
	enum cudaChannelFormatKind kind;
	int bits;
	switch (format) {
	case CU_AD_FORMAT_UNSIGNED_INT8:
		kind = cudaChannelFormatKindUnsigned;
		bits = 8;
		break;
	case CU_AD_FORMAT_UNSIGNED_INT16:
		kind = cudaChannelFormatKindUnsigned;
		bits = 16;
		break;
	case CU_AD_FORMAT_UNSIGNED_INT32:
		kind = cudaChannelFormatKindUnsigned;
		bits = 32;
		break;
	case CU_AD_FORMAT_SIGNED_INT8:
		kind = cudaChannelFormatKindSigned;
		bits = 8;
		break;
	case CU_AD_FORMAT_SIGNED_INT16:
		kind = cudaChannelFormatKindSigned;
		bits = 16;
		break;
	case CU_AD_FORMAT_SIGNED_INT32:
		kind = cudaChannelFormatKindSigned;
		bits = 32;
		break;
	case CU_AD_FORMAT_HALF:
		kind = cudaChannelFormatKindFloat;
		bits = 16;
		break;
	case CU_AD_FORMAT_FLOAT:
		kind = cudaChannelFormatKindFloat;
		bits = 32;
		break;
	default: return cudaErrorNotSupported;
	}
	ret->f = kind;
	ret->x = bits;
	ret->y = n_channels > 1 ? bits : 0;
	ret->z = n_channels > 2 ? bits : 0;
	ret->w = n_channels > 3 ? bits : 0;
	return cudaSuccess;
}

struct cudaChannelFormatDesc
cudaCreateChannelDesc(int x, int y, int z, int w, enum cudaChannelFormatKind f)
{
	return (struct cudaChannelFormatDesc){ .x = x, .y = y, .z = z, .w = w, .f = f };
}

static cudaError_t
array_descriptor(const struct cudaChannelFormatDesc *desc, struct cudaExtent extent,
	unsigned flags, CUDA_ARRAY3D_DESCRIPTOR *ret_descriptor)
{
	CUDA_ARRAY3D_DESCRIPTOR made = {
		.Width = extent.width,
		.Height = extent.height,
		.Depth = extent.depth,
		.Flags = flags, /* the driver's numbers */
	};
	cudaError_t error = desc == NULL
				    ? cudaErrorInvalidValue
				    : array_format(desc, &made.Format, &made.NumChannels);
	if (error == cudaSuccess) {
		*ret_descriptor = made;
	}
	return error;
}

cudaError_t
cudaMalloc3DArray(cudaArray_t *array, const struct cudaChannelFormatDesc *desc,
	struct cudaExtent extent, unsigned int flags)
{
	CUDA_ARRAY3D_DESCRIPTOR descriptor;
	cudaError_t error = array == NULL ? cudaErrorInvalidValue : device_enter();
	if (error == cudaSuccess) {
		error = array_descriptor(desc, extent, flags, &descriptor);
	}
	if (error == cudaSuccess) {
		error = CALL(cuArray3DCreate, (CUarray *)array, &descriptor);
	}
	return error_keep(error);
}

cudaError_t
cudaMallocArray(cudaArray_t *array, const struct cudaChannelFormatDesc *desc,
	size_t width, size_t height, unsigned int flags)
{
	struct cudaExtent extent = { .width = width, .height = height };
	return cudaMalloc3DArray(array, desc, extent, flags);
}

cudaError_t
cudaFreeArray(cudaArray_t array)
{
	cudaError_t error = device_enter();
	if (error == cudaSuccess && array != NULL) {
		error = CALL(cuArrayDestroy, (CUarray)array);
	}
	return error_keep(error);
}

cudaError_t
cudaMallocMipmappedArray(cudaMipmappedArray_t *mipmappedArray,
	const struct cudaChannelFormatDesc *desc, struct cudaExtent extent,
	unsigned int numLevels, unsigned int flags)
{
	CUDA_ARRAY3D_DESCRIPTOR descriptor;
	cudaError_t error =
		mipmappedArray == NULL ? cudaErrorInvalidValue : device_enter();
	if (error == cudaSuccess) {
		error = array_descriptor(desc, extent, flags, &descriptor);
	}
	if (error == cudaSuccess) {
		error = CALL(cuMipmappedArrayCreate, (CUmipmappedArray *)mipmappedArray,
			&descriptor, numLevels);
	}
	return error_keep(error);
}

cudaError_t
cudaFreeMipmappedArray(cudaMipmappedArray_t mipmappedArray)
{
	cudaError_t error = device_enter();
	if (error == cudaSuccess && mipmappedArray != NULL) {
		error = CALL(cuMipmappedArrayDestroy, (CUmipmappedArray)mipmappedArray);
	}
	return error_keep(error);
}

cudaError_t
cudaGetMipmappedArrayLevel(cudaArray_t *levelArray,
	cudaMipmappedArray_const_t mipmappedArray, unsigned int level)
{
	return DRIVER(cuMipmappedArrayGetLevel, (CUarray *)levelArray,
		(CUmipmappedArray)mipmappedArray, level);
}

cudaError_t
cudaArrayGetPlane(cudaArray_t *pPlaneArray, cudaArray_t hArray, unsigned int planeIdx)
{
	return DRIVER(cuArrayGetPlane, (CUarray *)pPlaneArray, (CUarray)hArray, planeIdx);
}

cudaError_t
cudaArrayGetInfo(struct cudaChannelFormatDesc *desc, struct cudaExtent *extent,
	unsigned int *flags, cudaArray_t array)
{
	CUDA_ARRAY3D_DESCRIPTOR found;
	struct cudaChannelFormatDesc found_desc;
	cudaError_t error = DRIVER(cuArray3DGetDescriptor, &found, (CUarray)array);
	if (error == cudaSuccess) {
		error = array_desc(found.Format, found.NumChannels, &found_desc);
	}
	if (error != cudaSuccess) {
		return error_keep(error);
	}
	if (desc != NULL) {
		*desc = found_desc;
	}
	if (extent != NULL) {
		extent->width = found.Width;
		extent->height = found.Height;
		extent->depth = found.Depth;
	}
	if (flags != NULL) {
		*flags = found.Flags;
	}
	return cudaSuccess;
}

cudaError_t
cudaGetChannelDesc(struct cudaChannelFormatDesc *desc, cudaArray_const_t array)
{
	return cudaArrayGetInfo(desc, NULL, NULL, (cudaArray_t)array);
}

static struct copy_end
end_array(cudaArray_const_t array, size_t x_bytes, size_t y)
{
	return (struct copy_end){ .array = array, .x_bytes = x_bytes, .y = y };
}

static struct copy_end
end_memory(const void *memory, size_t pitch)
{
	return (struct copy_end){ .memory = memory, .pitch = pitch };
}

/* Four forms of each copy: plain and Async, each also for a thread's own stream. */
#define FORMS(name, parameters, call) \
	cudaError_t name parameters \
	{ \
		struct copy_order order = COPY_SYNC; \
		return error_keep(call); \
	} \
	__attribute__((visibility("default"))) cudaError_t name##_ptds parameters; \
	cudaError_t name##_ptds parameters \
	{ \
		struct copy_order order = COPY_SYNC_PER_THREAD; \
		return error_keep(call); \
	}

#define ASYNC_FORMS(name, parameters, call) \
	cudaError_t name parameters \
	{ \
		struct copy_order order = COPY_ASYNC(stream); \
		return error_keep(call); \
	} \
	__attribute__((visibility("default"))) cudaError_t name##_ptsz parameters; \
	cudaError_t name##_ptsz parameters \
	{ \
		struct copy_order order = \
			COPY_ASYNC(stream == NULL ? cudaStreamPerThread : stream); \
		return error_keep(call); \
	}

FORMS(cudaMemcpy2DToArray,
	(cudaArray_t dst, size_t wOffset, size_t hOffset, const void *src, size_t spitch,
		size_t width, size_t height, enum cudaMemcpyKind kind),
	copy_rectangle(end_array(dst, wOffset, hOffset), end_memory(src, spitch), width,
		height, kind, order))
ASYNC_FORMS(cudaMemcpy2DToArrayAsync,
	(cudaArray_t dst, size_t wOffset, size_t hOffset, const void *src, size_t spitch,
		size_t width, size_t height, enum cudaMemcpyKind kind,
		cudaStream_t stream),
	copy_rectangle(end_array(dst, wOffset, hOffset), end_memory(src, spitch), width,
		height, kind, order))
FORMS(cudaMemcpy2DFromArray,
	(void *dst, size_t dpitch, cudaArray_const_t src, size_t wOffset, size_t hOffset,
		size_t width, size_t height, enum cudaMemcpyKind kind),
	copy_rectangle(end_memory(dst, dpitch), end_array(src, wOffset, hOffset), width,
		height, kind, order))
ASYNC_FORMS(cudaMemcpy2DFromArrayAsync,
	(void *dst, size_t dpitch, cudaArray_const_t src, size_t wOffset, size_t hOffset,
		size_t width, size_t height, enum cudaMemcpyKind kind,
		cudaStream_t stream),
	copy_rectangle(end_memory(dst, dpitch), end_array(src, wOffset, hOffset), width,
		height, kind, order))
FORMS(cudaMemcpy2DArrayToArray,
	(cudaArray_t dst, size_t wOffsetDst, size_t hOffsetDst, cudaArray_const_t src,
		size_t wOffsetSrc, size_t hOffsetSrc, size_t width, size_t height,
		enum cudaMemcpyKind kind),
	copy_rectangle(end_array(dst, wOffsetDst, hOffsetDst),
		end_array(src, wOffsetSrc, hOffsetSrc), width, height, kind, order))

/* Deprecated since 10.1, and still in use. */
FORMS(cudaMemcpyToArray,
	(cudaArray_t dst, size_t wOffset, size_t hOffset, const void *src, size_t count,
		enum cudaMemcpyKind kind),
	copy_rows(
		end_array(dst, wOffset, hOffset), end_memory(src, 0), count, kind, order))
ASYNC_FORMS(cudaMemcpyToArrayAsync,
	(cudaArray_t dst, size_t wOffset, size_t hOffset, const void *src, size_t count,
		enum cudaMemcpyKind kind, cudaStream_t stream),
	copy_rows(
		end_array(dst, wOffset, hOffset), end_memory(src, 0), count, kind, order))
FORMS(cudaMemcpyFromArray,
	(void *dst, cudaArray_const_t src, size_t wOffset, size_t hOffset, size_t count,
		enum cudaMemcpyKind kind),
	copy_rows(
		end_memory(dst, 0), end_array(src, wOffset, hOffset), count, kind, order))
ASYNC_FORMS(cudaMemcpyFromArrayAsync,
	(void *dst, cudaArray_const_t src, size_t wOffset, size_t hOffset, size_t count,
		enum cudaMemcpyKind kind, cudaStream_t stream),
	copy_rows(
		end_memory(dst, 0), end_array(src, wOffset, hOffset), count, kind, order))
FORMS(cudaMemcpyArrayToArray,
	(cudaArray_t dst, size_t wOffsetDst, size_t hOffsetDst, cudaArray_const_t src,
		size_t wOffsetSrc, size_t hOffsetSrc, size_t count,
		enum cudaMemcpyKind kind),
	copy_rows(end_array(dst, wOffsetDst, hOffsetDst),
		end_array(src, wOffsetSrc, hOffsetSrc), count, kind, order))

#undef FORMS
#undef ASYNC_FORMS
