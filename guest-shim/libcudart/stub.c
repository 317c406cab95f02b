/* SPDX-License-Identifier: Apache-2.0 */
/* stub.c: what the stand-ins made by exports.py answer. */
#include "common/log.h"
#include "guest-shim/libcudart/error.h"

int stub_missing(const char *name, bool *said);

int
stub_missing(const char *name, bool *said)
{
	if (!*said) {
		*said = true;
		log_warning("libcudart: %s is not supported", name);
	}
	return (int)error_keep(cudaErrorNotSupported);
}
