/* SPDX-License-Identifier: Apache-2.0 */
/* worker.c: the process that serves one guest: outboard-worker.
 *
 * The daemon starts it before there is a guest.  It opens the driver, makes a context and
 * pins memory, says so, and waits to be given a connection.  When the guest is gone, so
 * is the worker: the end of the process is what frees everything it held. */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "host-server/account.h"
#include "host-server/cache.h"
#include "host-server/control.h"
#include "host-server/device.h"
#include "host-server/driver.h"
#include "host-server/image.h"
#include "host-server/output.h"
#include "host-server/session.h"

#define WARM_SLOTS 4
#define NVIDIA_DEVICE "/dev/nvidiactl"
#define NVIDIA_DRIVER "libcuda.so.1"
#define SOFT_DRIVER "soft/libcuda.so.1" /* in the libdir */

enum worker_exit { EXIT_ORDERLY = 0, EXIT_GUEST = 1, EXIT_CANNOT_START = 2 };

struct worker_options {
	const char *driver; /* "auto", "soft" or a path */
	const char *libdir;
	uint64_t memory_max;
	pid_t parent;
};

struct worker {
	struct driver driver;
	struct devices *devices;
	struct account *account;
	struct output *output;
	struct session *session;
	char driver_text[CONTROL_TEXT_SIZE];
};

static error_t
take_option(int key, char *arg, struct argp_state *state)
{
	struct worker_options *options = state->input;
	enum log_level level;

	switch (key) {
	case 'd': options->driver = arg; return 0;
	case 'L': options->libdir = arg; return 0;
	case 'm': options->memory_max = strtoull(arg, NULL, 10); return 0;
	case 'p': options->parent = (pid_t)strtol(arg, NULL, 10); return 0;
	case 'l':
		if (!log_level_parse(arg, &level)) {
			argp_error(state, "unknown log level '%s'", arg);
		}
		log_set_level(level);
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

/* Files and rights: what the daemon lent for the start is not needed any more. */
static int
worker_confine(const struct worker_options *options)
{
	int log = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);

	if (log < 0 || fcntl(CONTROL_FD, F_SETFD, FD_CLOEXEC) < 0 ||
		fcntl(CONTROL_ACCOUNT_FD, F_SETFD, FD_CLOEXEC) < 0) {
		return -errno;
	}
	log_set_output(log, true);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		return -errno;
	}
	/* The daemon may have died before it was asked to take us along. */
	return options->parent != 0 && getppid() != options->parent ? -ESRCH : 0;
}

/* What NVIDIA's driver documents to make it ignore machine code. */
static bool
is_told_to_want_ptx(void)
{
	const char *text = getenv("CUDA_FORCE_PTX_JIT");

	return text != NULL && *text != '\0' && strcmp(text, "0") != 0;
}

/* auto never falls back from a GPU that does not work: only from one that is not there.
 */
static int
worker_open_driver(struct worker *w, const struct worker_options *options, char *why,
	size_t why_size)
{
	char path[PATH_MAX];
	bool automatic = strcmp(options->driver, "auto") == 0;
	bool nvidia = automatic && access(NVIDIA_DEVICE, F_OK) == 0;

	if (nvidia && driver_open(&w->driver, NVIDIA_DRIVER, why, why_size) == 0) {
		snprintf(w->driver_text, sizeof(w->driver_text), "NVIDIA (%s)",
			NVIDIA_DRIVER);
		w->driver.runs_machine_code = !is_told_to_want_ptx();
		return 0;
	}
	if (automatic || strcmp(options->driver, "soft") == 0) {
		snprintf(path, sizeof(path), "%s/%s", options->libdir, SOFT_DRIVER);
		snprintf(w->driver_text, sizeof(w->driver_text),
			"software device (%.400s%s)", path,
			!automatic ? ""
			: nvidia   ? ": " NVIDIA_DRIVER " cannot be opened"
				   : ": there is no " NVIDIA_DEVICE);
		return driver_open(&w->driver, path, why, why_size);
	}
	snprintf(w->driver_text, sizeof(w->driver_text), "%s", options->driver);
	return driver_open(&w->driver, options->driver, why, why_size);
}

