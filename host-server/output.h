/* SPDX-License-Identifier: Apache-2.0 */
/* output.h: what kernels print, kept until the guest fetches it.
 *
 * The driver writes it to the process's standard output; the worker has files in memory
 * there.  What was fetched is punched out of them, so that they stay small while somebody
 * goes on writing at their end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct output;

/* More than this in one stream and not fetched is dropped, with a notice in its place. */
#define OUTPUT_MAX (16u << 20)

int output_new(struct output **ret_output);
struct output *output_free(struct output *output);
/* Make the two streams the process's descriptors 1 and 2. */
int output_capture(struct output *output);
/* The file behind stream 1 or 2; owned by output. */
int output_fd(const struct output *output, unsigned stream);

/* Flush stdio and see what there is: after calls that wait.  NULL is allowed. */
void output_look(struct output *output);
/* Bytes to be fetched when it was last looked at.  NULL is allowed. */
uint32_t output_pending(const struct output *output);
/* The next piece: how long it is; 0 if there is none. */
size_t output_fetch(struct output *output, void *into, size_t size, unsigned *ret_stream,
	bool *ret_more);
