/* SPDX-License-Identifier: Apache-2.0 */
/* cache.c: images that guests have sent before, on disk.
 *
 * Workers share the folder and nothing else.  A file appears under its name when it is
 * complete (rename), is never changed, and goes by unlink: a worker that has it mapped
 * keeps what it has.  The kernel's page cache is what keeps images in memory, once for
 * all. */
#include "host-server/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "host-server/cache_file.h"

#define TENANT_MAX 127
#define NAME_SIZE (TENANT_MAX + 1 + 2 * IMAGE_HASH_SIZE + 1) /* TENANT/HASH */

struct cache {
	int folder; /* its lock is for whoever makes room */
	uint64_t size_max;
	char tenant[TENANT_MAX + 1];
};

/* A file that may have to make room. */
struct entry {
	struct timespec used;
	uint64_t size;
	char name[2 * NAME_MAX + 2]; /* TENANT/FILE */
};

struct listing {
	struct entry *entries;
	size_t n, allocated;
	uint64_t size;
};

static void
name_of(const struct cache *cache, const unsigned char *hash, char *name)
{
	int at = snprintf(name, NAME_SIZE, "%s/", cache->tenant);

	for (size_t i = 0; i < IMAGE_HASH_SIZE; i++) {
		snprintf(name + at + 2 * i, 3, "%02x", hash[i]);
	}
}

int
cache_new(const struct cache_options *options, struct cache **ret_cache)
{
	const char *tenant = options->tenant;

	if (strlen(tenant) > TENANT_MAX || tenant[0] == '.' ||
		strchr(tenant, '/') != NULL) {
		return -EINVAL;
	}
	struct cache *cache = calloc(1, sizeof(*cache));
	if (cache == NULL) {
		return -ENOMEM;
	}
	strcpy(cache->tenant, tenant);
	cache->size_max = options->size_max;
	cache->folder = open(options->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cache->folder < 0) {
		int r = -errno;
		free(cache);
		return r;
	}
	*ret_cache = cache;
	return 0;
}

struct cache *
cache_free(struct cache *cache)
{
	if (cache != NULL) {
		close(cache->folder);
		free(cache);
	}
	return NULL;
}

int
cache_find(struct cache *cache, const unsigned char *hash, struct cached_image *ret_image)
{
	char name[NAME_SIZE];

	name_of(cache, hash, name);
	cleanup_close int fd =
		openat(cache->folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		return -ENOENT;
	}
	int r = cache_file_map(fd, hash, ret_image);
	if (r == -EBADMSG) {
		log_warning("cache: %s is damaged, and is removed", name);
		unlinkat(cache->folder, name, 0);
	}
	return r < 0 ? -ENOENT : 0;
}

/* ---- making room ---- */

static int
list_file(struct listing *listing, int folder, const char *tenant, const char *name)
{
	struct stat st;

	if (name[0] == '.' && (name[1] == '\0' || strcmp(name, "..") == 0)) {
		return 0;
	}
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode)) {
		return 0;
	}
	if (listing->n == listing->allocated) {
		size_t grown = listing->n > 0 ? 2 * listing->n : 64;
		struct entry *entries =
			reallocarray(listing->entries, grown, sizeof(*entries));
		if (entries == NULL) {
			return -ENOMEM;
		}
		listing->entries = entries;
		listing->allocated = grown;
	}
	struct entry *entry = &listing->entries[listing->n++];
	*entry = (struct entry){ .used = st.st_atim, .size = (uint64_t)st.st_size };
	snprintf(entry->name, sizeof(entry->name), "%s/%s", tenant, name);
	listing->size += entry->size;
	return 0;
}

static void
closedirp(DIR **dir)
{
	if (*dir != NULL) {
		closedir(*dir);
	}
}

/* fd is not consumed. */
static DIR *
open_folder(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (dir == NULL && fd >= 0) {
		close(fd);
	}
	return dir;
}

static int
list_all(struct listing *listing, int folder)
{
	cleanup(closedirp) DIR *tenants = open_folder(folder, ".");
	const struct dirent *tenant, *file;
	int r = tenants == NULL ? -errno : 0;

	while (r == 0 && (tenant = readdir(tenants)) != NULL) {
		if (tenant->d_name[0] == '.') {
			continue;
		}
		cleanup(closedirp) DIR *files = open_folder(folder, tenant->d_name);
		while (files != NULL && r == 0 && (file = readdir(files)) != NULL) {
			r = list_file(
				listing, dirfd(files), tenant->d_name, file->d_name);
		}
	}
	return r;
}

static int
by_use(const void *a, const void *b)
{
	const struct timespec *left = &((const struct entry *)a)->used;
	const struct timespec *right = &((const struct entry *)b)->used;

	if (left->tv_sec != right->tv_sec) {
		return left->tv_sec < right->tv_sec ? -1 : 1;
	}
	return (left->tv_nsec > right->tv_nsec) - (left->tv_nsec < right->tv_nsec);
}

/* Unlink what was not used for longest, until the files have no more than size_max. */
static int
make_room(struct cache *cache)
{
	struct listing listing = { 0 };

	int r = list_all(&listing, cache->folder);
	if (r == 0 && listing.size > cache->size_max) {
		qsort(listing.entries, listing.n, sizeof(*listing.entries), by_use);
		for (size_t i = 0; i < listing.n && listing.size > cache->size_max; i++) {
			struct entry *entry = &listing.entries[i];
			unlinkat(cache->folder, entry->name, 0);
			/* Its tenant may have no more; if it has, this fails. */
			*strchr(entry->name, '/') = '\0';
			unlinkat(cache->folder, entry->name, AT_REMOVEDIR);
			listing.size -= listing.entries[i].size;
		}
	}
	free(listing.entries);
	return r;
}

/* ---- keeping ---- */

/* Complete it and give it its name. */
static int
keep_as(struct cache *cache, int fd, const char *temporary, const unsigned char *hash,
	const struct cache_content *content)
{
	char name[NAME_SIZE];

	name_of(cache, hash, name);
	int r = cache_file_write(fd, hash, content);
	if (r < 0) {
		return r;
	}
	/* The new file counts: it is the last one that would go. */
	while (flock(cache->folder, LOCK_EX) < 0 && errno == EINTR) {
	}
	r = make_room(cache);
	if (r == 0 && renameat(cache->folder, temporary, cache->folder, name) < 0) {
		r = -errno;
	}
	flock(cache->folder, LOCK_UN);
	return r;
}

static int
keep(struct cache *cache, const unsigned char *hash, const struct cache_content *content)
{
	char temporary[TENANT_MAX + 32];
	uint64_t random;

	if (cache_file_size(content) > cache->size_max) {
		return -EFBIG;
	}
	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
		return -EAGAIN;
	}
	snprintf(temporary, sizeof(temporary), "%s/new-%016llx", cache->tenant,
		(unsigned long long)random);
	if (mkdirat(cache->folder, cache->tenant, 0700) < 0 && errno != EEXIST) {
		return -errno;
	}
	cleanup_close int fd = openat(
		cache->folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		return -errno;
	}
	int r = keep_as(cache, fd, temporary, hash, content);
	if (r < 0) {
		unlinkat(cache->folder, temporary, 0);
	}
	return r;
}

int
cache_keep(struct cache *cache, const unsigned char *hash,
	const struct cache_content *content)
{
	int r = keep(cache, hash, content);

	if (r < 0) {
		log_debug("cache: an image is not kept: %s", strerror(-r));
	}
	return r;
}
