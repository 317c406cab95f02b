/* SPDX-License-Identifier: Apache-2.0 */
/* test-exec-control.c: divergence, barriers, calls, locks, deadlock, builtins. */
#include "soft-device/test-machine.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HEAD ".version 8.0\n.target sm_75\n.address_size 64\n"
#define OUT \
	".reg .b64 %o, %p; .reg .b32 %t; ld.param.u64 %o, [out];\n" \
	"mov.u32 %t, %tid.x; mul.wide.u32 %p, %t, 4; add.u64 %p, %p, %o;\n"

static void
lanes_that_diverge_in_a_loop_meet_again(void **state)
{
	/* Lane t loops t times, then all vote: everyone must be there. */
	struct machine *machine = machine_new(
		HEAD ".visible .entry k(.param .u64 out) {" OUT
		     ".reg .b32 %n, %m; .reg .pred %q; mov.u32 %n, 0;\n"
		     "L: setp.ge.u32 %q, %n, %t; @%q bra E; add.u32 %n, %n, 1; bra L;\n"
		     "E: activemask.b32 %m; xor.b32 %m, %m, %n; st.global.u32 [%p], %m; "
		     "ret; }");
	uint32_t *out = machine_alloc(machine, 32 * 4, NULL);
	uint64_t params[] = { (uintptr_t)out };

	(void)state;
	machine_must_run(machine, "k", 1, 32, params, sizeof(params));
	for (uint32_t i = 0; i < 32; i++) {
		assert_int_equal(out[i], ~i);
	}
	machine_free(machine);
}

static void
barrier_makes_shared_memory_visible(void **state)
{
	struct machine *machine = machine_new(HEAD
		".visible .entry k(.param .u64 out) { .shared .align 4 .b32 s[256];\n" OUT
		".reg .b32 %a, %b, %r; .reg .pred %q, %w; mov.u32 %a, s; shl.b32 %b, %t, "
		"2;\n"
		"add.u32 %b, %a, %b; st.shared.u32 [%b], %t; bar.sync 0;\n"
		"sub.u32 %b, 255, %t; shl.b32 %b, %b, 2; add.u32 %b, %a, %b;\n"
		"ld.shared.u32 %r, [%b]; setp.lt.u32 %q, %t, 100;\n"
		"barrier.red.popc.u32 %a, 1, %q; mad.lo.u32 %r, %a, 1000, %r;\n"
		"barrier.red.and.pred %w, 1, %q; @%w add.u32 %r, %r, 1000000;\n"
		"st.global.u32 [%p], %r; ret; }");
	uint32_t *out = machine_alloc(machine, 256 * 4, NULL);
	uint64_t params[] = { (uintptr_t)out };

	(void)state;
	machine_must_run(machine, "k", 5, 256, params, sizeof(params));
	for (uint32_t i = 0; i < 256; i++) {
		assert_int_equal(out[i], 100 * 1000 + 255 - i);
	}
	machine_free(machine);
}

static const char calls[] = HEAD
	".visible .func (.param .b32 r) twice(.param .b32 x) { .reg .b32 %a;\n"
	"ld.param.u32 %a, [x]; add.u32 %a, %a, %a; st.param.u32 [r], %a; ret; }\n"
	".visible .func (.param .b32 r) thrice(.param .b32 x) { .reg .b32 %a;\n"
	"ld.param.u32 %a, [x]; mul.lo.u32 %a, %a, 3; st.param.u32 [r], %a; ret; }\n"
	".visible .func (.param .b32 r) sum(.param .b32 x) { .reg .b32 %a, %b; .reg "
	".pred %q;\n"
	"ld.param.u32 %a, [x]; setp.eq.u32 %q, %a, 0; @%q bra Z; sub.u32 %b, %a, 1;\n"
	"{ .param .b32 i; .param .b32 o; st.param.b32 [i], %b; call (o), sum, (i);\n"
	"ld.param.b32 %b, [o]; } add.u32 %a, %a, %b;\nZ: st.param.u32 [r], %a; ret; }\n"
	".global .align 8 .u64 table[2] = {twice, thrice};\n"
	".visible .entry recursive(.param .u64 out) {" OUT ".reg .b32 %r;\n"
	"{ .param .b32 i; .param .b32 o; st.param.b32 [i], %t; call (o), sum, (i);\n"
	"ld.param.b32 %r, [o]; } st.global.u32 [%p], %r; ret; }\n"
	".visible .entry indirect(.param .u64 out) {" OUT
	".reg .b32 %r; .reg .b64 %f, %g;\n"
	"and.b32 %r, %t, 1; mul.wide.u32 %f, %r, 8; mov.u64 %g, table; add.u64 %f, %f, "
	"%g;\n"
	"ld.global.u64 %f, [%f];\n"
	"{ .param .b32 i; .param .b32 o; st.param.b32 [i], %t;\n"
	"proto: .callprototype (.param .b32 _) _ (.param .b32 _);\n"
	"call (o), %f, (i), proto; ld.param.b32 %r, [o]; } st.global.u32 [%p], %r; ret; "
	"}\n"
	".visible .entry wild(.param .u64 out) { .reg .b64 %f; mov.u64 %f, 1234;\n"
	"{ .param .b32 i; .param .b32 o; proto: .callprototype (.param .b32 _) _ (.param "
	".b32 _);\n"
	"call (o), %f, (i), proto; } ret; }\n"
	".visible .entry endless(.param .u64 out) { .reg .b32 %r;\n"
	"{ .param .b32 i; .param .b32 o; mov.u32 %r, 100000; st.param.b32 [i], %r;\n"
	"call (o), sum, (i); } ret; }\n";

