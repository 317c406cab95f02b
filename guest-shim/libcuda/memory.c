/* SPDX-License-Identifier: Apache-2.0 */
/* memory.c: allocating and freeing, on the device and in the guest.
 *
 * Host memory is of the arena, which the host shares and pins.  Where there is none, or it
 * is full, it is the guest's own and ordinary: what makes that "pinned" is that the map
 * knows it, so that copies to it need not be waited for.
 *
 * Natively cudaFree waits for the device.  Here it does not: a block that was freed goes
 * to the cache, and the wait is made up for by the allocation that gets it, if work from
 * before may still use it. */
#include "guest-shim/libcuda/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/checked.h"
#include "common/log.h"
#include "guest-shim/libcuda/api.h"
#include "guest-shim/libcuda/arena.h"
#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/copy_pending.h"
#include "guest-shim/libcuda/guest.h"
#include "guest-shim/libcuda/map.h"
#include "guest-shim/libcuda/memory_cache.h"
#include "guest-shim/libcuda/reserve.h"
#include "guest-shim/libcuda/session.h"
#include "guest-shim/libcuda/unsupported.h"
#include "remote.h"

/* How often the worker is asked for another address before we give up. */
#define TRIES_MAX 8
#define FILLER_SIZE ((size_t)4 << 20)

/* One request for device memory, in whichever way. */
struct request {
	CUresult (*allocate)(struct request *request, CUdeviceptr *ret);
	bool is_plain;
	size_t size;     /* bytes that the map will know */
	CUstream stream; /* of an asynchronous one */
	size_t width, height;
	unsigned element_size;
	size_t pitch;
};

/* ---- what was freed ---- */

static CUresult
free_on_host(struct context *context, CUdeviceptr pointer)
{
	struct context *current = thread_self.current;

	thread_self.current = context;
	CUresult result = remote_cuMemFree_v2(pointer);
	thread_self.current = current;
	return result;
}

static CUresult
keep_or_free(const struct map_entry *entry)
{
	struct memory_block block = { .start = entry->start, .size = entry->size,
		.context = entry->context };
	struct memory_block oldest;

	if (!entry->is_plain || !context_is_only_one() ||
		context_check(entry->context) != CUDA_SUCCESS ||
		!memory_cache_wants(entry->size)) {
		return free_on_host(entry->context, entry->start);
	}
	block.mark = context_mark(entry->context);
	while (!memory_cache_put(&block)) {
		if (memory_cache_take_oldest(&oldest)) {
			(void)free_on_host(oldest.context, oldest.start);
		}
	}
	return CUDA_SUCCESS;
}

bool
memory_give_back(void)
{
	struct memory_block oldest;
	bool any = false;

	while (memory_cache_take_oldest(&oldest)) {
		(void)free_on_host(oldest.context, oldest.start);
		any = true;
	}
	return any;
}

static bool
may_reuse(const struct memory_block *block)
{
	return context_is_done(block->context, block->mark) ||
		context_can_wait(block->context, block->mark);
}

/* A kept block for a plain allocation.  false: there is none that could be had without
 * waiting for more than cudaFree would have waited for. */
static bool
reuse(struct context *context, size_t size, CUdeviceptr *ret_pointer, CUresult *ret_result)
{
	struct memory_block block;

	if (!memory_cache_take(context, size, may_reuse, &block)) {
		return false;
	}
	CUresult result = context_is_done(context, block.mark) ? CUDA_SUCCESS
							       : context_synchronize();
	if (result == CUDA_SUCCESS) {
		result = map_add(&(struct map_entry){ .start = block.start, .size = size,
			.kind = MAP_DEVICE, .is_plain = true, .context = context });
	}
	if (result == CUDA_SUCCESS) {
		*ret_pointer = block.start;
	} else {
		(void)free_on_host(context, block.start);
	}
	*ret_result = result;
	return true;
}

/* ---- memory of the device ---- */

