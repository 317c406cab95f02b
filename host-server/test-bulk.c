/* SPDX-License-Identifier: Apache-2.0 */
/* test-bulk.c: copies whose bytes go over links, on a driver that is late. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/cleanup.h"
#include "host-server/control.h"
#include "host-server/test-bench.h"
#include "host-server/test-fake.h"

#define LINKS 3
#define ROOM (3 * MIB)

/* The guest's end of one, with a thread that copies. */
struct link {
	struct bench *bench;
	struct lane *lane;
	unsigned number;
	uint64_t serial;
	uint64_t device;
	call_handle stream;
	pthread_t thread;
	unsigned seed;
	bool ok;
};

static uint32_t
dice(struct link *link, uint32_t n)
{
	link->seed = link->seed * 1664525 + 1013904223;
	return (link->seed >> 8) % n;
}

/* ---- joining ---- */

static void
open_bulk(struct bench *b, call_secret *ret_secret)
{
	bulk_open_args args = { 0 };
	bulk_open_ret ret = { 0 };

	assert_int_equal(bench_call(b, CALL_bulk_open, &args, &ret), CUDA_SUCCESS);
	memcpy(*ret_secret, ret.u.bulk_open_result_u.out.secret, sizeof(*ret_secret));
}

static void
pass_on(struct bench *b, int fd)
{
	struct control_message message = { .kind = CONTROL_JOIN, .text = "test" };

	assert_int_equal(control_send(b->control[0], &message, fd), 0);
	close(fd);
}

static int
join(struct bench *b, const call_secret secret, struct link *link)
{
	bulk_join_args args = { .guest_id = 42 };
	bulk_join_ret ret = { 0 };
	struct lane_reply reply = { .ret = &ret };
	struct stream *stream;
	int pair[2];

	memcpy(args.secret, secret, sizeof(args.secret));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(stream_of_fd(pair[0], &stream), 0);
	struct lane_options options = { .no_flusher = true, .beside = b->lane };
	assert_int_equal(lane_new(stream, &options, &link->lane), 0);
	/* As the daemon does: only when the whole call is there. */
	int r = lane_start(link->lane,
		&(struct lane_message){
			.info = call_find(CALL_bulk_join), .args = &args },
		&reply, true);
	assert_int_equal(r, 0);
	pass_on(b, pair[1]);
	r = lane_wait(link->lane, &reply);
	link->bench = b;
	link->number = ret.u.bulk_join_result_u.out.link;
	return r < 0 ? r : ret.u.result;
}

static void
join_all(struct bench *b, struct link links[LINKS])
{
	call_secret secret;

	open_bulk(b, &secret);
	for (unsigned i = 0; i < LINKS; i++) {
		links[i] = (struct link){ .seed = i + 1 };
		assert_int_equal(join(b, secret, &links[i]), CUDA_SUCCESS);
		assert_int_equal(links[i].number, i);
		links[i].device = bench_new_memory(b, ROOM);
		links[i].stream = bench_new_stream(b, i + 1);
	}
}

static void
leave_all(struct bench *b, struct link links[LINKS])
{
	for (unsigned i = 0; i < LINKS; i++) {
		bench_free_memory(b, links[i].device);
		lane_free(links[i].lane);
	}
}

/* ---- copies ---- */

struct place {
	size_t at, pitch, width, height;
};

static struct place
random_rows(struct link *link)
{
	struct place rows = { .width = 1 + dice(link, 3000),
		.height = 1 + dice(link, 300) };

	if (dice(link, 2) == 0) {
		rows = (struct place){ .width = 1 + dice(link, MIB), .height = 1 };
	}
	rows.pitch = rows.width + dice(link, 2) * dice(link, 5000);
	rows.at = dice(link, (uint32_t)(ROOM - rows.pitch * rows.height + 1));
	return rows;
}

static int
post(struct link *link, uint32_t number, void *args)
{
	return lane_post(
		link->bench->lane, &(struct lane_message){ .info = call_find(number),
					   .args = args,
					   .context = CONTEXT,
					   .now = true });
}

