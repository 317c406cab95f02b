/* SPDX-License-Identifier: Apache-2.0 */
/* rdc_part.cu: a device function and a device variable for another translation unit. */
#include "rdc_part.h"

__device__ uint32_t rounds = 3;

__device__ uint32_t
mix(uint32_t value, uint32_t key)
{
	for (uint32_t i = 0; i < rounds; i++) {
		value ^= key + i;
		value = __funnelshift_l(value, value, 7) * 0x9e3779b1u;
	}
	return value;
}

uint32_t
mix_reference(uint32_t value, uint32_t key, uint32_t n_rounds)
{
	for (uint32_t i = 0; i != n_rounds; i++) {
		uint32_t keyed = value ^ (i + key);
		value = (keyed << 7 | keyed >> 25) * 2654435761u;
	}
	return value;
}
