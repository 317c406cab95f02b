/* SPDX-License-Identifier: Apache-2.0 */
/* crew.h: large copies within the guest's memory, by several threads.
 *
 * One thread copies 10 to 15 GiB/s, a device five times as many.  The threads are made for
 * the first large copy, take no signals, and sleep when there is nothing to copy. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* memcpy.  bypass: write past the caches, which is for bytes that nobody reads soon. */
void crew_copy(void *to, const void *from, size_t size, bool bypass);
