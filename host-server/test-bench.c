/* SPDX-License-Identifier: Apache-2.0 */
/* test-bench.c: a session in a thread on the fake driver, and a guest's lane to it. */
#include "host-server/test-bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/cleanup.h"
#include "host-server/test-fake.h"

static void *
host_main(void *user)
{
	struct bench *b = user;
	struct session_options options = {
		.driver = &b->driver,
		.devices = b->devices,
		.account = &b->account,
		.output = b->output,
		.guest_id = 42,
		.spin_us = 20,
		.warm_slots = 1,
		.memory_max = 64 * MIB,
		.control_fd = b->control[1],
	};
	struct session *session;
	struct stream *stream;
	char why[256];

	b->started = session_new(&options, &session, why, sizeof(why));
	if (b->started < 0 || stream_of_fd(b->fd, &stream) < 0 ||
		session_connect(session, stream) < 0) {
		abort();
	}
	int r = session_run(session);
	pthread_mutex_lock(&b->lock);
	b->ended = r == 0 ? 1 : r;
	pthread_cond_signal(&b->news);
	pthread_mutex_unlock(&b->lock);
	session_free(session);
	return NULL;
}

/* ---- the guest's side ---- */

void
bench_post(struct bench *b, uint32_t number, void *args)
{
	struct lane_message m = {
		.info = call_find(number), .args = args, .context = CONTEXT
	};

	assert_int_equal(lane_post(b->lane, &m), 0);
}

/* ret: the ret struct, zeroed. */
int
bench_call(struct bench *b, uint32_t number, void *args, void *ret)
{
	struct lane_message m = {
		.info = call_find(number), .args = args, .context = CONTEXT
	};
	struct lane_reply reply = { .ret = ret };

	m.context = m.info->needs_context ? CONTEXT : 0;
	assert_int_equal(lane_call(b->lane, &m, &reply), 0);
	return ((struct call_ret_head *)ret)->result;
}

int
bench_call_plain(struct bench *b, uint32_t number, void *args)
{
	char ret[256] = { 0 };

	return bench_call(b, number, args, ret);
}

int
bench_mark(struct bench *b)
{
	session_mark_args args = { 0 };

	return bench_call_plain(b, CALL_session_mark, &args);
}

call_handle
bench_new_stream(struct bench *b, uint32_t index)
{
	cuStreamCreateWithPriority_args args = { .phStream = handle_make(
							 HANDLE_CUstream, 1, index) };

	bench_post(b, CALL_cuStreamCreateWithPriority, &args);
	return args.phStream;
}

uint64_t
bench_new_memory(struct bench *b, size_t size)
{
	cuMemAlloc_v2_args args = { .bytesize = size };
	cuMemAlloc_v2_ret ret = { 0 };

	assert_int_equal(bench_call(b, CALL_cuMemAlloc_v2, &args, &ret), CUDA_SUCCESS);
	return ret.u.cuMemAlloc_v2_result_u.out.dptr;
}

void
bench_free_memory(struct bench *b, uint64_t address)
{
	cuMemFree_v2_args args = { .dptr = address };

	bench_post(b, CALL_cuMemFree_v2, &args);
	bench_mark(b);
}

void
bench_put(struct bench *b, uint64_t to, const uint8_t *from, size_t size, call_handle stream)
{
	for (size_t at = 0; at < size; at += MIB) {
		size_t n = size - at < MIB ? size - at : MIB;
		copy_htod_args args = {
			.dst = to + at, .width = n, .height = 1, .hStream = stream
		};
		struct lane_message m = {
			.info = call_find(CALL_copy_htod),
			.args = &args,
			.context = CONTEXT,
			.payload = from + at,
			.payload_size = n,
		};
		assert_int_equal(lane_post(b->lane, &m), 0);
	}
}

