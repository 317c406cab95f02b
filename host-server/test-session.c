/* SPDX-License-Identifier: Apache-2.0 */
/* test-session.c: a whole session in this process: our lane on one end, a late driver on
 * the other. */
#include "host-server/test-bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/cleanup.h"
#include "host-server/test-fake.h"

static void
hello_comes_first(void **state)
{
	struct bench *b = *state;
	session_mark_args args = { 0 };
	session_mark_ret ret = { 0 };
	struct lane_message m = { .info = call_find(CALL_session_mark), .args = &args };
	struct lane_reply reply = { .ret = &ret };

	assert_true(lane_call(b->lane, &m, &reply) < 0);
}

static void
the_account_says_who_it_is(void **state)
{
	struct bench *b = *state;
	struct account_copy copy;

	bench_mark(b);
	account_read(&b->account, &copy);
	assert_string_equal(copy.program_name, "test_program");
	assert_int_equal(copy.pid, 7);
}

static void
copies_come_back_as_they_went(void **state)
{
	struct bench *b = *state;
	static const size_t sizes[] = { 1, 4096, 65536, 65537, MIB, 3 * MIB + 12345,
		7 * MIB };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		cleanup_free uint8_t *out = malloc(sizes[i]);
		cleanup_free uint8_t *in = calloc(1, sizes[i]);
		call_handle stream = i % 2 == 0 ? 0 : bench_new_stream(b, (uint32_t)i);
		uint64_t memory = bench_new_memory(b, sizes[i]);
		bench_fill(out, sizes[i], (uint32_t)i + 1);
		bench_put(b, memory, out, sizes[i], stream);
		bench_get(b, in, memory, sizes[i], stream);
		assert_memory_equal(in, out, sizes[i]);
		bench_free_memory(b, memory);
	}
	bench_mark(b);
	assert_int_equal(lane_take_latched(b->lane, &(uint32_t){ 0 }), 0);
}

/* More than there are slots, and nothing is done before the end. */
static void
a_train_longer_than_the_pool_arrives(void **state)
{
	struct bench *b = *state;
	enum { SIZE = 4096, N = 600 };
	cleanup_free uint8_t *out = malloc(SIZE * N);
	cleanup_free uint8_t *in = calloc(1, SIZE * N);
	uint64_t memory = bench_new_memory(b, SIZE * N);

	fake_set_lateness(5);
	bench_fill(out, SIZE * N, 5);
	for (size_t i = 0; i < N; i++) {
		bench_put(b, memory + i * SIZE, out + i * SIZE, SIZE, 0);
	}
	bench_get(b, in, memory, SIZE * N, 0);
	assert_memory_equal(in, out, SIZE * N);
	bench_free_memory(b, memory);
}

static void
rows_are_spread_and_gathered(void **state)
{
	struct bench *b = *state;
	enum { WIDTH = 100, PITCH = 256, HEIGHT = 50 };
	uint8_t out[WIDTH * HEIGHT], in[WIDTH * HEIGHT] = { 0 }, all[PITCH * HEIGHT];
	uint64_t memory = bench_new_memory(b, PITCH * HEIGHT);
	copy_htod_args put_args = {
		.dst = memory, .pitch = PITCH, .width = WIDTH, .height = HEIGHT
	};
	struct lane_message m = {
		.info = call_find(CALL_copy_htod),
		.args = &put_args,
		.context = CONTEXT,
		.payload = out,
		.payload_size = sizeof(out),
	};
	copy_dtoh_args get_args = {
		.src = memory, .pitch = PITCH, .width = WIDTH, .height = HEIGHT
	};
	copy_dtoh_ret ret = { 0 };
	struct lane_reply reply = { .ret = &ret, .into = in, .into_size = sizeof(in) };

	bench_fill(out, sizeof(out), 9);
	assert_int_equal(lane_post(b->lane, &m), 0);
	m = (struct lane_message){
		.info = call_find(CALL_copy_dtoh), .args = &get_args, .context = CONTEXT
	};
	assert_int_equal(lane_call(b->lane, &m, &reply), 0);
	assert_int_equal(ret.u.result, CUDA_SUCCESS);
	assert_memory_equal(in, out, sizeof(out));
	bench_get(b, all, memory, sizeof(all), 0);
	for (size_t row = 0; row < HEIGHT; row++) {
		assert_memory_equal(all + row * PITCH, out + row * WIDTH, WIDTH);
		for (size_t i = WIDTH; i < PITCH; i++) {
			assert_int_equal(all[row * PITCH + i], 0);
		}
	}
	bench_free_memory(b, memory);
}

