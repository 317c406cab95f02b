/* SPDX-License-Identifier: Apache-2.0 */
/* cache_file.c: one image in a file.
 *
 *     part 0, NUL, padding │ part 1 … │ kernels, padding │ sizes of parts │ trailer
 *
 * Parts come first, so that they are aligned in memory as they are in the file.  The file
 * is for this machine and this build: fields are as the processor has them.
 *
 * The content is compared with its hash the first time that it is used after the machine
 * has started, and again after anything has written to the file.  What says so is the
 * file's time of modification, whose nanoseconds are set to a number of this boot: a
 * write replaces them by a clock's.  So a file that a crash left half on the disk, or
 * that somebody has damaged, is found out, and the usual hit costs no reading.  The time
 * of access is set to that of the last use. */
#include "host-server/cache_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "common/checked.h"
#include "common/cleanup.h"
#include "host-server/image.h"

#define MAGIC "obimage1"
#define ALIGNMENT 64 /* of parts; the driver asks for 8 */
#define BOOT_ID "/proc/sys/kernel/random/boot_id"

struct trailer {
	char magic[8];
	unsigned char hash[IMAGE_HASH_SIZE];	   /* what it is kept under */
	unsigned char image_hash[IMAGE_HASH_SIZE]; /* of the content */
	unsigned char kernels_hash[IMAGE_HASH_SIZE];
	uint32_t kind;
	uint32_t n_parts;
	uint64_t kernels_size;
	uint64_t file_size;
};

/* ---- whether the content was compared ---- */

/* Nanoseconds that stand for this boot, or -1: then every use compares. */
static long
boot_mark(void)
{
	char text[9] = "";

	cleanup_fclose FILE *f = fopen(BOOT_ID, "re");
	if (f == NULL || fread(text, 1, 8, f) != 8) {
		return -1;
	}
	return (long)(strtoul(text, NULL, 16) % 1000000000);
}

static void
mark_compared(int fd)
{
	long mark = boot_mark();
	struct timespec times[2] = { { 0 },
		{ .tv_nsec = mark >= 0 ? mark : UTIME_OMIT } };

	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[1].tv_sec = times[0].tv_sec;
	(void)futimens(fd, times);
}

/* ---- write ---- */

static uint64_t
room_of_part(uint64_t size)
{
	return (size + 1 + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);
}

static uint64_t
room_of_kernels(uint64_t size)
{
	return (size + 7) & ~(uint64_t)7;
}

uint64_t
cache_file_size(const struct cache_content *content)
{
	const struct image *image = content->image;
	uint64_t size = sizeof(struct trailer) + image->n_parts * sizeof(uint64_t) +
			room_of_kernels(content->kernels_size);

	for (size_t i = 0; i < image->n_parts; i++) {
		size += room_of_part(image->parts[i].size);
	}
	return size;
}

/* The hash of bytes that are no image. */
static int
hash_bytes(const void *bytes, size_t size, unsigned char *ret_hash)
{
	struct image_slice slice = { .data = bytes, .size = size };
	struct selection selection = { .kind = IMAGE_PTX,
		.n_parts = 1,
		.part_sizes = &size,
		.size = size,
		.n_slices = 1,
		.slices = &slice };

	return image_hash(&selection, ret_hash);
}

static int
write_all(int fd, const void *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);
		if (n < 0 && errno != EINTR) {
			return -errno;
		}
		data = (const char *)data + (n > 0 ? n : 0);
		size -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* With zeros behind it. */
static int
write_padded(int fd, const void *data, size_t size, size_t room)
{
	static const char zeros[ALIGNMENT];

	int r = write_all(fd, data, size);
	return r < 0 ? r : write_all(fd, zeros, room - size);
}

int
cache_file_write(int fd, const unsigned char *hash, const struct cache_content *content)
{
	const struct image *image = content->image;
	size_t kernels_size = content->kernels_size;
	struct trailer trailer = { .magic = MAGIC,
		.kind = image->kind,
		.n_parts = (uint32_t)image->n_parts,
		.kernels_size = kernels_size,
		.file_size = cache_file_size(content) };

	memcpy(trailer.hash, hash, sizeof(trailer.hash));
	int r = image_hash_whole(image, trailer.image_hash);
	if (r == 0) {
		r = hash_bytes(content->kernels, kernels_size, trailer.kernels_hash);
	}
	for (size_t i = 0; i < image->n_parts && r == 0; i++) {
		size_t size = image->parts[i].size;
		r = write_padded(fd, image->parts[i].data, size, room_of_part(size));
	}
	if (r == 0) {
		r = write_padded(fd, content->kernels, kernels_size,
			room_of_kernels(kernels_size));
	}
	for (size_t i = 0; i < image->n_parts && r == 0; i++) {
		uint64_t size = image->parts[i].size;
		r = write_all(fd, &size, sizeof(size));
	}
	if (r == 0) {
		r = write_all(fd, &trailer, sizeof(trailer));
	}
	if (r == 0) {
		mark_compared(fd);
	}
	return r;
}

