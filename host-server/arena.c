/* SPDX-License-Identifier: Apache-2.0 */
/* arena.c: memory that the guest shares with its worker, where both are on one machine.
 *
 * The guest makes a file in memory and passes its descriptor, once.  It is mapped here, and
 * the guest asks for ranges of it to be pinned; copies then go directly between them and
 * the device, however large they are.
 *
 * The guest can do with the file what it likes at any time, so nothing in it is believed.
 * Of the worker's own instructions only those of rpc/ring.c read or write it, if the guest
 * wants the lane to go on in it; the device does the rest.  (The software device is
 * instructions of ours, too; the seals see to it that there are pages.)  A range remembers
 * the streams that use it, and is unpinned when they have gone past. */
#include "host-server/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/checked.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "host-server/context.h"
#include "host-server/copy.h"
#include "host-server/dispatch.h"
#include "host-server/session.h"
#include "host-server/stream.h"

#define PAGE 4096
#define SIZE_MAX_BYTES ((uint64_t)CALL_ARENA_MIB_MAX << 20)
/* Where programs and libraries usually have nothing, so that the guest can have the arena
 * at the same address: a host pointer is then a device pointer. */
#define ADDRESS_WANTED ((uintptr_t)0x6e0000000000)
#define USES_MAX 8

struct arena_use {
	struct stream_ref ref;
	uint64_t submitted;
};

struct arena_range {
	uint64_t offset, size;
	bool registered;
	bool crowded; /* more streams use it than there are uses */
	unsigned n_uses;
	struct arena_use uses[USES_MAX];
};

struct arena {
	uint8_t *memory; /* NULL until opened */
	uint64_t size;
	uint64_t pinned, pinned_max;
	struct arena_range **ranges; /* by offset */
	size_t n_ranges;
};

/* ---- life ---- */

bool
arena_offer(struct session *s, uint32_t guest_features)
{
	struct stream *stream = server_stream(s->server);

	if (!(guest_features & CALL_FEATURE_ARENA) || !stream_is_local(stream) ||
		!driver_has(s->driver->cuMemHostRegister_v2)) {
		return false;
	}
	s->arena = calloc(1, sizeof(*s->arena));
	if (s->arena == NULL) {
		return false;
	}
	s->arena->ranges = calloc(ARENA_RANGES_MAX, sizeof(*s->arena->ranges));
	if (s->arena->ranges == NULL || stream_take_fds(stream, true) < 0) {
		arena_free(s);
		return false;
	}
	return true;
}

void
arena_free(struct session *s)
{
	struct arena *arena = s->arena;

	if (arena == NULL) {
		return;
	}
	arena_clear(s);
	for (size_t i = 0; i < arena->n_ranges; i++) {
		free(arena->ranges[i]);
	}
	if (arena->memory != NULL) {
		munmap(arena->memory, arena->size);
	}
	free(arena->ranges);
	free(arena);
	s->arena = NULL;
}

int
arena_check_fd(int fd, uint64_t size)
{
	struct stat st;
	struct statfs fs;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0) {
		return -errno;
	}
	/* Without these, the guest could take pages away that the device or we use. */
	if ((seals & (F_SEAL_SHRINK | F_SEAL_GROW)) != (F_SEAL_SHRINK | F_SEAL_GROW)) {
		return -EPERM;
	}
	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0) {
		return -errno;
	}
	/* Of huge pages there may be none left when one is touched. */
	if (!S_ISREG(st.st_mode) || fs.f_type != TMPFS_MAGIC) {
		return -ENOTSUP;
	}
	return size == 0 || size > SIZE_MAX_BYTES || size % PAGE != 0 ||
			       st.st_size < 0 || (uint64_t)st.st_size != size
		       ? -EINVAL
		       : 0;
}

static int
arena_map(struct arena *arena, int fd, uint64_t size)
{
	void *memory = MAP_FAILED;

#ifndef __SANITIZE_THREAD__ /* which allows no mapping there */
	memory = mmap((void *)ADDRESS_WANTED, size, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, fd, 0);
	if (memory != MAP_FAILED && memory != (void *)ADDRESS_WANTED) {
		munmap(memory, size); /* a kernel that does not know the flag */
		memory = MAP_FAILED;
	}
#endif
	if (memory == MAP_FAILED) {
		memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_NORESERVE, fd, 0);
	}
	if (memory == MAP_FAILED) {
		return -errno;
	}
	madvise(memory, size, MADV_DONTDUMP);
	uint64_t half = (uint64_t)sysconf(_SC_PHYS_PAGES) / 2 *
			(uint64_t)sysconf(_SC_PAGESIZE);
	arena->memory = memory;
	arena->size = size;
	arena->pinned_max = size < half ? size : half;
	return 0;
}

