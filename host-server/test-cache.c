/* SPDX-License-Identifier: Apache-2.0 */
/* test-cache.c: images kept in files, found, damaged, too many, by several at a time. */
#include "host-server/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/cleanup.h"

#define SIZE 100000
#define SIZE_MAX_KEPT (uint64_t)(3 * SIZE + SIZE / 2)

struct bench {
	char folder[32];
	struct cache *cache;
};

/* Two parts of random bytes, and some to go with them. */
struct sample {
	unsigned char bytes[SIZE];
	char kernels[1000];
	size_t kernels_size;
	struct image_part parts[2];
	unsigned char hash[IMAGE_HASH_SIZE];
};

static struct cache *
open_as(struct bench *b, const char *tenant)
{
	struct cache_options options = { b->folder, tenant, SIZE_MAX_KEPT };
	struct cache *cache;

	assert_int_equal(cache_new(&options, &cache), 0);
	return cache;
}

static int
setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	strcpy(b->folder, "/tmp/outboard-cache-XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	b->cache = open_as(b, "one");
	*state = b;
	return 0;
}

/* Every file of every tenant; counts them. */
static size_t
each_file(struct bench *b, void (*visit)(const char *path))
{
	DIR *folder = opendir(b->folder);
	const struct dirent *tenant, *file;
	size_t n = 0;

	while ((tenant = readdir(folder)) != NULL) {
		char path[600];
		snprintf(path, sizeof(path), "%s/%s", b->folder, tenant->d_name);
		DIR *files = tenant->d_name[0] != '.' ? opendir(path) : NULL;
		while (files != NULL && (file = readdir(files)) != NULL) {
			if (file->d_name[0] != '.') {
				snprintf(path, sizeof(path), "%s/%s/%s", b->folder,
					tenant->d_name, file->d_name);
				n++;
				if (visit != NULL) {
					visit(path);
				}
			}
		}
		if (files != NULL) {
			closedir(files);
		}
	}
	closedir(folder);
	return n;
}

static void
remove_file(const char *path)
{
	unlink(path);
}

static int
teardown(void **state)
{
	static const char *const tenants[] = { "one", "two", "" };
	struct bench *b = *state;
	char path[64];

	each_file(b, remove_file);
	for (size_t i = 0; i < ARRAY_LEN(tenants); i++) {
		snprintf(path, sizeof(path), "%s/%s", b->folder, tenants[i]);
		rmdir(path);
	}
	cache_free(b->cache);
	free(b);
	return 0;
}

static struct sample *
sample_new(unsigned seed)
{
	struct sample *s = calloc(1, sizeof(*s));
	struct selection *whole;

	srand(seed + 1); /* to which 0 and 1 are the same */
	for (size_t i = 0; i < SIZE; i++) {
		s->bytes[i] = (unsigned char)(rand() >> 7);
	}
	for (size_t i = 0; i < sizeof(s->kernels); i++) {
		s->kernels[i] = (char)(rand() >> 7);
	}
	s->kernels_size = seed % 3 * 333;
	size_t first = 1 + (size_t)rand() % (SIZE - 1);
	s->parts[0] = (struct image_part){ s->bytes, first };
	s->parts[1] = (struct image_part){ s->bytes + first, SIZE - first };
	struct image image = { IMAGE_FATBIN, 2, s->parts };
	assert_int_equal(selection_whole(&image, &whole), 0);
	assert_int_equal(image_hash(whole, s->hash), 0);
	selection_free(whole);
	return s;
}

static int
keep(struct cache *cache, const struct sample *s)
{
	struct image image = { IMAGE_FATBIN, 2, (struct image_part *)s->parts };

	return cache_keep(cache, s->hash,
		&(struct cache_content){ &image, s->kernels, s->kernels_size });
}

/* Whether it is found; what is found must be it. */
static bool
finds(struct cache *cache, const struct sample *s)
{
	struct cached_image found;

	if (cache_find(cache, s->hash, &found) < 0) {
		return false;
	}
	assert_int_equal(found.kind, IMAGE_FATBIN);
	assert_int_equal(found.n_parts, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(found.parts[i].size, s->parts[i].size);
		assert_memory_equal(
			found.parts[i].data, s->parts[i].data, s->parts[i].size);
		assert_int_equal((uintptr_t)found.parts[i].data % 8, 0);
		assert_int_equal(
			((const char *)found.parts[i].data)[found.parts[i].size], 0);
	}
	assert_int_equal(found.kernels_size, s->kernels_size);
	assert_memory_equal(found.kernels, s->kernels, found.kernels_size);
	cached_image_deinit(&found);
	return true;
}

static void
what_is_kept_is_found(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < 3; i++) {
		cleanup_free struct sample *s = sample_new(i);
		assert_false(finds(b->cache, s));
		assert_int_equal(keep(b->cache, s), 0);
		assert_true(finds(b->cache, s));
	}
	cleanup_free struct sample *first = sample_new(0);
	assert_true(finds(b->cache, first));
	first->hash[31] ^= 1;
	assert_false(finds(b->cache, first));
}

