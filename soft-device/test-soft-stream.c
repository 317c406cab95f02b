/* SPDX-License-Identifier: Apache-2.0 */
/* test-soft-stream.c: order, events, callbacks and handles of the software device.
 *
 * A host function that waits for a semaphore holds a stream up for as long as a test
 * needs; nothing here depends on how long anything takes. */
#include "soft-device/test-soft.h"

#include <semaphore.h>

static void
hold(void *semaphore)
{
	while (sem_wait(semaphore) != 0) {
	}
}

static void
count(void *counter)
{
	__atomic_fetch_add((int *)counter, 1, __ATOMIC_SEQ_CST);
}

static void
copy_int(void *pair)
{
	int **p = pair;

	__atomic_store_n(p[0], __atomic_load_n(p[1], __ATOMIC_SEQ_CST), __ATOMIC_SEQ_CST);
}

static void
streams_and_events_are_asynchronous(void **state)
{
	CUstream stream;
	CUevent start;
	CUevent end;
	sem_t gate;
	float ms;

	sem_init(&gate, 0, 0);
	assert_ok(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
	assert_ok(cuEventCreate(&start, 0));
	assert_ok(cuEventCreate(&end, 0));
	assert_cu(CUDA_ERROR_INVALID_HANDLE, cuEventElapsedTime(&ms, start, end));
	assert_ok(cuEventQuery(start));
	assert_ok(cuStreamQuery(stream));
	assert_ok(cuEventRecord(start, stream));
	assert_ok(cuLaunchHostFunc(stream, hold, &gate));
	assert_ok(cuEventRecord(end, stream));
	assert_cu(CUDA_ERROR_NOT_READY, cuStreamQuery(stream));
	assert_cu(CUDA_ERROR_NOT_READY, cuEventQuery(end));
	assert_cu(CUDA_ERROR_NOT_READY, cuEventElapsedTime(&ms, start, end));
	sem_post(&gate);
	assert_ok(cuEventSynchronize(end));
	assert_ok(cuEventQuery(end));
	assert_ok(cuEventElapsedTime(&ms, start, end));
	assert_true(ms > 0);
	assert_ok(cuStreamSynchronize(stream));
	assert_ok(cuEventDestroy(start));
	assert_ok(cuEventDestroy(end));
	assert_ok(cuStreamDestroy(stream));
	sem_destroy(&gate);
}

static void
an_event_orders_two_streams(void **state)
{
	CUstream a;
	CUstream b;
	CUevent event;
	sem_t gate;
	int n = 0;
	int seen = -1;
	int *pair[] = { &seen, &n };

	sem_init(&gate, 0, 0);
	assert_ok(cuStreamCreate(&a, CU_STREAM_NON_BLOCKING));
	assert_ok(cuStreamCreate(&b, CU_STREAM_NON_BLOCKING));
	assert_ok(cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
	assert_ok(cuLaunchHostFunc(a, hold, &gate));
	assert_ok(cuLaunchHostFunc(a, count, &n));
	assert_ok(cuEventRecord(event, a));
	assert_ok(cuStreamWaitEvent(b, event, 0));
	assert_ok(cuLaunchHostFunc(b, copy_int, pair));
	assert_cu(CUDA_ERROR_NOT_READY, cuStreamQuery(b));
	/* Recording again does not move what b waits for, nor does destroying. */
	assert_ok(cuEventRecord(event, b));
	assert_ok(cuEventDestroy(event));
	sem_post(&gate);
	assert_ok(cuStreamSynchronize(b));
	assert_int_equal(seen, 1);
	assert_ok(cuStreamDestroy(a));
	assert_ok(cuStreamDestroy(b));
	assert_ok(cuCtxSynchronize());
	sem_destroy(&gate);
}

static void
the_legacy_stream_and_blocking_streams_wait_for_each_other(void **state)
{
	CUstream blocking;
	CUstream free_one;
	sem_t gate;
	int n = 0;
	int seen = -1;
	int *pair[] = { &seen, &n };
	int last = 0;

	sem_init(&gate, 0, 0);
	assert_ok(cuStreamCreate(&blocking, CU_STREAM_DEFAULT));
	assert_ok(cuStreamCreate(&free_one, CU_STREAM_NON_BLOCKING));
	assert_ok(cuLaunchHostFunc(blocking, hold, &gate));
	assert_ok(cuLaunchHostFunc(blocking, count, &n));
	assert_ok(cuLaunchHostFunc(NULL, copy_int, pair));
	assert_ok(cuLaunchHostFunc(blocking, count, &last));
	/* A stream that does not block goes past all of them. */
	assert_ok(cuLaunchHostFunc(free_one, count, &last));
	assert_ok(cuStreamSynchronize(free_one));
	assert_int_equal(__atomic_load_n(&last, __ATOMIC_SEQ_CST), 1);
	assert_cu(CUDA_ERROR_NOT_READY, cuStreamQuery(NULL));
	assert_cu(CUDA_ERROR_NOT_READY, cuStreamQuery(CU_STREAM_LEGACY));
	sem_post(&gate);
	assert_ok(cuStreamSynchronize(NULL));
	assert_int_equal(seen, 1);
	assert_ok(cuStreamSynchronize(blocking));
	assert_int_equal(last, 2);
	assert_ok(cuStreamDestroy(blocking));
	assert_ok(cuStreamDestroy(free_one));
	sem_destroy(&gate);
}

static void
a_stream_keeps_its_order(void **state)
{
	enum { N = 64 };
	CUstream stream;
	CUdeviceptr p;
	unsigned char *back;

	assert_ok(cuMemHostAlloc((void **)&back, N, 0));
	assert_ok(cuMemAlloc(&p, 1));
	assert_ok(cuStreamCreateWithPriority(&stream, CU_STREAM_NON_BLOCKING, -100));
	for (int i = 0; i < N; i++) {
		assert_ok(cuMemsetD8Async(p, (unsigned char)(i + 1), 1, stream));
		assert_ok(cuMemcpyDtoHAsync(back + i, p, 1, stream));
	}
	assert_ok(cuStreamSynchronize(stream));
	for (int i = 0; i < N; i++) {
		assert_int_equal(back[i], i + 1);
	}

	int priority;
	int least;
	int greatest;
	unsigned int flags;

	assert_ok(cuCtxGetStreamPriorityRange(&least, &greatest));
	assert_ok(cuStreamGetPriority(stream, &priority));
	assert_int_equal(priority, greatest);
	assert_ok(cuStreamGetFlags(stream, &flags));
	assert_int_equal(flags, CU_STREAM_NON_BLOCKING);
	assert_ok(cuStreamDestroy(stream));
	assert_ok(cuMemFree(p));
	assert_ok(cuMemFreeHost(back));
}

static CUresult in_callback;
static CUresult callback_status = CUDA_ERROR_UNKNOWN;

static void CUDA_CB
call_cuda(CUstream stream, CUresult status, void *data)
{
	CUdeviceptr p;

	callback_status = status;
	in_callback = cuMemAlloc(&p, 1);
}

static void
callbacks_may_not_call_cuda(void **state)
{
	assert_ok(cuStreamAddCallback(NULL, call_cuda, NULL, 0));
	assert_ok(cuStreamSynchronize(NULL));
	assert_int_equal(callback_status, CUDA_SUCCESS);
	assert_int_equal(in_callback, CUDA_ERROR_NOT_PERMITTED);
	assert_cu(
		CUDA_ERROR_INVALID_VALUE, cuStreamAddCallback(NULL, call_cuda, NULL, 1));
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuLaunchHostFunc(NULL, NULL, NULL));
}

static void
wrong_handles_are_refused(void **state)
{
	CUstream stream;
	CUevent event;
	float ms;

	assert_ok(cuStreamCreate(&stream, 0));
	assert_ok(cuEventCreate(&event, 0));
	assert_cu(CUDA_ERROR_INVALID_HANDLE, cuStreamSynchronize((CUstream)event));
	assert_cu(CUDA_ERROR_INVALID_HANDLE, cuEventQuery((CUevent)stream));
	assert_cu(CUDA_ERROR_INVALID_HANDLE, cuEventRecord((CUevent)&ms, NULL));
	assert_cu(CUDA_ERROR_INVALID_HANDLE, cuStreamQuery((CUstream)&ms));
	assert_cu(CUDA_ERROR_INVALID_HANDLE, cuStreamQuery((CUstream)(uintptr_t)-1));
	assert_ok(cuStreamDestroy(stream));
	assert_cu(CUDA_ERROR_INVALID_HANDLE, cuStreamDestroy(stream));
	assert_cu(CUDA_ERROR_INVALID_HANDLE, cuStreamSynchronize(stream));
	assert_cu(CUDA_ERROR_INVALID_HANDLE, cuEventRecord(event, stream));
	assert_ok(cuEventDestroy(event));
	assert_cu(CUDA_ERROR_INVALID_HANDLE, cuEventDestroy(event));
	assert_cu(CUDA_ERROR_INVALID_HANDLE, cuEventElapsedTime(&ms, event, event));

	CUstream again;

	assert_ok(cuStreamCreate(&again, 0));
	assert_ptr_not_equal(again, stream);
	assert_cu(CUDA_ERROR_INVALID_HANDLE, cuStreamQuery(stream));
	assert_ok(cuStreamDestroy(again));
	assert_cu(CUDA_ERROR_INVALID_VALUE, cuStreamCreate(&again, 0x80));
}

struct thread_work {
	CUcontext context;
	CUdeviceptr p;
	int index;
	unsigned long long stream_id;
	int failed;
};

static void *
thread_main(void *argument)
{
	struct thread_work *w = argument;
	unsigned char data[1000];
	unsigned char back[1000];

	w->failed = cuCtxSetCurrent(w->context) != CUDA_SUCCESS;
	w->failed |= cuStreamGetId(CU_STREAM_PER_THREAD, &w->stream_id) != CUDA_SUCCESS;
	for (int i = 0; i < 50 && !w->failed; i++) {
		CUdeviceptr mine = w->p + 1000 * (unsigned int)w->index;
		CUdeviceptr own;
		CUevent event;

		random_fill(data, sizeof(data), (uint64_t)(w->index * 1000 + i));
		w->failed |= cuMemAlloc(&own, sizeof(data)) != CUDA_SUCCESS;
		w->failed |= cuMemcpyHtoDAsync(
				     own, data, sizeof(data), CU_STREAM_PER_THREAD) != 0;
		w->failed |= cuMemcpyDtoDAsync(
				     mine, own, sizeof(data), CU_STREAM_PER_THREAD) != 0;
		w->failed |= cuEventCreate(&event, 0) != CUDA_SUCCESS;
		w->failed |= cuEventRecord(event, CU_STREAM_PER_THREAD) != CUDA_SUCCESS;
		w->failed |= cuEventSynchronize(event) != CUDA_SUCCESS;
		w->failed |= cuEventDestroy(event) != CUDA_SUCCESS;
		w->failed |= cuMemcpyDtoH(back, mine, sizeof(back)) != CUDA_SUCCESS;
		w->failed |= cuMemFree(own) != CUDA_SUCCESS;
		w->failed |= memcmp(back, data, sizeof(data)) != 0;
	}
	return NULL;
}

static void
threads_have_streams_of_their_own(void **state)
{
	enum { N = 4 };
	pthread_t threads[N];
	struct thread_work work[N] = { { 0 } };
	CUdeviceptr p;

	assert_ok(cuMemAlloc(&p, N * 1000));
	for (int i = 0; i < N; i++) {
		work[i].index = i;
		work[i].p = p;
		assert_ok(cuCtxGetCurrent(&work[i].context));
		assert_int_equal(
			pthread_create(&threads[i], NULL, thread_main, &work[i]), 0);
	}
	for (int i = 0; i < N; i++) {
		pthread_join(threads[i], NULL);
		assert_false(work[i].failed);
		for (int k = 0; k < i; k++) {
			assert_true(work[k].stream_id != work[i].stream_id);
		}
	}
	assert_ok(cuMemFree(p));
}

static void
nothing_is_captured(void **state)
{
	CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_ACTIVE;
	CUstream stream;

	assert_ok(cuStreamCreate(&stream, 0));
	assert_ok(cuStreamIsCapturing(stream, &status));
	assert_int_equal(status, CU_STREAM_CAPTURE_STATUS_NONE);
	assert_cu(CUDA_ERROR_NOT_SUPPORTED,
		cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
	assert_ok(cuStreamDestroy(stream));
}

int
main(void)
{
	setenv("OUTBOARD_SOFT_MEMORY", "64M", 1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_and_events_are_asynchronous),
		cmocka_unit_test(an_event_orders_two_streams),
		cmocka_unit_test(
			the_legacy_stream_and_blocking_streams_wait_for_each_other),
		cmocka_unit_test(a_stream_keeps_its_order),
		cmocka_unit_test(callbacks_may_not_call_cuda),
		cmocka_unit_test(wrong_handles_are_refused),
		cmocka_unit_test(threads_have_streams_of_their_own),
		cmocka_unit_test(nothing_is_captured),
	};

	return cmocka_run_group_tests(tests, context_setup, context_teardown);
}
