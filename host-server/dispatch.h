/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch.h: the way of every call, from decoded message to CUDA to reply. */
#pragma once

#include <cuda.h>

#include "rpc/call.h"
#include "rpc/server.h"

struct session;

/* Serve one call: args is the args struct, outp the out struct (NULL if there is none).
 * The result becomes the reply's, or is latched if the call is one-way. */
typedef CUresult serve_fn(struct session *s, const void *args, void *outp);

/* Generated: beside call_domains, as many entries, in the same places. */
extern serve_fn *const *const serve_domains[CALL_DOMAINS_MAX];

/* Serve one call and answer it, unless the call has deferred its answer (wait.h).
 * 0, or the negative errno that ends the session. */
int dispatch(struct session *s, const struct server_call *call);

/* The calls that are served by hand, each in the file of its domain. */
serve_fn serve_session_hello;
serve_fn serve_session_status;
serve_fn serve_session_mark;
serve_fn serve_session_output;
serve_fn serve_session_prints;
serve_fn serve_session_context;
serve_fn serve_cuCtxSynchronize;
serve_fn serve_cuCtxDestroy_v2;
serve_fn serve_cuModuleLoadData;
serve_fn serve_cuLibraryLoadData;
serve_fn serve_image_offer;
serve_fn serve_image_kernels;
serve_fn serve_image_put;
serve_fn serve_image_drop;
serve_fn serve_cuLaunchKernel;
serve_fn serve_cuLaunchKernelEx;
serve_fn serve_cuMemFree_v2;
serve_fn serve_cuMemFreeAsync;
serve_fn serve_copy_dtoh;
serve_fn serve_copy_htod;
serve_fn serve_copy_dtod_2d;
serve_fn serve_cuStreamSynchronize;
serve_fn serve_cuStreamQuery;
serve_fn serve_cuStreamCreateWithPriority;
serve_fn serve_cuStreamDestroy_v2;
serve_fn serve_cuEventSynchronize;
serve_fn serve_cuEventQuery;
serve_fn serve_cuEventElapsedTime_v2;
serve_fn serve_arena_open;
serve_fn serve_arena_ring;
serve_fn serve_arena_pin;
serve_fn serve_arena_unpin;
serve_fn serve_copy_arena_htod;
serve_fn serve_copy_arena_dtoh;
serve_fn serve_bulk_open;
serve_fn serve_bulk_join;
serve_fn serve_bulk_get;
serve_fn serve_bulk_put;
serve_fn serve_copy_bulk_htod;
serve_fn serve_copy_bulk_dtoh;