void
bench_start_get(struct bench *b, uint8_t *to, uint64_t from, size_t size, call_handle stream,
	struct lane_reply *reply, copy_dtoh_ret *ret)
{
	copy_dtoh_args args = {
		.src = from, .width = size, .height = 1, .hStream = stream
	};
	struct lane_message m = {
		.info = call_find(CALL_copy_dtoh), .args = &args, .context = CONTEXT
	};

	*ret = (copy_dtoh_ret){ 0 };
	*reply = (struct lane_reply){ .ret = ret, .into = to, .into_size = size };
	assert_int_equal(lane_start(b->lane, &m, reply, true), 0);
}

void
bench_get(struct bench *b, uint8_t *to, uint64_t from, size_t size, call_handle stream)
{
	struct lane_reply replies[8];
	copy_dtoh_ret rets[8];
	size_t n = (size + MIB - 1) / MIB;

	assert_true(n <= ARRAY_LEN(replies));
	for (size_t i = 0; i < n; i++) {
		size_t left = size - i * MIB;
		bench_start_get(b, to + i * MIB, from + i * MIB, left < MIB ? left : MIB,
			stream, &replies[i], &rets[i]);
	}
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(lane_wait(b->lane, &replies[i]), 0);
		assert_int_equal(rets[i].u.result, CUDA_SUCCESS);
	}
}

void
bench_fill(uint8_t *bytes, size_t size, uint32_t seed)
{
	for (size_t i = 0; i < size; i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(seed >> 24);
	}
}

int
bench_setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	char why[256];
	int pair[2];

	fake_driver(&b->driver);
	fake_set_lateness(3);
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->news, NULL);
	assert_int_equal(devices_new(&b->driver, &b->devices, why, sizeof(why)), 0);
	assert_int_equal(output_new(&b->output), 0);
	fake_print_fd = output_fd(b->output, 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	b->fd = pair[1];
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, b->control), 0);
	assert_int_equal(pthread_create(&b->thread, NULL, host_main, b), 0);
	struct stream *stream;
	assert_int_equal(stream_of_fd(pair[0], &stream), 0);
	struct lane_options options = { .no_flusher = true };
	assert_int_equal(lane_new(stream, &options, &b->lane), 0);
	*state = b;
	return 0;
}

void
bench_greet(struct bench *b)
{
	char name[] = "test program";
	session_hello_args args = { .guest_version = 1, .guest_features = CALL_FEATURE_BULK,
		.pid = 7, .program_name = name };
	session_hello_ret ret = { 0 };
	cuDevicePrimaryCtxRetain_args retain = { .pctx = CONTEXT };

	assert_int_equal(bench_call(b, CALL_session_hello, &args, &ret), CUDA_SUCCESS);
	const session_hello_out *out = &ret.u.session_hello_result_u.out;
	assert_int_equal(out->guest_id, 42);
	assert_int_equal(out->devices.call_devices_len, 1);
	assert_string_equal(out->devices.call_devices_val[0].name, "fake");
	assert_int_equal(out->devices.call_devices_val[0].attributes.attributes_len, 9);
	xdr_free((xdrproc_t)xdr_session_hello_ret, (char *)&ret);
	assert_int_equal(
		bench_call_plain(b, CALL_cuDevicePrimaryCtxRetain, &retain), CUDA_SUCCESS);
}

int
bench_setup_greeted(void **state)
{
	bench_setup(state);
	bench_greet(*state);
	return 0;
}

int
bench_teardown(void **state)
{
	struct bench *b = *state;

	fake_hold(false);
	fake_fail(CUDA_SUCCESS);
	b->driver.cuStreamSynchronize(NULL); /* is the same for all tests */
	b->lane = lane_free(b->lane);
	if (!b->joined) {
		pthread_join(b->thread, NULL);
	}
	close(b->control[0]);
	close(b->control[1]);
	output_free(b->output);
	devices_free(b->devices);
	free(b);
	assert_int_equal(fake_leaks(), 0);
	return 0;
}
