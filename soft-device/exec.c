/* SPDX-License-Identifier: Apache-2.0 */
/* exec.c: which build of the executor runs here, and what is the same in all. */
#include "exec.h"
#include "ir.h"

#include <stdlib.h>

enum exec_fault exec_run_base(
	const struct exec_launch *launch, struct exec_result *ret_result);
const char *exec_bind_base(struct ptx_instr *in);
ptx_handler exec_builtin_base(const char *name);
enum exec_fault exec_run_v3(
	const struct exec_launch *launch, struct exec_result *ret_result);
const char *exec_bind_v3(struct ptx_instr *in);
ptx_handler exec_builtin_v3(const char *name);

/* OUTBOARD_SOFT_BASELINE is for tests: all builds must give the same results. */
static bool
has_v3(void)
{
#ifdef EXEC_HAS_V3
	return getenv("OUTBOARD_SOFT_BASELINE") == NULL &&
	       __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
	       __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
#else
	return false;
#endif
}

#ifndef EXEC_HAS_V3
#define exec_run_v3 exec_run_base
#define exec_bind_v3 exec_bind_base
#define exec_builtin_v3 exec_builtin_base
#endif

const char *
exec_variant_name(void)
{
	return has_v3() ? "x86-64-v3" : "baseline";
}

const char *
exec_bind(struct ptx_instr *instr)
{
	return has_v3() ? exec_bind_v3(instr) : exec_bind_base(instr);
}

ptx_handler
exec_builtin_for(const char *name)
{
	return has_v3() ? exec_builtin_v3(name) : exec_builtin_base(name);
}

enum exec_fault
exec_run(const struct exec_launch *launch, struct exec_result *ret_result)
{
	*ret_result = (struct exec_result){ .fault = EXEC_OK };
	return has_v3() ? exec_run_v3(launch, ret_result)
			: exec_run_base(launch, ret_result);
}

void
exec_attributes(
	const struct ptx_function *function, struct exec_attributes *ret_attributes)
{
	struct exec_attributes attributes = {
		.n_registers = (int)function->n_registers,
		.max_threads = 1024,
		.shared_size = function->shared_size,
		.local_size = function->local_size,
		.params_size = function->params_size,
	};
	const uint32_t *limit = function->max_threads;

	for (int i = 0; i < 3; i++) {
		attributes.required_block[i] = (int)function->required_threads[i];
	}
	if (function->required_threads[0] != 0) {
		limit = function->required_threads;
	}
	if (limit[0] != 0) {
		uint64_t n = limit[0];

		n *= limit[1] != 0 ? limit[1] : 1;
		n *= limit[2] != 0 && n <= 1024 ? limit[2] : 1;
		if (n < 1024) {
			attributes.max_threads = (int)n;
		}
	}
	for (uint32_t i = 0; i < function->module->n_variables; i++) {
		const struct ptx_variable *variable = function->module->variables[i];

		if (variable->space == PTX_CONST) {
			attributes.const_size += variable->size;
		}
	}
	*ret_attributes = attributes;
}
