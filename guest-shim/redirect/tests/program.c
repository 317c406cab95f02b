/* SPDX-License-Identifier: Apache-2.0 */
/* program.c: a program with a static runtime inside, which says whose functions it calls.
 * Usage: program [plugin to open]... */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

#ifdef NEEDED
int plugin_check(void);
#endif

static int constructed;

__attribute__((constructor)) static void
constructor(void)
{
	constructed = __cudaRegisterFatBinary(1);
}

static int
check_own(void)
{
	int (*volatile tiny3)(void) = cudaTiny3;
	int (*volatile tiny1)(void) = cudaTiny1;

	printf("constructor %d, far %d, near %d %d %d, neighbour %d, helper %d\n",
		constructed, cudaMalloc(7), tiny3(), tiny1(), cudaTiny10(),
		cudaNeighbour(), cudaOwnHelper());
	return constructed == OURS(MAJOR, 1) && cudaMalloc(7) == OURS(MAJOR, 2) + 7 &&
	       tiny3() == OURS(MAJOR, 3) && tiny1() == OURS(MAJOR, 4) &&
	       cudaTiny10() == OURS(MAJOR, 5) && cudaNeighbour() == OURS(MAJOR, 6) &&
	       cudaOwnHelper() == HELPER;
}

/* Twice, with a close between: the second may come to lie where the first one did. */
static int
check_plugin(const char *path)
{
	for (int i = 0; i < 2; i++) {
		void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		int (*check)(void) =
			handle == NULL ? NULL
				       : (int (*)(void))dlsym(handle, "plugin_check");
		if (check == NULL || check() != 0) {
			printf("plugin %s: %s\n", path,
				check == NULL ? dlerror() : "theirs");
			return 0;
		}
		dlclose(handle);
	}
	return 1;
}

/* No mapping may be left writable and executable. */
static int
check_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	int ok = 1;

	while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
		if (strstr(line, " rwx") != NULL) {
			printf("%s", line);
			ok = 0;
		}
	}
	fclose(maps);
	return ok;
}

int
main(int argc, char **argv)
{
	int ok = check_own() & check_mappings();

	if (getenv("HOME") == NULL) {
		printf("the environment is lost\n");
		ok = 0;
	}
#ifdef NEEDED
	if (plugin_check() != 0) {
		printf("the library that the program needs was not served in time\n");
		ok = 0;
	}
#endif
	for (int i = 1; i < argc; i++) {
		ok &= check_plugin(argv[i]);
	}
	printf(ok ? "PASS\n" : "FAIL\n");
	return ok ? 0 : 1;
}
