/* SPDX-License-Identifier: Apache-2.0 */
/* test-exec-warp.c: shuffles, votes, matches and reductions inside a warp. */
#include "soft-device/test-machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* out[lane] = what the body leaves in %r; in[lane] is in %v, the lane in %t. */
static void
run(const char *body, const uint32_t in[32], uint32_t out[32])
{
	char text[2048];

	snprintf(text, sizeof(text),
		".version 8.0\n.target sm_80\n.address_size 64\n"
		".visible .entry k(.param .u64 out, .param .u64 in) {\n"
		".reg .b64 %%o, %%i, %%p; .reg .b32 %%t, %%v, %%r, %%m; .reg .pred %%q, "
		"%%w;\n"
		"ld.param.u64 %%o, [out]; ld.param.u64 %%i, [in]; mov.u32 %%t, %%tid.x;\n"
		"mul.wide.u32 %%p, %%t, 4; add.u64 %%o, %%o, %%p; add.u64 %%i, %%i, "
		"%%p;\n"
		"ld.global.u32 %%v, [%%i]; mov.u32 %%r, 0;\n%s\nst.global.u32 [%%o], "
		"%%r; ret; }",
		body);
	struct machine *machine = machine_new(text);
	uint32_t *from = machine_alloc(machine, 128, in);
	uint32_t *to = machine_alloc(machine, 128, NULL);
	uint64_t params[] = { (uintptr_t)to, (uintptr_t)from };

	machine_must_run(machine, "k", 1, 32, params, sizeof(params));
	memcpy(out, to, 128);
	machine_free(machine);
}

static void
fill(uint32_t in[32])
{
	for (int i = 0; i < 32; i++) {
		in[i] = (uint32_t)machine_random();
	}
}

static void
shuffles_move_values_inside_segments(void **state)
{
	uint32_t in[32];
	uint32_t out[32];

	(void)state;
	fill(in);
	run("shfl.sync.up.b32 %r|%q, %v, 3, 0, 0xffffffff; @!%q add.u32 %r, %r, 1;", in,
		out);
	for (int i = 0; i < 32; i++) {
		assert_int_equal(out[i], i >= 3 ? in[i - 3] : in[i] + 1);
	}
	run("shfl.sync.down.b32 %r, %v, 5, 31, 0xffffffff;", in, out);
	for (int i = 0; i < 32; i++) {
		assert_int_equal(out[i], i + 5 < 32 ? in[i + 5] : in[i]);
	}
	run("shfl.sync.bfly.b32 %r, %v, 9, 31, 0xffffffff;", in, out);
	for (int i = 0; i < 32; i++) {
		assert_int_equal(out[i], in[i ^ 9]);
	}
	/* width 8: the segment mask is 0x18, the clamp 7 */
	run("shfl.sync.idx.b32 %r, %v, 11, 0x181f, 0xffffffff;", in, out);
	for (int i = 0; i < 32; i++) {
		assert_int_equal(out[i], in[(i & 24) | 3]);
	}
	/* from lanes that are not there: 0 */
	run("setp.lt.u32 %q, %t, 16; @!%q bra E; shfl.sync.down.b32 %r, %v, 8, 31, "
	    "0xffff; E:",
		in, out);
	for (int i = 0; i < 32; i++) {
		assert_int_equal(out[i], i < 8 ? in[i + 8] : 0);
	}
}

static void
votes_count_members_only(void **state)
{
	uint32_t in[32];
	uint32_t out[32];
	uint32_t odd = 0;

	(void)state;
	fill(in);
	for (int i = 0; i < 32; i++) {
		odd |= (in[i] & 1) << i;
	}
	run("and.b32 %m, %v, 1; setp.eq.u32 %q, %m, 1; vote.sync.ballot.b32 %r, %q, "
	    "0xffffffff;",
		in, out);
	for (int i = 0; i < 32; i++) {
		assert_int_equal(out[i], odd);
	}
	/* Lanes that arrive together with different masks: each set votes for itself. */
	run("and.b32 %m, %v, 1; setp.eq.u32 %q, %m, 1; and.b32 %m, %t, 24; shl.b32 %m, "
	    "0xff, %m;\n"
	    "vote.sync.ballot.b32 %r, %q, %m;",
		in, out);
	for (int i = 0; i < 32; i++) {
		assert_int_equal(out[i], odd & 0xffu << (i & 24));
	}
	run("setp.lt.u32 %q, %t, 31; vote.sync.all.pred %w, %q, 0xffffffff; selp.u32 %r, "
	    "1, 2, %w;\n"
	    "vote.sync.any.pred %w, %q, 0xffffffff; @%w add.u32 %r, %r, 10;\n"
	    "vote.sync.uni.pred %w, %q, 0xffffffff; @%w add.u32 %r, %r, 100;",
		in, out);
	for (int i = 0; i < 32; i++) {
		assert_int_equal(out[i], 12);
	}
}

static void
diverged_lanes_wait_for_each_other_at_a_vote(void **state)
{
	uint32_t in[32] = { 0 };
	uint32_t out[32];

	(void)state;
	/* Two different instructions vote: hardware lets them meet only at the same one,
	 * but one that half of the warp reaches much later must see everybody. */
	run("setp.lt.u32 %q, %t, 16; @%q bra A; mov.u32 %m, 0;\n"
	    "L: add.u32 %m, %m, 1; setp.lt.u32 %w, %m, 5000; @%w bra L;\n"
	    "A: setp.ge.u32 %w, %t, 8; vote.sync.ballot.b32 %r, %w, 0xffffffff;",
		in, out);
	for (int i = 0; i < 32; i++) {
		assert_int_equal(out[i], 0xffffff00);
	}
}

static void
matches_and_reductions_are_those_of_a_loop(void **state)
{
	uint32_t in[32];
	uint32_t out[32];
	uint32_t sum = 0;
	int32_t least = INT32_MAX;

	(void)state;
	fill(in);
	for (int i = 0; i < 32; i++) {
		in[i] = in[i] % 5 - 2;
		sum += in[i];
		least = (int32_t)in[i] < least ? (int32_t)in[i] : least;
	}
	run("match.any.sync.b32 %r, %v, 0xffffffff;", in, out);
	for (int i = 0; i < 32; i++) {
		uint32_t same = 0;

		for (int k = 0; k < 32; k++) {
			same |= (uint32_t)(in[k] == in[i]) << k;
		}
		assert_int_equal(out[i], same);
	}
	run("redux.sync.add.u32 %r, %v, 0xffffffff; redux.sync.min.s32 %m, %v, "
	    "0xffffffff;\n"
	    "shl.b32 %m, %m, 16; add.u32 %r, %r, %m;",
		in, out);
	for (int i = 0; i < 32; i++) {
		assert_int_equal(out[i], sum + ((uint32_t)least << 16));
	}
	run("match.all.sync.b32 %r|%q, %v, 0xffffffff; @%q add.u32 %r, %r, 7;", in, out);
	assert_int_equal(out[3], 0);
	for (int i = 0; i < 32; i++) {
		in[i] = 42;
	}
	run("match.all.sync.b32 %r|%q, %v, 0xffffffff; @%q add.u32 %r, %r, 7;", in, out);
	assert_int_equal(out[3], 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shuffles_move_values_inside_segments),
		cmocka_unit_test(votes_count_members_only),
		cmocka_unit_test(diverged_lanes_wait_for_each_other_at_a_vote),
		cmocka_unit_test(matches_and_reductions_are_those_of_a_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
