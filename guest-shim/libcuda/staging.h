/* SPDX-License-Identifier: Apache-2.0 */
/* staging.h: copies of pageable memory by way of pinned memory that the host shares. */
#pragma once

#include <cuda.h>

#include "guest-shim/libcuda/copy_train.h"

/* Copies of fewer bytes are faster as payloads.  To the device those need not wait for
 * anything; from it, they are copied twice more, between processors (measured). */
#define STAGING_SEND_MIN ((size_t)32 << 10)
#define STAGING_FETCH_MIN ((size_t)2 << 10)

/* As copy_train_send and copy_train_fetch, which they fall back on. */
CUresult staging_send(struct copy_train *train);
CUresult staging_fetch(struct copy_train *train);
