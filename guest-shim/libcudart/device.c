/* SPDX-License-Identifier: Apache-2.0 */
/* device.c: devices, their primary contexts, and which of them a thread uses.
 *
 * The driver is started by the first call that needs it.  A thread has a device, 0 at
 * start.  Its first real call retains that device's primary context, once per process,
 * and makes it current; every later call only checks that a context is still current,
 * because a program may mix in driver calls.  A context that the program made current
 * itself is used as it is. */
#include "guest-shim/libcudart/device.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "guest-shim/libcudart/driver.h"

/* More GPUs than any machine has; a driver that reports more is cut off. */
enum { DEVICE_MAX = 256 };

struct device {
	CUdevice handle;
	_Atomic(CUcontext) context; /* NULL until retained */
};

static struct {
	pthread_once_t once;
	pthread_mutex_t lock;
	cudaError_t error;
	int n;
	struct device list[DEVICE_MAX];
	atomic_bool exiting;
} devices = { .once = PTHREAD_ONCE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER };

atomic_uint device_generation;

static void
device_at_exit(void)
{
	atomic_store(&devices.exiting, true);
}

static cudaError_t
device_list(void)
{
	int version = 0;
	int n = 0;
	cudaError_t error = error_of(cuInit(0));
	if (error != cudaSuccess) {
		return error;
	}
	error = CALL(cuDriverGetVersion, &version);
	if (error == cudaSuccess && version < CUDART_MAJOR * 1000) {
		log_error("libcudart: the driver's version %d is older than CUDA %d",
			version, CUDART_MAJOR);
		error = cudaErrorInsufficientDriver;
	}
	if (error == cudaSuccess) {
		error = CALL(cuDeviceGetCount, &n);
	}
	if (error != cudaSuccess) {
		return error;
	}
	if (n > DEVICE_MAX) {
		log_warning("libcudart: only the first %d of %d devices are used",
			DEVICE_MAX, n);
		n = DEVICE_MAX;
	}
	for (int i = 0; i < n; i++) {
		error = CALL(cuDeviceGet, &devices.list[i].handle, i);
		if (error != cudaSuccess) {
			return error;
		}
	}
	devices.n = n;
	return n > 0 ? cudaSuccess : cudaErrorNoDevice;
}

static void
device_init_once(void)
{
	devices.error = device_list();
	/* Handlers run last in, first out: this one runs before those of the programs'
	 * constructors, that is before __cudaUnregisterFatBinary at exit. */
	atexit(device_at_exit);
}

cudaError_t
device_init(void)
{
	pthread_once(&devices.once, device_init_once);
	return devices.error;
}

bool
device_exiting(void)
{
	return atomic_load(&devices.exiting);
}

int
device_count(void)
{
	return devices.n;
}

cudaError_t
device_get(int ordinal, CUdevice *ret_device)
{
	cudaError_t error = device_init();
	if (error != cudaSuccess) {
		return error;
	}
	if (ordinal < 0 || ordinal >= devices.n) {
		return cudaErrorInvalidDevice;
	}
	*ret_device = devices.list[ordinal].handle;
	return cudaSuccess;
}

cudaError_t
device_context(int ordinal, CUcontext *ret_context)
{
	CUdevice handle;
	cudaError_t error = device_get(ordinal, &handle);
	if (error != cudaSuccess) {
		return error;
	}
	struct device *device = &devices.list[ordinal];
	CUcontext context = atomic_load_explicit(&device->context, memory_order_acquire);
	if (context == NULL) {
		HOLD_LOCK(&devices.lock);
		context = atomic_load(&device->context);
		if (context == NULL) {
			error = CALL(cuDevicePrimaryCtxRetain, &context, handle);
			if (error != cudaSuccess) {
				return error;
			}
			atomic_store_explicit(
				&device->context, context, memory_order_release);
		}
	}
	*ret_context = context;
	return cudaSuccess;
}

CUdevice
device_current(void)
{
	return devices.list[thread_self.device].handle;
}

bool
device_entered(void)
{
	CUcontext current = NULL;

	return thread_self.context != NULL &&
	       thread_self.generation ==
		       atomic_load_explicit(&device_generation, memory_order_relaxed) &&
	       cuCtxGetCurrent != NULL && cuCtxGetCurrent(&current) == CUDA_SUCCESS &&
	       current == thread_self.context;
}

/* Makes the primary context of an ordinal current for this thread. */
static cudaError_t
device_use(int ordinal)
{
	CUcontext context;
	unsigned generation = atomic_load(&device_generation);
	cudaError_t error = device_context(ordinal, &context);
	if (error == cudaSuccess) {
		error = CALL(cuCtxSetCurrent, context);
	}
	if (error == cudaSuccess) {
		thread_self.device = ordinal;
		thread_self.context = context;
		thread_self.generation = generation;
	}
	return error;
}

