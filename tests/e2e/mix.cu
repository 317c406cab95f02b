/* SPDX-License-Identifier: Apache-2.0 */
/* mix.cu: a kernel for images.c, built for several architectures. */
extern "C" __global__ void
mix(unsigned *out)
{
	out[threadIdx.x] = (threadIdx.x ^ 0x5bd1e995u) * 0x9e3779b1u;
}
