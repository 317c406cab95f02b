/* SPDX-License-Identifier: Apache-2.0 */
/* ptx_parse.h: what the files of the PTX front end share.
 *
 * One pass over the text, no syntax tree.  The first error is remembered and from then on
 * every token is the end of the text, so that all loops end by themselves and callers
 * need not check after each step (as in common/reader.h).
 *
 * While a function is read, the offset of an operand is the number of a virtual register;
 * ptx_regalloc() replaces it by an offset into the frame. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "soft-device/ptx.h"
#include "soft-device/ptx_arena.h"

#define PTX_MAX_NAME 8192
#define PTX_MAX_SCOPES 64 /* nested {} */
#define PTX_MAX_OPERANDS 16
#define PTX_MAX_VECTOR 64
#define PTX_MAX_ALIGNMENT 65536
#define PTX_MAX_PARAMS_SIZE 65536
#define PTX_MAX_CALL_SIZE (1u << 20)
#define PTX_MAX_LOCAL_SIZE (512u * 1024) /* as the device has it */

enum ptx_token_kind {
	TOKEN_END,
	TOKEN_WORD,
	TOKEN_NUMBER,
	TOKEN_STRING,
	TOKEN_PUNCTUATION,
};

struct ptx_token {
	enum ptx_token_kind kind;
	const char *text;
	size_t len;
	uint32_t line;
};

enum ptx_symbol_kind {
	SYMBOL_REGISTER,
	SYMBOL_RANGE, /* %r<10> */
	SYMBOL_VARIABLE,
	SYMBOL_PARAM, /* base says of what */
};

struct ptx_symbol {
	enum ptx_symbol_kind kind;
	uint32_t id; /* register: its number; range: identifies it */
	enum ptx_type type;
	uint32_t n; /* of a range */
	enum ptx_base base;
	uint32_t offset;
	uint32_t size;
	struct ptx_variable *variable;
};

/* A virtual register. */
struct ptx_register {
	uint8_t size;	 /* per lane; 0 for a predicate */
	uint8_t kind;	 /* enum ptx_register_kind */
	uint8_t special; /* enum ptx_special */
	uint64_t value;	 /* of a constant */
};

enum ptx_register_kind {
	REGISTER_ORDINARY,
	REGISTER_CONSTANT,
	REGISTER_SPECIAL,
};

/* A name that can be resolved only at the end of the function. */
struct ptx_fixup {
	const char *name;
	size_t name_len;
	uint32_t scope;
	uint32_t instr;
	uint32_t line;
	bool is_table; /* the name of .branchtargets, and not a label */
	const struct ptx_targets *table;
};

/* label: .branchtargets a, b; */
struct ptx_targets {
	struct ptx_targets *next;
	struct ptx_target_label *labels; /* the last one first */
	uint32_t n_labels;
	uint32_t scope;
	uint32_t first; /* the lowest of targets */
	uint32_t *targets;
};

struct ptx_target_label {
	struct ptx_target_label *next;
	struct ptx_token name;
};

struct ptx_label {
	uint32_t pc;
};

struct ptx_scope {
	uint32_t id;
	uint32_t call_size; /* of the call area when it began: taken back when it ends */
};

/* A growing array that is freed with the parser. */
#define PTX_ARRAY(type) \
	struct { \
		type *items; \
		uint32_t n; \
		uint32_t capacity; \
	}

struct ptx_parser {
	struct ptx_module *module;
	const struct ptx_limits *limits;
	struct ptx_error *error;
	int status; /* 0, or why parsing ended: negative errno */
	size_t *budget;

	const char *at;
	const char *end;
	uint32_t line;
	struct ptx_token token;
	uint32_t text; /* index of the text plus one: the tag of its names */
	uint32_t n_texts;
	uint64_t variables_size;

	struct ptx_table opcodes; /* text of an opcode -> struct ptx_instr to copy */

	/* Of the function that is being read. */
	struct ptx_function *function;
	struct ptx_arena scratch;
	struct ptx_table symbols;	 /* tag: scope */
	struct ptx_table labels;	 /* tag: scope */
	struct ptx_table branch_targets; /* tag: scope */
	struct ptx_table
		ranges; /* registers of ranges: name is empty, tag is id, index */
	struct ptx_table constants; /* name is the value, tag is the size */
	struct ptx_scope scopes[PTX_MAX_SCOPES];
	uint32_t n_scopes;
	PTX_ARRAY(uint32_t) parents; /* of each scope ever opened */
	PTX_ARRAY(struct ptx_instr) code;
	PTX_ARRAY(struct ptx_register) registers;
	PTX_ARRAY(struct ptx_fixup) fixups;
	PTX_ARRAY(struct ptx_function *) callees;
	PTX_ARRAY(struct ptx_variable *) used;
	uint32_t special[PTX_N_SPECIALS]; /* register number */
	struct ptx_symbol nobody;	  /* what is given for a symbol after an error */
	struct ptx_operand *no_operands;  /* PTX_MIN_OPERANDS empty ones */
	uint32_t n_ranges;
	bool register_params; /* a function whose name is not known yet has them */
	struct ptx_targets *tables;
	uint32_t n_bodies; /* read so far, this one included */
	uint32_t call_at;  /* end of the call area in use */
	bool skip;	   /* the instruction is unsupported: leave its operands */

	/* Of the module. */
	PTX_ARRAY(struct ptx_function *) functions;
	PTX_ARRAY(struct ptx_variable *) variables;
};

