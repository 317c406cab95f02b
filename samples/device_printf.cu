/* SPDX-License-Identifier: Apache-2.0 */
/* device_printf.cu: prints from a kernel, and reads back what came out on stdout. */
#include "check.h"

#include <string.h>
#include <unistd.h>

#define THREADS 96
#define LINES 8

/* One thread prints, so that the order is certain; all the others only count. */
__global__ void
speak(unsigned seed, unsigned *count)
{
	atomicAdd(count, 1u);
	if (blockIdx.x != 1 || threadIdx.x != 7) {
		return;
	}
	for (int i = 0; i < LINES; i++) {
		unsigned value = seed * (unsigned)(i + 1);
		printf("line %d of %s: %u %08x %lld %c %.3f %5d|%-6u| %%\n", i, "device",
			value, value, -(long long)value * 1000003, 'a' + i,
			(double)value / 7, -i, value % 1000);
	}
	printf("no arguments\n");
}

static size_t
expect(char *text, size_t room, unsigned seed)
{
	size_t len = 0;

	for (int i = 0; i < LINES; i++) {
		unsigned value = seed * (unsigned)(i + 1);
		len += (size_t)snprintf(text + len, room - len,
			"line %d of %s: %u %08x %lld %c %.3f %5d|%-6u| %%\n", i, "device",
			value, value, -(long long)value * 1000003, 'a' + i,
			(double)value / 7, -i, value % 1000);
	}
	return len + (size_t)snprintf(text + len, room - len, "no arguments\n");
}

/* stdout goes into a file while the kernel runs. */
static size_t
listen(char *text, size_t room, unsigned seed, unsigned *device_count)
{
	FILE *file = tmpfile();
	int terminal = dup(STDOUT_FILENO);

	if (file == NULL || terminal < 0) {
		FAIL("no temporary file");
	}
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	speak<<<3, THREADS / 3>>>(seed, device_count);
	cudaError_t error = cudaDeviceSynchronize();
	fflush(stdout);
	dup2(terminal, STDOUT_FILENO);
	close(terminal);
	CHECK(error);
	rewind(file);
	size_t len = fread(text, 1, room - 1, file);
	text[len] = '\0';
	fclose(file);
	return len;
}

int
main(void)
{
	char expected[4096], got[4096];
	unsigned *device_count, count = 0;

	seed_random();
	unsigned seed = random_u32();
	CHECK(cudaMalloc(&device_count, sizeof(count)));
	CHECK(cudaMemset(device_count, 0, sizeof(count)));
	size_t expected_len = expect(expected, sizeof(expected), seed);
	size_t got_len = listen(got, sizeof(got), seed, device_count);
	fwrite(got, 1, got_len, stdout);
	CHECK(cudaMemcpy(&count, device_count, sizeof(count), cudaMemcpyDeviceToHost));
	printf("count %u\n", count);
	if (count != THREADS) {
		FAIL("%u threads counted, not %u", count, THREADS);
	}
	if (got_len != expected_len || memcmp(got, expected, got_len) != 0) {
		FAIL("printed %zu bytes, expected %zu:\n%s", got_len, expected_len,
			expected);
	}
	CHECK(cudaFree(device_count));
	printf("PASS\n");
	return 0;
}
