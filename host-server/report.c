/* SPDX-License-Identifier: Apache-2.0 */
/* report.c: what the daemon tells about itself: session_status. */
#include <errno.h>
#include <stdlib.h>

#include "host-server/account.h"
#include "host-server/daemon.h"
#include "rpc/call.h"
#include "rpc/server.h"

int
report_answer(struct daemon *d, struct server *server, const struct server_call *call)
{
	session_status_ret ret = { 0 };
	session_status_out *out = &ret.u.session_status_result_u.out;
	call_guest *guests = calloc(CALL_GUESTS_MAX, sizeof(*guests));
	struct account_copy *lines = calloc(CALL_GUESTS_MAX, sizeof(*lines));
	u_int n = 0;

	for (struct child *c = d->children;
		guests != NULL && lines != NULL && c != NULL && n < CALL_GUESTS_MAX;
		c = c->next) {
		if (c->process.fd < 0 ||
			(c->state != CHILD_SERVING && c->state != CHILD_LEAVING)) {
			continue;
		}
		struct account_copy *a = &lines[n];
		account_read(c->account, a);
		guests[n++] = (call_guest){
			.id = c->guest_id,
			.peer = c->peer,
			.program_name = a->program_name,
			.pid = a->pid,
			.since = (uint64_t)c->since,
			.calls = a->calls,
			.bytes_in = a->bytes_in,
			.bytes_out = a->bytes_out,
			.memory = a->memory,
			.errors = a->errors,
		};
	}
	out->host_version = OUTBOARD_VERSION;
	out->driver = d->driver;
	out->device = d->device;
	out->warm_workers = (u_int)children_count(d, CHILD_WARM);
	out->since = (uint64_t)d->since;
	out->served = d->served;
	out->guests.call_guests_len = n;
	out->guests.call_guests_val = guests;
	int r = guests == NULL || lines == NULL
			? -ENOMEM
			: server_reply(server, call->info, call->xid, &ret, NULL, 0);
	free(guests);
	free(lines);
	return r;
}