/* ptx_lex.c */
void ptx_next(struct ptx_parser *p);
/* Remember the error and end the text.  Always false. */
bool ptx_fail(struct ptx_parser *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool ptx_fail_limit(struct ptx_parser *p, const char *what);
bool ptx_fail_memory(struct ptx_parser *p);
bool ptx_is(const struct ptx_parser *p, const char *text);
bool ptx_accept(struct ptx_parser *p, const char *text);
bool ptx_expect(struct ptx_parser *p, const char *text);
/* The current token, a word, as a string of the module; then goes on. */
const char *ptx_name(struct ptx_parser *p, const char *what);
bool ptx_token_is(const struct ptx_token *token, const char *text);
/* Whether the current word is followed by a colon: a label. */
bool ptx_at_label(const struct ptx_parser *p);
/* Skip to the end of the line, past the next ';', past a {} block. */
void ptx_skip_line(struct ptx_parser *p);
void ptx_skip_statement(struct ptx_parser *p);
void ptx_skip_block(struct ptx_parser *p);
/* The current token begins a (): past its end. Whether word stood in it. */
bool ptx_skip_parentheses(struct ptx_parser *p, const char *word);

enum ptx_number_kind { NUMBER_INTEGER, NUMBER_F32, NUMBER_F64 };

/* The current token, a number, as bits; then goes on. */
uint64_t ptx_number(struct ptx_parser *p, enum ptx_number_kind *ret_kind);
/* A sum of products of integers. */
int64_t ptx_integer(struct ptx_parser *p);
uint64_t ptx_count(struct ptx_parser *p, uint64_t maximum, const char *what);

/* Room for one more item at the end of an array of the parser. */
bool ptx_grow(
	struct ptx_parser *p, void **items, uint32_t n, uint32_t *capacity, size_t size);
#define PTX_GROW(p, array) \
	ptx_grow(p, (void **)&(array)->items, (array)->n, &(array)->capacity, \
		sizeof(*(array)->items))

/* ptx_scope.c */
void ptx_scope_begin(struct ptx_parser *p);
void ptx_scope_end(struct ptx_parser *p);
uint32_t ptx_scope_current(const struct ptx_parser *p);
struct ptx_symbol *ptx_symbol_add(struct ptx_parser *p, const char *name, size_t name_len,
	enum ptx_symbol_kind kind);
/* A symbol that can be seen from here, or NULL.  Of a range, its register. */
struct ptx_symbol *ptx_symbol_find(
	struct ptx_parser *p, const char *name, size_t name_len);
uint32_t ptx_register_new(
	struct ptx_parser *p, enum ptx_register_kind kind, uint8_t size);
uint32_t ptx_register_constant(struct ptx_parser *p, uint64_t value, uint8_t size);
uint32_t ptx_register_special(struct ptx_parser *p, enum ptx_special special);
void ptx_function_uses(struct ptx_parser *p, struct ptx_variable *variable);
void ptx_function_calls(struct ptx_parser *p, struct ptx_function *callee);
/* Remember the first reason why the function cannot run. */
void ptx_unsupported(struct ptx_parser *p, struct ptx_function *function,
	const char *format, ...) __attribute__((format(printf, 3, 4)));

/* ptx_decl.c: the current token is the one after the state space. */
void ptx_declaration(
	struct ptx_parser *p, enum ptx_space space, enum ptx_linkage linkage);
/* ( parameters ); their symbols are put into the current scope. */
void ptx_params(struct ptx_parser *p, enum ptx_base base, struct ptx_param **ret_params,
	uint32_t *ret_n, uint32_t *ret_size);

/* ptx_operand.c */
void ptx_operand(struct ptx_parser *p, enum ptx_type type, struct ptx_operand *operand);
void ptx_call(struct ptx_parser *p, struct ptx_instr *instr);

/* ptx_opcode.c */
void ptx_opcode_parse(const char *text, size_t len, struct ptx_instr *instr);
/* The type of an immediate at operand k. */
enum ptx_type ptx_opcode_type(const struct ptx_instr *instr, unsigned int k);
/* Whether operand 0 is certainly written and not read. */
bool ptx_opcode_defines(const struct ptx_instr *instr);
/* Whether nothing is executed after it but by a branch. */
bool ptx_opcode_ends_block(const struct ptx_instr *instr);
bool ptx_opcode_is_label_operand(const struct ptx_instr *instr, unsigned int k);
enum ptx_type ptx_type_parse(const char *text, size_t len);
enum ptx_special ptx_special_parse(const char *text, size_t len);

/* ptx_regalloc.c */
int ptx_regalloc(struct ptx_parser *p, struct ptx_function *function);

/* ptx_body.c: from after the '{' to after the '}'. */
void ptx_body(struct ptx_parser *p);

/* ptx_parse.c */
void ptx_parse(struct ptx_parser *p, const struct ptx_text *text);
/* The function or variable that the current text knows by that name, or NULL. */
struct ptx_function *ptx_function_find(
	struct ptx_parser *p, const char *name, size_t name_len);
struct ptx_function *ptx_function_declare(
	struct ptx_parser *p, const char *name, enum ptx_linkage linkage);
struct ptx_variable *ptx_variable_find(
	struct ptx_parser *p, const char *name, size_t name_len);

/* ptx_link.c */
void ptx_link(struct ptx_parser *p);

/* What the symbols of a module are. */
struct ptx_module_symbol {
	struct ptx_function *function;
	struct ptx_variable *variable;
};

struct ptx_module_symbol *ptx_module_symbol(
	struct ptx_parser *p, const char *name, size_t name_len, uint32_t tag);
/* Enter it for this text, and for all unless it is internal.  Replaces nothing. */
void ptx_module_symbol_add(struct ptx_parser *p, const char *name,
	enum ptx_linkage linkage, struct ptx_function *function,
	struct ptx_variable *variable);
