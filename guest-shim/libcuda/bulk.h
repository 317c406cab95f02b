/* SPDX-License-Identifier: Apache-2.0 */
/* bulk.h: large copies over several connections. */
#pragma once

#include <cuda.h>
#include <stdbool.h>
#include <stdint.h>

#include "guest-shim/libcuda/copy_train.h"

/* For the greeting, and what it brought. */
uint32_t bulk_wanted_features(void);
void bulk_greeted(uint32_t host_features, uint64_t guest_id);
/* In the child of a fork: the connections are the parent's. */
void bulk_abandon(void);

/* As copy_train_send and copy_train_fetch; false, with nothing done, if the copy is too
 * small, the connections are in use or there are none. */
bool bulk_send(struct copy_train *train, CUresult *ret_result);
bool bulk_fetch(struct copy_train *train, CUresult *ret_result);
