/* SPDX-License-Identifier: Apache-2.0 */
/* test-real.c: images that nvcc made of test-kernels.cu: kernels, layouts, PTX, damage.
 *
 * usage: test-real FILE...  The name of a file tells what it is: *.fatbin, *.cubin,
 * *.ptx,
 * *.exe (an executable with -rdc=true). */
#include "cubin-loader/image.h"

#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "cubin-loader/fatbin.h"
#include "cubin-loader/selection.h"
#include "cubin-loader/unpack.h"

struct expected {
	const char *name;
	size_t n_params;
	struct image_param params[5];
	uint32_t params_size;
};

/* By the rules of C for the types in test-kernels.cu. */
static const struct expected all_expected[] = {
	{ "no_params", 0, { { 0 } }, 0 },
	{ "struct_params", 3, { { 0, 8 }, { 8, 24 }, { 32, 4 } }, 36 },
	{ "big_params", 3, { { 0, 8 }, { 8, 6000 }, { 6008, 1 } }, 6009 },
	{ "empty_structs", 4, { { 0, 1 }, { 2, 2 }, { 4, 1 }, { 8, 8 } }, 16 },
	{ "vectors", 5, { { 0, 16 }, { 16, 1 }, { 32, 16 }, { 48, 6 }, { 56, 8 } }, 64 },
	{ "_Z7mangledPKfPfmb", 4, { { 0, 8 }, { 8, 8 }, { 16, 8 }, { 24, 1 } }, 25 },
};

struct file {
	const char *name;
	char *data; /* NUL-terminated */
	size_t size;
};

static struct file files[64];
static size_t n_files;

static bool
has_suffix(const char *text, const char *suffix)
{
	size_t n = strlen(text);
	size_t m = strlen(suffix);

	return n >= m && strcmp(text + n - m, suffix) == 0;
}

static void
check_table(const struct image_kernels *kernels)
{
	assert_int_equal(image_kernels_count(kernels), ARRAY_LEN(all_expected));
	for (size_t i = 0; i < ARRAY_LEN(all_expected); i++) {
		const struct expected *e = &all_expected[i];
		const struct image_kernel *k = image_kernels_find(kernels, e->name);

		assert_non_null(k);
		assert_string_equal(k->name, e->name);
		assert_int_equal(k->n_params, e->n_params);
		assert_int_equal(k->params_size, e->params_size);
		for (size_t j = 0; j < e->n_params; j++) {
			assert_int_equal(k->params[j].offset, e->params[j].offset);
			assert_int_equal(k->params[j].size, e->params[j].size);
		}
	}
	assert_null(image_kernels_find(kernels, "helper"));
	assert_null(image_kernels_find(kernels, "_Z6helperi"));
}

/* As read, and as read from bytes; what is not those bytes is refused or stays inside. */
static void
check_kernels(const struct image *image, int cc)
{
	struct image_kernels *kernels, *again;
	void *bytes;
	size_t size;

	assert_int_equal(image_kernels_new(image, cc, &kernels), 0);
	check_table(kernels);
	bool print = image_kernels_print(kernels);
	assert_int_equal(image_kernels_pack(kernels, &bytes, &size), 0);
	image_kernels_free(kernels);
	assert_int_equal(image_kernels_unpack(bytes, size, &again), 0);
	assert_int_equal(image_kernels_print(again), print);
	check_table(again);
	image_kernels_free(again);
	for (size_t cut = 0; cut < size; cut += 1 + cut / 16) {
		cleanup_free void *part = malloc(cut + (cut == 0));
		memcpy(part, bytes, cut);
		assert_int_equal(image_kernels_unpack(part, cut, &again), -EBADMSG);
	}
	free(bytes);
}

/* Every text must be PTX that tells the same layouts as the machine code. */
static void
check_ptx(const struct image *image)
{
	struct image_ptx *texts;
	size_t n;

	int r = image_ptx(image, &texts, &n);
	if (image->kind == IMAGE_ELF) {
		assert_int_equal(r, -ENOENT);
		return;
	}
	assert_int_equal(r, 0);
	assert_int_equal(n, 1);
	assert_int_equal(strlen(texts[0].text), texts[0].len);
	assert_non_null(strstr(texts[0].text, ".entry struct_params"));

	struct image again;
	assert_int_equal(image_measure(texts[0].text, &again), 0);
	assert_int_equal(again.kind, IMAGE_PTX);
	check_kernels(&again, 90);
	image_deinit(&again);
	image_ptx_free(texts, n);
}

/* What is sent to a device is an image with the same kernels. */
static void
check_selection(const struct image *image, int cc)
{
	struct selection_for target = {
		.ccs = { (uint32_t)cc }, .n_ccs = 1, .runs_machine_code = true
	};
	struct selection *selection;

	assert_int_equal(selection_new(image, &target, &selection), 0);
	assert_true(selection->size <= image->parts[0].size);
	cleanup_free char *flat = calloc(1, selection->size + 1);
	size_t at = 0;
	for (size_t i = 0; i < selection->n_slices; i++) {
		memcpy(flat + at, selection->slices[i].data, selection->slices[i].size);
		at += selection->slices[i].size;
	}
	struct image_part part = { flat, selection->size };
	struct image sent = { image->kind, 1, &part };
	assert_int_equal(image_validate(&sent), 0);
	check_kernels(&sent, cc);
	selection_free(selection);
}

