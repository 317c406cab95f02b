/* SPDX-License-Identifier: Apache-2.0 */
/* test-ptx.c: reading PTX text: declarations, operands, opcodes, errors, limits. */
#include "soft-device/test-ptx.h"

#include "soft-device/ptx_report.h"

static const struct ptx_function *
kernel(const struct ptx_module *module)
{
	const struct ptx_function *function = ptx_module_function(module, "k");

	assert_non_null(function);
	return function;
}

static const struct ptx_instr *
first(const struct ptx_module *module)
{
	return &kernel(module)->code[0];
}

/* As inline assembly has them. */
static void
glued_directive(void **state)
{
	MODULE m = parse_body("{.reg.b16 r;mov.b16 r,5;}");

	assert_int_equal(first(m)->operands[0].size, 2);
}

static void
long_names(void **state)
{
	char name[2001];
	char *text = NULL;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_true(asprintf(&text, HEAD ".visible .entry %s() { ret; }", name) > 0);
	MODULE m = parse(text);

	free(text);
	assert_non_null(ptx_module_function(m, name));
}

/* An inner %r<5> hides the outer one; the outer one comes back. */
static void
register_ranges_belong_to_their_scope(void **state)
{
	MODULE m = parse_body("mov.u32 %r1, 1;\n"
			      "{ .reg .b64 %r<5>; mov.u64 %r1, 2;\n"
			      "  { mov.u64 %r2, 3; mov.u32 %r7, 8; } }\n"
			      "mov.u32 %r1, 4;");
	const struct ptx_instr *code = kernel(m)->code;

	assert_int_equal(code[0].operands[0].size, 4);
	assert_int_equal(code[1].operands[0].size, 8);
	assert_int_equal(code[2].operands[0].size, 8);
	assert_int_equal(code[3].operands[0].size, 4); /* beyond the inner range */
	assert_int_equal(code[4].operands[0].size, 4);
}

static void
register_beyond_its_range(void **state)
{
	struct ptx_error error;

	assert_int_equal(
		parse_error(HEAD ".entry k() {\n.reg .b32 %r<3>;\nmov.u32 %r3, 1;\n}",
			&error),
		-EINVAL);
	assert_int_equal(error.line, 6);
	assert_string_equal(error.message, "ptx line 6: undefined symbol '%r3'");
}

/* The address of a parameter is a value as well. */
static void
address_of_a_parameter(void **state)
{
	MODULE m =
		parse_body("mov.b64 %rd1, k_param_1; ld.param.u32 %r1, [k_param_1+2];");
	const struct ptx_operand *address = &first(m)->operands[1];

	assert_int_equal(address->kind, PTX_OPERAND_ADDRESS);
	assert_int_equal(address->base, PTX_BASE_PARAM);
	assert_int_equal(address->imm, 8);
	const struct ptx_operand *memory = &kernel(m)->code[1].operands[1];

	assert_int_equal(memory->kind, PTX_OPERAND_MEMORY);
	assert_int_equal(memory->base, PTX_BASE_PARAM);
	assert_int_equal(memory->imm, 10);
}

static void
parameters_are_laid_out(void **state)
{
	MODULE m = parse(HEAD
		".visible .entry k(.param .u32 a,\n"
		".param .align 16 .b8 b[24], .param .u64 .ptr .global .align 4 c,"
		".param .u8 d) .maxntid 128, 2, 1 .minnctapersm 3 .maxnreg 40 {ret;}");
	const struct ptx_function *f = kernel(m);

	assert_int_equal(f->n_params, 4);
	assert_int_equal(f->params[1].offset, 16);
	assert_int_equal(f->params[1].size, 24);
	assert_int_equal(f->params[1].alignment, 16);
	assert_int_equal(f->params[2].offset, 40);
	assert_int_equal(f->params[2].alignment, 8);
	assert_int_equal(f->params_size, 49);
	assert_int_equal(f->max_threads[0], 128);
	assert_int_equal(f->max_threads[1], 2);
	assert_int_equal(f->min_blocks, 3);
	assert_int_equal(f->max_registers, 40);
}

