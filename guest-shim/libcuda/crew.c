/* SPDX-License-Identifier: Apache-2.0 */
/* crew.c: large copies within the guest's memory, by several threads.
 *
 * A copy is cut into blocks; the thread that wants it and the crew take one after another
 * until none is left.  So nobody waits for a member that sleeps: its blocks are taken by
 * the others.  There is one copy at a time; who finds the crew busy copies alone. */
#include "guest-shim/libcuda/crew.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "common/background.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/relax.h"

/* Fewer bytes are copied before anybody else has noticed. */
#define CREW_MIN ((size_t)512 << 10)
#define BLOCK_SIZE ((size_t)128 << 10)
/* Members, the caller among them. */
#define CREW_MAX 8
/* Pieces of a large copy follow each other within some tens of microseconds. */
#define SPIN_NS 200000

/* What is to be copied.  A member may look at it while the next copy is put there, but then
 * finds that the number of the copy has changed and takes nothing. */
static struct {
	_Atomic uint64_t turn; /* number of the copy << 32 | next block */
	_Atomic(unsigned char *) to;
	_Atomic(const unsigned char *) from;
	_Atomic size_t size;
	atomic_bool bypass;
	_Atomic uint32_t n_blocks, n_done;

	pthread_mutex_t busy; /* held by who has a copy */
	pthread_mutex_t lock;
	pthread_cond_t work;
	atomic_uint n_asleep;
	bool made;
	unsigned n_threads;
} crew = { .busy = PTHREAD_MUTEX_INITIALIZER,
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.work = PTHREAD_COND_INITIALIZER };

/* ---- one block ---- */

#ifdef __SSE2__
static void
copy_past_caches(unsigned char *to, const unsigned char *from, size_t size)
{
	size_t head = -(uintptr_t)to & 63;

	head = head < size ? head : size;
	memcpy(to, from, head);
	size_t at = head;
	for (; size - at >= 64; at += 64) {
		const __m128i *line = (const __m128i *)(from + at);
		__m128i *out = (__m128i *)(to + at);
		__m128i a = _mm_loadu_si128(line), b = _mm_loadu_si128(line + 1);
		__m128i c = _mm_loadu_si128(line + 2), d = _mm_loadu_si128(line + 3);
		_mm_stream_si128(out, a);
		_mm_stream_si128(out + 1, b);
		_mm_stream_si128(out + 2, c);
		_mm_stream_si128(out + 3, d);
	}
	_mm_sfence();
	memcpy(to + at, from + at, size - at);
}
#else
static void
copy_past_caches(unsigned char *to, const unsigned char *from, size_t size)
{
	memcpy(to, from, size);
}
#endif

static void
copy(unsigned char *to, const unsigned char *from, size_t size, bool bypass)
{
	if (bypass) {
		copy_past_caches(to, from, size);
	} else {
		memcpy(to, from, size);
	}
}

/* Take the next block of the copy that is there, and copy it.  false: there is none. */
static bool
copy_block(void)
{
	uint64_t turn = atomic_load(&crew.turn);
	uint32_t block = (uint32_t)turn;
	unsigned char *to = atomic_load_explicit(&crew.to, memory_order_relaxed);
	const unsigned char *from = atomic_load_explicit(&crew.from, memory_order_relaxed);
	size_t size = atomic_load_explicit(&crew.size, memory_order_relaxed);
	bool bypass = atomic_load_explicit(&crew.bypass, memory_order_relaxed);

	if (block >= atomic_load_explicit(&crew.n_blocks, memory_order_relaxed)) {
		return false;
	}
	if (atomic_compare_exchange_strong(&crew.turn, &turn, turn + 1)) {
		size_t at = block * BLOCK_SIZE;
		size_t n = size - at < BLOCK_SIZE ? size - at : BLOCK_SIZE;
		copy(to + at, from + at, n, bypass);
		atomic_fetch_add_explicit(&crew.n_done, 1, memory_order_release);
	}
	return true;
}

