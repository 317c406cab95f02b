/* SPDX-License-Identifier: Apache-2.0 */
/* procaddress.c: functions by name, as runtimes look for them. */
#include "guest-shim/libcuda/procaddress.h"

#include <string.h>

#include "guest-shim/libcuda/api.h"
#include "guest-shim/libcuda/guest.h"

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

CUDA_EXPORT CUresult CUDAAPI
cuGetProcAddress_v2(const char *symbol, void **pfn, int cudaVersion, cuuint64_t flags,
	CUdriverProcAddressQueryResult *symbolStatus)
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
		row = find(symbol, cudaVersion, true, &known);
	}
	if (row == NULL) {
		row = find(symbol, cudaVersion, false, &known);
	}
	/* Runtimes ask for everything at start and live without what they do not use. */
	*pfn = row != NULL ? (void *)row->function : NULL;
	CUdriverProcAddressQueryResult status = *pfn != NULL ? CU_GET_PROC_ADDRESS_SUCCESS
		: row == NULL && known ? CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT
				       : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
	if (symbolStatus != NULL) {
		*symbolStatus = status;
		return CUDA_SUCCESS;
	}
	/* The older form has no status to tell it by. */
	return *pfn != NULL ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

CUDA_EXPORT CUresult CUDAAPI
cuGetProcAddress(const char *symbol, void **pfn, int cudaVersion, cuuint64_t flags)
{
	return cuGetProcAddress_v2(symbol, pfn, cudaVersion, flags, NULL);
}

CUDA_EXPORT CUresult CUDAAPI
cuGetExportTable(const void **ppExportTable, const CUuuid *pExportTableId)
{
	if (ppExportTable == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*ppExportTable = NULL;
	return CUDA_ERROR_NOT_FOUND;
}
