/* SPDX-License-Identifier: Apache-2.0 */
/* bulk.c: large copies over several connections.
 *
 * The lane says in its order what is copied; the bytes go over links, further connections
 * to the same worker, each with a serial number that the lane named.  The caller moves
 * bytes over the first link itself, and a thread for each of the others helps it; they take
 * piece after piece of the copy until there are none.  Links and threads are made at the
 * first large copy.  One copy at a time has them; another thread's goes through the lane.
 *
 * No deadlock: what the lane says of a piece is sent before the piece, in one step, so
 * that whoever holds a piece that the host waits for holds nothing else. */
#include "guest-shim/libcuda/bulk.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/background.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/guest_lane.h"
#include "guest-shim/libcuda/session.h"
#include "guest-shim/libcuda/stats.h"
#include "rpc/stream.h"

/* Where nothing is configured: a copy of the kernel's at each end is a processor's work,
 * and with few of them there is nobody to share it with. */
#define LINKS_DEFAULT 4
#define LINKS_DEFAULT_CPUS 5
/* Smaller copies are over before the threads are awake. */
#define BULK_MIN ((size_t)1 << 20)
/* A copy is cut into so many pieces for each link, so that all are busy to the end. */
#define PIECES_PER_LINK 4
#define PIECE_MIN ((size_t)256 << 10)
/* Pieces of one link that are asked for before the first has come: the device copies the
 * next one meanwhile, and the others are left for links whose threads are about to wake up. */
#define FETCH_WINDOW 2

/* The copy that is being made. */
struct work {
	struct copy_train *train;
	struct lane *lane;
	uint64_t context;
	bool to_device;
	CUresult result; /* the first error */
};

struct link {
	struct lane *lane; /* of its own: its calls are the same protocol */
	uint32_t number;   /* as the host says */
	uint64_t serial;
	unsigned job; /* the last one that its thread has seen */
	bool has_thread;
};

static struct {
	uint64_t guest_id;
	bool granted;
	bool tried;
	pthread_mutex_t in_use; /* by a copy */
	struct link links[CALL_LINKS_MAX];
	unsigned n_links;

	/* For the threads: */
	pthread_mutex_t lock; /* of the work as well */
	pthread_cond_t start, done;
	struct work *work;
	unsigned job;
	unsigned n_busy;
} bulk = {
	.in_use = PTHREAD_MUTEX_INITIALIZER,
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.start = PTHREAD_COND_INITIALIZER,
	.done = PTHREAD_COND_INITIALIZER,
};

/* ---- pieces ---- */

static bool
take_piece(struct work *work, struct copy_piece *ret_piece)
{
	HOLD_LOCK(&bulk.lock);
	return work->result == CUDA_SUCCESS && copy_train_next(work->train, ret_piece);
}

static void
note_result(struct work *work, CUresult result)
{
	HOLD_LOCK(&bulk.lock);
	if (work->result == CUDA_SUCCESS) {
		work->result = result;
	}
}

static int
send_piece(struct link *link, const struct work *work, const struct copy_piece *piece)
{
	const struct rows rows = copy_train_rows(work->train, piece);
	copy_bulk_htod_args args = { .link = link->number, .serial = link->serial,
		.dst = piece->device, .pitch = work->train->device_pitch,
		.width = piece->width, .height = piece->height,
		.hStream = work->train->stream };
	bulk_put_args put = { .serial = link->serial++ };

	int r = lane_post(work->lane,
		&(struct lane_message){ .info = call_find(CALL_copy_bulk_htod), .args = &args,
			.context = work->context, .now = true });
	stats_asked(call_find(CALL_copy_bulk_htod), rows_size(&rows));
	if (r < 0) {
		return r;
	}
	return lane_post(link->lane,
		&(struct lane_message){ .info = call_find(CALL_bulk_put), .args = &put,
			.rows = &rows, .payload_size = rows_size(&rows), .now = true });
}

static void
send_pieces(struct link *link, struct work *work)
{
	struct copy_piece piece;

	while (take_piece(work, &piece)) {
		int r = send_piece(link, work, &piece);
		if (r < 0) {
			note_result(work, session_lost(r));
		}
	}
}

struct fetch {
	struct lane_reply reply;
	bulk_get_ret ret;
	struct rows rows;
};

static int
fetch_start(struct link *link, const struct work *work, const struct copy_piece *piece,
	struct fetch *fetch)
{
	copy_bulk_dtoh_args args = { .link = link->number, .serial = link->serial,
		.src = piece->device, .pitch = work->train->device_pitch,
		.width = piece->width, .height = piece->height,
		.hStream = work->train->stream };
	bulk_get_args get = { .serial = link->serial++ };

