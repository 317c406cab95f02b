/* SPDX-License-Identifier: Apache-2.0 */
/* driver-link.c: stands for libcuda.so.1 while linking, and is never installed or run.
 *
 * Linking with it writes DT_NEEDED libcuda.so.1; every other function of the driver is a
 * weak reference (driver.h) and needs nobody to define it before the program runs. */
int cuInit(unsigned flags);

int
cuInit(unsigned flags)
{
	return 3; /* CUDA_ERROR_NOT_INITIALIZED */
}
