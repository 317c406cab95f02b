/* SPDX-License-Identifier: Apache-2.0 */
/* profiler.c: where a profiler would begin and end, if there were one.  CUDA's own
 * functions do nothing either unless the program runs under a profiler. */
#include <cuda.h>
#include <cudaProfiler.h>

#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/guest.h"

CUDA_EXPORT CUresult CUDAAPI
cuProfilerStart(void)
{
	struct context *context;

	return context_current(&context);
}

CUDA_EXPORT CUresult CUDAAPI
cuProfilerStop(void)
{
	struct context *context;

	return context_current(&context);
}
