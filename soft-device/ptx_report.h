/* SPDX-License-Identifier: Apache-2.0 */
/* ptx_report.h: which functions of a module can be executed, and why others cannot. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "soft-device/ptx.h"

struct ptx_report_line {
	const struct ptx_function *function;
	bool is_supported;
	/* Empty if it is; else "unsupported instruction 'x.y' at ptx line 12", with
	 * ", in 'callee'" if it is another function's. */
	char reason[1024];
};

struct ptx_report {
	const struct ptx_module *module;
	bool entries_only;
	uint32_t next;
	/* Of those that ptx_report_next() has given. */
	uint32_t n_functions;
	uint32_t n_supported;
};

struct ptx_report ptx_report_of(const struct ptx_module *module, bool entries_only);
/* The next function that has code; false at the end. */
bool ptx_report_next(struct ptx_report *report, struct ptx_report_line *ret_line);
