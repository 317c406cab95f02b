/* SPDX-License-Identifier: Apache-2.0 */
/* session.c: what the worker keeps for its guest, and the loop that serves it.
 *
 * One thread executes the lane.  It never sleeps in CUDA while there is something to do:
 * calls that wait become a struct wait, and the loop asks in turn the socket for calls
 * and the driver for events.  Only when both have been silent for a while does it sleep,
 * for the socket in poll() and for the device in the threads of waiter.c. */
#include "host-server/session.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/relax.h"
#include "host-server/account.h"
#include "host-server/arena.h"
#include "host-server/bulk.h"
#include "host-server/context.h"
#include "host-server/device.h"
#include "host-server/dispatch.h"
#include "host-server/handle.h"
#include "host-server/image.h"
#include "host-server/memory.h"
#include "host-server/object.h"
#include "host-server/output.h"
#include "host-server/slot.h"
#include "host-server/wait.h"

/* A call with a full payload, and room for the header and the other arguments. */
#define RECORD_MAX (CALL_PAYLOAD_MAX + 65536)
/* A peer that stops in the middle of a record, or does not read its replies, is gone. */
#define STALL_MS 60000
/* Calls served in a row before replies are sent and events are asked for. */
#define BATCH 64
/* Waits that no waiter thread looks at are asked about this often. */
#define ASK_AGAIN_MS 1
#define SPIN_US_FEW_CPUS 10
#define SPIN_US_DEFAULT 50
#define SPIN_US_MAX 1000
/* While a guest waits for the device, and there are processors to spare: sleeping until an
 * event costs a quarter of a millisecond (measured on an H200 in a VM), and natively the
 * program's thread would spin all the time. */
#define SPIN_WAIT_US 10000
#define SPIN_WAIT_CPUS 4

static unsigned
spin_default(void)
{
	const char *text = getenv("OUTBOARD_SPIN_US");
	char *end;

	if (text != NULL && *text != '\0') {
		unsigned long us = strtoul(text, &end, 10);
		if (*end == '\0' && us <= SPIN_US_MAX) {
			return (unsigned)us;
		}
		log_warning("session: OUTBOARD_SPIN_US must be 0 to %d", SPIN_US_MAX);
	}
	return sysconf(_SC_NPROCESSORS_ONLN) > 2 ? SPIN_US_DEFAULT : SPIN_US_FEW_CPUS;
}

/* How long to look for news before sleeping, in nanoseconds. */
static uint64_t
spin_ns(const struct session *s)
{
	bool waiting = s->spin_us > 0 && s->many_cpus && wait_any(s);

	return (waiting ? SPIN_WAIT_US : s->spin_us) * 1000ull;
}

/* ---- life ---- */

static int
session_init(struct session *s, const struct session_options *options)
{
	int r = object_table_new(&s->objects);

	if (r == 0) {
		r = image_store_new(&s->images);
	}
	if (r == 0) {
		r = memory_map_new(options->memory_max, &s->memory);
	}
	if (r == 0) {
		r = wait_queue_new(s);
	}
	return r;
}

int
session_new(const struct session_options *options, struct session **ret_session,
	char *ret_why, size_t why_size)
{
	struct session *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		snprintf(ret_why, why_size, "out of memory");
		return -ENOMEM;
	}
	s->driver = options->driver;
	s->devices = options->devices;
	s->account = options->account;
	s->output = options->output;
	s->guest_id = options->guest_id;
	s->control_fd = options->control_fd;
	s->spin_us = options->spin_us < 0 ? spin_default() : (unsigned)options->spin_us;
	s->many_cpus = sysconf(_SC_NPROCESSORS_ONLN) >= SPIN_WAIT_CPUS;
	int r = session_init(s, options);
	if (r < 0) {
		snprintf(ret_why, why_size, "cannot make a session: %s", strerror(-r));
		session_free(s);
		return r;
	}
	CUresult result = context_open_home(s);
	if (result != CUDA_SUCCESS) {
		snprintf(ret_why, why_size,
			"cannot make the primary context of device 0: CUDA error %d",
			(int)result);
		session_free(s);
		return -ENODEV;
	}
	r = slot_pool_new(s, options->warm_slots);
	if (r < 0) {
		snprintf(ret_why, why_size, "cannot pin memory for copies");
		session_free(s);
		return r;
	}
	*ret_session = s;
	return 0;
}

