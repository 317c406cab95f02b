/* SPDX-License-Identifier: Apache-2.0 */
/* procaddress.h: which exported function a name means in a version of CUDA. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* procaddress.py writes the table from the toolkit's cudaTypedefs.h: sorted by name, then
 * by version, the highest first. */
struct procaddress {
	const char *name;
	int version;           /* from this version of CUDA on */
	bool per_thread;
	void (*function)(void); /* NULL: we do not have it */
};

extern const struct procaddress procaddress_table[];
extern const size_t procaddress_n;
