/* SPDX-License-Identifier: Apache-2.0 */
/* thread.c: what belongs to one thread of the program. */
#include "guest-shim/libcuda/thread.h"

#include <pthread.h>
#include <stdlib.h>

#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/stream.h"

__thread struct thread thread_self;

static pthread_once_t thread_once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_key;
static bool thread_has_key;

static void
thread_end(void *unused)
{
	struct thread *self = &thread_self;

	for (size_t i = 0; i < self->n_streams; i++) {
		stream_end(self->streams[i].stream);
	}
	free(self->streams);
	free(self->below);
	*self = (struct thread){ .known = false };
}

static void
thread_make_key(void)
{
	thread_has_key = pthread_key_create(&thread_key, thread_end) == 0;
}

/* Have thread_end called when this thread ends. */
static void
thread_know(void)
{
	if (!thread_self.known) {
		pthread_once(&thread_once, thread_make_key);
		thread_self.known = true;
		if (thread_has_key) {
			pthread_setspecific(thread_key, &thread_self);
		}
	}
}

CUresult
thread_push(struct context *context)
{
	struct thread *self = &thread_self;

	if (self->current != NULL) {
		if (self->n_below == self->below_size) {
			size_t size = self->below_size != 0 ? 2 * self->below_size : 8;
			struct context **below =
				realloc(self->below, size * sizeof(struct context *));
			if (below == NULL) {
				return CUDA_ERROR_OUT_OF_MEMORY;
			}
			self->below = below;
			self->below_size = size;
			thread_know();
		}
		self->below[self->n_below++] = self->current;
	}
	self->current = context;
	return CUDA_SUCCESS;
}

void
thread_pop(void)
{
	struct thread *self = &thread_self;

	self->current = self->n_below > 0 ? self->below[--self->n_below] : NULL;
}

CUresult
thread_stream(CUstream *ret_stream)
{
	struct thread *self = &thread_self;

	size_t i = 0;
	while (i < self->n_streams && self->streams[i].context != self->current) {
		i++;
	}
	/* A context that was reset has lost it. */
	if (i < self->n_streams && handle_find(HANDLE_CUstream, self->streams[i].stream) != NULL) {
		*ret_stream = self->streams[i].stream;
		return CUDA_SUCCESS;
	}
	if (i == self->n_streams) {
		struct thread_stream *streams = realloc(self->streams, (i + 1) * sizeof(*streams));
		if (streams == NULL) {
			return CUDA_ERROR_OUT_OF_MEMORY;
		}
		self->streams = streams;
		thread_know();
	}
	CUstream stream;
	CUresult result = stream_begin(CU_STREAM_DEFAULT, 0, &stream);
	if (result == CUDA_SUCCESS) {
		self->streams[i] = (struct thread_stream){ .context = self->current,
			.stream = stream };
		self->n_streams += i == self->n_streams;
		*ret_stream = stream;
	}
	return result;
}
