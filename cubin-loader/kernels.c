/* SPDX-License-Identifier: Apache-2.0 */
/* kernels.c: the kernels of an image and the layout of their parameters.
 *
 * The table is sorted and searched by halves.  Names are chosen by whoever wrote the
 * image, and a hash table could be made to degenerate. */
#include "cubin-loader/kernels.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/checked.h"
#include "common/cleanup.h"
#include "cubin-loader/elf.h"
#include "cubin-loader/nvinfo.h"
#include "cubin-loader/ptx_header.h"

/* cuBLASLt, the largest known, has some 10^4 kernels; names of templates reach 10 KB. */
#define KERNELS_MAX (1u << 20)
#define KERNEL_NAME_MAX (64u << 10)
/* Sections may lie over each other: what we keep is bounded by itself. */
#define KERNELS_SIZE_MAX ((size_t)256 << 20)

struct slot {
	struct image_kernel kernel; /* first: the search compares kernels */
	size_t index;		    /* order of appearance */
};

struct image_kernels {
	size_t n;
	size_t allocated;
	size_t size; /* bytes of names and parameters */
	bool print;
	struct slot *slots;
};

/* What printf() and assert() call. */
static const char *const printers[] = { "vprintf", "__assertfail" };

static int
kernels_add(struct image_kernels *kernels, const char *name, size_t name_len,
	const struct image_param *params, size_t n_params)
{
	size_t size = n_params * sizeof(*params) + name_len + 1;

	if (name_len == 0 || name_len > KERNEL_NAME_MAX || kernels->n == KERNELS_MAX ||
		size > KERNELS_SIZE_MAX - kernels->size) {
		return -EBADMSG;
	}
	if (kernels->n == kernels->allocated) {
		size_t grown = kernels->n > 0 ? 2 * kernels->n : 16;
		struct slot *slots = reallocarray(kernels->slots, grown, sizeof(*slots));
		if (slots == NULL) {
			return -ENOMEM;
		}
		kernels->slots = slots;
		kernels->allocated = grown;
	}

	/* One block: parameters, then the name. */
	struct image_param *block = malloc(size);
	if (block == NULL) {
		return -ENOMEM;
	}
	uint32_t params_size = 0;
	for (size_t i = 0; i < n_params; i++) {
		block[i] = params[i];
		if (params[i].offset + params[i].size > params_size) {
			params_size = params[i].offset + params[i].size;
		}
	}
	char *name_copy = (char *)(block + n_params);
	memcpy(name_copy, name, name_len);
	name_copy[name_len] = '\0';

	kernels->slots[kernels->n] = (struct slot){
		.kernel = {
			.name = name_copy,
			.n_params = n_params,
			.params = block,
			.params_size = params_size,
		},
		.index = kernels->n,
	};
	kernels->n++;
	kernels->size += size;
	return 0;
}

/* What a walk over a cubin's symbols needs. */
struct elf_walk {
	struct image_kernels *kernels;
	const uint32_t *info_of; /* code section -> its .nv.info section, 0: none */
	size_t work;		 /* bytes of .nv.info read */
};

static int
add_symbol(void *user, const struct elf *elf, const struct elf_symbol *symbol)
{
	struct elf_walk *walk = user;
	cleanup_free struct image_param *params = NULL;
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(printers) && symbol->section == 0; i++) {
		walk->kernels->print |= strcmp(symbol->name, printers[i]) == 0;
	}
	if (!symbol->is_kernel || symbol->section == 0) {
		return 0;
	}
	if (symbol->section >= elf->n_sections) {
		return -EBADMSG;
	}
	if (walk->info_of[symbol->section] == 0) {
		return 0;
	}
	struct elf_section info = elf_section_at(elf, walk->info_of[symbol->section]);
	/* Many symbols on one long section would make little input much work. */
	if (!checked_add(walk->work, info.size, &walk->work) ||
		walk->work > elf->file.size) {
		return -EBADMSG;
	}
	int r = nvinfo_params(info.data, info.size, &params, &n);
	if (r == -ENOTSUP) {
		return 0;
	}
	if (r < 0) {
		return r;
	}
	return kernels_add(walk->kernels, symbol->name,
		strnlen(symbol->name, KERNEL_NAME_MAX + 1), params, n);
}

