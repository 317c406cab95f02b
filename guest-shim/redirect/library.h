/* SPDX-License-Identifier: Apache-2.0 */
/* library.h: looks functions up in a loaded library of ours, without the dynamic linker.
 *
 * dlsym wants a handle, a handle wants dlopen, and neither may be called as early, nor
 * from as deep inside of dlopen, as redirection happens. */
#pragma once

#include <elf.h>
#include <link.h>
#include <stdint.h>

struct library {
	uintptr_t base;
	const Elf64_Sym *symbols;
	const char *names;
	const uint32_t *hash; /* DT_GNU_HASH */
};

/* -ENOENT if the library has no symbols of the usual kind. */
int library_init(struct library *l, const struct link_map *map);
/* The function of that name that the library itself exports, or NULL. */
void *library_find(const struct library *l, const char *name);
