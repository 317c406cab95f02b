/* SPDX-License-Identifier: Apache-2.0 */
/* test-fake.h: a driver for tests that is as late as a real one may be.
 *
 * Nothing that is put into a stream is done until somebody asks often enough or waits: so
 * a slot that is used again too early, or an answer that comes too early, shows. */
#pragma once

#include "host-server/device.h"
#include "host-server/driver.h"

/* Questions (cuEventQuery, cuStreamQuery) that move a stream by one piece of work. */
void fake_set_lateness(unsigned questions);
/* Streams stand still until this is false again; only waiter threads wait then. */
void fake_hold(bool hold);
/* The legacy stream does all that it has, and nobody has asked. */
void fake_finish(void);
/* No event can be created until this is false again. */
void fake_refuse_events(bool refuse);
/* All calls of this name fail with that result until it is CUDA_SUCCESS again. */
void fake_fail(CUresult result);

void fake_driver(struct driver *driver);
/* Things that were made and not destroyed: events, streams, modules, memory. */
unsigned fake_leaks(void);
/* What cuModuleLoadData saw last: magic and version of a wrapper, and its data. */
struct fake_module {
	int magic, version;
	const void *data;
	const void *const *linked;
};
extern struct fake_module fake_last_module;
extern size_t fake_params_size; /* of the last launch */
extern unsigned char fake_params[32768];
extern int fake_print_fd; /* where kernels print */
