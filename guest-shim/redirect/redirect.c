/* SPDX-License-Identifier: Apache-2.0 */
/* redirect.c: leads statically linked CUDA runtimes to our libcudart.
 *
 * nvcc links NVIDIA's runtime into every program unless told otherwise, and no preloaded
 * library can stand in front of calls inside one program.  But unless the program is
 * stripped, its symbol table says where the runtime's functions are; so a jump to ours is
 * written over the beginning of each of them in memory, before any of them is called.
 * The file stays as it is, and nothing of NVIDIA's runtime runs any more but its static
 * initialisers, which set up its own variables and do not touch the driver (seen with
 * strace).  What the system maps is only changed after the bytes in memory were
 * found to be those of the file, so that a file replaced meanwhile does no harm. */
#include "guest-shim/redirect/redirect.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/single_threaded.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "guest-shim/redirect/binary.h"
#include "guest-shim/redirect/jump.h"
#include "guest-shim/redirect/object.h"

/* Ten times what the runtime has. */
#define MAX_FUNCTIONS 4096
/* The runtime has 3 functions without room for a far jump; each costs a walk over all
 * symbols to see how much room is behind it. */
#define MAX_SHORT 64
#define MAX_COMPLAINTS 3
/* What NVIDIA's runtime (seen: 12.4, 13.0) reports from every call when cuGetExportTable
 * answers CUDA_ERROR_NOT_FOUND, as our libcuda does. */
#define THEIR_ERROR "cudaErrorSymbolNotFound (500, \"named symbol not found\")"

struct runtime {
	int major;
	void *(*find)(const char *name);
};

/* An object that has been looked at, and the page that its jumps need. */
struct seen {
	uintptr_t base;
	const void *headers;
	void *trampolines;
};

struct seen_list {
	struct seen *items;
	size_t n;
	size_t room;
};

struct function {
	struct binary_function in_file;
	uintptr_t target;
};

/* All under the dynamic linker's lock, or before there are threads. */
static struct runtime runtimes[2];
static size_t n_runtimes;
static struct seen_list seen;
static bool yields;	/* see redirect_yield */
static bool quiet;	/* another copy of this code speaks */
static bool installing; /* looking at what runs already, not at what was just opened */
static bool again;	/* for the second major, and only for it */
static int n_complaints;

static const char *
path_of(const struct object *o, char *buffer, size_t size)
{
	ssize_t len = readlink(o->path, buffer, size - 1);

	if (len <= 0) {
		return o->path;
	}
	buffer[len] = '\0';
	return buffer;
}

