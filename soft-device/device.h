/* SPDX-License-Identifier: Apache-2.0 */
/* device.h: the devices that this library pretends to drive. */
#pragma once

#include "soft-device/api.h"

/* Each has its own terabyte of addresses (allocation.h). */
#define DEVICES_MAX 8
#define DEVICE_SHARED_MAX 65536 /* bytes per block, as compute capability 7.5 */
#define DEVICE_SHARED_DEFAULT 49152
#define DEVICE_BLOCKS_PER_PROCESSOR 16
#define DEVICE_THREADS_PER_PROCESSOR 1024
#define DEVICE_REGISTERS 65536
#define DEVICE_DRIVER_VERSION 13000

/* CUDA_SUCCESS, or NOT_INITIALIZED before cuInit. */
CUresult device_ready(void);
/* The same, or INVALID_DEVICE for a number that is none of ours. */
CUresult device_check(CUdevice device);
int device_count(void);
size_t device_memory(CUdevice device);
int device_processors(void);
CUresult device_attribute(int *ret_value, CUdevice_attribute attribute, CUdevice device);
