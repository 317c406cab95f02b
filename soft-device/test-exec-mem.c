/* SPDX-License-Identifier: Apache-2.0 */
/* test-exec-mem.c: address spaces, bounds, alignment, vectors, atomics. */
#include "soft-device/exec_number.h"
#include "soft-device/test-machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HEAD ".version 8.0\n.target sm_80\n.address_size 64\n"
#define OUT \
	".reg .b64 %o, %p; .reg .b32 %t; ld.param.u64 %o, [out];\n" \
	"mov.u32 %t, %tid.x; mul.wide.u32 %p, %t, 4; add.u64 %p, %p, %o;\n"

/* A kernel that gets an address, and does one access to it with one lane or with all. */
static enum exec_fault
access_at(const char *access, uint64_t address, uint32_t n_threads)
{
	char text[2048];

	snprintf(text, sizeof(text),
		HEAD ".visible .entry k(.param .u64 at) { .reg .b64 %%p, %%d; .reg .b32 "
		     "%%v, %%a;\n"
		     ".shared .align 16 .b8 s[64]; .local .align 16 .b8 l[32];\n"
		     "ld.param.u64 %%p, [at]; cvt.u32.u64 %%a, %%p; mov.u64 %%d, s;\n"
		     "mov.u64 %%d, l; mov.u32 %%v, 1; mov.u64 %%d, 2;\n"
		     "%s ret; }",
		access);
	struct machine *machine = machine_new(text);
	uint8_t *memory = machine_alloc(machine, 100, NULL);
	uint64_t params[] = { address < 4096 ? (uintptr_t)memory + address : address };
	bool is_offset =
		strstr(access, "shared") != NULL || strstr(access, "local") != NULL;

	if (is_offset) {
		params[0] = address;
	}
	enum exec_fault fault =
		machine_run(machine, "k", 1, n_threads, params, sizeof(params));

	machine_free(machine);
	return fault;
}

