/* SPDX-License-Identifier: Apache-2.0 */
/* plugin.c: a library with a static runtime inside, registering in its constructor. */
#include "runtime.h"

#define PUBLIC __attribute__((visibility("default")))

PUBLIC int plugin_check(void);

static int constructed;

__attribute__((constructor)) static void
constructor(void)
{
	constructed = __cudaRegisterFatBinary(100);
}

/* 0 if all calls of this library's runtime arrived in the libcudart of MAJOR. */
PUBLIC int
plugin_check(void)
{
	int (*volatile by_pointer)(void) = cudaTiny3;

	return constructed == OURS(MAJOR, 1) && cudaMalloc(5) == OURS(MAJOR, 2) + 5 &&
			       by_pointer() == OURS(MAJOR, 3) &&
			       cudaTiny1() == OURS(MAJOR, 4) &&
			       cudaTiny10() == OURS(MAJOR, 5) &&
			       cudaNeighbour() == OURS(MAJOR, 6)
		       ? 0
		       : 1;
}
