/* SPDX-License-Identifier: Apache-2.0 */
/* upload.c: images on their way to the host.
 *
 * An image is sent one-way, in pieces, under a number of ours; the load that follows names
 * the number.  What kernels it has, and with which parameters, is read here. */
#include "guest-shim/libcuda/upload.h"

#include <errno.h>
#include <stdatomic.h>

#include "guest-shim/libcuda/guest.h"
#include "guest-shim/libcuda/session.h"
#include "guest-shim/libcuda/thread.h"
#include "guest-shim/libcuda/context.h"

static atomic_ullong upload_last_id;

static CUresult
send_part(const struct image *image, uint64_t id, uint32_t part)
{
	const unsigned char *data = image->parts[part].data;
	size_t size = image->parts[part].size;
	CUresult result = CUDA_SUCCESS;

	for (size_t at = 0; at < size && result == CUDA_SUCCESS;) {
		size_t n = size - at < CALL_PAYLOAD_MAX ? size - at : CALL_PAYLOAD_MAX;
		image_put_args args = { .image = id, .kind = image->kind,
			.n_parts = (uint32_t)image->n_parts, .part = part, .part_size = size };
		result = guest_post_payload(CALL_image_put, &args, data + at, n);
		at += n;
	}
	return result;
}

/* Of the device that the image is for, or of the first one. */
static int
architecture(void)
{
	int ordinal = thread_self.current != NULL ? thread_self.current->device : 0;
	const struct session_device *device = session_device(ordinal);

	return device == NULL ? 0
		: device->attributes[CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR] * 10 +
			device->attributes[CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR];
}

/* The host lets the driver print only if somebody may have printed. */
static CUresult
tell_prints(const struct image_kernels *kernels)
{
	static atomic_bool told;
	session_prints_args args = { 0 };

	if ((kernels != NULL && !image_kernels_print(kernels)) || atomic_load(&told)) {
		return CUDA_SUCCESS;
	}
	CUresult result = guest_post(CALL_session_prints, &args);
	atomic_store(&told, result == CUDA_SUCCESS);
	return result;
}

CUresult
upload_image(const void *data, uint64_t *ret_id, struct image_kernels **ret_kernels,
	const char **ret_why)
{
	struct image image = IMAGE_INIT;
	struct image_kernels *kernels = NULL;

	int r = image_measure(data, &image);
	if (r < 0) {
		return r == -ENOMEM ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_ERROR_INVALID_IMAGE;
	}
	r = image_kernels_new(&image, architecture(), &kernels);
	if (r == -ENOMEM) {
		image_deinit(&image);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (r < 0) {
		/* The host may still say what is wrong with it, in CUDA's words. */
		kernels = NULL;
		*ret_why = r == -ENOTSUP ? "it has neither machine code nor PTX"
					 : "it is malformed";
	}
	uint64_t id = atomic_fetch_add(&upload_last_id, 1) + 1;
	CUresult result = tell_prints(kernels);
	for (size_t part = 0; part < image.n_parts && result == CUDA_SUCCESS; part++) {
		result = send_part(&image, id, (uint32_t)part);
	}
	image_deinit(&image);
	if (result != CUDA_SUCCESS) {
		image_kernels_free(kernels);
		return result;
	}
	*ret_id = id;
	*ret_kernels = kernels;
	return CUDA_SUCCESS;
}

void
upload_drop(uint64_t id)
{
	image_drop_args args = { .image = id };

	(void)guest_post(CALL_image_drop, &args);
}
