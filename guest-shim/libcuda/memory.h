/* SPDX-License-Identifier: Apache-2.0 */
/* memory.h: allocating and freeing, on the device and in the guest. */
#pragma once

#include <stdbool.h>

/* Give back to the host what the program has freed and is kept: for a call that found too
 * little memory on the device, and may find enough then.  Whether there was any. */
bool memory_give_back(void);
