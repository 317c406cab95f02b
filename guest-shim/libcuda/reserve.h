/* SPDX-License-Identifier: Apache-2.0 */
/* reserve.h: keep the guest's own mappings out of the device's addresses. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Device memory has these addresses: see that nothing of this process has them, now or
 * later.  false: something has. */
bool reserve_range(uint64_t start, uint64_t size);
