/* SPDX-License-Identifier: Apache-2.0 */
/* output.c: what kernels print, kept until the guest fetches it. */
#include "host-server/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"

#define STREAMS 2

struct output {
	int fd[STREAMS];
	off_t at[STREAMS];  /* fetched up to here */
	off_t end[STREAMS]; /* when last looked at */
};

int
output_new(struct output **ret_output)
{
	struct output *output = calloc(1, sizeof(*output));

	if (output == NULL) {
		return -ENOMEM;
	}
	output->fd[0] = output->fd[1] = -1;
	for (int i = 0; i < STREAMS; i++) {
		output->fd[i] = memfd_create("outboard-output", MFD_CLOEXEC);
		if (output->fd[i] < 0 || fcntl(output->fd[i], F_SETFL, O_APPEND) < 0) {
			int r = -errno;
			output_free(output);
			return r;
		}
	}
	*ret_output = output;
	return 0;
}

struct output *
output_free(struct output *output)
{
	if (output != NULL) {
		for (int i = 0; i < STREAMS; i++) {
			if (output->fd[i] >= 0) {
				close(output->fd[i]);
			}
		}
		free(output);
	}
	return NULL;
}

int
output_capture(struct output *output)
{
	for (int i = 0; i < STREAMS; i++) {
		if (dup2(output->fd[i], i + 1) < 0) {
			return -errno;
		}
	}
	return 0;
}

int
output_fd(const struct output *output, unsigned stream)
{
	return output->fd[stream - 1];
}

static void
forget_until(struct output *output, int i, off_t at)
{
	output->at[i] = at;
	fallocate(output->fd[i], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, at);
}

void
output_look(struct output *output)
{
	struct stat st;

	if (output == NULL) {
		return;
	}
	fflush(NULL);
	for (int i = 0; i < STREAMS; i++) {
		if (fstat(output->fd[i], &st) < 0) {
			continue;
		}
		output->end[i] = st.st_size;
		if (st.st_size - output->at[i] <= (off_t)OUTPUT_MAX) {
			continue;
		}
		long long dropped = st.st_size - output->at[i];
		log_warning("output: %lld bytes that the guest did not fetch are dropped",
			dropped);
		forget_until(output, i, st.st_size);
		int len = dprintf(output->fd[i],
			"outboard: %lld bytes of output were dropped here\n", dropped);
		output->end[i] += len > 0 ? len : 0;
	}
}

uint32_t
output_pending(const struct output *output)
{
	uint32_t pending = 0;

	for (int i = 0; output != NULL && i < STREAMS; i++) {
		pending += (uint32_t)(output->end[i] - output->at[i]);
	}
	return pending;
}

size_t
output_fetch(struct output *output, void *into, size_t size, unsigned *ret_stream,
	bool *ret_more)
{
	output_look(output);
	*ret_stream = 1;
	*ret_more = false;
	for (int i = 0; output != NULL && i < STREAMS; i++) {
		size_t left = (size_t)(output->end[i] - output->at[i]);
		if (left == 0) {
			continue;
		}
		ssize_t n = pread(
			output->fd[i], into, left < size ? left : size, output->at[i]);
		if (n <= 0) {
			continue;
		}
		forget_until(output, i, output->at[i] + n);
		*ret_stream = (unsigned)i + 1;
		*ret_more = output_pending(output) > 0;
		return (size_t)n;
	}
	return 0;
}
