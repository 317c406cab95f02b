/* SPDX-License-Identifier: Apache-2.0 */
/* memset.c: filling memory with a value of 8, 16 or 32 bits. */
#include "soft-device/api.h"

#include <string.h>

#include "common/checked.h"
#include "common/cleanup.h"
#include "soft-device/allocation.h"
#include "soft-device/stream.h"

struct memset_task {
	struct task task;
	uint64_t address;
	size_t pitch;
	size_t width; /* elements */
	size_t height;
	unsigned int size; /* of an element */
	uint32_t value;
};

static void
row_fill(uint64_t address, unsigned int size, uint32_t value, size_t n)
{
	if (size == 1) {
		memset((void *)address, (int)value, n);
	} else if (size == 2) {
		uint16_t *at = (uint16_t *)address;

		for (size_t i = 0; i < n; i++) {
			at[i] = (uint16_t)value;
		}
	} else {
		uint32_t *at = (uint32_t *)address;

		for (size_t i = 0; i < n; i++) {
			at[i] = value;
		}
	}
}

static CUresult
memset_run(struct task *task, CUresult failure)
{
	struct memset_task *t = (struct memset_task *)task;

	for (size_t y = 0; y < t->height; y++) {
		row_fill(t->address + y * t->pitch, t->size, t->value, t->width);
	}
	return CUDA_SUCCESS;
}

static CUresult
memset_submit(CUstream hStream, bool wait, uint64_t address, size_t pitch,
	unsigned int size, uint32_t value, size_t width, size_t height)
{
	USE_STREAM(stream, hStream);
	if (width == 0 || height == 0) {
		return CUDA_SUCCESS;
	}
	size_t row;
	size_t extent;
	struct allocation a;

	if (!checked_mul(width, size, &row) || !checked_mul(height - 1, pitch, &extent) ||
		!checked_add(extent, row, &extent) || address % size != 0 ||
		(height > 1 && (pitch < row || pitch % size != 0)) ||
		!allocation_find(address, extent, &a)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	struct memset_task *t = task_new(sizeof(*t), memset_run, NULL);

	if (t == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	t->address = address;
	t->pitch = pitch;
	t->width = width;
	t->height = height;
	t->size = size;
	t->value = value;
	return stream_submit(stream, &t->task, wait, NULL);
}

CUresult
cuMemsetD8_v2(CUdeviceptr dstDevice, unsigned char uc, size_t N)
{
	return memset_submit(NULL, true, dstDevice, 0, 1, uc, N, 1);
}

CUresult
cuMemsetD8Async(CUdeviceptr dstDevice, unsigned char uc, size_t N, CUstream hStream)
{
	return memset_submit(hStream, false, dstDevice, 0, 1, uc, N, 1);
}

CUresult
cuMemsetD16_v2(CUdeviceptr dstDevice, unsigned short us, size_t N)
{
	return memset_submit(NULL, true, dstDevice, 0, 2, us, N, 1);
}

CUresult
cuMemsetD16Async(CUdeviceptr dstDevice, unsigned short us, size_t N, CUstream hStream)
{
	return memset_submit(hStream, false, dstDevice, 0, 2, us, N, 1);
}

CUresult
cuMemsetD32_v2(CUdeviceptr dstDevice, unsigned int ui, size_t N)
{
	return memset_submit(NULL, true, dstDevice, 0, 4, ui, N, 1);
}

CUresult
cuMemsetD32Async(CUdeviceptr dstDevice, unsigned int ui, size_t N, CUstream hStream)
{
	return memset_submit(hStream, false, dstDevice, 0, 4, ui, N, 1);
}

CUresult
cuMemsetD2D8_v2(CUdeviceptr dstDevice, size_t dstPitch, unsigned char uc, size_t Width,
	size_t Height)
{
	return memset_submit(NULL, true, dstDevice, dstPitch, 1, uc, Width, Height);
}

CUresult
cuMemsetD2D8Async(CUdeviceptr dstDevice, size_t dstPitch, unsigned char uc, size_t Width,
	size_t Height, CUstream hStream)
{
	return memset_submit(hStream, false, dstDevice, dstPitch, 1, uc, Width, Height);
}

CUresult
cuMemsetD2D16_v2(CUdeviceptr dstDevice, size_t dstPitch, unsigned short us, size_t Width,
	size_t Height)
{
	return memset_submit(NULL, true, dstDevice, dstPitch, 2, us, Width, Height);
}

CUresult
cuMemsetD2D16Async(CUdeviceptr dstDevice, size_t dstPitch, unsigned short us,
	size_t Width, size_t Height, CUstream hStream)
{
	return memset_submit(hStream, false, dstDevice, dstPitch, 2, us, Width, Height);
}

CUresult
cuMemsetD2D32_v2(CUdeviceptr dstDevice, size_t dstPitch, unsigned int ui, size_t Width,
	size_t Height)
{
	return memset_submit(NULL, true, dstDevice, dstPitch, 4, ui, Width, Height);
}

CUresult
cuMemsetD2D32Async(CUdeviceptr dstDevice, size_t dstPitch, unsigned int ui, size_t Width,
	size_t Height, CUstream hStream)
{
	return memset_submit(hStream, false, dstDevice, dstPitch, 4, ui, Width, Height);
}
