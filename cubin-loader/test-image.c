/* SPDX-License-Identifier: Apache-2.0 */
/* test-image.c: measuring, validating and reading images made by hand. */
#include "cubin-loader/image.h"

#include <errno.h>
#include <lz4.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <zstd.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "cubin-loader/test-builder.h"

#define PTX(target, kernels) \
	".version 8.0\n.target " target "\n.address_size 64\n" kernels

static const char ptx_one[] =
	PTX("sm_75", ".visible .entry one(.param .u32 a) { ret; }\n");
static const char ptx_two[] =
	PTX("sm_90", ".visible .entry two(.param .u64 a, .param .u8 b) { ret; }\n");

/* A block of exactly this size, so that a sanitizer sees a read behind it. */
static struct image
exact_image(enum image_kind kind, const void *data, size_t size, struct image_part *part)
{
	void *copy = malloc(size > 0 ? size : 1);

	assert_non_null(copy);
	memcpy(copy, data, size);
	*part = (struct image_part){ copy, size };
	return (struct image){ kind, 1, part };
}

static int
validate(enum image_kind kind, const void *data, size_t size)
{
	struct image_part part;
	struct image image = exact_image(kind, data, size, &part);

	int r = image_validate(&image);
	free((void *)part.data);
	return r;
}

static int
kernels_of(enum image_kind kind, const void *data, size_t size, int cc,
	struct image_kernels **ret_kernels)
{
	struct image_part part;
	struct image image = exact_image(kind, data, size, &part);

	int r = image_kernels_new(&image, cc, ret_kernels);
	free((void *)part.data);
	return r;
}

static void
test_measure_finds_the_kind_and_size(void **state)
{
	struct bytes info = { .size = 0 };
	struct bytes cubin;
	struct bytes container;
	size_t table;
	struct image image;

	build_cubin(&cubin, &info, &table);
	size_t cubin_size = cubin.size;
	bytes_put(&cubin, "behind", 6);
	assert_int_equal(image_measure(cubin.data, &image), 0);
	assert_int_equal(image.kind, IMAGE_ELF);
	assert_int_equal(image.parts[0].size, cubin_size);
	image_deinit(&image);

	build_container(&container);
	build_plain_entry(&container, FATBIN_PTX, 75, ptx_one, sizeof(ptx_one));
	assert_int_equal(image_measure(container.data, &image), 0);
	assert_int_equal(image.kind, IMAGE_FATBIN);
	assert_int_equal(image.parts[0].size, container.size);
	image_deinit(&image);

	assert_int_equal(image_measure(ptx_one, &image), 0);
	assert_int_equal(image.kind, IMAGE_PTX);
	assert_int_equal(image.parts[0].size, strlen(ptx_one));
	image_deinit(&image);
}

static void
test_measure_refuses_what_is_no_image(void **state)
{
	struct image image;
	cleanup_free char *empty = calloc(1, 1);
	cleanup_free char *short_text = strdup("P");
	cleanup_free char *not_ptx = strdup("// .version 8.0\nhello");

	assert_int_equal(image_measure(NULL, &image), -EINVAL);
	assert_int_equal(image_measure(empty, &image), -EINVAL);
	assert_int_equal(image_measure(short_text, &image), -EINVAL);
	assert_int_equal(image_measure(not_ptx, &image), -EINVAL);
}

