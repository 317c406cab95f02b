/* SPDX-License-Identifier: Apache-2.0 */
/* status.c: outboard status: a server, its device and its guests. */
#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "rpc/lane.h"
#include "rpc/stream.h"

struct status_options {
	char url[1024];
};

static const struct argp_option options[] = {
	{ "server", 's', "URL", 0, "as for 'outboard run'", 0 },
	{ 0 },
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct status_options *o = state->input;

	switch (key) {
	case 's': snprintf(o->url, sizeof(o->url), "%s", arg); return 0;
	case ARGP_KEY_ARG: argp_usage(state); return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static void
print_size(uint64_t bytes)
{
	static const char units[][4] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit < 4) {
		value /= 1024;
		unit++;
	}
	printf(unit == 0 ? "%6.0f %-3s" : "%6.1f %-3s", value, units[unit]);
}

static void
print_guest(const call_guest *guest, uint64_t now)
{
	printf("%6" PRIu64 "  %-24s %-20s %6" PRIu64 "s %10" PRIu64 " ", guest->id, guest->peer,
		guest->program_name, now > guest->since ? now - guest->since : 0, guest->calls);
	print_size(guest->bytes_in);
	putchar(' ');
	print_size(guest->bytes_out);
	putchar(' ');
	print_size(guest->memory);
	printf(" %6" PRIu64 "\n", guest->errors);
}

static void
print_status(const char *url, const session_status_out *out)
{
	uint64_t now = (uint64_t)time(NULL);
	const call_guests *guests = &out->guests;

	printf("server   %s (protocol %u)\n", url, out->host_version);
	printf("driver   %s\n", out->driver);
	printf("device   %s\n", out->device);
	printf("workers  %u warm\n", out->warm_workers);
	printf("up       %" PRIu64 " s, %" PRIu64 " guests served\n",
		now > out->since ? now - out->since : 0, out->served);
	printf("guests   %u\n", guests->call_guests_len);
	if (guests->call_guests_len > 0) {
		printf("%6s  %-24s %-20s %7s %10s %10s %10s %10s %6s\n", "id", "peer", "program",
			"since", "calls", "in", "out", "memory", "errors");
	}
	for (u_int i = 0; i < guests->call_guests_len; i++) {
		print_guest(&guests->call_guests_val[i], now);
	}
}

int
cli_status(int argc, char **argv)
{
	static const struct argp argp = { options, parse, "",
		"Show an Outboard server: driver, device, and what its guests do.", NULL, NULL,
		NULL };
	struct status_options o;
	static char name[] = "outboard status";
	char why[512];
	struct stream *stream;
	struct lane *lane;

	stream_configured_url(o.url, sizeof(o.url));
	argv[0] = name;
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (stream_connect(o.url, &stream, why, sizeof(why)) < 0) {
		fprintf(stderr, "outboard: %s; is outboardd running there?\n", why);
		return 1;
	}
	int r = lane_new(stream, &(struct lane_options){ .no_flusher = true }, &lane);
	if (r < 0) {
		fprintf(stderr, "outboard: %s\n", strerror(-r));
		return 1;
	}
	session_status_args args = { 0 };
	session_status_ret ret = { 0 };
	struct lane_reply reply = { .ret = &ret };
	r = lane_call(lane,
		&(struct lane_message){ .info = call_find(CALL_session_status), .args = &args },
		&reply);
	if (r < 0 || ret.u.result != 0) {
		fprintf(stderr, "outboard: %s does not answer as an Outboard server: %s\n", o.url,
			r < 0 ? strerror(-r) : "status refused");
	} else {
		print_status(o.url, &ret.u.session_status_result_u.out);
	}
	xdr_free((xdrproc_t)xdr_session_status_ret, &ret);
	lane_free(lane);
	return r < 0 ? 1 : 0;
}
