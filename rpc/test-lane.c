/* SPDX-License-Identifier: Apache-2.0 */
/* test-lane.c: both halves of a connection against each other, on a socketpair and through
 * rings in memory.
 *
 * The host here is a toy: its memory is an array, its one-way calls write into it. */
#include "rpc/lane_private.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "rpc/message.h"
#include "rpc/server.h"

#define MEMORY_SIZE (4u << 20)

struct host {
	struct server *server;
	pthread_t thread;
	uint8_t *memory;
	call_lane lane;
	bool swap_replies; /* answer pairs of copies in the wrong order */
	int ended;
};

static int
reply_bytes(struct host *h, const struct call_info *info, uint32_t xid, const copy_dtoh_args *args)
{
	copy_dtoh_ret ret = { .lane = h->lane };

	return server_reply(h->server, info, xid, &ret, h->memory + args->src, args->width);
}

static int
serve(struct host *h, const struct server_call *call)
{
	if (call->info->number == CALL_copy_htod) {
		const copy_htod_args *args = call->args;
		h->lane.done++;
		return server_payload(h->server, h->memory + args->dst);
	}
	if (call->info->number == CALL_copy_dtoh) {
		static uint32_t held_xid;
		static copy_dtoh_args held;
		if (h->swap_replies && held_xid == 0) {
			held_xid = call->xid;
			held = *(copy_dtoh_args *)call->args;
			return 0;
		}
		int r = reply_bytes(h, call->info, call->xid, call->args);
		if (r == 0 && held_xid != 0) {
			r = reply_bytes(h, call->info, held_xid, &held);
			held_xid = 0;
		}
		return r;
	}
	if (call->info->number == CALL_cuMemGetInfo_v2) {
		cuMemGetInfo_v2_ret ret = { .lane = h->lane };
		h->lane.latched = 0;
		ret.u.cuMemGetInfo_v2_result_u.out.free = 17;
		ret.u.cuMemGetInfo_v2_result_u.out.total = 1ull << 40;
		return server_reply(h->server, call->info, call->xid, &ret, NULL, 0);
	}
	if (call->info->number == CALL_session_mark) {
		session_mark_ret ret = { .lane = h->lane };
		return server_reply(h->server, call->info, call->xid, &ret, NULL, 0);
	}
	if (call->info->number == CALL_cuEventDestroy_v2) {
		h->lane.latched = 400;
		h->lane.latched_call = call->info->number;
	}
	h->lane.done++;
	return 0;
}

static void *
host_main(void *arg)
{
	struct host *h = arg;
	int r;

	for (;;) {
		struct server_call call;
		r = server_next(h->server, &call);
		if (r == 1) {
			r = serve(h, &call);
		} else if (r == 0) {
			r = server_flush(h->server);
			if (r == 0) {
				struct stream *stream = server_stream(h->server);
				stream->ops->wait(stream, POLLIN, -1);
			}
		}
		if (r < 0) {
			break;
		}
	}
	h->ended = r;
	h->server = server_free(h->server);
	return NULL;
}

struct pair {
	struct host host;
	struct lane *lane;
	void *rings; /* memory, or NULL */
	struct stream *stream; /* the lane's */
};

/* Small, so that they are full now and then. */
static const struct stream_rings small_rings = { .to_host = STREAM_RING_MIN,
	.to_guest = STREAM_RING_MIN };
static bool through_rings;

static void
pair_use_rings(struct pair *p)
{
	struct stream_rings rings = small_rings;
	size_t size;

	assert_true(stream_rings_measure(&rings, &size));
	p->rings = aligned_alloc(4096, size);
	memset(p->rings, 0, size);
	rings.memory = p->rings;
	assert_int_equal(lane_use_rings(p->lane, &rings), 0);
	assert_int_equal(server_use_rings(p->host.server, &rings), 0);
}

