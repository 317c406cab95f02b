/* SPDX-License-Identifier: Apache-2.0 */
/* test-elf.c: cubins and .nv.info records made by hand, good and bad. */
#include "cubin-loader/elf.h"

#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "cubin-loader/image.h"
#include "cubin-loader/nvinfo.h"
#include "cubin-loader/test-builder.h"

/* Open and validate a copy of exactly this size. */
static int
check(const void *data, size_t size)
{
	cleanup_free void *copy = malloc(size > 0 ? size : 1);
	struct elf elf;

	assert_non_null(copy);
	memcpy(copy, data, size);
	int r = elf_open(copy, size, &elf);
	return r < 0 ? r : elf_validate(&elf);
}

/* A good cubin with one field overwritten: of the header (section < 0), of a section's
 * header, or behind the start of its bytes (bytes = true). */
static int
check_changed(int section, bool bytes, size_t offset, uint64_t value, size_t size)
{
	struct bytes info = { .size = 0 };
	struct bytes b;
	size_t table;
	size_t at = 0;

	build_param(&info, 0, 0, 8);
	build_cubin(&b, &info, &table);
	assert_int_equal(check(b.data, b.size), 0);
	if (section >= 0) {
		at = table + (size_t)section * sizeof(Elf64_Shdr);
	}
	if (bytes) {
		memcpy(&at, b.data + at + offsetof(Elf64_Shdr, sh_offset), sizeof(at));
	}
	memcpy(b.data + at + offset, &value, size);
	return check(b.data, b.size);
}

#define HEADER(field, value) \
	check_changed(-1, false, offsetof(Elf64_Ehdr, field), (uint64_t)(value), \
		sizeof(((Elf64_Ehdr *)0)->field))
#define SECTION(i, field, value) \
	check_changed(i, false, offsetof(Elf64_Shdr, field), (uint64_t)(value), \
		sizeof(((Elf64_Shdr *)0)->field))
#define SYMBOL(i, field, value) \
	check_changed(2, true, (i) * sizeof(Elf64_Sym) + offsetof(Elf64_Sym, field), \
		(uint64_t)(value), sizeof(((Elf64_Sym *)0)->field))
#define RELOCATION(field, value) \
	check_changed(6, true, offsetof(Elf64_Rela, field), (uint64_t)(value), \
		sizeof(((Elf64_Rela *)0)->field))

static void
test_headers_stay_inside(void **state)
{
	assert_int_equal(HEADER(e_machine, EM_X86_64), -EBADMSG);
	assert_int_equal(HEADER(e_shoff, UINT64_MAX), -EBADMSG);
	assert_int_equal(HEADER(e_shoff, 1 << 20), -EBADMSG);
	assert_int_equal(HEADER(e_shoff, 0), -EBADMSG);
	assert_int_equal(HEADER(e_shnum, 8), -EBADMSG);
	assert_int_equal(HEADER(e_shentsize, 63), -EBADMSG);
	assert_int_equal(HEADER(e_shstrndx, 7), -EBADMSG);
	assert_int_equal(HEADER(e_shstrndx, 3), -EBADMSG);
	assert_int_equal(HEADER(e_phnum, 1), -EBADMSG);
}

static void
test_sections_stay_inside(void **state)
{
	assert_int_equal(SECTION(3, sh_offset, UINT64_MAX - 64), -EBADMSG);
	assert_int_equal(SECTION(3, sh_size, UINT64_MAX), -EBADMSG);
	assert_int_equal(SECTION(3, sh_size, 1 << 20), -EBADMSG);
	assert_int_equal(SECTION(3, sh_name, 1000), -EBADMSG);
	assert_int_equal(SECTION(3, sh_link, 7), -EBADMSG);
	assert_int_equal(SECTION(1, sh_size, 20), -EBADMSG);
	assert_int_equal(SECTION(2, sh_size, 25), -EBADMSG);
	assert_int_equal(SECTION(2, sh_link, 3), -EBADMSG);
	assert_int_equal(SECTION(4, sh_size, 15), -EBADMSG);
	assert_int_equal(SECTION(5, sh_size, UINT64_MAX), 0); /* NOBITS has no bytes */
}

