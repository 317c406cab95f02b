/* SPDX-License-Identifier: Apache-2.0 */
/* ptx_header.h: what a PTX text says about itself and its kernels, without a full parse.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cubin-loader/image.h"

/* CUDA allows 32764 bytes of parameters, and none is smaller than a byte. */
#define PTX_PARAMS_SIZE_MAX 32764

struct ptx_text {
	const char *at;
	const char *end;
};

struct ptx_header {
	struct ptx_text rest; /* kernels are read from here on */
	unsigned int major;   /* .version */
	unsigned int minor;
	unsigned int arch;	    /* .target sm_90a: 90 */
	char variant;		    /* 'a', 'f' or 0 */
	struct image_param *params; /* of the last kernel */
	size_t params_allocated;
};

/* One .entry.  Lives until the next call with the same header. */
struct ptx_kernel {
	const char *name; /* not terminated */
	size_t name_len;
	const struct image_param *params;
	size_t n_params;
};

/* A text begins with .version and .target, after comments and white space.
 * ptx_header_deinit when done; the header borrows text.  0, -EBADMSG. */
int ptx_header_open(const char *text, size_t len, struct ptx_header *ret_header);
void ptx_header_deinit(struct ptx_header *header);
/* 1 and the next kernel, 0 at the end, -EBADMSG, -ENOMEM. */
int ptx_header_next_kernel(struct ptx_header *header, struct ptx_kernel *ret_kernel);
