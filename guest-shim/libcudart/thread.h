/* SPDX-License-Identifier: Apache-2.0 */
/* thread.h: what the runtime keeps for one thread of the program. */
#pragma once

#include <cuda.h>
#include <stdbool.h>

#include "guest-shim/libcudart/api.h"
#include "guest-shim/redirect/copy.h"

/* f<<<…>>>(g()) pushes before g() runs, and g may launch too: this is how deep. */
enum { THREAD_CONFIGS = 32 };

struct thread_config {
	dim3 grid, block;
	size_t shared_size;
	cudaStream_t stream;
};

struct thread {
	bool has_errors; /* false: there has been none since the start, or a reset */
	cudaError_t last_error[COPY_MAX + 1]; /* of each copy of the runtime, see copy.h */
	int device;	     /* chosen by cudaSetDevice; 0 at start */
	CUcontext context;   /* made or seen current by us; NULL: none yet */
	unsigned generation; /* of the primary contexts, when that was */
	int n_configs;
	struct thread_config configs[THREAD_CONFIGS];
};

extern __thread struct thread thread_self;
