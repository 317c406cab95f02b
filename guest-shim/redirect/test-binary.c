/* SPDX-License-Identifier: Apache-2.0 */
/* test-binary.c: files with and without a CUDA runtime, and files that lie. */
#include "guest-shim/redirect/binary.h"

#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/cleanup.h"

enum { NONE, TEXT, SYMTAB, STRTAB, FATBIN, DYNSYM, DYNSTR, NAMES, N_SECTIONS };

#define TEXT_ADDRESS 0x401000

struct image {
	Elf64_Ehdr header;
	Elf64_Shdr sections[N_SECTIONS];
	Elf64_Sym symbols[8];
	Elf64_Sym dynamic[2];
	char strings[256];
	char dynamic_strings[64];
	char names[64];
	uint8_t text[256];
	size_t n_symbols;
	size_t strings_size;
};

#define SECTION(image, i, kind, member) \
	((image)->sections[i].sh_type = (kind), \
		(image)->sections[i].sh_offset = offsetof(struct image, member), \
		(image)->sections[i].sh_size = sizeof((image)->member))

static void
image_init(struct image *image)
{
	*image = (struct image){
		.header = { .e_ident = ELFMAG,
			.e_type = ET_DYN,
			.e_machine = EM_X86_64,
			.e_shoff = offsetof(struct image, sections),
			.e_shentsize = sizeof(Elf64_Shdr),
			.e_shnum = N_SECTIONS,
			.e_shstrndx = NAMES },
		.names = "\0.nv_fatbin\0.other\0" BINARY_OURS,
		.strings_size = 1,
	};
	image->header.e_ident[EI_CLASS] = ELFCLASS64;
	image->header.e_ident[EI_DATA] = ELFDATA2LSB;
	SECTION(image, TEXT, SHT_PROGBITS, text);
	image->sections[TEXT].sh_addr = TEXT_ADDRESS;
	image->sections[TEXT].sh_flags = SHF_ALLOC | SHF_EXECINSTR;
	SECTION(image, SYMTAB, SHT_SYMTAB, symbols);
	image->sections[SYMTAB].sh_entsize = sizeof(Elf64_Sym);
	image->sections[SYMTAB].sh_link = STRTAB;
	SECTION(image, STRTAB, SHT_STRTAB, strings);
	SECTION(image, FATBIN, SHT_PROGBITS, text);
	image->sections[FATBIN].sh_name = 1;
	SECTION(image, DYNSYM, SHT_DYNSYM, dynamic);
	image->sections[DYNSYM].sh_entsize = sizeof(Elf64_Sym);
	image->sections[DYNSYM].sh_link = DYNSTR;
	SECTION(image, DYNSTR, SHT_STRTAB, dynamic_strings);
	SECTION(image, NAMES, SHT_STRTAB, names);
}

static void
add_function(struct image *image, const char *name, uint64_t offset, uint64_t size)
{
	Elf64_Sym *s = &image->symbols[image->n_symbols++];

	*s = (Elf64_Sym){ .st_name = (Elf64_Word)image->strings_size,
		.st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC),
		.st_shndx = TEXT,
		.st_value = TEXT_ADDRESS + offset,
		.st_size = size };
	strcpy(image->strings + image->strings_size, name);
	image->strings_size += strlen(name) + 1;
}

static enum binary_runtime
runtime_of(const struct image *image, int *ret_major)
{
	struct binary b;

	assert_int_equal(binary_parse(&b, image, sizeof(*image)), 0);
	return binary_runtime(&b, ret_major);
}