static void
pair_open(struct pair *p, const struct lane_options *options)
{
	int fds[2];
	struct stream *stream;

	memset(p, 0, sizeof(*p));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(stream_of_fd(fds[0], &stream), 0);
	assert_int_equal(server_new(stream, &p->host.server), 0);
	server_set_record_max(p->host.server, MESSAGE_RECORD_MAX);
	p->host.memory = calloc(1, MEMORY_SIZE);
	assert_int_equal(stream_of_fd(fds[1], &stream), 0);
	p->stream = stream;
	assert_int_equal(lane_new(stream, options, &p->lane), 0);
	if (through_rings) {
		pair_use_rings(p);
	}
}

static void
pair_start(struct pair *p)
{
	assert_int_equal(pthread_create(&p->host.thread, NULL, host_main, &p->host), 0);
}

static void
pair_close(struct pair *p)
{
	p->lane = lane_free(p->lane);
	pthread_join(p->host.thread, NULL);
	assert_int_equal(p->host.ended, -ENODATA);
	free(p->host.memory);
	free(p->rings);
}

static void
pair_new(struct pair *p, const struct lane_options *options)
{
	pair_open(p, options);
	pair_start(p);
}

static const struct lane_options defaults = { .spin_us = 20 };

static void
put(struct pair *p, uint64_t at, const void *data, size_t size)
{
	copy_htod_args args = { .dst = at, .width = size, .height = 1 };

	assert_int_equal(lane_post(p->lane,
		&(struct lane_message){ .info = call_find(CALL_copy_htod), .args = &args,
			.payload = data, .payload_size = size }), 0);
}

static void
start_get(struct pair *p, uint64_t at, void *data, size_t size, copy_dtoh_ret *ret,
	struct lane_reply *reply)
{
	copy_dtoh_args args = { .src = at, .width = size, .height = 1 };

	*ret = (copy_dtoh_ret){ 0 };
	*reply = (struct lane_reply){ .ret = ret, .into = data, .into_size = size };
	assert_int_equal(lane_start(p->lane,
		&(struct lane_message){ .info = call_find(CALL_copy_dtoh), .args = &args },
		reply, true), 0);
}

static void
get(struct pair *p, uint64_t at, void *data, size_t size)
{
	copy_dtoh_ret ret;
	struct lane_reply reply;

	start_get(p, at, data, size, &ret, &reply);
	assert_int_equal(lane_wait(p->lane, &reply), 0);
	assert_int_equal(ret.u.result, 0);
}

static uint8_t *
random_bytes(size_t size)
{
	uint8_t *bytes = malloc(size + 1);

	for (size_t i = 0; i < size; i++) {
		bytes[i] = (uint8_t)rand();
	}
	return bytes;
}

static uint64_t
memory_free(struct lane *lane)
{
	cuMemGetInfo_v2_args args = { 0 };
	cuMemGetInfo_v2_ret ret = { 0 };
	struct lane_reply reply = { .ret = &ret };

	assert_int_equal(lane_call(lane,
		&(struct lane_message){ .info = call_find(CALL_cuMemGetInfo_v2), .args = &args },
		&reply), 0);
	assert_int_equal(ret.u.result, 0);
	assert_int_equal(ret.u.cuMemGetInfo_v2_result_u.out.total, 1ull << 40);
	return ret.u.cuMemGetInfo_v2_result_u.out.free;
}

static void
payloads_of_every_size_arrive(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 4, 5, 1000, 4096, 16383, 16384, 16385, 65536,
		100001, CALL_PAYLOAD_MAX - 1, CALL_PAYLOAD_MAX };
	struct pair p;

	pair_new(&p, &defaults);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		cleanup_free uint8_t *sent = random_bytes(sizes[i]);
		cleanup_free uint8_t *back = calloc(1, sizes[i]);
		put(&p, 77, sent, sizes[i]);
		get(&p, 77, back, sizes[i]);
		assert_memory_equal(sent, back, sizes[i]);
	}
	pair_close(&p);
}

static void
put_rows(struct pair *p, const struct rows *rows)
{
	size_t size = rows_size(rows);
	copy_htod_args args = { .width = size, .height = 1 };

	assert_int_equal(lane_post(p->lane,
		&(struct lane_message){ .info = call_find(CALL_copy_htod), .args = &args,
			.rows = rows, .payload_size = size }), 0);
}

