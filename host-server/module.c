/* SPDX-License-Identifier: Apache-2.0 */
/* module.c: images from the guest, and modules and libraries made of them. */
#include <errno.h>

#include "common/checked.h"
#include "host-server/dispatch.h"
#include "host-server/image.h"
#include "host-server/object.h"
#include "host-server/session.h"

CUresult
serve_image_put(struct session *s, const void *argp, void *outp)
{
	const image_put_args *args = argp;
	struct image_piece piece = {
		.image = args->image,
		.kind = args->kind,
		.n_parts = args->n_parts,
		.part = args->part,
		.part_size = args->part_size,
		.size = s->call->payload_size,
	};
	void *into;

	int r = image_place(s->images, &piece, &into);
	if (r < 0) {
		return r == -EINVAL ? CUDA_ERROR_INVALID_VALUE : CUDA_ERROR_OUT_OF_MEMORY;
	}
	r = server_payload(s->server, into);
	if (r < 0) {
		s->error = r;
		return CUDA_ERROR_UNKNOWN;
	}
	image_received(s->images, &piece);
	return CUDA_SUCCESS;
}

CUresult
serve_image_offer(struct session *s, const void *argp, void *outp)
{
	const image_offer_args *args = argp;
	image_offer_out *out = outp;

	int r = image_from_cache(
		s->images, args->image, (const unsigned char *)args->hash);
	if (r == -EINVAL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	/* Whatever else it is, the guest can put the image, and is told then. */
	out->has = r == 0;
	if (r == 0) {
		size_t kernels_size;
		(void)image_kernels_of(s->images, args->image, &kernels_size);
		out->kernels_size = kernels_size;
	}
	return CUDA_SUCCESS;
}

CUresult
serve_image_kernels(struct session *s, const void *argp, void *outp)
{
	const image_kernels_args *args = argp;
	image_kernels_ret ret = { 0 };
	size_t size;

	const unsigned char *bytes = image_kernels_of(s->images, args->image, &size);
	if (args->size == 0 || args->size > CALL_PAYLOAD_MAX ||
		!checked_range(args->at, args->size, size)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	/* Answered here: only we know where the payload is. */
	s->deferred = true;
	int r = session_reply(s, s->call->info, s->call->xid, &ret, CUDA_SUCCESS,
		bytes + args->at, args->size);
	if (r < 0) {
		s->error = r;
	}
	return CUDA_SUCCESS;
}

CUresult
serve_image_drop(struct session *s, const void *argp, void *outp)
{
	const image_drop_args *args = argp;

	image_drop(s->images, args->image);
	return CUDA_SUCCESS;
}

static CUresult
hold(struct session *s, uint64_t image, struct image_entry **ret_entry)
{
	int r = image_hold(s->images, image, ret_entry);

	switch (r) {
	case 0: return CUDA_SUCCESS;
	case -ENOMEM: return CUDA_ERROR_OUT_OF_MEMORY;
	case -ENOENT: return CUDA_ERROR_INVALID_HANDLE;
	default: return CUDA_ERROR_INVALID_IMAGE;
	}
}

/* The handle keeps the image from now on; if there is no handle, nobody does. */
static CUresult
adopt(struct session *s, enum handle_type type, call_handle handle, void *cuda,
	struct image_entry *image)
{
	CUresult result = session_adopt(s, type, handle, cuda);

	if (result != CUDA_SUCCESS) {
		image_release(s->images, image);
		return result;
	}
	object_find(s->objects, type, handle)->image = image;
	image_keep(s->images, image);
	return CUDA_SUCCESS;
}

CUresult
serve_cuModuleLoadData(struct session *s, const void *argp, void *outp)
{
	const cuModuleLoadData_args *args = argp;
	struct image_entry *image = NULL;
	CUmodule module = NULL;

	if (!session_vacant(s, HANDLE_CUmodule, args->module)) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	CUresult result = hold(s, args->image, &image);
	if (result != CUDA_SUCCESS) {
		return result;
	}
	result = s->driver->cuModuleLoadData(&module, image_pointer(image));
	if (result != CUDA_SUCCESS) {
		image_release(s->images, image);
		return result;
	}
	return adopt(s, HANDLE_CUmodule, args->module, module, image);
}

CUresult
serve_cuLibraryLoadData(struct session *s, const void *argp, void *outp)
{
	const cuLibraryLoadData_args *args = argp;
	struct image_entry *image = NULL;
	CUlibrary library = NULL;
	/* We keep the bytes; the driver need not have its own copy. */
	CUlibraryOption option = CU_LIBRARY_BINARY_IS_PRESERVED;
	void *value = (void *)1;

	if (!session_vacant(s, HANDLE_CUlibrary, args->library)) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	CUresult result = hold(s, args->image, &image);
	if (result != CUDA_SUCCESS) {
		return result;
	}
	result = s->driver->cuLibraryLoadData(
		&library, image_pointer(image), NULL, NULL, 0, &option, &value, 1);
	if (result != CUDA_SUCCESS) {
		image_release(s->images, image);
		return result;
	}
	return adopt(s, HANDLE_CUlibrary, args->library, library, image);
}
