/* SPDX-License-Identifier: Apache-2.0 */
/* allocation.c: the address space of the devices, and what lives where in it.
 *
 * One array sorted by address serves everything; the gaps between its entries are the
 * free memory, searched from where the last search ended.  Freed pages go back to the
 * host, which is also what makes them zero for the next owner. */
#include "soft-device/allocation.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/checked.h"
#include "common/cleanup.h"
#include "soft-device/context.h"
#include "soft-device/device.h"

/* Far from where Linux puts anything by itself; guests reserve the same range. */
#define WINDOW_BASE 0x700000000000
#define WINDOW_STRIDE ((uint64_t)1 << 40)
/* Virtual size over memory size: lets freed addresses rest before they are used again. */
#define WINDOW_FACTOR 4
#define ALIGNMENT 512
#define RED_ZONE 512
#define PAGE 4096
#define ALLOCATIONS_MAX (1u << 22)

struct window {
	uint64_t start;
	uint64_t end;
	uint64_t cursor;
	size_t used;
	size_t heap_used;
	size_t heap_limit;
};

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static struct allocation *table;
static size_t n_table;
static size_t room;
static uint64_t next_id = 1;
static uint64_t generation; /* atomic */
static struct window windows[DEVICES_MAX];
static int n_windows;
static size_t window_memory;
static struct exec_memory memories[DEVICES_MAX];

static void
cleanup_rwunlockp(pthread_rwlock_t **held)
{
	pthread_rwlock_unlock(*held);
}

#define HOLD_WRITE \
	__attribute__((unused)) cleanup(cleanup_rwunlockp) pthread_rwlock_t *held = \
		(pthread_rwlock_wrlock(&lock), &lock)
#define HOLD_READ \
	__attribute__((unused)) cleanup(cleanup_rwunlockp) pthread_rwlock_t *held = \
		(pthread_rwlock_rdlock(&lock), &lock)

/* What an allocation takes from its window. */
static uint64_t
footprint(uint64_t size)
{
	return round_up(size, ALIGNMENT) + RED_ZONE;
}

static bool
in_window_kind(enum allocation_kind kind)
{
	return kind != ALLOCATION_HOST && kind != ALLOCATION_REGISTERED;
}

/* The number of entries that start at or before address. */
static size_t
table_upper(uint64_t address)
{
	size_t low = 0;
	size_t high = n_table;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table[middle].start <= address) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static bool
table_insert(const struct allocation *allocation)
{
	if (n_table == room) {
		size_t more = room == 0 ? 256 : room * 2;

		if (more > ALLOCATIONS_MAX) {
			return false;
		}
		struct allocation *grown = realloc(table, more * sizeof(*table));

		if (grown == NULL) {
			return false;
		}
		table = grown;
		room = more;
	}
	size_t at = table_upper(allocation->start);

	memmove(&table[at + 1], &table[at], (n_table - at) * sizeof(*table));
	table[at] = *allocation;
	table[at].id = next_id++;
	table[at].context_handle =
		allocation->context != NULL ? allocation->context->object.handle : NULL;
	n_table++;
	return true;
}

/* The first gap of the window, from `from` on, that holds need bytes; 0: none. */
static uint64_t
window_gap(const struct window *w, uint64_t from, uint64_t need)
{
	size_t i = table_upper(from);
	uint64_t at = from;

	if (i > 0 && in_window_kind(table[i - 1].kind)) {
		uint64_t busy = table[i - 1].start +
				footprint(table[i - 1].end - table[i - 1].start);

		at = busy > at ? busy : at;
	}
	for (;; i++) {
		uint64_t next =
			i < n_table && table[i].start < w->end ? table[i].start : w->end;

		if (next >= at && next - at >= need) {
			return at;
		}
		if (next == w->end) {
			return 0;
		}
		at = table[i].start + footprint(table[i].end - table[i].start);
	}
}

uint64_t
allocation_new(int device, uint64_t size, enum allocation_kind kind,
	struct context *context, void *pool)
{
	if (size > window_memory) {
		return 0;
	}
	struct window *w = &windows[device];
	uint64_t need = footprint(size);
	/* Red zones are ours, not the program's: only what it asked for is charged. */
	size_t charge = need - RED_ZONE;

	HOLD_WRITE;
	if (charge > window_memory - w->used) {
		return 0;
	}
	if (kind == ALLOCATION_HEAP && charge > w->heap_limit - w->heap_used) {
		return 0;
	}
	uint64_t start = window_gap(w, w->cursor, need);

	if (start == 0) {
		start = window_gap(w, w->start, need);
	}
	if (start == 0 || !table_insert(&(struct allocation){ .start = start,
				  .end = start + size,
				  .kind = kind,
				  .device = device,
				  .context = context,
				  .pool = pool })) {
		return 0;
	}
	w->cursor = start + need;
	w->used += charge;
	w->heap_used += kind == ALLOCATION_HEAP ? charge : 0;
	return start;
}

uint64_t
allocation_new_host(
	uint64_t size, unsigned int flags, int device, struct context *context)
{
	if (size > (uint64_t)1 << 46) {
		return 0;
	}
	void *p = mmap(NULL, round_up(size, PAGE), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		return 0;
	}
	HOLD_WRITE;
	if (!table_insert(&(struct allocation){ .start = (uint64_t)p,
		    .end = (uint64_t)p + size,
		    .kind = ALLOCATION_HOST,
		    .device = device,
		    .flags = flags,
		    .context = context })) {
		munmap(p, round_up(size, PAGE));
		return 0;
	}
	return (uint64_t)p;
}

