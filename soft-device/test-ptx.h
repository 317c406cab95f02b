/* SPDX-License-Identifier: Apache-2.0 */
/* test-ptx.h: an executor that executes nothing, for tests of the PTX front end. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "soft-device/ptx.h"

#define HEAD ".version 8.0\n.target sm_75\n.address_size 64\n"

static int
do_nothing(struct exec_context *x, const struct ptx_instr *instr)
{
	return 0;
}

/* Refuses cos, to have something that is refused. */
const char *
exec_bind(struct ptx_instr *instr)
{
	if (instr->opcode == PTX_OP_COS) {
		return "no cosine";
	}
	instr->handler = do_nothing;
	return NULL;
}

ptx_handler
exec_builtin_for(const char *name)
{
	return strcmp(name, "vprintf") == 0 ? do_nothing : NULL;
}

static inline void
free_modulep(struct ptx_module **module)
{
	ptx_module_free(*module);
}

#define MODULE cleanup(free_modulep) struct ptx_module *

static inline struct ptx_module *
parse(const char *text)
{
	/* Exactly as large as it is, so that a sanitizer sees reading past the end. */
	size_t size = strlen(text);
	char *copy = malloc(size + 1);
	struct ptx_error error;
	struct ptx_module *module = NULL;

	memcpy(copy, text, size);
	int r = ptx_module_new(
		&(struct ptx_text){ copy, size }, 1, NULL, &error, &module);
	free(copy);
	if (r < 0) {
		fail_msg("%s", error.message);
	}
	return module;
}

/* The one function of a body with the usual registers. */
static inline struct ptx_module *
parse_body(const char *body)
{
	char *text = NULL;

	if (asprintf(&text,
		    HEAD
		    ".visible .entry k(.param .u64 k_param_0, .param .u32 k_param_1)\n{\n"
		    ".reg .pred %%p<9>; .reg .b16 %%rs<9>; .reg .b32 %%r<99>;\n"
		    ".reg .f32 %%f<9>; .reg .b64 %%rd<99>; .reg .f64 %%fd<9>;\n%s\n}\n",
		    body) < 0) {
		fail();
	}
	struct ptx_module *module = parse(text);

	free(text);
	return module;
}

static inline int
parse_error(const char *text, struct ptx_error *ret_error)
{
	struct ptx_module *module = NULL;
	int r = ptx_module_new(
		&(struct ptx_text){ text, strlen(text) }, 1, NULL, ret_error, &module);

	assert_null(module);
	return r;
}
