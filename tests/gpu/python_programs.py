#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""python_programs CASE: programs that nobody here wrote, driven from Python.

Run by hand on a machine with a GPU, natively and through `outboard run`; each case checks
its results against numpy and prints PASS.
"""

import sys

import numpy as np


def cupy_elementwise():
    import cupy as cp
    a = np.random.rand(100003).astype(np.float32)
    b = np.random.rand(100003).astype(np.float32)
    c = cp.asnumpy(cp.asarray(a) * 2 + cp.asarray(b))
    assert np.allclose(c, a * 2 + b)
    assert np.isclose(float(cp.asarray(a).sum()), a.sum(), rtol=1e-4)


def cupy_raw_kernel():
    import cupy as cp
    kernel = cp.RawKernel(r'''
    extern "C" __global__ void add(const float *a, const float *b, float *c, int n) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i < n) c[i] = a[i] + b[i];
    }''', 'add')
    a, b = np.random.rand(2, 10007).astype(np.float32)
    c = cp.zeros(10007, dtype=cp.float32)
    kernel((40,), (256,), (cp.asarray(a), cp.asarray(b), c, np.int32(10007)))
    assert (cp.asnumpy(c) == a + b).all()


def numba_vector_add():
    from numba import cuda

    @cuda.jit
    def add(a, b, c):
        i = cuda.grid(1)
        if i < c.size:
            c[i] = a[i] + b[i]

    a, b = np.random.rand(2, 10007).astype(np.float32)
    c = np.zeros_like(a)
    add[40, 256](a, b, c)
    assert (c == a + b).all()


def torch_add():
    import torch
    a, b = torch.rand(10007), torch.rand(10007)
    assert torch.equal((a.cuda() + b.cuda()).cpu(), a + b)


if __name__ == '__main__':
    globals()[sys.argv[1]]()
    print('PASS')
