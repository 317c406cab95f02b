/* SPDX-License-Identifier: Apache-2.0 */
/* background.h: threads that a program does not know of. */
#pragma once

#include <pthread.h>
#include <signal.h>

/* Start one that takes no signals: those are for the program's own threads.  To be joined or
 * detached.  0, or a positive errno as of pthread_create. */
static inline int
background_start(pthread_t *ret_thread, void *(*run)(void *), void *arg)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(ret_thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}
