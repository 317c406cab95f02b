/* SPDX-License-Identifier: Apache-2.0 */
/* copy_train.c: a copy between guest and device as a train of records.
 *
 * Where rows lie packed in the guest's memory, records are sent from it and received into
 * it directly; other rows go through a buffer. */
#include "guest-shim/libcuda/copy_train.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "guest-shim/libcuda/bulk.h"
#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/copy_pending.h"
#include "guest-shim/libcuda/guest_lane.h"
#include "guest-shim/libcuda/session.h"
#include "guest-shim/libcuda/stats.h"

/* Records of a copy from the device that are asked for before the first has come. */
#define FETCH_WINDOW 8

static bool
is_packed(size_t pitch, const struct copy_train *train)
{
	return train->height == 1 || pitch == train->width;
}

bool
copy_train_next(struct copy_train *train, struct copy_piece *ret_piece)
{
	size_t max = train->piece_max != 0 ? train->piece_max : CALL_PAYLOAD_MAX;

	if (train->row == 0 && train->column == 0 && train->height > 1 &&
		is_packed(train->device_pitch, train) && is_packed(train->host_pitch, train)) {
		train->width *= train->height; /* one long row: the caller has checked it */
		train->height = 1;
	}
	if (train->row >= train->height) {
		return false;
	}
	struct copy_piece piece = {
		.device = train->device + train->row * train->device_pitch + train->column,
		.host = train->host + train->row * train->host_pitch + train->column,
		.width = train->width - train->column,
		.height = 1,
		.is_packed = true,
	};
	if (train->column > 0 || train->width > max) {
		if (piece.width > max) {
			piece.width = max;
		}
		train->column += piece.width;
		if (train->column == train->width) {
			train->column = 0;
			train->row++;
		}
	} else {
		size_t most = max / train->width;
		size_t left = train->height - train->row;
		piece.height = left < most ? left : most;
		piece.is_packed = piece.height == 1 || train->host_pitch == train->width;
		train->row += piece.height;
	}
	*ret_piece = piece;
	return true;
}

/* ---- to the device ---- */

static CUresult
send_piece(const struct copy_train *train, const struct copy_piece *piece,
	unsigned char *buffer)
{
	copy_htod_args args = { .dst = piece->device, .pitch = train->device_pitch,
		.width = piece->width, .height = piece->height, .hStream = train->stream };
	const unsigned char *from = piece->host;

	if (!piece->is_packed) {
		for (size_t row = 0; row < piece->height; row++) {
			memcpy(buffer + row * piece->width, from + row * train->host_pitch,
				piece->width);
		}
		from = buffer;
	}
	return guest_post_payload(CALL_copy_htod, &args, from, piece->width * piece->height);
}

CUresult
copy_train_send(struct copy_train *train)
{
	cleanup_free unsigned char *buffer = NULL;
	struct copy_piece piece;
	CUresult result = CUDA_SUCCESS;

	if (bulk_send(train, &result)) {
		return result;
	}
	while (result == CUDA_SUCCESS && copy_train_next(train, &piece)) {
		if (!piece.is_packed && buffer == NULL) {
			buffer = malloc(CALL_PAYLOAD_MAX);
			if (buffer == NULL) {
				return CUDA_ERROR_OUT_OF_MEMORY;
			}
		}
		result = send_piece(train, &piece, buffer);
	}
	return result;
}

/* ---- from the device ---- */

struct fetch {
	struct lane_reply reply;
	copy_dtoh_ret ret;
	struct copy_piece piece;
	unsigned char *buffer; /* of a piece that is not packed */
};

static copy_dtoh_args
dtoh_args(const struct copy_train *train, const struct copy_piece *piece)
{
	return (copy_dtoh_args){ .src = piece->device, .pitch = train->device_pitch,
		.width = piece->width, .height = piece->height, .hStream = train->stream };
}

static CUresult
fetch_start(struct lane *lane, struct lane_message *message, const struct copy_train *train,
	struct fetch *fetch)
{
	copy_dtoh_args args = dtoh_args(train, &fetch->piece);
	void *into = fetch->piece.host;

