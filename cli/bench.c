/* SPDX-License-Identifier: Apache-2.0 */
/* bench.c: outboard bench: what a server and the way to it give a program.
 *
 * It does what programs do, through the same library: so the numbers are those that a
 * program can have.  bench/ in the sources compares them with a local GPU. */
#include <argp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench_driver.h"
#include "cli/bench_report.h"
#include "cli/cli.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "rpc/stream.h"

#define SIZE_MIN ((size_t)4 << 10)
#define SIZE_MAX_FULL ((size_t)256 << 20)
#define SIZE_MAX_QUICK ((size_t)16 << 20)
#define COPIES_MAX 2000

static const char ptx[] = ".version 7.0\n.target sm_75\n.address_size 64\n"
			  ".visible .entry nothing() { ret; }\n";

struct bench {
	char server[1024];
	const char *json;
	bool quick;
	struct bench_driver cuda;
	CUfunction nothing;
	struct bench_report report;
};

static const struct argp_option options[] = {
	{ "server", 's', "URL", 0, "as for 'outboard run'", 0 },
	{ "json", 'j', "FILE", 0, "write all numbers to FILE, too", 0 },
	{ "quick", 'q', NULL, 0, "few rounds, copies up to 16 MiB", 0 },
	{ 0 },
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct bench *bench = state->input;

	switch (key) {
	case 's': snprintf(bench->server, sizeof(bench->server), "%s", arg); return 0;
	case 'j': bench->json = arg; return 0;
	case 'q': bench->quick = true; return 0;
	case ARGP_KEY_ARG: argp_usage(state); return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static double
now_us(void)
{
	return (double)clock_ns() * 1e-3;
}

static bool
check(const struct bench *bench, CUresult result, const char *what)
{
	const char *text = NULL;

	if (result == CUDA_SUCCESS) {
		return true;
	}
	fflush(stdout);
	bench->cuda.error_string(result, &text);
	fprintf(stderr, "outboard: %s failed: %s\n", what, text != NULL ? text : "unknown error");
	return false;
}

#define TRY(call, what)                               \
	do {                                          \
		if (!check(bench, (call), (what))) {  \
			return false;                 \
		}                                     \
	} while (0)

/* ---- start ---- */

static CUresult
launch(const struct bench *bench)
{
	return bench->cuda.launch(bench->nothing, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL);
}

static bool
start(struct bench *bench)
{
	char name[256];
	CUdevice device;
	CUcontext context;
	CUmodule module;

	double began = now_us();
	TRY(bench->cuda.init(0), "connecting");
	double connected = now_us();
	TRY(bench->cuda.device_get(&device, 0), "finding a device");
	TRY(bench->cuda.device_name(name, sizeof(name), device), "naming the device");
	TRY(bench->cuda.context_retain(&context, device), "making a context");
	TRY(bench->cuda.context_set(context), "using the context");
	TRY(bench->cuda.module_load(&module, ptx), "loading a kernel");
	TRY(bench->cuda.module_function(&bench->nothing, module, "nothing"), "finding a kernel");
	TRY(launch(bench), "launching");
	TRY(bench->cuda.synchronize(), "synchronizing");
	double end = now_us();

	printf("server  %s\ndevice  %s\n\n", bench->server, name);
	bench_report_add(&bench->report, "connect", (connected - began) / 1e3, "ms");
	bench_report_add(&bench->report, "first_kernel", (end - began) / 1e3, "ms");
	return true;
}

/* ---- latencies ---- */

/* Ask whether an event has happened that was just recorded: only the server knows. */
static CUresult
ask(const struct bench *bench, CUevent event)
{
	CUresult result = bench->cuda.event_record(event, NULL);

	if (result == CUDA_SUCCESS) {
		result = bench->cuda.event_query(event);
	}
	return result == CUDA_ERROR_NOT_READY ? CUDA_SUCCESS : result;
}

static bool
round_trips(struct bench *bench)
{
	struct bench_samples *samples = &bench->report.samples;
	CUevent event;

	TRY(bench->cuda.event_new(&event, CU_EVENT_DISABLE_TIMING), "making an event");
	for (size_t i = 0, n = bench->quick ? 300 : 2000; i < n; i++) {
		double began = now_us();
		TRY(ask(bench, event), "asking for an event");
		bench_samples_add(samples, now_us() - began);
	}
	bench_report_samples(&bench->report, "round_trip");
	for (size_t i = 0, n = bench->quick ? 300 : 2000; i < n; i++) {
		double began = now_us();
		TRY(launch(bench), "launching");
		TRY(bench->cuda.synchronize(), "synchronizing");
		bench_samples_add(samples, now_us() - began);
	}
	bench_report_samples(&bench->report, "launch_and_wait");
	return true;
}

static bool
launches(struct bench *bench)
{
	double n = bench->quick ? 5000 : 20000;

	double began = now_us();
	for (size_t i = 0; i < (size_t)n; i++) {
		TRY(launch(bench), "launching");
	}
	double issued = now_us();
	TRY(bench->cuda.synchronize(), "synchronizing");
	double end = now_us();
	bench_report_add(&bench->report, "launch_call", (issued - began) / n, "us");
	bench_report_add(&bench->report, "launch_done", (end - began) / n, "us");
	bench_report_add(&bench->report, "launch_rate", n / (end - began) * 1e6, "per_second");
	return true;
}

static bool
allocations(struct bench *bench)
{
	CUdeviceptr memory;

	for (size_t i = 0, n = bench->quick ? 100 : 500; i < n; i++) {
		double began = now_us();
		TRY(bench->cuda.alloc(&memory, 1 << 20), "allocating 1 MiB");
		TRY(bench->cuda.free(memory), "freeing");
		bench_samples_add(&bench->report.samples, now_us() - began);
	}
	bench_report_samples(&bench->report, "malloc_and_free");
	return true;
}

/* ---- bandwidth ---- */

static void
fill(void *to, size_t size, uint64_t seed)
{
	uint64_t *words = to;

	for (size_t i = 0; i < size / sizeof(*words); i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		words[i] = seed ^ seed >> 29;
	}
}

/* GiB/s of copies in one direction; 0 if one failed. */
static double
bandwidth(const struct bench *bench, CUdeviceptr device, void *host, size_t size, bool is_out)
{
	double limit = bench->quick ? 1e5 : 5e5, began = 0;
	CUresult result = CUDA_SUCCESS;
	int n = -1; /* the first one is for warming up */

	while (result == CUDA_SUCCESS &&
		(n < 1 || (n < COPIES_MAX && now_us() - began < limit))) {
		if (n == 0) {
			began = now_us();
		}
		result = is_out ? bench->cuda.to_device(device, host, size)
				: bench->cuda.from_device(host, device, size);
		/* What was sent has arrived when there is an answer. */
		if (result == CUDA_SUCCESS && n < 0) {
			result = bench->cuda.synchronize();
		}
		n++;
	}
	if (result == CUDA_SUCCESS) {
		result = bench->cuda.synchronize();
	}
	if (!check(bench, result, is_out ? "copying to the device" : "copying back")) {
		return 0;
	}
	return (double)n * (double)size / (now_us() - began) * 1e6 / (1 << 30);
}

struct buffers {
	CUdeviceptr device;
	void *host[2]; /* pageable, pinned */
	void *original;
};

static bool
copies_of(struct bench *bench, const struct buffers *buffers, size_t size)
{
	static const char *const kinds[] = { "pageable", "pinned" };
	double row[4];
	char name[64];

	for (int kind = 0; kind < 2; kind++) {
		void *host = buffers->host[kind];
		fill(buffers->original, size, size + (size_t)kind);
		memcpy(host, buffers->original, size);
		row[kind * 2] = bandwidth(bench, buffers->device, host, size, true);
		memset(host, 0, size);
		row[kind * 2 + 1] = bandwidth(bench, buffers->device, host, size, false);
		if (row[kind * 2] == 0 || row[kind * 2 + 1] == 0) {
			return false;
		}
		if (memcmp(host, buffers->original, size) != 0) {
			fprintf(stderr, "outboard: a copy of %zu bytes came back different\n",
				size);
			return false;
		}
		for (int way = 0; way < 2; way++) {
			snprintf(name, sizeof(name), "%s_%s_%zu", way == 0 ? "h2d" : "d2h",
				kinds[kind], size);
			bench_report_note(&bench->report, name, row[kind * 2 + way], "GiB/s");
		}
	}
	bench_report_copies(size, row);
	return true;
}

static bool
copies(struct bench *bench)
{
	size_t most = bench->quick ? SIZE_MAX_QUICK : SIZE_MAX_FULL;
	cleanup_free void *pageable = malloc(most), *original = malloc(most);
	struct buffers buffers = { .host = { pageable, NULL }, .original = original };
	bool is_good = true;

	if (pageable == NULL || original == NULL) {
		fprintf(stderr, "outboard: no memory for copies\n");
		return false;
	}
	TRY(bench->cuda.alloc(&buffers.device, most), "allocating on the device");
	TRY(bench->cuda.alloc_host(&buffers.host[1], most), "allocating pinned memory");
	bench_report_copies_head();
	for (size_t size = SIZE_MIN; is_good && size <= most; size *= 4) {
		is_good = copies_of(bench, &buffers, size);
	}
	bench->cuda.free_host(buffers.host[1]);
	bench->cuda.free(buffers.device);
	return is_good;
}

int
cli_bench(int argc, char **argv)
{
	static const struct argp argp = { options, parse, "",
		"Measure an Outboard server and the way to it: round trip, launches, memory, "
		"copies; and say what limits.", NULL, NULL, NULL };
	struct bench *bench = calloc(1, sizeof(*bench));
	static char name[] = "outboard bench";

	if (bench == NULL) {
		return 1;
	}
	stream_configured_url(bench->server, sizeof(bench->server));
	argv[0] = name;
	argp_parse(&argp, argc, argv, 0, NULL, bench);
	setenv("OUTBOARD_SERVER", bench->server, 1);
	setvbuf(stdout, NULL, _IOLBF, 0); /* lines appear as they are measured */
	bool is_good = bench_driver_load(&bench->cuda) && start(bench) && round_trips(bench) &&
		launches(bench) && allocations(bench) && copies(bench);
	if (is_good) {
		bench_report_verdict(&bench->report);
	}
	if (is_good && bench->json != NULL) {
		is_good = bench_report_json(&bench->report, bench->json, bench->server);
	}
	bench_report_deinit(&bench->report);
	free(bench);
	return is_good ? 0 : 1;
}
