/* SPDX-License-Identifier: Apache-2.0 */
/* arena.c: memory that the guest shares with its host, where both are on one machine.
 *
 * One file in memory, mapped at both ends: sparse, as large as it will ever be, and passed
 * to the host after the greeting.  Its first part is two rings in which the lane goes on,
 * without a system call a message; chunks of the rest are pinned by the host.  A large
 * allocation has a chunk of its own, small ones share one, so that not each of them costs a
 * pinning; copies stay inside an allocation, and so inside a chunk.
 *
 * If the host has it at an address that is free here, it is mapped there, and pointers mean
 * the same at both ends: then kernels can use it, too. */
#include "guest-shim/libcuda/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/checked.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/extent.h"
#include "guest-shim/libcuda/guest.h"
#include "guest-shim/libcuda/session.h"
#include "guest-shim/libcuda/setting.h"
#include "guest-shim/libcuda/stats.h"

#define PAGE 4096
#define MIB ((uint64_t)1 << 20)
#define SIZE_DEFAULT (16384 * MIB)
#define SIZE_MIN (64 * MIB)
/* Chunks begin where a huge page can. */
#define CHUNK_ALIGN (2 * MIB)
#define CHUNK_SMALL (4 * MIB)
/* What is larger gets a chunk of its own. */
#define SMALL_MAX (MIB / 2)
#define CONTEXTS_MAX 64
/* Some ten thousand launches ahead of the host; answers are few and small. */
#define RING_TO_HOST ((size_t)4 << 20)
#define RING_TO_GUEST ((size_t)1 << 20)

struct chunk {
	uint64_t start, size;
	struct extents inside; /* of a small chunk; else its size is 0 */
	struct chunk *next;
};

enum arena_state { ARENA_OFF, ARENA_OFFERED, ARENA_ON };

static struct {
	_Atomic int state;
	/* Constant while it is on. */
	_Atomic(unsigned char *) memory;
	uint64_t size;
	bool mapped;

	pthread_mutex_t lock;
	struct extents chunks_at;
	struct chunk *chunks;
	/* In which copies were sent. */
	_Atomic(struct context *) contexts[CONTEXTS_MAX];
} arena = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- options ---- */

static uint64_t
wanted_size(void)
{
	uint64_t size = setting_size("OUTBOARD_ARENA_SIZE", SIZE_DEFAULT);
	struct rlimit limit;

	size = size < CALL_ARENA_MIB_MAX * MIB ? size : CALL_ARENA_MIB_MAX * MIB;
	/* Beyond this, making the file that large would be a signal, not an error. */
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && size > limit.rlim_cur) {
		size = limit.rlim_cur;
	}
	return size & ~(CHUNK_ALIGN - 1);
}

uint32_t
arena_wanted_features(void)
{
	const char *text = getenv("OUTBOARD_ARENA");

	return text != NULL && strcmp(text, "0") == 0 ? 0 : CALL_FEATURE_ARENA;
}

void
arena_greeted(uint32_t features)
{
	atomic_store(&arena.state,
		features & arena_wanted_features() & CALL_FEATURE_ARENA ? ARENA_OFFERED
									: ARENA_OFF);
}

/* ---- asking the host ---- */

/* Not guest_call: an error of an earlier one-way call is for the program's next call. */
static CUresult
ask(struct lane *lane, uint32_t number, void *args, void *ret, const int *fd)
{
	struct lane_message message = { .info = call_find(number), .args = args, .fd = fd };
	struct lane_reply reply = { .ret = ret };

	if (lane == NULL) {
		return session_error();
	}
	if (fd != NULL && !lane_is_local(lane)) {
		return CUDA_ERROR_NOT_SUPPORTED;
	}
	uint64_t began = stats_begin();
	int r = lane_call(lane, &message, &reply);
	stats_called(message.info, 0, began);
	return r < 0 ? session_lost(r) : (CUresult)((struct call_ret_head *)ret)->result;
}

