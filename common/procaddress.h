/* SPDX-License-Identifier: Apache-2.0 */
/* procaddress.h: what cuGetProcAddress answers, for whichever libcuda of ours is asked. */
#pragma once

#include <cuda.h>

/* The arguments of cuGetProcAddress_v2; status may be NULL. */
CUresult procaddress_get(const char *symbol, void **pfn, int version, cuuint64_t flags,
	CUdriverProcAddressQueryResult *status);
