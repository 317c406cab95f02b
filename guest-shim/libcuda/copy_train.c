/* SPDX-License-Identifier: Apache-2.0 */
/* copy_train.c: a copy between guest and device as a train of records.
 *
 * Records are sent from the guest's memory and received into it directly; only short rows
 * that do not lie packed go through a buffer. */
#include "guest-shim/libcuda/copy_train.h"

#include <stdlib.h>

#include "common/cleanup.h"
#include "guest-shim/libcuda/bulk.h"
#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/copy_pending.h"
#include "guest-shim/libcuda/guest_lane.h"
#include "guest-shim/libcuda/session.h"
#include "guest-shim/libcuda/stats.h"

/* Records of a copy from the device that are asked for before the first has come. */
#define FETCH_WINDOW 8
/* A shorter row costs the kernel more as a piece of its own than copying it costs us
 * (measured: processor time of the guest, by width). */
#define SEND_IN_PLACE_MIN 1024
#define FETCH_IN_PLACE_MIN 256

static bool
is_packed(size_t pitch, const struct copy_train *train)
{
	return train->height == 1 || pitch == train->width;
}

struct rows
copy_train_rows(const struct copy_train *train, const struct copy_piece *piece)
{
	return (struct rows){ .first = piece->host, .pitch = train->host_pitch,
		.width = piece->is_packed ? piece->width * piece->height : piece->width,
		.height = piece->is_packed ? 1 : piece->height };
}

static bool
is_wide(size_t width, bool to_device)
{
	return width >= (to_device ? SEND_IN_PLACE_MIN : FETCH_IN_PLACE_MIN);
}

bool
copy_train_in_place(const struct copy_train *train, bool to_device)
{
	return is_packed(train->host_pitch, train) || is_wide(train->width, to_device);
}

static bool
goes_in_place(const struct copy_piece *piece, bool to_device)
{
	return piece->is_packed || is_wide(piece->width, to_device);
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
	const struct rows rows = copy_train_rows(train, piece);

	if (goes_in_place(piece, true)) {
		return guest_post_rows(CALL_copy_htod, &args, &rows);
	}
	rows_pack(&rows, buffer, rows_size(&rows));
	return guest_post_payload(CALL_copy_htod, &args, buffer, rows_size(&rows));
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
		if (!goes_in_place(&piece, true) && buffer == NULL) {
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
	struct rows rows;
	unsigned char *buffer; /* of a piece that does not go in place */
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
	bool in_place = goes_in_place(&fetch->piece, false);
	void *into = fetch->piece.host;

	fetch->rows = copy_train_rows(train, &fetch->piece);
	if (!in_place) {
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
		.into_size = rows_size(&fetch->rows), .rows = in_place ? &fetch->rows : NULL };
	message->args = &args;
	int r = lane_start(lane, message, &fetch->reply, false);
	stats_asked(message->info, fetch->reply.into_size);
	return r < 0 ? session_lost(r) : CUDA_SUCCESS;
}

static CUresult
fetch_finish(struct lane *lane, struct fetch *fetch)
{
	int r = lane_wait(lane, &fetch->reply);
	if (r < 0) {
		return session_lost(r);
	}
	CUresult result = (CUresult)fetch->ret.u.result;
	if (result == CUDA_SUCCESS && !goes_in_place(&fetch->piece, false)) {
		rows_unpack(&fetch->rows, fetch->buffer, rows_size(&fetch->rows));
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
			fetch_finish(lane, &window[n_finished++ % FETCH_WINDOW]);
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