static int
worker_warm(struct worker *w, const struct worker_options *options, char *why,
	size_t why_size)
{
	int r = account_map(CONTROL_ACCOUNT_FD, &w->account);

	if (r < 0) {
		snprintf(why, why_size, "cannot map the account: %s", strerror(-r));
		return r;
	}
	r = worker_open_driver(w, options, why, why_size);
	if (r < 0) {
		return r;
	}
	CUresult result = w->driver.cuInit(0);
	if (result != CUDA_SUCCESS) {
		snprintf(why, why_size, "cuInit failed with CUDA error %d: %.400s",
			(int)result, w->driver_text);
		return -ENODEV;
	}
	r = devices_new(&w->driver, &w->devices, why, why_size);
	if (r == 0) {
		r = output_new(&w->output);
		if (r < 0) {
			snprintf(
				why, why_size, "cannot capture output: %s", strerror(-r));
		}
	}
	if (r < 0) {
		return r;
	}
	struct session_options session_options = {
		.driver = &w->driver,
		.devices = w->devices,
		.account = w->account,
		.output = w->output,
		.spin_us = -1,
		.warm_slots = WARM_SLOTS,
		.memory_max = options->memory_max,
		.control_fd = CONTROL_FD,
	};
	return session_new(&session_options, &w->session, why, why_size);
}

/* Without a cache a guest sends everything, and is served all the same. */
static void
worker_use_cache(struct worker *w, const struct control_message *order)
{
	struct cache_options options = { .folder = order->cache,
		.tenant = order->tenant,
		.size_max = order->cache_size };
	struct cache *cache;

	if (order->cache[0] == '\0') {
		return;
	}
	int r = cache_new(&options, &cache);
	if (r < 0) {
		log_warning("worker: cannot use %s/%s: %s", order->cache, order->tenant,
			strerror(-r));
		return;
	}
	image_store_use_cache(w->session->images, cache, devices_cc(w->devices));
}

static enum worker_exit
worker_serve(struct worker *w, const struct control_message *order, int fd)
{
	struct stream *stream;

	int r = stream_of_fd(fd, &stream);
	if (r == 0) {
		/* From here on what appears on standard output was printed by kernels. */
		r = output_capture(w->output);
	}
	if (r == 0) {
		w->session->guest_id = order->guest_id;
		worker_use_cache(w, order);
		r = session_connect(w->session, stream);
	}
	if (r == 0) {
		r = session_run(w->session);
	}
	/* The guest is gone, and nobody waits for us. */
	image_store_settle(w->session->images);
	if (r < 0) {
		log_warning("worker: guest %llu (%s): %s",
			(unsigned long long)order->guest_id, order->text, strerror(-r));
	}
	/* A connection that broke is an end like another; breaking the rules is not. */
	return r == 0 || r == -ECONNRESET || r == -EPIPE || r == -ETIMEDOUT ? EXIT_ORDERLY
									    : EXIT_GUEST;
}

int
main(int argc, char **argv)
{
	static const struct argp_option option_list[] = {
		{ "driver", 'd', "DRIVER", 0, "auto, soft, or the path of a libcuda.so.1",
			0 },
		{ "libdir", 'L', "DIR", 0, "Where soft/libcuda.so.1 is", 0 },
		{ "log", 'l', "LEVEL", 0, "error, warning, info or debug", 0 },
		{ "memory-max", 'm', "BYTES", 0, "Device memory that the guest may hold",
			0 },
		{ "parent", 'p', "PID", 0, "The daemon's process", 0 },
		{ 0 },
	};
	static const struct argp argp = { option_list, take_option, NULL,
		"Serves one guest of outboardd, which starts it.", NULL, NULL, NULL };
	struct worker_options options = { .driver = "auto", .libdir = "." };
	struct control_message message = { 0 }, order;
	struct worker w = { 0 };
	int fd = -1;

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	int r = worker_confine(&options);
	if (r < 0) {
		fprintf(stderr, "outboard-worker: is started by outboardd (%s)\n",
			strerror(-r));
		return EXIT_CANNOT_START;
	}
	r = worker_warm(&w, &options, message.text, sizeof(message.text));
	message.kind = r < 0 ? CONTROL_FAILED : CONTROL_READY;
	if (r == 0) {
		snprintf(message.driver, sizeof(message.driver), "%s", w.driver_text);
		snprintf(message.device, sizeof(message.device), "%s",
			w.devices->about[0].name);
	}
	if (control_send(CONTROL_FD, &message, -1) < 0 || r < 0) {
		_exit(EXIT_CANNOT_START);
	}
	if (control_receive(CONTROL_FD, &order, &fd) != 1 ||
		order.kind != CONTROL_SERVE || fd < 0) {
		_exit(EXIT_ORDERLY); /* nobody needs us */
	}
	/* Not exit(): what is left is for the kernel to free, even while a kernel of the
	 * guest runs on; destructors would wait for it. */
	_exit((int)worker_serve(&w, &order, fd));
}