static void
test_symbols_and_relocations_stay_inside(void **state)
{
	assert_int_equal(SYMBOL(1, st_name, 1000), -EBADMSG);
	assert_int_equal(SYMBOL(1, st_shndx, 7), -EBADMSG);
	assert_int_equal(SYMBOL(1, st_size, 129), -EBADMSG);
	assert_int_equal(SYMBOL(2, st_value, UINT64_MAX), -EBADMSG);
	assert_int_equal(SYMBOL(2, st_shndx, SHN_ABS), 0);
	assert_int_equal(RELOCATION(r_offset, 128), -EBADMSG);
	assert_int_equal(RELOCATION(r_offset, 127), 0);
	assert_int_equal(RELOCATION(r_info, ELF64_R_INFO(3, 1)), -EBADMSG);
	assert_int_equal(SECTION(6, sh_info, 7), -EBADMSG);
	assert_int_equal(SECTION(6, sh_link, 3), -EBADMSG);
	assert_int_equal(SECTION(6, sh_size, 25), -EBADMSG);
}

static void
test_every_truncation_is_refused(void **state)
{
	struct bytes info = { .size = 0 };
	struct bytes b;
	size_t table;

	build_param(&info, 0, 0, 8);
	build_cubin(&b, &info, &table);
	for (size_t size = 0; size < b.size; size++) {
		assert_int_equal(check(b.data, size), -EBADMSG);
	}
}

static void
test_sections_are_found_by_name(void **state)
{
	struct bytes info = { .size = 0 };
	struct bytes b;
	struct elf elf;
	struct elf_section section;
	size_t table;

	build_param(&info, 0, 0, 8);
	build_cubin(&b, &info, &table);
	assert_int_equal(elf_open(b.data, b.size, &elf), 0);
	assert_int_equal(elf.end, b.size);
	assert_true(elf_section_find(&elf, ".nv.info.k", &section));
	assert_int_equal(section.type, ELF_SHT_CUDA_INFO);
	assert_int_equal(section.size, info.size);
	assert_memory_equal(section.data, info.data, info.size);
	assert_true(elf_section_find(&elf, ".bss", &section));
	assert_null(section.data);
	assert_false(elf_section_find(&elf, ".nv.info", &section));
}

/* With e_shnum 0 the number of sections stands in entry 0. */
static void
test_large_section_numbers(void **state)
{
	struct bytes info = { .size = 0 };
	struct bytes b;
	struct elf elf;
	size_t table;
	uint16_t zero = 0;
	uint64_t n = 7;

	build_cubin(&b, &info, &table);
	memcpy(b.data + offsetof(Elf64_Ehdr, e_shnum), &zero, 2);
	memcpy(b.data + table + offsetof(Elf64_Shdr, sh_size), &n, 8);
	assert_int_equal(elf_open(b.data, b.size, &elf), 0);
	assert_int_equal(elf.n_sections, 7);
	n = 8;
	memcpy(b.data + table + offsetof(Elf64_Shdr, sh_size), &n, 8);
	assert_int_equal(elf_open(b.data, b.size, &elf), -EBADMSG);
	n = UINT64_MAX / 64;
	memcpy(b.data + table + offsetof(Elf64_Shdr, sh_size), &n, 8);
	assert_int_equal(elf_open(b.data, b.size, &elf), -E2BIG);
}