static void
recursion_and_indirect_calls_return_per_lane(void **state)
{
	struct machine *machine = machine_new(calls);
	uint32_t *out = machine_alloc(machine, 64 * 4, NULL);
	uint64_t params[] = { (uintptr_t)out };

	(void)state;
	machine_must_run(machine, "recursive", 1, 64, params, sizeof(params));
	for (uint32_t i = 0; i < 64; i++) {
		assert_int_equal(out[i], i * (i + 1) / 2);
	}
	machine_must_run(machine, "indirect", 1, 64, params, sizeof(params));
	for (uint32_t i = 0; i < 64; i++) {
		assert_int_equal(out[i], i % 2 == 0 ? 2 * i : 3 * i);
	}
	machine_free(machine);
}

static void
wild_calls_and_endless_recursion_are_faults(void **state)
{
	struct machine *machine = machine_new(calls);
	uint64_t params[] = { 0 };

	(void)state;
	assert_int_equal(machine_run(machine, "wild", 1, 1, params, 8), EXEC_INVALID_PC);
	assert_non_null(strstr(machine->result.message, "'wild'"));
	assert_int_equal(
		machine_run(machine, "endless", 1, 32, params, 8), EXEC_LAUNCH_FAILED);
	assert_non_null(strstr(machine->result.message, "stack overflow"));
	machine_free(machine);
}

static void
barrier_that_cannot_complete_is_a_deadlock(void **state)
{
	struct machine *machine = machine_new(HEAD
		".visible .entry k() { .reg .pred %q; .reg .b32 %t; mov.u32 %t, %tid.x;\n"
		"setp.lt.u32 %q, %t, 32; @%q bra A; bar.sync 1, 64; ret; A: bar.sync 2, "
		"64; ret; }\n"
		".visible .entry spin() { L: bra L; ret; }\n"
		".visible .entry doze() { .reg .b32 %i; mov.u32 %i, 0; t: .branchtargets L;\n"
		"L: nanosleep.u32 20; brx.idx %i, t; ret; }");

	(void)state;
	assert_int_equal(machine_run(machine, "k", 1, 64, NULL, 0), EXEC_TIMEOUT);
	assert_non_null(strstr(machine->result.message, "deadlock"));
	machine->launch.budget = 1000000;
	assert_int_equal(machine_run(machine, "spin", 3, 64, NULL, 0), EXEC_TIMEOUT);
	assert_non_null(strstr(machine->result.message, "budget"));
	assert_int_equal(machine_run(machine, "doze", 3, 64, NULL, 0), EXEC_TIMEOUT);
	assert_non_null(strstr(machine->result.message, "budget"));
	machine_free(machine);
}

/* Every lane of every warp takes a spin lock: the holder must not starve, inside a warp
 * (lowest pc first would) or between blocks. */
