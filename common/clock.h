/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h: time that only goes forward. */
#pragma once

#include <stdint.h>
#include <time.h>

/* Nanoseconds since some time before the program began. */
static inline uint64_t
clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
