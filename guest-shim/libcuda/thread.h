/* SPDX-License-Identifier: Apache-2.0 */
/* thread.h: what belongs to one thread of the program: its contexts and default streams. */
#pragma once

#include <cuda.h>
#include <stdbool.h>
#include <stddef.h>

struct context;

struct thread_stream {
	struct context *context;
	CUstream stream;
};

struct thread {
	struct context *current; /* top of the stack, or NULL */
	struct context **below;  /* the rest of the stack */
	size_t n_below;
	size_t below_size;
	struct thread_stream *streams; /* CU_STREAM_PER_THREAD, one for each context */
	size_t n_streams;
	bool known;              /* thread_end will be called */
	CUstreamCaptureMode capture_mode;
};

/* Small, and in a library that is loaded at start: the fastest kind of access is safe. */
extern __thread struct thread thread_self __attribute__((tls_model("initial-exec")));

CUresult thread_push(struct context *context);
/* The stack is not empty. */
void thread_pop(void);
/* The stream that CU_STREAM_PER_THREAD means to this thread in its current context. */
CUresult thread_stream(CUstream *ret_stream);
