/* SPDX-License-Identifier: Apache-2.0 */
/* device.c: all that never changes about the devices, asked once, before any guest. */
#include "host-server/device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

#define DEVICE_NAME_SIZE 256

static void
free_devicesp(struct devices **devices)
{
	devices_free(*devices);
}

struct devices *
devices_free(struct devices *devices)
{
	if (devices != NULL) {
		for (size_t i = 0; i < devices->n; i++) {
			free(devices->about[i].name);
			free(devices->about[i].attributes.attributes_val);
		}
		free(devices);
	}
	return NULL;
}

/* Every attribute that this driver answers; 0 is not an attribute. */
static bool
device_attributes(const struct driver *driver, CUdevice device, call_device *about)
{
	call_attribute *list = calloc(CALL_ATTRIBUTES_MAX, sizeof(*list));
	u_int n = 0;

	if (list == NULL) {
		return false;
	}
	for (int a = 1; a < CU_DEVICE_ATTRIBUTE_MAX && n < CALL_ATTRIBUTES_MAX; a++) {
		int value = 0;
		if (driver->cuDeviceGetAttribute(&value, (CUdevice_attribute)a, device) ==
			CUDA_SUCCESS) {
			list[n++] = (call_attribute){ .attribute = a, .value = value };
		}
	}
	about->attributes.attributes_val = list;
	about->attributes.attributes_len = n;
	return true;
}

static CUresult
device_describe(const struct driver *driver, CUdevice device, call_device *about)
{
	size_t total = 0;
	CUuuid uuid = { 0 };
	char name[DEVICE_NAME_SIZE] = "";

	CUresult result = driver->cuDeviceGetName(name, sizeof(name), device);
	if (result == CUDA_SUCCESS) {
		result = driver->cuDeviceTotalMem_v2(&total, device);
	}
	if (result != CUDA_SUCCESS) {
		return result;
	}
	/* A driver without it has one device, and zeros will do. */
	driver->cuDeviceGetUuid_v2(&uuid, device);
	memcpy(about->uuid, uuid.bytes, sizeof(about->uuid));
	about->total_memory = total;
	name[sizeof(name) - 1] = '\0';
	about->name = strdup(name);
	if (about->name == NULL || !device_attributes(driver, device, about)) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	return CUDA_SUCCESS;
}

int
devices_new(const struct driver *driver, struct devices **ret_devices, char *ret_why,
	size_t why_size)
{
	cleanup(free_devicesp) struct devices *devices = calloc(1, sizeof(*devices));
	int count = 0;

	if (devices == NULL) {
		snprintf(ret_why, why_size, "out of memory");
		return -ENOMEM;
	}
	driver->cuDriverGetVersion(&devices->driver_version);
	CUresult result = driver->cuDeviceGetCount(&count);
	if (result != CUDA_SUCCESS || count <= 0) {
		snprintf(ret_why, why_size,
			"the driver has no device (%d devices, error %d)", count,
			(int)result);
		return -ENODEV;
	}
	for (int i = 0; i < count && i < CALL_DEVICES_MAX; i++) {
		result = driver->cuDeviceGet(&devices->device[i], i);
		if (result == CUDA_SUCCESS) {
			devices->n++;
			result = device_describe(
				driver, devices->device[i], &devices->about[i]);
		}
		if (result != CUDA_SUCCESS) {
			snprintf(ret_why, why_size, "cannot describe device %d: error %d",
				i, (int)result);
			return -ENODEV;
		}
	}
	*ret_devices = TAKE(devices);
	return 0;
}

static int
attribute(const call_device *device, CUdevice_attribute which)
{
	for (u_int i = 0; i < device->attributes.attributes_len; i++) {
		if (device->attributes.attributes_val[i].attribute == (int)which) {
			return device->attributes.attributes_val[i].value;
		}
	}
	return 0;
}

int
devices_cc(const struct devices *devices)
{
	int cc = 0;

	for (size_t i = 0; i < devices->n; i++) {
		const call_device *device = &devices->about[i];
		int its =
			attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) *
				10 +
			attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
		if (i > 0 && its != cc) {
			return 0;
		}
		cc = its;
	}
	return cc;
}