static void
test_measure_follows_both_wrappers(void **state)
{
	struct bytes a;
	struct bytes b;
	struct image image;

	build_container(&a);
	build_container(&b);
	build_plain_entry(&b, FATBIN_PTX, 75, ptx_one, sizeof(ptx_one));

	struct fatbin_wrapper one = { FATBIN_WRAPPER_MAGIC, 1, b.data,
		(void *)(uintptr_t)1 };
	assert_int_equal(image_measure(&one, &image), 0);
	assert_int_equal(image.n_parts, 1);
	assert_int_equal(image.parts[0].size, b.size);
	image_deinit(&image);

	const void *list[] = { b.data, b.data, NULL };
	struct fatbin_wrapper two = { FATBIN_WRAPPER_MAGIC, 2, a.data, list };
	assert_int_equal(image_measure(&two, &image), 0);
	assert_int_equal(image.n_parts, 3);
	assert_int_equal(image.parts[0].size, 16);
	assert_int_equal(image.parts[2].size, b.size);
	assert_int_equal(image_validate(&image), 0);
	struct image_ptx *texts;
	size_t n;
	assert_int_equal(image_ptx(&image, &texts, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(texts[1].text, ptx_one);
	image_ptx_free(texts, n);
	image_deinit(&image);

	two.version = 3;
	assert_int_equal(image_measure(&two, &image), -EINVAL);
	two.version = 2;
	b.data[0] ^= 1;
	assert_int_equal(image_measure(&two, &image), -EINVAL);
}

static void
test_measure_bounds_sizes(void **state)
{
	struct bytes b;
	struct image image;
	uint64_t huge = IMAGE_PART_MAX;

	build_container(&b);
	memcpy(b.data + 8, &huge, 8);
	assert_int_equal(image_measure(b.data, &image), -E2BIG);
	huge = UINT64_MAX - 3;
	memcpy(b.data + 8, &huge, 8);
	assert_int_equal(image_measure(b.data, &image), -EINVAL);

	static const void *list[IMAGE_PARTS_MAX + 2];
	build_container(&b);
	for (size_t i = 0; i <= IMAGE_PARTS_MAX; i++) {
		list[i] = b.data;
	}
	struct fatbin_wrapper wrapper = { FATBIN_WRAPPER_MAGIC, 2, b.data, list };
	assert_int_equal(image_measure(&wrapper, &image), -E2BIG);
	list[IMAGE_PARTS_MAX - 1] = NULL;
	assert_int_equal(image_measure(&wrapper, &image), 0);
	assert_int_equal(image.n_parts, IMAGE_PARTS_MAX);
	image_deinit(&image);
}

static void
test_validate_compares_container_and_part(void **state)
{
	struct bytes b;

	build_container(&b);
	build_plain_entry(&b, FATBIN_PTX, 75, ptx_one, sizeof(ptx_one));
	assert_int_equal(validate(IMAGE_FATBIN, b.data, b.size), 0);
	assert_int_equal(validate(IMAGE_FATBIN, b.data, b.size - 1), -EBADMSG);
	assert_int_equal(validate(IMAGE_FATBIN, b.data, b.size + 8), -EBADMSG);
	assert_int_equal(validate(IMAGE_FATBIN, b.data, 15), -EBADMSG);
	assert_int_equal(validate(IMAGE_PTX, b.data, b.size), -EBADMSG);
	assert_int_equal(validate(IMAGE_ELF, b.data, b.size), -EBADMSG);
	assert_int_equal(validate((enum image_kind)7, b.data, b.size), -EBADMSG);
}

/* Overwrite one field of an entry's header. */
static int
validate_changed(size_t offset, uint64_t value, size_t size)
{
	struct bytes b;

	build_container(&b);
	size_t at = build_plain_entry(&b, FATBIN_PTX, 75, ptx_one, sizeof(ptx_one));
	memcpy(b.data + at + offset, &value, size);
	return validate(IMAGE_FATBIN, b.data, b.size);
}

static void
test_validate_keeps_entries_inside(void **state)
{
	assert_int_equal(validate_changed(8, sizeof(ptx_one) + 64, 8), -EBADMSG);
	assert_int_equal(validate_changed(8, UINT64_MAX, 8), -EBADMSG);
	assert_int_equal(validate_changed(8, 8, 8), -EBADMSG);
	assert_int_equal(validate_changed(4, 63, 4), -EBADMSG);
	assert_int_equal(validate_changed(4, UINT32_MAX, 4), -EBADMSG);
	assert_int_equal(validate_changed(16, 8, 4), -EBADMSG);	 /* unknown compression */
	assert_int_equal(validate_changed(20, 60, 4), -EBADMSG); /* options */
	assert_int_equal(validate_changed(32, 65, 4), -EBADMSG); /* name */
	assert_int_equal(validate_changed(36, 65, 4), -EBADMSG);
	assert_int_equal(validate_changed(36, 64, 4), 0);
}

static void
test_text_must_be_ptx_without_nul(void **state)
{
	size_t len = strlen(ptx_one);
	uint32_t magic = FATBIN_WRAPPER_MAGIC;

	assert_int_equal(validate(IMAGE_PTX, ptx_one, len), 0);
	assert_int_equal(validate(IMAGE_PTX, ptx_one, len + 1), -EBADMSG);
	/* A driver would take these for something else, and follow the pointer. */
	cleanup_free char *copy = strdup(ptx_one);
	memcpy(copy, &magic, 4);
	assert_int_equal(validate(IMAGE_PTX, copy, len), -EBADMSG);
	memcpy(copy, "\177ELF", 4);
	assert_int_equal(validate(IMAGE_PTX, copy, len), -EBADMSG);
	/* Inside a container it has to end there: no NUL before the next entry. */
	struct bytes b;
	build_container(&b);
	build_plain_entry(&b, FATBIN_PTX, 75, ptx_one, len / 8 * 8);
	assert_int_equal(validate(IMAGE_FATBIN, b.data, b.size), -EBADMSG);
}

static void
test_compressed_entries_are_read(void **state)
{
	char packed[512];
	struct bytes b;

	for (int zstd = 0; zstd <= 1; zstd++) {
		size_t n = zstd ? ZSTD_compress(packed, sizeof(packed), ptx_two,
					  sizeof(ptx_two), 3)
				: (size_t)LZ4_compress_default(ptx_two, packed,
					  sizeof(ptx_two), sizeof(packed));
		assert_in_range(n, 1, sizeof(packed));
		uint64_t flag = zstd ? FATBIN_FLAG_ZSTD : FATBIN_FLAG_LZ4;
		build_container(&b);
		size_t at = build_entry(&b, FATBIN_PTX, 90, flag, packed, n, (uint32_t)n,
			sizeof(ptx_two));
		assert_int_equal(validate(IMAGE_FATBIN, b.data, b.size), 0);
		struct image_kernels *kernels;
		assert_int_equal(
			kernels_of(IMAGE_FATBIN, b.data, b.size, 90, &kernels), 0);
		const struct image_kernel *k = image_kernels_find(kernels, "two");
		assert_non_null(k);
		assert_int_equal(k->params_size, 9);
		image_kernels_free(kernels);

		/* A claim that does not fit the data, in each direction. */
		static const uint64_t claims[] = { 0, sizeof(ptx_two) - 1,
			sizeof(ptx_two) + 1, (uint64_t)100 << 20, (uint64_t)1 << 40,
			UINT64_MAX };
		for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
			memcpy(b.data + at + 56, &claims[i], 8);
			assert_true(validate(IMAGE_FATBIN, b.data, b.size) < 0);
		}
		uint64_t right = sizeof(ptx_two);
		memcpy(b.data + at + 56, &right, 8);
		uint32_t beyond = 1024;
		memcpy(b.data + at + 16, &beyond, 4);
		assert_int_equal(validate(IMAGE_FATBIN, b.data, b.size), -EBADMSG);
	}
}

static void
test_claimed_size_is_refused_before_allocating(void **state)
{
	uint64_t budget = 1000;
	struct fatbin_payload payload;
	struct fatbin_entry entry = {
		.flags = FATBIN_FLAG_ZSTD,
		.data = "x",
		.stored_size = 1,
		.size = 1001,
	};

	assert_int_equal(fatbin_payload(&entry, &budget, &payload), -E2BIG);
	assert_int_equal(budget, 1000);
	budget = FATBIN_BUDGET;
	entry.size = FATBIN_UNCOMPRESSED_MAX + 1;
	assert_int_equal(fatbin_payload(&entry, &budget, &payload), -E2BIG);
	entry.size = FATBIN_RATIO_MAX * 2;
	assert_int_equal(fatbin_payload(&entry, &budget, &payload), -EBADMSG);
	assert_int_equal(budget, FATBIN_BUDGET);
}

/* Container with a cubin for each arch, whose only parameter has the size of the arch. */
static void
build_archs(struct bytes *b, const uint32_t *archs, size_t n)
{
	build_container(b);
	for (size_t i = 0; i < n; i++) {
		struct bytes info = { .size = 0 };
		struct bytes cubin;
		size_t table;

		build_param(&info, 0, 0, (uint16_t)archs[i]);
		build_cubin(&cubin, &info, &table);
		build_plain_entry(b, FATBIN_ELF, archs[i], cubin.data, cubin.size);
	}
}

static uint32_t
chosen_arch(const struct bytes *b, int cc)
{
	struct image_kernels *kernels;

	assert_int_equal(kernels_of(IMAGE_FATBIN, b->data, b->size, cc, &kernels), 0);
	uint32_t size = image_kernels_find(kernels, "k")->params_size;
	image_kernels_free(kernels);
	return size;
}

static void
test_best_cubin_is_chosen(void **state)
{
	static const uint32_t archs[] = { 75, 80, 86, 100 };
	struct bytes b;

	build_archs(&b, archs, ARRAY_LEN(archs));
	assert_int_equal(chosen_arch(&b, 75), 75);
	assert_int_equal(chosen_arch(&b, 80), 80);
	assert_int_equal(chosen_arch(&b, 89), 86);
	assert_int_equal(chosen_arch(&b, 103), 100);
	assert_in_range(chosen_arch(&b, 90), 75, 100); /* any */
}

static void
test_machine_code_before_text(void **state)
{
	static const uint32_t archs[] = { 80 };
	struct bytes b;
	struct image_kernels *kernels;

	build_archs(&b, archs, 1);
	build_plain_entry(&b, FATBIN_PTX, 90, ptx_two, sizeof(ptx_two));
	assert_int_equal(kernels_of(IMAGE_FATBIN, b.data, b.size, 90, &kernels), 0);
	assert_int_equal(image_kernels_count(kernels), 1);
	assert_non_null(image_kernels_find(kernels, "k"));
	assert_string_equal(image_kernels_at(kernels, 0)->name, "k");
	assert_null(image_kernels_at(kernels, 1));
	image_kernels_free(kernels);
}

static void
test_lto_alone_is_not_supported(void **state)
{
	struct bytes b;
	struct image_kernels *kernels;

	build_container(&b);
	build_plain_entry(&b, FATBIN_LTO, 90, "iriririr", 8);
	assert_int_equal(validate(IMAGE_FATBIN, b.data, b.size), 0);
	assert_int_equal(
		kernels_of(IMAGE_FATBIN, b.data, b.size, 90, &kernels), -ENOTSUP);

	/* An empty one (every program's device-link stub) has no kernels. */
	build_container(&b);
	assert_int_equal(kernels_of(IMAGE_FATBIN, b.data, b.size, 90, &kernels), 0);
	assert_int_equal(image_kernels_count(kernels), 0);
	image_kernels_free(kernels);
}

static void
test_lowest_ptx_is_given(void **state)
{
	struct bytes b;
	struct image_ptx *texts;
	size_t n;
	struct image_part part;

	build_container(&b);
	build_entry(&b, FATBIN_PTX, 75, FATBIN_FLAG_ARCH_SPECIFIC, ptx_two,
		sizeof(ptx_two), 0, 0);
	build_plain_entry(&b, FATBIN_PTX, 90, ptx_two, sizeof(ptx_two));
	build_plain_entry(&b, FATBIN_PTX, 75, ptx_one, sizeof(ptx_one));
	struct image image = exact_image(IMAGE_FATBIN, b.data, b.size, &part);
	assert_int_equal(image_ptx(&image, &texts, &n), 0);
	free((void *)part.data); /* the texts are copies */
	assert_int_equal(n, 1);
	assert_string_equal(texts[0].text, ptx_one);
	assert_int_equal(texts[0].len, strlen(ptx_one));
	image_ptx_free(texts, n);

	image = exact_image(IMAGE_PTX, ptx_two, strlen(ptx_two), &part);
	assert_int_equal(image_ptx(&image, &texts, &n), 0);
	free((void *)part.data);
	assert_string_equal(texts[0].text, ptx_two);
	image_ptx_free(texts, n);
}

static void
test_linked_part_gives_ptx_only_if_alone(void **state)
{
	struct bytes a;
	struct bytes b;
	struct image_ptx *texts;
	size_t n;

	build_container(&a);
	build_plain_entry(&a, FATBIN_PTX, 75, ptx_one, sizeof(ptx_one));
	build_container(&b);
	build_plain_entry(&b, FATBIN_PTX, 75, ptx_two, sizeof(ptx_two));
	struct image_part parts[] = { { a.data, a.size }, { b.data, b.size } };
	struct image image = { IMAGE_FATBIN, 2, parts };
	assert_int_equal(image_ptx(&image, &texts, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(texts[0].text, ptx_two);
	image_ptx_free(texts, n);

	build_container(&b);
	parts[1].size = b.size;
	assert_int_equal(image_ptx(&image, &texts, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(texts[0].text, ptx_one);
	image_ptx_free(texts, n);

	build_container(&a);
	parts[0].size = a.size;
	assert_int_equal(image_ptx(&image, &texts, &n), -ENOENT);
}

static void
test_objects_tell_kernels_if_the_link_does_not(void **state)
{
	struct bytes a;
	struct bytes b;
	struct bytes c;
	struct image_kernels *kernels;

	build_container(&a);
	build_container(&b);
	build_plain_entry(&b, FATBIN_PTX, 75, ptx_one, sizeof(ptx_one));
	build_container(&c);
	build_plain_entry(&c, FATBIN_PTX, 75, ptx_two, sizeof(ptx_two));
	struct image_part parts[] = { { a.data, a.size }, { b.data, b.size },
		{ c.data, c.size } };
	struct image image = { IMAGE_FATBIN, 3, parts };
	assert_int_equal(image_kernels_new(&image, 90, &kernels), 0);
	assert_int_equal(image_kernels_count(kernels), 2);
	image_kernels_free(kernels);

	/* A malformed part is malformed even if it is not needed. */
	parts[0] = parts[1];
	parts[2].size--;
	assert_int_equal(image_kernels_new(&image, 90, &kernels), -EBADMSG);
}

static void
test_impossible_parts_are_refused(void **state)
{
	struct image_part part = { ptx_one, IMAGE_PART_MAX + 1 };
	struct image image = { IMAGE_PTX, 1, &part };
	struct image_kernels *kernels;

	assert_int_equal(image_validate(&image), -E2BIG);
	assert_int_equal(image_kernels_new(&image, 90, &kernels), -EBADMSG);
	part.size = 0;
	assert_int_equal(image_validate(&image), -EBADMSG);
	image.n_parts = 0;
	assert_int_equal(image_validate(&image), -EBADMSG);
	image.n_parts = 2;
	assert_int_equal(image_validate(&image), -EBADMSG);
	image = (struct image){ IMAGE_FATBIN, IMAGE_PARTS_MAX + 1, &part };
	assert_int_equal(image_validate(&image), -E2BIG);
}

/* ---- kernels as bytes ---- */

static int
unpack(const struct bytes *b, struct image_kernels **ret_kernels)
{
	cleanup_free void *copy = malloc(b->size + (b->size == 0));

	memcpy(copy, b->data, b->size);
	return image_kernels_unpack(copy, b->size, ret_kernels);
}

static void
put_packed(struct bytes *b, uint32_t name_len, uint32_t n_params, uint32_t offset,
	uint32_t size)
{
	b->size = 0;
	bytes_u32(b, 1);
	bytes_u32(b, 0);
	bytes_u32(b, name_len);
	bytes_u32(b, n_params);
	bytes_put(b, "name", 4);
	bytes_u32(b, offset);
	bytes_u32(b, size);
}

static void
test_packed_kernels_that_lie_are_refused(void **state)
{
	struct bytes b = { .size = 0 };
	struct image_kernels *kernels;

	put_packed(&b, 4, 1, 32760, 4);
	assert_int_equal(unpack(&b, &kernels), 0);
	assert_int_equal(image_kernels_find(kernels, "name")->params_size, 32764);
	assert_false(image_kernels_print(kernels));
	image_kernels_free(kernels);
	b.data[4] = 1;
	assert_int_equal(unpack(&b, &kernels), 0);
	assert_true(image_kernels_print(kernels));
	image_kernels_free(kernels);
	static const uint32_t bad[][4] = { { 0, 1, 0, 4 }, { 5, 1, 0, 4 },
		{ UINT32_MAX, 1, 0, 4 }, { 4, 2, 0, 4 }, { 4, 0, 0, 4 },
		{ 4, UINT32_MAX, 0, 4 }, { 4, 1, 32761, 4 }, { 4, 1, UINT32_MAX, 2 },
		{ 4, 1, 0, UINT32_MAX } };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		put_packed(&b, bad[i][0], bad[i][1], bad[i][2], bad[i][3]);
		assert_int_equal(unpack(&b, &kernels), -EBADMSG);
	}
	put_packed(&b, 4, 1, 0, 4);
	b.data[17] = 0; /* in the name */
	assert_int_equal(unpack(&b, &kernels), -EBADMSG);
	put_packed(&b, 4, 1, 0, 4);
	b.data[3] = 0xff; /* so many kernels */
	assert_int_equal(unpack(&b, &kernels), -EBADMSG);
}

static void
test_the_cost_is_what_is_uncompressed(void **state)
{
	struct bytes b;
	char packed[200];

	int n = LZ4_compress_default(ptx_one, packed, sizeof(ptx_one), sizeof(packed));
	assert_true(n > 0);
	build_container(&b);
	struct image_part part = { b.data, b.size };
	struct image image = { IMAGE_FATBIN, 1, &part };
	assert_int_equal(image_kernels_cost(&image, 90), 0);
	build_entry(&b, FATBIN_PTX, 75, FATBIN_FLAG_LZ4, packed, (size_t)n, (uint32_t)n,
		sizeof(ptx_one));
	part.size = b.size;
	assert_int_equal(image_kernels_cost(&image, 90), sizeof(ptx_one));
	/* Machine code is preferred. */
	struct bytes cubin, info = { .size = 0 };
	size_t table;
	build_cubin(&cubin, &info, &table);
	build_plain_entry(&b, FATBIN_ELF, 90, cubin.data, cubin.size);
	part.size = b.size;
	assert_int_equal(image_kernels_cost(&image, 90), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_measure_finds_the_kind_and_size),
		cmocka_unit_test(test_measure_refuses_what_is_no_image),
		cmocka_unit_test(test_measure_follows_both_wrappers),
		cmocka_unit_test(test_measure_bounds_sizes),
		cmocka_unit_test(test_validate_compares_container_and_part),
		cmocka_unit_test(test_validate_keeps_entries_inside),
		cmocka_unit_test(test_text_must_be_ptx_without_nul),
		cmocka_unit_test(test_compressed_entries_are_read),
		cmocka_unit_test(test_claimed_size_is_refused_before_allocating),
		cmocka_unit_test(test_best_cubin_is_chosen),
		cmocka_unit_test(test_machine_code_before_text),
		cmocka_unit_test(test_lto_alone_is_not_supported),
		cmocka_unit_test(test_lowest_ptx_is_given),
		cmocka_unit_test(test_linked_part_gives_ptx_only_if_alone),
		cmocka_unit_test(test_objects_tell_kernels_if_the_link_does_not),
		cmocka_unit_test(test_impossible_parts_are_refused),
		cmocka_unit_test(test_packed_kernels_that_lie_are_refused),
		cmocka_unit_test(test_the_cost_is_what_is_uncompressed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