CUresult
serve_arena_open(struct session *s, const void *argp, void *outp)
{
	const arena_open_args *args = argp;
	arena_open_out *out = outp;
	struct stream *stream = server_stream(s->server);
	cleanup_close int fd = stream_received_fd(stream);

	if (s->arena == NULL || s->arena->memory != NULL) {
		return CUDA_ERROR_NOT_PERMITTED;
	}
	/* It is now or never. */
	stream_take_fds(stream, false);
	if (fd < 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	int r = arena_check_fd(fd, args->size);
	if (r < 0) {
		log_warning("arena: what the guest wants to share is refused: %s",
			strerror(-r));
		return CUDA_ERROR_INVALID_VALUE;
	}
	r = arena_map(s->arena, fd, args->size);
	if (r < 0) {
		log_warning("arena: cannot map: %s", strerror(-r));
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	out->address = (uintptr_t)s->arena->memory;
	return CUDA_SUCCESS;
}

CUresult
serve_arena_ring(struct session *s, const void *argp, void *outp)
{
	const arena_ring_args *args = argp;
	struct arena *arena = s->arena;
	struct stream_rings rings = { .to_host = args->to_host, .to_guest = args->to_guest };
	size_t size;

	if (arena == NULL || arena->memory == NULL || s->has_rings) {
		return CUDA_ERROR_NOT_PERMITTED;
	}
	if (!stream_rings_measure(&rings, &size) || args->offset % PAGE != 0 ||
		!checked_range(args->offset, size, arena->size)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	rings.memory = arena->memory + args->offset;
	s->rings = rings;
	s->has_rings = true;
	return CUDA_SUCCESS;
}

/* ---- ranges ---- */

bool
arena_rows_inside(uint64_t offset, uint64_t pitch, uint64_t width, uint64_t height,
	uint64_t start, uint64_t size)
{
	size_t all = width, before_last;

	if (height > 1 && (!checked_mul(pitch, height - 1, &before_last) ||
				  !checked_add(before_last, width, &all))) {
		return false;
	}
	return offset >= start && checked_range(offset - start, all, size);
}

/* How many ranges start at or before offset. */
static size_t
position(const struct arena *arena, uint64_t offset)
{
	size_t low = 0, high = arena->n_ranges;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (arena->ranges[middle]->offset <= offset) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

/* Pinned memory belongs to the home context, and is good for all. */
static void
enter_home(struct session *s)
{
	if (s->context != s->home) {
		s->driver->cuCtxSetCurrent(s->home->cuda);
	}
}

static CUresult
range_register(struct session *s, struct arena_range *range)
{
	if (range->registered) {
		return CUDA_SUCCESS;
	}
	enter_home(s);
	CUresult result = s->driver->cuMemHostRegister_v2(
		s->arena->memory + range->offset, range->size,
		CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP);
	context_leave(s);
	range->registered = result == CUDA_SUCCESS;
	return result;
}

static void
range_unregister(struct session *s, struct arena_range *range)
{
	if (range->registered) {
		s->driver->cuMemHostUnregister(s->arena->memory + range->offset);
		range->registered = false;
	}
}

static bool
use_is_over(struct session *s, const struct arena_use *use)
{
	const struct work *work = stream_work(s, &use->ref);

	return work != NULL && work->finished >= use->submitted;
}

static void
range_forget_uses_that_are_over(struct session *s, struct arena_range *range)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < range->n_uses; i++) {
		if (!use_is_over(s, &range->uses[i])) {
			range->uses[kept++] = range->uses[i];
		}
	}
	range->n_uses = kept;
}

static void
range_used(struct session *s, struct arena_range *range, const struct stream_ref *ref)
{
	uint64_t submitted = stream_work(s, ref)->submitted;

	for (unsigned i = 0; i < range->n_uses; i++) {
		struct arena_use *use = &range->uses[i];
		if (use->ref.handle == ref->handle && use->ref.context == ref->context) {
			use->submitted = submitted;
			return;
		}
	}
	if (range->n_uses == USES_MAX) {
		range_forget_uses_that_are_over(s, range);
	}
	if (range->n_uses == USES_MAX) {
		range->crowded = true;
		return;
	}
	range->uses[range->n_uses++] =
		(struct arena_use){ .ref = *ref, .submitted = submitted };
}

static void
wait_for_context(struct session *s, struct context *context)
{
	if (context_enter(s, context) == CUDA_SUCCESS) {
		s->driver->cuCtxSynchronize();
	}
	context_leave(s);
}

/* Block until the device does not use it.  A guest of ours has waited already. */
static void
range_drain(struct session *s, struct arena_range *range)
{
	range_forget_uses_that_are_over(s, range);
	if (range->crowded || range->n_uses > 0) {
		for (struct context *c = s->contexts; c != NULL; c = c->next) {
			wait_for_context(s, c);
		}
	}
	range->crowded = false;
	range->n_uses = 0;
}

void
arena_drain(struct session *s, struct context *context)
{
	size_t n_ranges = s->arena != NULL ? s->arena->n_ranges : 0;

	for (size_t i = 0; i < n_ranges; i++) {
		struct arena_range *range = s->arena->ranges[i];
		bool used = range->crowded;
		for (unsigned j = 0; j < range->n_uses; j++) {
			/* All of it goes with the home context. */
			used |= range->uses[j].ref.context == context ||
				context == s->home;
		}
		if (used) {
			range_drain(s, range);
		}
	}
}

void
arena_clear(struct session *s)
{
	size_t n_ranges = s->arena != NULL ? s->arena->n_ranges : 0;

	for (size_t i = 0; i < n_ranges; i++) {
		range_unregister(s, s->arena->ranges[i]);
	}
}

static CUresult
check_range(const struct arena *arena, uint64_t offset, uint64_t size)
{
	if (arena == NULL || arena->memory == NULL) {
		return CUDA_ERROR_NOT_PERMITTED;
	}
	return size == 0 || offset % PAGE != 0 || size % PAGE != 0 ||
			       !checked_range(offset, size, arena->size)
		       ? CUDA_ERROR_INVALID_VALUE
		       : CUDA_SUCCESS;
}

CUresult
serve_arena_pin(struct session *s, const void *argp, void *outp)
{
	const arena_pin_args *args = argp;
	struct arena *arena = s->arena;
	CUresult result = check_range(arena, args->offset, args->size);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	size_t at = position(arena, args->offset);
	if ((at > 0 && args->offset - arena->ranges[at - 1]->offset <
			       arena->ranges[at - 1]->size) ||
		(at < arena->n_ranges &&
			arena->ranges[at]->offset - args->offset < args->size)) {
		return CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
	}
	if (arena->n_ranges == ARENA_RANGES_MAX ||
		!checked_range(arena->pinned, args->size, arena->pinned_max)) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	struct arena_range *range = calloc(1, sizeof(*range));
	if (range == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	range->offset = args->offset;
	range->size = args->size;
	result = range_register(s, range);
	if (result != CUDA_SUCCESS) {
		free(range);
		return result;
	}
	memmove(&arena->ranges[at + 1], &arena->ranges[at],
		(arena->n_ranges - at) * sizeof(arena->ranges[0]));
	arena->ranges[at] = range;
	arena->n_ranges++;
	arena->pinned += range->size;
	return CUDA_SUCCESS;
}

CUresult
serve_arena_unpin(struct session *s, const void *argp, void *outp)
{
	const arena_unpin_args *args = argp;
	struct arena *arena = s->arena;
	CUresult result = check_range(arena, args->offset, args->size);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	size_t at = position(arena, args->offset);
	struct arena_range *range = at > 0 ? arena->ranges[at - 1] : NULL;
	if (range == NULL || range->offset != args->offset || range->size != args->size) {
		return CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
	}
	range_drain(s, range);
	range_unregister(s, range);
	arena->pinned -= range->size;
	memmove(&arena->ranges[at - 1], &arena->ranges[at],
		(arena->n_ranges - at) * sizeof(arena->ranges[0]));
	arena->n_ranges--;
	free(range);
	return CUDA_SUCCESS;
}

/* ---- copies ---- */

/* The pinned range in which all rows of the guest's end lie. */
static CUresult
find_rows(struct session *s, uint64_t offset, const struct copy_rows *rows,
	struct arena_range **ret_range)
{
	struct arena *arena = s->arena;
	size_t at = arena != NULL ? position(arena, offset) : 0;

	if (at == 0 || (rows->height > 1 && rows->memory_pitch < rows->width) ||
		!arena_rows_inside(offset, rows->memory_pitch, rows->width, rows->height,
			arena->ranges[at - 1]->offset, arena->ranges[at - 1]->size)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	CUresult result = range_register(s, arena->ranges[at - 1]);
	if (result == CUDA_SUCCESS) {
		*ret_range = arena->ranges[at - 1];
	}
	return result;
}

static CUresult
copy_rows(struct session *s, uint64_t offset, const struct copy_rows *rows,
	call_handle stream, bool to_device)
{
	struct arena_range *range;
	struct stream_ref ref;

	if (!stream_find(s, stream, &ref)) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	if (rows->width == 0 || rows->height == 0) {
		return CUDA_SUCCESS;
	}
	CUresult result = find_rows(s, offset, rows, &range);
	if (result != CUDA_SUCCESS) {
		return result;
	}
	uint8_t *memory = s->arena->memory + offset;
	result = to_device ? copy_to_device(s, rows, memory, ref.cuda)
			   : copy_from_device(s, rows, memory, ref.cuda);
	if (result == CUDA_SUCCESS) {
		stream_used(s, &ref);
		range_used(s, range, &ref);
	}
	return result;
}

CUresult
serve_copy_arena_htod(struct session *s, const void *argp, void *outp)
{
	const copy_arena_htod_args *args = argp;
	const struct copy_rows rows = { args->dst, args->dst_pitch, args->width, args->height,
		args->host_pitch };

	return copy_rows(s, args->offset, &rows, args->hStream, true);
}

CUresult
serve_copy_arena_dtoh(struct session *s, const void *argp, void *outp)
{
	const copy_arena_dtoh_args *args = argp;
	const struct copy_rows rows = { args->src, args->src_pitch, args->width, args->height,
		args->host_pitch };

	return copy_rows(s, args->offset, &rows, args->hStream, false);
}
