/* SPDX-License-Identifier: Apache-2.0 */
/* peer.c: the links between devices, each attribute asked once: they do not change. */
#include <stdatomic.h>

#include "guest-shim/libcuda/api.h"
#include "guest-shim/libcuda/guest.h"
#include "guest-shim/libcuda/session.h"
#include "remote.h"

/* Attributes begin with 1 (cuda.h); 0 is whether there is access at all. */
#define ATTRIBUTES 8
#define CAN_ACCESS 0

/* 0, or 1 << 32 | value. */
static _Atomic uint64_t links[CALL_DEVICES_MAX][CALL_DEVICES_MAX][ATTRIBUTES];

static CUresult
ask(int *ret_value, int attribute, CUdevice from, CUdevice to)
{
	return attribute == CAN_ACCESS
		       ? remote_cuDeviceCanAccessPeer(ret_value, from, to)
		       : remote_cuDeviceGetP2PAttribute(
				 ret_value, (CUdevice_P2PAttribute)attribute, from, to);
}

static CUresult
link_attribute(int *ret_value, int attribute, CUdevice from, CUdevice to)
{
	int value;
	CUresult result = session_error();

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (ret_value == NULL || attribute < 0 || attribute >= ATTRIBUTES) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (session_device(from) == NULL || session_device(to) == NULL) {
		return CUDA_ERROR_INVALID_DEVICE;
	}
	_Atomic uint64_t *link = &links[from][to][attribute];
	uint64_t known = atomic_load_explicit(link, memory_order_relaxed);
	if (known != 0) {
		*ret_value = (int)(uint32_t)known;
		return CUDA_SUCCESS;
	}
	result = ask(&value, attribute, from, to);
	if (result == CUDA_SUCCESS) {
		atomic_store_explicit(
			link, (uint64_t)1 << 32 | (uint32_t)value, memory_order_relaxed);
		*ret_value = value;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuDeviceCanAccessPeer(int *canAccessPeer, CUdevice dev, CUdevice peerDev)
{
	return link_attribute(canAccessPeer, CAN_ACCESS, dev, peerDev);
}

CUDA_EXPORT CUresult CUDAAPI
cuDeviceGetP2PAttribute(
	int *value, CUdevice_P2PAttribute attrib, CUdevice srcDevice, CUdevice dstDevice)
{
	return (int)attrib == CAN_ACCESS
		       ? CUDA_ERROR_INVALID_VALUE
		       : link_attribute(value, (int)attrib, srcDevice, dstDevice);
}
