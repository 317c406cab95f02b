/* SPDX-License-Identifier: Apache-2.0 */
/* keeper.h: puts images into the cache, while the guest goes on.
 *
 * To hash, uncompress and write 100 MB takes some tenths of a second, for which no call
 * should wait.  One thread does it, one image after the other. */
#pragma once

#include <stddef.h>

#include "host-server/cache.h"

struct keeper;

/* Owns cache, even on failure.  cc: see image_store_use_cache.  0, -ENOMEM. */
int keeper_new(struct cache *cache, int cc, struct keeper **ret_keeper);
/* Waits until all that was given is kept. */
struct keeper *keeper_free(struct keeper *keeper);
struct cache *keeper_cache(const struct keeper *keeper);

/* Keep an image, in the form that is loaded fastest.  Its bytes must stay as they are
 * until keeper_done gives user back; of the rest a copy is made.  0, -ENOMEM or another
 * negative errno: then it is not kept, and user not given back. */
int keeper_give(struct keeper *keeper, const struct image *image, void *user);
/* The user of an image that is done with, or NULL. */
void *keeper_done(struct keeper *keeper);
/* Wait until everything is done with. */
void keeper_settle(struct keeper *keeper);
