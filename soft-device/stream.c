/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c: queues of work, each with a thread of its own.
 *
 * One lock and one condition for all streams: next to interpreting a kernel, neither is
 * felt.  A worker starts with the first task that cannot be run by its submitter: a
 * submitter who waits anyway runs its task itself if nothing is in front of it, which
 * saves two switches of threads per synchronous copy.
 *
 * No deadlock: a task waits only for points that were submitted before it. */
#include "soft-device/stream.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/background.h"
#include "common/cleanup.h"
#include "soft-device/device.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t progress = PTHREAD_COND_INITIALIZER;
static uint64_t next_id = 1; /* under the lock */

static pthread_key_t thread_key;
static pthread_once_t thread_once = PTHREAD_ONCE_INIT;

/* The per-thread default streams of a thread, by context. */
struct thread_streams {
	size_t n;
	struct {
		void *context; /* handle */
		void *stream;  /* handle */
	} entries[16];
};

void *
task_new(size_t size, CUresult (*run)(struct task *task, CUresult failure),
	void (*release)(struct task *task))
{
	struct task *task = calloc(1, size);

	if (task != NULL) {
		task->run = run;
		task->release = release;
	}
	return task;
}

void
task_free(struct task *task)
{
	if (task == NULL) {
		return;
	}
	if (task->release != NULL) {
		task->release(task);
	}
	for (size_t i = 0; i < task->n_waits; i++) {
		object_put(task->waits[i].stream);
	}
	free(task->waits);
	object_put(task->context);
	free(task);
}

