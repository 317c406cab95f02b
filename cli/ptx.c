/* SPDX-License-Identifier: Apache-2.0 */
/* ptx.c: outboard ptx: which kernels of a file the software device can run. */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "common/cleanup.h"
#include "common/reader.h"
#include "cubin-loader/elf.h"
#include "cubin-loader/fatbin.h"
#include "cubin-loader/image.h"
#include "soft-device/ptx_report.h"

struct ptx_totals {
	unsigned n_images, n_kernels, n_supported, n_failed;
};

static void
report_module(const struct ptx_module *module, struct ptx_totals *totals)
{
	struct ptx_report report = ptx_report_of(module, true);
	struct ptx_report_line line;

	while (ptx_report_next(&report, &line)) {
		printf("  %-4s %s%s%s\n", line.is_supported ? "yes" : "no", line.function->name,
			line.is_supported ? "" : ": ", line.reason);
	}
	totals->n_kernels += report.n_functions;
	totals->n_supported += report.n_supported;
}

static void
report_texts(const struct image_ptx *texts, size_t n, struct ptx_totals *totals)
{
	cleanup_free struct ptx_text *in = calloc(n, sizeof(*in));
	struct ptx_module *module;
	struct ptx_error error;

	if (in == NULL) {
		return;
	}
	for (size_t i = 0; i < n; i++) {
		in[i] = (struct ptx_text){ .text = texts[i].text, .size = texts[i].len };
	}
	int r = ptx_module_new(in, n, NULL, &error, &module);
	if (r < 0) {
		printf("  no   cannot be loaded: %s\n", r == -ENOMEM ? "out of memory" : error.message);
		totals->n_failed++;
		return;
	}
	report_module(module, totals);
	ptx_module_free(module);
}

static void
report_image(const char *title, const struct image *image, struct ptx_totals *totals)
{
	struct image_kernels *kernels;
	struct image_ptx *texts;
	size_t n;

	/* nvcc's device linker puts one without kernels into every program. */
	if (image_kernels_new(image, 75, &kernels) == 0) {
		n = image_kernels_count(kernels);
		image_kernels_free(kernels);
		if (n == 0) {
			return;
		}
	}
	printf("%s\n", title);
	totals->n_images++;
	int r = image_ptx(image, &texts, &n);
	if (r == -ENOENT) {
		printf("  no   machine code only; build with PTX, as in -gencode "
		       "arch=compute_75,code=compute_75\n");
	} else if (r < 0) {
		printf("  no   cannot be read: %s\n", strerror(-r));
	}
	if (r < 0) {
		totals->n_failed++;
		return;
	}
	report_texts(texts, n, totals);
	image_ptx_free(texts, n);
}

/* The containers that lie one behind the other in a section of a program. */
static size_t
split(const struct elf_section *section, struct image_part *parts, size_t room)
{
	struct reader r = reader_of(section->data, section->size);
	size_t n = 0;

	while (n < room && reader_left(&r) >= FATBIN_HEADER_SIZE) {
		const uint8_t *at = r.data + r.at;
		uint64_t size;
		if (fatbin_measure(at, &size) < 0) {
			reader_skip(&r, 8); /* padding */
			continue;
		}
		if (size > reader_left(&r)) {
			break;
		}
		parts[n++] = (struct image_part){ .data = at, .size = size };
		reader_skip(&r, size);
	}
	return n;
}

static void
report_program(const struct elf *elf, struct ptx_totals *totals)
{
	cleanup_free struct image_part *parts = calloc(IMAGE_PARTS_MAX, sizeof(*parts));
	struct elf_section section;
	char title[64];

	if (parts == NULL) {
		return;
	}
	size_t n = 0;
	if (elf_section_find(elf, ".nv_fatbin", &section)) {
		n = split(&section, parts, IMAGE_PARTS_MAX);
	}
	/* The object files of an -rdc program are linked.  The linked container is the first
	 * part of such an image; it has no PTX. */
	if (n > 0 && elf_section_find(elf, "__nv_relfatbin", &section)) {
		n = 1 + split(&section, parts + 1, IMAGE_PARTS_MAX - 1);
		struct image image = { .kind = IMAGE_FATBIN, .n_parts = n, .parts = parts };
		snprintf(title, sizeof(title), "linked program of %zu object files", n - 1);
		report_image(title, &image, totals);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct image image = { .kind = IMAGE_FATBIN, .n_parts = 1, .parts = &parts[i] };
		snprintf(title, sizeof(title), "fat binary %zu", i + 1);
		report_image(title, &image, totals);
	}
}

static void
report_file(const uint8_t *data, size_t size, struct ptx_totals *totals)
{
	struct image_part part = { .data = data, .size = size };
	struct image image = { .n_parts = 1, .parts = &part };
	struct elf elf;
	uint64_t fatbin_size;

	if (elf_open(data, size, &elf) == 0) {
		image.kind = IMAGE_ELF;
		report_image("cubin", &image, totals);
	} else if (elf_open_any(data, size, &elf) == 0) {
		report_program(&elf, totals);
	} else if (size >= FATBIN_HEADER_SIZE && fatbin_measure(data, &fatbin_size) == 0) {
		image.kind = IMAGE_FATBIN;
		report_image("fat binary", &image, totals);
	} else {
		image.kind = IMAGE_PTX;
		report_image("PTX", &image, totals);
	}
}

static const char *
map_file(const char *path, uint8_t **ret_data, size_t *ret_size)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0) {
		return strerror(errno);
	}
	if (!S_ISREG(st.st_mode) || st.st_size == 0) {
		return "not a file with contents";
	}
	void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED) {
		return strerror(errno);
	}
	*ret_data = data;
	*ret_size = (size_t)st.st_size;
	return NULL;
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_ARG:
		if (state->arg_num > 0) {
			argp_usage(state);
		}
		*(const char **)state->input = arg;
		return 0;
	case ARGP_KEY_NO_ARGS: argp_usage(state); return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

int
cli_ptx(int argc, char **argv)
{
	static const struct argp argp = { NULL, parse, "FILE",
		"Show which kernels of a program, library, fat binary or PTX file the software "
		"device can run, and why not the others.", NULL, NULL, NULL };
	static char name[] = "outboard ptx";
	struct ptx_totals totals = { 0 };
	const char *path = NULL;
	uint8_t *data = NULL;
	size_t size = 0;

	argv[0] = name;
	argp_parse(&argp, argc, argv, 0, NULL, &path);
	const char *why = map_file(path, &data, &size);
	if (why != NULL) {
		fprintf(stderr, "outboard: cannot read '%s': %s\n", path, why);
		return 2;
	}
	report_file(data, size, &totals);
	munmap(data, size);
	if (totals.n_images == 0) {
		fprintf(stderr, "outboard: '%s' holds no CUDA code\n", path);
		return 2;
	}
	printf("%u of %u kernels can run on the software device\n", totals.n_supported,
		totals.n_kernels);
	return totals.n_supported == totals.n_kernels && totals.n_failed == 0 ? 0 : 1;
}
