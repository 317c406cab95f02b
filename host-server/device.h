/* SPDX-License-Identifier: Apache-2.0 */
/* device.h: all that never changes about the devices, asked once, before any guest. */
#pragma once

#include <cuda.h>
#include <stddef.h>

#include "host-server/driver.h"
#include "rpc/call.h"

struct devices {
	int driver_version;
	size_t n;
	CUdevice device[CALL_DEVICES_MAX];
	call_device about[CALL_DEVICES_MAX]; /* as HELLO tells it */
};

/* Needs cuInit.  0, or negative errno with a sentence in ret_why.  Caller frees. */
int devices_new(const struct driver *driver, struct devices **ret_devices, char *ret_why,
	size_t why_size);
/* The compute capability of all of them, major * 10 + minor, or 0 if they differ. */
int devices_cc(const struct devices *devices);
struct devices *devices_free(struct devices *devices);
