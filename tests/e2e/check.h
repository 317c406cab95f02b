/* SPDX-License-Identifier: Apache-2.0 */
/* check.h: what the programs of the driver API have in common: stop at what is wrong,
 * random numbers, and the way to a kernel. */
#pragma once

#include <cuda.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

/* What was printed before, such as a seed, is not lost; nothing else is run any more. */
#define FAIL(...) \
	do { \
		fflush(stdout); \
		fprintf(stderr, "FAIL %s:%d: ", __FILE__, __LINE__); \
		fprintf(stderr, __VA_ARGS__); \
		fputc('\n', stderr); \
		_exit(1); \
	} while (0)
#define EXPECT(wanted, call) \
	do { \
		CUresult got_ = (call); \
		if (got_ != (wanted)) { \
			FAIL("%s: %d, not %s", #call, (int)got_, #wanted); \
		} \
	} while (0)
#define DO(call) EXPECT(CUDA_SUCCESS, call)

#define PTX_HEAD ".version 7.0\n.target sm_52\n.address_size 64\n"
#define PTX_NOTHING ".visible .entry nothing() { ret; }\n"
/* to[i] = from[i] * factor + i for all i < n */
#define PTX_SCALE \
	".visible .entry scale(.param .u64 p_to, .param .u64 p_from, .param .u32 p_factor,\n" \
	"	.param .u32 p_n)\n{\n" \
	"	.reg .pred %p<2>;\n	.reg .b32 %r<10>;\n	.reg .b64 %rd<8>;\n" \
	"	ld.param.u64 %rd1, [p_to];\n	ld.param.u64 %rd2, [p_from];\n" \
	"	ld.param.u32 %r1, [p_factor];\n	ld.param.u32 %r2, [p_n];\n" \
	"	mov.u32 %r3, %ctaid.x;\n	mov.u32 %r4, %ntid.x;\n	mov.u32 %r5, %tid.x;\n" \
	"	mad.lo.s32 %r6, %r3, %r4, %r5;\n	setp.ge.u32 %p1, %r6, %r2;\n" \
	"	@%p1 bra DONE;\n" \
	"	cvta.to.global.u64 %rd3, %rd1;\n	cvta.to.global.u64 %rd4, %rd2;\n" \
	"	mul.wide.u32 %rd5, %r6, 4;\n	add.s64 %rd6, %rd4, %rd5;\n" \
	"	ld.global.u32 %r7, [%rd6];\n	mad.lo.s32 %r8, %r7, %r1, %r6;\n" \
	"	add.s64 %rd7, %rd3, %rd5;\n	st.global.u32 [%rd7], %r8;\n" \
	"DONE:\n	ret;\n}\n"

static inline unsigned
next(unsigned *random, unsigned below)
{
	*random = *random * 1664525u + 1013904223u;
	return (unsigned)((uint64_t)(*random >> 8) * below >> 24);
}

/* The device's primary context, which is current then. */
static inline CUcontext
use_device(CUdevice device)
{
	CUcontext context;

	DO(cuDevicePrimaryCtxRetain(&context, device));
	DO(cuCtxSetCurrent(context));
	return context;
}

static inline CUfunction
load_kernel(const char *ptx, const char *name)
{
	CUmodule module;
	CUfunction function;

	DO(cuModuleLoadData(&module, ptx));
	DO(cuModuleGetFunction(&function, module, name));
	return function;
}
