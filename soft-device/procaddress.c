/* SPDX-License-Identifier: Apache-2.0 */
/* procaddress.c: functions by name. */
#include "soft-device/api.h"

#include <string.h>

#include "soft-device/procaddress.h"

/* The newest form of the function that the version has; *ret_known if any has it. */
static const struct procaddress *
procaddress_find(const char *name, int version, bool per_thread, bool *ret_known)
{
	size_t low = 0;
	size_t high = procaddress_n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(procaddress_table[middle].name, name) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	for (; low < procaddress_n && strcmp(procaddress_table[low].name, name) == 0;
		low++) {
		const struct procaddress *p = &procaddress_table[low];

		if (p->per_thread == per_thread) {
			*ret_known = true;
			if (p->version <= version) {
				return p;
			}
		}
	}
	return NULL;
}

CUresult
cuGetProcAddress_v2(const char *symbol, void **pfn, int cudaVersion, cuuint64_t flags,
	CUdriverProcAddressQueryResult *symbolStatus)
{
	const cuuint64_t both = CU_GET_PROC_ADDRESS_LEGACY_STREAM |
				CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM;

	if (symbol == NULL || pfn == NULL || (flags & ~both) != 0 || flags == both) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	bool known = false;
	const struct procaddress *p = NULL;

	if ((flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM) != 0) {
		p = procaddress_find(symbol, cudaVersion, true, &known);
	}
	if (p == NULL) {
		p = procaddress_find(symbol, cudaVersion, false, &known);
	}
	*pfn = p != NULL ? (void *)p->function : NULL;
	if (symbolStatus != NULL) {
		*symbolStatus = p != NULL ? CU_GET_PROC_ADDRESS_SUCCESS
				: known	  ? CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT
					  : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
		return CUDA_SUCCESS;
	}
	return p != NULL ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

CUresult
cuGetProcAddress(const char *symbol, void **pfn, int cudaVersion, cuuint64_t flags)
{
	return cuGetProcAddress_v2(symbol, pfn, cudaVersion, flags, NULL);
}

CUresult
cuGetExportTable(const void **ppExportTable, const CUuuid *pExportTableId)
{
	if (ppExportTable == NULL) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	*ppExportTable = NULL;
	return CUDA_ERROR_NOT_FOUND;
}
