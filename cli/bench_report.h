/* SPDX-License-Identifier: Apache-2.0 */
/* bench_report.h: what outboard bench has measured, in numbers and in words. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct bench_samples {
	double *values;
	size_t n, room;
};

struct bench_metric {
	char name[48];
	const char *unit;
	double value;
};

struct bench_report {
	struct bench_metric metrics[128];
	size_t n_metrics;
	struct bench_samples samples; /* of what is being measured */
};

void bench_report_deinit(struct bench_report *report);

/* Keep a number; and print it, in words. */
void bench_report_note(struct bench_report *report, const char *name, double value,
	const char *unit);
void bench_report_add(struct bench_report *report, const char *name, double value,
	const char *unit);

/* Microseconds.  Then: their median and 95th percentile; the samples are gone. */
void bench_samples_add(struct bench_samples *samples, double us);
void bench_report_samples(struct bench_report *report, const char *name);

/* A table of GiB/s: to and from the device, pageable, then pinned. */
void bench_report_copies_head(void);
void bench_report_copies(size_t size, const double row[4]);

/* What limits a program on this server. */
void bench_report_verdict(const struct bench_report *report);
/* False, with a word on stderr, if the file cannot be written. */
bool bench_report_json(const struct bench_report *report, const char *path,
	const char *server);
