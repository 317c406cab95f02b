/* SPDX-License-Identifier: Apache-2.0 */
/* bench_driver.c: loading the remote driver into outboard itself. */
#include "cli/bench_driver.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>

#include "cli/cli.h"

static bool
find(void *library, const char *name, void *ret_function)
{
	void *function = dlsym(library, name);

	if (function == NULL) {
		fprintf(stderr, "outboard: %s is missing in libcuda.so.1\n", name);
		return false;
	}
	*(void **)ret_function = function;
	return true;
}

bool
bench_driver_load(struct bench_driver *ret_driver)
{
	struct bench_driver driver;
	char path[PATH_MAX + 32], libdir[PATH_MAX];

	cli_libdir(libdir, sizeof(libdir));
	snprintf(path, sizeof(path), "%s/guest/libcuda.so.1", libdir);
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL) {
		fprintf(stderr, "outboard: cannot load our driver: %s; is Outboard installed "
				"completely? (OUTBOARD_LIBDIR names another place)\n", dlerror());
		return false;
	}
#define FIND(member, name)                                               \
	if (!find(library, BENCH_STRING(name), &driver.member)) { \
		return false;                                            \
	}
	BENCH_FUNCTIONS(FIND)
#undef FIND
	*ret_driver = driver;
	return true;
}
