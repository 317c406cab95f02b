/* SPDX-License-Identifier: Apache-2.0 */
/* session.h: what the worker keeps for its guest. */
#pragma once

#include <cuda.h>
#include <stdbool.h>
#include <stdint.h>

#include "host-server/driver.h"
#include "rpc/call.h"
#include "rpc/server.h"

struct session {
	const struct driver *driver;
	struct server *server;
	/* The call being served; NULL between calls. */
	const struct server_call *call;
	/* The rest: see the file that owns it. */
	struct object_table *objects; /* object.c */
	struct wait_queue *waits;     /* wait_queue.c */
	struct fences *fences;	      /* fence.c: words that the device writes, or NULL */
	struct slot_pool *slots;      /* slot.c: pinned staging memory */
	struct arena *arena;	      /* arena.c: memory shared with the guest, or NULL */
	struct bulk *bulk;	      /* bulk.c: further connections, or NULL */
	struct image_store *images;   /* image.c */
	struct output *output;	      /* output.c: what kernels print */
	struct account *account;      /* account.h: counters shared with the daemon */
	call_lane lane;		      /* what the next reply says at its head */
	bool greeted;		      /* HELLO was answered */

	const struct devices *devices; /* device.h; borrowed */
	struct memory_map *memory;     /* memory.c: device memory of the guest */
	struct context *contexts;      /* context.c: all that there are */
	struct context *context;       /* in which calls run now, or NULL */
	struct context *home;	       /* the primary context that the worker holds */
	uint64_t guest_id;
	unsigned spin_us; /* look for news this long before sleeping */
	bool many_cpus;
	bool deferred;	  /* the call being served is answered later */
	bool prints;	  /* kernels of the guest may print */
	bool flush;	  /* replies are gathered and not sent */
	bool has_rings;	  /* the lane goes on in rings */
	struct stream_rings rings; /* in these; memory is NULL once it does */
	int error;	  /* negative errno that ends the session, or 0 */
	int control_fd;	  /* where further connections come from (control.h), or 0 */
};

struct session_options {
	const struct driver *driver;   /* initialised; outlives the session */
	const struct devices *devices; /* outlives the session */
	struct account *account;       /* outlives the session */
	struct output *output;	       /* outlives the session; NULL: none is kept */
	uint64_t guest_id;
	int spin_us;	     /* negative: as OUTBOARD_SPIN_US says, or a default */
	unsigned warm_slots; /* pinned slots to have ready */
	uint64_t memory_max; /* device memory that the guest may hold; 0: no limit */
	int control_fd;	     /* borrowed: for further connections; 0: there are none */
};

/* Everything that can be done before there is a guest, so that it need not wait for it.
 * 0, or negative errno with a sentence in ret_why.  The calling thread then has the
 * primary context of device 0 current, and is the only one to use the session. */
int session_new(const struct session_options *options, struct session **ret_session,
	char *ret_why, size_t why_size);
/* Waits for the work that replies are due for, then destroys all that the guest made. */
struct session *session_free(struct session *s);

/* Give it its guest; owns stream, even on failure. */
int session_connect(struct session *s, struct stream *stream);
/* Serve until the guest is gone.  0 if it left in an orderly way, else negative errno. */
int session_run(struct session *s);

/* Send a reply: *ret is the ret struct of info, zeroed but for its results. */
int session_reply(struct session *s, const struct call_info *info, uint32_t xid,
	void *ret, CUresult result, const void *payload, size_t payload_size);
/* What a reply says at its head; an error that it tells is forgotten. */
void session_head(struct session *s, CUresult result, struct call_ret_head *ret_head);
/* Count a CUDA error for the account. */
void session_count_error(struct session *s, CUresult result);

/* The guest's handles.  find: false if unknown, stale or of another type.
 * NULL (0) is never found.  vacant: whether the guest may use this number for a new one.
 */
bool session_find(
	struct session *s, enum handle_type type, call_handle handle, void **ret_object);
bool session_find_stream(struct session *s, call_handle handle, CUstream *ret_stream);
bool session_find_function(
	struct session *s, call_handle handle, CUfunction *ret_function);
bool session_find_device(struct session *s, int ordinal, CUdevice *ret_device);
bool session_vacant(struct session *s, enum handle_type type, call_handle handle);
CUresult session_adopt(
	struct session *s, enum handle_type type, call_handle handle, void *object);
void session_drop(struct session *s, enum handle_type type, call_handle handle);
