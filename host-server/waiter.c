/* SPDX-License-Identifier: Apache-2.0 */
/* waiter.c: a few threads that sleep until events have happened.
 *
 * They nap and ask, with naps a sixteenth of the time that has gone by, so that a long wait
 * costs next to nothing and is told soon.  Letting the driver sleep (CU_EVENT_BLOCKING_SYNC)
 * makes the device raise an interrupt for every event, also for those that nobody sleeps
 * for; in a VM that can cost more than the wait. */
#include "host-server/waiter.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "common/background.h"
#include "common/cleanup.h"

#define NAP_FIRST_NS 20000
#define NAP_LAST_NS 1000000

struct waiter_pool {
	const struct driver *driver;
	int fd;
	pthread_mutex_t lock;
	pthread_cond_t work; /* for the threads: there is a job, or the end */
	pthread_cond_t news; /* for waiter_join */
	struct waiter_job *queued[WAITERS_MAX];
	unsigned n_queued;
	unsigned n_threads, n_busy; /* busy: has a job, taken or queued */
	atomic_bool ending;
	pthread_t threads[WAITERS_MAX];
};

int
waiter_pool_new(const struct driver *driver, struct waiter_pool **ret_pool)
{
	struct waiter_pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL) {
		return -ENOMEM;
	}
	pool->driver = driver;
	pool->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (pool->fd < 0) {
		int r = -errno;
		free(pool);
		return r;
	}
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->work, NULL);
	pthread_cond_init(&pool->news, NULL);
	*ret_pool = pool;
	return 0;
}

struct waiter_pool *
waiter_pool_free(struct waiter_pool *pool)
{
	if (pool == NULL) {
		return NULL;
	}
	pthread_mutex_lock(&pool->lock);
	pool->ending = true;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->n_threads; i++) {
		pthread_join(pool->threads[i], NULL);
	}
	pthread_cond_destroy(&pool->news);
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->lock);
	close(pool->fd);
	free(pool);
	return NULL;
}

int
waiter_pool_fd(const struct waiter_pool *pool)
{
	return pool->fd;
}

void
waiter_pool_clear(struct waiter_pool *pool)
{
	uint64_t n;

	if (read(pool->fd, &n, sizeof(n)) < 0) {
		return; /* nothing was there */
	}
}

static CUresult
waiter_sleep(struct waiter_pool *pool, CUevent event)
{
	long nap_ns = NAP_FIRST_NS;

	for (;;) {
		CUresult result = pool->driver->cuEventQuery(event);
		if (result != CUDA_ERROR_NOT_READY || atomic_load(&pool->ending)) {
			return result;
		}
		nanosleep(&(struct timespec){ .tv_nsec = nap_ns }, NULL);
		nap_ns += nap_ns / 16;
		nap_ns = nap_ns < NAP_LAST_NS ? nap_ns : NAP_LAST_NS;
	}
}

static void
waiter_do(struct waiter_pool *pool, struct waiter_job *job)
{
	CUresult result = pool->driver->cuCtxSetCurrent(job->context);
	const uint64_t one = 1;

	if (result == CUDA_SUCCESS) {
		result = waiter_sleep(pool, job->event);
	}
	HOLD_LOCK(&pool->lock);
	job->result = result;
	/* The job is its owner's from here on. */
	atomic_store_explicit(&job->done, true, memory_order_release);
	pool->n_busy--;
	pthread_cond_broadcast(&pool->news);
	if (write(pool->fd, &one, sizeof(one)) < 0) {
		/* Full: then it is readable, which is all that is wanted. */
	}
}

static void *
waiter_main(void *user)
{
	struct waiter_pool *pool = user;

	prctl(PR_SET_TIMERSLACK, 1000UL);
	for (;;) {
		pthread_mutex_lock(&pool->lock);
		while (pool->n_queued == 0 && !pool->ending) {
			pthread_cond_wait(&pool->work, &pool->lock);
		}
		struct waiter_job *job =
			pool->n_queued > 0 ? pool->queued[--pool->n_queued] : NULL;
		pthread_mutex_unlock(&pool->lock);
		if (job == NULL) {
			return NULL;
		}
		waiter_do(pool, job);
	}
}

static bool
waiter_hire(struct waiter_pool *pool)
{
	if (pool->n_threads == WAITERS_MAX ||
		background_start(&pool->threads[pool->n_threads], waiter_main, pool) != 0) {
		return false;
	}
	pool->n_threads++;
	return true;
}

bool
waiter_start(struct waiter_pool *pool, struct waiter_job *job)
{
	HOLD_LOCK(&pool->lock);
	if (pool->n_busy == pool->n_threads && !waiter_hire(pool)) {
		return false;
	}
	atomic_store_explicit(&job->done, false, memory_order_relaxed);
	pool->n_busy++;
	pool->queued[pool->n_queued++] = job;
	pthread_cond_signal(&pool->work);
	return true;
}

bool
waiter_job_done(const struct waiter_job *job)
{
	return atomic_load_explicit(&job->done, memory_order_acquire);
}

void
waiter_join(struct waiter_pool *pool, struct waiter_job *job)
{
	HOLD_LOCK(&pool->lock);
	while (!waiter_job_done(job)) {
		pthread_cond_wait(&pool->news, &pool->lock);
	}
}