static void
sizes_that_lie_are_refused(void **state)
{
	struct bench *b = *state;
	uint64_t memory = bench_new_memory(b, 4096);
	uint8_t bytes[64] = { 0 };
	static const struct {
		uint64_t width, height, pitch;
	} wrong[] = { { 65, 1, 0 }, { 63, 1, 0 }, { 1ull << 63, 2, 1ull << 63 },
		{ (1ull << 32) + 1, 1ull << 32, 0 }, { 8, 8, 7 }, { 0, 1, 0 } };

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		copy_htod_args args = { .dst = memory,
			.width = wrong[i].width,
			.height = wrong[i].height,
			.pitch = wrong[i].pitch };
		struct lane_message m = {
			.info = call_find(CALL_copy_htod),
			.args = &args,
			.context = CONTEXT,
			.payload = bytes,
			.payload_size = sizeof(bytes),
		};
		uint32_t number = 0;
		assert_int_equal(lane_post(b->lane, &m), 0);
		bench_mark(b);
		assert_int_equal(
			lane_take_latched(b->lane, &number), CUDA_ERROR_INVALID_VALUE);
		assert_int_equal(number, CALL_copy_htod);
	}
	copy_dtoh_args args = { .src = memory, .width = MIB + 1, .height = 1 };
	assert_int_equal(bench_call_plain(b, CALL_copy_dtoh, &args), CUDA_ERROR_INVALID_VALUE);
	bench_free_memory(b, memory);
}

static void
wrong_handles_are_refused(void **state)
{
	struct bench *b = *state;
	call_handle stream = bench_new_stream(b, 5);
	cuStreamDestroy_v2_args destroy = { .hStream = stream };
	cuStreamSynchronize_args wrong[] = {
		{ handle_make(HANDLE_CUstream, 2, 5) }, /* another generation */
		{ handle_make(HANDLE_CUevent, 1, 5) },	/* another type */
		{ handle_make(HANDLE_CUstream, 1, 6) },
		{ handle_make(HANDLE_CUstream, 1, HANDLE_INDEX_MAX) },
		{ 2 },
		{ ~0ull },
		{ (call_handle)&b->driver },
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(bench_call_plain(b, CALL_cuStreamSynchronize, &wrong[i]),
			CUDA_ERROR_INVALID_HANDLE);
	}
	cuStreamSynchronize_args right = { stream };
	assert_int_equal(bench_call_plain(b, CALL_cuStreamSynchronize, &right), CUDA_SUCCESS);
	bench_post(b, CALL_cuStreamDestroy_v2, &destroy);
	assert_int_equal(bench_call_plain(b, CALL_cuStreamSynchronize, &right),
		CUDA_ERROR_INVALID_HANDLE);
}

static void
one_way_errors_are_told_once_and_the_first_wins(void **state)
{
	struct bench *b = *state;
	cuStreamDestroy_v2_args destroy = { .hStream =
						    handle_make(HANDLE_CUstream, 1, 77) };
	cuMemFree_v2_args unknown = { .dptr = 0x1234 };
	uint32_t number = 0;

	bench_post(b, CALL_cuStreamDestroy_v2, &destroy);
	bench_post(b, CALL_cuMemFree_v2, &unknown);
	assert_int_equal(bench_mark(b), CUDA_SUCCESS);
	assert_int_equal(lane_take_latched(b->lane, &number), CUDA_ERROR_INVALID_HANDLE);
	assert_int_equal(number, CALL_cuStreamDestroy_v2);
	bench_mark(b);
	assert_int_equal(lane_take_latched(b->lane, &number), 0);
	assert_int_equal(b->account.errors, 2);
}