/* Every section is read once; symbols may not multiply that. */
static void
test_symbols_share_no_info(void **state)
{
	struct bytes info = { .size = 0 };
	struct bytes b;
	struct image_kernels *kernels;
	size_t table;
	uint64_t at;

	build_param(&info, 0, 0, 8);
	while (info.size < 8000) {
		bytes_u32(&info, 0x00ff1b03);
	}
	build_cubin(&b, &info, &table);
	struct image_part part = { b.data, b.size };
	struct image image = { IMAGE_ELF, 1, &part };
	assert_int_equal(image_kernels_new(&image, 90, &kernels), 0);
	assert_int_equal(image_kernels_count(kernels), 1);
	image_kernels_free(kernels);

	/* Make the device function a kernel, too. */
	memcpy(&at,
		b.data + table + 2 * sizeof(Elf64_Shdr) + offsetof(Elf64_Shdr, sh_offset),
		sizeof(at));
	b.data[at + 2 * sizeof(Elf64_Sym) + offsetof(Elf64_Sym, st_other)] = 0x10;
	assert_int_equal(image_kernels_new(&image, 90, &kernels), -EBADMSG);
}

/* ---- .nv.info ---- */

static int
params_of(const struct bytes *b, struct image_param **ret_params, size_t *ret_n)
{
	cleanup_free void *copy = calloc(1, b->size + 1);

	memcpy(copy, b->data, b->size);
	return nvinfo_params(copy, b->size, ret_params, ret_n);
}

static void
test_params_in_any_order_and_form(void **state)
{
	struct bytes b = { .size = 0 };
	struct image_param *params;
	size_t n;

	build_params_size(&b, 6009);
	build_param(&b, 2, 6008, 1);
	build_wide_param(&b, 0, 0, 8);
	bytes_u32(&b, 0x00ff1b03); /* something else */
	build_wide_param(&b, 1, 8, 6000);
	assert_int_equal(params_of(&b, &params, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(params[0].size, 8);
	assert_int_equal(params[1].offset, 8);
	assert_int_equal(params[1].size, 6000);
	assert_int_equal(params[2].offset, 6008);
	assert_int_equal(params[2].size, 1);
	free(params);
}

static void
test_bad_params_are_refused(void **state)
{
	struct image_param *params;
	size_t n;
	struct bytes twice = { .size = 0 };
	struct bytes gap = { .size = 0 };
	struct bytes beyond = { .size = 0 };
	struct bytes empty = { .size = 0 };
	struct bytes cut = { .size = 0 };
	struct bytes narrow = { .size = 0 };

	build_param(&twice, 0, 0, 8);
	build_param(&twice, 0, 8, 8);
	assert_int_equal(params_of(&twice, &params, &n), -EBADMSG);
	build_param(&gap, 1, 0, 8);
	assert_int_equal(params_of(&gap, &params, &n), -EBADMSG);
	build_params_size(&beyond, 15);
	build_param(&beyond, 0, 8, 8);
	assert_int_equal(params_of(&beyond, &params, &n), -EBADMSG);
	build_param(&empty, 0, 0, 0);
	assert_int_equal(params_of(&empty, &params, &n), -EBADMSG);
	build_param(&cut, 0, 0, 8);
	cut.size--;
	assert_int_equal(params_of(&cut, &params, &n), -EBADMSG);
	build_param(&narrow, 0, 0, 8);
	narrow.data[2] = 8;
	narrow.size = 12;
	assert_int_equal(params_of(&narrow, &params, &n), -EBADMSG);
}

static void
test_unknown_form_is_told(void **state)
{
	struct image_param *params;
	size_t n = 99;
	struct bytes b = { .size = 0 };

	assert_int_equal(params_of(&b, &params, &n), 0);
	assert_int_equal(n, 0);
	build_params_size(&b, 8);
	assert_int_equal(params_of(&b, &params, &n), -ENOTSUP);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers_stay_inside),
		cmocka_unit_test(test_sections_stay_inside),
		cmocka_unit_test(test_symbols_and_relocations_stay_inside),
		cmocka_unit_test(test_every_truncation_is_refused),
		cmocka_unit_test(test_sections_are_found_by_name),
		cmocka_unit_test(test_large_section_numbers),
		cmocka_unit_test(test_symbols_share_no_info),
		cmocka_unit_test(test_params_in_any_order_and_form),
		cmocka_unit_test(test_bad_params_are_refused),
		cmocka_unit_test(test_unknown_form_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
