/* SPDX-License-Identifier: Apache-2.0 */
/* jump.h: writes jumps over the beginnings of functions in loaded code.
 *
 * Code is never writable and executable at once: a page is made writable, written and
 * made executable again.  So no thread may be running in these pages meanwhile. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One segment of code as it is mapped: [start, end), from offset of the file fd on.  The
 * file is what it is put back from if the system does not let it be executable again. */
struct jump_text {
	uintptr_t start;
	uintptr_t end;
	uint64_t offset;
	int fd;
	bool writable; /* to start with: such code stays so */
};

struct jump {
	uintptr_t from;
	size_t room; /* bytes at from that belong to nobody else */
	uintptr_t to;
};

#define JUMP_FAR 14 /* bytes of a jump to anywhere */
#define JUMP_NEAR 5 /* bytes of one that needs a page of trampolines nearby */

/* Whether room is enough for one or the other, an endbr64 at the beginning respected. */
bool jump_fits(const uint8_t *code, size_t room);
/* How many bytes from code on, up to n, are nothing but padding between functions. */
size_t jump_padding(const uint8_t *code, size_t n);
/* The target of a jump at code as it is written here, or 0. */
uintptr_t jump_target(const uint8_t *code, size_t room);

/* Writes jumps, sorted by from, which must fit and lie in text without overlapping.  All
 * or none: -EACCES or -EPERM if the system forbids changing code, -ENOMEM if there is no
 * page near enough.  *ret_trampolines, NULL if none was needed, must stay mapped as long
 * as the code: jump_free_trampolines. */
int jump_write(const struct jump *jumps, size_t n_jumps, const struct jump_text *text,
	void **ret_trampolines);
void jump_free_trampolines(void *trampolines);
