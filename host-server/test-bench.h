/* SPDX-License-Identifier: Apache-2.0 */
/* test-bench.h: a session in a thread on the fake driver, and a guest's lane to it. */
#pragma once

#include <pthread.h>

#include "host-server/account.h"
#include "host-server/device.h"
#include "host-server/output.h"
#include "host-server/session.h"
#include "rpc/lane.h"

#define CONTEXT handle_make(HANDLE_CUcontext, 1, 1)
#define MIB ((size_t)1 << 20)

struct bench {
	struct driver driver;
	struct devices *devices;
	struct account account;
	struct output *output;
	int fd; /* the host's end */
	int control[2]; /* the daemon's end, the host's end */
	int started, ended;
	pthread_t thread;
	bool joined;
	pthread_mutex_t lock;
	pthread_cond_t news;
	struct lane *lane;
};

void bench_post(struct bench *b, uint32_t number, void *args);
int bench_call(struct bench *b, uint32_t number, void *args, void *ret);
int bench_call_plain(struct bench *b, uint32_t number, void *args);
int bench_mark(struct bench *b);
call_handle bench_new_stream(struct bench *b, uint32_t index);
uint64_t bench_new_memory(struct bench *b, size_t size);
void bench_free_memory(struct bench *b, uint64_t address);
void bench_put(struct bench *b, uint64_t to, const uint8_t *from, size_t size, call_handle stream);
void bench_start_get(struct bench *b, uint8_t *to, uint64_t from, size_t size, call_handle stream,
	struct lane_reply *reply, copy_dtoh_ret *ret);
void bench_get(struct bench *b, uint8_t *to, uint64_t from, size_t size, call_handle stream);
void bench_fill(uint8_t *bytes, size_t size, uint32_t seed);
int bench_setup(void **state);
void bench_greet(struct bench *b);
int bench_setup_greeted(void **state);
int bench_teardown(void **state);
