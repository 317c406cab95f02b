/* SPDX-License-Identifier: Apache-2.0 */
/* symbol.c: variables on the device, named by the address of their shadow in the program.
 */
#include "common/checked.h"
#include "guest-shim/libcudart/copy.h"
#include "guest-shim/libcudart/driver.h"
#include "guest-shim/libcudart/fatbin.h"

/* Where it is on the current device; the driver (or the shim before it) remembers. */
static cudaError_t
symbol_find(const void *symbol, void **ret_address, size_t *ret_size)
{
	CUdeviceptr address = 0;
	size_t size = 0;
	CUlibrary library;
	cudaError_t error = device_enter();
	if (error != cudaSuccess) {
		return error;
	}
	struct variable *variable = fatbin_variable(symbol);
	if (variable == NULL) {
		return cudaErrorInvalidSymbol;
	}
	error = fatbin_library(variable->fatbin, &library);
	if (error == cudaSuccess && variable->managed != NULL) {
		error = CALL(
			cuLibraryGetManaged, &address, &size, library, variable->name);
	} else if (error == cudaSuccess) {
		error = CALL(
			cuLibraryGetGlobal, &address, &size, library, variable->name);
	}
	if (error != cudaSuccess) {
		return error == cudaErrorSymbolNotFound ? cudaErrorInvalidSymbol : error;
	}
	*ret_address = (void *)address;
	*ret_size = size;
	return cudaSuccess;
}

cudaError_t
copy_to_symbol(const void *symbol, const void *src, size_t size, size_t offset,
	enum cudaMemcpyKind kind, struct copy_order order)
{
	void *address;
	size_t symbol_size;
	cudaError_t error = symbol_find(symbol, &address, &symbol_size);
	if (error != cudaSuccess) {
		return error;
	}
	if (kind != cudaMemcpyHostToDevice && kind != cudaMemcpyDeviceToDevice &&
		kind != cudaMemcpyDefault) {
		return cudaErrorInvalidMemcpyDirection;
	}
	if (!checked_range(offset, size, symbol_size)) {
		return cudaErrorInvalidValue;
	}
	return copy_linear((char *)address + offset, src, size, kind, order);
}

cudaError_t
copy_from_symbol(void *dst, const void *symbol, size_t size, size_t offset,
	enum cudaMemcpyKind kind, struct copy_order order)
{
	void *address;
	size_t symbol_size;
	cudaError_t error = symbol_find(symbol, &address, &symbol_size);
	if (error != cudaSuccess) {
		return error;
	}
	if (kind != cudaMemcpyDeviceToHost && kind != cudaMemcpyDeviceToDevice &&
		kind != cudaMemcpyDefault) {
		return cudaErrorInvalidMemcpyDirection;
	}
	if (!checked_range(offset, size, symbol_size)) {
		return cudaErrorInvalidValue;
	}
	return copy_linear(dst, (char *)address + offset, size, kind, order);
}

cudaError_t
cudaGetSymbolAddress(void **devPtr, const void *symbol)
{
	void *address;
	size_t size;
	cudaError_t error = devPtr == NULL ? cudaErrorInvalidValue
					   : symbol_find(symbol, &address, &size);
	if (error == cudaSuccess) {
		*devPtr = address;
	}
	return error_keep(error);
}

cudaError_t
cudaGetSymbolSize(size_t *size, const void *symbol)
{
	void *address;
	size_t found;
	cudaError_t error = size == NULL ? cudaErrorInvalidValue
					 : symbol_find(symbol, &address, &found);
	if (error == cudaSuccess) {
		*size = found;
	}
	return error_keep(error);
}

cudaError_t
cudaMemcpyToSymbol(const void *symbol, const void *src, size_t count, size_t offset,
	enum cudaMemcpyKind kind)
{
	return error_keep(copy_to_symbol(symbol, src, count, offset, kind, COPY_SYNC));
}

cudaError_t
cudaMemcpyToSymbolAsync(const void *symbol, const void *src, size_t count, size_t offset,
	enum cudaMemcpyKind kind, cudaStream_t stream)
{
	return error_keep(
		copy_to_symbol(symbol, src, count, offset, kind, COPY_ASYNC(stream)));
}

cudaError_t
cudaMemcpyFromSymbol(void *dst, const void *symbol, size_t count, size_t offset,
	enum cudaMemcpyKind kind)
{
	return error_keep(copy_from_symbol(dst, symbol, count, offset, kind, COPY_SYNC));
}

cudaError_t
cudaMemcpyFromSymbolAsync(void *dst, const void *symbol, size_t count, size_t offset,
	enum cudaMemcpyKind kind, cudaStream_t stream)
{
	return error_keep(
		copy_from_symbol(dst, symbol, count, offset, kind, COPY_ASYNC(stream)));
}
