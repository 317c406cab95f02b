/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-cache-file.c: a file of the cache, whole or damaged. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "host-server/cache_file.h"

#define HASH_AT 120 /* the trailer's hash, from the end (cache_file.c) */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char hash[IMAGE_HASH_SIZE] = { 0 };
	struct cached_image image;
	size_t sum = 0;

	cleanup_close int fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
		return 0;
	}
	if (size >= HASH_AT) {
		memcpy(hash, data + size - HASH_AT, sizeof(hash));
	}
	if (cache_file_map(fd, hash, &image) < 0) {
		return 0;
	}
	/* Everything can be read, and ends. */
	for (size_t i = 0; i < image.n_parts; i++) {
		const char *bytes = image.parts[i].data;
		for (size_t j = 0; j < image.parts[i].size; j++) {
			sum += (unsigned char)bytes[j];
		}
		if (bytes[image.parts[i].size] != '\0') {
			abort();
		}
	}
	for (size_t j = 0; j < image.kernels_size; j++) {
		sum += ((const unsigned char *)image.kernels)[j];
	}
	cached_image_deinit(&image);
	return sum == SIZE_MAX;
}
