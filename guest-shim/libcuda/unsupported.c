/* SPDX-License-Identifier: Apache-2.0 */
/* unsupported.c: what is said about a function that is not there. */
#include "guest-shim/libcuda/unsupported.h"

#include "common/log.h"

CUresult
unsupported_say(atomic_bool *said, const char *what)
{
	if (!atomic_exchange(said, true)) {
		log_warning("%s is not supported over the network", what);
	}
	return CUDA_ERROR_NOT_SUPPORTED;
}

/* For the functions that tools/unsupported.py writes. */
int
unsupported_call(const char *name, bool *said)
{
	if (!__atomic_exchange_n(said, true, __ATOMIC_RELAXED)) {
		log_warning("%s is not supported over the network", name);
	}
	return CUDA_ERROR_NOT_SUPPORTED;
}
