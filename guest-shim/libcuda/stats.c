/* SPDX-License-Identifier: Apache-2.0 */
/* stats.c: why a program waits.
 *
 * Counts and times of every call that leaves the guest, and the places in the program that
 * spent the most time in such calls.  A place is the return address of the program's call
 * into our libraries; it is looked for only after calls that took long enough to matter,
 * because unwinding costs more than a launch.
 *
 * The report is printed by a destructor of this library: it runs after the program's exit
 * handlers, and thus sees the calls that they make. */
#include "guest-shim/libcuda/stats.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <inttypes.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"

/* Calls that took less than this are not looked up. */
#define SLOW_NS 2000
#define FRAMES_MAX 32
#define SITES 1024 /* a power of two */
#define SITE_PROBES 32
#define SITES_SHOWN 5
#define OURS_MAX 8

struct row {
	uint64_t n, bytes, total_ns, max_ns;
};

struct site {
	uintptr_t address;
	uint64_t n, total_ns;
};

struct range {
	uintptr_t start, end;
};

struct table {
	struct row rows[CALL_DOMAINS_MAX][256]; /* by number */
	struct site sites[SITES];
};

atomic_bool stats_active;

static struct {
	pthread_mutex_t lock;
	const char *url;
	struct lane *lane;
	uint64_t start_ns, connected_ns;
	uint64_t n_round_trips, waiting_ns;
	struct table *table;
	struct range ours[OURS_MAX]; /* where the code of our libraries is */
	size_t n_ours;
	struct range libc;
} stats = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- who called ---- */

static int
note_ours(struct dl_phdr_info *info, size_t size, void *arg)
{
	const char *slash = strrchr(info->dlpi_name, '/');
	const char *name = slash != NULL ? slash + 1 : info->dlpi_name;

	bool is_libc = strncmp(name, "libc.so", 7) == 0;

	if (!is_libc && strncmp(name, "libcuda.so", 10) != 0 &&
		strncmp(name, "libcudart.so", 12) != 0) {
		return 0;
	}
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X)) {
			continue;
		}
		uintptr_t start = info->dlpi_addr + segment->p_vaddr;
		struct range range = { start, start + segment->p_memsz };
		if (is_libc) {
			stats.libc = range;
		} else if (stats.n_ours < OURS_MAX) {
			stats.ours[stats.n_ours++] = range;
		}
	}
	return 0;
}

static bool
range_has(const struct range *range, uintptr_t address)
{
	return address >= range->start && address < range->end;
}

static bool
is_ours(uintptr_t address)
{
	for (size_t i = 0; i < stats.n_ours; i++) {
		if (range_has(&stats.ours[i], address)) {
			return true;
		}
	}
	return false;
}

/* The innermost frame below ours; above ours there may be a sanitizer's.  A libc between two
 * of ours is pthread_once. */
static uintptr_t
find_caller(void)
{
	void *frames[FRAMES_MAX];
	bool is_below = false;
	uintptr_t in_libc = 0;

	int n = backtrace(frames, FRAMES_MAX);
	for (int i = 0; i < n; i++) {
		uintptr_t address = (uintptr_t)frames[i];
		if (is_ours(address)) {
			is_below = true;
			in_libc = 0;
		} else if (!is_below) {
			continue;
		} else if (!range_has(&stats.libc, address)) {
			return in_libc != 0 ? in_libc : address;
		} else if (in_libc == 0) {
			in_libc = address;
		}
	}
	return in_libc;
}

/* A full table loses rare places, which are not among the five. */
static void
note_site(uintptr_t address, uint64_t ns)
{
	size_t hash = (size_t)((address * 0x9e3779b97f4a7c15u) >> 40);

	for (size_t i = 0; i < SITE_PROBES; i++) {
		struct site *site = &stats.table->sites[(hash + i) % SITES];
		if (site->address == 0 || site->address == address) {
			site->address = address;
			site->n++;
			site->total_ns += ns;
			return;
		}
	}
}

/* ---- noting ---- */

