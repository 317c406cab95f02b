/* SPDX-License-Identifier: Apache-2.0 */
/* upload.c: images on their way to the host.
 *
 * What the host's devices can use of an image is offered to the host by its hash, and if
 * the host does not have it, sent one-way, in pieces, under a number of ours; the load
 * that follows names the number.  What kernels it has, and with which parameters, is read
 * here, or comes from the host if it has that ready and much would have to be
 * uncompressed. */
#include "guest-shim/libcuda/upload.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "common/cleanup.h"
#include "cubin-loader/hash.h"
#include "cubin-loader/selection.h"
#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/guest.h"
#include "guest-shim/libcuda/session.h"
#include "guest-shim/libcuda/thread.h"

/* To ask for less takes longer than to send it (and the host keeps no smaller ones). */
#define OFFER_MIN ((size_t)64 << 10)
/* A longer table is not believed. */
#define KERNELS_SIZE_MAX ((size_t)64 << 20)

_Static_assert(SELECTION_CCS_MAX >= CALL_DEVICES_MAX, "there is room for all devices");

static atomic_ullong upload_last_id;

static CUresult
send_slice(
	const struct selection *selection, uint64_t id, const struct image_slice *slice)
{
	CUresult result = CUDA_SUCCESS;

	for (size_t at = 0; at < slice->size && result == CUDA_SUCCESS;) {
		size_t n = slice->size - at < CALL_PAYLOAD_MAX ? slice->size - at
							       : CALL_PAYLOAD_MAX;
		image_put_args args = { .image = id,
			.kind = selection->kind,
			.n_parts = (uint32_t)selection->n_parts,
			.part = slice->part,
			.part_size = selection->part_sizes[slice->part] };
		result = guest_post_payload(CALL_image_put, &args,
			(const unsigned char *)slice->data + at, n);
		at += n;
	}
	return result;
}

/* Whether the host has it; if so, it is known by id from now on. */
static CUresult
offer(const struct selection *selection, uint64_t id, image_offer_out *ret_out)
{
	image_offer_args args = { .image = id };
	image_offer_ret ret = { 0 };

	*ret_out = (image_offer_out){ 0 };
	if (selection->size < OFFER_MIN ||
		(session_features() & CALL_FEATURE_CACHE) == 0) {
		return CUDA_SUCCESS;
	}
	if (image_hash(selection, (unsigned char *)args.hash) < 0) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	CUresult result = guest_call(CALL_image_offer, &args, &ret);
	if (result == CUDA_SUCCESS) {
		*ret_out = ret.u.image_offer_result_u.out;
	}
	return result;
}

static CUresult
send_all(const struct selection *selection, uint64_t id)
{
	CUresult result = CUDA_SUCCESS;

	for (size_t i = 0; i < selection->n_slices && result == CUDA_SUCCESS; i++) {
		result = send_slice(selection, id, &selection->slices[i]);
	}
	return result;
}

static int
architecture(const struct session_device *device)
{
	if (device == NULL) {
		return 0;
	}
	const int *values = device->attributes;
	return values[CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR] * 10 +
	       values[CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR];
}

/* For all devices of the host, also those that this program does not see: a driver may
 * load a library for each context of its process, and the worker has one of its own. */
static int
select_for_devices(const struct image *image, struct selection **ret_selection)
{
	struct selection_for target = {
		.runs_machine_code =
			(session_features() & CALL_FEATURE_MACHINE_CODE) != 0,
	};

	const uint32_t *ccs = session_host_ccs(&target.n_ccs);
	memcpy(target.ccs, ccs, target.n_ccs * sizeof(*ccs));
	return selection_new(image, &target, ret_selection);
}

/* ---- kernels ---- */

