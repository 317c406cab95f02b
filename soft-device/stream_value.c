/* SPDX-License-Identifier: Apache-2.0 */
/* stream_value.c: a word that is written when a stream has got so far. */
#include "soft-device/api.h"

#include "common/cleanup.h"
#include "soft-device/allocation.h"
#include "soft-device/stream.h"

struct value_task {
	struct task task;
	uint32_t *address;
	uint32_t value;
};

static CUresult
value_run(struct task *task, CUresult failure)
{
	const struct value_task *t = (struct value_task *)task;

	/* Whoever sees it sees what the stream did before. */
	__atomic_store_n(t->address, t->value, __ATOMIC_RELEASE);
	return CUDA_SUCCESS;
}

CUresult
cuStreamWriteValue32_v2(CUstream hStream, CUdeviceptr addr, cuuint32_t value, unsigned int flags)
{
	struct allocation a;

	USE_STREAM(stream, hStream);
	if (flags != CU_STREAM_WRITE_VALUE_DEFAULT || addr % sizeof(value) != 0 ||
		!allocation_find(addr, sizeof(value), &a)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	struct value_task *t = task_new(sizeof(*t), value_run, NULL);

	if (t == NULL) {
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	t->address = (uint32_t *)addr;
	t->value = value;
	return stream_submit(stream, &t->task, false, NULL);
}
