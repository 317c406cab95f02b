/* SPDX-License-Identifier: Apache-2.0 */
/* bench_report.c: what outboard bench has measured, in numbers and in words. */
#include "cli/bench_report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

void
bench_report_deinit(struct bench_report *report)
{
	free(report->samples.values);
}

/* ---- numbers ---- */

static const struct {
	const char *name, *words;
} titles[] = {
	{ "connect", "connecting" },
	{ "first_kernel", "from nothing to the first kernel done" },
	{ "round_trip", "round trip" },
	{ "round_trip_p95", "round trip, 95 of 100 within" },
	{ "launch_and_wait", "launch and wait" },
	{ "launch_and_wait_p95", "launch and wait, 95 of 100 within" },
	{ "launch_call", "launch, without waiting: the call" },
	{ "launch_done", "launch, without waiting: done, each" },
	{ "launch_rate", "launches" },
	{ "malloc_and_free", "allocate and free 1 MiB" },
	{ "malloc_and_free_p95", "allocate and free, 95 of 100 within" },
};

void
bench_report_note(struct bench_report *report, const char *name, double value,
	const char *unit)
{
	if (report->n_metrics < ARRAY_LEN(report->metrics)) {
		struct bench_metric *metric = &report->metrics[report->n_metrics++];
		snprintf(metric->name, sizeof(metric->name), "%s", name);
		metric->value = value;
		metric->unit = unit;
	}
}

void
bench_report_add(struct bench_report *report, const char *name, double value, const char *unit)
{
	const char *words = name;

	bench_report_note(report, name, value, unit);
	for (size_t i = 0; i < ARRAY_LEN(titles); i++) {
		if (strcmp(titles[i].name, name) == 0) {
			words = titles[i].words;
		}
	}
	bool is_rate = strcmp(unit, "per_second") == 0;
	printf("%-40s %10.*f %s\n", words, is_rate ? 0 : 2, value,
		is_rate ? "per second" : unit);
}

void
bench_samples_add(struct bench_samples *samples, double us)
{
	if (samples->n == samples->room) {
		size_t room = samples->room * 2 + 512;
		double *values = reallocarray(samples->values, room, sizeof(*values));
		if (values == NULL) {
			return; /* those that are there will do */
		}
		samples->values = values;
		samples->room = room;
	}
	samples->values[samples->n++] = us;
}

static int
ascending(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

void
bench_report_samples(struct bench_report *report, const char *name)
{
	struct bench_samples *samples = &report->samples;
	char p95[64];

	if (samples->n == 0) {
		return;
	}
	qsort(samples->values, samples->n, sizeof(*samples->values), ascending);
	snprintf(p95, sizeof(p95), "%s_p95", name);
	bench_report_add(report, name, samples->values[samples->n / 2], "us");
	bench_report_add(report, p95, samples->values[samples->n * 95 / 100], "us");
	samples->n = 0;
}

static void
print_size(size_t size, char *text, size_t room)
{
	bool is_large = size >= 1 << 20;

	snprintf(text, room, "%zu %s", is_large ? size >> 20 : size >> 10,
		is_large ? "MiB" : "KiB");
}

void
bench_report_copies_head(void)
{
	printf("\ncopies, GiB/s %12s %12s %12s %12s\n", "to device", "back", "to, pinned",
		"back, pinned");
}

void
bench_report_copies(size_t size, const double row[4])
{
	char text[32];

	print_size(size, text, sizeof(text));
	printf("%13s %12.3f %12.3f %12.3f %12.3f\n", text, row[0], row[1], row[2], row[3]);
}

/* ---- words ---- */

static double
value_of(const struct bench_report *report, const char *name)
{
	for (size_t i = 0; i < report->n_metrics; i++) {
		if (strcmp(report->metrics[i].name, name) == 0) {
			return report->metrics[i].value;
		}
	}
	return 0;
}

/* The best bandwidth of one kind, and from which size on there is half of it. */
static double
best(const struct bench_report *report, const char *kind, size_t *ret_half_size)
{
	size_t len = strlen(kind);
	double most = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < report->n_metrics; i++) {
			const struct bench_metric *metric = &report->metrics[i];
			if (strncmp(metric->name, kind, len) != 0) {
				continue;
			}
			if (pass == 0 && metric->value > most) {
				most = metric->value;
			} else if (pass == 1 && metric->value >= most / 2) {
				*ret_half_size = strtoul(metric->name + len, NULL, 10);
				return most;
			}
		}
	}
	return most;
}

static const char *
distance(double us)
{
	return us < 400 ? "near, as on the same machine or in a good local network"
		: us < 5000 ? "farther than a good local network puts it"
			    : "far away";
}

void
bench_report_verdict(const struct bench_report *report)
{
	double trip = value_of(report, "round_trip"), call = value_of(report, "launch_call");
	double device = value_of(report, "launch_done");
	size_t half_out = 0, half_back = 0;
	double out = best(report, "h2d_pinned_", &half_out);
	double back = best(report, "d2h_pinned_", &half_back);
	char from_out[32], from_back[32];

	print_size(half_out, from_out, sizeof(from_out));
	print_size(half_back, from_back, sizeof(from_back));
	printf("\nThe server is %s: %.0f waits per second are possible.\n", distance(trip),
		1e6 / trip);
	printf("A launch costs its caller %.2f us; %.0f of them fit into one round trip.\n", call,
		trip / (call > 0.01 ? call : 0.01));
	printf("Copies reach %.1f GiB/s to the device and %.1f GiB/s back; half of that from %s "
	       "and from %s on.\n", out, back, from_out, from_back);

	/* A step as many programs have it: 1 MiB in, a kernel, wait. */
	double bytes_us = 1e6 / 1024 / value_of(report, "h2d_pageable_1048576");
	printf("\nWhat limits a step that copies 1 MiB in, launches one kernel and waits: ");
	if (trip >= bytes_us && trip >= device) {
		printf("the round trip, %.0f us, more than the copy's %.0f us.\nWait less often: "
		       "asynchronous copies, several steps before each wait; or a nearer "
		       "server.\n", trip, bytes_us);
	} else if (bytes_us >= device) {
		printf("the bandwidth, %.0f us for the copy, and %.0f us for the round trip.\n"
		       "Keep data on the device; a faster network or a unix socket on the same "
		       "machine help.\n", bytes_us, trip);
	} else {
		printf("the device, which takes %.0f us for a launch.\nThe way to it is not what "
		       "to improve first.\n", device);
	}
}

bool
bench_report_json(const struct bench_report *report, const char *path, const char *server)
{
	cleanup_fclose FILE *to = fopen(path, "we");

	if (to == NULL) {
		fprintf(stderr, "outboard: cannot write '%s': %s\n", path, strerror(errno));
		return false;
	}
	fprintf(to, "{\n \"server\": \"");
	for (const char *c = server; *c != '\0'; c++) {
		fprintf(to, *c == '"' || *c == '\\' || (unsigned char)*c < ' ' ? "\\u%04x" : "%c",
			(unsigned char)*c);
	}
	fprintf(to, "\",\n \"results\": {");
	for (size_t i = 0; i < report->n_metrics; i++) {
		const struct bench_metric *metric = &report->metrics[i];
		fprintf(to, "%s\n  \"%s\": {\"value\": %.6g, \"unit\": \"%s\"}", i > 0 ? "," : "",
			metric->name, metric->value, metric->unit);
	}
	fprintf(to, "\n }\n}\n");
	if (ferror(to) || fflush(to) != 0) {
		fprintf(stderr, "outboard: cannot write '%s': %s\n", path, strerror(errno));
		return false;
	}
	return true;
}