/* The host's table, in pieces; NULL if it is of no use: there is another way. */
static CUresult
fetch_kernels(uint64_t id, size_t size, struct image_kernels **ret_kernels)
{
	struct image_kernels *kernels = NULL;
	cleanup_free unsigned char *bytes =
		size <= KERNELS_SIZE_MAX ? malloc(size) : NULL;

	for (size_t at = 0; bytes != NULL && at < size;) {
		size_t n = size - at < CALL_PAYLOAD_MAX ? size - at : CALL_PAYLOAD_MAX;
		image_kernels_args args = { .image = id, .at = at, .size = (u_int)n };
		image_kernels_ret ret = { 0 };
		CUresult result = guest_call_payload(
			CALL_image_kernels, &args, &ret, bytes + at, n);
		guest_call_end(CALL_image_kernels, &ret);
		if (result != CUDA_SUCCESS) {
			return result;
		}
		at += n;
	}
	if (bytes != NULL && image_kernels_unpack(bytes, size, &kernels) < 0) {
		kernels = NULL;
	}
	*ret_kernels = kernels;
	return CUDA_SUCCESS;
}

/* Those for the device that the image is for, or the first one. */
static CUresult
read_kernels(const struct image *image, uint64_t id, size_t at_host,
	struct image_kernels **ret_kernels, const char **ret_why)
{
	int ordinal = thread_self.current != NULL ? thread_self.current->device : 0;
	int cc = architecture(session_device(ordinal));

	if (at_host > 0 && image_kernels_cost(image, cc) >= IMAGE_KERNELS_CHEAP) {
		CUresult result = fetch_kernels(id, at_host, ret_kernels);
		if (result != CUDA_SUCCESS || *ret_kernels != NULL) {
			return result;
		}
	}
	int r = image_kernels_new(image, cc, ret_kernels);
	if (r == 0 || r == -ENOMEM) {
		return r == 0 ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
	}
	/* The host may still say what is wrong with it, in CUDA's words. */
	*ret_kernels = NULL;
	*ret_why =
		r == -ENOTSUP ? "it has neither machine code nor PTX" : "it is malformed";
	return CUDA_SUCCESS;
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

/* ---- all of it ---- */

static CUresult
offer_or_send(const struct image *image, uint64_t id, struct image_kernels **ret_kernels,
	const char **ret_why)
{
	struct selection *selection;
	struct image_kernels *kernels = NULL;
	image_offer_out known;

	int r = select_for_devices(image, &selection);
	if (r == -EBADMSG) {
		r = selection_whole(image, &selection);
	}
	if (r < 0) {
		return r == -ENOMEM ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_ERROR_INVALID_IMAGE;
	}
	CUresult result = offer(selection, id, &known);
	if (result == CUDA_SUCCESS) {
		result = read_kernels(image, id, known.kernels_size, &kernels, ret_why);
	}
	if (result == CUDA_SUCCESS) {
		result = tell_prints(kernels);
	}
	if (result == CUDA_SUCCESS && !known.has) {
		result = send_all(selection, id);
	}
	selection_free(selection);
	if (result != CUDA_SUCCESS) {
		image_kernels_free(kernels);
		return result;
	}
	*ret_kernels = kernels;
	return CUDA_SUCCESS;
}

CUresult
upload_image(const void *data, uint64_t *ret_id, struct image_kernels **ret_kernels,
	const char **ret_why)
{
	struct image image = IMAGE_INIT;

	int r = image_measure(data, &image);
	if (r < 0) {
		return r == -ENOMEM ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_ERROR_INVALID_IMAGE;
	}
	uint64_t id = atomic_fetch_add(&upload_last_id, 1) + 1;
	CUresult result = offer_or_send(&image, id, ret_kernels, ret_why);
	image_deinit(&image);
	if (result != CUDA_SUCCESS) {
		upload_drop(id);
		return result;
	}
	*ret_id = id;
	return CUDA_SUCCESS;
}

void
upload_drop(uint64_t id)
{
	image_drop_args args = { .image = id };

	(void)guest_post(CALL_image_drop, &args);
}
