/* SPDX-License-Identifier: Apache-2.0 */
/* test-image.c: images put together from pieces, right and wrong ones. */
#include "host-server/image.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/cleanup.h"
#include "cubin-loader/image.h"

static const char ptx[] = ".version 8.0\n.target sm_75\n.address_size 64\n"
			  ".visible .entry k()\n{\n\tret;\n}\n";
#define PTX_LEN (sizeof(ptx) - 1)

static int
setup(void **state)
{
	return image_store_new((struct image_store **)state);
}

static int
teardown(void **state)
{
	image_store_free(*state);
	return 0;
}

static int
put(struct image_store *store, struct image_piece piece, const void *bytes)
{
	void *into;

	int r = image_place(store, &piece, &into);
	if (r == 0) {
		memcpy(into, bytes, piece.size);
		image_received(store, &piece);
	}
	return r;
}

static void
a_text_in_pieces_is_whole_and_ends(void **state)
{
	struct image_store *store = *state;
	struct image_entry *entry;

	for (size_t at = 0; at < PTX_LEN;) {
		size_t n = PTX_LEN - at < 10 ? PTX_LEN - at : 10;
		struct image_piece piece = { .image = 1,
			.kind = IMAGE_PTX,
			.n_parts = 1,
			.part_size = PTX_LEN,
			.size = n };
		assert_int_equal(
			image_hold(store, 1, &entry), at == 0 ? -ENOENT : -EBUSY);
		assert_int_equal(put(store, piece, ptx + at), 0);
		at += n;
	}
	assert_int_equal(image_hold(store, 1, &entry), 0);
	assert_string_equal(image_pointer(entry), ptx);
	/* What was loaded keeps it; nobody can name it any more. */
	image_drop(store, 1);
	assert_string_equal(image_pointer(entry), ptx);
	struct image_entry *again;
	assert_int_equal(image_hold(store, 1, &again), -ENOENT);
	image_release(store, entry);
	assert_int_equal(image_store_size(store), 0);
}

static void
pieces_that_do_not_fit_are_refused(void **state)
{
	struct image_store *store = *state;
	const struct image_piece good = { .image = 1,
		.kind = IMAGE_FATBIN,
		.n_parts = 2,
		.part = 1,
		.part_size = 8,
		.size = 4 };
	struct image_piece piece = good;
	char bytes[16] = { 0 };

	assert_int_equal(put(store, good, bytes), 0);
#define WRONG(field, value) \
	piece = good; \
	piece.field = value; \
	assert_int_equal(put(store, piece, bytes), -EINVAL)
	WRONG(kind, IMAGE_ELF);
	WRONG(n_parts, 3);
	WRONG(part, 2);
	WRONG(size, 5);
	WRONG(size, 0);
#undef WRONG
#define WRONG(field, value) \
	piece = good; \
	piece.image = 2; \
	piece.field = value; \
	assert_int_equal(put(store, piece, bytes), -EINVAL); \
	image_drop(store, 2)
	WRONG(kind, 3);
	WRONG(kind, UINT32_MAX);
	WRONG(n_parts, 0);
	WRONG(n_parts, IMAGE_PARTS_MAX + 1);
	WRONG(kind, IMAGE_PTX); /* has one part */
	WRONG(part_size, 0);
	WRONG(part_size, IMAGE_PART_MAX + 1);
	WRONG(part_size, UINT64_MAX);
	WRONG(part, UINT32_MAX);
#undef WRONG
	assert_int_equal(put(store, good, bytes), 0);
	assert_int_equal(put(store, good, bytes), -EINVAL); /* it was full */
}

static void
a_guest_cannot_send_without_end(void **state)
{
	struct image_store *store = *state;
	struct image_piece piece = {
		.kind = IMAGE_FATBIN, .n_parts = 1, .part_size = IMAGE_PART_MAX, .size = 1
	};
	int r = 0;

	/* Untouched memory costs nothing: two of these would fit, were there no overhead.
	 */
	for (piece.image = 1; piece.image < 10 && r == 0; piece.image++) {
		r = put(store, piece, "");
	}
	assert_int_equal(r, -EDQUOT);
	assert_true(image_store_size(store) <= IMAGES_SIZE_MAX);
	for (uint64_t i = 1; i < 10; i++) {
		image_drop(store, i);
	}
	assert_int_equal(image_store_size(store), 0);
	piece.n_parts = IMAGE_PARTS_MAX;
	piece.part_size = 1;
	for (r = 0; r == 0; piece.image++) {
		r = put(store, piece, "");
	}
	assert_int_equal(r, -EDQUOT);
}

static void
what_is_no_image_is_not_loaded(void **state)
{
	struct image_store *store = *state;
	struct image_piece piece = { .image = 1,
		.kind = IMAGE_FATBIN,
		.n_parts = 1,
		.part_size = 64,
		.size = 64 };
	char bytes[64] = "not a fat binary";
	struct image_entry *entry;

	assert_int_equal(put(store, piece, bytes), 0);
	assert_true(image_hold(store, 1, &entry) < 0);
	piece.image = 2;
	piece.kind = IMAGE_ELF;
	assert_int_equal(put(store, piece, bytes), 0);
	assert_true(image_hold(store, 2, &entry) < 0);
}

