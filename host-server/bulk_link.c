/* SPDX-License-Identifier: Apache-2.0 */
/* bulk_link.c: one further connection of a guest, and the thread that serves it.
 *
 * The thread calls no CUDA: it moves bytes between its connection and its slots. */
#include "host-server/bulk_link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "common/background.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "rpc/message.h"

/* ---- calls ---- */

static struct bulk_slot *
link_slot(struct link *link)
{
	return &link->slots[link->serial % LINK_SLOTS];
}

/* Serials come one after another, so that the lane knows what comes next. */
static int
link_begin(struct link *link, enum link_doing doing, uint64_t serial)
{
	HOLD_LOCK(&link->all->lock);
	if (serial != link->serial) {
		return -EPROTO;
	}
	link->doing = doing;
	/* A lane that waits for something else must hear of it. */
	pthread_cond_signal(&link->all->news);
	return 0;
}

static void
link_finish(struct link *link, enum bulk_state state)
{
	HOLD_LOCK(&link->all->lock);
	link_slot(link)->state = state;
	link->doing = LINK_NOTHING;
	link->serial++;
	pthread_cond_signal(&link->all->news);
}

/* Until the slot is in that state.  -EPROTO: the lane wants the opposite of it. */
static int
link_await(struct link *link, enum bulk_state wanted)
{
	const struct bulk_slot *slot = link_slot(link);

	HOLD_LOCK(&link->all->lock);
	while (slot->state != wanted && !link->all->ending) {
		/* What came before in this slot went through this thread: it is the lane
		 * that is here already, for this serial. */
		if (link->doing == LINK_PUT &&
			(slot->state == BULK_WAITED || slot->state == BULK_READY)) {
			return -EPROTO;
		}
		pthread_cond_wait(&link->news, &link->all->lock);
	}
	return link->all->ending ? -ECANCELED : 0;
}

static int
link_put(struct link *link, const struct server_call *call)
{
	const bulk_put_args *args = call->args;
	struct bulk_slot *slot = link_slot(link);

	int r = link_begin(link, LINK_PUT, args->serial);
	if (r == 0) {
		r = link_await(link, BULK_FREE);
	}
	if (r == 0) {
		slot->size = call->payload_size;
		r = server_payload(link->server, slot->memory);
	}
	if (r == 0) {
		link_finish(link, BULK_FULL);
	}
	return r;
}

static int
link_get(struct link *link, const struct server_call *call)
{
	const bulk_get_args *args = call->args;
	const struct bulk_slot *slot = link_slot(link);
	bulk_get_ret ret = { 0 };

	int r = link_begin(link, LINK_GET, args->serial);
	if (r == 0) {
		r = link_await(link, BULK_READY);
	}
	if (r == 0) {
		bool has_bytes = slot->head.result == 0;
		memcpy(&ret, &slot->head, sizeof(slot->head));
		r = server_reply(link->server, call->info, call->xid, &ret,
			has_bytes ? slot->memory : NULL, has_bytes ? slot->size : 0);
	}
	if (r == 0) {
		r = server_flush(link->server);
	}
	if (r == 0) {
		link_finish(link, BULK_FREE);
	}
	return r;
}

static int
link_serve(struct link *link, const struct server_call *call)
{
	session_mark_ret ret = { 0 };

	switch (call->info->number) {
	case CALL_bulk_put: return link_put(link, call);
	case CALL_bulk_get: return link_get(link, call);
	case CALL_session_mark: {
		int r = server_reply(link->server, call->info, call->xid, &ret, NULL, 0);
		return r < 0 ? r : server_flush(link->server);
	}
	default:
		log_warning("bulk: %s does not belong here", call->info->name);
		return -EPROTO;
	}
}

/* ---- the thread ---- */

static int
link_welcome(struct link *link)
{
	bulk_join_ret ret = { 0 };

	/* Once the guest knows of the link, the lane must find it: link_new has the lock
	 * until then. */
	pthread_mutex_lock(&link->all->lock);
	ret.u.bulk_join_result_u.out.link = link->number;
	pthread_mutex_unlock(&link->all->lock);
	int r = server_reply(
		link->server, call_find(CALL_bulk_join), link->join_xid, &ret, NULL, 0);
	return r < 0 ? r : server_flush(link->server);
}

static void *
link_main(void *user)
{
	struct link *link = user;
	struct stream *stream = server_stream(link->server);
	struct server_call call;
	int r = link_welcome(link);

	while (r >= 0) {
		r = server_next(link->server, &call);
		if (r == 0) {
			r = stream->ops->wait(stream, POLLIN, -1);
		} else if (r > 0) {
			r = link_serve(link, &call);
		}
		const struct server_counters *counters = server_counters(link->server);
		atomic_store_explicit(
			&link->bytes_in, counters->bytes_in, memory_order_relaxed);
		atomic_store_explicit(
			&link->bytes_out, counters->bytes_out, memory_order_relaxed);
	}
	/* The guest must not wait for what will not come. */
	shutdown(stream->fd, SHUT_RDWR);
	HOLD_LOCK(&link->all->lock);
	link->error = r == -ENODATA ? -ECONNRESET : r;
	pthread_cond_signal(&link->all->news);
	return NULL;
}

/* ---- life ---- */

/* Pages, not the driver's own memory: a context that is reset must not take them along
 * while bytes are being received. */
static struct link *
link_make(struct links *all)
{
	struct link *link = calloc(1, sizeof(*link));
	void *memory = mmap(NULL, LINK_MEMORY_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (link == NULL || memory == MAP_FAILED) {
		if (memory != MAP_FAILED) {
			munmap(memory, LINK_MEMORY_SIZE);
		}
		free(link);
		return NULL;
	}
	link->all = all;
	link->memory = memory;
	pthread_cond_init(&link->news, NULL);
	for (unsigned i = 0; i < LINK_SLOTS; i++) {
		link->slots[i].link = link;
		link->slots[i].memory = link->memory + (size_t)i * CALL_PAYLOAD_MAX;
	}
	return link;
}

struct link *
link_free(struct link *link)
{
	if (link != NULL) {
		server_free(link->server);
		pthread_cond_destroy(&link->news);
		munmap(link->memory, LINK_MEMORY_SIZE);
		free(link);
	}
	return NULL;
}

int
link_new(struct links *all, struct server *server, uint32_t xid)
{
	struct link *link = link_make(all);

	if (link == NULL) {
		server_free(server);
		return -ENOMEM;
	}
	link->server = server;
	server_set_record_max(server, MESSAGE_RECORD_MAX);
	server_set_stall(server, LINK_STALL_MS);
	link->join_xid = xid;
	HOLD_LOCK(&all->lock);
	link->number = all->n;
	int r = all->n == CALL_LINKS_MAX || all->ending ? -EMFILE : -background_start(&link->thread, link_main, link);
	if (r < 0) {
		link_free(link);
		return r;
	}
	all->links[all->n] = link;
	atomic_fetch_add(&all->n, 1);
	return 0;
}

void
link_end(struct link *link)
{
	shutdown(server_stream(link->server)->fd, SHUT_RDWR);
	pthread_cond_signal(&link->news);
}
