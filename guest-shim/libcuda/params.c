/* SPDX-License-Identifier: Apache-2.0 */
/* params.c: a kernel's arguments, from what the program passes to the bytes that travel. */
#include "guest-shim/libcuda/params.h"

#include <string.h>

/* More pairs than CUDA knows of: a list without its end. */
#define EXTRA_MAX 16

static CUresult
from_extra(const struct image_kernel *layout, void *const *extra, unsigned char *buffer)
{
	const void *from = NULL;
	const size_t *size = NULL;

	for (size_t i = 0; extra[i] != CU_LAUNCH_PARAM_END; i += 2) {
		if (i / 2 == EXTRA_MAX) {
			return CUDA_ERROR_INVALID_VALUE;
		}
		if (extra[i] == CU_LAUNCH_PARAM_BUFFER_POINTER) {
			from = extra[i + 1];
		} else if (extra[i] == CU_LAUNCH_PARAM_BUFFER_SIZE) {
			size = extra[i + 1];
		} else {
			return CUDA_ERROR_INVALID_VALUE;
		}
	}
	if (layout->params_size == 0) {
		return CUDA_SUCCESS;
	}
	if (from == NULL || size == NULL || *size < layout->params_size) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	memcpy(buffer, from, layout->params_size);
	return CUDA_SUCCESS;
}

/* Nearly all are pointers and words, which need no call. */
static inline void
copy_param(unsigned char *to, const void *from, size_t size)
{
	switch (size) {
	case 4: memcpy(to, from, 4); break;
	case 8: memcpy(to, from, 8); break;
	default: memcpy(to, from, size); break;
	}
}

CUresult
params_pack(const struct image_kernel *layout, void *const *kernel_params, void *const *extra,
	unsigned char *buffer)
{
	if (extra != NULL) {
		return kernel_params != NULL ? CUDA_ERROR_INVALID_VALUE
					     : from_extra(layout, extra, buffer);
	}
	if (layout->n_params == 0) {
		return CUDA_SUCCESS;
	}
	if (kernel_params == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	/* What lies between parameters must not be the stack's old bytes. */
	memset(buffer, 0, layout->params_size);
	for (size_t i = 0; i < layout->n_params; i++) {
		const struct image_param *param = &layout->params[i];
		if (kernel_params[i] == NULL) {
			return CUDA_ERROR_INVALID_VALUE;
		}
		copy_param(buffer + param->offset, kernel_params[i], param->size);
	}
	return CUDA_SUCCESS;
}
