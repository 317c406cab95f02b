/* SPDX-License-Identifier: Apache-2.0 */
/* runtime.c: a stand-in for NVIDIA's static runtime, with functions of all lengths. */
#include "runtime.h"

/* So that it looks like a program with device code. */
__attribute__((section(".nv_fatbin"), used)) static const char fatbin[16] = "nothing";

static volatile int registered;

int
__cudaRegisterFatBinary(int of)
{
	registered += of;
	return THEIRS;
}

int
cudaMalloc(int n)
{
	volatile int sum = 0;

	for (int i = 0; i < n; i++) {
		sum += i;
	}
	return THEIRS + 0 * sum;
}

int
cudaRegistered(void)
{
	return -registered - 1000;
}

#if MAJOR == 12
int
cudaGetDeviceProperties_v2(void)
{
	return cudaMalloc(3);
}
#endif

int
cudaOwnHelper(void)
{
	return HELPER;
}

/* What compilers really make: 3 functions of NVIDIA's runtime are like these. */
#if defined(__CET__) && (__CET__ & 1)
#define ENDBR "endbr64\n"
#else
#define ENDBR
#endif
/* As NVIDIA's are. */
#ifdef EXPORTED
#define HIDDEN
#else
#define HIDDEN ".hidden \\name\n"
#endif
__asm__(".text\n"
	".macro function name\n"
	".globl \\name\n"
	".type \\name, @function\n" HIDDEN "\\name:\n" ENDBR ".endm\n"
	".p2align 4\n"
	"function cudaTiny3\n"
	"	xor %eax, %eax\n"
	"	ret\n"
	".size cudaTiny3, . - cudaTiny3\n"
	".p2align 4\n"
	"function cudaTiny1\n"
	"	ret\n"
	".size cudaTiny1, . - cudaTiny1\n"
	".p2align 4\n"
	"function cudaTiny10\n"
	"	xor %eax, %eax\n"
	"	xor %ecx, %ecx\n"
	"	mov $1, %eax\n"
	"	ret\n"
	".size cudaTiny10, . - cudaTiny10\n"
	"function cudaNeighbour\n"
	"	mov $1, %eax\n"
	"	ret\n"
	".size cudaNeighbour, . - cudaNeighbour\n"
	".p2align 4\n");
