/* SPDX-License-Identifier: Apache-2.0 */
/* outboardd.c: the daemon's command line. */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "host-server/daemon.h"
#include "rpc/stream.h"

/* The C library looks for it in the program. */
__attribute__((visibility("default"))) const char *argp_program_version =
	"outboardd " OUTBOARD_RELEASE;

#define WORKER_NAME "outboard-worker"
#define WARM_MAX 64
#define GUESTS_MAX 4096

enum {
	KEY_LOG_FILE = 256,
	KEY_WORKER,
	KEY_MAX_GUESTS,
	KEY_REGISTER,
	KEY_GUEST_MEMORY,
	KEY_CACHE,
	KEY_CACHE_SIZE,
	KEY_CACHE_SHARED
};

static unsigned
number(const char *text, unsigned max, struct argp_state *state)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n > max) {
		argp_error(state, "'%s' is not a number up to %u", text, max);
	}
	return (unsigned)n;
}

static uint64_t
bytes(const char *text, struct argp_state *state)
{
	static const char units[] = "KMGT";
	char *end;
	unsigned long long n = strtoull(text, &end, 10);
	const char *unit = *end != '\0' ? strchr(units, *end) : NULL;
	unsigned shift = unit != NULL ? 10 * (unsigned)(unit - units + 1) : 0;

	if (*text < '0' || *text > '9' ||
		(*end != '\0' && (unit == NULL || end[1] != '\0')) ||
		n > ULLONG_MAX >> shift) {
		argp_error(state, "'%s' is not a size, as in 512M or 16G", text);
	}
	return n << shift;
}

/* For a worker's command line. */
static const char *
bytes_as_text(const char *text, struct argp_state *state)
{
	static char plain[32];

	snprintf(plain, sizeof(plain), "%llu", (unsigned long long)bytes(text, state));
	return plain;
}

static int
open_log(const char *path, struct argp_state *state)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);

	if (fd < 0) {
		argp_failure(state, 1, errno, "%s", path);
	}
	return fd;
}

