/* SPDX-License-Identifier: Apache-2.0 */
/* lane_flusher.c: the thread that sends one-way calls which nobody waits for.
 *
 * While there is work it naps and looks; after a few naps for nothing it sleeps, and the
 * next one-way call wakes it, once.  A wake-up costs the caller some microseconds, a nap
 * costs another processor as much.  So where sleep turns out to be short it naps more often
 * the next time, and calls do not pay while they are frequent; where quiet turns out to be
 * long it goes back to few, and an idle program pays nothing. */
#include "rpc/lane_private.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/background.h"
#include "common/clock.h"

/* For nothing, before it sleeps: 10 ms and more at most. */
#define NAPS_MIN 4
#define NAPS_MAX 256
/* Sleep that was not worth a wake-up is shorter than so many. */
#define NAPS_SHORT 12

enum flusher_state { FLUSHER_AWAKE, FLUSHER_ASLEEP, FLUSHER_STOP };

static void
futex(_Atomic int *word, int operation, int value)
{
	syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

/* Sleep until woken, and learn when to sleep next.  Whether to go on. */
static bool
sleep_until_woken(struct lane *lane, unsigned *naps)
{
	int awake = FLUSHER_AWAKE;
	uint64_t start = clock_ns();

	if (!atomic_compare_exchange_strong(&lane->flusher_state, &awake, FLUSHER_ASLEEP)) {
		return awake != FLUSHER_STOP;
	}
	/* A call that came before the line above saw nobody asleep. */
	while (lane->out_len == 0 && atomic_load(&lane->flusher_state) == FLUSHER_ASLEEP) {
		futex(&lane->flusher_state, FUTEX_WAIT, FLUSHER_ASLEEP);
	}
	int asleep = FLUSHER_ASLEEP;
	atomic_compare_exchange_strong(&lane->flusher_state, &asleep, FLUSHER_AWAKE);
	if (clock_ns() - start >= NAPS_SHORT * LANE_QUIET_NS) {
		*naps = NAPS_MIN;
	} else if (*naps < NAPS_MAX) {
		*naps *= 2;
	}
	return atomic_load(&lane->flusher_state) != FLUSHER_STOP;
}

static void *
flusher_main(void *arg)
{
	struct lane *lane = arg;
	unsigned idle = 0, naps = NAPS_MIN;

	prctl(PR_SET_NAME, "outboard-flush");
	prctl(PR_SET_TIMERSLACK, 1000UL);
	while (atomic_load(&lane->flusher_state) != FLUSHER_STOP) {
		nanosleep(&(struct timespec){ .tv_nsec = LANE_QUIET_NS }, NULL);
		if (lane->out_len == 0 && ++idle >= naps) {
			if (!sleep_until_woken(lane, &naps)) {
				break;
			}
			idle = 0;
		}
		if (lane->out_len == 0) {
			continue;
		}
		if (idle > NAPS_MIN + NAPS_SHORT) {
			naps = NAPS_MIN; /* it could have slept */
		}
		idle = 0;
		/* Whoever holds the lock is sending, or about to. */
		if (pthread_mutex_trylock(&lane->send_lock) == 0) {
			lane_flush_locked(lane);
			pthread_mutex_unlock(&lane->send_lock);
		}
		if (lane_error(lane) < 0) {
			break;
		}
	}
	return NULL;
}

int
lane_flusher_start(struct lane *lane)
{
	int error = background_start(&lane->flusher, flusher_main, lane);

	lane->has_flusher = error == 0;
	return -error;
}

void
lane_flusher_wake(struct lane *lane)
{
	int asleep = FLUSHER_ASLEEP;

	if (atomic_load_explicit(&lane->flusher_state, memory_order_seq_cst) == FLUSHER_ASLEEP &&
		atomic_compare_exchange_strong(&lane->flusher_state, &asleep, FLUSHER_AWAKE)) {
		futex(&lane->flusher_state, FUTEX_WAKE, 1);
	}
}

void
lane_flusher_stop(struct lane *lane)
{
	if (!lane->has_flusher) {
		return;
	}
	atomic_store(&lane->flusher_state, FLUSHER_STOP);
	futex(&lane->flusher_state, FUTEX_WAKE, INT_MAX);
	pthread_join(lane->flusher, NULL);
	lane->has_flusher = false;
}
