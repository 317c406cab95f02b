/* SPDX-License-Identifier: Apache-2.0 */
/* ops.c: run the kernels that ops.py has made, and write down what they answer.
 *
 * ops FOLDER RESULTS: RESULTS becomes one block of N 64-bit words for each line of
 * FOLDER/list.txt, in that order.  Needs nothing but the driver API. */
#include <cuda.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N 1024
#define MAX_INPUTS (64 << 20)

static void
must(CUresult result, const char *what)
{
	const char *name = "?";

	if (result != CUDA_SUCCESS) {
		cuGetErrorName(result, &name);
		fprintf(stderr, "ops: %s: %s\n", what, name);
		exit(1);
	}
}

/* The whole file with a zero behind it, or NULL. */
static char *
read_file(const char *folder, const char *name, size_t *ret_size)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "rb");

	if (file == NULL) {
		return NULL;
	}
	char *text = malloc(MAX_INPUTS + 1);
	size_t size = text != NULL ? fread(text, 1, MAX_INPUTS, file) : 0;

	fclose(file);
	if (text != NULL) {
		text[size] = 0;
		*ret_size = size;
	}
	return text;
}

static CUmodule
load(const char *folder, const char *name)
{
	size_t size;
	char *text = read_file(folder, name, &size);
	CUmodule module = NULL;
	char log[4096] = "";
	CUjit_option options[] = { CU_JIT_ERROR_LOG_BUFFER,
		CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES };
	void *values[] = { log, (void *)sizeof(log) };

	if (text == NULL) {
		return NULL; /* math.ptx, where there is no nvcc */
	}
	if (cuModuleLoadDataEx(&module, text, 2, options, values) != CUDA_SUCCESS) {
		fprintf(stderr, "ops: %s does not load: %s\n", name, log);
		module = NULL;
	}
	free(text);
	return module;
}

static CUresult
run(CUmodule module, const char *kernel, CUdeviceptr in, CUdeviceptr out, uint64_t *words)
{
	CUfunction function;
	void *params[] = { &in, &out };
	CUresult result = cuModuleGetFunction(&function, module, kernel);

	if (result == CUDA_SUCCESS) {
		result = cuMemsetD8(out, 0, N * 8);
	}
	if (result == CUDA_SUCCESS) {
		result = cuLaunchKernel(
			function, N / 256, 1, 1, 256, 1, 1, 0, NULL, params, NULL);
	}
	return result == CUDA_SUCCESS ? cuMemcpyDtoH(words, out, N * 8) : result;
}

int
main(int argc, char **argv)
{
	CUdevice device;
	CUcontext context;
	CUdeviceptr in, out;
	size_t list_size, inputs_size;

	if (argc != 3) {
		fprintf(stderr, "usage: ops FOLDER RESULTS\n");
		return 2;
	}
	char *list = read_file(argv[1], "list.txt", &list_size);
	char *inputs = read_file(argv[1], "inputs.bin", &inputs_size);
	FILE *results = fopen(argv[2], "wb");

	if (list == NULL || inputs == NULL || results == NULL) {
		fprintf(stderr, "ops: cannot read %s or write %s\n", argv[1], argv[2]);
		return 1;
	}
	must(cuInit(0), "cuInit");
	must(cuDeviceGet(&device, 0), "cuDeviceGet");
	must(cuDevicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain");
	must(cuCtxSetCurrent(context), "cuCtxSetCurrent");
	must(cuMemAlloc(&in, inputs_size), "cuMemAlloc");
	must(cuMemAlloc(&out, N * 8), "cuMemAlloc");
	must(cuMemcpyHtoD(in, inputs, inputs_size), "cuMemcpyHtoD");

	char current[256] = "";
	CUmodule module = NULL;
	int failed = 0;
	char *rest;

	for (char *line = strtok_r(list, "\n", &rest); line != NULL;
		line = strtok_r(NULL, "\n", &rest)) {
		static uint64_t words[N];
		char file[256], kernel[256];

		if (sscanf(line, "%255s %255s", file, kernel) != 2) {
			continue;
		}
		if (strcmp(file, current) != 0) {
			strcpy(current, file);
			module = load(argv[1], file);
		}
		CUresult result = module != NULL ? run(module, kernel, in, out, words)
						 : CUDA_ERROR_FILE_NOT_FOUND;

		if (result != CUDA_SUCCESS) {
			const char *name = "?";

			cuGetErrorName(result, &name);
			fprintf(stderr, "ops: %s: %s\n", kernel, name);
			memset(words, 0xee, sizeof(words));
			failed++;
		}
		fwrite(words, 1, sizeof(words), results);
	}
	free(list);
	free(inputs);
	if (fclose(results) != 0) {
		perror("ops: cannot write the results");
		return 1;
	}
	printf("%d kernels failed\n", failed);
	return 0;
}
