/* SPDX-License-Identifier: Apache-2.0 */
/* visible.h: which of the host's devices the program wants to see. */
#pragma once

#include <cuda.h>

/* Read the value of CUDA_VISIBLE_DEVICES (NULL: all).  Fills visible[] with ordinals in
 * the order wanted, at most n; returns how many.  NVIDIA's rules: ordinals, or "GPU-"
 * with enough of a UUID to be unambiguous; what is invalid ends the list; a device named
 * twice makes the list empty. */
int visible_devices(const char *text, const CUuuid *uuids, int n, int *visible);
