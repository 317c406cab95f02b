/* SPDX-License-Identifier: Apache-2.0 */
/* device.h: devices and their primary contexts. */
#pragma once

#include <cuda.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "guest-shim/libcudart/thread.h"

/* Counts cudaDeviceReset(): contexts seen before are not to be trusted. */
extern atomic_uint device_generation;

/* Starts the driver, once per process. */
cudaError_t device_init(void);
/* Whether the process is on its way out, and the driver perhaps gone already. */
bool device_exiting(void);
/* The driver's handle; cudaErrorInvalidDevice if there is no such device. */
cudaError_t device_get(int ordinal, CUdevice *ret_device);
int device_count(void);
/* The primary context, retained at the first call. */
cudaError_t device_context(int ordinal, CUcontext *ret_context);
/* The device of the current context; valid after device_enter(). */
CUdevice device_current(void);

cudaError_t device_enter_slow(void);
bool device_entered(void);

/* Makes sure that the calling thread has a current context. */
static inline cudaError_t
device_enter(void)
{
	return __builtin_expect(device_entered(), 1) ? cudaSuccess : device_enter_slow();
}