/* ---- the members ---- */

static bool
is_work(void)
{
	uint32_t block = (uint32_t)atomic_load(&crew.turn);

	return block < atomic_load(&crew.n_blocks);
}

static void
sleep_until_work(void)
{
	HOLD_LOCK(&crew.lock);
	atomic_fetch_add(&crew.n_asleep, 1);
	while (!is_work()) {
		pthread_cond_wait(&crew.work, &crew.lock);
	}
	atomic_fetch_sub(&crew.n_asleep, 1);
}

static void *
member_main(void *unused)
{
	uint64_t idle_since = 0;
	unsigned n = 0;

	prctl(PR_SET_NAME, "outboard-copy");
	for (;;) {
		if (copy_block()) {
			idle_since = 0;
			continue;
		}
		uint64_t now = clock_ns();
		idle_since = idle_since == 0 ? now : idle_since;
		if (now - idle_since > SPIN_NS) {
			sleep_until_work();
			idle_since = 0;
		}
		relax(n++);
	}
	return NULL;
}

/* How many threads copy: as OUTBOARD_COPY_THREADS says, or so that the program keeps most
 * processors. */
static unsigned
wanted_threads(void)
{
	const char *text = getenv("OUTBOARD_COPY_THREADS");
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	char *end;

	if (text != NULL && *text != '\0') {
		unsigned long n = strtoul(text, &end, 10);
		if (*end == '\0' && n >= 1 && n <= CREW_MAX) {
			return (unsigned)n;
		}
		log_warning("crew: OUTBOARD_COPY_THREADS must be 1 to %d", CREW_MAX);
	}
	return n_cpus >= 8 ? 4 : n_cpus >= 4 ? 2 : 1;
}

static void
crew_make(void)
{
	pthread_t thread;

	crew.made = true;
	crew.n_threads = 1;
	for (unsigned n = wanted_threads(); crew.n_threads < n; crew.n_threads++) {
		if (background_start(&thread, member_main, NULL) != 0) {
			break;
		}
		pthread_detach(thread);
	}
}

/* ---- a copy ---- */

static void
publish(unsigned char *to, const unsigned char *from, size_t size, bool bypass)
{
	uint32_t n_blocks = (uint32_t)((size + BLOCK_SIZE - 1) / BLOCK_SIZE);
	uint64_t number = (atomic_load(&crew.turn) >> 32) + 1;

	/* While the fields change there is no block to take. */
	atomic_store(&crew.n_blocks, 0);
	atomic_store_explicit(&crew.to, to, memory_order_relaxed);
	atomic_store_explicit(&crew.from, from, memory_order_relaxed);
	atomic_store_explicit(&crew.size, size, memory_order_relaxed);
	atomic_store_explicit(&crew.bypass, bypass, memory_order_relaxed);
	atomic_store_explicit(&crew.n_done, 0, memory_order_relaxed);
	atomic_store(&crew.turn, number << 32);
	atomic_store(&crew.n_blocks, n_blocks);
	if (atomic_load(&crew.n_asleep) > 0) {
		HOLD_LOCK(&crew.lock);
		pthread_cond_broadcast(&crew.work);
	}
}

void
crew_copy(void *to, const void *from, size_t size, bool bypass)
{
	if (size < CREW_MIN || size > UINT32_MAX || pthread_mutex_trylock(&crew.busy) != 0) {
		copy(to, from, size, bypass);
		return;
	}
	if (!crew.made) {
		crew_make();
	}
	if (crew.n_threads == 1) {
		copy(to, from, size, bypass);
	} else {
		publish(to, from, size, bypass);
		unsigned n = 0;
		while (copy_block()) {
		}
		while (atomic_load_explicit(&crew.n_done, memory_order_acquire) <
			atomic_load_explicit(&crew.n_blocks, memory_order_relaxed)) {
			relax(n++); /* somebody is at the last block */
		}
	}
	pthread_mutex_unlock(&crew.busy);
}
