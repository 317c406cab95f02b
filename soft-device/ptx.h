/* SPDX-License-Identifier: Apache-2.0 */
/* ptx.h: from PTX text to a module that can be executed.
 *
 * Text is not trusted: what it can make us hold is bounded by struct ptx_limits, and
 * every step takes about linear time.  A module is not changed by being executed, and
 * belongs to no thread. */
#pragma once

#include "soft-device/ir.h"

#include <stddef.h>
#include <stdint.h>

/* One PTX text; it ends at a NUL, or after size bytes.  Not needed after the call. */
struct ptx_text {
	const char *text;
	size_t size;
};

struct ptx_limits {
	size_t text_size;	 /* of all texts together */
	size_t memory_size;	 /* held by the module, and while it is made */
	uint32_t n_functions;	 /* and as many variables times 16 */
	uint32_t n_instructions; /* in one function */
	uint32_t n_registers;	 /* virtual registers in one function */
	uint32_t frame_size;	 /* of one function; beyond it is unsupported */
	uint64_t variable_size;	 /* of all variables together */
};

/* What ptx_module_new() uses if limits are NULL. */
extern const struct ptx_limits ptx_limits_default;

struct ptx_error {
	uint32_t text;	   /* index of the text, */
	uint32_t line;	   /* and line in it, from 1; 0 if it has no place */
	char message[512]; /* "ptx line 12: expected ';' before '}'" */
};

/* Parse one text, or link several (-rdc) into one module.
 * -EINVAL: syntax, undefined or doubly defined symbols; -E2BIG: a limit; -ENOMEM.
 * Instructions that cannot be executed are no error: see ptx_function.unsupported. */
int ptx_module_new(const struct ptx_text *texts, size_t n_texts,
	const struct ptx_limits *limits, struct ptx_error *ret_error,
	struct ptx_module **ret_module);
struct ptx_module *ptx_module_free(struct ptx_module *module);

/* By name; NULL if there is none.  Symbols that only one text of several sees are found
 * too, unless a visible one has the same name. */
struct ptx_function *ptx_module_function(
	const struct ptx_module *module, const char *name);
struct ptx_variable *ptx_module_variable(
	const struct ptx_module *module, const char *name);

/* Write the first contents of a .global or .const variable to size bytes (variable->size)
 * of memory.  The addresses of all variables of the module must have been set. */
void ptx_variable_fill(const struct ptx_variable *variable, void *memory);