	if (!fetch->piece.is_packed) {
		if (fetch->buffer == NULL) {
			fetch->buffer = malloc(CALL_PAYLOAD_MAX);
		}
		into = fetch->buffer;
		if (into == NULL) {
			return CUDA_ERROR_OUT_OF_MEMORY;
		}
	}
	fetch->ret = (copy_dtoh_ret){ 0 };
	fetch->reply = (struct lane_reply){ .ret = &fetch->ret, .into = into,
		.into_size = fetch->piece.width * fetch->piece.height };
	message->args = &args;
	int r = lane_start(lane, message, &fetch->reply, false);
	stats_asked(message->info, fetch->reply.into_size);
	return r < 0 ? session_lost(r) : CUDA_SUCCESS;
}

static CUresult
fetch_finish(struct lane *lane, const struct copy_train *train, struct fetch *fetch)
{
	const struct copy_piece *piece = &fetch->piece;

	int r = lane_wait(lane, &fetch->reply);
	if (r < 0) {
		return session_lost(r);
	}
	CUresult result = (CUresult)fetch->ret.u.result;
	if (result == CUDA_SUCCESS && !piece->is_packed) {
		for (size_t row = 0; row < piece->height; row++) {
			memcpy(piece->host + row * train->host_pitch,
				fetch->buffer + row * piece->width, piece->width);
		}
	}
	xdr_free((xdrproc_t)xdr_copy_dtoh_ret, (char *)&fetch->ret);
	return result;
}

static CUresult
fetch_all(struct lane *lane, struct lane_message *message, struct copy_train *train,
	struct fetch *window)
{
	CUresult first = CUDA_SUCCESS;
	size_t n_started = 0, n_finished = 0;
	bool more = true;

	/* All that was started must be finished, whatever happens. */
	while (more || n_finished < n_started) {
		struct fetch *fetch = &window[n_started % FETCH_WINDOW];
		if (more && n_started - n_finished < FETCH_WINDOW) {
			more = first == CUDA_SUCCESS && copy_train_next(train, &fetch->piece);
			if (more) {
				first = fetch_start(lane, message, train, fetch);
				more = first == CUDA_SUCCESS;
				n_started += more;
			}
			continue;
		}
		if (lane_flush(lane) < 0) {
			/* lane_wait says so, too, and has made every reply done */
		}
		CUresult result =
			fetch_finish(lane, train, &window[n_finished++ % FETCH_WINDOW]);
		first = first != CUDA_SUCCESS ? first : result;
	}
	return first;
}

CUresult
copy_train_fetch(struct copy_train *train)
{
	struct lane_message message = { .info = call_find(CALL_copy_dtoh) };
	struct fetch window[FETCH_WINDOW] = { { .buffer = NULL } };
	struct lane *lane;
	CUresult result;

	if (bulk_fetch(train, &result)) {
		return result;
	}
	result = guest_enter(message.info, &lane, &message.context);
	if (result != CUDA_SUCCESS) {
		return result;
	}
	uint64_t began = stats_begin();
	result = fetch_all(lane, &message, train, window);
	stats_waited(message.info, true, began);
	for (size_t i = 0; i < FETCH_WINDOW; i++) {
		free(window[i].buffer);
	}
	return session_lane() != NULL && lane_error(lane) == 0 ? guest_settle(lane, result)
							       : result;
}

CUresult
copy_train_start(struct copy_train *train)
{
	struct lane_message message = { .info = call_find(CALL_copy_dtoh) };
	struct copy_piece piece;
	struct lane *lane;

	CUresult result = guest_enter(message.info, &lane, &message.context);
	while (result == CUDA_SUCCESS && copy_train_next(train, &piece)) {
		copy_dtoh_args args = dtoh_args(train, &piece);
		message.args = &args;
		result = copy_pending_start(lane, &message, train->stream, piece.host,
			piece.width * piece.height);
		context_touch(thread_self.current);
	}
	return result;
}
