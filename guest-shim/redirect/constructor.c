/* SPDX-License-Identifier: Apache-2.0 */
/* constructor.c: starts the redirection; compiled into each libcudart of ours.
 *
 * It must run before the constructors of the libraries that the program is linked with,
 * because those register kernels.  The dynamic linker initialises preloaded libraries
 * after them, unless they are marked "initfirst" (ld -z initfirst), which one library of
 * a process can be: the last one loaded.  That one therefore serves the libcudart of the
 * other major version too, if it lies beside it; when the other's turn comes it finds all
 * done.
 *
 * Running first means before libc's own constructor: there is no environ yet, and dlopen
 * would make libc initialise with none, for good.  So nothing here calls the dynamic
 * linker, and environ is set as libc will set it. */
#include "guest-shim/redirect/redirect.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "guest-shim/redirect/binary.h"
#include "guest-shim/redirect/library.h"
#include "guest-shim/redirect/object.h"

#ifndef CUDART_MAJOR
#error "compile with -DCUDART_MAJOR=12 or 13"
#endif

#define OTHER_MAJOR (CUDART_MAJOR == 12 ? 13 : 12)

/* Without it, one libcudart of ours would take the other for NVIDIA's. */
__attribute__((section(BINARY_OURS), used)) static const char mark[] = "libcudart";

static struct library own;
static struct library other;

static void *
own_find(const char *name)
{
	return library_find(&own, name);
}

static void *
other_find(const char *name)
{
	return library_find(&other, name);
}

/* The other libcudart, if it is loaded from the folder that we are in. */
static const struct link_map *
other_map(const char *own_path)
{
	const char *slash = strrchr(own_path, '/');
	char path[PATH_MAX];

	if (slash == NULL) {
		return NULL;
	}
	int len = snprintf(path, sizeof(path), "%.*s/libcudart.so.%d",
		(int)(slash - own_path), own_path, OTHER_MAJOR);
	if (len < 0 || (size_t)len >= sizeof(path)) {
		return NULL;
	}
	for (const struct link_map *map = _r_debug.r_map; map != NULL;
		map = map->l_next) {
		if (strcmp(map->l_name, path) == 0) {
			return map;
		}
	}
	return NULL;
}

/* The earliest constructor of this library: the others may want environ. */
__attribute__((constructor(101))) static void
constructor(int argc, char **argv, char **envp)
{
	Dl_info info;
	struct link_map *map = NULL;

	if (environ == NULL) {
		environ = envp;
	}
	if (dladdr1((void *)constructor, &info, (void **)&map, RTLD_DL_LINKMAP) == 0 ||
		map == NULL || library_init(&own, map) < 0) {
		log_debug("redirect: our own symbols cannot be read");
		return;
	}
	const struct link_map *beside = other_map(map->l_name);
	if (beside != NULL && object_watched_from(beside->l_addr)) {
		return;
	}
	if (beside != NULL && CUDART_MAJOR < OTHER_MAJOR) {
		redirect_yield();
	}
	redirect_install(CUDART_MAJOR, own_find);
	if (beside != NULL && library_init(&other, beside) == 0) {
		redirect_install(OTHER_MAJOR, other_find);
	}
}