static void
get_rows(struct pair *p, const struct rows *rows)
{
	copy_dtoh_args args = { .width = rows_size(rows), .height = 1 };
	copy_dtoh_ret ret = { 0 };
	struct lane_reply reply = { .ret = &ret, .into = rows->first,
		.into_size = rows_size(rows), .rows = rows };

	assert_int_equal(lane_call(p->lane,
		&(struct lane_message){ .info = call_find(CALL_copy_dtoh), .args = &args },
		&reply), 0);
	assert_int_equal(ret.u.result, 0);
}

/* with_recvv: streams of another kind may have none. */
static void
rows_travel(bool with_recvv)
{
	static const size_t widths[] = { 1, 7, 16, 500, 4096, 99999 };
	cleanup_free uint8_t *data = random_bytes(MEMORY_SIZE);
	cleanup_free uint8_t *back = calloc(1, MEMORY_SIZE);
	cleanup_free uint8_t *expected = calloc(1, MEMORY_SIZE);
	struct stream_ops ops;
	struct pair p;

	pair_new(&p, &defaults);
	ops = *p.stream->ops;
	ops.recvv = with_recvv ? ops.recvv : NULL;
	p.stream->ops = &ops;
	for (size_t i = 0; i < ARRAY_LEN(widths); i++) {
		size_t width = widths[i], height = CALL_PAYLOAD_MAX / width;
		height = height < 2100 ? height : 2100;
		struct rows from = { data + i, width + 3 * i, width, height };
		struct rows to = { back + 7 * i, width + 50, width, height };
		put_rows(&p, &from);
		get_rows(&p, &to);
		for (size_t row = 0; row < height; row++) {
			memcpy(expected + 7 * i + row * to.pitch,
				data + i + row * from.pitch, width);
		}
		assert_memory_equal(back, expected, MEMORY_SIZE);
	}
	pair_close(&p);
}

static void
rows_travel_from_and_to_where_they_lie(void **state)
{
	rows_travel(true);
	rows_travel(false);
}

static void
one_way_calls_keep_their_order(void **state)
{
	struct pair p;

	pair_new(&p, &defaults);
	for (uint32_t i = 0; i < 20000; i++) {
		put(&p, 4 * (i % 256), &i, sizeof(i));
	}
	uint32_t back[256];
	get(&p, 0, back, sizeof(back));
	for (uint32_t i = 0; i < 256; i++) {
		assert_int_equal(back[i] % 256, i);
		assert_true(back[i] >= 20000 - 256);
	}
	assert_int_equal(p.host.lane.done, 20000);
	pair_close(&p);
}

static void
replies_may_come_in_any_order(void **state)
{
	struct pair p;
	copy_dtoh_ret ret[2];
	struct lane_reply reply[2];
	uint8_t first[100], second[70000];
	cleanup_free uint8_t *data = random_bytes(80000);

	pair_open(&p, &defaults);
	p.host.swap_replies = true;
	pair_start(&p);
	put(&p, 0, data, 80000);
	start_get(&p, 10, first, sizeof(first), &ret[0], &reply[0]);
	start_get(&p, 1000, second, sizeof(second), &ret[1], &reply[1]);
	assert_int_equal(lane_wait(p.lane, &reply[0]), 0);
	assert_true(reply[1].done);
	assert_memory_equal(first, data + 10, sizeof(first));
	assert_memory_equal(second, data + 1000, sizeof(second));
	pair_close(&p);
}

static void
a_latched_error_is_told_once(void **state)
{
	struct pair p;
	cuEventDestroy_v2_args args = { .hEvent = 5 };
	uint32_t call = 0;

	pair_new(&p, &defaults);
	assert_int_equal(lane_post(p.lane, &(struct lane_message){
		.info = call_find(CALL_cuEventDestroy_v2), .args = &args }), 0);
	assert_int_equal(lane_take_latched(p.lane, &call), 0);
	assert_int_equal(memory_free(p.lane), 17);
	assert_int_equal(lane_take_latched(p.lane, &call), 400);
	assert_int_equal(call, CALL_cuEventDestroy_v2);
	assert_int_equal(lane_take_latched(p.lane, &call), 0);
	pair_close(&p);
}

