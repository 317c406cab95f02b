/* SPDX-License-Identifier: Apache-2.0 */
/* image.c: the images that a guest has sent, whole or in part. */
#include "host-server/image.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/checked.h"
#include "common/cleanup.h"
#include "cubin-loader/image.h"
#include "host-server/keeper.h"

/* fatbinary_section.h of the CUDA toolkit: __fatBinC_Wrapper_t. */
#define WRAPPER_MAGIC 0x466243b1
#define WRAPPER_ONE 1
#define WRAPPER_LINKED 2

struct wrapper {
	int32_t magic;
	int32_t version;
	const void *data;
	void *linked; /* NULL-terminated array, version 2 */
};

#define BUCKETS 1024 /* a power of two */

struct part {
	uint8_t *bytes; /* one more than size, NUL: PTX is text */
	size_t size, received;
};

struct image_entry {
	struct image_entry *next;
	uint64_t image;
	uint32_t kind;
	size_t n_parts, n_complete;
	size_t overhead; /* what the entry itself costs; charged like bytes */
	unsigned holds;	 /* the store's own, and one per module or library */
	bool valid;	 /* stood image_validate, now or before it was kept */
	bool ready;	 /* and is wrapped */
	bool kept;	 /* in the cache, or not to be asked of it again */
	struct cached_image cached; /* whose memory the parts are, or nothing */
	struct wrapper wrapper;
	const void **linked; /* the parts after the first, and NULL */
	struct part parts[];
};

struct image_store {
	struct image_entry *buckets[BUCKETS];
	size_t n, size;
	struct keeper *keeper; /* or NULL: nothing is kept */
};

int
image_store_new(struct image_store **ret_store)
{
	*ret_store = calloc(1, sizeof(**ret_store));
	return *ret_store != NULL ? 0 : -ENOMEM;
}

void
image_store_use_cache(struct image_store *store, struct cache *cache, int cc)
{
	/* Without it a guest sends everything, and is served all the same. */
	(void)keeper_new(cache, cc, &store->keeper);
}

bool
image_store_has_cache(const struct image_store *store)
{
	return store->keeper != NULL;
}

/* Numbers are counted up by honest guests; a hostile one makes its own lane slow. */
static struct image_entry **
bucket(struct image_store *store, uint64_t image)
{
	return &store->buckets[(image * 0x9e3779b97f4a7c15u) >> 54];
}

static struct image_entry *
entry_find(struct image_store *store, uint64_t image)
{
	struct image_entry *entry = *bucket(store, image);

	while (entry != NULL && entry->image != image) {
		entry = entry->next;
	}
	return entry;
}

static void
entry_unhold(struct image_store *store, struct image_entry *entry)
{
	if (--entry->holds > 0) {
		return;
	}
	for (size_t i = 0; i < entry->n_parts; i++) {
		if (entry->parts[i].bytes != NULL) {
			store->size -= entry->parts[i].size;
			if (entry->cached.map == NULL) {
				free(entry->parts[i].bytes);
			}
		}
	}
	cached_image_deinit(&entry->cached);
	store->size -= entry->overhead;
	store->n--;
	free(entry->linked);
	free(entry);
}

static void
entry_unlink(struct image_store *store, struct image_entry *entry)
{
	struct image_entry **at = bucket(store, entry->image);

	while (*at != entry) {
		at = &(*at)->next;
	}
	*at = entry->next;
	entry_unhold(store, entry);
}

/* Give up those that the keeper has done with. */
static void
reap(struct image_store *store)
{
	struct image_entry *entry;

	while (store->keeper != NULL && (entry = keeper_done(store->keeper)) != NULL) {
		entry_unhold(store, entry);
	}
}

struct image_store *
image_store_free(struct image_store *store)
{
	if (store != NULL) {
		image_store_settle(store);
		for (size_t i = 0; i < BUCKETS; i++) {
			while (store->buckets[i] != NULL) {
				entry_unlink(store, store->buckets[i]);
			}
		}
		keeper_free(store->keeper);
		free(store);
	}
	return NULL;
}

