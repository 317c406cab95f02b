/* SPDX-License-Identifier: Apache-2.0 */
/* arena.h: memory that the guest shares with its worker, where both are on one machine. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct context;
struct session;

/* Ranges of one guest that are pinned at a time. */
#define ARENA_RANGES_MAX 4096

/* At HELLO: whether the guest can have an arena.  Then a descriptor may come. */
bool arena_offer(struct session *s, uint32_t guest_features);
void arena_free(struct session *s);

/* Block until no copy of that context uses the arena. */
void arena_drain(struct session *s, struct context *context);
/* Unpin everything: the home context is about to be reset.  Ranges are pinned again when
 * they are used. */
void arena_clear(struct session *s);

/* Whether fd is memory of that size that cannot shrink under us: 0 or negative errno. */
int arena_check_fd(int fd, uint64_t size);
/* Whether all rows lie between start and start + size.  pitch counts if height > 1. */
bool arena_rows_inside(uint64_t offset, uint64_t pitch, uint64_t width, uint64_t height,
	uint64_t start, uint64_t size);
