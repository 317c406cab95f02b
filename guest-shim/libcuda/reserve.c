/* SPDX-License-Identifier: Apache-2.0 */
/* reserve.c: keep the guest's own mappings out of the device's addresses.
 *
 * A device pointer is an address of the worker.  If the same number were also an address
 * here, nobody could tell host from device pointers.  So the granules around an allocation
 * are mapped without access, and stay so: the worker will use them again. */
#include "guest-shim/libcuda/reserve.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/cleanup.h"
#include "common/log.h"

#define GRANULE ((uint64_t)2 << 20)
#define PAGE ((uint64_t)4096)
/* No mapping of a process can be at or above this address (x86-64, four levels). */
#define ADDRESS_END ((uint64_t)1 << 47)

struct range {
	uint64_t start, end;
};

static struct {
	pthread_mutex_t lock;
	struct range *ranges; /* sorted, disjoint, never adjacent */
	size_t n;
	size_t size;
} reserved = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Map what lies in no range yet.  false: something else is there. */
static bool
take(uint64_t start, uint64_t end)
{
#ifdef __SANITIZE_THREAD__
	/* The sanitizer has these addresses for itself, and would put the mapping at 0. */
	if (start < 0x7e8000000000) {
		return true;
	}
#endif
	void *wanted = (void *)(uintptr_t)start;
	void *got = mmap(wanted, end - start, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (got == wanted) {
		return true;
	}
	if (got != MAP_FAILED) { /* a kernel that does not know MAP_FIXED_NOREPLACE */
		munmap(got, end - start);
		return false;
	}
	if (errno == EEXIST) {
		return false;
	}
	/* A limit on address space: nothing is there, only that cannot be made sure of. */
	log_debug("cannot reserve device addresses: %s", strerror(errno));
	return true;
}

/* Replace the ranges [from, to) by one. */
static bool
replace(size_t from, size_t to, struct range range)
{
	if (from == to && reserved.n == reserved.size) {
		size_t size = reserved.size != 0 ? 2 * reserved.size : 32;
		struct range *ranges = realloc(reserved.ranges, size * sizeof(*ranges));
		if (ranges == NULL) {
			return false;
		}
		reserved.ranges = ranges;
		reserved.size = size;
	}
	memmove(&reserved.ranges[from + 1], &reserved.ranges[to],
		(reserved.n - to) * sizeof(range));
	reserved.ranges[from] = range;
	reserved.n = reserved.n + 1 - (to - from);
	return true;
}

/* Reserve what is not yet.  The lock is held. */
static bool
reserve(uint64_t start, uint64_t end)
{
	size_t from = 0;
	while (from < reserved.n && reserved.ranges[from].end < start) {
		from++;
	}
	struct range all = { start, end };
	uint64_t at = start;
	size_t to = from;
	for (; to < reserved.n && reserved.ranges[to].start <= end; to++) {
		const struct range *range = &reserved.ranges[to];
		if (at < range->start && !take(at, range->start)) {
			break;
		}
		at = range->end > at ? range->end : at;
		all.start = range->start < all.start ? range->start : all.start;
		all.end = range->end > all.end ? range->end : all.end;
	}
	bool good = to == reserved.n || reserved.ranges[to].start > end;
	if (good && at < end) {
		good = take(at, end);
	}
	/* What was mapped before a clash stays mapped: it is remembered as far as it goes. */
	if (!good) {
		all.end = at > start ? at : start;
	}
	if (all.end > all.start && (good || to > from)) {
		return replace(from, to, all) && good;
	}
	return good;
}

bool
reserve_range(uint64_t start, uint64_t size)
{
	uint64_t end = start + size;

	if (end < start || end > ADDRESS_END - GRANULE) {
		return true; /* no pointer of this process */
	}
	HOLD_LOCK(&reserved.lock);
	/* The neighbourhood, for the allocations that follow; or else the pages themselves. */
	return reserve(start & ~(GRANULE - 1), (end + GRANULE - 1) & ~(GRANULE - 1)) ||
		reserve(start & ~(PAGE - 1), (end + PAGE - 1) & ~(PAGE - 1));
}
