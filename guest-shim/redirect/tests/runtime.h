/* SPDX-License-Identifier: Apache-2.0 */
/* runtime.h: a stand-in for NVIDIA's static runtime, whose functions are redirected.
 *
 * Here, every function says THEIRS; in our libcudart's stand-in it says OURS or more. */
#pragma once

#define THEIRS 1
#define HELPER 2
#define OURS(major, n) ((major)*1000 + (n))

int __cudaRegisterFatBinary(int of);  /* 1: counts calls, returns OURS */
int cudaMalloc(int n);		      /* 2: long enough for a far jump */
int cudaTiny3(void);		      /* 3: "xor; ret", then padding */
int cudaTiny1(void);		      /* 4: "ret", then padding */
int cudaTiny10(void);		      /* 5: 10 bytes, the next function at once */
int cudaNeighbour(void);	      /* 6: that next function */
int cudaRegistered(void);	      /* how often __cudaRegisterFatBinary came */
int cudaGetDeviceProperties_v2(void); /* 7: only in 12 */
int cudaOwnHelper(void);	      /* a name like CUDA's that is not CUDA's */
