/* SPDX-License-Identifier: Apache-2.0 */
/* copy.c: which copy of the runtime a piece of code believes to call. */
#include "guest-shim/redirect/copy.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "guest-shim/redirect/binary.h"
#include "guest-shim/redirect/object.h"

/* Objects that were asked about; beyond that the answer is COPY_SHARED. */
#define KNOWN_MAX 256

/* The linker's names for the ends of the library that this is part of. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _etext[] __attribute__((visibility("hidden")));

static struct {
	uintptr_t start, end;
	unsigned copy;
} known[KNOWN_MAX];
static _Atomic unsigned n_known;
static unsigned n_copies;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool
has_own_runtime(const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct binary binary;
	struct stat st;
	int major;
	bool has = false;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0) {
		return false;
	}
	void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED) {
		return false;
	}
	if (binary_parse(&binary, data, (size_t)st.st_size) == 0) {
		has = binary_runtime(&binary, &major) == BINARY_RUNTIME;
	}
	munmap(data, (size_t)st.st_size);
	return has;
}

/* Learn of the object whose code is asked about.  Stops when it was found. */
static bool
learn(const struct object *o, void *data)
{
	uintptr_t at = *(uintptr_t *)data;

	for (size_t i = 0; i < o->n_headers; i++) {
		const Elf64_Phdr *h = &o->headers[i];
		uintptr_t start = o->base + h->p_vaddr, end = start + h->p_memsz;
		if (h->p_type != PT_LOAD || at < start || at >= end) {
			continue;
		}
		unsigned n = atomic_load(&n_known);
		known[n].start = start;
		known[n].end = end;
		known[n].copy = COPY_SHARED;
		if (n_copies < COPY_MAX && has_own_runtime(o->path)) {
			known[n].copy = ++n_copies;
		}
		atomic_store(&n_known, n + 1);
		return false;
	}
	return true;
}

/* The newest first: it may lie where one that was closed did. */
static bool
find(uintptr_t at, unsigned *ret_copy)
{
	for (unsigned i = atomic_load(&n_known); i-- > 0;) {
		if (at >= known[i].start && at < known[i].end) {
			*ret_copy = known[i].copy;
			return true;
		}
	}
	return false;
}

unsigned
copy_of(const void *address)
{
	uintptr_t at = (uintptr_t)address;
	unsigned copy = COPY_SHARED;

	if (at >= (uintptr_t)__ehdr_start && at < (uintptr_t)_etext) {
		return COPY_UNKNOWN;
	}
	if (find(at, &copy)) {
		return copy;
	}
	HOLD_LOCK(&lock);
	if (!find(at, &copy) && atomic_load(&n_known) < KNOWN_MAX) {
		object_for_each(learn, &at);
		find(at, &copy);
	}
	return copy;
}
