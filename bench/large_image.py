#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long a program with much device code takes to start: the first time, again, directly.

Two programs are made and compiled, of as many kernels with random constants as it takes.  In
"one" all of them are in a single image, in "many" each source file has its own.  Both launch
the first kernel of every file, so that all is loaded, and compare what comes back.
"""

import argparse
import concurrent.futures
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

import measure
from run import direct_environment, has_nvidia

THREADS = 32
MASK = 0xffffffff
# A statement is two instructions of 16 bytes, on sm_90.
STATEMENTS = 2000
STATEMENT_SIZE = 32
KERNELS = 10
UNIT_SIZE = KERNELS * STATEMENTS * STATEMENT_SIZE

UNIT_MAIN = """
extern "C" cudaError_t unit_{i}(unsigned *p) {{
	kernel_{i}_0<<<1, %d>>>(p);
	return cudaGetLastError();
}}
""" % THREADS

MAIN = r"""
#include <cuda_runtime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHECK(call) \
	do { \
		cudaError_t error_ = (call); \
		if (error_ != cudaSuccess) { \
			printf("FAIL: %%s: %%s\n", #call, cudaGetErrorString(error_)); \
			return 1; \
		} \
	} while (0)

#define UNITS %(units)d
#define THREADS %(threads)d

static const unsigned wanted[UNITS][THREADS] = {
%(wanted)s
};
static unsigned found[UNITS][THREADS];
%(prepare)s

static void
print_time(const char *name, const char *since)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	printf("%%s %%.3f ms\n", name,
		(now.tv_sec * 1e9 + now.tv_nsec - strtod(since, NULL)) / 1e6);
}

