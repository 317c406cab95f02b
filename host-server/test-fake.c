/* SPDX-License-Identifier: Apache-2.0 */
/* test-fake.c: a driver for tests that is as late as a real one may be.
 *
 * "Device memory" is the process's own.  A stream is a list of things to do; each knows
 * how to do itself, and an event is one that does nothing. */
#include "host-server/test-fake.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

struct piece {
	struct piece *next;
	CUDA_MEMCPY2D copy;
	struct CUevent_st *event; /* or a copy */
	uint64_t serial;
	const char *print;
	uint32_t *word; /* or a value to write */
	uint32_t value;
};

struct CUstream_st {
	struct piece *first, **end;
	unsigned asked;
};

struct CUevent_st {
	struct CUstream_st *stream;
	uint64_t recorded, happened;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;
static _Atomic unsigned lateness = 3;
static bool held;
static _Atomic CUresult failure;
static _Atomic bool no_events;
static uint64_t serial;
static unsigned n_events, n_streams, n_modules, n_memory, n_retained;
static struct CUstream_st legacy = { .end = &legacy.first };
static __thread CUcontext current;
static char context_of_device;
struct fake_module fake_last_module;
size_t fake_params_size;
int fake_print_fd = -1;
unsigned char fake_params[32768];

void
fake_set_lateness(unsigned questions)
{
	lateness = questions;
}

void
fake_hold(bool hold)
{
	HOLD_LOCK(&lock);
	held = hold;
	pthread_cond_broadcast(&released);
}

void
fake_refuse_events(bool refuse)
{
	no_events = refuse;
}

void
fake_fail(CUresult result)
{
	failure = result;
}

unsigned
fake_leaks(void)
{
	return n_events + n_streams + n_modules + n_memory + n_retained;
}

static struct CUstream_st *
stream_of(CUstream stream)
{
	return stream == NULL ? &legacy : stream;
}

static struct piece *
put(CUstream stream)
{
	struct CUstream_st *s = stream_of(stream);
	struct piece *piece = calloc(1, sizeof(*piece));

	piece->serial = ++serial;
	*s->end = piece;
	s->end = &piece->next;
	return piece;
}

static void
do_one(struct CUstream_st *s)
{
	struct piece *piece = s->first;
	const CUDA_MEMCPY2D *c = &piece->copy;

	s->first = piece->next;
	if (s->first == NULL) {
		s->end = &s->first;
	}
	if (piece->event != NULL) {
		piece->event->happened = piece->serial;
	} else if (piece->print != NULL) {
		dprintf(fake_print_fd, "%s", piece->print);
	} else if (piece->word != NULL) {
		__atomic_store_n(piece->word, piece->value, __ATOMIC_RELEASE);
	}
	for (size_t row = 0; row < c->Height; row++) {
		const void *from = c->srcMemoryType == CU_MEMORYTYPE_HOST
					   ? c->srcHost
					   : (const void *)c->srcDevice;
		void *to = c->dstMemoryType == CU_MEMORYTYPE_HOST ? c->dstHost
								  : (void *)c->dstDevice;
		memcpy((char *)to + row * c->dstPitch,
			(const char *)from + row * c->srcPitch, c->WidthInBytes);
	}
	free(piece);
}

static void
ask(struct CUstream_st *s)
{
	if (!held && s->first != NULL && ++s->asked >= lateness) {
		s->asked = 0;
		do_one(s);
	}
}

static void
wait_for(struct CUstream_st *s, const uint64_t *happened, uint64_t recorded)
{
	while ((happened == NULL || *happened < recorded) && s->first != NULL) {
		if (held) {
			pthread_cond_wait(&released, &lock);
		} else {
			do_one(s);
		}
	}
}

void
fake_finish(void)
{
	HOLD_LOCK(&lock);
	while (legacy.first != NULL) {
		do_one(&legacy);
	}
}

/* ---- the functions ---- */

static CUresult
init(unsigned flags)
{
	return CUDA_SUCCESS;
}

static CUresult
device_count(int *n)
{
	*n = 1;
	return CUDA_SUCCESS;
}

static CUresult
device_get(CUdevice *device, int ordinal)
{
	*device = ordinal;
	return CUDA_SUCCESS;
}

static CUresult
device_name(char *name, int size, CUdevice device)
{
	snprintf(name, (size_t)size, "fake");
	return CUDA_SUCCESS;
}

static CUresult
device_memory(size_t *size, CUdevice device)
{
	*size = 1 << 20;
	return CUDA_SUCCESS;
}

static CUresult
device_attribute(int *value, CUdevice_attribute attribute, CUdevice device)
{
	*value = (int)attribute * 3;
	return attribute < 10 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

static CUresult
primary_retain(CUcontext *context, CUdevice device)
{
	n_retained++;
	*context = (CUcontext)&context_of_device;
	return CUDA_SUCCESS;
}

static CUresult
primary_release(CUdevice device)
{
	n_retained--;
	return CUDA_SUCCESS;
}

static CUresult
primary_reset(CUdevice device)
{
	return CUDA_SUCCESS;
}

static CUresult
context_set(CUcontext context)
{
	current = context;
	return CUDA_SUCCESS;
}

static CUresult
context_synchronize(void)
{
	return failure;
}

static CUresult
stream_create(CUstream *stream, unsigned flags, int priority)
{
	*stream = calloc(1, sizeof(**stream));
	(*stream)->end = &(*stream)->first;
	n_streams++;
	return CUDA_SUCCESS;
}

static CUresult
stream_destroy(CUstream stream)
{
	HOLD_LOCK(&lock);
	wait_for(stream, NULL, 0);
	free(stream);
	n_streams--;
	return CUDA_SUCCESS;
}

static CUresult
stream_query(CUstream stream)
{
	HOLD_LOCK(&lock);
	ask(stream_of(stream));
	return failure != CUDA_SUCCESS		  ? failure
	       : stream_of(stream)->first == NULL ? CUDA_SUCCESS
						  : CUDA_ERROR_NOT_READY;
}

static CUresult
stream_write_value(CUstream stream, CUdeviceptr address, cuuint32_t value, unsigned flags)
{
	HOLD_LOCK(&lock);
	struct piece *piece = put(stream);
	piece->word = (uint32_t *)address;
	piece->value = value;
	return CUDA_SUCCESS;
}

static CUresult
stream_synchronize(CUstream stream)
{
	HOLD_LOCK(&lock);
	wait_for(stream_of(stream), NULL, 0);
	return failure;
}

static CUresult
event_create(CUevent *event, unsigned flags)
{
	if (current == NULL) {
		return CUDA_ERROR_INVALID_CONTEXT;
	}
	if (no_events) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*event = calloc(1, sizeof(**event));
	n_events++;
	return CUDA_SUCCESS;
}

static CUresult
event_destroy(CUevent event)
{
	HOLD_LOCK(&lock);
	wait_for(event->stream != NULL ? event->stream : &legacy, &event->happened,
		event->recorded);
	free(event);
	n_events--;
	return CUDA_SUCCESS;
}

static CUresult
event_record(CUevent event, CUstream stream)
{
	HOLD_LOCK(&lock);
	struct piece *piece = put(stream);
	piece->event = event;
	event->stream = stream_of(stream);
	event->recorded = piece->serial;
	return CUDA_SUCCESS;
}

static CUresult
event_query(CUevent event)
{
	HOLD_LOCK(&lock);
	if (failure != CUDA_SUCCESS) {
		return failure;
	}
	if (event->happened < event->recorded) {
		ask(event->stream);
	}
	return event->happened < event->recorded ? CUDA_ERROR_NOT_READY : CUDA_SUCCESS;
}

static CUresult
event_synchronize(CUevent event)
{
	HOLD_LOCK(&lock);
	if (current == NULL) {
		return CUDA_ERROR_INVALID_CONTEXT;
	}
	if (event->happened < event->recorded) {
		wait_for(event->stream, &event->happened, event->recorded);
	}
	return failure;
}

static CUresult
memory_alloc(CUdeviceptr *address, size_t size)
{
	*address = (CUdeviceptr)calloc(1, size);
	n_memory++;
	return CUDA_SUCCESS;
}

static CUresult
memory_free(CUdeviceptr address)
{
	stream_synchronize(NULL);
	free((void *)address);
	n_memory--;
	return CUDA_SUCCESS;
}

static CUresult
host_alloc(void **memory, size_t size, unsigned flags)
{
	*memory = malloc(size);
	n_memory++;
	return CUDA_SUCCESS;
}

static CUresult
host_free(void *memory)
{
	free(memory);
	n_memory--;
	return CUDA_SUCCESS;
}

static CUresult
host_address(CUdeviceptr *address, void *memory, unsigned flags)
{
	*address = (CUdeviceptr)memory;
	return CUDA_SUCCESS;
}

static CUresult
host_register(void *memory, size_t size, unsigned flags)
{
	n_memory++;
	return CUDA_SUCCESS;
}

static CUresult
host_unregister(void *memory)
{
	n_memory--;
	return CUDA_SUCCESS;
}

static CUresult
copy_2d(const CUDA_MEMCPY2D *copy, CUstream stream)
{
	HOLD_LOCK(&lock);
	put(stream)->copy = *copy;
	return CUDA_SUCCESS;
}

static CUresult
copy_htod(CUdeviceptr to, const void *from, size_t size, CUstream stream)
{
	CUDA_MEMCPY2D copy = {
		.srcMemoryType = CU_MEMORYTYPE_HOST,
		.srcHost = from,
		.dstMemoryType = CU_MEMORYTYPE_DEVICE,
		.dstDevice = to,
		.WidthInBytes = size,
		.Height = 1,
	};
	return copy_2d(&copy, stream);
}

static CUresult
copy_dtoh(void *to, CUdeviceptr from, size_t size, CUstream stream)
{
	CUDA_MEMCPY2D copy = {
		.srcMemoryType = CU_MEMORYTYPE_DEVICE,
		.srcDevice = from,
		.dstMemoryType = CU_MEMORYTYPE_HOST,
		.dstHost = to,
		.WidthInBytes = size,
		.Height = 1,
	};
	return copy_2d(&copy, stream);
}

static CUresult
module_load(CUmodule *module, const void *image)
{
	memcpy(&fake_last_module, image, sizeof(fake_last_module));
	*module = malloc(1);
	n_modules++;
	return CUDA_SUCCESS;
}

static CUresult
module_unload(CUmodule module)
{
	free(module);
	n_modules--;
	return CUDA_SUCCESS;
}

static CUresult
module_function(CUfunction *function, CUmodule module, const char *name)
{
	*function = (CUfunction)module;
	return CUDA_SUCCESS;
}

/* Two parameters: 8 bytes at 0, 4 at 8. */
static CUresult
function_param(CUfunction function, size_t i, size_t *offset, size_t *size)
{
	if (i > 1) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*offset = i == 0 ? 0 : 8;
	*size = i == 0 ? 8 : 4;
	return CUDA_SUCCESS;
}

static CUresult
launch(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
	unsigned bz, unsigned shared, CUstream stream, void **params, void **extra)
{
	HOLD_LOCK(&lock);
	fake_params_size = *(size_t *)extra[3];
	memcpy(fake_params, extra[1], sizeof(fake_params));
	put(stream)->print = "hello from a kernel\n";
	return CUDA_SUCCESS;
}

void
fake_driver(struct driver *driver)
{
	*driver = (struct driver){ 0 };
#define MISSING(name) driver->calls.name = (void *)driver_missing;
	DRIVER_CALLS(MISSING)
#undef MISSING
#define MISSING(name) driver->name = (void *)driver_missing;
	DRIVER_MORE_CALLS(MISSING)
#undef MISSING
	driver->cuInit = init;
	driver->cuDeviceGetCount = device_count;
	driver->cuDeviceGet = device_get;
	driver->cuDeviceGetName = device_name;
	driver->cuDeviceTotalMem_v2 = device_memory;
	driver->cuDeviceGetAttribute = device_attribute;
	driver->calls.cuDevicePrimaryCtxRetain = primary_retain;
	driver->calls.cuDevicePrimaryCtxRelease_v2 = primary_release;
	driver->calls.cuDevicePrimaryCtxReset_v2 = primary_reset;
	driver->cuCtxSetCurrent = context_set;
	driver->cuCtxSynchronize = context_synchronize;
	driver->cuStreamCreateWithPriority = stream_create;
	driver->cuStreamDestroy_v2 = stream_destroy;
	driver->cuStreamQuery = stream_query;
	driver->cuStreamSynchronize = stream_synchronize;
	driver->cuStreamWriteValue32_v2 = stream_write_value;
	driver->calls.cuEventCreate = event_create;
	driver->calls.cuEventDestroy_v2 = event_destroy;
	driver->calls.cuEventRecord = event_record;
	driver->cuEventQuery = event_query;
	driver->cuEventSynchronize = event_synchronize;
	driver->calls.cuMemAlloc_v2 = memory_alloc;
	driver->cuMemFree_v2 = memory_free;
	driver->cuMemHostAlloc = host_alloc;
	driver->cuMemFreeHost = host_free;
	driver->cuMemHostGetDevicePointer_v2 = host_address;
	driver->cuMemHostRegister_v2 = host_register;
	driver->cuMemHostUnregister = host_unregister;
	driver->cuMemcpyHtoDAsync_v2 = copy_htod;
	driver->cuMemcpyDtoHAsync_v2 = copy_dtoh;
	driver->cuMemcpy2DAsync_v2 = copy_2d;
	driver->cuModuleLoadData = module_load;
	driver->calls.cuModuleUnload = module_unload;
	driver->calls.cuModuleGetFunction = module_function;
	driver->cuFuncGetParamInfo = function_param;
	driver->cuLaunchKernel = launch;
}