struct session *
session_free(struct session *s)
{
	if (s == NULL) {
		return NULL;
	}
	bulk_end(s);
	if (s->waits != NULL) {
		wait_queue_free(s);
	}
	if (s->objects != NULL) {
		handles_destroy(s);
	}
	contexts_free(s);
	bulk_free(s);
	slot_pool_free(s);
	arena_free(s);
	memory_map_free(s->memory);
	image_store_free(s->images);
	object_table_free(s->objects);
	server_free(s->server);
	free(s);
	return NULL;
}

int
session_connect(struct session *s, struct stream *stream)
{
	int r = server_new(stream, &s->server);

	if (r == 0) {
		server_set_stall(s->server, STALL_MS);
	}
	return r;
}

/* ---- the loop ---- */

static void
account_update(struct session *s)
{
	struct server_counters counters = *server_counters(s->server);

	bulk_count(s, &counters);
	account_set(&s->account->calls, counters.calls);
	account_set(&s->account->bytes_in, counters.bytes_in);
	account_set(&s->account->bytes_out, counters.bytes_out);
}

/* Serve what has arrived, but not for ever.  1 if there was a call, 0, or negative errno.
 */
static int
serve_batch(struct session *s)
{
	for (int n = 0; n < BATCH; n++) {
		struct server_call call;
		int r = server_next(s->server, &call);
		if (r <= 0) {
			return r < 0 ? r : n > 0;
		}
		wait_settle(s);
		r = dispatch(s, &call);
		if (r < 0) {
			return r;
		}
		/* Somebody waits for this reply, while others may keep us busy. */
		if (s->flush && !server_has_input(s->server)) {
			return 1;
		}
	}
	return 1;
}

static int
flush(struct session *s)
{
	if (!s->flush) {
		return 0;
	}
	s->flush = false;
	int r = server_flush(s->server);
	if (r == 0 && s->rings.memory != NULL) {
		r = server_use_rings(s->server, &s->rings);
		s->rings.memory = NULL;
	}
	return r;
}

/* Until a call arrives or an event happens. */
static int
session_sleep(struct session *s)
{
	struct stream *stream = server_stream(s->server);
	bool covered = !wait_any(s) || wait_delegate(s);
	struct pollfd fds[] = {
		{ .fd = stream->fd, .events = POLLIN },
		{ .fd = wait_fd(s), .events = POLLIN },
	};

	if (!stream_park(stream)) {
		return 0;
	}
	int n = poll(fds, 2, covered ? -1 : ASK_AGAIN_MS);
	int error = errno;
	stream_unpark(stream);
	if (n < 0 && error != EINTR) {
		return -error;
	}
	if (fds[1].revents != 0) {
		wait_clear_fd(s);
	}
	return 0;
}

/* Once round: serve what has come, answer what is done.  1 if there was anything, 0, or
 * negative errno. */
static int
session_turn(struct session *s)
{
	int r = serve_batch(s);
	if (r < 0) {
		return r;
	}
	bool busy = r > 0;
	busy |= wait_poll(s);
	if (!busy) {
		return s->error;
	}
	account_update(s);
	r = flush(s);
	return s->error < 0 ? s->error : r < 0 ? r : 1;
}

int
session_run(struct session *s)
{
	uint64_t idle_since = 0;
	unsigned n_looks = 0;

	for (;;) {
		int r = session_turn(s);
		if (r < 0) {
			account_update(s);
			return r == -ENODATA ? 0 : r;
		}
		if (r > 0) {
			idle_since = 0;
			continue;
		}
		/* Waking up costs more than looking for a moment longer. */
		uint64_t now = clock_ns();
		idle_since = idle_since == 0 ? now : idle_since;
		if (now - idle_since < spin_ns(s)) {
			wait_watch(s);
			relax(n_looks++);
			continue;
		}
		r = session_sleep(s);
		if (r < 0) {
			return r;
		}
		idle_since = 0;
	}
}

