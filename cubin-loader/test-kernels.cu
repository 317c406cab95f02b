/* SPDX-License-Identifier: Apache-2.0 */
/* test-kernels.cu: kernels whose parameter layouts test-real.c and seeds.py know. */
struct mixed {
	double a;
	char c;
	int d;
	short e;
};

struct big {
	int values[1500];
};

struct empty {
};

__device__ int table[4] = { 1, 2, 3, 5 };
__constant__ float factor = 2.5f;

__device__ __noinline__ int
helper(int x)
{
	return x * 3 + table[x & 3];
}

extern "C" __global__ void
no_params(void)
{
}

extern "C" __global__ void
struct_params(int *p, struct mixed s, float f)
{
	*p = (int)(s.a + f * factor) + s.d + helper(s.c);
}

extern "C" __global__ void
big_params(int *p, struct big b, char c)
{
	*p = b.values[threadIdx.x] + c;
}

extern "C" __global__ void
empty_structs(struct empty e, short x, struct empty e2, int *p)
{
	*p = x;
}

extern "C" __global__ void
vectors(float4 v, char c, double2 d, ushort3 u, int *p)
{
	__shared__ int s[32];

	s[threadIdx.x & 31] = (int)(v.x + d.y) + c + u.z;
	__syncthreads();
	*p = s[(threadIdx.x + 1) & 31];
}

__global__ void
mangled(const float *__restrict__ a, float *b, unsigned long n, bool k)
{
	if (k) {
		b[n] = a[n];
	}
}

#ifdef WITH_MAIN
int
main(void)
{
	/* nvlink drops what no host code uses. */
	mangled<<<1, 1>>>(nullptr, nullptr, 0, false);
	no_params<<<1, 1>>>();
	struct_params<<<1, 1>>>(nullptr, mixed(), 0.0f);
	big_params<<<1, 1>>>(nullptr, big(), 0);
	empty_structs<<<1, 1>>>(empty(), 0, empty(), nullptr);
	vectors<<<1, 1>>>(float4(), 0, double2(), ushort3(), nullptr);
	return cudaDeviceSynchronize() != cudaSuccess;
}
#endif
