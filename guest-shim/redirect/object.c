/* SPDX-License-Identifier: Apache-2.0 */
/* object.c: the program and its libraries as they are loaded now, and as they come.
 *
 * A library that dlopen loads registers its kernels in its constructors, before dlopen
 * returns; so there must be a moment of ours between mapping and constructors.  glibc has
 * two.  LD_AUDIT calls la_objopen, but is only read when a program starts, from a
 * variable that not everybody who sets LD_PRELOAD would set, and makes every program pay
 * for calls through the PLT.  The debugger interface of <link.h> asks for nothing: the
 * dynamic linker calls the empty function at _r_debug.r_brk when the list of libraries
 * has changed, with RT_CONSISTENT after mapping.  This order was tested with glibc 2.36
 * and 2.39; a glibc that changes it fails tests/test-redirect.py.  So that function is
 * redirected to ours.
 *
 * A debugger that comes later does not mind: it uses the probes inside of ld.so, or puts
 * its breakpoint onto our jump.  One that started the program may have a breakpoint there
 * already; then, as with anything else but an empty function, it is left alone.  So it is
 * if there are threads, one of which might be in the dynamic linker's code just then.
 * Libraries opened later are not served then, and those in other namespaces (dlmopen)
 * never are. */
#include "guest-shim/redirect/object.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/single_threaded.h>

#include "common/cleanup.h"

/* Functions are aligned to this in every ld.so. */
#define WATCH_ROOM 16

static void (*watcher)(void);
static void (*next_watcher)(void);

struct visit {
	bool (*visit)(const struct object *o, void *data);
	void *data;
	bool first;
};

static int
visit_one(struct dl_phdr_info *info, size_t size, void *data)
{
	struct visit *v = data;
	struct object o = {
		.base = info->dlpi_addr,
		.path = v->first ? "/proc/self/exe" : info->dlpi_name,
		.headers = info->dlpi_phdr,
		.n_headers = info->dlpi_phnum,
	};

	v->first = false;
	/* The kernel's vdso has a name and no file. */
	if (strchr(o.path, '/') == NULL) {
		return 0;
	}
	return v->visit(&o, v->data) ? 0 : 1;
}

void
object_for_each(bool (*visit)(const struct object *o, void *data), void *data)
{
	struct visit v = { .visit = visit, .data = data, .first = true };

	dl_iterate_phdr(visit_one, &v);
}

bool
object_text(const struct object *o, uintptr_t address, size_t size,
	struct jump_text *ret_text)
{
	for (size_t i = 0; i < o->n_headers; i++) {
		const Elf64_Phdr *h = &o->headers[i];
		uintptr_t start = o->base + h->p_vaddr;
		if (h->p_type == PT_LOAD && (h->p_flags & PF_X) != 0 &&
			address >= start && address - start <= h->p_filesz &&
			size <= h->p_filesz - (address - start)) {
			*ret_text = (struct jump_text){
				.start = start,
				.end = start + h->p_filesz,
				.offset = h->p_offset,
				.fd = -1,
				.writable = (h->p_flags & PF_W) != 0,
			};
			return true;
		}
	}
	return false;
}

/* Runs in the place of the empty function. */
static void
breakpoint(void)
{
	int saved_errno = errno;

	if (_r_debug.r_state == RT_CONSISTENT) {
		watcher();
	}
	errno = saved_errno;
	if (next_watcher != NULL) {
		next_watcher();
	}
}

/* How many bytes at code an empty function owns, the padding behind it included. */
static size_t
empty_function(const uint8_t *code, size_t n)
{
	static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	size_t at = memcmp(code, endbr64, sizeof(endbr64)) == 0 ? sizeof(endbr64) : 0;

	if (code[at] == 0xf3) {
		at++; /* "rep ret", for processors of long ago */
	}
	if (code[at] != 0xc3) {
		return 0;
	}
	at++;
	return at + jump_padding(code + at, n - at);
}

struct watch {
	uintptr_t address;
	struct jump_text text;
	int rc;
};

static bool
watch_in(const struct object *o, void *data)
{
	struct watch *w = data;
	const uint8_t *code = (const uint8_t *)w->address;

	if (!object_text(o, w->address, WATCH_ROOM, &w->text)) {
		return true;
	}
	struct jump jump = { .from = w->address, .to = (uintptr_t)breakpoint };
	next_watcher = (void (*)(void))jump_target(code, WATCH_ROOM);
	jump.room = next_watcher != NULL ? WATCH_ROOM : empty_function(code, WATCH_ROOM);
	if (jump.room == 0 || !jump_fits(code, jump.room)) {
		w->rc = -ENOTSUP;
		return false;
	}
	cleanup_close int fd = open(o->path, O_RDONLY | O_CLOEXEC);
	void *trampolines;
	w->text.fd = fd;
	w->rc = jump_write(&jump, 1, &w->text, &trampolines);
	return false;
}

int
object_watch(void (*changed)(void))
{
	struct watch w = { .address = (uintptr_t)_r_debug.r_brk, .rc = -ENOENT };

	if (!__libc_single_threaded) {
		return -EBUSY;
	}
	watcher = changed;
	object_for_each(watch_in, &w);
	return w.rc;
}

bool
object_watched_from(uintptr_t base)
{
	uintptr_t target =
		jump_target((const uint8_t *)(uintptr_t)_r_debug.r_brk, WATCH_ROOM);
	Dl_info info;

	return target != 0 && dladdr((const void *)target, &info) != 0 &&
	       (uintptr_t)info.dli_fbase == base;
}