static void
tenants_do_not_see_each_other(void **state)
{
	struct bench *b = *state;
	struct cache *two = open_as(b, "two");
	cleanup_free struct sample *s = sample_new(1);

	assert_int_equal(keep(b->cache, s), 0);
	assert_false(finds(two, s));
	assert_int_equal(keep(two, s), 0);
	assert_true(finds(two, s));
	assert_int_equal(each_file(b, NULL), 2);
	cache_free(two);
	static const char *const bad[] = { "..", ".", "a/b", "/" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct cache_options options = { b->folder, bad[i], 1 };
		assert_int_equal(cache_new(&options, &two), -EINVAL);
	}
}

static void
the_bound_is_for_all_and_the_oldest_goes(void **state)
{
	struct bench *b = *state;
	struct cache *two = open_as(b, "two");
	struct sample *s[5];

	for (unsigned i = 0; i < 5; i++) {
		s[i] = sample_new(i);
	}
	assert_int_equal(keep(two, s[0]), 0);
	assert_int_equal(keep(b->cache, s[1]), 0);
	assert_int_equal(keep(b->cache, s[2]), 0);
	assert_true(finds(b->cache, s[1]));
	assert_int_equal(keep(b->cache, s[3]), 0);
	assert_false(finds(two, s[0]));
	assert_int_equal(keep(two, s[4]), 0);
	assert_false(finds(b->cache, s[2]));
	assert_true(finds(b->cache, s[1]) && finds(b->cache, s[3]) && finds(two, s[4]));
	assert_int_equal(each_file(b, NULL), 3);
	for (unsigned i = 0; i < 5; i++) {
		free(s[i]);
	}
	cache_free(two);
}

static void
what_is_mapped_stays_when_it_goes(void **state)
{
	struct bench *b = *state;
	cleanup_free struct sample *s = sample_new(1);
	struct cached_image found;

	assert_int_equal(keep(b->cache, s), 0);
	assert_int_equal(cache_find(b->cache, s->hash, &found), 0);
	each_file(b, remove_file);
	assert_memory_equal(found.parts[0].data, s->parts[0].data, s->parts[0].size);
	cached_image_deinit(&found);
	assert_false(finds(b->cache, s));
}

/* ---- damage ---- */

static long damage_at; /* from the start, or if negative from the end */

static void
damage_file(const char *path)
{
	unsigned char byte;

	cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC);
	off_t at = lseek(fd, damage_at, damage_at < 0 ? SEEK_END : SEEK_SET);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

/* Shorter or longer. */
static void
resize_file(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(
		truncate(path, st.st_size + (damage_at != 0 ? damage_at : 64)), 0);
}

static void
what_is_damaged_is_not_found(void **state)
{
	static const long places[] = { 0, 1000, SIZE / 2, SIZE - 1, -1, -9, -17, -33, -40,
		-57, -80, -112, -129, -137, -152, -400 };
	struct bench *b = *state;
	cleanup_free struct sample *s = sample_new(1);

	for (size_t i = 0; i < 2 * ARRAY_LEN(places); i++) {
		damage_at = places[i / 2];
		assert_int_equal(keep(b->cache, s), 0);
		assert_true(finds(b->cache, s));
		each_file(b, i % 2 == 0 ? damage_file : resize_file);
		assert_false(finds(b->cache, s));
		assert_int_equal(each_file(b, NULL), 0); /* removed */
	}
}

static void
age_file(const char *path)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW },
		{ .tv_sec = 1, .tv_nsec = 1 } };

	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void
what_another_boot_wrote_is_compared(void **state)
{
	struct bench *b = *state;
	cleanup_free struct sample *s = sample_new(1);

	assert_int_equal(keep(b->cache, s), 0);
	each_file(b, age_file);
	assert_true(finds(b->cache, s));
	/* As a crash leaves it: the right size, other content. */
	damage_at = 5;
	each_file(b, damage_file);
	each_file(b, age_file);
	assert_false(finds(b->cache, s));
}

/* ---- several at a time ---- */

static void
keep_and_find_at_random(struct bench *b, unsigned seed)
{
	struct cache *cache = open_as(b, seed % 2 == 0 ? "one" : "two");
	struct sample *s[6];

	for (unsigned i = 0; i < 6; i++) {
		s[i] = sample_new(i);
	}
	srand(seed);
	for (int i = 0; i < 60; i++) {
		struct sample *one = s[rand() % 6];
		if (!finds(cache, one)) {
			(void)keep(cache, one); /* it may have to make room at once */
		}
	}
}

static void
several_processes_do_not_disturb_each_other(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < 6; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			keep_and_find_at_random(b, i);
			_exit(0);
		}
	}
	for (unsigned i = 0; i < 6; i++) {
		int status;
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	size_t n = each_file(b, NULL);
	assert_true(n > 0 && n <= 3);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_kept_is_found),
		TEST(tenants_do_not_see_each_other),
		TEST(the_bound_is_for_all_and_the_oldest_goes),
		TEST(what_is_mapped_stays_when_it_goes),
		TEST(what_is_damaged_is_not_found),
		TEST(what_another_boot_wrote_is_compared),
		TEST(several_processes_do_not_disturb_each_other),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
