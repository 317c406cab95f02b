/* SPDX-License-Identifier: Apache-2.0 */
/* threads.c: 16 threads that launch, copy and wait at once, against the same work by one.
 *
 * Usage: threads [SEED [ROUNDS]]
 * A program of the driver API that knows nothing of us.  What a thread does depends on its
 * seed alone.  Every thread keeps in its own memory what its device memory must hold, and
 * a digest of all that came back; the digests must be those of a run in which the threads
 * take turns, one at a time from begin to end. */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define THREADS 16
#define BUFFERS 4
#define STREAMS 5
/* Words of a buffer: sometimes more than travels inside a message, or than one thread of
 * the library moves alone. */
#define SMALL_MAX 3000
#define LARGE_MAX 100000
#define HUGE_MAX 800000

struct buffer {
	CUdeviceptr device;
	unsigned n;       /* words */
	unsigned *mirror; /* what they must be */
};

struct worker {
	unsigned seed, random;
	struct buffer buffers[BUFFERS];
	unsigned *pinned; /* HUGE_MAX words */
	unsigned *pageable;
	CUevent event;
	CUstream streams[STREAMS];
	CUstream stream; /* in which all is ordered */
	uint64_t digest;
};

static CUcontext context;
static CUfunction scale;
static CUstream shared[2]; /* of all threads */
static unsigned rounds = 150;

static struct buffer *
any(struct worker *w)
{
	return &w->buffers[next(&w->random, BUFFERS)];
}

/* A range of the buffer. */
static void
part(struct worker *w, const struct buffer *b, unsigned *ret_at, unsigned *ret_n)
{
	unsigned at = next(&w->random, b->n);

	*ret_at = at;
	*ret_n = 1 + next(&w->random, b->n - at);
}

static void
fill(struct worker *w, unsigned *words, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		words[i] = next(&w->random, 1u << 24);
	}
}

static void
check(struct worker *w, const unsigned *got, const unsigned *wanted, unsigned n,
	const char *what)
{
	for (unsigned i = 0; i < n; i++) {
		if (got[i] != wanted[i]) {
			FAIL("seed %u: %s: word %u of %u is %08x, not %08x", w->seed, what, i, n,
				got[i], wanted[i]);
		}
		w->digest = (w->digest ^ got[i]) * 0x100000001b3u;
	}
}

/* ---- what a thread does ---- */

static void
buffer_init(struct worker *w, struct buffer *b)
{
	unsigned value = next(&w->random, 1u << 24), kind = next(&w->random, 64);

	b->n = 1 + next(&w->random, kind == 0 ? HUGE_MAX : kind < 8 ? LARGE_MAX : SMALL_MAX);
	b->mirror = malloc(b->n * sizeof(*b->mirror));
	DO(cuMemAlloc(&b->device, b->n * sizeof(*b->mirror)));
	DO(cuMemsetD32Async(b->device, value, b->n, w->stream));
	for (unsigned i = 0; i < b->n; i++) {
		b->mirror[i] = value;
	}
}

static void
buffer_deinit(struct buffer *b)
{
	DO(cuMemFree(b->device));
	free(b->mirror);
}

static void
launch(struct worker *w)
{
	struct buffer *to = any(w), *from = any(w);
	unsigned n = to->n < from->n ? to->n : from->n;
	unsigned factor = 1 + next(&w->random, 1000);
	void *arguments[] = { &to->device, &from->device, &factor, &n };

	n = n < SMALL_MAX ? n : SMALL_MAX;
	DO(cuLaunchKernel(scale, (n + 63) / 64, 1, 1, 64, 1, 1, 0, w->stream, arguments, NULL));
	for (unsigned i = 0; i < n; i++) {
		to->mirror[i] = from->mirror[i] * factor + i;
	}
}

static void
copy_in(struct worker *w)
{
	struct buffer *b = any(w);
	unsigned at, n, way = next(&w->random, 3);

	part(w, b, &at, &n);
	fill(w, b->mirror + at, n);
	unsigned *from = way == 0 ? w->pinned : w->pageable;
	if (way == 0) {
		DO(cuStreamSynchronize(w->stream)); /* earlier copies from there */
	}
	memcpy(from, b->mirror + at, n * 4);
	if (way < 2) {
		DO(cuMemcpyHtoDAsync(b->device + at * 4, from, n * 4, w->stream));
	} else {
		/* In the legacy stream, which others do not wait for. */
		DO(cuStreamSynchronize(w->stream));
		DO(cuMemcpyHtoD(b->device + at * 4, from, n * 4));
		DO(cuStreamSynchronize(NULL));
	}
	memset(w->pageable, 0x5a, n * 4);
}

static void
copy_out(struct worker *w)
{
	struct buffer *b = any(w);
	unsigned at, n, way = next(&w->random, 3);

	part(w, b, &at, &n);
	unsigned *to = way == 0 ? w->pinned : w->pageable;
	if (way == 0) {
		DO(cuMemcpyDtoHAsync(to, b->device + at * 4, n * 4, w->stream));
		/* Changed again, after it was copied. */
		launch(w);
	} else if (way == 1) {
		DO(cuMemcpyDtoHAsync(to, b->device + at * 4, n * 4, w->stream));
	}
	DO(cuStreamSynchronize(w->stream));
	if (way == 2) {
		DO(cuMemcpyDtoH(to, b->device + at * 4, n * 4));
	}
	if (way != 0) {
		check(w, to, b->mirror + at, n, way == 1 ? "asynchronous copy" : "copy");
	}
	for (unsigned i = 0; way == 0 && i < n; i++) {
		w->digest = (w->digest ^ to[i]) * 0x100000001b3u;
	}
}