static void
a_lone_one_way_call_leaves_by_itself(void **state)
{
	struct pair p;
	uint32_t value = 0x12345678;

	pair_open(&p, &defaults);
	put(&p, 0, &value, sizeof(value));
	/* Nobody makes a call that waits; the bytes must come all the same. */
	struct stream *stream = server_stream(p.host.server);
	assert_true(stream->ops->wait(stream, POLLIN, 5000) > 0);
	pair_start(&p);
	pair_close(&p);
}

/* After a while of quiet at once, and then those behind it together. */
static void
the_first_one_way_call_does_not_wait(void **state)
{
	struct pair p;
	struct lane_counters counters;
	uint32_t value = 1;

	pair_open(&p, &(struct lane_options){ .no_flusher = true });
	struct stream *stream = server_stream(p.host.server);
	for (unsigned i = 0; i < 5; i++) {
		usleep(2000);
		put(&p, 0, &value, sizeof(value));
		assert_true(stream->ops->wait(stream, POLLIN, 0) > 0);
	}
	assert_true(lane_counters(p.lane, &counters));
	assert_int_equal(counters.flushes, 5);
	uint64_t began = clock_ns();
	for (unsigned i = 0; i < 100; i++) {
		put(&p, 0, &value, sizeof(value));
	}
	uint64_t most = 6 + (clock_ns() - began) / LANE_QUIET_NS;
	assert_true(lane_counters(p.lane, &counters));
	assert_in_range(counters.flushes, 5, through_rings ? 105 : most);
	pair_start(&p);
	pair_close(&p);
}

/* Of who waits for each of its calls, and pauses: no thread looks again and again meanwhile
 * whether there is something to send. */
static void
pauses_are_quiet(void **state)
{
	enum { ROUNDS = 40, PAUSE_US = 5000, SWITCHES_MAX = 30 };
	struct pair p;
	struct rusage before, after;
	uint32_t value = 1, back;

	pair_new(&p, &defaults);
	getrusage(RUSAGE_SELF, &before);
	for (int i = 0; i < ROUNDS; i++) {
		put(&p, 0, &value, sizeof(value));
		get(&p, 0, &back, sizeof(back));
		usleep(PAUSE_US);
	}
	getrusage(RUSAGE_SELF, &after);
	assert_in_range(after.ru_nvcsw - before.ru_nvcsw, 0, ROUNDS * SWITCHES_MAX);
	pair_close(&p);
}

/* What is read into the server's buffer is copied from there: of a train of payloads that
 * must not be much. */
static void
behind_a_large_payload_only_a_head_is_read_ahead(void **state)
{
	enum { SIZE = 64 << 10, HEAD = 2048 };
	struct pair p;
	struct server_call call;

	if (through_rings) {
		skip(); /* a record fills the ring, and this thread would have to empty it */
	}
	cleanup_free uint8_t *data = random_bytes(2 * SIZE), *got = calloc(1, SIZE);
	pair_open(&p, &(struct lane_options){ .no_flusher = true });
	for (size_t i = 0; i < 2; i++) {
		uint64_t before = server_counters(p.host.server)->bytes_in;
		put(&p, i * SIZE, data + i * SIZE, SIZE);
		assert_int_equal(server_next(p.host.server, &call), 1);
		uint64_t ahead = server_counters(p.host.server)->bytes_in - before;
		assert_true(i == 0 || ahead < HEAD);
		assert_int_equal(call.payload_size, SIZE);
		assert_int_equal(server_payload(p.host.server, got), 0);
		assert_memory_equal(got, data + i * SIZE, SIZE);
	}
	lane_free(p.lane);
	server_free(p.host.server);
	free(p.host.memory);
}

