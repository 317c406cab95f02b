/* SPDX-License-Identifier: Apache-2.0 */
/* test-selection.c: what is chosen of a fat binary, and the hash of what was chosen. */
#include "cubin-loader/selection.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "cubin-loader/hash.h"
#include "cubin-loader/test-builder.h"

#define PTX(target) \
	".version 8.0\n.target " target \
	"\n.address_size 64\n.visible .entry k() { ret; }\n"

/* An entry's kind, architecture and flags, as in "elf 90a". */
static void
put_entry(struct bytes *b, const char *entry)
{
	static const char text[] = PTX("sm_75");
	unsigned arch;
	char kind[8], variant = 0;

	assert_true(sscanf(entry, "%7s %u%c", kind, &arch, &variant) >= 2);
	uint64_t flags = variant == 'a'	  ? FATBIN_FLAG_ARCH_SPECIFIC
			 : variant == 'f' ? FATBIN_FLAG_FAMILY_SPECIFIC
					  : 0;
	uint16_t number = strcmp(kind, "elf") == 0   ? FATBIN_ELF
			  : strcmp(kind, "ptx") == 0 ? FATBIN_PTX
			  : strcmp(kind, "lto") == 0 ? FATBIN_LTO
						     : 77;
	if (number == FATBIN_ELF) {
		struct bytes cubin, info = { .size = 0 };
		size_t table;
		build_cubin(&cubin, &info, &table);
		build_entry(b, number, arch, flags, cubin.data, cubin.size, 0, 0);
	} else {
		build_entry(b, number, arch, flags, text, sizeof(text), 0, 0);
	}
}

static void
name_entry(const struct fatbin_entry *entry, char *into, size_t size)
{
	snprintf(into, size, "%s %u%s, ",
		entry->kind == FATBIN_ELF   ? "elf"
		: entry->kind == FATBIN_PTX ? "ptx"
		: entry->kind == FATBIN_LTO ? "lto"
					    : "new",
		entry->arch,
		entry->flags & FATBIN_FLAG_ARCH_SPECIFIC     ? "a"
		: entry->flags & FATBIN_FLAG_FAMILY_SPECIFIC ? "f"
							     : "");
}

/* The slices behind each other, as a host receives them. */
static unsigned char *
flatten(const struct selection *selection)
{
	unsigned char *flat = malloc(selection->size);
	size_t at = 0;

	assert_non_null(flat);
	for (size_t i = 0; i < selection->n_slices; i++) {
		memcpy(flat + at, selection->slices[i].data, selection->slices[i].size);
		at += selection->slices[i].size;
	}
	assert_int_equal(at, selection->size);
	return flat;
}

/* entries and wanted: as above, each followed by ", ". */
static void
check(const char *entries, const struct selection_for *target, const char *wanted)
{
	struct bytes b;
	struct selection *selection;
	char left[512] = "";
	cleanup_free char *copy = strdup(entries);

	build_container(&b);
	for (char *at = copy, *entry;
		(entry = strsep(&at, ",")) != NULL && *entry != '\0';) {
		put_entry(&b, entry + strspn(entry, " "));
		at += at != NULL && *at == ' ';
	}
	struct image_part part = { b.data, b.size };
	struct image image = { IMAGE_FATBIN, 1, &part };
	assert_int_equal(selection_new(&image, target, &selection), 0);
	cleanup_free unsigned char *flat = flatten(selection);

	struct fatbin fatbin;
	struct fatbin_entry entry;
	assert_int_equal(selection->part_sizes[0], selection->size);
	assert_int_equal(fatbin_open(flat, selection->size, &fatbin), 0);
	while (fatbin_next(&fatbin, &entry) > 0) {
		name_entry(&entry, left + strlen(left), sizeof(left) - strlen(left));
	}
	assert_string_equal(left, wanted);
	struct image_part cut = { flat, selection->size };
	struct image_kernels *before, *after;
	assert_int_equal(image_kernels_new(&image, (int)target->ccs[0], &before), 0);
	assert_int_equal(image_kernels_new(&(struct image){ IMAGE_FATBIN, 1, &cut },
				 (int)target->ccs[0], &after),
		0);
	assert_int_equal(image_kernels_count(before), image_kernels_count(after));
	image_kernels_free(before);
	image_kernels_free(after);
	selection_free(selection);
}

