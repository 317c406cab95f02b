/* SPDX-License-Identifier: Apache-2.0 */
/* run.c: outboard run: put our libraries in front of NVIDIA's and become the program.
 *
 * Both runtimes are preloaded: a program binds to the one whose symbol versions it names,
 * and a program with a static runtime is redirected by the one of its own version. */
#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "common/cleanup.h"

static const char *const libraries[] = { "libcuda.so.1", "libcudart.so.13", "libcudart.so.12" };

struct run_options {
	const char *server;
	int program_at;
};

static const struct argp_option options[] = {
	{ "server", 's', "URL", 0,
		"tcp://HOST:PORT or unix:///PATH; else $OUTBOARD_SERVER, else the line "
		"'server = URL' in /etc/outboard/client.conf, else tcp://127.0.0.1:18661",
		0 },
	{ 0 },
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct run_options *o = state->input;

	switch (key) {
	case 's': o->server = arg; return 0;
	case ARGP_KEY_ARG:
		/* The program's own arguments are not ours to read. */
		o->program_at = state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS: argp_usage(state); return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

/* Our libraries before what was preloaded already. */
static int
set_preload(void)
{
	char libdir[PATH_MAX], value[4 * PATH_MAX + 4096];
	size_t len = 0;

	cli_libdir(libdir, sizeof(libdir));
	for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
		char path[PATH_MAX + 64], resolved[PATH_MAX];
		snprintf(path, sizeof(path), "%s/guest/%s", libdir, libraries[i]);
		if (realpath(path, resolved) == NULL) {
			fprintf(stderr, "outboard: cannot find %s: %s; is Outboard installed "
					"completely? (OUTBOARD_LIBDIR names another place)\n",
				path, strerror(errno));
			return -errno;
		}
		len += (size_t)snprintf(value + len, sizeof(value) - len, "%s%s",
			i > 0 ? ":" : "", resolved);
	}
	const char *before = getenv("LD_PRELOAD");
	if (before != NULL && before[0] != '\0') {
		len += (size_t)snprintf(value + len, sizeof(value) - len, ":%s", before);
	}
	if (len >= sizeof(value)) {
		fprintf(stderr, "outboard: LD_PRELOAD is too long\n");
		return -ENAMETOOLONG;
	}
	setenv("LD_PRELOAD", value, 1);
	return 0;
}

int
cli_run(int argc, char **argv)
{
	static const struct argp argp = { options, parse, "PROGRAM [ARGUMENT...]",
		"Run an unmodified CUDA program; its CUDA work happens on the server's GPU.",
		NULL, NULL, NULL };
	struct run_options o = { 0 };
	static char name[] = "outboard run";

	argv[0] = name;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &o);
	if (o.server != NULL) {
		setenv("OUTBOARD_SERVER", o.server, 1);
	}
	if (set_preload() < 0) {
		return 126;
	}
	execvp(argv[o.program_at], argv + o.program_at);
	fprintf(stderr, "outboard: cannot run '%s': %s\n", argv[o.program_at], strerror(errno));
	return errno == ENOENT ? 127 : 126;
}
