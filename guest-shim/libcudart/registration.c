/* SPDX-License-Identifier: Apache-2.0 */
/* registration.c: fat binaries, kernels and variables as the program announces them.
 *
 * Constructors that the compiler put into the program call this before main().  Nothing
 * is loaded then: the driver gets a fat binary when one of its kernels or variables is
 * first used.  Programs with many kernels announce tens of thousands of them. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "guest-shim/libcudart/driver.h"
#include "guest-shim/libcudart/fatbin.h"
#include "guest-shim/libcudart/map.h"

/* Slots lie in one reserved range, so that a handle of ours is told from one of the
 * driver's by its address; untouched pages cost nothing.  The largest known library
 * registers about 10^5 kernels. */
enum { KERNELS_MAX = 1 << 20 };

static struct map kernels = MAP_INIT;
static struct map variables = MAP_INIT;

static struct {
	pthread_mutex_t lock;
	struct kernel *slots;
	size_t n_used;
	struct kernel *free;
} arena = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct kernel *
arena_get(void)
{
	HOLD_LOCK(&arena.lock);
	if (arena.free != NULL) {
		struct kernel *kernel = arena.free;
		arena.free = kernel->next;
		return kernel;
	}
	if (arena.slots == NULL) {
		void *slots = mmap(NULL, KERNELS_MAX * sizeof(struct kernel),
			PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (slots == MAP_FAILED) {
			return NULL;
		}
		arena.slots = slots;
	}
	return arena.n_used < KERNELS_MAX ? &arena.slots[arena.n_used++] : NULL;
}

static void
arena_put(struct kernel *kernel)
{
	HOLD_LOCK(&arena.lock);
	memset(kernel, 0, sizeof(*kernel));
	kernel->next = arena.free;
	arena.free = kernel;
}

bool
fatbin_is_kernel(const void *pointer)
{
	const char *first = (const char *)arena.slots;
	const char *at = pointer;
	return first != NULL && at >= first &&
	       at < first + KERNELS_MAX * sizeof(struct kernel) &&
	       (size_t)(at - first) % sizeof(struct kernel) == 0 &&
	       ((const struct kernel *)pointer)->fatbin != NULL;
}

struct kernel *
fatbin_kernel(const void *host_function)
{
	return map_get(&kernels, host_function);
}

struct variable *
fatbin_variable(const void *host_variable)
{
	return map_get(&variables, host_variable);
}

cudaError_t
fatbin_library(struct fatbin *fatbin, CUlibrary *ret_library)
{
	CUlibrary library = atomic_load_explicit(&fatbin->library, memory_order_acquire);
	if (library == NULL) {
		HOLD_LOCK(&fatbin->lock);
		library = atomic_load(&fatbin->library);
		if (library == NULL) {
			/* The program keeps the bytes for as long as it is registered. */
			CUlibraryOption option = CU_LIBRARY_BINARY_IS_PRESERVED;
			void *value = (void *)1;
			cudaError_t error = CALL(cuLibraryLoadData, &library,
				fatbin->wrapper, NULL, NULL, 0, &option, &value, 1);
			if (error != cudaSuccess) {
				return error;
			}
			atomic_store_explicit(
				&fatbin->library, library, memory_order_release);
		}
	}
	*ret_library = library;
	return cudaSuccess;
}

void **
__cudaRegisterFatBinary(void *wrapper)
{
	struct fatbin *fatbin = calloc(1, sizeof(*fatbin));
	if (fatbin == NULL) {
		log_error("libcudart: no memory for a fat binary");
		return NULL;
	}
	fatbin->wrapper = wrapper;
	pthread_mutex_init(&fatbin->lock, NULL);
	return (void **)fatbin;
}

void
__cudaRegisterFatBinaryEnd(void **handle)
{
}

void
__cudaRegisterFunction(void **handle, const char *host_function, char *device_function,
	const char *name, int thread_limit, uint3 *tid, uint3 *bid, dim3 *block,
	dim3 *grid, int *warp_size)
{
	struct fatbin *fatbin = (struct fatbin *)handle;
	struct kernel *kernel = fatbin == NULL ? NULL : arena_get();
	if (kernel == NULL) {
		log_error("libcudart: cannot register kernel '%s'", name);
		return;
	}
	kernel->host_function = host_function;
	kernel->name = name;
	kernel->next = fatbin->kernels;
	kernel->fatbin = fatbin;
	fatbin->kernels = kernel;
	if (!map_put(&kernels, host_function, kernel)) {
		log_error("libcudart: no memory for kernel '%s'", name);
	}
}

static struct variable *
variable_register(void **handle, const void *host_variable, const char *name, size_t size)
{
	struct fatbin *fatbin = (struct fatbin *)handle;
	struct variable *variable = fatbin == NULL ? NULL : calloc(1, sizeof(*variable));
	if (variable == NULL || !map_put(&variables, host_variable, variable)) {
		log_error("libcudart: no memory for variable '%s'", name);
		free(variable);
		return NULL;
	}
	variable->fatbin = fatbin;
	variable->host_variable = host_variable;
	variable->name = name;
	variable->size = size;
	variable->next = fatbin->variables;
	fatbin->variables = variable;
	return variable;
}

void
__cudaRegisterVar(void **handle, char *host_variable, char *device_address,
	const char *name, int is_extern, size_t size, int is_constant, int is_global)
{
	variable_register(handle, host_variable, name, size);
}

void
__cudaRegisterManagedVar(void **handle, void **host_pointer, char *device_address,
	const char *name, int is_extern, size_t size, int is_constant, int is_global)
{
	struct variable *variable = variable_register(handle, host_pointer, name, size);
	if (variable != NULL) {
		variable->managed = host_pointer;
	}
}

/* The program calls this before it first touches a __managed__ variable of the binary. */
char
__cudaInitModule(void **handle)
{
	struct fatbin *fatbin = (struct fatbin *)handle;
	CUlibrary library = NULL;
	cudaError_t error =
		fatbin == NULL ? cudaErrorInvalidResourceHandle : device_enter();
	if (error == cudaSuccess) {
		error = fatbin_library(fatbin, &library);
	}
	if (error != cudaSuccess) {
		error_keep(error);
		return 0;
	}
	HOLD_LOCK(&fatbin->lock);
	for (struct variable *v = fatbin->variables; v != NULL; v = v->next) {
		CUdeviceptr address = 0;
		size_t size;
		if (v->managed == NULL || v->managed_address != NULL) {
			continue;
		}
		error = CALL(cuLibraryGetManaged, &address, &size, library, v->name);
		if (error != cudaSuccess) {
			log_error("libcudart: no managed memory for variable '%s': %s",
				v->name, cudaGetErrorString(error));
			error_keep(error);
			return 0;
		}
		/* From now on the program names the variable by its managed address. */
		v->managed_address = (const void *)address;
		*v->managed = (void *)address;
		map_put(&variables, v->managed_address, v);
	}
	return 1;
}

void
__cudaUnregisterFatBinary(void **handle)
{
	struct fatbin *fatbin = (struct fatbin *)handle;
	if (fatbin == NULL) {
		return;
	}
	while (fatbin->kernels != NULL) {
		struct kernel *kernel = fatbin->kernels;
		fatbin->kernels = kernel->next;
		if (map_get(&kernels, kernel->host_function) == kernel) {
			map_remove(&kernels, kernel->host_function);
		}
		arena_put(kernel);
	}
	while (fatbin->variables != NULL) {
		struct variable *variable = fatbin->variables;
		fatbin->variables = variable->next;
		if (map_get(&variables, variable->host_variable) == variable) {
			map_remove(&variables, variable->host_variable);
		}
		map_remove(&variables, variable->managed_address);
		free(variable);
	}
	CUlibrary library = atomic_load(&fatbin->library);
	if (library != NULL && !device_exiting()) {
		(void)CALL(cuLibraryUnload, library);
	}
	pthread_mutex_destroy(&fatbin->lock);
	free(fatbin);
}

unsigned
__cudaPushCallConfiguration(
	dim3 grid, dim3 block, size_t shared_size, struct CUstream_st *stream)
{
	struct thread *self = &thread_self;
	if (self->n_configs == THREAD_CONFIGS) {
		error_keep(cudaErrorInvalidConfiguration);
		return 1;
	}
	struct thread_config *config = &self->configs[self->n_configs++];
	config->grid = grid;
	config->block = block;
	config->shared_size = shared_size;
	config->stream = stream;
	return 0;
}

cudaError_t
__cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared_size, void *stream)
{
	struct thread *self = &thread_self;
	if (self->n_configs == 0) {
		return error_keep(cudaErrorMissingConfiguration);
	}
	const struct thread_config *config = &self->configs[--self->n_configs];
	*grid = config->grid;
	*block = config->block;
	*shared_size = config->shared_size;
	*(cudaStream_t *)stream = config->stream;
	return cudaSuccess;
}
