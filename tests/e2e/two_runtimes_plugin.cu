/* SPDX-License-Identifier: Apache-2.0 */
/* two_runtimes_plugin.cu: the plugin of two_runtimes.cu. */

__global__ void
add_up(int n, int *sum)
{
	for (int i = threadIdx.x; i < n; i += blockDim.x) {
		atomicAdd(sum, i);
	}
}

/* What is done after the call makes it a call: a mere jump from here would look as if the
 * program had called. */
static volatile int calls;

extern "C" cudaError_t
plugin_peek()
{
	cudaError_t error = cudaPeekAtLastError();

	calls++;
	return error;
}

extern "C" cudaError_t
plugin_fail()
{
	cudaError_t error = cudaSetDevice(12345);

	calls++;
	return error;
}

extern "C" int
plugin_sum(int n)
{
	int *device, sum = -1;

	if (cudaMalloc(&device, sizeof(int)) != cudaSuccess) {
		return -2;
	}
	cudaMemset(device, 0, sizeof(int));
	add_up<<<1, 64>>>(n, device);
	cudaMemcpy(&sum, device, sizeof(int), cudaMemcpyDeviceToHost);
	cudaFree(device);
	return sum;
}