/* ---- read ---- */

/* Where everything is, by the table in front of the trailer.  0, -EBADMSG, -ENOMEM. */
static int
find_parts(const struct trailer *trailer, struct cached_image *image)
{
	const unsigned char *file = image->map;
	uint64_t table = trailer->file_size - sizeof(*trailer) -
			 trailer->n_parts * sizeof(uint64_t);
	uint64_t at = 0;

	image->parts = calloc(trailer->n_parts, sizeof(*image->parts));
	if (image->parts == NULL) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < trailer->n_parts; i++) {
		uint64_t size;
		memcpy(&size, file + table + i * sizeof(size), sizeof(size));
		if (size == 0 || size > IMAGE_PART_MAX ||
			!checked_range(at, room_of_part(size), table) ||
			file[at + size] != '\0') {
			return -EBADMSG;
		}
		image->parts[i] = (struct image_part){ file + at, size };
		at += room_of_part(size);
	}
	image->kernels = file + at;
	image->kernels_size = trailer->kernels_size;
	return trailer->kernels_size <= table - at &&
			       room_of_kernels(trailer->kernels_size) == table - at
		       ? 0
		       : -EBADMSG;
}

static int
read_trailer(int fd, const struct stat *st, const unsigned char *hash,
	struct trailer *ret_trailer)
{
	struct trailer trailer;
	off_t at = st->st_size - (off_t)sizeof(trailer);

	if (!S_ISREG(st->st_mode) || st->st_uid != geteuid() || at < 0 ||
		(uint64_t)st->st_size > IMAGES_SIZE_MAX ||
		pread(fd, &trailer, sizeof(trailer), at) != (ssize_t)sizeof(trailer)) {
		return -EBADMSG;
	}
	if (memcmp(trailer.magic, MAGIC, sizeof(trailer.magic)) != 0 ||
		memcmp(trailer.hash, hash, sizeof(trailer.hash)) != 0 ||
		trailer.file_size != (uint64_t)st->st_size || trailer.kind > IMAGE_PTX ||
		trailer.n_parts == 0 || trailer.n_parts > IMAGE_PARTS_MAX ||
		(trailer.kind != IMAGE_FATBIN && trailer.n_parts != 1) ||
		trailer.n_parts * sizeof(uint64_t) > (uint64_t)at) {
		return -EBADMSG;
	}
	*ret_trailer = trailer;
	return 0;
}

/* 0, -EBADMSG, -ENOMEM. */
static int
compare(const struct cached_image *cached, const struct trailer *trailer)
{
	struct image image = {
		.kind = cached->kind, .n_parts = cached->n_parts, .parts = cached->parts
	};
	unsigned char of_image[IMAGE_HASH_SIZE], of_kernels[IMAGE_HASH_SIZE];

	int r = image_hash_whole(&image, of_image);
	if (r == 0) {
		r = hash_bytes(cached->kernels, cached->kernels_size, of_kernels);
	}
	if (r < 0) {
		return r;
	}
	bool same = memcmp(of_image, trailer->image_hash, sizeof(of_image)) == 0 &&
		    memcmp(of_kernels, trailer->kernels_hash, sizeof(of_kernels)) == 0;
	return same ? 0 : -EBADMSG;
}

int
cache_file_map(int fd, const unsigned char *hash, struct cached_image *ret_image)
{
	struct trailer trailer;
	struct stat st;

	if (fstat(fd, &st) < 0) {
		return -errno;
	}
	int r = read_trailer(fd, &st, hash, &trailer);
	if (r < 0) {
		return r;
	}
	/* Nobody but us shortens it, and we never do: pages cannot vanish. */
	void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED) {
		return -errno;
	}
	struct cached_image image = { .kind = (enum image_kind)trailer.kind,
		.n_parts = trailer.n_parts,
		.map = map,
		.map_size = (size_t)st.st_size };
	r = find_parts(&trailer, &image);
	if (r == 0 && st.st_mtim.tv_nsec != boot_mark()) {
		r = compare(&image, &trailer);
	}
	if (r < 0) {
		cached_image_deinit(&image);
		return r;
	}
	mark_compared(fd);
	*ret_image = image;
	return 0;
}

void
cached_image_deinit(struct cached_image *image)
{
	if (image->map != NULL) {
		munmap(image->map, image->map_size);
	}
	free(image->parts);
	*image = (struct cached_image){ 0 };
}