static error_t
take_option(int key, char *arg, struct argp_state *state)
{
	struct daemon_options *options = state->input;
	enum log_level level;

	switch (key) {
	case 'l':
		if (options->n_listen == DAEMON_LISTENERS_MAX) {
			argp_error(state, "too many --listen");
		}
		options->listen[options->n_listen++] = arg;
		return 0;
	case 'd': options->driver = arg; return 0;
	case 'w': options->warm = number(arg, WARM_MAX, state); return 0;
	case KEY_MAX_GUESTS:
		options->guests_max = number(arg, GUESTS_MAX, state);
		return 0;
	case KEY_GUEST_MEMORY: options->memory_max = bytes_as_text(arg, state); return 0;
	case KEY_CACHE: options->cache = arg; return 0;
	case KEY_CACHE_SIZE: options->cache_size = bytes(arg, state); return 0;
	case KEY_CACHE_SHARED: options->cache_shared = true; return 0;
	case 'L':
		if (!log_level_parse(arg, &level)) {
			argp_error(state, "--log is error, warning, info or debug");
		}
		options->log_level = arg;
		log_set_level(level);
		return 0;
	case KEY_LOG_FILE: options->log_fd = open_log(arg, state); return 0;
	case KEY_WORKER: options->worker = arg; return 0;
	case KEY_REGISTER: options->do_register = true; return 0;
	case ARGP_KEY_ARG: argp_error(state, "what is '%s'?", arg); return EINVAL;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option option_list[] = {
	{ "listen", 'l', "URL", 0,
		"Listen there: tcp://HOST:PORT or unix:///PATH; may be repeated "
		"(default: " STREAM_URL_DEFAULT
		" and unix:///run/outboard/outboard.sock)",
		0 },
	{ "driver", 'd', "DRIVER", 0,
		"auto: NVIDIA's driver if there is one, else the software device; soft: "
		"the "
		"software device; or the path of a libcuda.so.1",
		0 },
	{ "workers", 'w', "N", 0, "Workers kept warm for the next guests (default: 1)",
		0 },
	{ "max-guests", KEY_MAX_GUESTS, "N", 0, "Guests at a time (default: 64)", 0 },
	{ "guest-memory", KEY_GUEST_MEMORY, "SIZE", 0,
		"Device memory that one guest may hold, as in 16G (default: all)", 0 },
	{ "cache", KEY_CACHE, "DIR", 0,
		"Keep images of device code there, so that a program sends its own only "
		"once; none: nowhere (default: " DAEMON_CACHE ", if that can be written)",
		0 },
	{ "cache-size", KEY_CACHE_SIZE, "SIZE", 0, "All images kept (default: 2G)", 0 },
	{ "cache-shared", KEY_CACHE_SHARED, NULL, 0,
		"Let all machines find each other's images, which tells them who has "
		"what",
		0 },
	{ "log", 'L', "LEVEL", 0, "error, warning, info (default) or debug", 0 },
	{ "log-file", KEY_LOG_FILE, "PATH", 0, "Append log lines there (default: stderr)",
		0 },
	{ "worker", KEY_WORKER, "PATH", 0, "The " WORKER_NAME " to start", 0 },
	{ "register", KEY_REGISTER, NULL, 0, "Register with rpcbind", 0 },
	{ 0 },
};

/* Where the installation is, seen from this program: bin or sbin beside lib. */
static void
find_libdir(char *libdir, size_t size)
{
	char exe[PATH_MAX] = "";
	const char *given = getenv("OUTBOARD_LIBDIR");

	if (given != NULL && *given != '\0') {
		snprintf(libdir, size, "%s", given);
		return;
	}
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = '\0';
	snprintf(libdir, size, "%s/../lib/outboard", dirname(exe));
}

/* In the build folder the worker lies beside the daemon. */
static void
find_worker(const char *libdir, char *worker, size_t size)
{
	char exe[PATH_MAX] = "";

	int len = snprintf(worker, size, "%s/" WORKER_NAME, libdir);
	if (len < 0 || (size_t)len >= size) {
		*worker = '\0';
	}
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (access(worker, X_OK) == 0 || n <= 0) {
		return;
	}
	exe[n] = '\0';
	char beside[PATH_MAX];
	len = snprintf(beside, sizeof(beside), "%s/" WORKER_NAME, dirname(exe));
	if (len > 0 && (size_t)len < size && access(beside, X_OK) == 0) {
		memcpy(worker, beside, (size_t)len + 1);
	}
}

int
main(int argc, char **argv)
{
	static const struct argp argp = { option_list, take_option, NULL,
		"Lends this machine's GPU, or a software device, to programs that run "
		"elsewhere.\v"
		"OUTBOARD_LIBDIR is where " WORKER_NAME
		" and soft/libcuda.so.1 are, if not in "
		"../lib/outboard.",
		NULL, NULL, NULL };
	struct daemon_options options = { .driver = "auto",
		.warm = 1,
		.guests_max = 64,
		.cache_size = (uint64_t)2 << 30,
		.log_level = "info",
		.log_fd = 2 };
	char libdir[PATH_MAX], worker[PATH_MAX];
	struct daemon d;

	log_set_level(LOG_LEVEL_INFO);
	argp_parse(&argp, argc, argv, 0, NULL, &options);
	log_set_output(options.log_fd, true);
	find_libdir(libdir, sizeof(libdir));
	options.libdir = libdir;
	if (options.worker == NULL) {
		find_worker(libdir, worker, sizeof(worker));
		options.worker = worker;
	}
	if (options.warm == 0) {
		options.warm = 1; /* there must be one for the next guest to have any */
	}
	if (tenant_open_cache(&options) < 0) {
		return EXIT_FAILURE;
	}
	int r = daemon_init(&d, &options);
	if (r == 0) {
		r = daemon_run(&d);
	}
	daemon_deinit(&d);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