CUresult
task_wait_for(struct task *task, const struct point *point)
{
	struct point *grown = realloc(task->waits, (task->n_waits + 1) * sizeof(*grown));

	if (grown == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	task->waits = grown;
	grown[task->n_waits++] =
		(struct point){ object_ref(point->stream), point->number };
	return CUDA_SUCCESS;
}

static CUresult
wait_unless_reached(struct task *task, struct stream *stream)
{
	if (stream->n_completed == stream->n_submitted) {
		return CUDA_SUCCESS;
	}
	/* Work is pending, so somebody holds a reference: taking another is safe. */
	return task_wait_for(task, &(struct point){ stream, stream->n_submitted });
}

/* The rules of the legacy default stream: it waits for all blocking streams of its
 * context, and they wait for it. */
static CUresult
task_wait_for_legacy(struct task *task, struct stream *stream)
{
	const struct context *context = stream->context;

	if ((stream->flags & CU_STREAM_NON_BLOCKING) != 0) {
		return CUDA_SUCCESS;
	}
	if (context->legacy == NULL) {
		return CUDA_ERROR_CONTEXT_IS_DESTROYED;
	}
	if (stream != context->legacy) {
		return wait_unless_reached(task, context->legacy);
	}
	for (struct stream *other = context->streams; other != NULL;
		other = other->next) {
		if ((other->flags & CU_STREAM_NON_BLOCKING) == 0) {
			TRY(wait_unless_reached(task, other));
		}
	}
	return CUDA_SUCCESS;
}

static bool
task_is_ready(const struct task *task)
{
	for (size_t i = 0; i < task->n_waits; i++) {
		if (task->waits[i].stream->n_completed < task->waits[i].number) {
			return false;
		}
	}
	return true;
}

/* Run one task.  Called, and returns, with the lock held; stream->running is set. */
static void
stream_run(struct stream *stream, struct task *task)
{
	uint64_t number = task->number;

	while (!task_is_ready(task)) {
		pthread_cond_wait(&progress, &lock);
	}
	pthread_mutex_unlock(&lock);

	CUresult failure = context_failure(task->context);

	if (failure == CUDA_SUCCESS || task->always) {
		CUresult result = task->run(task, failure);

		if (result != CUDA_SUCCESS) {
			context_fail(task->context, result);
		}
	}
	pthread_mutex_lock(&lock);
	stream->running = false;
	stream->n_completed = number;
	pthread_cond_broadcast(&progress);
	pthread_mutex_unlock(&lock);

	/* Afterwards: the context must outlive what is told of its stream. */
	task_free(task);
	pthread_mutex_lock(&lock);
}

static void *
worker_main(void *argument)
{
	struct stream *stream = argument;

	pthread_mutex_lock(&lock);
	for (;;) {
		while (!stream->closing && (stream->first == NULL || stream->running)) {
			pthread_cond_wait(&stream->work, &lock);
		}
		if (stream->first == NULL) {
			break;
		}
		if (stream->running) {
			pthread_cond_wait(&progress, &lock);
			continue;
		}
		struct task *task = stream->first;

		stream->first = task->next;
		if (stream->first == NULL) {
			stream->last = &stream->first;
		}
		stream->running = true;
		stream_run(stream, task);
	}
	pthread_mutex_unlock(&lock);
	object_put(stream);
	return NULL;
}

static bool
worker_start(struct stream *stream)
{
	if (stream->has_worker) {
		return true;
	}
	pthread_t thread;

	object_ref(stream);
	stream->has_worker = background_start(&thread, worker_main, stream) == 0;
	if (stream->has_worker) {
		pthread_detach(thread);
	} else {
		object_put(stream); /* not the last one: our caller has one */
	}
	return stream->has_worker;
}

CUresult
stream_submit(struct stream *stream, struct task *task, bool wait, uint64_t *ret_number)
{
	pthread_mutex_lock(&lock);
	CUresult result = task_wait_for_legacy(task, stream);
	bool here = wait && stream->first == NULL && !stream->running;

	if (result == CUDA_SUCCESS && !here && !worker_start(stream)) {
		result = CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (result != CUDA_SUCCESS) {
		pthread_mutex_unlock(&lock);
		task_free(task);
		return result;
	}
	cleanup_object struct context *context = object_ref(stream->context);

	task->context = object_ref(context);
	task->number = ++stream->n_submitted;
	uint64_t number = task->number;

	if (here) {
		stream->running = true;
		stream_run(stream, task);
		/* What others have appended meanwhile is the worker's. */
		pthread_cond_signal(&stream->work);
	} else {
		*stream->last = task;
		stream->last = &task->next;
		pthread_cond_signal(&stream->work);
		while (wait && stream->n_completed < number) {
			pthread_cond_wait(&progress, &lock);
		}
	}
	pthread_mutex_unlock(&lock);
	if (ret_number != NULL) {
		*ret_number = number;
	}
	if (!wait) {
		return CUDA_SUCCESS;
	}
	stream_flush_output();
	return context_failure(context);
}

bool
stream_reached(struct stream *stream, uint64_t number)
{
	HOLD_LOCK(&lock);

	return stream->n_completed >= number;
}

void
stream_wait(struct stream *stream, uint64_t number)
{
	HOLD_LOCK(&lock);

	while (stream->n_completed < number) {
		pthread_cond_wait(&progress, &lock);
	}
}

uint64_t
stream_submitted(struct stream *stream)
{
	HOLD_LOCK(&lock);

	return stream->n_submitted;
}

void
stream_wait_context(struct context *context)
{
	HOLD_LOCK(&lock);
	struct stream *stream = context->streams;

	for (;;) {
		for (stream = context->streams; stream != NULL; stream = stream->next) {
			if (stream->n_completed < stream->n_submitted) {
				break;
			}
		}
		if (stream == NULL) {
			return;
		}
		uint64_t target = stream->n_submitted;

		object_ref(stream);
		while (stream->n_completed < target) {
			pthread_cond_wait(&progress, &lock);
		}
		pthread_mutex_unlock(&lock);
		object_put(stream);
		pthread_mutex_lock(&lock);
	}
}

void
stream_flush_output(void)
{
	fflush(stdout);
}

void
stream_close(struct stream *stream)
{
	HOLD_LOCK(&lock);

	stream->closing = true;
	pthread_cond_signal(&stream->work);
}

/* ---- making and freeing ---- */

static void
stream_release(struct object *object)
{
	struct stream *stream = (struct stream *)object;

	pthread_mutex_lock(&lock);
	struct stream **at = &stream->context->streams;

	while (*at != stream) {
		at = &(*at)->next;
	}
	*at = stream->next;
	pthread_mutex_unlock(&lock);
	object_put(stream->context);
	pthread_cond_destroy(&stream->work);
	free(stream);
}

static struct stream *
stream_alloc(unsigned int flags, int priority)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	if (stream == NULL || pthread_cond_init(&stream->work, NULL) != 0) {
		free(stream);
		return NULL;
	}
	stream->flags = flags;
	stream->priority = priority;
	stream->last = &stream->first;
	return stream;
}

static void
stream_link(struct context *context, struct stream *stream)
{
	HOLD_LOCK(&lock);

	stream->id = next_id++;
	stream->next = context->streams;
	context->streams = stream;
}

/* A new stream in the table; its reference is the table's, *ret_stream one more. */
static CUresult
stream_new(struct context *context, unsigned int flags, int priority,
	struct stream **ret_stream)
{
	struct stream *stream = stream_alloc(flags, priority);

	if (stream == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	stream->context = object_ref(context);
	stream_link(context, stream);
	/* The caller's reference, before anybody else can know the handle. */
	if (!object_register(&stream->object, OBJECT_STREAM, context, stream_release)) {
		stream_release(&stream->object);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*ret_stream = object_ref(stream);
	return CUDA_SUCCESS;
}

bool
stream_init_context(struct context *context)
{
	struct stream *stream = stream_alloc(CU_STREAM_DEFAULT, 0);

	if (stream == NULL) {
		return false;
	}
	/* Not in the table: it has no handle of its own. */
	stream->object.n_references = 1;
	stream->object.release = stream_release;
	stream->context = object_ref(context);
	context->legacy = stream;
	stream_link(context, stream);
	return true;
}

void
stream_close_context(struct context *context)
{
	pthread_mutex_lock(&lock);
	struct stream *legacy = TAKE(context->legacy);

	if (legacy != NULL) {
		legacy->closing = true;
		pthread_cond_signal(&legacy->work);
	}
	pthread_mutex_unlock(&lock);
	object_put(legacy);
}

static void
thread_streams_free(void *argument)
{
	struct thread_streams *streams = argument;

	for (size_t i = 0; i < streams->n; i++) {
		struct stream *stream =
			object_get(OBJECT_STREAM, streams->entries[i].stream);

		if (stream != NULL && object_unregister(&stream->object)) {
			stream_close(stream);
			object_put(stream);
		}
		object_put(stream);
	}
	free(streams);
}

static void
thread_key_make(void)
{
	pthread_key_create(&thread_key, thread_streams_free);
}

static CUresult
stream_of_thread(struct context *context, struct stream **ret_stream)
{
	pthread_once(&thread_once, thread_key_make);
	struct thread_streams *streams = pthread_getspecific(thread_key);

	if (streams == NULL) {
		streams = calloc(1, sizeof(*streams));
		if (streams == NULL || pthread_setspecific(thread_key, streams) != 0) {
			free(streams);
			return CUDA_ERROR_OUT_OF_MEMORY;
		}
	}
	size_t i = 0;

	while (i < streams->n && streams->entries[i].context != context->object.handle) {
		i++;
	}
	if (i < streams->n) {
		*ret_stream = object_get(OBJECT_STREAM, streams->entries[i].stream);
		if (*ret_stream != NULL) {
			return CUDA_SUCCESS;
		}
	}
	if (i == ARRAY_LEN(streams->entries)) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	TRY(stream_new(context, CU_STREAM_DEFAULT, 0, ret_stream));
	streams->entries[i].context = context->object.handle;
	streams->entries[i].stream = (*ret_stream)->object.handle;
	streams->n = i == streams->n ? i + 1 : streams->n;
	return CUDA_SUCCESS;
}

static __thread bool null_is_per_thread;

bool
stream_null_is_per_thread(bool is)
{
	bool before = null_is_per_thread;

	null_is_per_thread = is;
	return before;
}

static CUresult
stream_of(struct context *context, CUstream handle, struct stream **ret_stream)
{
	if (handle == NULL && null_is_per_thread) {
		handle = CU_STREAM_PER_THREAD;
	}
	if (handle == NULL || handle == CU_STREAM_LEGACY) {
		HOLD_LOCK(&lock);

		*ret_stream = context->legacy;
		if (context->legacy == NULL) {
			return CUDA_ERROR_CONTEXT_IS_DESTROYED;
		}
		object_ref(context->legacy);
		return CUDA_SUCCESS;
	}
	if (handle == CU_STREAM_PER_THREAD) {
		return stream_of_thread(context, ret_stream);
	}
	*ret_stream = object_get(OBJECT_STREAM, handle);
	return *ret_stream != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult
stream_use(CUstream handle, struct stream **ret_stream)
{
	USE_CONTEXT(context);
	return stream_of(context, handle, ret_stream);
}

CUresult
stream_current(CUstream handle, struct stream **ret_stream)
{
	cleanup_object struct context *context = NULL;

	TRY(context_current(&context));
	return stream_of(context, handle, ret_stream);
}

CUresult
cuStreamCreateWithPriority(CUstream *phStream, unsigned int flags, int priority)
{
	USE_CONTEXT(context);
	if (phStream == NULL || (flags & ~(unsigned int)CU_STREAM_NON_BLOCKING) != 0) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (priority > STREAM_PRIORITY_LEAST) {
		priority = STREAM_PRIORITY_LEAST;
	} else if (priority < STREAM_PRIORITY_GREATEST) {
		priority = STREAM_PRIORITY_GREATEST;
	}
	cleanup_object struct stream *stream = NULL;

	TRY(stream_new(context, flags, priority, &stream));
	*phStream = stream->object.handle;
	return CUDA_SUCCESS;
}

CUresult
cuStreamCreate(CUstream *phStream, unsigned int Flags)
{
	return cuStreamCreateWithPriority(phStream, Flags, 0);
}

CUresult
cuStreamDestroy_v2(CUstream hStream)
{
	TRY(device_ready());
	cleanup_object struct stream *stream = object_get(OBJECT_STREAM, hStream);

	if (stream == NULL) {
		return CUDA_ERROR_INVALID_HANDLE;
	}
	if (object_unregister(&stream->object)) {
		stream_close(stream);
		object_put(stream);
	}
	return CUDA_SUCCESS;
}

CUresult
cuStreamDestroy(CUstream hStream)
{
	return cuStreamDestroy_v2(hStream);
}
