/* SPDX-License-Identifier: Apache-2.0 */
/* unsupported.c: what functions that we do not have answer. */
#include "soft-device/api.h"

#include "common/log.h"

int
unsupported_call(const char *name, bool *said)
{
	if (!__atomic_exchange_n(said, true, __ATOMIC_RELAXED)) {
		log_warning(
			"soft-device: %s is not supported by the software device", name);
	}
	return CUDA_ERROR_NOT_SUPPORTED;
}