static int
add_elf(struct image_kernels *kernels, const void *data, size_t size)
{
	struct elf elf;

	int r = elf_open(data, size, &elf);
	if (r < 0) {
		return -EBADMSG;
	}
	if (elf.n_sections == 0) {
		return 0;
	}
	cleanup_free uint32_t *info_of = calloc(elf.n_sections, sizeof(*info_of));
	if (info_of == NULL) {
		return -ENOMEM;
	}
	for (size_t i = 1; i < elf.n_sections; i++) {
		struct elf_section section = elf_section_at(&elf, i);
		/* One .nv.info without a kernel is about all functions; its info is 0. */
		if (section.type != ELF_SHT_CUDA_INFO || section.info == 0) {
			continue;
		}
		if (section.info >= elf.n_sections || info_of[section.info] != 0) {
			return -EBADMSG;
		}
		info_of[section.info] = (uint32_t)i;
	}
	struct elf_walk walk = { .kernels = kernels, .info_of = info_of };
	return elf_symbols(&elf, add_symbol, &walk);
}

static int
add_ptx(struct image_kernels *kernels, const char *text, size_t len)
{
	struct ptx_header header;

	int r = ptx_header_open(text, len, &header);
	if (r < 0) {
		return r;
	}
	for (size_t i = 0; i < ARRAY_LEN(printers); i++) {
		kernels->print |=
			memmem(text, len, printers[i], strlen(printers[i])) != NULL;
	}
	struct ptx_kernel kernel;
	while ((r = ptx_header_next_kernel(&header, &kernel)) > 0) {
		r = kernels_add(kernels, kernel.name, kernel.name_len, kernel.params,
			kernel.n_params);
		if (r < 0) {
			break;
		}
	}
	ptx_header_deinit(&header);
	return r;
}

/* How well an entry tells the layouts; 0: not at all.  Entries of equal rank belong
 * together. */
static uint64_t
rank(const struct fatbin_entry *entry, uint32_t cc)
{
	uint64_t fits = entry->arch / 10 == cc / 10 && entry->arch <= cc;

	switch (entry->kind) {
	case FATBIN_ELF: return (uint64_t)2 << 40 | fits << 36 | entry->arch;
	case FATBIN_PTX:
		return (uint64_t)1 << 40 | (uint64_t)(entry->arch <= cc) << 36 |
		       entry->arch;
	default: return 0;
	}
}

uint64_t
image_kernels_cost(const struct image *image, int cc)
{
	struct fatbin fatbin;
	struct fatbin_entry entry;
	uint64_t best = 0, cost = 0;

	/* Of several parts the first, the linked one, is read. */
	if (image_check_parts(image) < 0 || image->kind != IMAGE_FATBIN ||
		fatbin_open(image->parts[0].data, image->parts[0].size, &fatbin) < 0) {
		return 0;
	}
	while (fatbin_next(&fatbin, &entry) > 0) {
		uint64_t entry_rank = rank(&entry, cc > 0 ? (uint32_t)cc : 0);
		bool compressed =
			(entry.flags & (FATBIN_FLAG_LZ4 | FATBIN_FLAG_ZSTD)) != 0;
		if (entry_rank < best || entry_rank == 0) {
			continue;
		}
		cost = (entry_rank == best ? cost : 0) + (compressed ? entry.size : 0);
		best = entry_rank;
	}
	return cost;
}

static int
add_entry(
	struct image_kernels *kernels, const struct fatbin_entry *entry, uint64_t *budget)
{
	cleanup(fatbin_payload_deinit) struct fatbin_payload payload =
		FATBIN_PAYLOAD_INIT;

	int r = fatbin_payload(entry, budget, &payload);
	if (r < 0) {
		return r == -ENOMEM ? r : -EBADMSG;
	}
	if (entry->kind == FATBIN_ELF) {
		return add_elf(kernels, payload.data, payload.size);
	}
	return add_ptx(kernels, payload.data, image_text_len(&payload));
}

