/* SPDX-License-Identifier: Apache-2.0 */
/* stream.h: queues of work, each with a thread of its own.
 *
 * A task is numbered when it is submitted; a point (stream, number) is reached when that
 * task and all before it in the stream are over.  Everything that waits (events, the
 * rules of the legacy default stream, synchronisation) waits for points. */
#pragma once

#include <pthread.h>

#include "soft-device/api.h"
#include "soft-device/context.h"
#include "soft-device/object.h"

#define STREAM_PRIORITY_LEAST 0
#define STREAM_PRIORITY_GREATEST (-5)

struct task {
	struct task *next;
	struct context *context; /* reference */
	uint64_t number;
	struct point *waits; /* what must be over before it starts */
	size_t n_waits;
	bool always; /* runs in a context that has failed, too, and is told so */
	/* failure is the context's; what it returns becomes the context's. */
	CUresult (*run)(struct task *task, CUresult failure);
	void (*release)(struct task *task); /* of what it holds; may be NULL */
};

struct stream {
	struct object object;
	struct context *context; /* reference */
	unsigned int flags;
	int priority;
	uint64_t id;
	/* Under the lock. */
	struct task *first;
	struct task **last;
	uint64_t n_submitted;
	uint64_t n_completed;
	bool running;
	bool has_worker;
	bool closing;
	pthread_cond_t work;
	struct stream *next; /* in the context */
};

struct point {
	struct stream *stream; /* reference */
	uint64_t number;
};

/* What a CUstream means in the calling thread's context; the caller has a reference.
 * INVALID_HANDLE, or an error of the context. */
CUresult stream_use(CUstream handle, struct stream **ret_stream);
/* The same, in a context that may have failed. */
CUresult stream_current(CUstream handle, struct stream **ret_stream);

/* Whether NULL means the thread's own default stream, in this thread; returns what was.
 */
bool stream_null_is_per_thread(bool is);

/* A zeroed task of size bytes that begins with a struct task, or NULL. */
void *task_new(size_t size, CUresult (*run)(struct task *task, CUresult failure),
	void (*release)(struct task *task));
/* Drop a task that was not submitted. */
void task_free(struct task *task);
/* Start no earlier than the point is reached; takes a reference of its own. */
CUresult task_wait_for(struct task *task, const struct point *point);
/* Append the task, which is taken in any case.  With wait, return when it is over, and
 * then with what has failed in the context.  *ret_number may be NULL. */
CUresult stream_submit(
	struct stream *stream, struct task *task, bool wait, uint64_t *ret_number);

bool stream_reached(struct stream *stream, uint64_t number);
void stream_wait(struct stream *stream, uint64_t number);
/* The point after all that has been submitted. */
uint64_t stream_submitted(struct stream *stream);
void stream_wait_context(struct context *context);
/* printf() of kernels ends up in stdout; this is where it becomes visible. */
void stream_flush_output(void);

/* Let the worker end after the last task.  The caller goes on to drop the reference. */
void stream_close(struct stream *stream);
bool stream_init_context(struct context *context);
/* Part the context from its legacy stream, which has a reference to it. */
void stream_close_context(struct context *context);

#define USE_STREAM(name, handle) \
	cleanup_object struct stream *name = NULL; \
	TRY(stream_use(handle, &name))