#define FOR(machine_code, ...) \
	&(struct selection_for) \
	{ \
		.ccs = { __VA_ARGS__ }, \
		.n_ccs = sizeof((int[]){ __VA_ARGS__ }) / sizeof(int), \
		.runs_machine_code = (machine_code) \
	}

static void
an_exact_match_is_enough(void **state)
{
	check("elf 80, elf 90, elf 100, ptx 100, lto 90, ", FOR(true, 90), "elf 90, ");
	check("ptx 90a, elf 90a, elf 80, ", FOR(true, 90), "elf 90a, ");
	check("elf 90, elf 90a, elf 90, ptx 90, ", FOR(true, 90),
		"elf 90, elf 90a, elf 90, ");
	check("elf 100f, elf 103f, ptx 120, ", FOR(true, 103), "elf 103f, ");
}

static void
without_one_all_that_may_run_stays(void **state)
{
	check("elf 80, elf 86, elf 87, elf 90, ptx 80, ptx 90, ", FOR(true, 89),
		"elf 80, elf 86, elf 87, ptx 80, ptx 90, ");
	check("elf 100a, elf 100f, elf 100, elf 90, ptx 90, lto 90, ", FOR(true, 103),
		"elf 100f, elf 100, ptx 90, lto 90, ");
	check("elf 75, ptx 75, ", FOR(true, 90), "ptx 75, ");
	check("elf 90a, ptx 80, ", FOR(true, 91), "ptx 80, ");
}

static void
a_driver_that_may_want_ptx_gets_it(void **state)
{
	check("elf 75, elf 90, ptx 90, ptx 75, ", FOR(false, 75),
		"elf 75, ptx 90, ptx 75, ");
}

static void
every_device_gets_its_own(void **state)
{
	check("elf 70, elf 80, elf 90, ptx 90, ", FOR(true, 80, 90), "elf 80, elf 90, ");
	check("elf 70, elf 80, elf 90, ptx 90, ", FOR(true, 90, 86),
		"elf 80, elf 90, ptx 90, ");
}

static void
what_is_not_understood_stays(void **state)
{
	check("elf 80, elf 90, new 90, ptx 90, ", FOR(true, 90), "elf 90, new 90, ");
	/* Nothing fits: the driver is to say so. */
	check("elf 70, elf 80, ", FOR(true, 90), "elf 70, elf 80, ");
	check("elf 80, elf 90, ptx 90, ",
		&(struct selection_for){ .runs_machine_code = true },
		"elf 80, elf 90, ptx 90, ");
}

static void
linked_parts_stay_as_they_are(void **state)
{
	struct bytes a, b;
	struct selection *selection;

	build_container(&a);
	put_entry(&a, "elf 90");
	put_entry(&a, "elf 80");
	build_container(&b);
	put_entry(&b, "ptx 90");
	struct image_part parts[] = { { a.data, a.size }, { b.data, b.size } };
	struct image image = { IMAGE_FATBIN, 2, parts };
	assert_int_equal(selection_new(&image, FOR(true, 90), &selection), 0);
	assert_int_equal(selection->n_slices, 2);
	assert_ptr_equal(selection->slices[0].data, a.data);
	assert_int_equal(selection->part_sizes[0], a.size);
	assert_int_equal(selection->slices[1].part, 1);
	assert_int_equal(selection->part_sizes[1], b.size);
	selection_free(selection);

	b.data[20] ^= 1; /* an entry's header size: parts are not looked into */
	assert_int_equal(selection_new(&image, FOR(true, 90), &selection), 0);
	selection_free(selection);
	image.n_parts = 1;
	a.data[20] ^= 1;
	assert_int_equal(selection_new(&image, FOR(true, 90), &selection), -EBADMSG);
}

/* ---- the hash ---- */

static void
hash_hex(const struct selection *selection, char *hex)
{
	unsigned char hash[IMAGE_HASH_SIZE];

	assert_int_equal(image_hash(selection, hash), 0);
	for (size_t i = 0; i < IMAGE_HASH_SIZE; i++) {
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	}
}

