/* SPDX-License-Identifier: Apache-2.0 */
/* cleanup.h: resources that give themselves back at the end of their scope. */
#pragma once

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* cleanup(f) calls f(&variable) when the variable's scope ends. */
#define cleanup(f) __attribute__((__cleanup__(f)))

static inline void
cleanup_freep(void *p)
{
	free(*(void **)p);
}

static inline void
cleanup_closep(int *fd)
{
	if (*fd >= 0) {
		close(*fd);
	}
}

static inline void
cleanup_fclosep(FILE **f)
{
	if (*f != NULL) {
		fclose(*f);
	}
}

static inline void
cleanup_unlockp(pthread_mutex_t **lock)
{
	pthread_mutex_unlock(*lock);
}

static inline pthread_mutex_t *
cleanup_lock(pthread_mutex_t *lock)
{
	pthread_mutex_lock(lock);
	return lock;
}

#define cleanup_free cleanup(cleanup_freep)
#define cleanup_close cleanup(cleanup_closep)
#define cleanup_fclose cleanup(cleanup_fclosep)

/* Hold a mutex until the end of the enclosing scope.  Once per scope. */
#define HOLD_LOCK(mutex)                                                         \
	__attribute__((unused, __cleanup__(cleanup_unlockp))) pthread_mutex_t *held_lock = \
		cleanup_lock(mutex)

/* Hand a pointer on: p is NULL afterwards, so that its cleanup does nothing. */
#define TAKE(p)                           \
	({                                \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;               \
		taken_;                   \
	})

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
