/* SPDX-License-Identifier: Apache-2.0 */
/* relax.h: what to do between two looks at something that is about to change. */
#pragma once

#include <sched.h>

/* Looks between two times that others may run.  Wake-ups like to put the one who is waited
 * for on this very processor, and then only that helps; but it takes a quarter of a
 * microsecond (measured), which is long for an answer that is about to come. */
#define RELAX_LOOKS 16

/* The processor's other thread, if it has one, runs faster meanwhile. */
static inline void
relax_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* n counts the looks. */
static inline void
relax(unsigned n)
{
	if (n % RELAX_LOOKS == RELAX_LOOKS - 1) {
		sched_yield();
	} else {
		relax_briefly();
	}
}
