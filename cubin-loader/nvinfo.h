/* SPDX-License-Identifier: Apache-2.0 */
/* nvinfo.h: the records of a .nv.info section: parameters of one kernel. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cubin-loader/image.h"

/* CUDA allows 32764 bytes of parameters (since sm_70), and none is smaller than a byte.
 */
#define NVINFO_PARAMS_MAX 32764

/* The layout of the kernel whose .nv.info.KERNEL section this is, in order of
 * declaration.  Caller frees *ret_params (NULL if there are none).
 * 0, -EBADMSG, -ENOTSUP (it has parameters, but no record tells which), -ENOMEM. */
int nvinfo_params(const void *data, size_t size, struct image_param **ret_params,
	size_t *ret_n_params);
/* Whether every record ends inside.  0, -EBADMSG. */
int nvinfo_validate(const void *data, size_t size);