static int
entry_new(struct image_store *store, const struct image_piece *piece,
	struct image_entry **ret_entry)
{
	if (piece->kind > IMAGE_PTX || piece->n_parts == 0 ||
		piece->n_parts > IMAGE_PARTS_MAX ||
		(piece->kind != IMAGE_FATBIN && piece->n_parts != 1)) {
		return -EINVAL;
	}
	struct image_entry *entry;
	size_t size = sizeof(*entry) + piece->n_parts * sizeof(entry->parts[0]);
	size_t overhead = size + piece->n_parts * sizeof(entry->linked[0]);
	if (store->n == IMAGES_MAX ||
		!checked_range(store->size, overhead, IMAGES_SIZE_MAX)) {
		return -EDQUOT;
	}
	entry = calloc(1, size);
	if (entry == NULL) {
		return -ENOMEM;
	}
	entry->image = piece->image;
	entry->kind = piece->kind;
	entry->n_parts = piece->n_parts;
	entry->holds = 1;
	entry->overhead = overhead;
	store->size += overhead;
	struct image_entry **at = bucket(store, piece->image);
	entry->next = *at;
	*at = entry;
	store->n++;
	*ret_entry = entry;
	return 0;
}

static int
part_new(struct image_store *store, struct part *part, uint64_t size)
{
	if (size == 0 || size > IMAGE_PART_MAX) {
		return -EINVAL;
	}
	if (!checked_range(store->size, size, IMAGES_SIZE_MAX)) {
		return -EDQUOT;
	}
	/* Memory that is not written is not used: a guest pays for what it sends. */
	part->bytes = malloc(size + 1);
	if (part->bytes == NULL) {
		return -ENOMEM;
	}
	part->bytes[size] = '\0';
	part->size = size;
	store->size += size;
	return 0;
}

int
image_place(struct image_store *store, const struct image_piece *piece, void **ret_into)
{
	struct image_entry *entry = entry_find(store, piece->image);

	if (entry == NULL) {
		reap(store);
		int r = entry_new(store, piece, &entry);
		if (r < 0) {
			return r;
		}
	}
	if (piece->kind != entry->kind || piece->n_parts != entry->n_parts ||
		piece->part >= entry->n_parts) {
		return -EINVAL;
	}
	struct part *part = &entry->parts[piece->part];
	if (part->bytes == NULL) {
		int r = part_new(store, part, piece->part_size);
		if (r < 0) {
			return r;
		}
	}
	if (piece->size == 0 || piece->size > part->size - part->received) {
		return -EINVAL;
	}
	*ret_into = part->bytes + part->received;
	return 0;
}

void
image_received(struct image_store *store, const struct image_piece *piece)
{
	struct image_entry *entry = entry_find(store, piece->image);
	struct part *part = &entry->parts[piece->part];

	part->received += piece->size;
	entry->n_complete += part->received == part->size;
}

int
image_from_cache(struct image_store *store, uint64_t image, const unsigned char *hash)
{
	struct cached_image cached;
	struct image_entry *entry;
	size_t size = 0;

	if (entry_find(store, image) != NULL) {
		return -EINVAL;
	}
	reap(store);
	int r = store->keeper == NULL
			? -ENOENT
			: cache_find(keeper_cache(store->keeper), hash, &cached);
	if (r < 0) {
		return r;
	}
	for (size_t i = 0; i < cached.n_parts; i++) {
		size += cached.parts[i].size; /* no more than the file's */
	}
	struct image_piece piece = {
		.image = image, .kind = cached.kind, .n_parts = (uint32_t)cached.n_parts
	};
	r = checked_range(store->size, size, IMAGES_SIZE_MAX)
		    ? entry_new(store, &piece, &entry)
		    : -EDQUOT;
	if (r < 0) {
		cached_image_deinit(&cached);
		return r;
	}
	for (size_t i = 0; i < cached.n_parts; i++) {
		entry->parts[i] = (struct part){ .bytes = (void *)cached.parts[i].data,
			.size = cached.parts[i].size,
			.received = cached.parts[i].size };
	}
	entry->cached = cached;
	entry->n_complete = entry->n_parts;
	entry->kept = true;
	entry->valid = true;
	store->size += size;
	return 0;
}