/* ---- images that were kept ---- */

static char kept_in[32];

static int
setup_cache(void **state)
{
	struct cache *cache;

	strcpy(kept_in, "/tmp/outboard-image-XXXXXX");
	assert_non_null(mkdtemp(kept_in));
	assert_int_equal(setup(state), 0);
	assert_int_equal(
		cache_new(&(struct cache_options){ kept_in, "one", 1 << 30 }, &cache), 0);
	image_store_use_cache(*state, cache, 90);
	return 0;
}

static int
teardown_cache(void **state)
{
	char command[64];

	teardown(state);
	snprintf(command, sizeof(command), "rm -r %s", kept_in);
	return system(command);
}

/* A text of this size, put as number; and its hash. */
static struct image_entry *
put_text(struct image_store *store, uint64_t number, size_t size, unsigned char *ret_hash)
{
	cleanup_free char *text = malloc(size);
	struct image_piece piece = { .image = number,
		.kind = IMAGE_PTX,
		.n_parts = 1,
		.part_size = size,
		.size = size };
	struct image_part part = { text, size };
	struct image image = { IMAGE_PTX, 1, &part };
	struct selection *whole;
	struct image_entry *entry;

	memset(text, '\n', size);
	memcpy(text, ptx, PTX_LEN);
	assert_int_equal(put(store, piece, text), 0);
	assert_int_equal(selection_whole(&image, &whole), 0);
	assert_int_equal(image_hash(whole, ret_hash), 0);
	selection_free(whole);
	assert_int_equal(image_hold(store, number, &entry), 0);
	return entry;
}

static void
what_was_kept_is_loaded_without_its_bytes(void **state)
{
	struct image_store *store = *state;
	unsigned char hash[IMAGE_HASH_SIZE];
	struct image_entry *entry, *again;

	entry = put_text(store, 1, 100000, hash);
	assert_int_equal(image_from_cache(store, 2, hash), -ENOENT);
	image_keep(store, entry);
	image_store_settle(store);
	assert_int_equal(image_from_cache(store, 1, hash), -EINVAL);
	assert_int_equal(image_from_cache(store, 2, hash), 0);
	assert_int_equal(image_from_cache(store, 2, hash), -EINVAL);
	assert_int_equal(image_hold(store, 2, &again), 0);
	assert_string_equal(image_pointer(again), image_pointer(entry));
	assert_ptr_not_equal(image_pointer(again), image_pointer(entry));
	image_keep(store, again); /* is nothing new */

	image_drop(store, 1);
	image_release(store, entry);
	image_drop(store, 2);
	assert_int_equal(strlen(image_pointer(again)), 100000);
	image_release(store, again);
	assert_int_equal(image_store_size(store), 0);
}

static void
small_images_are_not_kept(void **state)
{
	struct image_store *store = *state;
	unsigned char hash[IMAGE_HASH_SIZE];

	struct image_entry *entry = put_text(store, 1, IMAGE_KEEP_MIN - 1, hash);
	image_keep(store, entry);
	image_store_settle(store);
	assert_int_equal(image_from_cache(store, 2, hash), -ENOENT);
	image_release(store, entry);
	entry = put_text(store, 3, IMAGE_KEEP_MIN, hash);
	image_keep(store, entry);
	image_store_settle(store);
	assert_int_equal(image_from_cache(store, 4, hash), 0);
	image_release(store, entry);
}

static void
what_comes_from_the_cache_counts(void **state)
{
	struct image_store *store = *state;
	unsigned char hash[IMAGE_HASH_SIZE];
	size_t size = 20 << 20;
	int r = 0;

	struct image_entry *entry = put_text(store, 1, size, hash);
	image_keep(store, entry);
	image_store_settle(store);
	image_release(store, entry);
	uint64_t n = 0;
	while (n < 200 && r == 0) {
		r = image_from_cache(store, 2 + n++, hash);
	}
	assert_int_equal(r, -EDQUOT);
	assert_int_equal(n, (IMAGES_SIZE_MAX / size));
	image_drop(store, 2);
	assert_int_equal(image_from_cache(store, 2, hash), 0);
}

static void
the_table_of_kernels_is_kept_if_it_spares_work(void **state)
{
	struct image_store *store = *state;
	unsigned char hash[IMAGE_HASH_SIZE];
	size_t size;

	struct image_entry *entry = put_text(store, 1, 4 << 20, hash);
	image_keep(store, entry);
	image_store_settle(store);
	image_release(store, entry);
	assert_int_equal(image_from_cache(store, 2, hash), 0);
	(void)image_kernels_of(store, 2, &size);
	assert_int_equal(size, 0); /* nothing is compressed */
	(void)image_kernels_of(store, 99, &size);
	assert_int_equal(size, 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_text_in_pieces_is_whole_and_ends),
		TEST(pieces_that_do_not_fit_are_refused),
		TEST(a_guest_cannot_send_without_end),
		TEST(what_is_no_image_is_not_loaded),
#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_cache, teardown_cache)
		TEST(what_was_kept_is_loaded_without_its_bytes),
		TEST(small_images_are_not_kept),
		TEST(what_comes_from_the_cache_counts),
		TEST(the_table_of_kernels_is_kept_if_it_spares_work),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