static CUresult
allocate(struct request *request, CUdeviceptr *ret_pointer)
{
	CUdeviceptr clashing[2 * TRIES_MAX];
	CUdeviceptr pointer = 0;
	int n_clashing = 0, n_tries = 0;
	CUresult result;

	while (true) {
		result = request->allocate(request, &pointer);
		if (result == CUDA_ERROR_OUT_OF_MEMORY && memory_give_back()) {
			result = request->allocate(request, &pointer);
		}
		if (result != CUDA_SUCCESS || reserve_range(pointer, request->size)) {
			break;
		}
		/* Kept until another one is found, or it would be given to us again. */
		clashing[n_clashing++] = pointer;
		/* And something large, or the next one would lie right beside it. */
		if (remote_cuMemAlloc_v2(&pointer, FILLER_SIZE) == CUDA_SUCCESS) {
			clashing[n_clashing++] = pointer;
		}
		if (++n_tries == TRIES_MAX) {
			log_error("device memory at %#llx would cover this program's own memory, "
				  "and so did %d others: try again, or start the program with "
				  "setarch -R", (unsigned long long)clashing[0], TRIES_MAX - 1);
			result = CUDA_ERROR_OUT_OF_MEMORY;
			break;
		}
	}
	for (int i = 0; i < n_clashing; i++) {
		(void)remote_cuMemFree_v2(clashing[i]);
	}
	if (result != CUDA_SUCCESS) {
		return result;
	}
	result = map_add(&(struct map_entry){ .start = pointer, .size = request->size,
		.kind = MAP_DEVICE, .is_plain = request->is_plain,
		.context = thread_self.current });
	if (result != CUDA_SUCCESS) {
		(void)remote_cuMemFree_v2(pointer);
		return result;
	}
	*ret_pointer = pointer;
	return CUDA_SUCCESS;
}

static CUresult
allocate_plain(struct request *request, CUdeviceptr *ret)
{
	return remote_cuMemAlloc_v2(ret, request->size);
}

static CUresult
allocate_pitch(struct request *request, CUdeviceptr *ret)
{
	CUresult result = remote_cuMemAllocPitch_v2(ret, &request->pitch, request->width,
		request->height, request->element_size);

	if (result == CUDA_SUCCESS &&
		!checked_mul(request->pitch, request->height, &request->size)) {
		result = CUDA_ERROR_UNKNOWN;
	}
	return result;
}

static CUresult
allocate_async(struct request *request, CUdeviceptr *ret)
{
	return remote_cuMemAllocAsync(ret, request->size, request->stream);
}

CUDA_EXPORT CUresult CUDAAPI
cuMemAlloc_v2(CUdeviceptr *dptr, size_t bytesize)
{
	struct request request = { .allocate = allocate_plain, .is_plain = true,
		.size = bytesize };
	struct context *context;
	CUresult result = context_current(&context);

	if (result == CUDA_SUCCESS && (dptr == NULL || bytesize == 0)) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	if (result != CUDA_SUCCESS || reuse(context, bytesize, dptr, &result)) {
		return result;
	}
	return allocate(&request, dptr);
}

