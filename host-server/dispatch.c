/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch.c: the way of every call, from decoded message to CUDA to reply.
 *
 * Most calls are served by generated code that knows nothing of what the worker keeps.
 * What it must know all the same is done here, around the call, by its number. */
#include "host-server/dispatch.h"

#include <errno.h>
#include <string.h>

#include "common/checked.h"
#include "common/log.h"
#include "host-server/account.h"
#include "host-server/context.h"
#include "host-server/memory.h"
#include "host-server/output.h"
#include "host-server/session.h"
#include "host-server/wait.h"

/* The largest ret struct; the reply is built in one of these. */
union any_ret {
	struct call_ret_head head;
	session_hello_ret hello;
	unsigned char room[1024];
};

static serve_fn *
serve_find(uint32_t number)
{
	return serve_domains[number >> 8][number & 0xff];
}

/* ---- around generated code ---- */

/* In place of the call, if it touches what we keep in a context.  True: *ret is the
 * result. */
static bool
serve_instead(struct session *s, const struct server_call *call, CUresult *ret_result)
{
	CUdevice device;
	void *event;

	switch (call->info->number) {
	case CALL_cuDevicePrimaryCtxReset_v2:
		if (session_find_device(s,
			    ((cuDevicePrimaryCtxReset_v2_args *)call->args)->dev,
			    &device)) {
			*ret_result = context_reset(s, device);
			return true;
		}
		return false;
	case CALL_cuDevicePrimaryCtxRelease_v2:
		if (session_find_device(s,
			    ((cuDevicePrimaryCtxRelease_v2_args *)call->args)->dev,
			    &device)) {
			*ret_result = context_release(s, device);
			return true;
		}
		return false;
	case CALL_cuEventDestroy_v2: {
		call_handle handle = ((cuEventDestroy_v2_args *)call->args)->hEvent;
		if (session_find(s, HANDLE_CUevent, handle, &event) &&
			wait_condemn_event(s, event)) {
			session_drop(s, HANDLE_CUevent, handle);
			*ret_result = CUDA_SUCCESS;
			return true;
		}
		return false;
	}
	default: return false;
	}
}

static CUresult
serve_before(struct session *s, const struct server_call *call)
{
	uint64_t size = 0;

	switch (call->info->number) {
	case CALL_cuEventCreate:
		/* Nobody sleeps in the driver for it (waiter.c). */
		((cuEventCreate_args *)call->args)->Flags &= ~(u_int)CU_EVENT_BLOCKING_SYNC;
		return CUDA_SUCCESS;
	case CALL_cuMemAlloc_v2:
		size = ((cuMemAlloc_v2_args *)call->args)->bytesize;
		break;
	case CALL_cuMemAllocAsync:
		size = ((cuMemAllocAsync_args *)call->args)->bytesize;
		break;
	case CALL_cuMemAllocPitch_v2: {
		const cuMemAllocPitch_v2_args *args = call->args;
		if (!checked_mul(args->WidthInBytes, args->Height, &size)) {
			return CUDA_ERROR_INVALID_VALUE;
		}
		break;
	}
	default: return CUDA_SUCCESS;
	}
	return memory_allowed(s->memory, size) ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

static void
serve_after(struct session *s, const struct server_call *call, const void *outp)
{
	switch (call->info->number) {
	case CALL_cuMemAlloc_v2:
		memory_keep(s, ((const cuMemAlloc_v2_out *)outp)->dptr,
			((cuMemAlloc_v2_args *)call->args)->bytesize);
		break;
	case CALL_cuMemAllocAsync:
		memory_keep(s, ((const cuMemAllocAsync_out *)outp)->dptr,
			((cuMemAllocAsync_args *)call->args)->bytesize);
		break;
	case CALL_cuMemAllocPitch_v2: {
		const cuMemAllocPitch_v2_out *out = outp;
		memory_keep(s, out->dptr,
			out->pPitch * ((cuMemAllocPitch_v2_args *)call->args)->Height);
		break;
	}
	default: break;
	}
}

static CUresult
serve(struct session *s, const struct server_call *call, void *outp)
{
	CUresult result;

	if (call->info->needs_context && s->context == NULL) {
		return CUDA_ERROR_INVALID_CONTEXT;
	}
	if (serve_instead(s, call, &result)) {
		return result;
	}
	result = serve_before(s, call);
	if (result == CUDA_SUCCESS) {
		result = serve_find(call->info->number)(s, call->args, outp);
	}
	if (result == CUDA_SUCCESS && !s->deferred) {
		serve_after(s, call, outp);
	}
	return result;
}

/* ---- answers ---- */

static void
latch(struct session *s, const struct call_info *info, CUresult result)
{
	session_count_error(s, result);
	log_debug("dispatch: %s failed with %d", info->name, (int)result);
	if (s->lane.latched == CUDA_SUCCESS) {
		s->lane.latched = (int)result;
		s->lane.latched_call = info->number;
	}
}

/* Calls that a guest makes to learn that work is done; kernels may have printed. */
static bool
tells_done(uint32_t number)
{
	switch (number) {
	case CALL_cuCtxSynchronize:
	case CALL_cuStreamSynchronize:
	case CALL_cuStreamQuery:
	case CALL_cuEventSynchronize:
	case CALL_cuEventQuery:
	case CALL_copy_dtoh:
	case CALL_session_mark: return true;
	default: return false;
	}
}

int
dispatch(struct session *s, const struct server_call *call)
{
	const struct call_info *info = call->info;
	union any_ret ret;

	if (!s->greeted && info->number != CALL_session_hello) {
		log_warning("dispatch: %s before session_hello", info->name);
		return -EPROTO;
	}
	if (info->ret_size > sizeof(ret)) {
		return -EMSGSIZE;
	}
	if (!info->one_way) {
		memset(&ret, 0, info->ret_size);
	}
	s->call = call;
	s->deferred = false;
	CUresult result = serve(
		s, call, info->out_at != 0 ? (unsigned char *)&ret + info->out_at : NULL);
	s->call = NULL;
	if (s->error < 0) {
		return s->error;
	}
	if (info->one_way) {
		s->lane.done++;
		if (result != CUDA_SUCCESS) {
			latch(s, info, result);
		}
		return 0;
	}
	if (s->deferred) {
		return 0;
	}
	/* Whatever was found done by now, the copies before it are done as well. */
	wait_poll_payloads(s);
	if (tells_done(info->number)) {
		output_look(s->output);
	}
	return session_reply(s, info, call->xid, &ret, result, NULL, 0);
}
