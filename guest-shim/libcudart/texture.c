/* SPDX-License-Identifier: Apache-2.0 */
/* texture.c: texture and surface objects. */
#include <string.h>

#include "guest-shim/libcudart/array.h"
#include "guest-shim/libcudart/driver.h"

static cudaError_t
texture_resource(const struct cudaResourceDesc *desc, CUDA_RESOURCE_DESC *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->resType = (CUresourcetype)desc->resType;
	switch (desc->resType) {
	case cudaResourceTypeArray:
		ret->res.array.hArray = (CUarray)desc->res.array.array;
		return cudaSuccess;
	case cudaResourceTypeMipmappedArray:
		ret->res.mipmap.hMipmappedArray =
			(CUmipmappedArray)desc->res.mipmap.mipmap;
		return cudaSuccess;
	case cudaResourceTypeLinear:
		ret->res.linear.devPtr = (CUdeviceptr)desc->res.linear.devPtr;
		ret->res.linear.sizeInBytes = desc->res.linear.sizeInBytes;
		return array_format(&desc->res.linear.desc, &ret->res.linear.format,
			&ret->res.linear.numChannels);
	case cudaResourceTypePitch2D:
		ret->res.pitch2D.devPtr = (CUdeviceptr)desc->res.pitch2D.devPtr;
		ret->res.pitch2D.width = desc->res.pitch2D.width;
		ret->res.pitch2D.height = desc->res.pitch2D.height;
		ret->res.pitch2D.pitchInBytes = desc->res.pitch2D.pitchInBytes;
		return array_format(&desc->res.pitch2D.desc, &ret->res.pitch2D.format,
			&ret->res.pitch2D.numChannels);
	default: return cudaErrorInvalidValue;
	}
}

static CUDA_TEXTURE_DESC
texture_sampling(const struct cudaTextureDesc *desc)
{
	CUDA_TEXTURE_DESC made;
	memset(&made, 0, sizeof(made));
	for (int i = 0; i < 3; i++) {
		made.addressMode[i] = (CUaddress_mode)desc->addressMode[i];
	}
	made.filterMode = (CUfilter_mode)desc->filterMode;
	made.flags = (desc->readMode == cudaReadModeElementType ? CU_TRSF_READ_AS_INTEGER
								: 0) |
		     (desc->normalizedCoords ? CU_TRSF_NORMALIZED_COORDINATES : 0) |
		     (desc->sRGB ? CU_TRSF_SRGB : 0) |
		     (desc->disableTrilinearOptimization
				     ? CU_TRSF_DISABLE_TRILINEAR_OPTIMIZATION
				     : 0) |
		     (desc->seamlessCubemap ? CU_TRSF_SEAMLESS_CUBEMAP : 0);
	made.maxAnisotropy = desc->maxAnisotropy;
	made.mipmapFilterMode = (CUfilter_mode)desc->mipmapFilterMode;
	made.mipmapLevelBias = desc->mipmapLevelBias;
	made.minMipmapLevelClamp = desc->minMipmapLevelClamp;
	made.maxMipmapLevelClamp = desc->maxMipmapLevelClamp;
	memcpy(made.borderColor, desc->borderColor, sizeof(made.borderColor));
	return made;
}

static CUDA_RESOURCE_VIEW_DESC
texture_view(const struct cudaResourceViewDesc *desc)
{
	CUDA_RESOURCE_VIEW_DESC made;
	memset(&made, 0, sizeof(made));
	made.format = (CUresourceViewFormat)desc->format;
	made.width = desc->width;
	made.height = desc->height;
	made.depth = desc->depth;
	made.firstMipmapLevel = desc->firstMipmapLevel;
	made.lastMipmapLevel = desc->lastMipmapLevel;
	made.firstLayer = desc->firstLayer;
	made.lastLayer = desc->lastLayer;
	return made;
}

cudaError_t
cudaCreateTextureObject(cudaTextureObject_t *pTexObject,
	const struct cudaResourceDesc *pResDesc, const struct cudaTextureDesc *pTexDesc,
	const struct cudaResourceViewDesc *pResViewDesc)
{
	CUDA_RESOURCE_DESC resource;
	CUDA_TEXTURE_DESC sampling;
	CUDA_RESOURCE_VIEW_DESC view;
	CUtexObject made = 0;
	cudaError_t error = pTexObject == NULL || pResDesc == NULL || pTexDesc == NULL
				    ? cudaErrorInvalidValue
				    : device_enter();
	if (error == cudaSuccess) {
		error = texture_resource(pResDesc, &resource);
	}
	if (error == cudaSuccess) {
		sampling = texture_sampling(pTexDesc);
		if (pResViewDesc != NULL) {
			view = texture_view(pResViewDesc);
		}
		error = CALL(cuTexObjectCreate, &made, &resource, &sampling,
			pResViewDesc != NULL ? &view : NULL);
	}
	if (error == cudaSuccess) {
		*pTexObject = made;
	}
	return error_keep(error);
}

cudaError_t
cudaDestroyTextureObject(cudaTextureObject_t texObject)
{
	return DRIVER(cuTexObjectDestroy, texObject);
}

cudaError_t
cudaCreateSurfaceObject(
	cudaSurfaceObject_t *pSurfObject, const struct cudaResourceDesc *pResDesc)
{
	CUDA_RESOURCE_DESC resource;
	CUsurfObject made = 0;
	cudaError_t error = pSurfObject == NULL || pResDesc == NULL
				    ? cudaErrorInvalidValue
				    : device_enter();
	if (error == cudaSuccess) {
		error = texture_resource(pResDesc, &resource);
	}
	if (error == cudaSuccess) {
		error = CALL(cuSurfObjectCreate, &made, &resource);
	}
	if (error == cudaSuccess) {
		*pSurfObject = made;
	}
	return error_keep(error);
}

cudaError_t
cudaDestroySurfaceObject(cudaSurfaceObject_t surfObject)
{
	return DRIVER(cuSurfObjectDestroy, surfObject);
}

cudaError_t
cudaDeviceGetTexture1DLinearMaxWidth(size_t *maxWidthInElements,
	const struct cudaChannelFormatDesc *fmtDesc, int device)
{
	CUdevice handle;
	CUarray_format format;
	unsigned n_channels;
	cudaError_t error =
		fmtDesc == NULL ? cudaErrorInvalidValue : device_get(device, &handle);
	if (error == cudaSuccess) {
		error = array_format(fmtDesc, &format, &n_channels);
	}
	if (error == cudaSuccess) {
		error = CALL(cuDeviceGetTexture1DLinearMaxWidth, maxWidthInElements,
			format, n_channels, handle);
	}
	return error_keep(error);
}
