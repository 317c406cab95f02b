/* SPDX-License-Identifier: Apache-2.0 */
/* context_wait.c: waiting for a context, and what of its work is known to be done.
 *
 * Waits and marks have numbers from one row.  A wait that has succeeded covers what was sent
 * before it got its number, and so all before any mark with a smaller one.  Neither costs a
 * launch anything: whether something was sent after a number is seen from busy, which holds
 * it until context_touch() overwrites it.
 *
 * Copies may use a stream of another context than the current one, which is the one that is
 * touched: with several contexts nothing is known to be done. */
#include "guest-shim/libcuda/api.h"
#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/copy_pending.h"
#include "guest-shim/libcuda/guest.h"
#include "guest-shim/libcuda/stream.h"
#include "guest-shim/libcuda/thread.h"

static uint64_t
next_number(void)
{
	static _Atomic uint64_t last;

	return atomic_fetch_add(&last, 1) + 1;
}

bool
context_is_idle(const struct context *context)
{
	return atomic_load_explicit(&context->busy, memory_order_acquire) == 0 && context_is_only_one();
}

uint64_t
context_wait_begin(struct context *context)
{
	uint64_t wait = next_number();

	/* Before it is sent: what is posted after that is not waited for. */
	atomic_store(&context->busy, wait);
	return wait;
}

void
context_wait_end(struct context *context, uint64_t wait)
{
	uint64_t done = atomic_load(&context->done);

	while (done < wait && !atomic_compare_exchange_weak(&context->done, &done, wait)) {
	}
	/* Idle only now, and not if something was sent, or another thread waits for
	 * something that was sent, meanwhile. */
	atomic_compare_exchange_strong(&context->busy, &wait, 0);
}

/* ---- marks ---- */

uint64_t
context_mark(struct context *context)
{
	uint64_t busy = CONTEXT_BUSY;

	if (context_is_idle(context)) {
		return 0;
	}
	uint64_t mark = next_number();
	atomic_compare_exchange_strong(&context->busy, &busy, mark);
	return mark;
}

bool
context_is_done(const struct context *context, uint64_t mark)
{
	return context_is_only_one() &&
		(mark == 0 || atomic_load(&context->busy) == 0 ||
			atomic_load(&context->done) > mark);
}

bool
context_can_wait(const struct context *context, uint64_t mark)
{
	/* A number of a later wait says nothing of what was sent between the two. */
	return context_is_only_one() && atomic_load(&context->busy) <= mark;
}

/* ---- quiet streams ---- */

/* A stream is quiet as long as busy has the number of a wait for that stream.  Both are in
 * one word, so that a place that streams share holds what belongs together.  Nothing need be
 * known of generations: that a stream was made was sent, too. */
static uint64_t
quiet_word(call_handle stream, uint64_t wait)
{
	return wait * HANDLE_INDEX_MAX + (stream_is_legacy(stream) ? 0 : handle_index_of(stream));
}

static size_t
quiet_place(call_handle stream)
{
	return stream_is_legacy(stream) ? CONTEXT_QUIET : handle_index_of(stream) % CONTEXT_QUIET;
}

bool
context_is_quiet(const struct context *context, call_handle stream)
{
	uint64_t busy = atomic_load_explicit(&context->busy, memory_order_acquire);

	return context_is_only_one() &&
		(busy == 0 || (busy != CONTEXT_BUSY &&
			atomic_load(&context->quiet[quiet_place(stream)]) ==
				quiet_word(stream, busy)));
}

uint64_t
context_quiet_begin(struct context *context)
{
	uint64_t busy = atomic_load(&context->busy);

	/* If nothing was sent since another wait began, its number will do. */
	return busy == CONTEXT_BUSY ? context_wait_begin(context) : busy;
}

void
context_quiet_end(struct context *context, uint64_t wait, call_handle stream)
{
	atomic_store(&context->quiet[quiet_place(stream)], quiet_word(stream, wait));
}

/* ---- synchronisation ---- */

CUresult
context_synchronize(void)
{
	struct context *context;
	CUresult result = context_current(&context);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	if (!context_is_idle(context)) {
		cuCtxSynchronize_args args = { 0 };
		cuCtxSynchronize_ret ret = { 0 };
		uint64_t wait = context_wait_begin(context);
		result = guest_call(CALL_cuCtxSynchronize, &args, &ret);
		if (result == CUDA_SUCCESS) {
			context_wait_end(context, wait);
		}
	}
	CUresult copied = copy_pending_wait_all();
	return result != CUDA_SUCCESS ? result : copied;
}

CUDA_EXPORT CUresult CUDAAPI
cuCtxSynchronize(void)
{
	return context_synchronize();
}

CUDA_EXPORT CUresult CUDAAPI
cuCtxSynchronize_v2(CUcontext ctx)
{
	struct context *context;
	CUresult result = context_get(ctx, &context);

	if (result != CUDA_SUCCESS) {
		return result;
	}
	struct context *current = thread_self.current;
	thread_self.current = context;
	result = context_synchronize();
	thread_self.current = current;
	return result;
}
