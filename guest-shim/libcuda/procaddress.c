/* SPDX-License-Identifier: Apache-2.0 */
/* procaddress.c: functions by name. */
#include "common/procaddress.h"

#include "guest-shim/libcuda/api.h"
#include "guest-shim/libcuda/guest.h"

CUDA_EXPORT CUresult CUDAAPI
cuGetProcAddress_v2(const char *symbol, void **pfn, int cudaVersion, cuuint64_t flags,
	CUdriverProcAddressQueryResult *symbolStatus)
{
	return procaddress_get(symbol, pfn, cudaVersion, flags, symbolStatus);
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