	int r = lane_post(work->lane,
		&(struct lane_message){ .info = call_find(CALL_copy_bulk_dtoh), .args = &args,
			.context = work->context, .now = true });
	fetch->rows = copy_train_rows(work->train, piece);
	stats_asked(call_find(CALL_copy_bulk_dtoh), rows_size(&fetch->rows));
	if (r < 0) {
		return r;
	}
	fetch->ret = (bulk_get_ret){ 0 };
	fetch->reply = (struct lane_reply){ .ret = &fetch->ret, .into = piece->host,
		.into_size = rows_size(&fetch->rows), .rows = &fetch->rows };
	return lane_start(link->lane,
		&(struct lane_message){ .info = call_find(CALL_bulk_get), .args = &get },
		&fetch->reply, true);
}

static void
fetch_finish(struct link *link, struct work *work, struct fetch *fetch)
{
	int r = lane_wait(link->lane, &fetch->reply);

	if (r < 0) {
		note_result(work, session_lost(r));
		return;
	}
	lane_note_head(work->lane, (struct call_ret_head *)&fetch->ret);
	note_result(work, (CUresult)fetch->ret.u.result);
	xdr_free((xdrproc_t)xdr_bulk_get_ret, (char *)&fetch->ret);
}

static void
fetch_pieces(struct link *link, struct work *work)
{
	struct fetch window[FETCH_WINDOW];
	size_t n_started = 0, n_finished = 0;
	struct copy_piece piece;

	/* All that was started must be finished, whatever happens. */
	for (;;) {
		if (n_started - n_finished < FETCH_WINDOW && take_piece(work, &piece)) {
			int r = fetch_start(link, work, &piece,
				&window[n_started % FETCH_WINDOW]);
			if (r < 0) {
				note_result(work, session_lost(r));
			} else {
				n_started++;
			}
		} else if (n_finished < n_started) {
			fetch_finish(link, work, &window[n_finished++ % FETCH_WINDOW]);
		} else {
			return;
		}
	}
}

static void
move_pieces(struct link *link, struct work *work)
{
	if (work->to_device) {
		send_pieces(link, work);
	} else {
		fetch_pieces(link, work);
	}
}

/* ---- threads ---- */

static void *
link_main(void *user)
{
	struct link *link = user;

	prctl(PR_SET_NAME, "outboard-bulk");
	for (;;) {
		pthread_mutex_lock(&bulk.lock);
		while (link->job == bulk.job) {
			pthread_cond_wait(&bulk.start, &bulk.lock);
		}
		link->job = bulk.job;
		struct work *work = bulk.work;
		pthread_mutex_unlock(&bulk.lock);
		move_pieces(link, work);
		HOLD_LOCK(&bulk.lock);
		if (--bulk.n_busy == 0) {
			pthread_cond_signal(&bulk.done);
		}
	}
	return NULL;
}

static bool
link_hire(struct link *link)
{
	pthread_t thread;

	if (background_start(&thread, link_main, link) != 0) {
		return false;
	}
	pthread_detach(thread);
	return true;
}

/* ---- connections ---- */

static unsigned
links_wanted(const struct lane *lane)
{
	int n = stream_configured_connections();

	if (n < 0) {
		bool helps = !lane_is_local(lane) &&
			sysconf(_SC_NPROCESSORS_ONLN) >= LINKS_DEFAULT_CPUS;
		n = helps ? LINKS_DEFAULT : 0;
	}
	/* One more than the lane is no more than the lane. */
	return n < 2 ? 0 : n < CALL_LINKS_MAX ? (unsigned)n : CALL_LINKS_MAX;
}

static int
link_connect(struct link *link, struct lane *lane, char *why, size_t why_size)
{
	struct stream *stream;

	int r = stream_connect(session_url(), &stream, why, why_size);
	if (r < 0) {
		return r;
	}
	return lane_new(stream, &(struct lane_options){ .no_flusher = true, .beside = lane },
		&link->lane);
}

static int
link_join(struct link *link, const call_secret secret)
{
	bulk_join_args args = { .guest_id = bulk.guest_id };
	bulk_join_ret ret = { 0 };
	struct lane_reply reply = { .ret = &ret };

	memcpy(args.secret, secret, sizeof(args.secret));
	int r = lane_call(link->lane,
		&(struct lane_message){ .info = call_find(CALL_bulk_join), .args = &args },
		&reply);
	if (r == 0 && ret.u.result != CUDA_SUCCESS) {
		r = -EACCES;
	}
	link->number = ret.u.bulk_join_result_u.out.link;
	xdr_free((xdrproc_t)xdr_bulk_join_ret, (char *)&ret);
	return r;
}

