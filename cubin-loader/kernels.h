/* SPDX-License-Identifier: Apache-2.0 */
/* kernels.h: what image.c and kernels.c share about the parts of an image. */
#pragma once

#include "cubin-loader/fatbin.h"
#include "cubin-loader/image.h"

/* The length of a PTX entry's text: without the NUL and the padding behind it. */
size_t image_text_len(const struct fatbin_payload *payload);
/* Whether kind and parts are possible at all.  0, -EBADMSG, -E2BIG. */
int image_check_parts(const struct image *image);
