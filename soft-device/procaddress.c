/* SPDX-License-Identifier: Apache-2.0 */
/* procaddress.c: functions by name. */
#include "soft-device/api.h"

#include "common/procaddress.h"

CUresult
cuGetProcAddress_v2(const char *symbol, void **pfn, int cudaVersion, cuuint64_t flags,
	CUdriverProcAddressQueryResult *symbolStatus)
{
	return procaddress_get(symbol, pfn, cudaVersion, flags, symbolStatus);
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