#define COMPLAIN(o, format, ...) \
	do { \
		char complain_path[PATH_MAX]; \
		if (!quiet && n_complaints++ < MAX_COMPLAINTS) { \
			log_warning(format, path_of(o, complain_path, PATH_MAX), \
				##__VA_ARGS__); \
		} \
	} while (0)

static int
compare_functions(const void *a, const void *b)
{
	const struct function *f = a, *g = b;

	return f->in_file.address < g->in_file.address
		       ? -1
		       : f->in_file.address > g->in_file.address;
}

/* The runtime's functions and ours, by address, each address once.  Caller frees. */
static size_t
collect(const struct binary *b, const struct runtime *runtime,
	struct function **ret_functions)
{
	struct function *functions = calloc(MAX_FUNCTIONS, sizeof(*functions));
	struct binary_function f;
	size_t n = 0, n_kept = 0;

	for (size_t at = 0;
		functions != NULL && n < MAX_FUNCTIONS && binary_next(b, &at, &f);) {
		void *target = runtime->find(f.name);
		if (target == NULL) {
			/* A helper of the program's own: nvcc makes some such names too.
			 */
			log_debug("redirect: %s is not ours", f.name);
			continue;
		}
		functions[n++] = (struct function){ f, (uintptr_t)target };
	}
	if (n > 0) {
		qsort(functions, n, sizeof(*functions), compare_functions);
	}
	for (size_t i = 0; i < n; i++) {
		if (n_kept > 0 && functions[n_kept - 1].in_file.address ==
					  functions[i].in_file.address) {
			log_debug("redirect: %s lies where %s does",
				functions[i].in_file.name,
				functions[n_kept - 1].in_file.name);
			continue;
		}
		functions[n_kept++] = functions[i];
	}
	*ret_functions = functions;
	return n_kept;
}

/* How many bytes from the function's beginning belong to nobody else. */
static size_t
room_of(const struct binary *b, const struct function *f, const struct function *next,
	size_t *n_short)
{
	const struct binary_function *in_file = &f->in_file;
	uint64_t room = in_file->size;

	if (next != NULL && next->in_file.address - in_file->address < room) {
		room = next->in_file.address - in_file->address;
	}
	/* The padding behind it may be used, too: 18 bytes are an endbr64 and a far jump.
	 */
	if (room < 18 && room == in_file->size && (*n_short)++ < MAX_SHORT) {
		uint64_t gap =
			binary_next_address(b, in_file->address) - in_file->address;
		gap = gap < in_file->n_bytes ? gap : in_file->n_bytes;
		gap = gap < 32 ? gap : 32;
		if (gap > room) {
			room += jump_padding(in_file->bytes + room, gap - room);
		}
	}
	return room;
}

struct plan {
	struct jump *jumps;
	size_t n_jumps;
	struct jump_text text;
	size_t n_done;	  /* redirected already */
	size_t n_foreign; /* not what the file says */
	const char *unfit;
};

static void
plan_jumps(struct plan *p, const struct object *o, const struct binary *b,
	const struct function *functions, size_t n)
{
	size_t n_short = 0;

	for (size_t i = 0; i < n; i++) {
		const struct function *f = &functions[i];
		const struct function *next = i + 1 < n ? f + 1 : NULL;
		size_t room = room_of(b, f, next, &n_short);
		const uint8_t *code = (const uint8_t *)(o->base + f->in_file.address);
		struct jump_text text;

		if (room == 0 || !object_text(o, (uintptr_t)code, room, &text) ||
			(p->n_jumps > 0 && text.start != p->text.start)) {
			p->n_foreign++;
		} else if (memcmp(code, f->in_file.bytes, room < 32 ? room : 32) != 0) {
			bool done = jump_target(code, room) != 0;
			*(done ? &p->n_done : &p->n_foreign) += 1;
		} else if (!jump_fits(code, room)) {
			p->unfit = p->unfit == NULL ? f->in_file.name : p->unfit;
		} else {
			p->text = text;
			p->jumps[p->n_jumps++] =
				(struct jump){ (uintptr_t)code, room, f->target };
		}
	}
}

static void
redirect_runtime(const struct object *o, const struct binary *b, int fd,
	const struct runtime *runtime, void **ret_trampolines)
{
	cleanup_free struct function *functions = NULL;
	size_t n = collect(b, runtime, &functions);
	cleanup_free struct jump *jumps = calloc(n + 1, sizeof(*jumps));
	struct plan p = { .jumps = jumps };
	if (n == 0 || jumps == NULL) {
		return;
	}
	plan_jumps(&p, o, b, functions, n);
	if (p.n_jumps > 0 && installing && !__libc_single_threaded) {
		COMPLAIN(o, "redirect: '%s' already runs with a CUDA runtime of its own: "
			    "start it with LD_PRELOAD or 'outboard run'");
		return;
	}
	p.text.fd = fd;
	int rc = p.n_jumps == 0
			 ? 0
			 : jump_write(p.jumps, p.n_jumps, &p.text, ret_trampolines);
	if (rc == -EACCES || rc == -EPERM) {
		COMPLAIN(o, "redirect: the system's policy (SELinux execmod, or "
			    "MemoryDenyWriteExecute) forbids to redirect the CUDA "
			    "runtime inside of "
			    "'%s': build it with 'nvcc -cudart shared', or allow it; "
			    "until then its "
			    "CUDA calls fail with " THEIR_ERROR);
	} else if (rc < 0) {
		COMPLAIN(o,
			"redirect: cannot redirect the CUDA runtime inside of '%s': %s",
			strerror(-rc));
	} else if (p.unfit != NULL) {
		COMPLAIN(o, "redirect: in '%s', %s is too short to be redirected",
			p.unfit);
	}
	log_debug("redirect: '%s': CUDA %d: %zu functions, %zu before, %zu unlike the "
		  "file: %d",
		o->path, runtime->major, p.n_jumps, p.n_done, p.n_foreign, rc);
}

/* NVIDIA's own libraries are stripped, and nobody can build them anew. */
static bool
is_nvidias(const char *path)
{
	static const char *const names[] = { "libcublas", "libcudnn", "libcufft",
		"libcurand", "libcusolver", "libcusparse", "libnccl", "libnpp",
		"libnvjpeg", "libcutensor" };
	const char *slash = strrchr(path, '/');

	for (size_t i = 0; slash != NULL && i < ARRAY_LEN(names); i++) {
		if (strncmp(slash + 1, names[i], strlen(names[i])) == 0) {
			return true;
		}
	}
	return false;
}

static void
look_at_file(
	const struct object *o, const struct binary *b, int fd, void **ret_trampolines)
{
	int major = 0;

	switch (binary_runtime(b, &major)) {
	case BINARY_NO_RUNTIME: return;
	case BINARY_RUNTIME_STRIPPED:
		if (again) {
			return;
		}
		if (is_nvidias(o->path)) {
			COMPLAIN(o,
				"redirect: '%s' is NVIDIA's own, with a CUDA runtime "
				"inside "
				"that cannot be served: its calls will fail "
				"with " THEIR_ERROR "; put Outboard's library of that "
						    "name first, if there is one");
			return;
		}
		COMPLAIN(o, "redirect: '%s' holds a CUDA runtime but no symbols that say "
			    "where: "
			    "build it with 'nvcc -cudart shared', or without -s and "
			    "strip; its CUDA "
			    "calls will fail with " THEIR_ERROR);
		return;
	case BINARY_RUNTIME: break;
	}
	if (major < 12 && !again) {
		COMPLAIN(o, "redirect: '%s' holds the runtime of CUDA 11 or older, and "
			    "only 12 "
			    "and 13 are served: build it anew; its CUDA calls will fail");
	}
	for (size_t i = again ? n_runtimes - 1 : 0; i < n_runtimes; i++) {
		if (runtimes[i].major == major) {
			redirect_runtime(o, b, fd, &runtimes[i], ret_trampolines);
			return;
		}
	}
	log_debug("redirect: '%s' needs the libcudart of CUDA %d", o->path, major);
}

static void
look_at(const struct object *o, void **ret_trampolines)
{
	cleanup_close int fd = open(o->path, O_RDONLY | O_CLOEXEC);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) ||
		status.st_size <= 0) {
		log_debug("redirect: cannot read '%s'", o->path);
		return;
	}
	size_t size = (size_t)status.st_size;
	void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED) {
		log_debug("redirect: cannot map '%s'", o->path);
		return;
	}
	struct binary binary;
	if (binary_parse(&binary, data, size) == 0) {
		look_at_file(o, &binary, fd, ret_trampolines);
	}
	munmap(data, size);
}