static int
put(struct link *link, const struct place *rows, const uint8_t *bytes)
{
	copy_bulk_htod_args args = { .link = link->number,
		.serial = link->serial,
		.dst = link->device + rows->at,
		.pitch = rows->pitch,
		.width = rows->width,
		.height = rows->height,
		.hStream = link->stream };
	bulk_put_args put = { .serial = link->serial++ };

	int r = post(link, CALL_copy_bulk_htod, &args);
	return r < 0 ? r
		     : lane_post(link->lane,
			       &(struct lane_message){ .info = call_find(CALL_bulk_put),
				       .args = &put,
				       .payload = bytes,
				       .payload_size = rows->width * rows->height,
				       .now = true });
}

static int
get(struct link *link, const struct place *rows, uint8_t *bytes)
{
	copy_bulk_dtoh_args args = { .link = link->number,
		.serial = link->serial,
		.src = link->device + rows->at,
		.pitch = rows->pitch,
		.width = rows->width,
		.height = rows->height,
		.hStream = link->stream };
	bulk_get_args get = { .serial = link->serial++ };
	bulk_get_ret ret = { 0 };
	struct lane_reply reply = {
		.ret = &ret, .into = bytes, .into_size = rows->width * rows->height
	};

	int r = post(link, CALL_copy_bulk_dtoh, &args);
	if (r == 0) {
		r = lane_call(link->lane,
			&(struct lane_message){
				.info = call_find(CALL_bulk_get), .args = &get },
			&reply);
	}
	if (r == 0) {
		lane_note_head(link->bench->lane, (struct call_ret_head *)&ret);
	}
	return r < 0 ? r : ret.u.result;
}

static void
copy_rows(const struct place *rows, uint8_t *memory, uint8_t *packed, bool pack)
{
	for (size_t row = 0; row < rows->height; row++) {
		uint8_t *there = memory + rows->at + row * rows->pitch;
		uint8_t *here = packed + row * rows->width;
		memcpy(pack ? here : there, pack ? there : here, rows->width);
	}
}

/* Compared with what a plain memory would hold. */
static bool
copy_at_random(struct link *link, unsigned rounds)
{
	cleanup_free uint8_t *memory = calloc(1, ROOM), *bytes = malloc(MIB);
	cleanup_free uint8_t *expected = malloc(MIB);
	struct place all = { .width = MIB, .pitch = MIB, .height = 1 };

	memset(bytes, 0, MIB);
	for (all.at = 0; all.at < ROOM; all.at += MIB) {
		if (put(link, &all, bytes) != 0) {
			return false;
		}
	}
	for (unsigned i = 0; i < rounds; i++) {
		struct place rows = random_rows(link);
		size_t size = rows.width * rows.height;
		if (dice(link, 3) > 0) {
			bench_fill(bytes, size, link->seed);
			copy_rows(&rows, memory, bytes, false);
			if (put(link, &rows, bytes) != 0) {
				return false;
			}
			continue;
		}
		copy_rows(&rows, memory, expected, true);
		if (get(link, &rows, bytes) != 0 || memcmp(bytes, expected, size) != 0) {
			return false;
		}
	}
	for (all.at = 0; all.at < ROOM; all.at += MIB) {
		if (get(link, &all, bytes) != 0 ||
			memcmp(bytes, memory + all.at, MIB) != 0) {
			return false;
		}
	}
	return true;
}

static void *
copier_main(void *user)
{
	struct link *link = user;

	link->ok = copy_at_random(link, 60);
	return NULL;
}