/* size bytes in parts and slices of these lengths; the last takes the rest. */
static void
hash_cut(enum image_kind kind, unsigned char *bytes, size_t size,
	const size_t *part_sizes, size_t n_parts, size_t slice, char *hex)
{
	size_t sizes[2] = { part_sizes[0], n_parts > 1 ? part_sizes[1] : 0 };
	struct selection selection = {
		.kind = kind, .n_parts = n_parts, .part_sizes = sizes, .size = size
	};
	cleanup_free struct image_slice *slices =
		calloc(size / slice + 3, sizeof(*slices));
	size_t at = 0;

	for (size_t part = 0; part < n_parts; part++) {
		for (size_t left = sizes[part]; left > 0;) {
			size_t n = left < slice ? left : slice;
			slices[selection.n_slices++] =
				(struct image_slice){ bytes + at, n, (uint32_t)part };
			at += n;
			left -= n;
		}
	}
	assert_int_equal(at, size);
	selection.slices = slices;
	hash_hex(&selection, hex);
}

static void
the_hash_is_the_documented_one(void **state)
{
	char hex[65];
	unsigned char abc[] = "abc";

	/* hashlib.sha256(b'outboard image 1' + struct.pack('<IIQ', 2, 1, 3) +
	 *                hashlib.sha256(b'abc').digest()) */
	hash_cut(IMAGE_PTX, abc, 3, (size_t[]){ 3 }, 1, 3, hex);
	assert_string_equal(
		hex, "70fb21e495ac32dff1d554019701274d398a2e6df80cbc6acce11e32c2c5e55d");

	/* The same of bytes((i * 7 + i // 251) & 255 for i in range(9 << 20 | 5)), in two
	 * parts and 37 pieces. */
	size_t size = 9 << 20 | 5;
	cleanup_free unsigned char *bytes = malloc(size);
	for (size_t i = 0; i < size; i++) {
		bytes[i] = (unsigned char)(i * 7 + i / 251);
	}
	hash_cut(
		IMAGE_FATBIN, bytes, size, (size_t[]){ 1000, size - 1000 }, 2, size, hex);
	assert_string_equal(
		hex, "5d4c7ec8852c5847fe3cec448d6e77e0d9594be568c7147283b6dd7dd3300c25");
}

static void
only_content_matters_to_the_hash(void **state)
{
	size_t size = (8 << 20) + 77777;
	cleanup_free unsigned char *bytes = malloc(size);
	char first[65], hex[65];

	for (size_t i = 0; i < size; i++) {
		bytes[i] = (unsigned char)(rand() >> 8);
	}
	hash_cut(IMAGE_FATBIN, bytes, size, &size, 1, size, first);
	static const size_t slices[] = { 16, 1 << 20, 1000003, 12345 };
	for (size_t i = 0; i < ARRAY_LEN(slices); i++) {
		hash_cut(IMAGE_FATBIN, bytes, size, &size, 1, slices[i], hex);
		assert_string_equal(hex, first);
	}
	hash_cut(IMAGE_ELF, bytes, size, &size, 1, size, hex);
	assert_string_not_equal(hex, first);
	hash_cut(IMAGE_FATBIN, bytes, size, (size_t[]){ 5, size - 5 }, 2, size, hex);
	assert_string_not_equal(hex, first);
	for (size_t i = 0; i < 20; i++) {
		size_t at = (size_t)rand() % size;
		bytes[at] ^= 4;
		hash_cut(IMAGE_FATBIN, bytes, size, &size, 1, size, hex);
		assert_string_not_equal(hex, first);
		bytes[at] ^= 4;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exact_match_is_enough),
		cmocka_unit_test(without_one_all_that_may_run_stays),
		cmocka_unit_test(a_driver_that_may_want_ptx_gets_it),
		cmocka_unit_test(every_device_gets_its_own),
		cmocka_unit_test(what_is_not_understood_stays),
		cmocka_unit_test(linked_parts_stay_as_they_are),
		cmocka_unit_test(the_hash_is_the_documented_one),
		cmocka_unit_test(only_content_matters_to_the_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
