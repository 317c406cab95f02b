/* SPDX-License-Identifier: Apache-2.0 */
/* driver.c: a libcuda.so.1, opened by path. */
#include "host-server/driver.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>

#include "common/log.h"

/* Called through pointers to functions with other arguments, which it does not look at:
 * every ABI that CUDA exists for allows that. */
CUresult
driver_missing(void)
{
	return CUDA_ERROR_NOT_SUPPORTED;
}

static void *
driver_symbol(struct driver *driver, const char *name)
{
	void *symbol = dlsym(driver->library, name);

	if (symbol == NULL) {
		log_debug("driver: the library has no %s", name);
		driver->n_missing++;
		return (void *)driver_missing;
	}
	return symbol;
}

int
driver_open(struct driver *driver, const char *path, char *ret_why, size_t why_size)
{
	*driver = (struct driver){ .library = dlopen(path, RTLD_NOW | RTLD_LOCAL) };
	if (driver->library == NULL) {
		snprintf(ret_why, why_size, "cannot open the driver: %s", dlerror());
		return -ENOENT;
	}
#define LOAD(name) driver->calls.name = driver_symbol(driver, #name);
	DRIVER_CALLS(LOAD)
#undef LOAD
#define LOAD(name) driver->name = driver_symbol(driver, #name);
	DRIVER_MORE_CALLS(LOAD)
#undef LOAD
	driver->cuEventElapsedTime_v1 = driver_symbol(driver, "cuEventElapsedTime");
	if (!driver_has(driver->cuInit) || !driver_has(driver->cuDeviceGetCount)) {
		snprintf(ret_why, why_size, "%s is not a CUDA driver", path);
		driver_close(driver);
		return -ENOEXEC;
	}
	return 0;
}

void
driver_close(struct driver *driver)
{
	if (driver->library != NULL) {
		dlclose(driver->library);
	}
	*driver = (struct driver){ 0 };
}