const void *
image_kernels_of(struct image_store *store, uint64_t image, size_t *ret_size)
{
	const struct image_entry *entry = entry_find(store, image);

	*ret_size = entry != NULL ? entry->cached.kernels_size : 0;
	return entry != NULL ? entry->cached.kernels : NULL;
}

void
image_drop(struct image_store *store, uint64_t image)
{
	struct image_entry *entry = entry_find(store, image);

	if (entry != NULL) {
		entry_unlink(store, entry);
	}
}

/* ---- loading ---- */

/* As cubin-loader has it.  image_deinit when done.  0, -ENOMEM. */
static int
entry_image(const struct image_entry *entry, struct image *ret_image)
{
	struct image_part *parts = calloc(entry->n_parts, sizeof(*parts));

	if (parts == NULL) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < entry->n_parts; i++) {
		parts[i] = (struct image_part){ .data = entry->parts[i].bytes,
			.size = entry->parts[i].size };
	}
	*ret_image = (struct image){ .kind = (enum image_kind)entry->kind,
		.n_parts = entry->n_parts,
		.parts = parts };
	return 0;
}

static int
entry_check(const struct image_entry *entry)
{
	struct image image;

	int r = entry_image(entry, &image);
	if (r == 0) {
		r = image_validate(&image);
		image_deinit(&image);
	}
	return r;
}

static int
entry_wrap(struct image_entry *entry)
{
	size_t n = entry->n_parts;

	entry->wrapper = (struct wrapper){ .magic = WRAPPER_MAGIC,
		.version = WRAPPER_ONE,
		.data = entry->parts[0].bytes };
	if (n == 1) {
		return 0;
	}
	entry->linked = calloc(n, sizeof(*entry->linked));
	if (entry->linked == NULL) {
		return -ENOMEM;
	}
	for (size_t i = 1; i < n; i++) {
		entry->linked[i - 1] = entry->parts[i].bytes;
	}
	entry->wrapper.version = WRAPPER_LINKED;
	entry->wrapper.linked = entry->linked;
	return 0;
}

int
image_hold(struct image_store *store, uint64_t image, struct image_entry **ret_entry)
{
	struct image_entry *entry = entry_find(store, image);

	if (entry == NULL) {
		return -ENOENT;
	}
	if (entry->n_complete != entry->n_parts) {
		return -EBUSY;
	}
	if (!entry->ready) {
		int r = entry->valid ? 0 : entry_check(entry);
		if (r == 0 && entry->kind == IMAGE_FATBIN) {
			r = entry_wrap(entry);
		}
		if (r < 0) {
			return r;
		}
		entry->ready = true;
	}
	entry->holds++;
	*ret_entry = entry;
	return 0;
}

void
image_release(struct image_store *store, struct image_entry *entry)
{
	if (entry != NULL) {
		entry_unhold(store, entry);
	}
}

void
image_keep(struct image_store *store, struct image_entry *entry)
{
	struct image image;
	size_t size = 0;

	reap(store);
	if (store->keeper == NULL || entry->kept) {
		return;
	}
	entry->kept = true;
	for (size_t i = 0; i < entry->n_parts; i++) {
		size += entry->parts[i].size;
	}
	if (size < IMAGE_KEEP_MIN || entry_image(entry, &image) < 0) {
		return;
	}
	/* A complete image does not change any more. */
	if (keeper_give(store->keeper, &image, entry) == 0) {
		entry->holds++;
	}
	image_deinit(&image);
}

void
image_store_settle(struct image_store *store)
{
	if (store->keeper != NULL) {
		keeper_settle(store->keeper);
		reap(store);
	}
}

const void *
image_pointer(const struct image_entry *entry)
{
	return entry->kind == IMAGE_FATBIN ? (const void *)&entry->wrapper
					   : entry->parts[0].bytes;
}

size_t
image_store_size(const struct image_store *store)
{
	return store->size;
}