/* Counts all entries, and those that were read; LTO-IR tells nothing. */
static int
add_container(struct image_kernels *kernels, const struct image_part *part, uint32_t cc,
	uint64_t *budget, size_t *n_usable, size_t *n_entries)
{
	struct fatbin fatbin;
	struct fatbin_entry entry;
	uint64_t best = 0;

	int r = fatbin_open(part->data, part->size, &fatbin);
	if (r < 0) {
		return r;
	}
	struct fatbin again = fatbin;
	while ((r = fatbin_next(&fatbin, &entry)) > 0) {
		uint64_t entry_rank = rank(&entry, cc);
		if (entry_rank > best) {
			best = entry_rank;
		}
		++*n_entries;
	}
	if (r < 0 || best == 0) {
		return r;
	}
	while (fatbin_next(&again, &entry) > 0) {
		if (rank(&entry, cc) != best) {
			continue;
		}
		++*n_usable;
		r = add_entry(kernels, &entry, budget);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

/* The linked container tells every kernel of the objects too, unless it is empty.  Of
 * those, every one has its own kernels. */
static int
add_containers(struct image_kernels *kernels, const struct image *image, uint32_t cc)
{
	uint64_t budget = FATBIN_BUDGET;
	size_t n_usable = 0;
	size_t n_entries = 0;

	bool linked = false;
	for (size_t i = 0; i < image->n_parts; i++) {
		if (linked) {
			struct fatbin fatbin;
			/* Not needed, but a malformed part is malformed. */
			int r = fatbin_open(
				image->parts[i].data, image->parts[i].size, &fatbin);
			if (r < 0) {
				return r;
			}
			continue;
		}
		int r = add_container(
			kernels, &image->parts[i], cc, &budget, &n_usable, &n_entries);
		if (r < 0) {
			return r;
		}
		linked = i == 0 && kernels->n > 0;
	}
	return n_usable == 0 && n_entries > 0 ? -ENOTSUP : 0;
}

static int
compare_slots(const void *a, const void *b)
{
	const struct slot *left = a;
	const struct slot *right = b;
	int order = strcmp(left->kernel.name, right->kernel.name);

	if (order != 0) {
		return order;
	}
	return left->index < right->index ? -1 : left->index > right->index;
}

/* Sort; of kernels of one name (weak ones of several objects) the first stays. */
static void
sort_kernels(struct image_kernels *kernels)
{
	size_t kept = 0;

	if (kernels->n == 0) {
		return;
	}
	qsort(kernels->slots, kernels->n, sizeof(*kernels->slots), compare_slots);
	for (size_t i = 0; i < kernels->n; i++) {
		if (kept > 0 && strcmp(kernels->slots[kept - 1].kernel.name,
					kernels->slots[i].kernel.name) == 0) {
			free((void *)kernels->slots[i].kernel.params);
			continue;
		}
		kernels->slots[kept++] = kernels->slots[i];
	}
	kernels->n = kept;
}

int
image_kernels_new(const struct image *image, int cc, struct image_kernels **ret_kernels)
{
	if (image_check_parts(image) < 0) {
		return -EBADMSG;
	}
	struct image_kernels *kernels = calloc(1, sizeof(*kernels));
	if (kernels == NULL) {
		return -ENOMEM;
	}
	const struct image_part *first = &image->parts[0];
	int r = -EBADMSG;
	switch (image->kind) {
	case IMAGE_FATBIN:
		r = add_containers(kernels, image, cc > 0 ? (uint32_t)cc : 0);
		break;
	case IMAGE_ELF: r = add_elf(kernels, first->data, first->size); break;
	case IMAGE_PTX: r = add_ptx(kernels, first->data, first->size); break;
	}
	if (r < 0) {
		image_kernels_free(kernels);
		return r;
	}
	sort_kernels(kernels);
	*ret_kernels = kernels;
	return 0;
}

/* ---- as bytes: a count, whether any may print, and for every kernel the length of its
 * name, the number of its parameters, the name, and offset and size of each; 32 bits each,
 * little endian ---- */

/* Much more than the largest library needs. */
#define PACKED_MAX ((size_t)64 << 20)

static size_t
packed_size(const struct image_kernel *kernel)
{
	return 2 * sizeof(uint32_t) + strlen(kernel->name) +
	       kernel->n_params * 2 * sizeof(uint32_t);
}

static unsigned char *
put_u32(unsigned char *at, size_t value)
{
	for (int i = 0; i < 4; i++) {
		at[i] = (unsigned char)(value >> 8 * i);
	}
	return at + 4;
}

static unsigned char *
put_kernel(unsigned char *at, const struct image_kernel *kernel)
{
	size_t name_len = strlen(kernel->name);

	at = put_u32(at, name_len);
	at = put_u32(at, kernel->n_params);
	memcpy(at, kernel->name, name_len);
	at += name_len;
	for (size_t i = 0; i < kernel->n_params; i++) {
		at = put_u32(at, kernel->params[i].offset);
		at = put_u32(at, kernel->params[i].size);
	}
	return at;
}

int
image_kernels_pack(
	const struct image_kernels *kernels, void **ret_bytes, size_t *ret_size)
{
	size_t size = 2 * sizeof(uint32_t);

	for (size_t i = 0; i < kernels->n; i++) {
		size += packed_size(&kernels->slots[i].kernel);
		if (size > PACKED_MAX) {
			return -E2BIG;
		}
	}
	unsigned char *bytes = malloc(size);
	if (bytes == NULL) {
		return -ENOMEM;
	}
	unsigned char *at = put_u32(bytes, kernels->n);
	at = put_u32(at, kernels->print);
	for (size_t i = 0; i < kernels->n; i++) {
		at = put_kernel(at, &kernels->slots[i].kernel);
	}
	*ret_bytes = bytes;
	*ret_size = size;
	return 0;
}

static int
unpack_kernel(struct image_kernels *kernels, struct reader *r)
{
	uint32_t name_len = reader_u32(r);
	uint32_t n_params = reader_u32(r);
	const char *name = reader_bytes(r, name_len);

	if (name == NULL || memchr(name, '\0', name_len) != NULL ||
		n_params > reader_left(r) / (2 * sizeof(uint32_t))) {
		return -EBADMSG;
	}
	cleanup_free struct image_param *params =
		calloc((size_t)n_params + 1, sizeof(*params));
	if (params == NULL) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < n_params; i++) {
		params[i].offset = reader_u32(r);
		params[i].size = reader_u32(r);
		if (!checked_range(params[i].offset, params[i].size, NVINFO_PARAMS_MAX)) {
			return -EBADMSG;
		}
	}
	return kernels_add(kernels, name, name_len, params, n_params);
}

int
image_kernels_unpack(const void *bytes, size_t size, struct image_kernels **ret_kernels)
{
	struct reader r = reader_of(bytes, size);
	struct image_kernels *kernels = calloc(1, sizeof(*kernels));
	int result = 0;

	if (kernels == NULL) {
		return -ENOMEM;
	}
	uint32_t n = reader_u32(&r);
	kernels->print = reader_u32(&r) != 0;
	for (uint32_t i = 0; i < n && result == 0; i++) {
		result = unpack_kernel(kernels, &r);
	}
	if (result == 0 && (r.failed || reader_left(&r) > 0)) {
		result = -EBADMSG;
	}
	if (result < 0) {
		image_kernels_free(kernels);
		return result;
	}
	sort_kernels(kernels);
	*ret_kernels = kernels;
	return 0;
}

struct image_kernels *
image_kernels_free(struct image_kernels *kernels)
{
	if (kernels == NULL) {
		return NULL;
	}
	for (size_t i = 0; i < kernels->n; i++) {
		free((void *)kernels->slots[i].kernel.params);
	}
	free(kernels->slots);
	free(kernels);
	return NULL;
}

const struct image_kernel *
image_kernels_find(const struct image_kernels *kernels, const char *name)
{
	size_t low = 0;
	size_t high = kernels->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, kernels->slots[middle].kernel.name);
		if (order == 0) {
			return &kernels->slots[middle].kernel;
		}
		if (order < 0) {
			high = middle;
		} else {
			low = middle + 1;
		}
	}
	return NULL;
}

bool
image_kernels_print(const struct image_kernels *kernels)
{
	return kernels->print;
}

size_t
image_kernels_count(const struct image_kernels *kernels)
{
	return kernels->n;
}

const struct image_kernel *
image_kernels_at(const struct image_kernels *kernels, size_t i)
{
	return i < kernels->n ? &kernels->slots[i].kernel : NULL;
}