static void
stuck_in_both_directions_goes_on(void **state)
{
	struct pair p;
	enum { N = 24 };
	copy_dtoh_ret ret[N];
	struct lane_reply reply[N];
	cleanup_free uint8_t *data = random_bytes(MEMORY_SIZE);
	cleanup_free uint8_t *back = calloc(1, MEMORY_SIZE);

	pair_new(&p, &defaults);
	for (int i = 0; i < N; i++) {
		size_t at = (size_t)i % 4 * CALL_PAYLOAD_MAX;
		put(&p, at, data + at, CALL_PAYLOAD_MAX);
		start_get(&p, at, back + at, CALL_PAYLOAD_MAX, &ret[i], &reply[i]);
	}
	for (int i = 0; i < N; i++) {
		assert_int_equal(lane_wait(p.lane, &reply[i]), 0);
	}
	assert_memory_equal(data, back, MEMORY_SIZE);
	pair_close(&p);
}

static void
a_dead_host_is_an_error_for_everybody(void **state)
{
	struct pair p;
	struct lane_reply reply;
	copy_dtoh_ret ret;
	uint8_t byte;

	pair_open(&p, &defaults);
	start_get(&p, 0, &byte, 1, &ret, &reply);
	p.host.server = server_free(p.host.server);
	assert_true(lane_wait(p.lane, &reply) < 0);
	assert_true(lane_error(p.lane) < 0);
	cuMemGetInfo_v2_args args = { 0 };
	struct lane_reply other = { 0 };
	assert_int_equal(lane_call(p.lane, &(struct lane_message){
		.info = call_find(CALL_cuMemGetInfo_v2), .args = &args }, &other),
		lane_error(p.lane));
	lane_free(p.lane);
	free(p.host.memory);
	free(p.rings);
}

struct worker {
	struct pair *pair;
	unsigned id;
	bool ok;
};

static void *
worker_main(void *arg)
{
	struct worker *w = arg;
	uint8_t sent[3000], back[3000];

	w->ok = true;
	for (unsigned round = 0; round < 200; round++) {
		memset(sent, (int)(w->id * 31 + round), sizeof(sent));
		put(w->pair, w->id * sizeof(sent), sent, sizeof(sent));
		get(w->pair, w->id * sizeof(sent), back, sizeof(back));
		w->ok = w->ok && memcmp(sent, back, sizeof(sent)) == 0;
		w->ok = w->ok && memory_free(w->pair->lane) == 17;
	}
	return NULL;
}

static void
many_threads_share_the_lane(void **state)
{
	enum { N = 16 };
	struct pair p;
	struct worker workers[N];
	pthread_t threads[N];

	pair_new(&p, &defaults);
	for (unsigned i = 0; i < N; i++) {
		workers[i] = (struct worker){ .pair = &p, .id = i };
		pthread_create(&threads[i], NULL, worker_main, &workers[i]);
	}
	for (unsigned i = 0; i < N; i++) {
		pthread_join(threads[i], NULL);
		assert_true(workers[i].ok);
	}
	pair_close(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(payloads_of_every_size_arrive),
		cmocka_unit_test(rows_travel_from_and_to_where_they_lie),
		cmocka_unit_test(one_way_calls_keep_their_order),
		cmocka_unit_test(replies_may_come_in_any_order),
		cmocka_unit_test(a_latched_error_is_told_once),
		cmocka_unit_test(a_lone_one_way_call_leaves_by_itself),
		cmocka_unit_test(the_first_one_way_call_does_not_wait),
		cmocka_unit_test(pauses_are_quiet),
		cmocka_unit_test(behind_a_large_payload_only_a_head_is_read_ahead),
		cmocka_unit_test(stuck_in_both_directions_goes_on),
		cmocka_unit_test(a_dead_host_is_an_error_for_everybody),
		cmocka_unit_test(many_threads_share_the_lane),
	};

	int n_failed = cmocka_run_group_tests_name("on a socket", tests, NULL, NULL);
	through_rings = true;
	return n_failed + cmocka_run_group_tests_name("through rings", tests, NULL, NULL);
}