/* After every kernel. */
static int
launched(int i, int argc, char **argv)
{
	if (i == 0 && argc > 1) {
		CHECK(cudaDeviceSynchronize());
		print_time("exec_to_first_kernel", argv[1]);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	unsigned *memory;

	CHECK(cudaMalloc(&memory, sizeof(found)));
	CHECK(cudaMemset(memory, 0, sizeof(found)));
%(launch)s
	CHECK(cudaMemcpy(found, memory, sizeof(found), cudaMemcpyDeviceToHost));
	if (memcmp(found, wanted, sizeof(found)) != 0) {
		printf("FAIL: wrong results\n");
		return 1;
	}
	if (argc > 1) {
		print_time("exec_to_all_kernels", argv[1]);
	}
	return 0;
}
"""
MANY_PREPARE = 'extern "C" {{ {declarations} }}'
MANY_LAUNCH = """	cudaError_t (*const units[])(unsigned *) = {{ {names} }};
	for (int i = 0; i < UNITS; i++) {{
		CHECK(units[i](memory + i * THREADS));
		if (launched(i, argc, argv) != 0) {{
			return 1;
		}}
	}}"""
ONE_PREPARE = 'extern "C" const char image[];'
ONE_LAUNCH = r"""	cudaLibrary_t library;
	CHECK(cudaLibraryLoadData(&library, image, NULL, NULL, 0, NULL, NULL, 0));
	for (int i = 0; i < UNITS; i++) {
		char name[64];
		cudaKernel_t kernel;
		unsigned *at = memory + i * THREADS;
		void *args[] = { &at };
		snprintf(name, sizeof(name), "kernel_%d_0", i);
		CHECK(cudaLibraryGetKernel(&kernel, library, name));
		CHECK(cudaLaunchKernel((const void *)kernel, dim3(1), dim3(THREADS), args, 0, 0));
		if (launched(i, argc, argv) != 0) {
			return 1;
		}
	}"""
IMAGE_S = """	.section .rodata
	.global image
	.balign 64
image:
	.incbin "{path}"
	.section .note.GNU-stack,"",@progbits
"""


def unit(i):
    """The text of a file of kernels, and what the first one does to zeros."""
    rng = random.Random(f'unit {i}')
    text = []
    values = list(range(THREADS))
    for k in range(KERNELS):
        text.append(f'extern "C" __global__ void kernel_{i}_{k}(unsigned *p)\n'
                    '{\n\tunsigned x = p[threadIdx.x] + threadIdx.x;\n')
        for _ in range(STATEMENTS):
            a, b = rng.getrandbits(32), rng.getrandbits(32) | 1
            text.append(f'\tx = (x ^ {a}u) * {b}u;\n')
            if k == 0:
                values = [(v ^ a) * b & MASK for v in values]
        text.append('\tp[threadIdx.x] = x;\n}\n')
    return ''.join(text) + UNIT_MAIN.format(i=i), values


def compile_all(options, folder):
    """The two programs."""
    units = max(1, round(options.size * 2**20 / UNIT_SIZE))
    nvcc = [options.nvcc, f'-arch={options.arch}']
    wanted = []

    def run(*command):
        subprocess.run(command, check=True, cwd=folder)

    def compile_unit(i):
        run(*nvcc, '-c', f'{i}.cu', '-o', f'{i}.o')
        run(*nvcc, '-dc', f'{i}.cu', '-o', f'{i}.rdc.o')

    for i in range(units):
        text, values = unit(i)
        (folder / f'{i}.cu').write_text(text)
        wanted.append('\t{ ' + ', '.join(f'{v}u' for v in values) + ' },')
    common = {'units': units, 'threads': THREADS, 'wanted': '\n'.join(wanted)}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(compile_unit, range(units)))
    # All kernels, whether host code names them or not.
    run(*nvcc, '-Xnvlink', '--ignore-host-info', '-dlink', '-fatbin',
        *(f'{i}.rdc.o' for i in range(units)), '-o', 'all.fatbin')
    (folder / 'image.S').write_text(IMAGE_S.format(path=folder / 'all.fatbin'))
    (folder / 'one.cu').write_text(MAIN % {**common, 'prepare': ONE_PREPARE,
                                           'launch': ONE_LAUNCH})
    names = [f'unit_{i}' for i in range(units)]
    (folder / 'many.cu').write_text(MAIN % {
        **common, 'launch': MANY_LAUNCH.format(names=', '.join(names)),
        'prepare': MANY_PREPARE.format(declarations=' '.join(
            f'cudaError_t {name}(unsigned *p);' for name in names))})
    run('gcc', '-c', 'image.S', '-o', 'image.o')
    shared = ['-cudart', options.runtime]
    run(*nvcc, *shared, 'one.cu', 'image.o', '-o', 'one')
    run(*nvcc, *shared, 'many.cu', *(f'{i}.o' for i in range(units)), '-o', 'many')
    size = (folder / 'all.fatbin').stat().st_size
    print(f'{units} files, {units * KERNELS} kernels; one image: {size / 2**20:.1f} MiB')
    return {'one': folder / 'one', 'many': folder / 'many'}


def start(command, env=None):
    """Milliseconds from before exec until the first kernel is done, and all."""
    found = measure.run([*map(str, command), str(time.monotonic_ns())], env=env)
    if found is None:
        sys.exit(f'{command} failed')
    return found['exec_to_first_kernel'][0], found['exec_to_all_kernels'][0]


def wait_ready(daemon):
    """Until a worker is warm, and the last one has kept what it was sent."""
    while (daemon.status_value(r'workers  (\d+) warm') == 0 or
           daemon.status_value(r'guests   (\d+)') > 0):
        time.sleep(0.05)


def starts(daemon, program, server, n):
    times = []
    for _ in range(1 + n):
        wait_ready(daemon)
        times.append(start(daemon.command(program, server=server)))
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('build', help='build folder')
    parser.add_argument('--size', type=float, default=100, metavar='MIB',
                        help='of device code (default: 100)')
    parser.add_argument('--arch', default='sm_90', help='default: sm_90')
    parser.add_argument('--runtime', choices=['shared', 'static'], default='shared')
    parser.add_argument('--jobs', type=int, default=os.cpu_count())
    parser.add_argument('--runs', type=int, default=5, help='starts after the first')
    parser.add_argument('--nvcc', default='/usr/local/cuda/bin/nvcc')
    parser.add_argument('--folder', help='compile there, and use what lies there already')
    options = parser.parse_args()
    build = measure.use_build(options.build)
    driver = 'nvidia' if has_nvidia() else 'soft'
    os.environ['OUTBOARD_DRIVER'] = 'auto' if driver == 'nvidia' else 'soft'
    from harness import Daemon

    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(options.folder or temporary).resolve()
        folder.mkdir(exist_ok=True)
        if (folder / 'many').exists():
            programs = {'one': folder / 'one', 'many': folder / 'many'}
        else:
            programs = compile_all(options, folder)
        direct_env = direct_environment(driver, build / 'lib/outboard')
        print(f'driver: {driver}; milliseconds from exec until the first kernel, and all, are '
              'done\n'
              f'{"":17} {"first start":>17} {"later, median":>17} {"slowest":>17}')

        def row(name, over, times):
            cells = (times[0], *(tuple(of(column) for column in zip(*times[1:]))
                                 for of in (statistics.median, max)))
            print(f'{name:8} {over:8}', *(f'{first:8.1f} {all_of:8.1f}'
                                          for first, all_of in cells), flush=True)

        if driver == 'soft':
            del programs['one']  # linked machine code, without PTX
        for name, program in programs.items():
            row(name, 'direct', [start([program], direct_env)
                                 for _ in range(1 + options.runs)])
            with Daemon() as daemon:
                for over, server in ('unix', daemon.unix), ('tcp', daemon.tcp):
                    row(name, over, starts(daemon, program, server, options.runs))


if __name__ == '__main__':
    main()