static void
spin_locks_are_fair_enough(void **state)
{
	struct machine *machine =
		machine_new(HEAD ".visible .entry k(.param .u64 out) { .reg .b64 %o; "
				 ".reg .b32 %v; .reg .pred %q;\n"
				 "ld.param.u64 %o, [out];\n"
				 "L: atom.global.cas.b32 %v, [%o], 0, 1; setp.ne.u32 %q, "
				 "%v, 0; @%q bra L;\n"
				 "ld.volatile.global.u32 %v, [%o+4]; add.u32 %v, %v, 1;\n"
				 "st.volatile.global.u32 [%o+4], %v; membar.gl;\n"
				 "atom.global.exch.b32 %v, [%o], 0; ret; }");
	uint32_t *out = machine_alloc(machine, 8, NULL);
	uint64_t params[] = { (uintptr_t)out };

	(void)state;
	machine->launch.budget = 200000000;
	machine_must_run(machine, "k", 6, 64, params, sizeof(params));
	assert_int_equal(out[1], 6 * 64);
	machine_free(machine);
}

/* Every block waits for all others: they must be resident together. */
static void
cooperative_blocks_can_wait_for_each_other(void **state)
{
	struct machine *machine = machine_new(
		HEAD ".visible .entry k(.param .u64 out) { .reg .b64 %o; .reg .b32 %v, "
		     "%n; .reg .pred %q;\n"
		     "ld.param.u64 %o, [out]; atom.global.add.u32 %v, [%o], 1; mov.u32 "
		     "%n, %nctaid.x;\n"
		     "L: ld.acquire.gpu.global.u32 %v, [%o]; setp.lt.u32 %q, %v, %n; @%q "
		     "bra L;\n"
		     "mov.u32 %v, %envreg1; mov.u32 %n, %envreg2; or.b32 %v, %v, %n;\n"
		     "st.global.u32 [%o+4], %v; ret; }");
	uint32_t *out = machine_alloc(machine, 8, NULL);
	uint64_t params[] = { (uintptr_t)out };

	(void)state;
	machine->launch.cooperative = true;
	machine_must_run(machine, "k", 100, 1, params, sizeof(params));
	assert_int_equal(out[0], 100);
	assert_int_not_equal(out[1], 0);
	machine_free(machine);
}

static void
jump_tables_pick_the_target_per_lane(void **state)
{
	struct machine *machine = machine_new(HEAD
		".visible .entry k(.param .u64 out) {" OUT ".reg .b32 %i, %r;\n"
		"and.b32 %i, %t, 3; shr.u32 %i, %i, 0; table: .branchtargets A, B, C, "
		"A;\n"
		"brx.idx %i, table;\n"
		"A: mov.u32 %r, 10; bra E; B: mov.u32 %r, 20; bra E; C: mov.u32 %r, 30;\n"
		"E: st.global.u32 [%p], %r; ret; }\n"
		".visible .entry far() { .reg .b32 %i; mov.u32 %i, 9; t: .branchtargets "
		"A;\n"
		"brx.idx %i, t; A: ret; }");
	uint32_t *out = machine_alloc(machine, 32 * 4, NULL);
	uint64_t params[] = { (uintptr_t)out };

	(void)state;
	machine_must_run(machine, "k", 1, 32, params, sizeof(params));
	for (uint32_t i = 0; i < 32; i++) {
		static const uint32_t want[4] = { 10, 20, 30, 10 };

		assert_int_equal(out[i], want[i & 3]);
	}
	assert_int_equal(machine_run(machine, "far", 1, 1, NULL, 0), EXEC_INVALID_PC);
	machine_free(machine);
}

static void
trap_names_kernel_instruction_and_line(void **state)
{
	struct machine *machine =
		machine_new(HEAD ".visible .entry boom()\n{\ntrap;\nret; }");

	(void)state;
	assert_int_equal(machine_run(machine, "boom", 1, 1, NULL, 0), EXEC_LAUNCH_FAILED);
	assert_non_null(strstr(machine->result.message, "'boom'"));
	assert_non_null(strstr(machine->result.message, "'trap' at PTX line 6"));
	machine_free(machine);
}

