/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-server.c: whatever a guest sends, the host's half of a connection survives it.
 *
 * Covers the records, the headers and the decoder of every call, present and future.  The
 * first byte says in pieces of which size the rest arrives. */
#include "rpc/server.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_stream {
	struct stream base;
	const uint8_t *data;
	size_t left, piece;
	bool paused;
};

static ssize_t
fuzz_sendv(struct stream *s, const struct iovec *iov, int n_iov)
{
	ssize_t n = 0;

	for (int i = 0; i < n_iov; i++) {
		n += (ssize_t)iov[i].iov_len;
	}
	return n;
}

static ssize_t
fuzz_recv(struct stream *s, void *into, size_t size)
{
	struct fuzz_stream *f = (struct fuzz_stream *)s;

	f->paused = !f->paused;
	if (f->paused && f->left > 0) {
		return -EAGAIN;
	}
	size = size < f->left ? size : f->left;
	size = size < f->piece ? size : f->piece;
	memcpy(into, f->data, size);
	f->data += size;
	f->left -= size;
	return (ssize_t)size;
}

static int
fuzz_wait(struct stream *s, short events, int timeout_ms)
{
	return events;
}

static void
fuzz_close(struct stream *s)
{
}

static const struct stream_ops fuzz_ops = {
	.sendv = fuzz_sendv, .recv = fuzz_recv, .wait = fuzz_wait, .close = fuzz_close
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t payload[CALL_PAYLOAD_MAX];
	struct server *server;
	struct server_call call;
	int r;

	if (size == 0) {
		return 0;
	}
	struct fuzz_stream *f = calloc(1, sizeof(*f));
	*f = (struct fuzz_stream){ .base = { .ops = &fuzz_ops, .fd = -1 },
		.data = data + 1, .left = size - 1, .piece = data[0] * 16u + 1 };
	if (server_new(&f->base, &server) < 0) {
		return 0;
	}
	server_set_record_max(server, MESSAGE_RECORD_MAX);
	do {
		r = server_next(server, &call);
		if (r == 1 && call.payload_size > 0 && call.xid % 2 == 0) {
			r = server_payload(server, payload) < 0 ? -1 : 1;
		}
	} while (r == 1 || (r == 0 && f->left > 0));
	server_free(server);
	return 0;
}
