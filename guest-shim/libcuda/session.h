/* SPDX-License-Identifier: Apache-2.0 */
/* session.h: the guest's connection to its host, made once per process. */
#pragma once

#include <cuda.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/lane.h"

struct session_device {
	char name[256];
	CUuuid uuid;
	size_t total_memory; /* bytes */
	int host_ordinal;
	bool has_attribute[CU_DEVICE_ATTRIBUTE_MAX];
	int attributes[CU_DEVICE_ATTRIBUTE_MAX];
};

/* Connect, greet and learn the devices; the first caller does it, later ones get its
 * result again. */
CUresult session_open(void);
/* The lane, or NULL if there is none (and session_error says why). */
struct lane *session_lane(void);
CUresult session_error(void);
/* The link has failed with a negative errno: say so once on stderr.  The CUDA error. */
CUresult session_lost(int error);

/* Where it leads to. */
const char *session_url(void);

/* What HELLO told; constant once session_open has succeeded. */
int session_driver_version(void);
uint32_t session_features(void); /* CALL_FEATURE_... */
/* Compute capabilities, major * 10 + minor, of all devices of the host, visible or not. */
const uint32_t *session_host_ccs(size_t *ret_n);
int session_n_devices(void);
/* NULL if there is no such device. */
const struct session_device *session_device(int ordinal);
