/* SPDX-License-Identifier: Apache-2.0 */
/* procaddress.c: functions by name, as runtimes look for them. */
#include "common/procaddress.h"

#include <string.h>

#include "common/procaddress_table.h"

/* The first row of a name. */
static size_t
first_row(const char *name)
{
	size_t low = 0, high = procaddress_n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(procaddress_table[middle].name, name) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

/* The newest form that the version has; *ret_known if another version has one. */
static const struct procaddress *
find(const char *name, int version, bool per_thread, bool *ret_known)
{
	for (size_t i = first_row(name);
		i < procaddress_n && strcmp(procaddress_table[i].name, name) == 0; i++) {
		const struct procaddress *row = &procaddress_table[i];
		if (row->per_thread == per_thread) {
			*ret_known = true;
			if (row->version <= version) {
				return row;
			}
		}
	}
	return NULL;
}

CUresult
procaddress_get(const char *symbol, void **pfn, int version, cuuint64_t flags,
	CUdriverProcAddressQueryResult *status)
{
	const cuuint64_t legacy = CU_GET_PROC_ADDRESS_LEGACY_STREAM;
	const cuuint64_t per_thread = CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM;
	const struct procaddress *row = NULL;
	bool known = false;

	if (symbol == NULL || pfn == NULL || (flags & ~(legacy | per_thread)) != 0 ||
		flags == (legacy | per_thread)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (flags == per_thread) {
		row = find(symbol, version, true, &known);
	}
	if (row == NULL) {
		row = find(symbol, version, false, &known);
	}
	/* Runtimes ask for everything at start and live without what they do not use. */
	*pfn = row != NULL ? (void *)row->function : NULL;
	CUdriverProcAddressQueryResult found = *pfn != NULL ? CU_GET_PROC_ADDRESS_SUCCESS
		: row == NULL && known ? CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT
				       : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
	if (status != NULL) {
		*status = found;
		return CUDA_SUCCESS;
	}
	/* The older form has no status to tell it by. */
	return *pfn != NULL ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}