static void
a_wait_does_not_stop_the_lane(void **state)
{
	struct bench *b = *state;
	call_handle stream = bench_new_stream(b, 3);
	uint8_t bytes[100] = { 1 }, back[100] = { 0 };
	uint64_t memory = bench_new_memory(b, sizeof(bytes));
	cuStreamSynchronize_args args = { .hStream = stream };
	cuStreamSynchronize_ret ret = { 0 };
	struct lane_message m = { .info = call_find(CALL_cuStreamSynchronize),
		.args = &args,
		.context = CONTEXT };
	struct lane_reply waiting = { .ret = &ret }, getting;
	copy_dtoh_ret get_ret;

	fake_hold(true);
	bench_put(b, memory, bytes, sizeof(bytes), stream);
	bench_start_get(b, back, memory, sizeof(back), stream, &getting, &get_ret);
	assert_int_equal(lane_start(b->lane, &m, &waiting, true), 0);
	for (int i = 0; i < 20; i++) {
		usleep(1000); /* lets the host go to sleep in between */
		assert_int_equal(bench_mark(b), CUDA_SUCCESS);
	}
	assert_false(waiting.done);
	assert_false(getting.done);
	fake_hold(false);
	assert_int_equal(lane_wait(b->lane, &waiting), 0);
	assert_int_equal(ret.result, CUDA_SUCCESS);
	/* The copy came before it, and so did its bytes. */
	assert_true(getting.done);
	assert_memory_equal(back, bytes, sizeof(bytes));
	bench_free_memory(b, memory);
}

static void
a_query_that_says_done_comes_after_the_bytes(void **state)
{
	struct bench *b = *state;
	uint8_t bytes[1000], back[1000] = { 0 };
	uint64_t memory = bench_new_memory(b, sizeof(bytes));
	cuStreamQuery_args query = { .hStream = 1 };

	for (uint32_t i = 0; i < 50; i++) {
		struct lane_reply getting;
		copy_dtoh_ret ret;
		bench_fill(bytes, sizeof(bytes), i);
		fake_set_lateness(i % 7 + 1);
		bench_put(b, memory, bytes, sizeof(bytes), 0);
		bench_start_get(b, back, memory, sizeof(back), 0, &getting, &ret);
		int result;
		do {
			result = bench_call_plain(b, CALL_cuStreamQuery, &query);
		} while (result == CUDA_ERROR_NOT_READY);
		assert_int_equal(result, CUDA_SUCCESS);
		assert_true(getting.done);
		assert_memory_equal(back, bytes, sizeof(bytes));
	}
	bench_free_memory(b, memory);
}

static void
the_context_waits_for_all_streams_and_those_that_were(void **state)
{
	struct bench *b = *state;
	enum { N = 12 };
	uint8_t bytes[N], *device;
	uint64_t memory = bench_new_memory(b, N);
	cuCtxSynchronize_args args = { 0 };

	bench_fill(bytes, N, 3);
	device = (uint8_t *)memory;
	for (uint32_t i = 0; i < N; i++) {
		call_handle stream = i == 0 ? 0 : bench_new_stream(b, i);
		bench_put(b, memory + i, bytes + i, 1, stream);
	}
	assert_int_equal(bench_call_plain(b, CALL_cuCtxSynchronize, &args), CUDA_SUCCESS);
	assert_memory_equal(device, bytes, N);
	assert_int_equal(bench_call_plain(b, CALL_cuCtxSynchronize, &args), CUDA_SUCCESS);
	bench_free_memory(b, memory);
}

static void
a_sticky_error_answers_who_waits(void **state)
{
	struct bench *b = *state;
	uint8_t byte = 1;
	uint64_t memory = bench_new_memory(b, 1);
	cuStreamSynchronize_args args = { 0 };
	cuStreamSynchronize_ret ret = { 0 };
	struct lane_message m = { .info = call_find(CALL_cuStreamSynchronize),
		.args = &args,
		.context = CONTEXT };
	struct lane_reply waiting = { .ret = &ret };

	fake_hold(true); /* or the wait may be over before it fails */
	bench_put(b, memory, &byte, 1, 0);
	assert_int_equal(lane_start(b->lane, &m, &waiting, true), 0);
	bench_mark(b);
	fake_fail(CUDA_ERROR_ILLEGAL_ADDRESS);
	assert_int_equal(lane_wait(b->lane, &waiting), 0);
	assert_int_equal(ret.result, CUDA_ERROR_ILLEGAL_ADDRESS);
	fake_fail(CUDA_SUCCESS);
	fake_hold(false);
	bench_free_memory(b, memory);
}

