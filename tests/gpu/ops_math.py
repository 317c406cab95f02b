# SPDX-License-Identifier: Apache-2.0
"""The kernels of ops.py that nvcc compiles: its mathematical library, and control flow."""

ONE = '''exp exp2 exp10 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh
acosh atanh sqrt rsqrt cbrt rcbrt erf erfc erfinv erfcinv erfcx normcdf normcdfinv tgamma lgamma
sinpi cospi j0 j1 y0 y1 floor ceil trunc rint round logb fabs'''.split()
TWO = 'pow atan2 hypot fmod remainder fdim fmin fmax copysign nextafter'.split()
# Exact although they are from the library.
EXACT = set('sqrt floor ceil trunc rint round logb fabs fmod remainder fdim fmin fmax copysign '
            'nextafter'.split())
FAST = 'exp exp10 log log2 log10 sin cos'.split()
# Near a zero of the function a small error of the argument is many units of the last place.
ABSOLUTE = {'j0', 'j1', 'y0', 'y1', 'lgamma', 'sin', 'cos', 'tan', 'sinpi', 'cospi'}


def tolerance(name, single):
    if name in EXACT:
        return '0'
    return (('8:1e-5' if single else '8:1e-13') if name in ABSOLUTE else '8')


def math(k, n, offset):
    text = '''// Made by ops.py.
#include <stdint.h>

#define N %d

template <class T> __device__ T
column(const void *in, int set, int i, int thread)
{
	return *(const T *)((const char *)in + set + (i * N + thread) * 8);
}

#define KERNEL(name, TYPE, expression) \\
	extern "C" __global__ void name(const void *in, void *out) \\
	{ \\
		int i = blockIdx.x * blockDim.x + threadIdx.x; \\
		TYPE a = column<TYPE>(in, SET_##TYPE, 0, i); \\
		TYPE b = column<TYPE>(in, SET_##TYPE, 1, i); \\
		TYPE c = column<TYPE>(in, SET_##TYPE, 2, i); \\
		((TYPE *)out)[i * (8 / sizeof(TYPE))] = expression; \\
	}
#define SET_float %d
#define SET_double %d
#define SET_int %d
#define SET_uint32_t %d
''' % (n, offset['f32'], offset['f64'], offset['i32'], offset['i32'])

    def line(name, expression, kind, limit):
        nonlocal text
        shape = {'float': 'f32', 'double': 'f64'}.get(kind, 'b64')
        text += f'KERNEL({name}, {kind}, {expression})\n'
        k.lines.append(f'math.ptx {name} {shape} {limit}')

    for f in ONE:
        line(f'math_{f}f', f'{f}f(a)', 'float', tolerance(f, True))
        line(f'math_{f}', f'{f}(a)', 'double', tolerance(f, False))
    for f in TWO:
        line(f'math_{f}f', f'{f}f(a, b)', 'float', tolerance(f, True))
        line(f'math_{f}', f'{f}(a, b)', 'double', tolerance(f, False))
    for f in FAST:
        line(f'fast_{f}f', f'__{f}f(a)', 'float', '16:1e-5')
    line('fast_pow', '__powf(a, b)', 'float', '100000')
    line('math_ldexpf', 'ldexpf(a, (int)(fabsf(b) < 300 ? b : 3))', 'float', '0')
    line('math_fmaf', 'fmaf(a, b, c)', 'float', '0')
    line('math_div', 'a / b', 'double', '0')
    line('math_mod_int', 'b == 0 ? 0 : a % b', 'int', '0')
    text += '''
/* Lanes that part and meet again. */
extern "C" __global__ void diverge_collatz(const void *in, void *out)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;
	uint32_t a = column<uint32_t>(in, SET_int, 0, i) % 1000 + 1;
	uint32_t steps = 0;

	while (a != 1) {
		a = a % 2 ? 3 * a + 1 : a / 2;
		steps++;
	}
	((uint64_t *)out)[i] = steps;
}

extern "C" __global__ void diverge_switch(const void *in, void *out)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;
	uint32_t a = column<uint32_t>(in, SET_int, 0, i), sum = 0;

	for (int k = 0; k < 40; k++) {
		switch ((a >> k % 29) % 9) {
		case 0: sum += k; break;
		case 1: sum ^= a; break;
		case 2: sum *= 3; /* and on */
		case 3: sum -= a >> 3; break;
		case 4:
			for (uint32_t n = 0; n < a % 7; n++) {
				sum += n * k;
				if (sum % 5 == 0)
					break;
			}
			break;
		case 5: if (sum % 3 == 1) continue; sum += 9; break;
		case 6: sum = ~sum; break;
		case 7: if (k > 35) goto done; sum += a; break;
		default: sum = sum << 5 | sum >> 27;
		}
		a = a * 1664525u + 1013904223u;
	}
done:
	((uint64_t *)out)[i] = sum;
}

extern "C" __global__ void diverge_shared(const void *in, void *out)
{
	__shared__ uint32_t sums[256];
	int i = blockIdx.x * blockDim.x + threadIdx.x, t = threadIdx.x;

	sums[t] = column<uint32_t>(in, SET_int, 0, i);
	__syncthreads();
	for (int step = 1; step < 256; step *= 2) {
		uint32_t other = t >= step ? sums[t - step] : 0;

		__syncthreads();
		if (other % 3)
			sums[t] += other;
		else if (t % 2)
			sums[t] ^= other;
		__syncthreads();
	}
	((uint64_t *)out)[i] = sums[t];
}

__device__ __noinline__ uint32_t
ackermann(uint32_t m, uint32_t n)
{
	return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

extern "C" __global__ void diverge_recursion(const void *in, void *out)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	((uint64_t *)out)[i] = ackermann(i % 3, i % 5);
}

extern "C" __global__ void diverge_lock(const void *in, void *out)
{
	__shared__ int lock;
	__shared__ uint32_t count;
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	if (threadIdx.x == 0)
		lock = 0, count = 0;
	__syncthreads();
	while (atomicCAS(&lock, 0, 1) != 0)
		;
	__threadfence_block();
	*(volatile uint32_t *)&count = *(volatile uint32_t *)&count + threadIdx.x % 7;
	__threadfence_block();
	atomicExch(&lock, 0);
	__syncthreads();
	((uint64_t *)out)[i] = count;
}
'''
    for name in ('collatz', 'switch', 'shared', 'recursion', 'lock'):
        k.lines.append(f'math.ptx diverge_{name} b64 0')
    return text
