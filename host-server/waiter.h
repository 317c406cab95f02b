/* SPDX-License-Identifier: Apache-2.0 */
/* waiter.h: a few threads that sleep until events have happened, for the thread that must
 * not.
 *
 * Made on first need, with all signals blocked.  While a job is under way its event
 * belongs to the waiter: others may query it, but not record or destroy it. */
#pragma once

#include <cuda.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "host-server/driver.h"

#define WAITERS_MAX 4

struct waiter_job {
	CUevent event;
	CUcontext context;
	CUresult result; /* once done */
	_Atomic bool done;
};

struct waiter_pool;

int waiter_pool_new(const struct driver *driver, struct waiter_pool **ret_pool);
/* Ends the jobs that are under way, and waits for the threads. */
struct waiter_pool *waiter_pool_free(struct waiter_pool *pool);

/* Readable when a job was done; waiter_pool_clear makes it unreadable again. */
int waiter_pool_fd(const struct waiter_pool *pool);
void waiter_pool_clear(struct waiter_pool *pool);

/* False if no thread is free.  job stays where it is until it is done. */
bool waiter_start(struct waiter_pool *pool, struct waiter_job *job);
bool waiter_job_done(const struct waiter_job *job);
/* Block until it is done. */
void waiter_join(struct waiter_pool *pool, struct waiter_job *job);