static void
immediates(void **state)
{
	static const struct {
		const char *text;
		uint64_t value;
		unsigned int size;
	} cases[] = {
		{ "mov.u32 %r1, 0x1fU", 0x1f, 4 },
		{ "mov.s32 %r1, -1", 0xffffffff, 4 },
		{ "mov.u64 %rd1, -1", UINT64_MAX, 8 },
		{ "mov.u32 %r1, 0b101", 5, 4 },
		{ "mov.u32 %r1, 017", 15, 4 },
		{ "mov.u32 %r1, WARP_SZ", 32, 4 },
		{ "mov.f32 %f1, 0f3F800000", 0x3f800000, 4 },
		{ "mov.f32 %f1, 1.5", 0x3fc00000, 4 },
		{ "mov.f32 %f1, -0f3F800000", 0xbf800000, 4 },
		{ "mov.f64 %fd1, 0dC000000000000000", 0xc000000000000000, 8 },
		{ "mov.f64 %fd1, 0f3F800000", 0x3ff0000000000000, 8 },
		{ "mov.f32 %f1, 0d4000000000000000", 0x40000000, 4 },
		{ "mov.b16 %rs1, 70000", 70000 & 0xffff, 2 },
		{ "mov.pred %p1, 1", 0xffffffff, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char body[100];

		snprintf(body, sizeof(body), "%s;", cases[i].text);
		MODULE m = parse_body(body);
		const struct ptx_operand *o = &first(m)->operands[1];

		assert_true(o->immediate);
		assert_int_equal((uint64_t)o->imm, cases[i].value);
		assert_int_equal(o->size, cases[i].size);
		assert_int_equal(kernel(m)->n_constants, 1);
		assert_int_equal(kernel(m)->constants[0].offset, o->offset);
		assert_int_equal(kernel(m)->constants[0].value, cases[i].value);
	}
}

/* The size of an immediate follows the operand and not the instruction. */
static void
immediates_have_the_operands_type(void **state)
{
	MODULE m = parse_body(
		"shl.b64 %rd1, %rd2, 3; mad.wide.u32 %rd1, %r1, 4, 5;\n"
		"setp.eq.and.s64 %p1, %rd1, 3, 1; cvt.u64.u32 %rd1, 7;\n"
		"shfl.sync.down.b32 %r1|%p2, %r2, 1, 31, -1; selp.b64 %rd1, 1, 2, %p1;");
	const struct ptx_instr *code = kernel(m)->code;

	assert_int_equal(code[0].operands[2].size, 4);
	assert_int_equal(code[1].operands[2].size, 4);
	assert_int_equal(code[1].operands[3].size, 8);
	assert_int_equal(code[2].operands[2].size, 8);
	assert_int_equal(code[2].operands[3].size, 0);
	assert_true(code[2].operands[3].predicate);
	assert_int_equal(code[3].operands[1].size, 4);
	assert_int_equal(code[4].operands[4].size, 4);
	assert_true(code[4].has_second);
	assert_int_not_equal(code[4].second, 0);
	assert_int_equal(code[5].operands[2].size, 8);
}

static void
modifiers(void **state)
{
	MODULE m = parse_body(
		"@!%p1 add.rz.ftz.sat.f32 %f1, %f2, %f3;\n"
		"cvt.rni.s32.f32 %r1, %f1;\n"
		"ld.volatile.shared::cta.v4.u32 {%r1, _, %r2, %r3}, [%rd1+-16];\n"
		"setp.hi.u32 %p1|_, %r1, %r2; mul.hi.u32 %r1, %r2, %r3;\n"
		"ld.global.nc.L1::no_allocate.L2::128B.L2::cache_hint.f32 %f1, [%rd1], "
		"%rd2;\n"
		"atom.acq_rel.gpu.global.cas.b32 %r1, [%rd1], %r2, %r3;\n"
		"shf.l.wrap.b32 %r1, %r2, %r3, %r4; mul.frobnicate.lo.s32 %r1, %r2, "
		"%r3;");
	const struct ptx_instr *code = kernel(m)->code;

	assert_int_equal(code[0].opcode, PTX_OP_ADD);
	assert_int_equal(code[0].rounding, PTX_ROUND_ZERO);
	assert_true(code[0].predicate != 0 && code[0].predicate_negated);
	assert_int_equal(code[0].flags, PTX_FTZ | PTX_SAT);
	assert_true(code[1].round_integer);
	assert_int_equal(code[1].type, PTX_S32);
	assert_int_equal(code[1].type2, PTX_F32);
	assert_int_equal(code[2].space, PTX_SHARED);
	assert_int_equal(code[2].vector, 4);
	assert_int_equal(code[2].operands[0].n_elements, 4);
	assert_int_equal(code[2].operands[0].elements[1].offset, 0);
	assert_int_equal(code[2].operands[1].imm, -16);
	assert_int_equal(code[3].compare, PTX_GT);
	assert_true(code[3].has_second);
	assert_int_equal(code[3].second, 0);
	assert_int_equal(code[4].compare, PTX_COMPARE_NONE);
	assert_int_equal(code[4].flags, PTX_HI);
	assert_int_equal(code[5].flags, PTX_HINT);
	assert_int_equal(code[5].n_operands, 2); /* the cache policy is a hint too */
	assert_int_equal(code[6].operation, PTX_OPERATION_CAS);
	assert_int_equal(code[6].flags, PTX_ACQ_REL | PTX_SCOPE);
	assert_int_equal(code[7].flags, PTX_LEFT | PTX_WRAP);
	assert_int_equal(code[8].flags, PTX_OTHER | PTX_LO);
	assert_true(ptx_instr_has(&code[8], "frobnicate"));
	assert_false(ptx_instr_has(&code[8], "frob"));
	assert_string_equal(code[8].text, "mul.frobnicate.lo.s32");
}

static void
special_registers(void **state)
{
	MODULE m = parse_body(
		"mov.u32 %r1, %tid.x; mov.u64 %rd1, %clock64; mov.u32 %r2, %tid.x;");
	const struct ptx_function *f = kernel(m);

	assert_int_equal(f->code[0].operands[1].special, PTX_TID_X);
	assert_int_not_equal(f->special[PTX_TID_X], 0);
	assert_int_equal(f->code[0].a, f->special[PTX_TID_X]);
	assert_int_equal(f->code[2].a, f->special[PTX_TID_X]);
	assert_int_equal(f->code[1].operands[1].size, 8);
	assert_int_equal(f->special[PTX_TID_Y], 0);
}

static void
unknown_instructions_mark_the_function(void **state)
{
	MODULE m = parse_body(
		"add.u32 %r1, %r1, 1;\nfoo.bar.u32 {%r1, {x}}, [whatever+], 3;\nret;");

	assert_string_equal(kernel(m)->unsupported,
		"unsupported instruction 'foo.bar.u32' at ptx line 9");
	assert_ptr_equal(kernel(m)->unsupported_in, kernel(m));
}

static void
refused_instructions_mark_the_function(void **state)
{
	MODULE m = parse_body("cos.approx.f32 %f1, %f2;");

	assert_string_equal(kernel(m)->unsupported,
		"unsupported instruction 'cos.approx.f32' (no cosine) at ptx line 8");
}

static void
foreign_operands_mark_the_function(void **state)
{
	MODULE m = parse_body("mov.u32 %r1, %pm3;\nmov.u32 %r1, %r2.x;\nret;");

	assert_non_null(strstr(kernel(m)->unsupported, "'%pm3' at ptx line 8"));
}

/* Inline assembly that is expanded twice has its labels twice. */
static void
labels_belong_to_their_scope(void **state)
{
	MODULE m = parse_body("{ L: @%p1 bra D; bra L; D: }\n"
			      "{ L: @%p1 bra D; bra L; D: bra E; }\nE: ret;");
	const struct ptx_instr *code = kernel(m)->code;

	assert_true(code[0].is_label);
	assert_int_equal(code[1].target, 3);
	assert_int_equal(code[2].target, 0);
	assert_true(code[4].is_label);
	assert_int_equal(code[5].target, 7);
	assert_int_equal(code[6].target, 4);
	assert_int_equal(code[8].target, 9);
}

static void
labels_nobody_uses_are_dropped(void **state)
{
	MODULE m = parse_body("bra B;\nA: mov.u32 %r1, 1;\nB: ret;");
	const struct ptx_function *f = kernel(m);

	assert_int_equal(f->n_code, 5);
	assert_int_equal(f->code[0].target, 2);
	assert_true(f->code[2].is_label);
	assert_int_equal(f->code[4].opcode, PTX_OP_RET);
}

static void
jump_tables(void **state)
{
	MODULE m = parse_body(
		"T: .branchtargets A, B, A;\nbrx.idx %r1, T;\nA: ret;\nB: exit;");
	const struct ptx_instr *brx = first(m);

	assert_int_equal(brx->opcode, PTX_OP_BRX);
	assert_int_equal(brx->n_targets, 3);
	assert_int_equal(brx->targets[0], 1);
	assert_int_equal(brx->targets[1], 3);
	assert_int_equal(brx->targets[2], 1);
}

static void
calls(void **state)
{
	MODULE m = parse(
		HEAD ".func (.param .b32 r) g(.param .b64 a, .param .align 8 .b8 b[8]);\n"
		     ".visible .entry k() {\n.reg .b64 %rd<3>; .reg .b32 %r<3>;\n"
		     "{ .param .b64 p0; .param .align 8 .b8 p1[8]; .param .b32 q;\n"
		     "st.param.b64 [p0+0], %rd1;\n"
		     "call.uni (q), g, (p0, p1);\nld.param.b32 %r1, [q];\n}\n"
		     "{ .param .b32 q; P: .callprototype (.param .b32 _) _ (); call (q), "
		     "%rd2, (), P; }\n"
		     "ret; }\n"
		     ".func (.param .b32 r) g(.param .b64 a, .param .align 8 .b8 b[8])\n"
		     "{ .reg .b32 %r<3>; st.param.b32 [r], %r1; ret; }\n");
	const struct ptx_function *f = kernel(m);
	const struct ptx_call *call = f->code[1].call;

	assert_string_equal(call->callee->name, "g");
	assert_true(call->callee->is_defined);
	assert_int_equal(call->callee->rets_size, 4);
	assert_int_equal(call->n_args, 2);
	assert_int_equal(call->args[1].offset, 8);
	assert_int_equal(call->args[1].size, 8);
	assert_int_equal(call->rets[0].offset, 16);
	assert_int_equal(f->code[0].operands[0].base, PTX_BASE_CALL);
	/* The second call takes the place of the first one's parameters. */
	assert_int_equal(f->code[3].call->rets[0].offset, 0);
	assert_null(f->code[3].call->callee);
	assert_int_not_equal(f->code[3].call->target, 0);
	assert_int_equal(f->call_size, 32);
	assert_int_equal(call->callee->code[0].operands[0].base, PTX_BASE_RETURN);
}

static void
undefined_callees(void **state)
{
	MODULE m = parse(
		HEAD ".extern .func vprintf(.param .b64 a, .param .b64 b);\n"
		     ".extern .func nowhere();\n.func h() { call nowhere, (); ret; }\n"
		     ".visible .entry k() { call h, (); ret; }\n"
		     ".visible .entry l() { .param .b64 a; .param .b64 b; call vprintf, "
		     "(a, b); ret; }");
	const struct ptx_function *l = ptx_module_function(m, "l");

	assert_string_equal(
		kernel(m)->unsupported, "call of undefined function 'nowhere'");
	assert_string_equal(kernel(m)->unsupported_in->name, "nowhere");
	assert_null(l->unsupported);
	assert_ptr_equal(l->code[0].call->callee->builtin, do_nothing);
}

static void
initialisers(void **state)
{
	MODULE m = parse(HEAD
		".func f() { ret; }\n.visible .global .align 4 .u32 x[4] = {1, 2, "
		"0x10};\n"
		".global .align 8 .u64 p[3] = {x, generic(x)+8, f};\n"
		".global .align 1 .b8 b[9] = {7, 0xFF(generic(x)), 0xFF00(generic(x)),"
		" 0xFF0000(generic(x)), 0xFF000000(generic(x)), 0xFF00000000(generic(x)),"
		" 0xFF0000000000(generic(x)), 0xFF000000000000(generic(x)),"
		" 0xFF00000000000000(generic(x))};\n"
		".const .f32 c[2] = {0f3F800000, -1.5};\n.global .b8 s[] = {1, 2, 3};\n"
		".global .s16 n = -2;\n.global .b32 grid[2][2] = {{1, 2}, {3, 4}};");
	struct ptx_variable *x = ptx_module_variable(m, "x");
	uint64_t p[3];
	uint8_t b[9];
	uint32_t words[4];
	uint64_t address;

	x->address = 0x1122334455667788;
	ptx_variable_fill(x, words);
	assert_int_equal(words[0], 1);
	assert_int_equal(words[2], 16);
	assert_int_equal(words[3], 0);
	ptx_variable_fill(ptx_module_variable(m, "p"), p);
	assert_int_equal(p[0], 0x1122334455667788);
	assert_int_equal(p[1], 0x1122334455667790);
	assert_int_equal(p[2], PTX_WINDOW_FUNCTION | ptx_module_function(m, "f")->index);
	ptx_variable_fill(ptx_module_variable(m, "b"), b);
	memcpy(&address, b + 1, 8);
	assert_int_equal(b[0], 7);
	assert_int_equal(address, 0x1122334455667788);
	ptx_variable_fill(ptx_module_variable(m, "c"), words);
	assert_int_equal(words[0], 0x3f800000);
	assert_int_equal(words[1], 0xbfc00000);
	assert_int_equal(ptx_module_variable(m, "s")->size, 3);
	ptx_variable_fill(ptx_module_variable(m, "n"), b);
	assert_memory_equal(b, "\xfe\xff", 2);
	ptx_variable_fill(ptx_module_variable(m, "grid"), words);
	assert_int_equal(words[3], 4);
}

/* What only one kernel uses does not count for another one. */
static void
shared_memory_is_counted_per_kernel(void **state)
{
	MODULE m = parse(HEAD
		".extern .shared .align 16 .b8 dyn[];\n.shared .align 4 .b8 "
		"common[100];\n"
		".func f() { .reg .b32 %r<2>; ld.shared.u32 %r1, [common+4]; ret; }\n"
		".visible .entry a() { .shared .align 8 .b8 own[40]; .reg .b64 %rd<2>;\n"
		"  mov.u64 %rd1, own; call f, (); mov.u64 %rd1, dyn; ret; }\n"
		".visible .entry b() { .shared .align 8 .b8 own[1000]; .reg .b64 "
		"%rd<2>;\n"
		"  mov.u64 %rd1, own; call f, (); ret; }\n"
		".visible .entry c() { .shared .b8 t[12]; .reg .b64 %rd<2>; mov.u64 "
		"%rd1, t; ret; }");
	const struct ptx_function *a = ptx_module_function(m, "a");
	const struct ptx_function *b = ptx_module_function(m, "b");

	assert_int_equal(ptx_module_variable(m, "common")->offset, 0);
	assert_int_equal(a->code[0].operands[1].variable->offset, 104);
	assert_int_equal(b->code[0].operands[1].variable->offset, 104);
	assert_int_equal(a->shared_size, 144);
	assert_int_equal(a->dynamic_offset, 144);
	assert_int_equal(b->shared_size, 1104);
	assert_int_equal(ptx_module_function(m, "c")->shared_size, 12);
	assert_true(a->code[2].operands[1].variable->is_dynamic);
}

static void
local_variables(void **state)
{
	MODULE m = parse_body(".local .align 16 .b8 __local_depot0[20]; .local .u32 y;\n"
			      "mov.u64 %rd1, y;");

	assert_int_equal(kernel(m)->local_size, 24);
	assert_int_equal(first(m)->operands[1].variable->offset, 20);
}

static void
debug_information_is_skipped(void **state)
{
	MODULE m = parse(
		HEAD ".file 1 \"a;b{.cu\"\n.visible .entry k() {\n.loc 1 3 4, "
		     "function_name $L, inlined_at 1 2 3\n"
		     "$L__tmp0: ret;\n.pragma \"nounroll\";\n}\n"
		     ".section .debug_info { .b32 1, 2\n.b8 104\n.b64 k\nL$x:\n .b8 0 }\n"
		     "/* a\ncomment */ // another\n");

	assert_int_equal(kernel(m)->n_code, 2);
	assert_int_equal(kernel(m)->code[0].line, 7);
}

static void
texts_end_at_nul(void **state)
{
	static const char text[] = HEAD ".entry k() { ret; }\0 garbage {";
	struct ptx_error error;
	MODULE m = NULL;

	assert_int_equal(ptx_module_new(&(struct ptx_text){ text, sizeof(text) }, 1, NULL,
				 &error, &m),
		0);
}

static void
errors_have_lines(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{ "", "ptx line 1: an empty text" },
		{ "hello", "ptx line 1: unknown directive 'hello'" },
		{ ".entry k()\n{",
			"ptx line 2: expected '}' before the end of the text" },
		{ ".entry k() {\nret\n}", "ptx line 3: expected an operand before '}'" },
		{ ".entry k() {\ntrap 1 }", "ptx line 2: expected ';' before '}'" },
		{ ".entry k() {\nbra X;\n}", "ptx line 2: undefined label 'X'" },
		{ ".entry k() {\n\nfoo.u32 %r1 }",
			"ptx line 3: expected ';' before '}'" },
		{ ".entry k() {\nL: ret;\nL: ret; }",
			"ptx line 3: label 'L' is defined twice" },
		{ ".entry k() {\ncall f, (); }", "ptx line 2: undefined function 'f'" },
		{ ".entry k() {ret;}\n.entry k() {ret;}",
			"ptx line 2: function 'k' is defined twice" },
		{ ".global .u32 x;\n.global .u32 x;",
			"ptx line 2: 'x' is defined twice" },
		{ ".global .u32 x = y;",
			"ptx line 1: undefined symbol 'y' in an initialiser" },
		{ ".global .u32 x = {1,\n2};",
			"ptx line 2: the initialiser of 'x' is larger than it" },
		{ ".global .align 3 .u32 x;",
			"ptx line 1: an alignment is no power of two" },
		{ ".entry k() { .reg .b32 %r<2>;\n@%r1 ret; }",
			"ptx line 2: expected a predicate after '@'" },
		{ ".entry k() { .reg .b32 %r<2>;\nadd.u32 %r1, !%r1, 1; }",
			"ptx line 2: '!' before something that is no predicate" },
		{ ".address_size 32", "ptx line 1: addresses of other than 64 bits" },
		{ ".global .u32 x = 99999999999999999999;",
			"ptx line 1: bad number '99999999999999999999'" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ptx_error error;

		assert_int_equal(parse_error(cases[i].text, &error), -EINVAL);
		assert_string_equal(error.message, cases[i].message);
	}
}

static char *
repeat(const char *before, const char *what, size_t n, const char *after)
{
	size_t len = strlen(what);
	char *text = malloc(strlen(before) + n * len + strlen(after) + 1);
	char *at = stpcpy(text, before);

	for (size_t i = 0; i < n; i++) {
		at = stpcpy(at, what);
	}
	strcpy(at, after);
	return text;
}

static void
limits(void **state)
{
	cleanup_free char *deep = repeat(".entry k() {", "{", 100000, "");
	cleanup_free char *minus = repeat(".global .u32 x = ", "{", 100000, "1;");
	cleanup_free char *name = repeat(".global .u32 ", "x", 100000, ";");
	struct ptx_error error;

	assert_int_equal(parse_error(deep, &error), -E2BIG);
	assert_int_equal(parse_error(minus, &error), -EINVAL);
	assert_int_equal(parse_error(name, &error), -E2BIG);
	assert_int_equal(parse_error(".global .b8 x[0x10000000000];", &error), -E2BIG);
	assert_int_equal(
		parse_error(".global .b64 x[0xffffffff][0xffffffff];", &error), -E2BIG);
	assert_int_equal(
		parse_error(".entry k(.param .b8 x[100000]) {}", &error), -E2BIG);
}

static void
memory_is_limited(void **state)
{
	cleanup_free char *text = repeat(HEAD ".entry k() {.reg .b32 %r<3>;",
		"add.u32 %r1, %r2, 1;\n", 20000, "}");
	struct ptx_limits limits_of_test = ptx_limits_default;
	struct ptx_error error;
	struct ptx_module *module = NULL;
	struct ptx_text one = { text, strlen(text) };

	for (limits_of_test.memory_size = 64; limits_of_test.memory_size < 1 << 20;
		limits_of_test.memory_size *= 2) {
		assert_int_equal(
			ptx_module_new(&one, 1, &limits_of_test, &error, &module),
			-E2BIG);
	}
	limits_of_test = ptx_limits_default;
	limits_of_test.n_instructions = 10000;
	assert_int_equal(
		ptx_module_new(&one, 1, &limits_of_test, &error, &module), -E2BIG);
	assert_null(module);
}

/* A declared range costs nothing until it is used. */
static void
huge_ranges_are_free(void **state)
{
	MODULE m =
		parse(HEAD ".entry k() { .reg .b64 %rd<1000000000>; .reg .b32 %r<99>;\n"
			   "mov.u64 %rd123456789, 1; }");

	assert_true(kernel(m)->frame_size < 1024);
}

static void
report(void **state)
{
	MODULE m = parse(HEAD ".func f() { foo;\nret; }\n.entry k() { call f, (); }\n"
			      ".entry l() { ret; }");
	struct ptx_report r = ptx_report_of(m, true);
	struct ptx_report_line line;

	assert_true(ptx_report_next(&r, &line));
	assert_false(line.is_supported);
	assert_string_equal(
		line.reason, "unsupported instruction 'foo' at ptx line 4, in 'f'");
	assert_true(ptx_report_next(&r, &line));
	assert_true(line.is_supported);
	assert_false(ptx_report_next(&r, &line));
	assert_int_equal(r.n_functions, 2);
	assert_int_equal(r.n_supported, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(glued_directive),
		cmocka_unit_test(long_names),
		cmocka_unit_test(register_ranges_belong_to_their_scope),
		cmocka_unit_test(register_beyond_its_range),
		cmocka_unit_test(address_of_a_parameter),
		cmocka_unit_test(parameters_are_laid_out),
		cmocka_unit_test(immediates),
		cmocka_unit_test(immediates_have_the_operands_type),
		cmocka_unit_test(modifiers),
		cmocka_unit_test(special_registers),
		cmocka_unit_test(unknown_instructions_mark_the_function),
		cmocka_unit_test(refused_instructions_mark_the_function),
		cmocka_unit_test(foreign_operands_mark_the_function),
		cmocka_unit_test(labels_belong_to_their_scope),
		cmocka_unit_test(labels_nobody_uses_are_dropped),
		cmocka_unit_test(jump_tables),
		cmocka_unit_test(calls),
		cmocka_unit_test(undefined_callees),
		cmocka_unit_test(initialisers),
		cmocka_unit_test(shared_memory_is_counted_per_kernel),
		cmocka_unit_test(local_variables),
		cmocka_unit_test(debug_information_is_skipped),
		cmocka_unit_test(texts_end_at_nul),
		cmocka_unit_test(errors_have_lines),
		cmocka_unit_test(limits),
		cmocka_unit_test(memory_is_limited),
		cmocka_unit_test(huge_ranges_are_free),
		cmocka_unit_test(report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
