/* SPDX-License-Identifier: Apache-2.0 */
/* library.c: looks functions up in a loaded library of ours.
 *
 * The layout of DT_GNU_HASH: number of buckets, index of the first hashed symbol, words
 * of the Bloom filter, its shift; the filter (64-bit words), the buckets (first symbol of
 * each), and one hash per symbol, whose lowest bit ends a bucket's chain. */
#include "guest-shim/redirect/library.h"

#include <errno.h>
#include <string.h>

/* glibc writes the absolute addresses into the section, other linkers do not. */
static const void *
absolute(uintptr_t base, Elf64_Addr value)
{
	return (const void *)(value < base ? base + value : value);
}

int
library_init(struct library *l, const struct link_map *map)
{
	*l = (struct library){ .base = map->l_addr };
	for (const Elf64_Dyn *d = map->l_ld; d != NULL && d->d_tag != DT_NULL; d++) {
		switch (d->d_tag) {
		case DT_SYMTAB: l->symbols = absolute(l->base, d->d_un.d_ptr); break;
		case DT_STRTAB: l->names = absolute(l->base, d->d_un.d_ptr); break;
		case DT_GNU_HASH: l->hash = absolute(l->base, d->d_un.d_ptr); break;
		}
	}
	return l->symbols != NULL && l->names != NULL && l->hash != NULL ? 0 : -ENOENT;
}

void *
library_find(const struct library *l, const char *name)
{
	uint32_t n_buckets = l->hash[0], first = l->hash[1], n_filter = l->hash[2];
	const uint32_t *buckets = l->hash + 4 + 2 * (size_t)n_filter;
	const uint32_t *chains = buckets + n_buckets;
	uint32_t hash = 5381;

	for (const char *c = name; *c != '\0'; c++) {
		hash = hash * 33 + (uint8_t)*c;
	}
	uint32_t i = n_buckets == 0 ? 0 : buckets[hash % n_buckets];
	if (i < first) {
		return NULL;
	}
	for (;; i++) {
		const Elf64_Sym *s = &l->symbols[i];
		uint32_t chain = chains[i - first];
		if ((chain | 1) == (hash | 1) && s->st_shndx != SHN_UNDEF &&
			ELF64_ST_TYPE(s->st_info) == STT_FUNC &&
			strcmp(l->names + s->st_name, name) == 0) {
			return (void *)(l->base + s->st_value);
		}
		if ((chain & 1) != 0) {
			return NULL;
		}
	}
}
