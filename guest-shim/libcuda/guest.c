/* SPDX-License-Identifier: Apache-2.0 */
/* guest.c: how calls get onto the lane, and how errors come back from it.
 *
 * A call runs in the calling thread's current context.  A one-way call that failed on the
 * host is told by a later reply: it becomes the result of the call that waited.  After an
 * error that spoils the context, every call in that context fails at once, as CUDA's do. */
#include "guest-shim/libcuda/guest.h"

#include <pthread.h>
#include <stdio.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/guest_lane.h"
#include "guest-shim/libcuda/session.h"
#include "guest-shim/libcuda/stats.h"
#include "guest-shim/libcuda/thread.h"

/* Errors after which a context is of no use (cuda.h: "the context cannot be used"). */
static bool
is_sticky(CUresult result)
{
	return result == CUDA_ERROR_ILLEGAL_ADDRESS || result == CUDA_ERROR_LAUNCH_TIMEOUT ||
		result == CUDA_ERROR_ASSERT ||
		(result >= CUDA_ERROR_HARDWARE_STACK_ERROR && result <= CUDA_ERROR_LAUNCH_FAILED);
}

CUresult
guest_enter(const struct call_info *info, struct lane **ret_lane, uint64_t *ret_context)
{
	struct lane *lane = session_lane();

	if (lane == NULL) {
		return session_error();
	}
	*ret_lane = lane;
	*ret_context = 0;
	if (info->needs_context) {
		struct context *context = thread_self.current;
		CUresult result = context_check(context);
		if (result != CUDA_SUCCESS) {
			return result;
		}
		*ret_context = handle_packed(context->handle);
	}
	return CUDA_SUCCESS;
}

/* ---- what kernels print ---- */

static bool
print_piece(struct lane *lane)
{
	session_output_args args = { 0 };
	session_output_ret ret = { 0 };
	struct lane_reply reply = { .ret = &ret };

	uint64_t began = stats_begin();
	int r = lane_call(lane,
		&(struct lane_message){ .info = call_find(CALL_session_output), .args = &args },
		&reply);
	stats_called(call_find(CALL_session_output), 0, began);
	bool more = false;
	if (r == 0 && ret.u.result == CUDA_SUCCESS) {
		const session_output_out *out = &ret.u.session_output_result_u.out;
		FILE *to = out->stream == 2 ? stderr : stdout;
		fwrite(out->text.call_text_val, 1, out->text.call_text_len, to);
		fflush(to);
		more = out->more != 0;
	}
	xdr_free((xdrproc_t)xdr_session_output_ret, (char *)&ret);
	return more;
}

static void
print_pending(struct lane *lane)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	/* Pieces of one text must come out in order, whoever fetches them. */
	HOLD_LOCK(&lock);
	while (lane_output_pending(lane) > 0 && print_piece(lane)) {
	}
}

/* ---- results ---- */

void
guest_note(CUresult result)
{
	struct context *context = thread_self.current;

	if (is_sticky(result) && context != NULL) {
		atomic_store_explicit(&context->sticky, result, memory_order_relaxed);
	}
}

/* Of a call that gives the program something, which would be lost if it failed for the sake
 * of an earlier one.  That error is left for a call that gives nothing. */
static CUresult
settle_alone(struct lane *lane, CUresult result)
{
	if (lane_output_pending(lane) > 0) {
		print_pending(lane);
	}
	if (result != CUDA_SUCCESS) {
		guest_note(result);
	}
	return result;
}

CUresult
guest_settle(struct lane *lane, CUresult result)
{
	if (result == CUDA_SUCCESS || result == CUDA_ERROR_NOT_READY) {
		uint32_t call = 0;
		int latched = lane_take_latched(lane, &call);
		if (latched != 0) {
			log_debug("%s failed with %d", call_name(call), latched);
			result = (CUresult)latched;
		}
	}
	return settle_alone(lane, result);
}

static inline CUresult
post(struct lane *lane, const struct lane_message *message)
{
	uint64_t began = stats_begin();
	int r = lane_post(lane, message);
	if (__builtin_expect(began != 0, 0)) {
		stats_posted(message->info, message->payload_size, began);
	}
	if (r < 0) {
		return session_lost(r);
	}
	if (message->context != 0) {
		context_touch(thread_self.current);
	}
	return CUDA_SUCCESS;
}

static CUresult
enter_and_post(struct lane_message *message)
{
	struct lane *lane;
	CUresult result = guest_enter(message->info, &lane, &message->context);

	return result == CUDA_SUCCESS ? post(lane, message) : result;
}

CUresult
guest_post_checked(const struct call_info *info, void *args)
{
	struct lane *lane = session_lane();

	return lane != NULL ? post(lane, &(struct lane_message){ .info = info, .args = args,
					    .context = handle_packed(thread_self.current->handle) })
			    : session_error();
}

CUresult
guest_post_payload(uint32_t number, void *args, const void *payload, size_t size)
{
	return enter_and_post(&(struct lane_message){ .info = call_find(number), .args = args,
		.payload = payload, .payload_size = size });
}

CUresult
guest_post_rows(uint32_t number, void *args, const struct rows *rows)
{
	return enter_and_post(&(struct lane_message){ .info = call_find(number), .args = args,
		.rows = rows, .payload_size = rows_size(rows) });
}

CUresult
guest_call_payload(uint32_t number, void *args, void *ret, void *into, size_t size)
{
	struct lane_message message = { .info = call_find(number), .args = args };
	struct lane_reply reply = { .ret = ret, .into = into, .into_size = size };
	struct lane *lane;

	CUresult result = guest_enter(message.info, &lane, &message.context);
	if (result != CUDA_SUCCESS) {
		return result;
	}
	uint64_t began = stats_begin();
	int r = lane_call(lane, &message, &reply);
	stats_called(message.info, size, began);
	if (r < 0) {
		return session_lost(r);
	}
	result = (CUresult)((struct call_ret_head *)ret)->result;
	return message.info->out_at != 0 ? settle_alone(lane, result)
					 : guest_settle(lane, result);
}

CUresult
guest_post(uint32_t number, void *args)
{
	return guest_post_payload(number, args, NULL, 0);
}

CUresult
guest_call(uint32_t number, void *args, void *ret)
{
	return guest_call_payload(number, args, ret, NULL, 0);
}

void
guest_call_end(uint32_t number, void *ret)
{
	xdr_free(call_find(number)->ret_xdr, ret);
}
