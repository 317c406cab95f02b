/* SPDX-License-Identifier: Apache-2.0 */
/* jump.c: writes jumps over the beginnings of functions in loaded code.
 *
 * The far jump is  jmp *0(%rip)  followed by the address.  The near one is  jmp rel32  to
 * a trampoline, which is a far jump in a page of ours within 2 GiB.  An endbr64 stays
 * where it is, because callers through a pointer need it under CET; the target of a
 * direct jump needs none, and the target of a far one has its own where the libraries are
 * built for CET. */
#include "guest-shim/redirect/jump.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "common/checked.h"

#define PAGE 4096
#define TRAMPOLINE 16
#define MAX_TRAMPOLINES (PAGE / TRAMPOLINE)
/* How far a near jump is allowed to go: 2 GiB less some room for the function itself. */
#define REACH ((uintptr_t)0x7ff00000)

static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
static const uint8_t far_opcode[] = { 0xff, 0x25, 0, 0, 0, 0 };

/* What is kept in front of the jump: the endbr64, if there is room behind it. */
static size_t
kept(const uint8_t *code, size_t room)
{
	if (room >= sizeof(endbr64) + JUMP_NEAR &&
		memcmp(code, endbr64, sizeof(endbr64)) == 0) {
		return sizeof(endbr64);
	}
	return 0;
}

bool
jump_fits(const uint8_t *code, size_t room)
{
	return room - kept(code, room) >= JUMP_NEAR;
}

/* The length of the one padding instruction at code, or 0: int3, nop, or one of the long
 * nops that assemblers use (Intel's manual, volume 2, NOP: 0f 1f /0 with any operand). */
static size_t
nop_length(const uint8_t *code, size_t n)
{
	size_t at = 0;

	while (at < n && (code[at] == 0x66 || code[at] == 0x2e)) {
		at++;
	}
	if (at < n && (code[at] == 0x90 || (at == 0 && code[at] == 0xcc))) {
		return at + 1;
	}
	if (n - at < 3 || code[at] != 0x0f || code[at + 1] != 0x1f) {
		return 0;
	}
	uint8_t mode = code[at + 2] >> 6, base = code[at + 2] & 7;
	if ((code[at + 2] & 0x38) != 0 || mode == 3) {
		return 0;
	}
	at += 3 + (base == 4) + (mode == 1 ? 1 : mode == 2 ? 4 : 0);
	return at <= n ? at : 0;
}

size_t
jump_padding(const uint8_t *code, size_t n)
{
	size_t at = 0;

	for (size_t length; at < n; at += length) {
		length = nop_length(code + at, n - at);
		if (length == 0) {
			break;
		}
	}
	return at;
}

uintptr_t
jump_target(const uint8_t *code, size_t room)
{
	size_t skip = kept(code, room);
	uintptr_t target = 0;
	int32_t distance;

	if (room - skip >= JUMP_FAR &&
		memcmp(code + skip, far_opcode, sizeof(far_opcode)) == 0) {
		memcpy(&target, code + skip + sizeof(far_opcode), sizeof(target));
	} else if (room - skip >= JUMP_NEAR && code[skip] == 0xe9) {
		memcpy(&distance, code + skip + 1, sizeof(distance));
		target = (uintptr_t)code + skip + JUMP_NEAR +
			 (uintptr_t)(intptr_t)distance;
	}
	return target;
}

static void
write_far(uint8_t *code, uintptr_t to)
{
	__builtin_memcpy(code, far_opcode, sizeof(far_opcode));
	__builtin_memcpy(code + sizeof(far_opcode), &to, sizeof(to));
}

