/* SPDX-License-Identifier: Apache-2.0 */
/* copy.h: copies of all shapes, for the functions that differ only in the stream. */
#pragma once

#include <cuda.h>
#include <stdbool.h>

#include "guest-shim/libcudart/thread.h"

/* Where a copy goes: sync waits for it, as the functions without Async do. */
struct copy_order {
	cudaStream_t stream;
	bool sync;
};

#define COPY_SYNC ((struct copy_order){ .sync = true })
#define COPY_ASYNC(s) ((struct copy_order){ .stream = (s) })
/* What the _ptds forms mean: in the calling thread's own stream, and wait. */
#define COPY_SYNC_PER_THREAD \
	((struct copy_order){ .stream = cudaStreamPerThread, .sync = true })

cudaError_t copy_linear(void *dst, const void *src, size_t size, enum cudaMemcpyKind kind,
	struct copy_order order);
cudaError_t copy_2d(void *dst, size_t dst_pitch, const void *src, size_t src_pitch,
	size_t width, size_t height, enum cudaMemcpyKind kind, struct copy_order order);
cudaError_t copy_3d(const struct cudaMemcpy3DParms *parms, struct copy_order order);
/* The driver's description of the same copy, for graphs. */
cudaError_t copy_3d_describe(
	const struct cudaMemcpy3DParms *parms, CUDA_MEMCPY3D *ret_copy);
cudaError_t copy_1d_describe(void *dst, const void *src, size_t size,
	enum cudaMemcpyKind kind, CUDA_MEMCPY3D *ret_copy);
cudaError_t copy_3d_peer(
	const struct cudaMemcpy3DPeerParms *parms, struct copy_order order);
cudaError_t copy_to_symbol(const void *symbol, const void *src, size_t size,
	size_t offset, enum cudaMemcpyKind kind, struct copy_order order);
cudaError_t copy_from_symbol(void *dst, const void *symbol, size_t size, size_t offset,
	enum cudaMemcpyKind kind, struct copy_order order);
/* Rectangles in arrays; offsets and width in bytes, NULL array means memory. */
struct copy_end {
	cudaArray_const_t array;
	const void *memory;
	size_t pitch;
	size_t x_bytes, y;
};
cudaError_t copy_rectangle(struct copy_end dst, struct copy_end src, size_t width,
	size_t height, enum cudaMemcpyKind kind, struct copy_order order);
/* count bytes that wrap from row to row of an array, as the deprecated functions do. */
cudaError_t copy_rows(struct copy_end dst, struct copy_end src, size_t count,
	enum cudaMemcpyKind kind, struct copy_order order);

cudaError_t set_linear(void *pointer, int value, size_t size, struct copy_order order);
cudaError_t set_2d(void *pointer, size_t pitch, int value, size_t width, size_t height,
	struct copy_order order);
cudaError_t set_3d(struct cudaPitchedPtr pitched, int value, struct cudaExtent extent,
	struct copy_order order);