/* Rows of up to 40 words, every second one. */
static void
copy_rows(struct worker *w)
{
	struct buffer *b = any(w);
	unsigned width = 1 + next(&w->random, b->n < 40 ? b->n : 40);
	unsigned height = b->n / (2 * width);
	bool in = next(&w->random, 2);
	CUDA_MEMCPY2D copy = { .srcMemoryType = in ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE,
		.dstMemoryType = in ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST,
		.srcHost = w->pageable, .dstHost = w->pageable, .srcDevice = b->device,
		.dstDevice = b->device, .srcPitch = (in ? 1 : 2) * width * 4,
		.dstPitch = (in ? 2 : 1) * width * 4, .WidthInBytes = width * 4,
		.Height = height };

	if (height == 0) {
		return;
	}
	if (in) {
		fill(w, w->pageable, width * height);
	}
	DO(cuMemcpy2DAsync(&copy, w->stream));
	DO(cuStreamSynchronize(w->stream));
	for (unsigned row = 0; row < height; row++) {
		unsigned *there = b->mirror + 2 * row * width, *here = w->pageable + row * width;
		if (in) {
			memcpy(there, here, width * 4);
		} else {
			check(w, here, there, width, "rows");
		}
	}
}

static void
set(struct worker *w)
{
	struct buffer *b = any(w);
	unsigned at, n, value = next(&w->random, 256);

	part(w, b, &at, &n);
	DO(cuMemsetD8Async(b->device + at * 4, (unsigned char)value, n * 4, w->stream));
	memset(b->mirror + at, (int)value, n * 4);
}

static void
replace(struct worker *w)
{
	struct buffer *b = any(w);

	buffer_deinit(b);
	buffer_init(w, b);
}

/* Go on in another stream, behind what is in this one. */
static void
change_stream(struct worker *w)
{
	CUstream to = w->streams[next(&w->random, STREAMS)];

	switch (next(&w->random, 3)) {
	case 0:
		DO(cuEventRecord(w->event, w->stream));
		DO(cuStreamWaitEvent(to, w->event, 0));
		break;
	case 1:
		DO(cuEventRecord(w->event, w->stream));
		DO(cuEventSynchronize(w->event));
		DO(cuEventQuery(w->event));
		break;
	default:
		DO(next(&w->random, 2) ? cuCtxSynchronize() : cuStreamSynchronize(w->stream));
		break;
	}
	w->stream = to;
}

static void
worker_init(struct worker *w, unsigned seed)
{
	*w = (struct worker){ .seed = seed, .random = seed, .digest = 0xcbf29ce484222325u };
	DO(cuMemAllocHost((void **)&w->pinned, HUGE_MAX * 4));
	w->pageable = malloc(HUGE_MAX * 4);
	DO(cuEventCreate(&w->event, CU_EVENT_DISABLE_TIMING));
	DO(cuStreamCreate(&w->streams[0], CU_STREAM_DEFAULT));
	DO(cuStreamCreate(&w->streams[1], CU_STREAM_NON_BLOCKING));
	w->streams[2] = CU_STREAM_PER_THREAD;
	w->streams[3] = shared[0];
	w->streams[4] = shared[1];
	w->stream = w->streams[0];
	for (size_t i = 0; i < BUFFERS; i++) {
		buffer_init(w, &w->buffers[i]);
	}
}

static void
worker_deinit(struct worker *w)
{
	DO(cuStreamSynchronize(w->stream));
	for (size_t i = 0; i < BUFFERS; i++) {
		struct buffer *b = &w->buffers[i];
		DO(cuMemcpyDtoH(w->pageable, b->device, b->n * 4));
		check(w, w->pageable, b->mirror, b->n, "at the end");
		buffer_deinit(b);
	}
	DO(cuStreamDestroy(w->streams[0]));
	DO(cuStreamDestroy(w->streams[1]));
	DO(cuEventDestroy(w->event));
	DO(cuMemFreeHost(w->pinned));
	free(w->pageable);
}

static void *
work(void *user)
{
	static void (*const actions[])(struct worker *w) = { launch, launch, launch, copy_in,
		copy_out, copy_rows, set, replace, change_stream };
	struct worker *w = user;

	DO(cuCtxSetCurrent(context));
	worker_init(w, w->seed);
	for (unsigned i = 0; i < rounds; i++) {
		actions[next(&w->random, sizeof(actions) / sizeof(actions[0]))](w);
	}
	worker_deinit(w);
	return NULL;
}

int
main(int argc, char **argv)
{
	unsigned seed = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : (unsigned)getpid();
	static struct worker alone[THREADS], together[THREADS];
	pthread_t threads[THREADS];

	printf("seed %u\n", seed);
	rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : rounds;
	DO(cuInit(0));
	context = use_device(0);
	scale = load_kernel(PTX_HEAD PTX_SCALE, "scale");
	DO(cuStreamCreate(&shared[0], CU_STREAM_DEFAULT));
	DO(cuStreamCreate(&shared[1], CU_STREAM_NON_BLOCKING));
	for (unsigned i = 0; i < THREADS; i++) {
		alone[i].seed = together[i].seed = seed + i;
		work(&alone[i]);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		if (pthread_create(&threads[i], NULL, work, &together[i]) != 0) {
			FAIL("no thread %u", i);
		}
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		if (together[i].digest != alone[i].digest) {
			FAIL("thread %u read %016llx, alone %016llx", i,
				(unsigned long long)together[i].digest,
				(unsigned long long)alone[i].digest);
		}
	}
	puts("PASS");
	return 0;
}