static void
test_files(void **state)
{
	for (size_t i = 0; i < n_files; i++) {
		struct image image;

		if (has_suffix(files[i].name, ".exe")) {
			continue;
		}
		print_message("%s: %zu bytes\n", files[i].name, files[i].size);
		assert_int_equal(image_measure(files[i].data, &image), 0);
		assert_int_equal(image.n_parts, 1);
		assert_ptr_equal(image.parts[0].data, files[i].data);
		assert_int_equal(image.parts[0].size, files[i].size);
		assert_int_equal(image_validate(&image), 0);
		check_kernels(&image, 90);
		check_kernels(&image, 86);
		check_kernels(&image, 120);
		check_selection(&image, 75);
		check_selection(&image, 90);
		check_selection(&image, 89);
		check_selection(&image, 120);
		check_ptx(&image);
		image_deinit(&image);
	}
}

static const struct file *
find_file(const char *suffix)
{
	for (size_t i = 0; i < n_files; i++) {
		if (has_suffix(files[i].name, suffix)) {
			return &files[i];
		}
	}
	return NULL;
}

/* nvcc itself says what an image looks like that is not compressed. */
static void
test_unpacked_is_what_nvcc_does_not_pack(void **state)
{
	static const char *const packed[] = { "/size.fatbin", "/speed.fatbin" };
	const struct file *plain = find_file("/none.fatbin");
	void *bytes;
	size_t size;

	assert_non_null(plain);
	for (size_t i = 0; i < ARRAY_LEN(packed); i++) {
		const struct file *file = find_file(packed[i]);
		assert_non_null(file);
		struct image_part part = { file->data, file->size };
		struct image image = { IMAGE_FATBIN, 1, &part };
		assert_int_equal(image_unpack(&image, 1 << 30, &bytes, &size), 0);
		assert_int_equal(size, plain->size);
		assert_memory_equal(bytes, plain->data, size);
		free(bytes);
		assert_int_equal(image_unpack(&image, size - 1, &bytes, &size), -E2BIG);
	}
	struct image_part part = { plain->data, plain->size };
	struct image image = { IMAGE_FATBIN, 1, &part };
	assert_int_equal(image_unpack(&image, 1 << 30, &bytes, &size), -ENOENT);
}

/* ---- the sections of an executable ---- */

/* In the host's ELF, which elf.c does not read. */
static struct image_part
host_section(const struct file *file, const char *name)
{
	const Elf64_Ehdr *header = (const void *)file->data;
	const Elf64_Shdr *sections = (const void *)(file->data + header->e_shoff);
	const char *names = file->data + sections[header->e_shstrndx].sh_offset;

	for (size_t i = 0; i < header->e_shnum; i++) {
		if (strcmp(names + sections[i].sh_name, name) == 0) {
			return (struct image_part){
				.data = file->data + sections[i].sh_offset,
				.size = sections[i].sh_size,
			};
		}
	}
	return (struct image_part){ 0 };
}

/* Pointers to the containers of a section, then NULL. */
static size_t
containers(struct image_part section, const void **list, size_t max)
{
	const char *at = section.data;
	const char *end = at + section.size;
	size_t n = 0;

	while (end - at >= FATBIN_HEADER_SIZE) {
		uint64_t size;

		if (fatbin_measure(at, &size) < 0) {
			at += 8; /* padding between input sections */
			continue;
		}
		assert_true(n + 1 < max);
		assert_true(size <= (size_t)(end - at));
		list[n++] = at;
		at += (size + 7) & ~(uint64_t)7;
	}
	list[n] = NULL;
	return n;
}

