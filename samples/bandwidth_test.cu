/* SPDX-License-Identifier: Apache-2.0 */
/* bandwidth_test.cu: copies in every direction, timed and verified.
 * Usage: bandwidth_test [bytes] */
#include "check.h"

#include <string.h>

#define ROUNDS 4

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void
copy(const char *what, void *to, const void *from, size_t size, cudaMemcpyKind kind)
{
	double start = now();

	for (int i = 0; i < ROUNDS; i++) {
		CHECK(cudaMemcpy(to, from, size, kind));
	}
	CHECK(cudaDeviceSynchronize());
	double seconds = now() - start;
	printf("%-22s %8.3f GiB/s\n", what, (double)size * ROUNDS / seconds / (1 << 30));
}

static void
fill(uint32_t *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		words[i] = random_u32();
	}
}

static void
compare(const char *what, const void *got, const void *expected, size_t size)
{
	const unsigned char *a = (const unsigned char *)got;
	const unsigned char *b = (const unsigned char *)expected;

	for (size_t i = 0; i < size; i++) {
		if (a[i] != b[i]) {
			FAIL("%s: byte %zu of %zu is %02x, not %02x", what, i, size, a[i],
				b[i]);
		}
	}
}

/* Sizes and offsets at which transports like to be wrong by one. */
static void
odd_sizes(char *device, size_t room)
{
	static const size_t sizes[] = { 1, 3, 4095, 4096, 4097, 65535, 65536, 65537,
		1048575, 1048577, 3145731 };
	char *out = (char *)malloc(room);
	char *back = (char *)malloc(room);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t size = sizes[i], offset = i * 7 % 5;
		if (size + offset > room) {
			break;
		}
		for (size_t k = 0; k < size; k++) {
			out[k] = (char)rand();
		}
		memset(back, 0, size);
		CHECK(cudaMemcpy(device + offset, out, size, cudaMemcpyHostToDevice));
		CHECK(cudaMemcpy(back, device + offset, size, cudaMemcpyDefault));
		compare("odd size", back, out, size);
		CHECK(cudaMemset(device + offset, 0x5a, size));
		CHECK(cudaMemcpy(back, device + offset, size, cudaMemcpyDeviceToHost));
		memset(out, 0x5a, size);
		compare("memset", back, out, size);
	}
	free(out);
	free(back);
}

int
main(int argc, char **argv)
{
	size_t size = size_argument(argc, argv, 16 << 20) & ~(size_t)3;
	if (size < 4096) {
		FAIL("at least 4096 bytes");
	}
	uint32_t *out = (uint32_t *)malloc(size);
	uint32_t *back = (uint32_t *)malloc(size);
	uint32_t *pinned_out, *pinned_back;
	char *first, *second;

	seed_random();
	CHECK(cudaMallocHost(&pinned_out, size));
	CHECK(cudaMallocHost(&pinned_back, size));
	CHECK(cudaMalloc(&first, size));
	CHECK(cudaMalloc(&second, size));
	fill(out, size / 4);
	fill(pinned_out, size / 4);
	memset(back, 0, size);
	memset(pinned_back, 0, size);

	copy("H2D pageable", first, out, size, cudaMemcpyHostToDevice);
	copy("D2D", second, first, size, cudaMemcpyDeviceToDevice);
	copy("D2H pageable", back, second, size, cudaMemcpyDeviceToHost);
	compare("pageable", back, out, size);
	copy("H2D pinned", first, pinned_out, size, cudaMemcpyHostToDevice);
	copy("D2H pinned", pinned_back, first, size, cudaMemcpyDeviceToHost);
	compare("pinned", pinned_back, pinned_out, size);
	odd_sizes(first, size);

	CHECK(cudaFree(first));
	CHECK(cudaFree(second));
	CHECK(cudaFreeHost(pinned_out));
	CHECK(cudaFreeHost(pinned_back));
	free(out);
	free(back);
	printf("PASS\n");
	return 0;
}