static const char builtins[] = HEAD
	".extern .func (.param .b32 r) vprintf(.param .b64 f, .param .b64 a);\n"
	".extern .func (.param .b64 r) malloc(.param .b64 n);\n"
	".extern .func free(.param .b64 p);\n"
	".extern .func __assertfail(.param .b64 a, .param .b64 b, .param .b32 c,\n"
	".param .b64 d, .param .b64 e);\n"
	/* "%5d|%s|%.2f|%lx|%%|%n\n" */
	".global .align 1 .b8 format[24] = {37, 53, 100, 124, 37, 115, 124, 37, 46, 50, "
	"102, 124,\n"
	"37, 108, 120, 124, 37, 37, 124, 37, 110, 10, 0};\n"
	".global .align 1 .b8 word[4] = {97, 98, 99, 0};\n"
	".visible .entry print() { .local .align 8 .b8 depot[48]; .reg .b64 %a, %f, %w;\n"
	"mov.u64 %a, depot; cvta.local.u64 %a, %a; mov.u64 %w, word; mov.u64 %f, "
	"format;\n"
	"st.u32 [%a], -7; st.u64 [%a+8], %w; st.f64 [%a+16], 0d4009000000000000;\n"
	"st.u64 [%a+24], 0x123456789abcdef0; st.u64 [%a+32], %w;\n"
	"{ .param .b64 x; .param .b64 y; .param .b32 r; st.param.b64 [x], %f;\n"
	"st.param.b64 [y], %a; call.uni (r), vprintf, (x, y); } ret; }\n"
	".visible .entry heap(.param .u64 out) {" OUT ".reg .b64 %h;\n"
	"{ .param .b64 n; .param .b64 r; st.param.b64 [n], 16; call.uni (r), malloc, "
	"(n);\n"
	"ld.param.b64 %h, [r]; } st.u32 [%h+12], %t; ld.u32 %t, [%h+12]; st.global.u32 "
	"[%p], %t;\n"
	"{ .param .b64 x; st.param.b64 [x], %h; call.uni free, (x); } ret; }\n"
	".visible .entry fail() { .reg .b32 %t; .reg .pred %q; .reg .b64 %w; mov.u32 %t, "
	"%tid.x;\n"
	"setp.eq.u32 %q, %t, 3; @!%q bra E; mov.u64 %w, word;\n"
	"{ .param .b64 a; .param .b64 b; .param .b32 c; .param .b64 d; .param .b64 e;\n"
	"st.param.b64 [a], %w; st.param.b64 [b], %w; st.param.b32 [c], 12; st.param.b64 "
	"[d], %w;\n"
	"st.param.b64 [e], 1; call.uni __assertfail, (a, b, c, d, e); } E: ret; }\n";

static void
printf_formats_like_c(void **state)
{
	struct machine *machine = machine_new(builtins);

	(void)state;
	machine_must_run(machine, "print", 1, 1, NULL, 0);
	assert_string_equal(machine->printed, "   -7|abc|3.12|123456789abcdef0|%|\n");
	machine_free(machine);
}

static void
malloc_and_free_work_in_kernels(void **state)
{
	struct machine *machine = machine_new(builtins);
	uint32_t *out = machine_alloc(machine, 32 * 4, NULL);
	uint64_t params[] = { (uintptr_t)out };

	(void)state;
	machine_must_run(machine, "heap", 1, 32, params, sizeof(params));
	for (uint32_t i = 0; i < 32; i++) {
		assert_int_equal(out[i], i);
	}
	machine_free(machine);
}

static void
assert_ends_the_launch_in_the_words_of_cuda(void **state)
{
	struct machine *machine = machine_new(builtins);

	(void)state;
	assert_int_equal(machine_run(machine, "fail", 1, 32, NULL, 0), EXEC_ASSERT);
	assert_string_equal(machine->asserted,
		"abc:12: abc: block: [0,0,0], thread: [3,0,0] Assertion `abc` failed.\n");
	machine_free(machine);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lanes_that_diverge_in_a_loop_meet_again),
		cmocka_unit_test(barrier_makes_shared_memory_visible),
		cmocka_unit_test(recursion_and_indirect_calls_return_per_lane),
		cmocka_unit_test(wild_calls_and_endless_recursion_are_faults),
		cmocka_unit_test(barrier_that_cannot_complete_is_a_deadlock),
		cmocka_unit_test(spin_locks_are_fair_enough),
		cmocka_unit_test(cooperative_blocks_can_wait_for_each_other),
		cmocka_unit_test(jump_tables_pick_the_target_per_lane),
		cmocka_unit_test(trap_names_kernel_instruction_and_line),
		cmocka_unit_test(printf_formats_like_c),
		cmocka_unit_test(malloc_and_free_work_in_kernels),
		cmocka_unit_test(assert_ends_the_launch_in_the_words_of_cuda),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