static void
test_executables(void **state)
{
	for (size_t i = 0; i < n_files; i++) {
		const void *linked[64];
		const void *objects[64];

		if (!has_suffix(files[i].name, ".exe")) {
			continue;
		}
		size_t n_linked =
			containers(host_section(&files[i], ".nv_fatbin"), linked, 64);
		size_t n_objects = containers(
			host_section(&files[i], "__nv_relfatbin"), objects, 64);
		print_message("%s: %zu linked, %zu objects\n", files[i].name, n_linked,
			n_objects);
		assert_true(n_linked > 0);
		assert_true(n_objects > 0);

		size_t n_with_kernels = 0;
		for (size_t j = 0; j < n_linked; j++) {
			struct fatbin_wrapper wrapper = {
				FATBIN_WRAPPER_MAGIC,
				1,
				linked[j],
				NULL,
			};
			struct image image;
			struct image_kernels *kernels;

			assert_int_equal(image_measure(&wrapper, &image), 0);
			assert_int_equal(image_validate(&image), 0);
			assert_int_equal(image_kernels_new(&image, 90, &kernels), 0);
			size_t n = image_kernels_count(kernels);
			image_kernels_free(kernels);
			image_deinit(&image);
			if (n == 0) {
				continue;
			}
			n_with_kernels++;
			wrapper.version = 2;
			wrapper.list = objects;
			assert_int_equal(image_measure(&wrapper, &image), 0);
			assert_int_equal(image.n_parts, 1 + n_objects);
			assert_int_equal(image_validate(&image), 0);
			check_kernels(&image, 90);
			image_deinit(&image);
		}
		assert_int_equal(n_with_kernels, 1);

		/* The objects alone: relocatable cubins, and PTX to be linked. */
		struct fatbin_wrapper wrapper = { FATBIN_WRAPPER_MAGIC, 2, objects[0],
			objects };
		struct image image;
		assert_int_equal(image_measure(&wrapper, &image), 0);
		assert_int_equal(image_validate(&image), 0);
		struct image_ptx *texts;
		size_t n;
		assert_int_equal(image_ptx(&image, &texts, &n), 0);
		assert_int_equal(n, n_objects);
		image_ptx_free(texts, n);
		image_deinit(&image);
	}
}

/* ---- damage ---- */

/* Whatever happens, nothing may be read outside (a sanitizer watches). */
static void
use_all(const struct image *image)
{
	struct image_kernels *kernels;
	struct image_ptx *texts;
	size_t n;

	image_validate(image);
	if (image_kernels_new(image, 90, &kernels) == 0) {
		image_kernels_free(kernels);
	}
	if (image_ptx(image, &texts, &n) == 0) {
		image_ptx_free(texts, n);
	}
	void *bytes;
	if (image_unpack(image, 1 << 30, &bytes, &n) == 0) {
		free(bytes);
	}
	struct selection *selection;
	if (selection_new(image, &(struct selection_for){ .ccs = { 90 }, .n_ccs = 1 },
		    &selection) == 0) {
		selection_free(selection);
	}
}

static void
test_truncated_is_refused(void **state)
{
	for (size_t i = 0; i < n_files; i++) {
		struct image image;

		if (has_suffix(files[i].name, ".exe") ||
			has_suffix(files[i].name, ".ptx")) {
			continue;
		}
		assert_int_equal(image_measure(files[i].data, &image), 0);
		size_t step = files[i].size / 40 + 1;
		for (size_t size = 0; size < files[i].size; size += step) {
			/* Its own block, so that a sanitizer sees a read behind it. */
			cleanup_free void *copy = malloc(size + (size == 0));
			memcpy(copy, files[i].data, size);
			struct image_part part = { copy, size };
			struct image cut = { image.kind, 1, &part };
			assert_true(image_validate(&cut) < 0);
			use_all(&cut);
		}
		image_deinit(&image);
	}
}

static void
test_damaged_stays_inside(void **state)
{
	uint32_t random = 12345;

	for (size_t i = 0; i < n_files; i++) {
		struct image image;

		if (has_suffix(files[i].name, ".exe")) {
			continue;
		}
		assert_int_equal(image_measure(files[i].data, &image), 0);
		cleanup_free char *copy = malloc(files[i].size);
		for (size_t round = 0; round < 60; round++) {
			memcpy(copy, files[i].data, files[i].size);
			for (size_t j = 0; j < 8; j++) {
				random = random * 1664525 + 1013904223;
				/* Half of the damage where the headers are. */
				size_t limit = j % 2 == 0 ? 160 : files[i].size;
				copy[(random >> 4) % limit] = (char)(random >> 24);
			}
			struct image_part part = { copy, files[i].size };
			struct image damaged = { image.kind, 1, &part };
			use_all(&damaged);
		}
		image_deinit(&image);
	}
}

static bool
read_file(const char *name, struct file *ret_file)
{
	cleanup_fclose FILE *f = fopen(name, "rb");
	if (f == NULL || fseek(f, 0, SEEK_END) < 0) {
		return false;
	}
	long size = ftell(f);
	rewind(f);
	char *data = calloc(1, (size_t)size + 1);
	if (data == NULL || fread(data, 1, (size_t)size, f) != (size_t)size) {
		free(data);
		return false;
	}
	*ret_file = (struct file){ name, data, (size_t)size };
	return true;
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc && n_files < ARRAY_LEN(files); i++) {
		if (!read_file(argv[i], &files[n_files++])) {
			fprintf(stderr, "test-real: cannot read '%s'\n", argv[i]);
			return 1;
		}
	}
	if (n_files == 0) {
		puts("no images were built: nvcc is missing");
		return 77;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_unpacked_is_what_nvcc_does_not_pack),
		cmocka_unit_test(test_executables),
		cmocka_unit_test(test_truncated_is_refused),
		cmocka_unit_test(test_damaged_stays_inside),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	for (size_t i = 0; i < n_files; i++) {
		free(files[i].data);
	}
	return failed;
}
