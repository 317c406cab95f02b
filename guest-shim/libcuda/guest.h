/* SPDX-License-Identifier: Apache-2.0 */
/* guest.h: what generated and hand-written calls of the remote driver stand on. */
#pragma once

#include <cuda.h>
#include <stdint.h>

#include "rpc/call.h"
#include "rpc/lane.h"

#define CUDA_EXPORT __attribute__((visibility("default")))

/* Send a one-way call, or a call and wait for its answer, in the calling thread's current
 * context.  What comes back is the call's own result, or else the first error of an earlier
 * one-way call, or else that of the link.  After guest_call: guest_call_end. */
CUresult guest_post(uint32_t number, void *args);
CUresult guest_call(uint32_t number, void *args, void *ret);
/* For a caller that has just got its current context by context_current(). */
CUresult guest_post_checked(const struct call_info *info, void *args);
/* Frees what decoding the reply allocated. */
void guest_call_end(uint32_t number, void *ret);
/* The same with a payload for the host, and one from the host. */
CUresult guest_post_payload(uint32_t number, void *args, const void *payload, size_t size);
CUresult guest_post_rows(uint32_t number, void *args, const struct rows *rows);
CUresult guest_call_payload(uint32_t number, void *args, void *ret, void *into, size_t size);

/* From what the program passes to what the wire carries, checked against the guest's own
 * table: a wrong handle never leaves the guest. */
CUresult guest_pack_handle(enum handle_type type, const void *handle, call_handle *ret_packed);
CUresult guest_pack_stream(CUstream stream, call_handle *ret_packed);
CUresult guest_pack_function(CUfunction function, call_handle *ret_packed);
CUresult guest_pack_device(CUdevice device, int *ret_packed);

/* A new handle; the program sees it only if the call succeeds, else guest_drop. */
CUresult guest_mint(enum handle_type type, void **ret_handle, call_handle *ret_packed);
void guest_drop(enum handle_type type, void *handle);
