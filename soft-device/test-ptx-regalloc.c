/* SPDX-License-Identifier: Apache-2.0 */
/* test-ptx-regalloc.c: sharing places in the frame changes no result.
 *
 * Random programs with loops and branches are run twice: by an interpreter of the program
 * as it was made, with one variable per register, and over the frame of the module. */
#include "soft-device/test-ptx.h"

enum { N_VARIABLES = 12, MAX_OPERATIONS = 60, MAX_STEPS = 3000 };

/* d = a + b, d = a ^ imm, or: if (a & 1) go to target, at most for MAX_STEPS steps. */
struct operation {
	enum { ADD, XOR, JUMP, GUARDED } kind;
	unsigned int d;
	unsigned int a;
	unsigned int b;
	uint32_t imm;
	unsigned int target;
};

static unsigned int
pick(unsigned int *seed, unsigned int n)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 16) % n;
}

static unsigned int
make_program(unsigned int *seed, struct operation *program)
{
	unsigned int n = 5 + pick(seed, MAX_OPERATIONS - 5);

	for (unsigned int i = 0; i < n; i++) {
		unsigned int r = pick(seed, 10);

		program[i] = (struct operation){
			.kind = r < 4	? ADD
				: r < 7 ? XOR
				: r < 8 ? GUARDED
					: JUMP,
			.d = pick(seed, N_VARIABLES),
			.a = pick(seed, N_VARIABLES),
			.b = pick(seed, N_VARIABLES),
			.imm = pick(seed, 1000) + 1,
			.target = pick(seed, n + 1),
		};
	}
	return n;
}

/* %r0.. are the variables, %rd1 the place of results, %r90.. are temporaries. */
static char *
make_text(const struct operation *program, unsigned int n)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	for (int v = 0; v < N_VARIABLES; v++) {
		fprintf(f, "mov.u32 %%r%d, %d;\n", v, v * 77 + 5);
	}
	for (unsigned int i = 0; i < n; i++) {
		const struct operation *o = &program[i];

		fprintf(f, "L%u:\n", i);
		switch (o->kind) {
		case ADD:
			fprintf(f, "add.u32 %%r%u, %%r%u, %%r%u;\n", o->d, o->a, o->b);
			break;
		case XOR:
			/* By way of a temporary, which is exact in its block. */
			fprintf(f, "add.u32 %%r%u, %%r%u, %u;\n", 20 + i, o->a, o->imm);
			fprintf(f, "xor.b32 %%r%u, %%r%u, %%r%u;\n", o->d, 20 + i, o->b);
			break;
		case GUARDED:
			fprintf(f, "setp.lt.u32 %%p1, %%r%u, %%r%u;\n", o->a, o->b);
			fprintf(f, "@%%p1 add.u32 %%r%u, %%r%u, %u;\n", o->d, o->a,
				o->imm);
			break;
		case JUMP:
			fprintf(f, "setp.lt.u32 %%p2, %%r%u, %%r%u;\n", o->a, o->b);
			fprintf(f, "@%%p2 bra L%u;\n", o->target);
			break;
		}
	}
	fprintf(f, "L%u:\n", n);
	for (int v = 0; v < N_VARIABLES; v++) {
		fprintf(f, "st.global.u32 [%%rd1+%d], %%r%d;\n", v * 4, v);
	}
	fclose(f);
	return text;
}

/* False: it does not end. */
static bool
run_program(const struct operation *program, unsigned int n, uint32_t *v)
{
	unsigned int steps = 0;

	for (unsigned int i = 0; i < N_VARIABLES; i++) {
		v[i] = i * 77 + 5;
	}
	for (unsigned int i = 0; i < n;) {
		const struct operation *o = &program[i];
		bool less = v[o->a] < v[o->b];

		if (++steps > MAX_STEPS) {
			return false;
		}
		i++;
		switch (o->kind) {
		case ADD: v[o->d] = v[o->a] + v[o->b]; break;
		case XOR: v[o->d] = (v[o->a] + o->imm) ^ v[o->b]; break;
		case GUARDED: v[o->d] = less ? v[o->a] + o->imm : v[o->d]; break;
		case JUMP: i = less ? o->target : i; break;
		}
	}
	return true;
}

static uint32_t *
word(uint8_t *frame, uint32_t offset)
{
	return (uint32_t *)(frame + offset);
}

static void
run_function(const struct ptx_function *f, uint32_t *results)
{
	uint8_t *frame = aligned_alloc(PTX_FRAME_ALIGNMENT, f->frame_size);

	memset(frame, 0xa5, f->frame_size);
	for (uint32_t i = 0; i < f->n_constants; i++) {
		*word(frame, f->constants[i].offset) = (uint32_t)f->constants[i].value;
	}
	for (uint32_t pc = 0; pc < f->n_code; pc++) {
		const struct ptx_instr *in = &f->code[pc];
		uint32_t a = *word(frame, in->a);
		uint32_t b = *word(frame, in->b);

		if (in->predicate != 0 && (*word(frame, in->predicate) & 1) == 0) {
			continue;
		}
		switch (in->opcode) {
		case PTX_OP_MOV: *word(frame, in->dst) = a; break;
		case PTX_OP_ADD: *word(frame, in->dst) = a + b; break;
		case PTX_OP_XOR: *word(frame, in->dst) = a ^ b; break;
		case PTX_OP_SETP: *word(frame, in->dst) = a < b; break;
		case PTX_OP_BRA: pc = in->target; break;
		case PTX_OP_ST: results[in->operands[0].imm / 4] = a; break;
		case PTX_OP_LABEL: break;
		case PTX_OP_RET: free(frame); return;
		default: fail();
		}
	}
	fail();
}

