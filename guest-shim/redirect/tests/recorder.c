/* SPDX-License-Identifier: Apache-2.0 */
/* recorder.c: takes the place of libcudart.so.13 and prints what a real program calls. */
#include <stdio.h>
#include <string.h>

#define PUBLIC __attribute__((visibility("default")))

struct dimensions {
	unsigned x, y, z;
};

PUBLIC void **__cudaRegisterFatBinary(void *wrapper);
PUBLIC void __cudaRegisterFatBinaryEnd(void **handle);
PUBLIC void __cudaUnregisterFatBinary(void **handle);
PUBLIC void __cudaRegisterFunction(void **handle, const char *host, char *device,
	const char *name, int limit, void *a, void *b, void *c, void *d, int *e);
PUBLIC char __cudaInitModule(void **handle);
PUBLIC unsigned __cudaPushCallConfiguration(
	struct dimensions grid, struct dimensions block, size_t shared, void *stream);
PUBLIC int __cudaPopCallConfiguration(
	struct dimensions *grid, struct dimensions *block, size_t *shared, void *stream);
PUBLIC int __cudaGetKernel(void **kernel, const void *host);
PUBLIC int __cudaLaunchKernel(void *kernel, struct dimensions grid,
	struct dimensions block, void **arguments, size_t shared, void *stream);
PUBLIC int cudaMalloc(void **pointer, size_t size);
PUBLIC int cudaGetLastError(void);
PUBLIC const char *cudaGetErrorString(int error);

static struct dimensions pushed_grid, pushed_block;
static void *handle_value;

void **
__cudaRegisterFatBinary(void *wrapper)
{
	printf("register %x\n", *(unsigned *)wrapper);
	return &handle_value;
}

void
__cudaRegisterFatBinaryEnd(void **handle)
{
}

void
__cudaUnregisterFatBinary(void **handle)
{
	printf("unregister %d\n", handle == &handle_value);
}

void
__cudaRegisterFunction(void **handle, const char *host, char *device, const char *name,
	int limit, void *a, void *b, void *c, void *d, int *e)
{
	printf("function %s\n", name);
}

char
__cudaInitModule(void **handle)
{
	return 1;
}

unsigned
__cudaPushCallConfiguration(
	struct dimensions grid, struct dimensions block, size_t shared, void *stream)
{
	pushed_grid = grid;
	pushed_block = block;
	return 0;
}

int
__cudaPopCallConfiguration(
	struct dimensions *grid, struct dimensions *block, size_t *shared, void *stream)
{
	*grid = pushed_grid;
	*block = pushed_block;
	*shared = 0;
	memset(stream, 0, sizeof(void *));
	return 0;
}

int
__cudaGetKernel(void **kernel, const void *host)
{
	memcpy(kernel, &host, sizeof(host));
	return 0;
}

/* 10 bytes in NVIDIA's runtime: comes by a trampoline. */
int
__cudaLaunchKernel(void *kernel, struct dimensions grid, struct dimensions block,
	void **arguments, size_t shared, void *stream)
{
	printf("launch %u x %u n=%d\n", grid.x, block.x, *(int *)arguments[3]);
	return 0;
}

int
cudaMalloc(void **pointer, size_t size)
{
	*pointer = (void *)size;
	return 0;
}

int
cudaGetLastError(void)
{
	return 4711;
}

const char *
cudaGetErrorString(int error)
{
	return "ours";
}