/* Below the code first: above a program lies its heap, which wants to grow. */
static void *
page_near(uintptr_t start, uintptr_t end)
{
	const uintptr_t step = 1 << 20;
	uintptr_t first = start & ~(uintptr_t)(PAGE - 1);

	for (int up = 0; up <= 1; up++) {
		uintptr_t reach = REACH > end - start ? REACH - (end - start) : 0;
		/* Non-PIE programs start at 4 MiB: begin with a small step below them. */
		for (uintptr_t away = 16 * PAGE; away < reach; away += step) {
			if (!up && away + 16 * PAGE > first) {
				break;
			}
			uintptr_t at = up ? round_up(end, PAGE) + away : first - away;
			void *page = mmap((void *)at, PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
			if (page == (void *)at) {
				return page;
			}
			if (page != MAP_FAILED) {
				munmap(page, PAGE); /* a kernel before 4.17 */
			}
		}
	}
	return NULL;
}

static bool
is_near(const struct jump *jump)
{
	const uint8_t *code = (const uint8_t *)jump->from;

	return jump->room - kept(code, jump->room) < JUMP_FAR;
}

static int
make_trampolines(const struct jump *jumps, size_t n_jumps, const struct jump_text *text,
	uint8_t **ret_page)
{
	size_t n_near = 0;

	for (size_t i = 0; i < n_jumps; i++) {
		n_near += is_near(&jumps[i]);
	}
	if (n_near == 0) {
		return 0;
	}
	uint8_t *page =
		n_near <= MAX_TRAMPOLINES ? page_near(text->start, text->end) : NULL;
	if (page == NULL) {
		return -ENOMEM;
	}
	uint8_t *next = page;
	for (size_t i = 0; i < n_jumps; i++) {
		if (is_near(&jumps[i])) {
			write_far(next, jumps[i].to);
			next += TRAMPOLINE;
		}
	}
	if (mprotect(page, PAGE, PROT_READ | PROT_EXEC) < 0) {
		int error = -errno;
		munmap(page, PAGE);
		return error;
	}
	*ret_page = page;
	return 0;
}

/* Everything called from here on is already bound, and nothing may be that is not: the
 * code that cannot be executed for a moment may be the dynamic linker's. */
static void
write_one(const struct jump *jump, uint8_t **trampoline)
{
	uint8_t *code = (uint8_t *)jump->from + kept((uint8_t *)jump->from, jump->room);

	if (is_near(jump)) {
		int32_t distance = (int32_t)(*trampoline - (code + JUMP_NEAR));
		code[0] = 0xe9;
		__builtin_memcpy(code + 1, &distance, sizeof(distance));
		*trampoline += TRAMPOLINE;
	} else {
		write_far(code, jump->to);
	}
}

/* Maps the pages afresh, as the file has them. */
static void
put_back(const struct jump_text *text, uintptr_t start, uintptr_t end)
{
	if (text->fd < 0) {
		return;
	}
	uintptr_t first = text->start & ~(uintptr_t)(PAGE - 1);
	uint64_t offset = text->offset - (text->start - first) + (start - first);
	if (mmap((void *)start, end - start, PROT_READ | PROT_EXEC,
		    MAP_PRIVATE | MAP_FIXED, text->fd, (off_t)offset) == MAP_FAILED) {
		/* The pages stay as they are: the next call of them ends the program. */
	}
}

/* One run of pages from the first jump on; how many jumps it took, or an error. */
static int
write_run(const struct jump *jumps, size_t n_jumps, const struct jump_text *text,
	uint8_t **trampoline, uintptr_t *ret_start, uintptr_t *ret_end)
{
	uintptr_t start = jumps[0].from & ~(uintptr_t)(PAGE - 1), end = start;
	int restored = PROT_READ | PROT_EXEC | (text->writable ? PROT_WRITE : 0);
	size_t n = 0;

	while (n < n_jumps && (n == 0 || jumps[n].from < end)) {
		end = round_up(jumps[n].from + jumps[n].room, PAGE);
		uintptr_t needed =
			round_up(jumps[n].from + sizeof(endbr64) + JUMP_FAR, PAGE);
		end = end < needed ? end : needed;
		n++;
	}
	/* The first call changes nothing, and binds the name if that was still to be
	 * done. */
	if (mprotect((void *)start, end - start, restored) < 0 ||
		mprotect((void *)start, end - start, PROT_READ | PROT_WRITE) < 0) {
		return -errno;
	}
	for (size_t i = 0; i < n; i++) {
		write_one(&jumps[i], trampoline);
	}
	if (mprotect((void *)start, end - start, restored) < 0) {
		int error = -errno;
		put_back(text, start, end);
		return error;
	}
	*ret_start = start;
	*ret_end = end;
	return (int)n;
}

int
jump_write(const struct jump *jumps, size_t n_jumps, const struct jump_text *text,
	void **ret_trampolines)
{
	uint8_t *page = NULL;
	int rc = make_trampolines(jumps, n_jumps, text, &page);
	if (rc < 0) {
		return rc;
	}
	uint8_t *trampoline = page;
	uintptr_t first = 0, start = 0, end = 0;
	for (size_t i = 0; i < n_jumps; i += (size_t)rc) {
		rc = write_run(jumps + i, n_jumps - i, text, &trampoline, &start, &end);
		if (rc < 0) {
			if (first != 0) {
				put_back(text, first, end);
			}
			jump_free_trampolines(page);
			return rc;
		}
		first = first == 0 ? start : first;
	}
	*ret_trampolines = page;
	return 0;
}

void
jump_free_trampolines(void *trampolines)
{
	if (trampolines != NULL) {
		munmap(trampolines, PAGE);
	}
}