void
stats_start(const char *url)
{
	const char *text = getenv("OUTBOARD_STATS");
	void *frame;

	if (text == NULL || *text == '\0' || strcmp(text, "0") == 0) {
		return;
	}
	stats.table = calloc(1, sizeof(*stats.table));
	if (stats.table == NULL) {
		return;
	}
	backtrace(&frame, 1); /* the first one loads a library: not later, within a call */
	dl_iterate_phdr(note_ours, NULL);
	stats.url = url;
	stats.start_ns = clock_ns();
	atomic_store(&stats_active, true);
}

void
stats_connected(struct lane *lane)
{
	if (atomic_load(&stats_active)) {
		HOLD_LOCK(&stats.lock);
		stats.lane = lane;
		stats.connected_ns = clock_ns();
	}
}

void
stats_forget(void)
{
	atomic_store(&stats_active, false);
}

struct event {
	const struct call_info *info;
	size_t bytes;
	unsigned n; /* 0: the time of calls that are counted already */
	bool is_round_trip;
	bool is_wait;
};

static void
note(const struct event *event, uint64_t began)
{
	uint64_t ns = began != 0 ? clock_ns() - began : 0;
	uintptr_t site = ns >= SLOW_NS ? find_caller() : 0;

	HOLD_LOCK(&stats.lock);
	struct row *row =
		&stats.table->rows[event->info->number >> 8][event->info->number & 0xff];
	row->n += event->n;
	row->bytes += event->bytes;
	row->total_ns += ns;
	row->max_ns = row->max_ns > ns ? row->max_ns : ns;
	stats.n_round_trips += event->is_round_trip;
	stats.waiting_ns += event->is_wait ? ns : 0;
	if (site != 0) {
		note_site(site, ns);
	}
}

void
stats_posted(const struct call_info *info, size_t payload_size, uint64_t began)
{
	if (began != 0) {
		note(&(struct event){ .info = info, .bytes = payload_size, .n = 1 }, began);
	}
}

void
stats_called(const struct call_info *info, size_t payload_size, uint64_t began)
{
	if (began != 0) {
		note(&(struct event){ .info = info, .bytes = payload_size, .n = 1,
			     .is_round_trip = true, .is_wait = true }, began);
	}
}

void
stats_asked(const struct call_info *info, size_t payload_size)
{
	if (atomic_load_explicit(&stats_active, memory_order_relaxed)) {
		note(&(struct event){ .info = info, .bytes = payload_size, .n = 1 }, 0);
	}
}

void
stats_waited(const struct call_info *info, bool is_round_trip, uint64_t began)
{
	if (began != 0) {
		note(&(struct event){ .info = info, .is_round_trip = is_round_trip,
			     .is_wait = true }, began);
	}
}

/* ---- the report ---- */

struct entry {
	const struct call_info *info;
	struct row row;
};

static int
slower(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;

	return (left->row.total_ns < right->row.total_ns) -
		(left->row.total_ns > right->row.total_ns);
}

static int
slower_site(const void *a, const void *b)
{
	const struct site *left = a, *right = b;

	return (left->total_ns < right->total_ns) - (left->total_ns > right->total_ns);
}

static void
report_totals(FILE *to)
{
	uint64_t end = clock_ns(), n_sync = 0, n_one_way = 0, sending_ns = 0;
	double seconds = (double)(end - stats.connected_ns) * 1e-9;
	struct lane_counters counters = { 0 };

	for (size_t i = 0; i < CALL_DOMAINS_MAX * 256; i++) {
		const struct call_info *info = call_find((uint32_t)i);
		const struct row *row = &stats.table->rows[i >> 8][i & 0xff];
		if (info != NULL && info->one_way) {
			n_one_way += row->n;
			sending_ns += row->total_ns;
		} else {
			n_sync += row->n;
		}
	}
	fprintf(to, "outboard: what %s[%d] asked of %s\n", program_invocation_short_name,
		(int)getpid(), stats.url);
	fprintf(to, "  time         %.4f s since it connected, which took %.4f s\n", seconds,
		(double)(stats.connected_ns - stats.start_ns) * 1e-9);
	fprintf(to, "  round trips  %" PRIu64 ", %.1f per second; waited %.4f s for answers\n",
		stats.n_round_trips, seconds > 0 ? (double)stats.n_round_trips / seconds : 0,
		(double)stats.waiting_ns * 1e-9);
	fprintf(to, "  calls        %" PRIu64 " synchronous, %" PRIu64
		    " one-way, which took %.4f s to send\n",
		n_sync, n_one_way, (double)sending_ns * 1e-9);
	if (stats.lane != NULL && lane_counters(stats.lane, &counters)) {
		fprintf(to, "  wire         %" PRIu64 " flushes, %" PRIu64 " bytes out, %" PRIu64
			    " bytes in\n",
			counters.flushes, counters.bytes_out, counters.bytes_in);
	}
}