static void
the_major_is_told_by_the_functions(void **state)
{
	static const struct {
		const char *name;
		int major;
	} cases[] = { { "cudaGetDeviceProperties", 13 },
		{ "cudaGetDeviceProperties_v2", 12 }, { "cudaBindTexture", 11 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct image image;
		int major = 0;
		image_init(&image);
		add_function(&image, "main", 0, 16);
		add_function(&image, "__cudaRegisterFatBinary", 16, 16);
		add_function(&image, cases[i].name, 32, 16);
		assert_int_equal(runtime_of(&image, &major), BINARY_RUNTIME);
		assert_int_equal(major, cases[i].major);
	}
}

static void
a_program_without_device_code_may_hold_the_runtime(void **state)
{
	struct image image;
	int major = 0;

	image_init(&image);
	image.sections[FATBIN].sh_name = 12;
	assert_int_equal(runtime_of(&image, &major), BINARY_NO_RUNTIME);
	add_function(&image, "__cudaRegisterFatBinary", 16, 16);
	assert_int_equal(runtime_of(&image, &major), BINARY_RUNTIME);
}

static void
stripped_is_told_from_shared(void **state)
{
	struct image image;
	int major = 77;

	image_init(&image);
	image.sections[SYMTAB].sh_type = SHT_NULL;
	assert_int_equal(runtime_of(&image, &major), BINARY_RUNTIME_STRIPPED);
	strcpy(image.dynamic_strings + 1, "libcudart.so.12");
	assert_int_equal(runtime_of(&image, &major), BINARY_NO_RUNTIME);
	strcpy(image.dynamic_strings + 1, "__cudaRegisterFatBinary");
	assert_int_equal(runtime_of(&image, &major), BINARY_NO_RUNTIME);
	assert_int_equal(major, 77);
}

static void
our_own_libraries_hold_none(void **state)
{
	struct image image;
	int major = 0;

	image_init(&image);
	add_function(&image, "__cudaRegisterFatBinary", 16, 16);
	image.sections[NONE].sh_name = 19;
	assert_int_equal(runtime_of(&image, &major), BINARY_NO_RUNTIME);
}

static void
functions_are_found_with_their_bytes(void **state)
{
	struct image image;
	struct binary b;
	struct binary_function f;
	size_t at = 0;

	image_init(&image);
	for (size_t i = 0; i < sizeof(image.text); i++) {
		image.text[i] = (uint8_t)rand();
	}
	add_function(&image, "cudaMalloc", 40, 9);
	add_function(&image, "other", 60, 9);
	add_function(&image, "cudaFree", 250, 1000);
	add_function(&image, "cudaOutside", 256, 1);
	add_function(&image, "cudaUndefined", 0, 1);
	image.symbols[4].st_shndx = SHN_UNDEF;
	add_function(&image, "cudaObject", 0, 1);
	image.symbols[5].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT);

	assert_int_equal(binary_parse(&b, &image, sizeof(image)), 0);
	assert_true(binary_next(&b, &at, &f));
	assert_string_equal(f.name, "cudaMalloc");
	assert_int_equal(f.address, TEXT_ADDRESS + 40);
	assert_int_equal(f.size, 9);
	assert_memory_equal(f.bytes, image.text + 40, 9);
	assert_true(binary_next(&b, &at, &f));
	assert_string_equal(f.name, "cudaFree");
	assert_int_equal(f.size, 6);
	assert_false(binary_next(&b, &at, &f));
	assert_int_equal(binary_next_address(&b, TEXT_ADDRESS + 40), TEXT_ADDRESS + 60);
	assert_int_equal(binary_next_address(&b, TEXT_ADDRESS + 256), UINT64_MAX);
}

/* All that redirect does with a file; the sanitizers see what goes wrong. */
static void
walk(const void *data, size_t size)
{
	/* A copy of exactly that size, so that a read past it is seen. */
	cleanup_free uint8_t *copy = malloc(size > 0 ? size : 1);
	struct binary b;
	struct binary_function f;
	int major;

	memcpy(copy, data, size);
	if (binary_parse(&b, copy, size) < 0) {
		return;
	}
	binary_runtime(&b, &major);
	uint64_t sum = 0;
	for (size_t at = 0; binary_next(&b, &at, &f);) {
		assert_non_null(f.name);
		assert_true(f.size <= f.n_bytes);
		for (uint64_t i = 0; i < f.size; i++) {
			sum += f.bytes[i];
		}
		sum += strlen(f.name) + binary_next_address(&b, f.address);
	}
	assert_true(sum + 1 != 0 || sum == UINT64_MAX);
}

static void
no_file_is_read_past_its_end(void **state)
{
	struct image image;

	image_init(&image);
	add_function(&image, "__cudaRegisterFatBinary", 16, 16);
	add_function(&image, "cudaMalloc", 32, 16);
	for (size_t size = 0; size <= sizeof(image); size++) {
		walk(&image, size);
	}
	for (int round = 0; round < 20000; round++) {
		struct image changed = image;
		for (int n = 1 + rand() % 4; n > 0; n--) {
			size_t at = (size_t)rand() % offsetof(struct image, dynamic);
			static const uint8_t odd[] = { 0, 1, 0x7f, 0x80, 0xff };
			((uint8_t *)&changed)[at] =
				rand() % 2 != 0 ? (uint8_t)rand()
						: odd[(size_t)rand() % sizeof(odd)];
		}
		walk(&changed, sizeof(changed));
	}
}

static void
other_files_are_refused(void **state)
{
	struct image image;
	struct binary b;

	image_init(&image);
	assert_int_equal(binary_parse(&b, "#!/bin/sh\n", 10), -EBADMSG);
	image.header.e_ident[EI_CLASS] = ELFCLASS32;
	assert_int_equal(binary_parse(&b, &image, sizeof(image)), -EBADMSG);
	image_init(&image);
	image.header.e_machine = EM_AARCH64;
	assert_int_equal(binary_parse(&b, &image, sizeof(image)), -EBADMSG);
	image_init(&image);
	image.header.e_shoff = UINT64_MAX - 8;
	assert_int_equal(binary_parse(&b, &image, sizeof(image)), -EBADMSG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_major_is_told_by_the_functions),
		cmocka_unit_test(a_program_without_device_code_may_hold_the_runtime),
		cmocka_unit_test(stripped_is_told_from_shared),
		cmocka_unit_test(our_own_libraries_hold_none),
		cmocka_unit_test(functions_are_found_with_their_bytes),
		cmocka_unit_test(no_file_is_read_past_its_end),
		cmocka_unit_test(other_files_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