static bool
window_touches(uint64_t start, uint64_t end)
{
	for (int i = 0; i < n_windows; i++) {
		if (start < windows[i].end && end > windows[i].start) {
			return true;
		}
	}
	return false;
}

bool
allocation_register(uint64_t start, uint64_t size, unsigned int flags, int device,
	struct context *context)
{
	HOLD_WRITE;
	uint64_t end = start + size;
	size_t i = table_upper(start);

	if (end < start || window_touches(start, end) ||
		(i > 0 && table[i - 1].end > start) ||
		(i < n_table && table[i].start < end)) {
		return false;
	}
	return table_insert(&(struct allocation){ .start = start,
		.end = end,
		.kind = ALLOCATION_REGISTERED,
		.device = device,
		.flags = flags,
		.context = context });
}

/* Make everything from start to end zero: whole pages by giving them back. */
static void
memory_wipe(uint64_t start, uint64_t end)
{
	uint64_t first = round_up(start, PAGE);
	uint64_t last = end & ~(uint64_t)(PAGE - 1);

	if (first >= last || madvise((void *)first, last - first, MADV_DONTNEED) != 0) {
		memset((void *)start, 0, end - start);
		return;
	}
	memset((void *)start, 0, first - start);
	memset((void *)last, 0, end - last);
}

static void
table_remove(size_t i)
{
	struct allocation a = table[i];
	uint64_t size = a.end - a.start;

	if (in_window_kind(a.kind)) {
		struct window *w = &windows[a.device];
		size_t charge = footprint(size) - RED_ZONE;

		memory_wipe(a.start, a.end);
		w->used -= charge;
		w->heap_used -= a.kind == ALLOCATION_HEAP ? charge : 0;
	}
	memmove(&table[i], &table[i + 1], (n_table - i - 1) * sizeof(*table));
	n_table--;
	__atomic_fetch_add(&generation, 1, __ATOMIC_RELEASE);
	if (a.kind == ALLOCATION_HOST) {
		munmap((void *)a.start, round_up(size, PAGE));
	}
}

bool
allocation_free(uint64_t start, unsigned int kinds)
{
	HOLD_WRITE;
	size_t i = table_upper(start);

	if (i == 0 || table[i - 1].start != start ||
		(kinds >> table[i - 1].kind & 1) == 0) {
		return false;
	}
	table_remove(i - 1);
	return true;
}

void
allocation_free_context(const struct context *context)
{
	HOLD_WRITE;
	for (size_t i = n_table; i-- > 0;) {
		if (table[i].context == context) {
			table_remove(i);
		}
	}
}

bool
allocation_find(uint64_t address, uint64_t size, struct allocation *ret_allocation)
{
	HOLD_READ;
	size_t i = table_upper(address);

	if (i == 0 || !checked_range(address - table[i - 1].start, size,
			      table[i - 1].end - table[i - 1].start)) {
		return false;
	}
	*ret_allocation = table[i - 1];
	return true;
}

bool
allocation_in_window(uint64_t address, uint64_t size)
{
	uint64_t end = address + size < address ? UINT64_MAX : address + size;

	return window_touches(address, end > address ? end : address + 1);
}

size_t
allocation_used(int device)
{
	HOLD_READ;
	return windows[device].used;
}

size_t
allocation_used_pool(const void *pool)
{
	HOLD_READ;
	size_t used = 0;

	for (size_t i = 0; i < n_table; i++) {
		used += table[i].pool == pool ? table[i].end - table[i].start : 0;
	}
	return used;
}

void
allocation_heap_limit(int device, size_t size)
{
	HOLD_WRITE;
	windows[device].heap_limit = size;
}

static bool
memory_find(void *opaque, uint64_t address, uint64_t size, uint64_t *ret_start,
	uint64_t *ret_end)
{
	struct allocation a;

	if (!allocation_find(address, size, &a)) {
		return false;
	}
	*ret_start = a.start;
	*ret_end = a.end;
	return true;
}

static uint64_t
memory_heap_alloc(void *opaque, uint64_t size)
{
	struct window *w = opaque;

	return allocation_new(
		(int)(w - windows), size == 0 ? 1 : size, ALLOCATION_HEAP, NULL, NULL);
}

static bool
memory_heap_free(void *opaque, uint64_t address)
{
	return allocation_free(address, 1u << ALLOCATION_HEAP);
}

const struct exec_memory *
allocation_memory(int device)
{
	return &memories[device];
}

bool
allocation_setup(int n_devices, size_t memory_size)
{
	uint64_t size = memory_size * WINDOW_FACTOR + ((uint64_t)1 << 30);

	for (int i = 0; i < n_devices; i++) {
		void *hint = (void *)(WINDOW_BASE + (uint64_t)i * WINDOW_STRIDE);
		int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
		void *p = MAP_FAILED;

/* ThreadSanitizer allows no mapping there. */
#ifdef __SANITIZE_THREAD__
		(void)hint;
#else
		p = mmap(hint, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED_NOREPLACE,
			-1, 0);
#endif
		if (p == MAP_FAILED) {
			p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
		}
		if (p == MAP_FAILED) {
			return false;
		}
		windows[i] = (struct window){ .start = (uint64_t)p,
			.end = (uint64_t)p + size,
			.cursor = (uint64_t)p,
			.heap_limit = 8 << 20 };
		memories[i] = (struct exec_memory){ .opaque = &windows[i],
			.find = memory_find,
			.heap_alloc = memory_heap_alloc,
			.heap_free = memory_heap_free,
			.generation = &generation };
	}
	n_windows = n_devices;
	window_memory = memory_size;
	return true;
}