/* ---- answers ---- */

void
session_count_error(struct session *s, CUresult result)
{
	if (result != CUDA_SUCCESS && result != CUDA_ERROR_NOT_READY) {
		account_add(&s->account->errors, 1);
	}
}

void
session_head(struct session *s, CUresult result, struct call_ret_head *ret_head)
{
	session_count_error(s, result);
	s->lane.output = output_pending(s->output);
	ret_head->lane = s->lane;
	ret_head->result = (int)result;
	s->lane.latched = CUDA_SUCCESS;
	s->lane.latched_call = 0;
}

int
session_reply(struct session *s, const struct call_info *info, uint32_t xid, void *ret,
	CUresult result, const void *payload, size_t payload_size)
{
	session_head(s, result, ret);
	s->flush = true;
	int r = server_reply(s->server, info, xid, ret, payload, payload_size);
	if (r < 0) {
		s->error = r;
	}
	return r;
}

/* ---- calls about the connection ---- */

/* Version of what the calls mean, not of the program; grows when the old is not enough.
 */
#define HOST_VERSION OUTBOARD_VERSION

static uint32_t
features(struct session *s, uint32_t guest_features)
{
	return (arena_offer(s, guest_features) ? CALL_FEATURE_ARENA : 0u) |
	       (bulk_offer(s, guest_features) ? CALL_FEATURE_BULK : 0u) |
	       (image_store_has_cache(s->images) ? CALL_FEATURE_CACHE : 0u) |
	       (s->driver->runs_machine_code ? CALL_FEATURE_MACHINE_CODE : 0u);
}

CUresult
serve_session_hello(struct session *s, const void *argp, void *outp)
{
	const session_hello_args *args = argp;
	session_hello_out *out = outp;

	if (s->greeted) {
		return CUDA_ERROR_NOT_PERMITTED;
	}
	s->greeted = true;
	server_set_record_max(s->server, RECORD_MAX);
	account_greet(s->account, args->program_name, args->pid);
	out->host_version = HOST_VERSION;
	out->host_features = features(s, args->guest_features);
	out->driver_version = s->devices->driver_version;
	out->guest_id = s->guest_id;
	out->devices.call_devices_len = (u_int)s->devices->n;
	out->devices.call_devices_val = (call_device *)s->devices->about;
	return CUDA_SUCCESS;
}

CUresult
serve_session_status(struct session *s, const void *argp, void *outp)
{
	return CUDA_ERROR_NOT_SUPPORTED; /* the daemon answers it, on a connection of its
					    own */
}

CUresult
serve_session_mark(struct session *s, const void *argp, void *outp)
{
	return CUDA_SUCCESS;
}

CUresult
serve_session_output(struct session *s, const void *argp, void *outp)
{
	static char text[CALL_TEXT_MAX]; /* encoded before the next call */
	session_output_out *out = outp;
	bool more;

	out->text.call_text_len =
		(u_int)output_fetch(s->output, text, sizeof(text), &out->stream, &more);
	out->text.call_text_val = text;
	out->more = more;
	return CUDA_SUCCESS;
}

CUresult
serve_session_prints(struct session *s, const void *argp, void *outp)
{
	s->prints = true;
	return CUDA_SUCCESS;
}

CUresult
serve_session_context(struct session *s, const void *argp, void *outp)
{
	const session_context_args *args = argp;

	if (args->ctx == 0) {
		s->context = NULL;
		context_leave(s);
		return CUDA_SUCCESS;
	}
	struct object *object = object_find(s->objects, HANDLE_CUcontext, args->ctx);
	if (object == NULL) {
		s->context = NULL; /* not in the one before */
		context_leave(s);
		return CUDA_ERROR_INVALID_CONTEXT;
	}
	CUresult result = s->driver->cuCtxSetCurrent(object->context->cuda);
	s->context = result == CUDA_SUCCESS ? object->context : NULL;
	return result;
}
