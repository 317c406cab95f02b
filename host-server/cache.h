/* SPDX-License-Identifier: Apache-2.0 */
/* cache.h: images that guests have sent before, on disk, found by their hash.
 *
 * The files of one tenant lie in one folder: DIR/TENANT/HASH.  A guest finds only what a
 * guest of the same tenant has sent, since a hit tells that somebody has that image.  The
 * hash is always our own, over bytes that are in our hands: what a guest claims decides
 * only what it gets. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cubin-loader/hash.h"

struct cache;

struct cache_options {
	const char *folder; /* exists */
	const char *tenant;
	uint64_t size_max; /* of all files of all tenants, bytes */
};

/* Read-only memory; the NUL behind each part is there, too. */
struct cached_image {
	enum image_kind kind;
	size_t n_parts;
	struct image_part *parts;
	const void *kernels; /* image_kernels_pack's bytes */
	size_t kernels_size; /* 0: none were kept */
	void *map;
	size_t map_size;
};

/* 0, -EINVAL (a tenant of that name cannot be), -ENOMEM, or what opening it gave. */
int cache_new(const struct cache_options *options, struct cache **ret_cache);
struct cache *cache_free(struct cache *cache);

/* 0 or -ENOENT.  Caller calls cached_image_deinit. */
int cache_find(
	struct cache *cache, const unsigned char *hash, struct cached_image *ret_image);
void cached_image_deinit(struct cached_image *image);

struct cache_content {
	const struct image *image; /* what a guest that has the hash is to get */
	const void *kernels;	   /* goes with it */
	size_t kernels_size;
};

/* Keep what a driver has taken; the oldest ones make room.  One that cannot be kept is
 * not: 0 or negative errno, which need not bother anybody. */
int cache_keep(struct cache *cache, const unsigned char *hash,
	const struct cache_content *content);
