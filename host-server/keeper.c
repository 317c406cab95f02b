/* SPDX-License-Identifier: Apache-2.0 */
/* keeper.c: puts images into the cache, while the guest goes on. */
#include "host-server/keeper.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/background.h"
#include "common/cleanup.h"
#include "cubin-loader/unpack.h"

/* What an image may become to be kept uncompressed. */
#define PLAIN_MAX ((size_t)512 << 20)

struct job {
	struct job *next;
	struct image image; /* with parts of its own, but not their bytes */
	void *user;
};

struct keeper {
	struct cache *cache;
	int cc;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t news;
	/* Under the lock: */
	struct job *waiting;
	struct job *done;
	size_t n_unfinished;
	bool ending;
};

/* ---- one image ---- */

/* The table of kernels, for guests that would have to uncompress the image; else NULL. */
static void *
pack_kernels(const struct image *image, int cc, size_t *ret_size)
{
	struct image_kernels *kernels;
	void *bytes = NULL;

	*ret_size = 0;
	if (cc > 0 && image_kernels_new(image, cc, &kernels) == 0) {
		(void)image_kernels_pack(kernels, &bytes, ret_size);
		image_kernels_free(kernels);
	}
	return bytes;
}

/* Uncompressed, if that takes time. */
static int
keep(struct cache *cache, int cc, const struct image *image)
{
	unsigned char hash[IMAGE_HASH_SIZE];
	struct image_part part;
	struct image plain = { .kind = IMAGE_FATBIN, .n_parts = 1, .parts = &part };
	struct cache_content content = { .image = image };
	cleanup_free void *bytes = NULL, *kernels = NULL;

	int r = image_hash_whole(image, hash);
	if (r < 0) {
		return r;
	}
	if (image_kernels_cost(image, cc) >= IMAGE_KERNELS_CHEAP &&
		image_unpack(image, PLAIN_MAX, &bytes, &part.size) == 0) {
		part.data = bytes;
		/* What reaches a driver has been looked at. */
		r = image_validate(&plain);
		content.image = &plain;
		kernels = pack_kernels(&plain, cc, &content.kernels_size);
		content.kernels = kernels;
	}
	return r < 0 ? r : cache_keep(cache, hash, &content);
}

/* ---- the thread ---- */

static void *
keeper_run(void *arg)
{
	struct keeper *k = arg;

	HOLD_LOCK(&k->lock);
	for (;;) {
		struct job *job = k->waiting;
		if (job == NULL && k->ending) {
			return NULL;
		}
		if (job == NULL) {
			pthread_cond_wait(&k->news, &k->lock);
			continue;
		}
		k->waiting = job->next;
		pthread_mutex_unlock(&k->lock);
		(void)keep(k->cache, k->cc, &job->image);
		pthread_mutex_lock(&k->lock);
		job->next = k->done;
		k->done = job;
		k->n_unfinished--;
		pthread_cond_broadcast(&k->news);
	}
}

/* Most guests have nothing to keep. */
static int
keeper_start(struct keeper *k)
{
	if (k->started) {
		return 0;
	}
	int error = background_start(&k->thread, keeper_run, k);
	k->started = error == 0;
	return -error;
}

int
keeper_new(struct cache *cache, int cc, struct keeper **ret_keeper)
{
	struct keeper *k = calloc(1, sizeof(*k));

	if (k == NULL) {
		cache_free(cache);
		return -ENOMEM;
	}
	k->cache = cache;
	k->cc = cc;
	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->news, NULL);
	*ret_keeper = k;
	return 0;
}

struct keeper *
keeper_free(struct keeper *k)
{
	if (k == NULL) {
		return NULL;
	}
	if (k->started) {
		pthread_mutex_lock(&k->lock);
		k->ending = true;
		pthread_cond_broadcast(&k->news);
		pthread_mutex_unlock(&k->lock);
		pthread_join(k->thread, NULL);
	}
	while (keeper_done(k) != NULL) {
	}
	pthread_cond_destroy(&k->news);
	pthread_mutex_destroy(&k->lock);
	cache_free(k->cache);
	free(k);
	return NULL;
}

struct cache *
keeper_cache(const struct keeper *k)
{
	return k->cache;
}

int
keeper_give(struct keeper *k, const struct image *image, void *user)
{
	int r = keeper_start(k);
	cleanup_free struct job *job = calloc(1, sizeof(*job));
	size_t size = image->n_parts * sizeof(image->parts[0]);
	struct image_part *parts = job != NULL ? malloc(size) : NULL;

	if (r < 0 || parts == NULL) {
		free(parts);
		return r < 0 ? r : -ENOMEM;
	}
	memcpy(parts, image->parts, size);
	job->image = (struct image){ image->kind, image->n_parts, parts };
	job->user = user;

	HOLD_LOCK(&k->lock);
	struct job **at = &k->waiting;
	while (*at != NULL) {
		at = &(*at)->next;
	}
	*at = TAKE(job);
	k->n_unfinished++;
	pthread_cond_broadcast(&k->news);
	return 0;
}

void *
keeper_done(struct keeper *k)
{
	HOLD_LOCK(&k->lock);
	struct job *job = k->done;
	if (job == NULL) {
		return NULL;
	}
	k->done = job->next;
	void *user = job->user;
	image_deinit(&job->image);
	free(job);
	return user;
}

void
keeper_settle(struct keeper *k)
{
	HOLD_LOCK(&k->lock);
	while (k->n_unfinished > 0) {
		pthread_cond_wait(&k->news, &k->lock);
	}
}