/* Neither those that are asked for when more comes, nor those that a sleeper needs. */
static void
without_events_waits_end_all_the_same(void **state)
{
	struct bench *b = *state;
	uint8_t bytes[4] = { 1, 2, 3, 4 }, back[4] = { 0 };
	cuStreamSynchronize_args args = { 0 };
	cuStreamSynchronize_ret ret = { 0 };
	struct lane_reply waiting = { .ret = &ret };
	struct lane_message m = { .info = call_find(CALL_cuStreamSynchronize),
		.args = &args,
		.context = CONTEXT };
	uint64_t memory = bench_new_memory(b, sizeof(bytes));

	fake_refuse_events(true);
	fake_set_lateness(1u << 30);
	for (int more = 0; more < 2; more++) {
		bench_put(b, memory, bytes, sizeof(bytes), 0);
		assert_int_equal(lane_start(b->lane, &m, &waiting, true), 0);
		if (more) {
			bench_mark(b);
		}
		assert_int_equal(lane_wait(b->lane, &waiting), 0);
		assert_int_equal(ret.result, CUDA_SUCCESS);
		assert_memory_equal((uint8_t *)memory, bytes, sizeof(bytes));
	}
	bench_get(b, back, memory, sizeof(back), 0);
	assert_memory_equal(back, bytes, sizeof(bytes));
	fake_refuse_events(false);
	bench_free_memory(b, memory);
}

static void
an_event_may_be_destroyed_while_it_is_waited_for(void **state)
{
	struct bench *b = *state;
	call_handle event = handle_make(HANDLE_CUevent, 1, 1);
	cuEventCreate_args create = { .phEvent = event };
	cuEventRecord_args record = { .hEvent = event };
	cuEventDestroy_v2_args destroy = { .hEvent = event };
	cuEventSynchronize_args args = { .hEvent = event };
	cuEventSynchronize_ret ret[2] = { 0 };
	struct lane_reply waiting[2] = { { .ret = &ret[0] }, { .ret = &ret[1] } };
	struct lane_message m = { .info = call_find(CALL_cuEventSynchronize),
		.args = &args,
		.context = CONTEXT };

	fake_hold(true);
	bench_post(b, CALL_cuEventCreate, &create);
	bench_post(b, CALL_cuEventRecord, &record);
	assert_int_equal(lane_start(b->lane, &m, &waiting[0], true), 0);
	assert_int_equal(lane_start(b->lane, &m, &waiting[1], true), 0);
	bench_mark(b);
	usleep(2000);
	bench_post(b, CALL_cuEventDestroy_v2, &destroy);
	bench_mark(b);
	assert_int_equal(
		bench_call_plain(b, CALL_cuEventQuery, &args), CUDA_ERROR_INVALID_HANDLE);
	fake_hold(false);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(lane_wait(b->lane, &waiting[i]), 0);
		assert_int_equal(ret[i].result, CUDA_SUCCESS);
	}
	assert_int_equal(lane_take_latched(b->lane, &(uint32_t){ 0 }), 0);
}

static void
memory_is_counted_and_limited(void **state)
{
	struct bench *b = *state;
	cuMemAlloc_v2_args big = { .bytesize = 65 * MIB };
	uint64_t first = bench_new_memory(b, 1000), second = bench_new_memory(b, 500);

	bench_mark(b);
	assert_int_equal(b->account.memory, 1500);
	assert_int_equal(
		bench_call_plain(b, CALL_cuMemAlloc_v2, &big), CUDA_ERROR_OUT_OF_MEMORY);
	bench_free_memory(b, first);
	assert_int_equal(b->account.memory, 500);
	bench_free_memory(b, first);
	assert_int_equal(
		lane_take_latched(b->lane, &(uint32_t){ 0 }), CUDA_ERROR_INVALID_VALUE);
	bench_free_memory(b, second);
}