static void
copies_over_several_links_arrive(void **state)
{
	struct bench *b = *state;
	struct link links[LINKS];

	join_all(b, links);
	for (unsigned i = 0; i < LINKS; i++) {
		assert_int_equal(
			pthread_create(&links[i].thread, NULL, copier_main, &links[i]),
			0);
	}
	/* The lane goes on meanwhile. */
	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(bench_mark(b), CUDA_SUCCESS);
	}
	for (unsigned i = 0; i < LINKS; i++) {
		pthread_join(links[i].thread, NULL);
		assert_true(links[i].ok);
	}
	assert_true(atomic_load(&b->account.bytes_in) > LINKS * ROOM);
	leave_all(b, links);
}

static void
the_lane_takes_the_bytes_in_its_own_order(void **state)
{
	struct bench *b = *state;
	struct link links[LINKS];
	struct place all = { .width = MIB, .pitch = MIB, .height = 1 };
	cleanup_free uint8_t *first = malloc(MIB), *second = malloc(MIB);
	cleanup_free uint8_t *back = malloc(MIB);

	join_all(b, links);
	bench_fill(first, MIB, 1);
	bench_fill(second, MIB, 2);
	/* The second copy of the lane is on its way before the first. */
	bulk_put_args early = { .serial = 0 };
	assert_int_equal(lane_post(links[1].lane,
				 &(struct lane_message){ .info = call_find(CALL_bulk_put),
					 .args = &early,
					 .payload = second,
					 .payload_size = MIB,
					 .now = true }),
		0);
	assert_int_equal(put(&links[0], &all, first), 0);
	copy_bulk_htod_args args = { .link = 1,
		.serial = 0,
		.dst = links[0].device,
		.pitch = MIB,
		.width = MIB,
		.height = 1,
		.hStream = links[0].stream };
	assert_int_equal(post(&links[1], CALL_copy_bulk_htod, &args), 0);
	assert_int_equal(get(&links[0], &all, back), CUDA_SUCCESS);
	assert_memory_equal(back, second, MIB);
	leave_all(b, links);
}

/* The host is stuck in sending to the lane, and the guest waits for a link. */
static void
a_lane_that_nobody_reads_does_not_stop_a_link(void **state)
{
	enum { N = 8 };
	struct bench *b = *state;
	struct link links[LINKS];
	struct lane_reply replies[N];
	copy_dtoh_ret rets[N];
	cleanup_free uint8_t *bytes = malloc(N * MIB);

	join_all(b, links);
	for (size_t i = 0; i < N; i++) {
		bench_start_get(b, bytes + i * MIB, links[1].device, MIB, links[1].stream,
			&replies[i], &rets[i]);
	}
	assert_true(copy_at_random(&links[0], 20));
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(lane_wait(b->lane, &replies[i]), 0);
		assert_int_equal(rets[i].u.result, CUDA_SUCCESS);
	}
	leave_all(b, links);
}

static void
after_a_reset_links_go_on(void **state)
{
	struct bench *b = *state;
	struct link links[LINKS];
	cuDevicePrimaryCtxReset_v2_args reset = { .dev = 0 };
	cuDevicePrimaryCtxRetain_args retain = { .pctx = CONTEXT };

	join_all(b, links);
	assert_true(copy_at_random(&links[0], 10));
	/* The fake's reset frees nothing: leave nothing in it. */
	for (unsigned i = 0; i < LINKS; i++) {
		cuStreamDestroy_v2_args destroy = { .hStream = links[i].stream };
		bench_post(b, CALL_cuStreamDestroy_v2, &destroy);
		bench_free_memory(b, links[i].device);
	}
	assert_int_equal(bench_call_plain(b, CALL_cuDevicePrimaryCtxReset_v2, &reset),
		CUDA_SUCCESS);
	assert_int_equal(bench_call_plain(b, CALL_cuDevicePrimaryCtxRetain, &retain),
		CUDA_SUCCESS);
	for (unsigned i = 0; i < LINKS; i++) {
		links[i].device = bench_new_memory(b, ROOM);
		links[i].stream = bench_new_stream(b, 10 + i);
		assert_true(copy_at_random(&links[i], 10));
	}
	leave_all(b, links);
}

