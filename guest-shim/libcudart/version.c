/* SPDX-License-Identifier: Apache-2.0 */
/* version.c: versions, the profiler that is not there, and the driver's entry points. */
#include <string.h>

#include "guest-shim/libcudart/driver.h"

/* The newest runtime of each major version whose functions this library exports. */
#if CUDART_MAJOR == 12
#define VERSION 12090
#else
#define VERSION 13000
#endif

cudaError_t
cudaRuntimeGetVersion(int *runtimeVersion)
{
	if (runtimeVersion == NULL) {
		return error_keep(cudaErrorInvalidValue);
	}
	*runtimeVersion = VERSION;
	return cudaSuccess;
}

cudaError_t
cudaDriverGetVersion(int *driverVersion)
{
	if (driverVersion == NULL) {
		return error_keep(cudaErrorInvalidValue);
	}
	return error_keep(CALL(cuDriverGetVersion, driverVersion));
}

/* These switch a profiler's collecting on and off.  There is never one attached here. */
cudaError_t
cudaProfilerStart(void)
{
	return error_keep(device_enter());
}

cudaError_t
cudaProfilerStop(void)
{
	return error_keep(device_enter());
}

/* Tables that no header describes: not a public interface, so there are none. */
cudaError_t
cudaGetExportTable(const void **table, const cudaUUID_t *id)
{
	return error_keep(cudaErrorSymbolNotFound);
}

static cudaError_t
entry_point(const char *symbol, void **pointer, int version, unsigned long long flags,
	enum cudaDriverEntryPointQueryResult *ret_status)
{
	CUdriverProcAddressQueryResult status = CU_GET_PROC_ADDRESS_SUCCESS;
	void *found = NULL;

	if (symbol == NULL || symbol[0] == '\0' || pointer == NULL) {
		return cudaErrorInvalidValue;
	}
	cudaError_t error = device_init();
	if (error != cudaSuccess) {
		return error;
	}
	error = CALL(cuGetProcAddress, symbol, &found, version, flags, &status);
	/* Not found is a status and no error where the caller asks for the status. */
	if (error == cudaErrorSymbolNotFound && ret_status != NULL) {
		error = cudaSuccess;
		found = NULL;
		status = CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
	}
	if (error != cudaSuccess) {
		return error;
	}
	if (ret_status != NULL) {
		*ret_status = (enum cudaDriverEntryPointQueryResult)status;
	} else if (found == NULL) {
		return cudaErrorSymbolNotFound;
	}
	*pointer = found;
	return cudaSuccess;
}

cudaError_t
cudaGetDriverEntryPoint(const char *symbol, void **funcPtr, unsigned long long flags,
	enum cudaDriverEntryPointQueryResult *driverStatus)
{
	return error_keep(entry_point(symbol, funcPtr, VERSION, flags, driverStatus));
}

cudaError_t
cudaGetDriverEntryPointByVersion(const char *symbol, void **funcPtr,
	unsigned int cudaVersion, unsigned long long flags,
	enum cudaDriverEntryPointQueryResult *driverStatus)
{
	return error_keep(
		entry_point(symbol, funcPtr, (int)cudaVersion, flags, driverStatus));
}