/* A context of the program's own: find out whose device it is on. */
static cudaError_t
device_adopt(CUcontext context)
{
	CUdevice handle;
	cudaError_t error = CALL(cuCtxGetDevice, &handle);
	if (error != cudaSuccess) {
		return error;
	}
	for (int i = 0; i < devices.n; i++) {
		if (devices.list[i].handle == handle) {
			thread_self.device = i;
			thread_self.context = context;
			thread_self.generation = atomic_load(&device_generation);
			return cudaSuccess;
		}
	}
	return cudaErrorIncompatibleDriverContext;
}

cudaError_t
device_enter_slow(void)
{
	CUcontext current = NULL;
	cudaError_t error = device_init();
	if (error == cudaSuccess) {
		error = CALL(cuCtxGetCurrent, &current);
	}
	if (error != cudaSuccess) {
		return error;
	}
	if (current != NULL && current != thread_self.context) {
		return device_adopt(current);
	}
	/* None yet; or ours, and the device has been reset since. */
	return device_use(thread_self.device);
}

cudaError_t
cudaGetDeviceCount(int *count)
{
	if (count == NULL) {
		return error_keep(cudaErrorInvalidValue);
	}
	cudaError_t error = device_init();
	*count = error == cudaSuccess ? devices.n : 0;
	return error_keep(error);
}

cudaError_t
cudaSetDevice(int device)
{
	CUdevice handle;
	cudaError_t error = device_get(device, &handle);
	if (error == cudaSuccess && (device != thread_self.device || !device_entered())) {
		/* A context on the same device that is not ours is replaced, too. */
		error = device_use(device);
	}
	return error_keep(error);
}

cudaError_t
cudaGetDevice(int *device)
{
	if (device == NULL) {
		return error_keep(cudaErrorInvalidValue);
	}
	cudaError_t error = device_init();
	if (error == cudaSuccess) {
		*device = thread_self.device;
	}
	return error_keep(error);
}

cudaError_t
cudaInitDevice(int device, unsigned int deviceFlags, unsigned int flags)
{
	CUdevice handle;
	CUcontext context;
	cudaError_t error = device_get(device, &handle);
	if (error == cudaSuccess &&
		(flags & ~(unsigned)cudaInitDeviceFlagsAreValid) != 0) {
		error = cudaErrorInvalidValue;
	}
	if (error == cudaSuccess && (flags & cudaInitDeviceFlagsAreValid) != 0) {
		error = CALL(cuDevicePrimaryCtxSetFlags, handle,
			deviceFlags & ~(unsigned)cudaDeviceMapHost);
	}
	if (error == cudaSuccess) {
		error = device_context(device, &context);
	}
	return error_keep(error);
}

cudaError_t
cudaDeviceReset(void)
{
	int ordinal = thread_self.device;
	CUdevice handle;
	cudaError_t error = device_get(ordinal, &handle);
	if (error != cudaSuccess) {
		return error_keep(error);
	}
	HOLD_LOCK(&devices.lock);
	error = CALL(cuDevicePrimaryCtxReset, handle);
	if (atomic_exchange(&devices.list[ordinal].context, NULL) != NULL) {
		/* Our reference; the context itself is gone already. */
		(void)CALL(cuDevicePrimaryCtxRelease, handle);
	}
	atomic_fetch_add(&device_generation, 1);
	if (error == cudaSuccess) {
		error_forget();
	}
	return error_keep(error);
}

cudaError_t
cudaDeviceSynchronize(void)
{
	return DRIVER(cuCtxSynchronize);
}

cudaError_t
cudaSetDeviceFlags(unsigned int flags)
{
	CUdevice handle;
	cudaError_t error = device_get(thread_self.device, &handle);
	if (error == cudaSuccess && (flags & ~(unsigned)cudaDeviceMask) != 0) {
		error = cudaErrorInvalidValue;
	}
	if (error == cudaSuccess) {
		/* Host memory can always be mapped; the driver does not take that flag.
		 */
		error = CALL(cuDevicePrimaryCtxSetFlags, handle,
			flags & ~(unsigned)cudaDeviceMapHost);
	}
	return error_keep(error);
}

cudaError_t
cudaGetDeviceFlags(unsigned int *flags)
{
	CUdevice handle;
	unsigned found = 0;
	int active;
	cudaError_t error = flags == NULL ? cudaErrorInvalidValue
					  : device_get(thread_self.device, &handle);
	if (error == cudaSuccess) {
		error = CALL(cuDevicePrimaryCtxGetState, handle, &found, &active);
	}
	if (error == cudaSuccess) {
		*flags = found | cudaDeviceMapHost;
	}
	return error_keep(error);
}