static void
random_programs(void **state)
{
	unsigned int seed = 1;
	unsigned int n_run = 0;

	for (int i = 0; i < 3000; i++) {
		struct operation program[MAX_OPERATIONS];
		uint32_t expected[N_VARIABLES];
		uint32_t got[N_VARIABLES] = { 0 };
		unsigned int n = make_program(&seed, program);

		if (!run_program(program, n, expected)) {
			continue;
		}
		cleanup_free char *text = make_text(program, n);
		MODULE m = parse_body(text);

		run_function(ptx_module_function(m, "k"), got);
		if (memcmp(expected, got, sizeof(got)) != 0) {
			fail_msg("program %d:\n%s", i, text);
		}
		n_run++;
	}
	assert_true(n_run > 500);
}

/* Many values one after another need few places. */
static void
places_are_shared(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	for (int i = 2; i < 90; i++) {
		fprintf(f, "add.u32 %%r%d, %%r%d, 1;\n", i, i - 1);
	}
	fclose(f);
	MODULE m = parse_body(text);

	free(text);
	/* Two registers and one constant of 128 bytes, and what every frame has. */
	assert_int_equal(ptx_module_function(m, "k")->frame_size, 128 + 3 * 128);
}

/* What is written before a loop and read in it is needed until the loop's end. */
static void
loops_keep_what_they_read(void **state)
{
	MODULE m =
		parse_body("mov.u32 %r1, 7;\nL: add.u32 %r2, %r1, 1;\nmov.u32 %r3, 5;\n"
			   "add.u32 %r4, %r3, %r3;\n@%p1 bra L;");
	const struct ptx_instr *code = ptx_module_function(m, "k")->code;

	for (int i = 2; i < 5; i++) {
		assert_int_not_equal(code[i].dst, code[0].dst);
	}
}

/* So it is where the loop is closed by a jump table, whose lowest label counts. */
static void
jump_tables_make_loops(void **state)
{
	MODULE m = parse_body("mov.u32 %r1, 7;\nL: add.u32 %r2, %r1, 1;\n"
			      "M: mov.u32 %r3, 5;\nadd.u32 %r4, %r3, %r3;\n"
			      "T: .branchtargets E, L, M;\nbrx.idx %r9, T;\nE: ret;");
	const struct ptx_instr *code = ptx_module_function(m, "k")->code;

	assert_int_equal(code[2].opcode, PTX_OP_ADD);
	assert_int_equal(code[4].opcode, PTX_OP_MOV);
	for (int i = 2; i < 6; i++) {
		assert_true(code[i].is_label || code[i].dst != code[0].dst);
	}
}

/* A guarded write keeps the old value where the guard is false. */
static void
guarded_writes_keep_the_old_value(void **state)
{
	MODULE m = parse_body("L: @%p1 mov.u32 %r1, 7;\nst.global.u32 [%rd1], %r1;\n"
			      "mov.u32 %r2, 1;\nst.global.u32 [%rd1], %r2;\n@%p2 bra L;");
	const struct ptx_instr *code = ptx_module_function(m, "k")->code;

	assert_int_not_equal(code[3].dst, code[1].dst);
}

static void
registers_are_aligned_and_apart(void **state)
{
	MODULE m =
		parse_body("add.u64 %rd1, %rd2, 3; add.u32 %r1, %r2, %r3;\n"
			   "setp.eq.and.u32 %p1|%p2, %r1, %r2, %p3; mov.b16 %rs1, %rs2;\n"
			   "selp.b64 %rd3, %rd1, %rd2, %p1; st.global.u64 [%rd3], %rd1;\n"
			   "st.global.u64 [%rd3], %r1; @%p2 bra L; L: ret;");
	const struct ptx_function *f = ptx_module_function(m, "k");

	for (uint32_t i = 0; i < f->n_code; i++) {
		for (int k = 0; k < f->code[i].n_operands; k++) {
			const struct ptx_operand *o = &f->code[i].operands[k];

			if (o->kind != PTX_OPERAND_REG) {
				continue;
			}
			assert_true(o->offset > PTX_FRAME_CARRY);
			assert_int_equal(o->offset % (o->predicate ? 4 : 64), 0);
			assert_true(o->offset + (o->predicate ? 4u : 32u * o->size) <=
				    f->frame_size);
		}
	}
	assert_int_not_equal(f->code[2].dst, f->code[2].second);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_programs),
		cmocka_unit_test(places_are_shared),
		cmocka_unit_test(loops_keep_what_they_read),
		cmocka_unit_test(jump_tables_make_loops),
		cmocka_unit_test(guarded_writes_keep_the_old_value),
		cmocka_unit_test(registers_are_aligned_and_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
