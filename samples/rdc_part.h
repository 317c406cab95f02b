/* SPDX-License-Identifier: Apache-2.0 */
/* rdc_part.h: what rdc_main.cu uses of rdc_part.cu, on the device. */
#pragma once

#include <stdint.h>

extern __device__ uint32_t rounds;
__device__ uint32_t mix(uint32_t value, uint32_t key);

/* The same for the host, written separately. */
uint32_t mix_reference(uint32_t value, uint32_t key, uint32_t n_rounds);