static void
report_calls(FILE *to)
{
	cleanup_free struct entry *entries = calloc(CALL_DOMAINS_MAX * 256, sizeof(*entries));
	size_t n = 0;

	if (entries == NULL) {
		return;
	}
	for (size_t i = 0; i < CALL_DOMAINS_MAX * 256; i++) {
		const struct call_info *info = call_find((uint32_t)i);
		const struct row *row = &stats.table->rows[i >> 8][i & 0xff];
		if (info != NULL && row->n > 0) {
			entries[n++] = (struct entry){ info, *row };
		}
	}
	qsort(entries, n, sizeof(*entries), slower);
	fprintf(to, "\n  %-34s %-8s %9s %13s %10s %10s %10s\n", "call", "kind", "count",
		"payload", "total ms", "mean us", "max us");
	for (size_t i = 0; i < n; i++) {
		const struct row *row = &entries[i].row;
		fprintf(to, "  %-34s %-8s %9" PRIu64 " %13" PRIu64 " %10.3f %10.2f %10.1f\n",
			entries[i].info->name, entries[i].info->one_way ? "one-way" : "sync",
			row->n, row->bytes, (double)row->total_ns * 1e-6,
			(double)row->total_ns * 1e-3 / (double)row->n,
			(double)row->max_ns * 1e-3);
	}
}

/* "program+0x1234 (main+0x20)": the first is what addr2line -e program wants. */
static void
report_site(FILE *to, const struct site *site)
{
	struct link_map *map = NULL;
	Dl_info info;

	fprintf(to, "  %10.3f ms %8" PRIu64 " x  ", (double)site->total_ns * 1e-6, site->n);
	/* The call is before the address that it returns to. */
	void *address = (void *)(site->address - 1);
	if (dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) == 0) {
		fprintf(to, "%#" PRIxPTR "\n", site->address - 1);
		return;
	}
	fprintf(to, "%s+%#" PRIxPTR, info.dli_fname, site->address - 1 - map->l_addr);
	if (info.dli_sname != NULL) {
		fprintf(to, " (%s+%#" PRIxPTR ")", info.dli_sname,
			site->address - 1 - (uintptr_t)info.dli_saddr);
	}
	fputc('\n', to);
}

static void
report_sites(FILE *to)
{
	cleanup_free struct site *sites = malloc(sizeof(stats.table->sites));

	if (sites == NULL) {
		return;
	}
	memcpy(sites, stats.table->sites, sizeof(stats.table->sites));
	qsort(sites, SITES, sizeof(*sites), slower_site);
	if (sites[0].address != 0) {
		fprintf(to, "\n  where the program spent the most time in such calls "
			    "(addr2line -e FILE OFFSET names the line)\n");
	}
	for (size_t i = 0; i < SITES_SHOWN && sites[i].address != 0; i++) {
		report_site(to, &sites[i]);
	}
}

void
stats_report(FILE *to)
{
	struct timespec until;

	/* exit() may have been called by a signal handler, within a call. */
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	if (pthread_mutex_timedlock(&stats.lock, &until) != 0) {
		return;
	}
	if (stats.lane != NULL) {
		report_totals(to);
		report_calls(to);
		report_sites(to);
	}
	pthread_mutex_unlock(&stats.lock);
}

static void
write_all(const char *text, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t n = write(STDERR_FILENO, text + at, size - at);
		if (n <= 0) {
			return; /* the program has closed it */
		}
		at += (size_t)n;
	}
}

__attribute__((destructor)) static void
stats_at_exit(void)
{
	char *text = NULL;
	size_t size = 0;

	if (!atomic_load(&stats_active)) {
		return;
	}
	/* In one piece, so that reports of several processes do not mix. */
	FILE *to = open_memstream(&text, &size);
	if (to == NULL) {
		return;
	}
	stats_report(to);
	if (fclose(to) == 0) {
		write_all(text, size);
	}
	free(text);
}