static void
put_image(struct bench *b, uint64_t image, uint32_t kind, const void *bytes, size_t size)
{
	size_t half = size / 2;

	for (int piece = 0; piece < 2; piece++) {
		image_put_args args = {
			.image = image, .kind = kind, .n_parts = 1, .part_size = size
		};
		struct lane_message m = {
			.info = call_find(CALL_image_put),
			.args = &args,
			.payload = (const char *)bytes + (piece == 0 ? 0 : half),
			.payload_size = piece == 0 ? half : size - half,
		};
		assert_int_equal(lane_post(b->lane, &m), 0);
	}
}

static const char ptx[] =
	".version 8.0\n.target sm_75\n.address_size 64\n"
	".visible .entry k(.param .u64 a, .param .u32 b)\n{\n\tret;\n}\n";
#define KIND_PTX 2

static call_handle
new_function(struct bench *b)
{
	cuModuleLoadData_args load = { .module = handle_make(HANDLE_CUmodule, 1, 1),
		.image = 99 };
	cuModuleGetFunction_args get_function = { .hfunc = handle_make(
							  HANDLE_CUfunction, 1, 1),
		.hmod = load.module,
		.name = (char *)"k" };

	put_image(b, 99, KIND_PTX, ptx, strlen(ptx));
	assert_int_equal(bench_call_plain(b, CALL_cuModuleLoadData, &load), CUDA_SUCCESS);
	bench_post(b, CALL_cuModuleGetFunction, &get_function);
	return get_function.hfunc;
}

static void
functions_go_with_their_module(void **state)
{
	struct bench *b = *state;
	char params[12] = "12345678abcd";
	cuLaunchKernel_args launch = {
		.f = new_function(b),
		.gridDimX = 1,
		.gridDimY = 1,
		.gridDimZ = 1,
		.blockDimX = 1,
		.blockDimY = 1,
		.blockDimZ = 1,
		.params = { sizeof(params), params },
	};
	cuModuleUnload_args unload = { .hmod = handle_make(HANDLE_CUmodule, 1, 1) };
	image_drop_args drop = { .image = 99 };

	bench_post(b, CALL_cuLaunchKernel, &launch);
	bench_mark(b);
	assert_int_equal(lane_take_latched(b->lane, &(uint32_t){ 0 }), 0);
	assert_memory_equal(fake_params, params, sizeof(params));
	assert_int_equal(fake_params_size, 12);
	/* Too few bytes would let the driver read what is not the guest's. */
	launch.params.call_params_len = 11;
	bench_post(b, CALL_cuLaunchKernel, &launch);
	bench_mark(b);
	assert_int_equal(
		lane_take_latched(b->lane, &(uint32_t){ 0 }), CUDA_ERROR_INVALID_VALUE);
	launch.params.call_params_len = 12;
	bench_post(b, CALL_image_drop, &drop);
	bench_post(b, CALL_cuLaunchKernel, &launch);
	bench_mark(b);
	assert_int_equal(lane_take_latched(b->lane, &(uint32_t){ 0 }), 0);
	bench_post(b, CALL_cuModuleUnload, &unload);
	bench_post(b, CALL_cuLaunchKernel, &launch);
	bench_mark(b);
	assert_int_equal(
		lane_take_latched(b->lane, &(uint32_t){ 0 }), CUDA_ERROR_INVALID_HANDLE);
}

static void
what_kernels_print_is_fetched(void **state)
{
	struct bench *b = *state;
	char params[12] = { 0 };
	cuLaunchKernel_args launch = { .f = new_function(b),
		.params = { sizeof(params), params } };
	cuCtxSynchronize_args wait = { 0 };
	session_output_args args = { 0 };
	session_output_ret ret = { 0 };
	session_prints_args prints = { 0 };

	bench_post(b, CALL_session_prints, &prints);
	bench_post(b, CALL_cuLaunchKernel, &launch);
	assert_int_equal(bench_call_plain(b, CALL_cuCtxSynchronize, &wait), CUDA_SUCCESS);
	assert_int_equal(lane_output_pending(b->lane), 20);
	assert_int_equal(bench_call(b, CALL_session_output, &args, &ret), CUDA_SUCCESS);
	const session_output_out *out = &ret.u.session_output_result_u.out;
	assert_int_equal(out->stream, 1);
	assert_int_equal(out->more, 0);
	assert_int_equal(out->text.call_text_len, 20);
	assert_memory_equal(out->text.call_text_val, "hello from a kernel\n", 20);
	xdr_free((xdrproc_t)xdr_session_output_ret, (char *)&ret);
	assert_int_equal(lane_output_pending(b->lane), 0);
}