static void
accesses_outside_of_their_memory_are_faults(void **state)
{
	static const struct {
		const char *access;
		uint64_t address;
		enum exec_fault fault;
	} rows[] = {
		{ "ld.global.u32 %v, [%p];", 96, EXEC_OK },
		{ "ld.global.u32 %v, [%p+4];", 96, EXEC_ILLEGAL_ADDRESS },
		{ "st.global.u32 [%p+-4], %v;", 0, EXEC_ILLEGAL_ADDRESS },
		{ "ld.u64 %d, [%p];", 96, EXEC_ILLEGAL_ADDRESS },
		{ "ld.global.u32 %v, [%p];", 2, EXEC_MISALIGNED },
		{ "st.global.u64 [%p], %d;", 4, EXEC_MISALIGNED },
		{ "st.global.v2.u32 [%p], {%v, %v};", 4, EXEC_MISALIGNED },
		{ "st.global.v2.u32 [%p], {%v, %v};", 96, EXEC_ILLEGAL_ADDRESS },
		{ "ld.global.u32 %v, [%p];", 0x123456789000, EXEC_ILLEGAL_ADDRESS },
		{ "st.u32 [%p], %v;", 0xfffffffffffffffc, EXEC_ILLEGAL_ADDRESS },
		{ "st.u32 [%p], %v;", 0x0500000000000000, EXEC_ILLEGAL_ADDRESS },
		{ "st.u32 [%p], %v;", 0x0300000000000000, EXEC_ILLEGAL_ADDRESS },
		{ "st.u32 [%p], %v;", 0x0400000000000000, EXEC_ILLEGAL_ADDRESS },
		{ "ld.shared.u32 %v, [%a];", 60, EXEC_OK },
		{ "ld.shared.u32 %v, [%a];", 64, EXEC_ILLEGAL_ADDRESS },
		{ "ld.shared.u32 %v, [%a];", 6, EXEC_MISALIGNED },
		{ "st.shared.u32 [%a], %v;", 0xfffffffc, EXEC_ILLEGAL_ADDRESS },
		{ "st.shared.v4.u32 [%p], {%v, %v, %v, %v};", 48, EXEC_OK },
		{ "st.shared.v4.u32 [%p], {%v, %v, %v, %v};", 40, EXEC_MISALIGNED },
		{ "st.shared.u64 [%p], %d;", 0xffffffff00000000, EXEC_ILLEGAL_ADDRESS },
		{ "st.local.u32 [%p], %v;", 28, EXEC_OK },
		{ "st.local.u32 [%p], %v;", 32, EXEC_ILLEGAL_ADDRESS },
		{ "st.local.u32 [%p], %v;", 0xfffffffffffffffc, EXEC_ILLEGAL_ADDRESS },
		{ "atom.global.add.u32 %v, [%p], 1;", 96, EXEC_OK },
		{ "atom.global.add.u32 %v, [%p], 1;", 100, EXEC_ILLEGAL_ADDRESS },
		{ "red.global.add.u64 [%p], 1;", 4, EXEC_MISALIGNED },
		{ "atom.shared.add.u32 %v, [%a], 1;", 64, EXEC_ILLEGAL_ADDRESS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (uint32_t n_threads = 1; n_threads <= 32; n_threads += 31) {
			enum exec_fault fault =
				access_at(rows[i].access, rows[i].address, n_threads);

			if (fault != rows[i].fault) {
				fail_msg("%s at %llx with %u: got %d, want %d",
					rows[i].access,
					(unsigned long long)rows[i].address, n_threads,
					fault, rows[i].fault);
			}
		}
	}
}

static void
small_loads_extend_by_their_type(void **state)
{
	struct machine *machine =
		machine_new(HEAD ".visible .entry k(.param .u64 out) { .reg .b64 %o, %d; "
				 ".reg .b32 %a; .reg .b16 %h;\n"
				 "ld.param.u64 %o, [out]; ld.global.s8 %a, [%o]; "
				 "st.global.u32 [%o+8], %a;\n"
				 "ld.global.u8 %a, [%o]; st.global.u32 [%o+12], %a;\n"
				 "ld.global.s16 %d, [%o]; st.global.u64 [%o+16], %d;\n"
				 "ld.global.s8 %h, [%o]; st.global.u16 [%o+24], %h; "
				 "st.global.u8 [%o+26], %h; ret; }");
	uint8_t *out = machine_alloc(machine, 64, NULL);
	uint64_t params[] = { (uintptr_t)out };
	static const uint8_t want[20] = { 0x85, 0xff, 0xff, 0xff, 0x85, 0, 0, 0, 0x85,
		0x96, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x85, 0xff, 0x85, 0 };

	(void)state;
	memcpy(out, "\x85\x96", 2);
	machine_must_run(machine, "k", 1, 1, params, sizeof(params));
	assert_memory_equal(out + 8, want, sizeof(want));
	machine_free(machine);
}

/* Addresses of parameters, of local and of shared memory, used as generic ones. */
static void
generic_addresses_know_their_window(void **state)
{
	struct machine *machine = machine_new(
		HEAD ".visible .entry k(.param .u64 out, .param .align 8 .b8 s[24]) {" OUT
		     ".reg .b64 %a, %b; .reg .b32 %v, %w; .reg .pred %q; .shared .align "
		     "4 .b32 m[32];\n"
		     ".local .align 4 .b32 l[2];\n"
		     "mov.b64 %a, s; ld.param.u32 %v, [%a+12];\n"
		     "mul.wide.u32 %b, %t, 4; mov.u64 %a, m; cvta.shared.u64 %a, %a; "
		     "add.u64 %a, %a, %b;\n"
		     "isspacep.shared %q, %a; @%q add.u32 %v, %v, 100; st.u32 [%a], %v; "
		     "ld.u32 %v, [%a];\n"
		     "mov.u64 %a, l; cvta.local.u64 %a, %a; isspacep.local %q, %a;\n"
		     "@%q add.u32 %v, %v, 1000; add.u32 %v, %v, %t; st.u32 [%a+4], %v;\n"
		     "ld.local.u32 %w, [l+4]; isspacep.global %q, %o; @%q add.u32 %w, "
		     "%w, 10000;\n"
		     "st.u32 [%p], %w; ret; }");
	uint32_t *out = machine_alloc(machine, 32 * 4, NULL);
	struct {
		uint64_t out;
		uint32_t s[6];
	} params = { (uintptr_t)out, { 0, 0, 0, 7, 0, 0 } };

	(void)state;
	machine_must_run(machine, "k", 1, 32, &params, sizeof(params));
	for (uint32_t i = 0; i < 32; i++) {
		assert_int_equal(out[i], 11107 + i);
	}
	machine_free(machine);
}

static void
dynamic_shared_memory_begins_after_the_static(void **state)
{
	struct machine *machine = machine_new(HEAD
		".extern .shared .align 16 .b8 dyn[];\n"
		".visible .entry k(.param .u64 out) {" OUT
		".reg .b32 %a, %v; .shared .align 4 .b8 s[20]; mov.u32 %a, dyn; shl.b32 "
		"%v, %t, 2;\n"
		"add.u32 %a, %a, %v; st.shared.u32 [%a], %t; st.shared.u32 [s+16], 99;\n"
		"ld.shared.u32 %v, [%a]; st.global.u32 [%p], %v; ret; }");
	uint32_t *out = machine_alloc(machine, 32 * 4, NULL);
	uint64_t params[] = { (uintptr_t)out };

	(void)state;
	assert_int_equal(machine_run(machine, "k", 1, 32, params, sizeof(params)),
		EXEC_ILLEGAL_ADDRESS);
	machine->launch.dynamic_shared_size = 128;
	machine_must_run(machine, "k", 1, 32, params, sizeof(params));
	for (uint32_t i = 0; i < 32; i++) {
		assert_int_equal(out[i], i);
	}
	machine_free(machine);
}

static void
atomics_of_all_threads_add_up(void **state)
{
	struct machine *machine = machine_new(HEAD
		".visible .entry k(.param .u64 out) { .reg .b64 %o; .reg .b32 %t, %c; "
		".reg .f32 %f;\n"
		".reg .f64 %d; .reg .b16 %h;\n"
		"ld.param.u64 %o, [out]; mov.u32 %t, %tid.x; mov.u32 %c, %ctaid.x;\n"
		"mad.lo.u32 %t, %c, 64, %t;\n"
		"red.global.add.u32 [%o], %t; atom.global.max.s32 %c, [%o+4], %t;\n"
		"red.global.min.u32 [%o+8], %t; red.global.inc.u32 [%o+12], 99;\n"
		"red.global.add.f32 [%o+16], 0f3f800000; red.global.or.b32 [%o+20], %t;\n"
		"red.global.add.f64 [%o+24], 0d3fe0000000000000; red.global.xor.b32 "
		"[%o+32], %t;\n"
		"red.global.dec.u32 [%o+36], 6; mov.b32 %c, 0x3c003800;\n"
		"red.global.add.noftz.f16x2 [%o+40], %c; ret; }");
	uint32_t *out = machine_alloc(machine, 64, NULL);
	uint64_t params[] = { (uintptr_t)out };
	double sum;

	(void)state;
	out[2] = 5000;
	machine_must_run(machine, "k", 10, 64, params, sizeof(params));
	assert_int_equal(out[0], 640 * 639 / 2);
	assert_int_equal(out[1], 639);
	assert_int_equal(out[2], 0);
	assert_int_equal(out[3], 640 % 100);
	assert_int_equal(out[4], number_bits32(640));
	assert_int_equal(out[5], 1023);
	memcpy(&sum, &out[6], 8);
	assert_true(sum == 320.0);
	assert_int_equal(out[8], 0);
	assert_int_equal(out[9], (7 - 640 % 7) % 7);
	assert_int_equal(
		out[10], (uint32_t)number_to_f16(640) << 16 | number_to_f16(320));
	machine_free(machine);
}

/* Two blocks on two threads: a pair is written by one store and must be read as a pair.
 */
static void
vector_accesses_do_not_tear(void **state)
{
	struct machine *machine = machine_new(HEAD
		".visible .entry k(.param .u64 out) { .reg .b64 %o, %x, %y; .reg .b32 "
		"%c, %n;\n"
		".reg .pred %q; ld.param.u64 %o, [out]; mov.u32 %c, %ctaid.x; mov.u32 "
		"%n, 0;\n"
		"setp.ne.u32 %q, %c, 0; @%q bra R;\n"
		"W: cvt.u64.u32 %x, %n; st.relaxed.gpu.global.v2.u64 [%o], {%x, %x};\n"
		"add.u32 %n, %n, 1; setp.lt.u32 %q, %n, 20000; @%q bra W; ret;\n"
		"R: ld.relaxed.gpu.global.v2.u64 {%x, %y}, [%o]; setp.ne.u64 %q, %x, "
		"%y;\n"
		"@%q st.global.u32 [%o+16], 1; add.u32 %n, %n, 1; setp.lt.u32 %q, %n, "
		"20000;\n"
		"@%q bra R; ret; }");
	uint32_t *out = machine_alloc(machine, 32, NULL);
	uint64_t params[] = { (uintptr_t)out };

	(void)state;
	machine_must_run(machine, "k", 2, 1, params, sizeof(params));
	assert_int_equal(out[4], 0);
	assert_int_equal(out[0], 19999);
	machine_free(machine);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accesses_outside_of_their_memory_are_faults),
		cmocka_unit_test(small_loads_extend_by_their_type),
		cmocka_unit_test(generic_addresses_know_their_window),
		cmocka_unit_test(dynamic_shared_memory_begins_after_the_static),
		cmocka_unit_test(atomics_of_all_threads_add_up),
		cmocka_unit_test(vector_accesses_do_not_tear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
