/* SPDX-License-Identifier: Apache-2.0 */
/* object.h: the program and its libraries as they are loaded now. */
#pragma once

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest-shim/redirect/jump.h"

struct object {
	uintptr_t base;
	const char *path; /* of the file; lives as long as the object is loaded */
	const Elf64_Phdr *headers;
	size_t n_headers;
};

/* Calls visit for each, in the order in which they were loaded, until it says false. */
void object_for_each(bool (*visit)(const struct object *o, void *data), void *data);
/* The segment of code in which all of [address, address + size) lies, with fd -1. */
bool object_text(const struct object *o, uintptr_t address, size_t size,
	struct jump_text *ret_text);

/* Calls changed whenever libraries have been opened, before their constructors run, or
 * closed; the dynamic linker's lock is held.  If it cannot be done: -EBUSY with threads,
 * -ENOTSUP under a debugger or with an unknown ld.so, or why code cannot be changed. */
int object_watch(void (*changed)(void));
/* Whether a library that is loaded at base watches already. */
bool object_watched_from(uintptr_t base);
