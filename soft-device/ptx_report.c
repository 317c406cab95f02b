/* SPDX-License-Identifier: Apache-2.0 */
/* ptx_report.c: which functions of a module can be executed, and why others cannot. */
#include "soft-device/ptx_report.h"

#include <stdio.h>

struct ptx_report
ptx_report_of(const struct ptx_module *module, bool entries_only)
{
	return (struct ptx_report){ .module = module, .entries_only = entries_only };
}

bool
ptx_report_next(struct ptx_report *report, struct ptx_report_line *ret_line)
{
	while (report->next < report->module->n_functions) {
		const struct ptx_function *function =
			report->module->functions[report->next++];

		if (!function->is_defined ||
			(report->entries_only && !function->is_entry)) {
			continue;
		}
		ret_line->function = function;
		ret_line->is_supported = function->unsupported == NULL;
		ret_line->reason[0] = '\0';
		if (function->unsupported != NULL) {
			const struct ptx_function *in = function->unsupported_in;
			bool other = in != NULL && in != function;

			snprintf(ret_line->reason, sizeof(ret_line->reason),
				"%s%s%.300s%s", function->unsupported,
				other ? ", in '" : "", other ? in->name : "",
				other ? "'" : "");
		}
		report->n_functions++;
		report->n_supported += ret_line->is_supported;
		return true;
	}
	return false;
}
