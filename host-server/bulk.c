/* SPDX-License-Identifier: Apache-2.0 */
/* bulk.c: further connections of a guest, links, for the bytes of large copies.
 *
 * One stream of TCP is copied by one processor at each end.  So the lane says in its
 * order what is to be copied, and links move the bytes, each with a thread of its own.
 * Which bytes belong to which call is a matter of counting (bulk_link.h).
 *
 * A link joins by way of the daemon: it finds our guest by its number, which is no
 * secret, and passes the connection on; what the guest must know is the secret that
 * bulk_open told it.  A thread accepts links, so that the lane need not look for them.
 *
 * Only the lane's thread calls CUDA (bulk_copy.c). */
#include "host-server/bulk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/background.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "host-server/bulk_link.h"
#include "host-server/control.h"
#include "host-server/dispatch.h"
#include "host-server/session.h"

struct bulk {
	struct links links;
	uint64_t guest_id;
	int control_fd;
	bool open; /* there is a secret, and a thread that accepts */
	pthread_t thread;
	call_secret secret;
};

/* ---- joining ---- */

/* Takes as long whatever differs. */
static bool
same_secret(const call_secret a, const call_secret b)
{
	unsigned char differs = 0;

	for (size_t i = 0; i < sizeof(call_secret); i++) {
		differs |= (unsigned char)(a[i] ^ b[i]);
	}
	return differs == 0;
}

static int
bulk_check(const struct bulk *bulk, const struct server_call *call)
{
	const bulk_join_args *args = call->args;

	if (call->info->number != CALL_bulk_join) {
		return -EPROTO;
	}
	return args->guest_id == bulk->guest_id && same_secret(args->secret, bulk->secret)
		       ? 0
		       : -EACCES;
}

/* The daemon passes a connection on when the whole call is there: nobody waits for it. */
static int
bulk_admit(struct bulk *bulk, int fd)
{
	struct server_call call = { 0 };
	struct stream *stream;
	struct server *server;

	int r = stream_of_fd(fd, &stream);
	if (r == 0) {
		r = server_new(stream, &server);
	}
	if (r < 0) {
		return r;
	}
	r = server_next(server, &call);
	r = r > 0 ? bulk_check(bulk, &call) : r < 0 ? r : -EPROTO;
	if (r == 0) {
		return link_new(&bulk->links, server, call.xid);
	}
	if (r == -EACCES) {
		bulk_join_ret ret = { .u.result = CUDA_ERROR_NOT_PERMITTED };
		if (server_reply(server, call.info, call.xid, &ret, NULL, 0) == 0) {
			server_flush(server);
		}
	}
	server_free(server);
	return r;
}

static void *
bulk_main(void *user)
{
	struct bulk *bulk = user;
	struct control_message message;
	int fd = -1;

	while (control_receive(bulk->control_fd, &message, &fd) == 1) {
		if (fd < 0) {
			continue;
		}
		if (message.kind != CONTROL_JOIN) {
			close(fd);
			continue;
		}
		int r = bulk_admit(bulk, fd);
		if (r < 0) {
			log_warning("bulk: %s may not join guest %llu: %s", message.text,
				(unsigned long long)bulk->guest_id, strerror(-r));
		}
	}
	return NULL;
}

static int
bulk_open(struct bulk *bulk)
{
	if (bulk->open) {
		return 0;
	}
	if (getrandom(bulk->secret, sizeof(bulk->secret), 0) !=
		(ssize_t)sizeof(bulk->secret)) {
		return -EIO;
	}
	int error = background_start(&bulk->thread, bulk_main, bulk);
	bulk->open = error == 0;
	return -error;
}

/* ---- life ---- */

bool
bulk_offer(struct session *s, uint32_t guest_features)
{
	pthread_condattr_t monotonic;

	if (!(guest_features & CALL_FEATURE_BULK) || s->control_fd <= 0) {
		return false;
	}
	s->bulk = calloc(1, sizeof(*s->bulk));
	if (s->bulk == NULL) {
		return false;
	}
	s->bulk->guest_id = s->guest_id;
	s->bulk->control_fd = s->control_fd;
	pthread_mutex_init(&s->bulk->links.lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&s->bulk->links.news, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return true;
}

void
bulk_end(struct session *s)
{
	struct bulk *bulk = s->bulk;

	if (bulk == NULL || !bulk->open) {
		return;
	}
	shutdown(bulk->control_fd, SHUT_RD);
	pthread_join(bulk->thread, NULL);
	bulk->open = false;
	pthread_mutex_lock(&bulk->links.lock);
	bulk->links.ending = true;
	for (unsigned i = 0; i < bulk->links.n; i++) {
		link_end(bulk->links.links[i]);
	}
	pthread_mutex_unlock(&bulk->links.lock);
	for (unsigned i = 0; i < bulk->links.n; i++) {
		pthread_join(bulk->links.links[i]->thread, NULL);
	}
}

void
bulk_free(struct session *s)
{
	struct bulk *bulk = s->bulk;

	if (bulk == NULL) {
		return;
	}
	bulk_clear(s);
	for (unsigned i = 0; i < bulk->links.n; i++) {
		link_free(bulk->links.links[i]);
	}
	pthread_cond_destroy(&bulk->links.news);
	pthread_mutex_destroy(&bulk->links.lock);
	free(bulk);
	s->bulk = NULL;
}

struct links *
bulk_links(const struct session *s, unsigned *ret_n)
{
	*ret_n = s->bulk != NULL ? atomic_load(&s->bulk->links.n) : 0;
	return s->bulk != NULL ? &s->bulk->links : NULL;
}

void
bulk_count(const struct session *s, struct server_counters *counters)
{
	unsigned n;
	const struct links *links = bulk_links(s, &n);

	for (unsigned i = 0; i < n; i++) {
		const struct link *link = links->links[i];
		counters->bytes_in +=
			atomic_load_explicit(&link->bytes_in, memory_order_relaxed);
		counters->bytes_out +=
			atomic_load_explicit(&link->bytes_out, memory_order_relaxed);
	}
}

/* ---- calls ---- */

CUresult
serve_bulk_open(struct session *s, const void *argp, void *outp)
{
	bulk_open_out *out = outp;

	if (s->bulk == NULL) {
		return CUDA_ERROR_NOT_PERMITTED;
	}
	if (bulk_open(s->bulk) < 0) {
		return CUDA_ERROR_OPERATING_SYSTEM;
	}
	out->links = CALL_LINKS_MAX;
	memcpy(out->secret, s->bulk->secret, sizeof(out->secret));
	return CUDA_SUCCESS;
}

/* These belong on a connection of their own. */

CUresult
serve_bulk_join(struct session *s, const void *argp, void *outp)
{
	return CUDA_ERROR_NOT_PERMITTED;
}

CUresult
serve_bulk_get(struct session *s, const void *argp, void *outp)
{
	return CUDA_ERROR_NOT_PERMITTED;
}

CUresult
serve_bulk_put(struct session *s, const void *argp, void *outp)
{
	return CUDA_ERROR_NOT_PERMITTED;
}