/* As many links as there can be. */
static void
links_open(struct lane *lane, unsigned n, const call_secret secret)
{
	char why[256] = "";
	int r = 0;

	while (bulk.n_links < n && r == 0) {
		struct link *link = &bulk.links[bulk.n_links];
		r = link_connect(link, lane, why, sizeof(why));
		if (r < 0) {
			break;
		}
		r = link_join(link, secret);
		/* The caller of a copy is the first one's thread. */
		if (r == 0 && bulk.n_links > 0 && !link_hire(link)) {
			r = -EAGAIN;
		}
		if (r < 0) {
			link->lane = lane_free(link->lane);
			break;
		}
		bulk.n_links++;
	}
	if (r < 0) {
		log_debug("bulk: %u of %u connections to %s: %s", bulk.n_links, n,
			session_url(), why[0] != '\0' ? why : strerror(-r));
	}
}

static void
bulk_open(struct lane *lane)
{
	bulk_open_args args = { 0 };
	bulk_open_ret ret = { 0 };
	unsigned n = links_wanted(lane);

	bulk.tried = true;
	if (n == 0 || !bulk.granted ||
		guest_call(CALL_bulk_open, &args, &ret) != CUDA_SUCCESS) {
		return;
	}
	const bulk_open_out *out = &ret.u.bulk_open_result_u.out;
	links_open(lane, n < out->links ? n : out->links, out->secret);
	guest_call_end(CALL_bulk_open, &ret);
}

uint32_t
bulk_wanted_features(void)
{
	return CALL_FEATURE_BULK;
}

void
bulk_greeted(uint32_t host_features, uint64_t guest_id)
{
	bulk.granted = (host_features & CALL_FEATURE_BULK) != 0;
	bulk.guest_id = guest_id;
}

void
bulk_abandon(void)
{
	for (unsigned i = 0; i < bulk.n_links; i++) {
		lane_abandon(bulk.links[i].lane);
	}
	bulk.n_links = 0;
}

/* ---- copies ---- */

static void
cut(struct copy_train *train)
{
	size_t size = train->width * train->height / (bulk.n_links * PIECES_PER_LINK);

	train->piece_max = size >= CALL_PAYLOAD_MAX ? CALL_PAYLOAD_MAX
		: size <= PIECE_MIN		    ? PIECE_MIN
						    : size & ~(size_t)4095;
}

static CUresult
run(struct work *work)
{
	cut(work->train);
	pthread_mutex_lock(&bulk.lock);
	bulk.work = work;
	bulk.job++;
	bulk.n_busy = bulk.n_links - 1;
	pthread_cond_broadcast(&bulk.start);
	pthread_mutex_unlock(&bulk.lock);
	move_pieces(&bulk.links[0], work);
	HOLD_LOCK(&bulk.lock);
	while (bulk.n_busy > 0) {
		pthread_cond_wait(&bulk.done, &bulk.lock);
	}
	return work->result;
}

/* The links are in use by the caller if this is true. */
static bool
bulk_take(struct work *work)
{
	struct context *context = thread_self.current;

	work->lane = session_lane();
	if (work->train->width * work->train->height < BULK_MIN ||
		!copy_train_in_place(work->train, work->to_device) ||
		work->lane == NULL || context_check(context) != CUDA_SUCCESS ||
		pthread_mutex_trylock(&bulk.in_use) != 0) {
		return false;
	}
	work->context = handle_packed(context->handle);
	if (!bulk.tried) {
		bulk_open(work->lane);
	}
	if (bulk.n_links < 2) {
		pthread_mutex_unlock(&bulk.in_use);
		return false;
	}
	return true;
}

bool
bulk_send(struct copy_train *train, CUresult *ret_result)
{
	struct work work = { .train = train, .to_device = true };

	if (!bulk_take(&work)) {
		return false;
	}
	uint64_t began = stats_begin();
	*ret_result = run(&work);
	pthread_mutex_unlock(&bulk.in_use);
	stats_waited(call_find(CALL_copy_bulk_htod), false, began);
	context_touch(thread_self.current);
	return true;
}

bool
bulk_fetch(struct copy_train *train, CUresult *ret_result)
{
	struct work work = { .train = train };

	if (!bulk_take(&work)) {
		return false;
	}
	uint64_t began = stats_begin();
	CUresult result = run(&work);
	pthread_mutex_unlock(&bulk.in_use);
	stats_waited(call_find(CALL_copy_bulk_dtoh), true, began);
	*ret_result = session_lane() != NULL && lane_error(work.lane) == 0
		? guest_settle(work.lane, result)
		: result;
	return true;
}