struct scan {
	struct seen_list now;
	size_t next; /* in seen: the list changes by removal, and by adding at its end */
};

static void
seen_add(struct seen_list *list, const struct seen *item)
{
	if (list->n == list->room) {
		size_t room = list->room == 0 ? 32 : 2 * list->room;
		struct seen *items = realloc(list->items, room * sizeof(*items));
		if (items == NULL) {
			return; /* it will be looked at again, and found to be done */
		}
		list->items = items;
		list->room = room;
	}
	list->items[list->n++] = *item;
}

static void
seen_drop(size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		jump_free_trampolines(seen.items[i].trampolines);
	}
}

static bool
scan_one(const struct object *o, void *data)
{
	struct scan *s = data;
	struct seen item = { .base = o->base, .headers = o->headers };

	for (size_t i = s->next; i < seen.n; i++) {
		if (seen.items[i].base == item.base &&
			seen.items[i].headers == item.headers) {
			seen_drop(s->next, i);
			s->next = i + 1;
			seen_add(&s->now, &seen.items[i]);
			return true;
		}
	}
	look_at(o, &item.trampolines);
	seen_add(&s->now, &item);
	return true;
}

static void
scan_all(void)
{
	struct scan s = { .next = 0 };

	object_for_each(scan_one, &s);
	seen_drop(s.next, seen.n);
	free(seen.items);
	seen = s.now;
}

void
redirect_yield(void)
{
	yields = true;
}

void
redirect_install(int cudart_major, void *(*find)(const char *name))
{
	int saved_errno = errno;

	if (n_runtimes == ARRAY_LEN(runtimes)) {
		return;
	}
	runtimes[n_runtimes++] = (struct runtime){ cudart_major, find };
	if (n_runtimes == 1) {
		int rc = object_watch(scan_all);
		quiet = yields && rc < 0;
		if (rc == -ENOTSUP && !quiet) {
			log_warning("redirect: a debugger watches the dynamic linker, or "
				    "it is an "
				    "unknown one: libraries that are opened later are "
				    "not served if "
				    "they hold a CUDA runtime");
		} else if (rc < 0) {
			log_debug("redirect: libraries that are opened later are not "
				  "served: %s",
				strerror(-rc));
		}
	}
	/* What was looked at for one major is looked at once more for the other.  The
	 * pages of jumps stay: what is loaded now is seldom closed. */
	again = n_runtimes > 1;
	seen.n = 0;
	installing = true;
	scan_all();
	installing = again = false;
	errno = saved_errno;
}
