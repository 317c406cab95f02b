/* SPDX-License-Identifier: Apache-2.0 */
/* procaddress_table.h: the table behind cuGetProcAddress.  Without <cuda.h>, whose macros
 * would rename what the generated tables name. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Which exported function a name means in a version of CUDA.  tools/procaddress.py writes
 * a table for each library from the toolkit's cudaTypedefs.h: sorted by name, then by
 * version, the highest first. */
struct procaddress {
	const char *name;
	int version; /* from this version of CUDA on */
	bool per_thread;
	void (*function)(void); /* NULL: we do not have it */
};

extern const struct procaddress procaddress_table[];
extern const size_t procaddress_n;
