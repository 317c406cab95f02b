/* SPDX-License-Identifier: Apache-2.0 */
/* main.c: outboard, the guest's command. */
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "common/cleanup.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
} commands[] = {
	{ "run", cli_run, "run a CUDA program on the server's GPU" },
	{ "status", cli_status, "show a server, its device and its guests" },
	{ "bench", cli_bench, "measure a server and the way to it; say what limits" },
	{ "ptx", cli_ptx, "which kernels of a program the software device can run" },
};

static void
usage(FILE *to)
{
	fprintf(to, "Usage: outboard COMMAND [OPTION...]\n\n"
		    "CUDA programs on a machine without a GPU, unchanged.\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].what);
	}
	fprintf(to, "\n'outboard COMMAND --help' says more.\n");
}

void
cli_libdir(char *path, size_t size)
{
	const char *from_environment = getenv("OUTBOARD_LIBDIR");
	char self[PATH_MAX];

	if (from_environment != NULL && from_environment[0] != '\0') {
		snprintf(path, size, "%s", from_environment);
		return;
	}
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[n > 0 ? n : 0] = '\0';
	snprintf(path, size, "%s/../" OUTBOARD_PKGLIBDIR, dirname(self));
}

int
main(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return 2;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		usage(stdout);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("outboard " OUTBOARD_VERSION_TEXT);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0) {
			return commands[i].run(argc - 1, argv + 1);
		}
	}
	fprintf(stderr, "outboard: no command '%s'; see 'outboard --help'\n", argv[1]);
	return 2;
}
