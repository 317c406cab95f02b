/* SPDX-License-Identifier: Apache-2.0 */
/* test-ptx-link.c: several PTX texts made into one module, as -rdc=true needs it. */
#include "soft-device/test-ptx.h"

static int
link_two(const char *a, const char *b, struct ptx_error *ret_error,
	struct ptx_module **ret_module)
{
	struct ptx_text texts[2] = { { a, strlen(a) }, { b, strlen(b) } };

	return ptx_module_new(texts, 2, NULL, ret_error, ret_module);
}

static void
extern_symbols_are_found_in_either_order(void **state)
{
	static const char user[] = HEAD ".extern .func f();\n.extern .global .u32 x;\n"
					".global .u64 p = generic(x);\n"
					".visible .entry k() { .reg .b64 %rd<2>; mov.u64 "
					"%rd1, x; call f, (); ret; }";
	static const char owner[] =
		HEAD ".visible .global .u32 x = 5;\n.visible .func f() { ret; }";

	for (int swap = 0; swap < 2; swap++) {
		struct ptx_error error;
		MODULE m = NULL;

		assert_int_equal(
			link_two(swap ? owner : user, swap ? user : owner, &error, &m),
			0);
		const struct ptx_function *k = ptx_module_function(m, "k");
		struct ptx_variable *x = ptx_module_variable(m, "x");
		uint32_t value;
		uint64_t p;

		assert_null(k->unsupported);
		assert_ptr_equal(k->code[0].operands[1].variable, x);
		assert_true(k->code[1].call->callee->is_defined);
		ptx_variable_fill(x, &value);
		assert_int_equal(value, 5);
		x->address = 4096;
		ptx_variable_fill(ptx_module_variable(m, "p"), &p);
		assert_int_equal(p, 4096);
	}
}

static void
internal_symbols_stay_apart(void **state)
{
	struct ptx_error error;
	MODULE m = NULL;

	assert_int_equal(link_two(HEAD ".func f() { ret; }\n.global .u32 x = 1;\n"
				       ".visible .entry a() { call f, (); ret; }",
				 HEAD ".func f() { exit; }\n.global .u32 x = 2;\n"
				      ".visible .entry b() { call f, (); ret; }",
				 &error, &m),
		0);
	const struct ptx_function *a = ptx_module_function(m, "a");
	const struct ptx_function *b = ptx_module_function(m, "b");

	assert_int_equal(a->code[0].call->callee->code[0].opcode, PTX_OP_RET);
	assert_int_equal(b->code[0].call->callee->code[0].opcode, PTX_OP_EXIT);
	assert_int_equal(m->n_variables, 2);
}

static void
weak_definitions_give_way(void **state)
{
	static const char weak[] =
		HEAD ".weak .func f() { exit; }\n.weak .global .u32 x = 1;\n"
		     ".visible .entry a() { call f, (); ret; }";
	static const char strong[] =
		HEAD ".visible .func f() { trap; }\n.visible .global .u32 x = 2;";
	static const char weak2[] =
		HEAD ".weak .func f() { brkpt; }\n.weak .global .u32 x = 3;";
	struct ptx_error error;
	uint32_t x;

	for (int swap = 0; swap < 2; swap++) {
		MODULE m = NULL;

		assert_int_equal(
			link_two(swap ? strong : weak, swap ? weak : strong, &error, &m),
			0);
		assert_int_equal(
			ptx_module_function(m, "a")->code[0].call->callee->code[0].opcode,
			PTX_OP_TRAP);
		ptx_variable_fill(ptx_module_variable(m, "x"), &x);
		assert_int_equal(x, 2);
	}
	MODULE both = NULL;

	assert_int_equal(link_two(weak, weak2, &error, &both), 0);
	assert_int_equal(ptx_module_function(both, "f")->code[0].opcode, PTX_OP_EXIT);
	ptx_variable_fill(ptx_module_variable(both, "x"), &x);
	assert_int_equal(x, 1);
}

static void
errors_name_the_text(void **state)
{
	struct ptx_error error;
	MODULE m = NULL;

	assert_int_equal(link_two(HEAD ".visible .func f() { ret; }",
				 HEAD "\n.visible .func f() { ret; }", &error, &m),
		-EINVAL);
	assert_string_equal(
		error.message, "ptx line 5 of text 2: function 'f' is defined twice");
}

static void
undefined_variables_mark_the_function(void **state)
{
	MODULE m = parse(
		HEAD ".extern .global .u32 x;\n.visible .entry k() { .reg .b32 %r<2>;\n"
		     "ld.global.u32 %r1, [x]; ret; }");

	assert_string_equal(ptx_module_function(m, "k")->unsupported,
		"use of undefined variable 'x'");
}

static void
aliases(void **state)
{
	MODULE m = parse(
		HEAD ".visible .func f() { exit; }\n.visible .func g();\n.alias g, f;\n"
		     ".visible .entry k() { call g, (); ret; }");
	const struct ptx_function *k = ptx_module_function(m, "k");

	assert_null(k->unsupported);
	assert_string_equal(k->code[0].call->callee->name, "g");
	assert_int_equal(k->code[0].call->callee->code[0].opcode, PTX_OP_EXIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(extern_symbols_are_found_in_either_order),
		cmocka_unit_test(internal_symbols_stay_apart),
		cmocka_unit_test(weak_definitions_give_way),
		cmocka_unit_test(errors_name_the_text),
		cmocka_unit_test(undefined_variables_mark_the_function),
		cmocka_unit_test(aliases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
