/* SPDX-License-Identifier: Apache-2.0 */
/* unsupported.h: what is said about a function, or a use of one, that is not there. */
#pragma once

#include <cuda.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Once for each place: one line on stderr.  Always CUDA_ERROR_NOT_SUPPORTED. */
CUresult unsupported_say(atomic_bool *said, const char *what);
int unsupported_call(const char *name, bool *said);

#define UNSUPPORTED(what)                         \
	({                                        \
		static atomic_bool said_;         \
		unsupported_say(&said_, (what));  \
	})
