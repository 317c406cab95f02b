/* SPDX-License-Identifier: Apache-2.0 */
/* libcudart.c: a stand-in for our libcudart, which is where calls must arrive. */
#include "runtime.h"

#define PUBLIC __attribute__((visibility("default")))

static int registered;

PUBLIC int
__cudaRegisterFatBinary(int of)
{
	registered += of;
	return OURS(CUDART_MAJOR, 1);
}

PUBLIC int
cudaMalloc(int n)
{
	return OURS(CUDART_MAJOR, 2) + n;
}

PUBLIC int
cudaTiny3(void)
{
	return OURS(CUDART_MAJOR, 3);
}

PUBLIC int
cudaTiny1(void)
{
	return OURS(CUDART_MAJOR, 4);
}

PUBLIC int
cudaTiny10(void)
{
	return OURS(CUDART_MAJOR, 5);
}

PUBLIC int
cudaNeighbour(void)
{
	return OURS(CUDART_MAJOR, 6);
}

PUBLIC int
cudaRegistered(void)
{
	return registered;
}

PUBLIC int
cudaGetDeviceProperties_v2(void)
{
	return OURS(CUDART_MAJOR, 7);
}