static void
a_copy_that_fails_tells_its_link(void **state)
{
	struct bench *b = *state;
	struct link links[LINKS];
	struct place rows = { .width = 100, .pitch = 100, .height = 1 };
	uint8_t bytes[100] = { 1 };

	join_all(b, links);
	call_handle stream = links[0].stream;
	links[0].stream = handle_make(HANDLE_CUstream, 1, 999);
	assert_int_equal(get(&links[0], &rows, bytes), CUDA_ERROR_INVALID_HANDLE);
	assert_int_equal(put(&links[0], &rows, bytes), 0);
	links[0].stream = stream;
	/* That error is the lane's, and told once. */
	session_mark_args args = { 0 };
	session_mark_ret ret = { 0 };
	bench_call(b, CALL_session_mark, &args, &ret);
	assert_int_equal(lane_take_latched(b->lane, NULL), CUDA_ERROR_INVALID_HANDLE);
	assert_int_equal(put(&links[0], &rows, bytes), 0);
	bytes[0] = 0;
	assert_int_equal(get(&links[0], &rows, bytes), CUDA_SUCCESS);
	assert_int_equal(bytes[0], 1);
	leave_all(b, links);
}

/* Nothing else may be answered before the program looks at its errors. */
static void
an_error_of_the_lane_is_told_by_the_next_get(void **state)
{
	struct bench *b = *state;
	struct link links[LINKS];
	struct place rows = { .width = 100, .pitch = 100, .height = 1 };
	cuStreamDestroy_v2_args wrong = { .hStream =
						  handle_make(HANDLE_CUstream, 1, 999) };
	uint8_t bytes[100];
	uint32_t call = 0;

	join_all(b, links);
	bench_post(b, CALL_cuStreamDestroy_v2, &wrong);
	assert_int_equal(get(&links[0], &rows, bytes), CUDA_SUCCESS);
	assert_int_equal(lane_take_latched(b->lane, &call), CUDA_ERROR_INVALID_HANDLE);
	assert_int_equal(call, CALL_cuStreamDestroy_v2);
	bench_mark(b);
	assert_int_equal(lane_take_latched(b->lane, &call), 0);
	leave_all(b, links);
}

static void
who_does_not_know_the_secret_may_not_join(void **state)
{
	struct bench *b = *state;
	call_secret secret;
	struct link link;

	open_bulk(b, &secret);
	secret[7] ^= 1;
	assert_int_equal(join(b, secret, &link), CUDA_ERROR_NOT_PERMITTED);
	lane_free(link.lane);
	secret[7] ^= 1;
	assert_int_equal(join(b, secret, &link), CUDA_SUCCESS);
	assert_int_equal(link.number, 0);
	lane_free(link.lane);
}

/* What would else wait for ever. */
static void
a_link_that_breaks_ends_the_session_that_waits_for_it(void **state)
{
	struct bench *b = *state;
	struct link links[LINKS];
	copy_bulk_htod_args args = { .link = 1, .width = MIB, .height = 1 };

	join_all(b, links);
	for (unsigned i = 0; i < LINKS; i++) {
		bench_free_memory(b, links[i].device);
	}
	args.hStream = links[1].stream;
	assert_int_equal(post(&links[1], CALL_copy_bulk_htod, &args), 0);
	for (unsigned i = 0; i < LINKS; i++) {
		lane_free(links[i].lane);
	}
	pthread_join(b->thread, NULL);
	b->joined = true;
	assert_int_equal(b->ended, -ECONNRESET);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, bench_setup_greeted, bench_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(copies_over_several_links_arrive),
		TEST(the_lane_takes_the_bytes_in_its_own_order),
		TEST(a_lane_that_nobody_reads_does_not_stop_a_link),
		TEST(after_a_reset_links_go_on),
		TEST(a_copy_that_fails_tells_its_link),
		TEST(an_error_of_the_lane_is_told_by_the_next_get),
		TEST(who_does_not_know_the_secret_may_not_join),
		TEST(a_link_that_breaks_ends_the_session_that_waits_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