CUDA_EXPORT CUresult CUDAAPI
cuMemAllocPitch_v2(CUdeviceptr *dptr, size_t *pPitch, size_t WidthInBytes, size_t Height,
	unsigned int ElementSizeBytes)
{
	struct request request = { .allocate = allocate_pitch, .width = WidthInBytes,
		.height = Height, .element_size = ElementSizeBytes };
	struct context *context;
	CUresult result = context_current(&context);

	if (result == CUDA_SUCCESS && (dptr == NULL || pPitch == NULL || WidthInBytes == 0 ||
		Height == 0 || (ElementSizeBytes != 4 && ElementSizeBytes != 8 &&
		ElementSizeBytes != 16))) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	if (result == CUDA_SUCCESS) {
		result = allocate(&request, dptr);
	}
	if (result == CUDA_SUCCESS) {
		*pPitch = request.pitch;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuMemAllocAsync(CUdeviceptr *dptr, size_t bytesize, CUstream hStream)
{
	struct request request = { .allocate = allocate_async, .size = bytesize,
		.stream = hStream };
	struct context *context;
	CUresult result = context_current(&context);

	if (result == CUDA_SUCCESS && (dptr == NULL || bytesize == 0)) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	if (result == CUDA_SUCCESS) {
		result = allocate(&request, dptr);
		context_touch(context);
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuMemFree_v2(CUdeviceptr dptr)
{
	struct map_entry entry;
	CUresult result = session_error();

	if (result != CUDA_SUCCESS || dptr == 0) {
		return result;
	}
	if (thread_self.current != NULL) {
		result = context_check(thread_self.current);
	}
	if (result == CUDA_SUCCESS && !map_take(dptr, MAP_DEVICE, &entry)) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	/* Any thread may free it, whatever its current context. */
	return result == CUDA_SUCCESS ? keep_or_free(&entry) : result;
}

CUDA_EXPORT CUresult CUDAAPI
cuMemFreeAsync(CUdeviceptr dptr, CUstream hStream)
{
	struct map_entry entry;
	struct context *context;
	call_handle packed;
	CUresult result = context_current(&context);

	if (result == CUDA_SUCCESS) {
		result = guest_pack_stream(hStream, &packed);
	}
	if (result == CUDA_SUCCESS && !map_take(dptr, MAP_DEVICE, &entry)) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	return result == CUDA_SUCCESS ? remote_cuMemFreeAsync(dptr, hStream) : result;
}

/* What the program has freed is free. */
CUDA_EXPORT CUresult CUDAAPI
cuMemGetInfo_v2(size_t *free, size_t *total)
{
	memory_give_back();
	return remote_cuMemGetInfo_v2(free, total);
}

CUDA_EXPORT CUresult CUDAAPI
cuMemGetAddressRange_v2(CUdeviceptr *pbase, size_t *psize, CUdeviceptr dptr)
{
	struct map_entry entry;
	struct context *context;
	CUresult result = context_current(&context);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (!map_find(dptr, &entry)) {
		return CUDA_ERROR_NOT_FOUND;
	}
	if (pbase != NULL) {
		*pbase = entry.start;
	}
	if (psize != NULL) {
		*psize = entry.size;
	}
	return CUDA_SUCCESS;
}

/* ---- memory of the guest ---- */

CUDA_EXPORT CUresult CUDAAPI
cuMemHostAlloc(void **pp, size_t bytesize, unsigned int Flags)
{
	const unsigned known = CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP |
		CU_MEMHOSTALLOC_WRITECOMBINED;
	struct context *context;
	CUresult result = context_current(&context);

	if (result == CUDA_SUCCESS &&
		(pp == NULL || bytesize == 0 || bytesize > SIZE_MAX / 2 || (Flags & ~known) != 0)) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	if (result == CUDA_SUCCESS && (Flags & CU_MEMHOSTALLOC_DEVICEMAP) &&
		!arena_is_mapped()) {
		result = UNSUPPORTED("host memory mapped into a device that is not here "
				     "(CU_MEMHOSTALLOC_DEVICEMAP, cudaHostAllocMapped)");
	}
	if (result != CUDA_SUCCESS) {
		return result;
	}
	size_t size = round_up(bytesize, (size_t)sysconf(_SC_PAGESIZE));
	void *memory = MAP_FAILED;
	if (!arena_allocate(size, &memory) && !(Flags & CU_MEMHOSTALLOC_DEVICEMAP)) {
		memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	}
	if (memory == MAP_FAILED) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	result = map_add(&(struct map_entry){ .start = (uintptr_t)memory, .size = size,
		.kind = MAP_HOST, .flags = Flags, .context = context });
	if (result != CUDA_SUCCESS) {
		if (!arena_give(memory)) {
			munmap(memory, size);
		}
		return result;
	}
	*pp = memory;
	return CUDA_SUCCESS;
}

CUDA_EXPORT CUresult CUDAAPI
cuMemAllocHost_v2(void **pp, size_t bytesize)
{
	return cuMemHostAlloc(pp, bytesize, 0);
}

CUDA_EXPORT CUresult CUDAAPI
cuMemFreeHost(void *p)
{
	struct map_entry entry;
	CUresult result = session_error();

	if (result != CUDA_SUCCESS || p == NULL) {
		return result;
	}
	if (!map_find((uintptr_t)p, &entry) || entry.kind != MAP_HOST ||
		entry.start != (uintptr_t)p) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	uint64_t offset;
	bool shared = arena_offset(entry.start, &offset);
	result = shared ? arena_drain() : copy_pending_wait_range(entry.start, entry.size);
	if (!map_take((uintptr_t)p, MAP_HOST, &entry)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (!arena_give(p)) {
		munmap(p, entry.size);
	}
	return result;
}

/* Where it is mapped, it is so at its own address. */
CUDA_EXPORT CUresult CUDAAPI
cuMemHostGetDevicePointer_v2(CUdeviceptr *pdptr, void *p, unsigned int Flags)
{
	struct map_entry entry;
	struct context *context;
	uint64_t offset;
	CUresult result = context_current(&context);

	if (result == CUDA_SUCCESS && (pdptr == NULL || Flags != 0 ||
		!map_find((uintptr_t)p, &entry) || map_is_device(&entry))) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	if (result == CUDA_SUCCESS &&
		(!arena_offset((uintptr_t)p, &offset) || !arena_is_mapped())) {
		result = UNSUPPORTED("the device pointer of host memory that the host does "
				     "not share (cudaHostGetDevicePointer)");
	}
	if (result == CUDA_SUCCESS) {
		*pdptr = (uintptr_t)p;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuMemHostGetFlags(unsigned int *pFlags, void *p)
{
	struct map_entry entry;
	struct context *context;
	CUresult result = context_current(&context);

	if (result == CUDA_SUCCESS && (pFlags == NULL || !map_find((uintptr_t)p, &entry) ||
		map_is_device(&entry))) {
		result = CUDA_ERROR_INVALID_VALUE;
	}
	if (result == CUDA_SUCCESS) {
		*pFlags = entry.flags;
	}
	return result;
}

CUDA_EXPORT CUresult CUDAAPI
cuMemHostRegister_v2(void *p, size_t bytesize, unsigned int Flags)
{
	const unsigned known = CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP |
		CU_MEMHOSTREGISTER_IOMEMORY | CU_MEMHOSTREGISTER_READ_ONLY;
	struct context *context;
	CUresult result = context_current(&context);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (p == NULL || bytesize == 0 || (uintptr_t)p + bytesize < (uintptr_t)p ||
		(Flags & ~known) != 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (Flags & (CU_MEMHOSTREGISTER_DEVICEMAP | CU_MEMHOSTREGISTER_IOMEMORY)) {
		return UNSUPPORTED("registered host memory mapped into the device "
				   "(CU_MEMHOSTREGISTER_DEVICEMAP, cudaHostRegisterMapped)");
	}
	result = map_add(&(struct map_entry){ .start = (uintptr_t)p, .size = bytesize,
		.kind = MAP_REGISTERED, .flags = Flags, .context = context });
	return result == CUDA_ERROR_ALREADY_MAPPED ? CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED
						   : result;
}

CUDA_EXPORT CUresult CUDAAPI
cuMemHostUnregister(void *p)
{
	struct map_entry entry;
	CUresult result = session_error();

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (!map_take((uintptr_t)p, MAP_REGISTERED, &entry)) {
		return CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
	}
	return copy_pending_wait_range(entry.start, entry.size);
}
