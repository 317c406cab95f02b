/* SPDX-License-Identifier: Apache-2.0 */
/* driver.c: what to say about a function that the driver lacks. */
#include "guest-shim/libcudart/driver.h"

#include "common/log.h"

cudaError_t
driver_missing(const char *name, bool *said)
{
	if (!*said) {
		*said = true;
		log_warning("libcudart: this driver has no %s", name);
	}
	return cudaErrorNotSupported;
}