static void
a_reset_takes_everything_and_the_context_goes_on(void **state)
{
	struct bench *b = *state;
	call_handle stream = bench_new_stream(b, 1);
	uint8_t bytes[3000], back[3000];
	cuDevicePrimaryCtxReset_v2_args reset = { 0 };
	cuStreamSynchronize_args gone = { .hStream = stream };
	cuDevicePrimaryCtxRetain_args retain = { .pctx = CONTEXT };
	cuStreamDestroy_v2_args destroy = { .hStream = stream };

	bench_fill(bytes, sizeof(bytes), 1);
	/* The fake's reset frees nothing: leave nothing in it. */
	bench_post(b, CALL_cuStreamDestroy_v2, &destroy);
	assert_int_equal(
		bench_call_plain(b, CALL_cuDevicePrimaryCtxReset_v2, &reset), CUDA_SUCCESS);
	assert_int_equal(bench_call_plain(b, CALL_cuStreamSynchronize, &gone),
		CUDA_ERROR_INVALID_HANDLE);
	assert_int_equal(b->account.memory, 0);
	assert_int_equal(
		bench_call_plain(b, CALL_cuDevicePrimaryCtxRetain, &retain), CUDA_SUCCESS);
	uint64_t memory = bench_new_memory(b, sizeof(bytes));
	bench_put(b, memory, bytes, sizeof(bytes), 0);
	bench_get(b, back, memory, sizeof(back), 0);
	assert_memory_equal(back, bytes, sizeof(bytes));
	bench_free_memory(b, memory);
	bench_mark(b);
}

static void
a_guest_that_leaves_ends_the_session_though_it_waits(void **state)
{
	struct bench *b = *state;
	uint8_t byte = 1;
	uint64_t memory = bench_new_memory(b, 1);
	cuStreamSynchronize_args args = { 0 };
	cuStreamSynchronize_ret ret = { 0 };
	struct lane_message m = { .info = call_find(CALL_cuStreamSynchronize),
		.args = &args,
		.context = CONTEXT };
	struct lane_reply waiting = { .ret = &ret };

	fake_hold(true);
	bench_put(b, memory, &byte, 1, 0);
	assert_int_equal(lane_start(b->lane, &m, &waiting, true), 0);
	bench_mark(b);
	usleep(2000);
	b->lane = lane_free(b->lane);
	pthread_mutex_lock(&b->lock);
	while (b->ended == 0) {
		pthread_cond_wait(&b->news, &b->lock);
	}
	pthread_mutex_unlock(&b->lock);
	assert_int_equal(b->ended, 1);
	fake_hold(false);
	pthread_join(b->thread, NULL);
	b->joined = true;
	/* Freed with the process, were it one. */
	b->driver.cuMemFree_v2(memory);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup_greeted, bench_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(hello_comes_first, bench_setup, bench_teardown),
		TEST(the_account_says_who_it_is),
		TEST(copies_come_back_as_they_went),
		TEST(a_train_longer_than_the_pool_arrives),
		TEST(rows_are_spread_and_gathered),
		TEST(sizes_that_lie_are_refused),
		TEST(wrong_handles_are_refused),
		TEST(one_way_errors_are_told_once_and_the_first_wins),
		TEST(a_wait_does_not_stop_the_lane),
		TEST(a_query_that_says_done_comes_after_the_bytes),
		TEST(the_context_waits_for_all_streams_and_those_that_were),
		TEST(a_sticky_error_answers_who_waits),
		TEST(without_events_waits_end_all_the_same),
		TEST(an_event_may_be_destroyed_while_it_is_waited_for),
		TEST(memory_is_counted_and_limited),
		TEST(functions_go_with_their_module),
		TEST(what_kernels_print_is_fetched),
		TEST(a_reset_takes_everything_and_the_context_goes_on),
		TEST(a_guest_that_leaves_ends_the_session_though_it_waits),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