static int
make_file(uint64_t size)
{
	int made = memfd_create("outboard", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (made < 0) {
		return -errno;
	}
	/* Programs may have closed what should be 0, 1 and 2. */
	cleanup_close int fd = fcntl(made, F_DUPFD_CLOEXEC, 3);
	close(made);
	if (fd < 0 || ftruncate(fd, (off_t)size) != 0 ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
		return -errno;
	}
	int kept = fd;
	fd = -1;
	return kept;
}

/* At the host's address, or else anywhere. */
static void *
map_file(int fd, uint64_t size, uint64_t address, bool *ret_mapped)
{
	const int access = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_NORESERVE;
	void *memory = MAP_FAILED;

#ifndef __SANITIZE_THREAD__ /* which allows no mapping there */
	void *wanted = (void *)(uintptr_t)address;
	if (wanted != NULL && address % PAGE == 0) {
		memory = mmap(wanted, size, access, flags | MAP_FIXED_NOREPLACE, fd, 0);
	}
	if (memory != MAP_FAILED && memory != wanted) {
		munmap(memory, size); /* a kernel that does not know the flag */
		memory = MAP_FAILED;
	}
#endif
	*ret_mapped = memory != MAP_FAILED;
	return memory != MAP_FAILED ? memory : mmap(NULL, size, access, flags, fd, 0);
}

/* Whether pinned memory has the same address on every device as in the worker. */
static bool
devices_can_map(void)
{
	for (int i = 0; i < session_n_devices(); i++) {
		const int *has = session_device(i)->attributes;
		if (!has[CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY] ||
			!has[CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING] ||
			!has[CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM]) {
			return false;
		}
	}
	return true;
}

static bool
arena_open(struct lane *lane)
{
	uint64_t size = wanted_size();
	arena_open_ret ret = { 0 };

	if (size < SIZE_MIN) {
		return false;
	}
	cleanup_close int fd = make_file(size);
	if (fd < 0) {
		log_debug("arena: cannot make it: %s", strerror(-fd));
		return false;
	}
	arena_open_args args = { .size = size };
	CUresult result = ask(lane, CALL_arena_open, &args, &ret, &fd);
	if (result != CUDA_SUCCESS) {
		log_debug("arena: the host refuses it: %d", (int)result);
		return false;
	}
	bool same_address;
	void *memory = map_file(
		fd, size, ret.u.arena_open_result_u.out.address, &same_address);
	if (memory == MAP_FAILED) {
		log_debug("arena: cannot map it: %s", strerror(errno));
		return false;
	}
	/* A child must not share what its parent's device writes; CUDA's pinned memory is
	 * not inherited either. */
	madvise(memory, size, MADV_DONTFORK);
	madvise(memory, size, MADV_HUGEPAGE);
	arena.size = size;
	arena.chunks_at = (struct extents){ .size = size };
	arena.mapped = same_address && devices_can_map();
	atomic_store_explicit(&arena.memory, memory, memory_order_release);
	return true;
}

/* Let the lane go on in rings.  A host that cannot do that says so, and it stays where it
 * is. */
static void
open_rings(struct lane *lane)
{
	const char *text = getenv("OUTBOARD_RING");
	struct stream_rings rings = { .to_host = RING_TO_HOST, .to_guest = RING_TO_GUEST };
	arena_ring_ret ret = { 0 };
	uint64_t start, given;
	size_t size;

	if ((text != NULL && strcmp(text, "0") == 0) || !stream_rings_measure(&rings, &size) ||
		!extents_take(&arena.chunks_at, round_up(size, PAGE), PAGE, &start)) {
		return;
	}
	arena_ring_args args = { .offset = start, .to_host = rings.to_host,
		.to_guest = rings.to_guest };
	CUresult result = ask(lane, CALL_arena_ring, &args, &ret, NULL);
	if (result != CUDA_SUCCESS) {
		log_debug("arena: the host does not go on in rings: %d", (int)result);
		extents_give(&arena.chunks_at, start, &given);
		return;
	}
	rings.memory = atomic_load(&arena.memory) + start;
	int r = lane_use_rings(lane, &rings);
	if (r < 0) {
		session_lost(r); /* the host listens there alone */
	}
}

void
arena_begin(struct lane *lane)
{
	/* Now, not when it is first needed: what devices can do depends on it, and asking
	 * that must not be a round trip. */
	HOLD_LOCK(&arena.lock);
	if (atomic_load(&arena.state) != ARENA_OFFERED) {
		return;
	}
	atomic_store(&arena.state, arena_open(lane) ? ARENA_ON : ARENA_OFF);
	if (atomic_load(&arena.state) == ARENA_ON) {
		open_rings(lane);
	}
}

/* ---- allocation ---- */

static struct chunk *
chunk_new(uint64_t size, bool small)
{
	struct chunk *chunk = calloc(1, sizeof(*chunk));
	uint64_t size_taken, given;
	arena_pin_ret ret = { 0 };

	if (chunk == NULL) {
		return NULL;
	}
	size_taken = round_up(size, PAGE);
	chunk->size = size_taken;
	chunk->inside.size = small ? size_taken : 0;
	if (!extents_take(&arena.chunks_at, size_taken, CHUNK_ALIGN, &chunk->start)) {
		free(chunk);
		return NULL;
	}
	arena_pin_args args = { .offset = chunk->start, .size = size_taken };
	CUresult result = ask(session_lane(), CALL_arena_pin, &args, &ret, NULL);
	if (result != CUDA_SUCCESS) {
		log_debug("arena: the host cannot pin %llu bytes: %d",
			(unsigned long long)size_taken, (int)result);
		if (result == CUDA_ERROR_NOT_SUPPORTED) {
			atomic_store(&arena.state, ARENA_OFF);
		}
		extents_give(&arena.chunks_at, chunk->start, &given);
		free(chunk);
		return NULL;
	}
	chunk->next = arena.chunks;
	arena.chunks = chunk;
	return chunk;
}

static void
chunk_free(struct chunk **at)
{
	struct chunk *chunk = *at;
	arena_unpin_args args = { .offset = chunk->start, .size = chunk->size };
	uint64_t given;

	*at = chunk->next;
	(void)guest_post(CALL_arena_unpin, &args);
	/* The host has these pages until then; who pins the range again gets others. */
	madvise(arena.memory + chunk->start, chunk->size, MADV_REMOVE);
	extents_give(&arena.chunks_at, chunk->start, &given);
	extents_deinit(&chunk->inside);
	free(chunk);
}

static bool
allocate_small(uint64_t size, uint64_t *ret_offset)
{
	uint64_t at;

	for (struct chunk *c = arena.chunks; c != NULL; c = c->next) {
		if (c->inside.size != 0 && extents_take(&c->inside, size, PAGE, &at)) {
			*ret_offset = c->start + at;
			return true;
		}
	}
	struct chunk *chunk = chunk_new(CHUNK_SMALL, true);
	if (chunk == NULL || !extents_take(&chunk->inside, size, PAGE, &at)) {
		return false;
	}
	*ret_offset = chunk->start + at;
	return true;
}

bool
arena_allocate(size_t size, void **ret_memory)
{
	uint64_t offset;

	if (atomic_load(&arena.state) != ARENA_ON || size == 0 || size > SIZE_MAX / 2) {
		return false;
	}
	HOLD_LOCK(&arena.lock);
	if (size <= SMALL_MAX) {
		if (!allocate_small(round_up(size, PAGE), &offset)) {
			return false;
		}
	} else {
		struct chunk *chunk = chunk_new(size, false);
		if (chunk == NULL) {
			return false;
		}
		offset = chunk->start;
	}
	*ret_memory = arena.memory + offset;
	return true;
}

bool
arena_give(void *memory)
{
	struct chunk **found = NULL;
	uint64_t offset, given;
	unsigned n_small = 0;

	if (!arena_offset((uintptr_t)memory, &offset)) {
		return false;
	}
	HOLD_LOCK(&arena.lock);
	for (struct chunk **at = &arena.chunks; *at != NULL; at = &(*at)->next) {
		if (offset - (*at)->start < (*at)->size) {
			found = at;
		}
		n_small += (*at)->inside.size != 0;
	}
	if (found == NULL) {
		return true;
	}
	struct chunk *chunk = *found;
	/* Of the chunks for small ones the last is kept, empty or not. */
	if (chunk->inside.size == 0 ||
		(extents_give(&chunk->inside, offset - chunk->start, &given) &&
			chunk->inside.n == 0 && n_small > 1)) {
		chunk_free(found);
	}
	return true;
}

bool
arena_offset(uint64_t address, uint64_t *ret_offset)
{
	uintptr_t start =
		(uintptr_t)atomic_load_explicit(&arena.memory, memory_order_acquire);

	if (start == 0 || address < start || address - start >= arena.size) {
		return false;
	}
	*ret_offset = address - start;
	return true;
}

bool
arena_is_mapped(void)
{
	return atomic_load(&arena.state) == ARENA_ON && arena.mapped;
}

/* ---- copies ---- */

static void
note_context(void)
{
	struct context *context = thread_self.current;

	for (size_t i = 0; i < CONTEXTS_MAX; i++) {
		struct context *seen =
			atomic_load_explicit(&arena.contexts[i], memory_order_acquire);
		if (seen == context ||
			(seen == NULL && (atomic_compare_exchange_strong(
						  &arena.contexts[i], &seen, context) ||
						 seen == context))) {
			return;
		}
	}
}

CUresult
arena_drain(void)
{
	struct context *current = thread_self.current;
	CUresult first = CUDA_SUCCESS;

	for (size_t i = 0; i < CONTEXTS_MAX; i++) {
		struct context *context =
			atomic_load_explicit(&arena.contexts[i], memory_order_acquire);
		if (context == NULL) {
			break;
		}
		/* In one that is gone or spoiled, nothing is copied any more. */
		if (context_check(context) != CUDA_SUCCESS) {
			continue;
		}
		thread_self.current = context;
		CUresult result = context_synchronize();
		thread_self.current = current;
		first = first != CUDA_SUCCESS ? first : result;
	}
	return first;
}

CUresult
arena_copy_to_device(const struct arena_copy *copy)
{
	copy_arena_htod_args args = { .dst = copy->device, .dst_pitch = copy->device_pitch,
		.offset = copy->offset, .host_pitch = copy->host_pitch,
		.width = copy->width, .height = copy->height, .hStream = copy->stream };

	note_context();
	return guest_post(CALL_copy_arena_htod, &args);
}

CUresult
arena_copy_to_host(const struct arena_copy *copy)
{
	copy_arena_dtoh_args args = { .src = copy->device, .src_pitch = copy->device_pitch,
		.offset = copy->offset, .host_pitch = copy->host_pitch,
		.width = copy->width, .height = copy->height, .hStream = copy->stream };

	note_context();
	return guest_post(CALL_copy_arena_dtoh, &args);
}
