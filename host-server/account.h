/* SPDX-License-Identifier: Apache-2.0 */
/* account.h: what a guest has used, in a page that its worker and the daemon share.
 *
 * The worker writes, the daemon reads, at any time and without a lock.  The daemon trusts
 * nothing in it: these are numbers to show and a name to clean up. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#define ACCOUNT_NAME_SIZE 256

struct account {
	_Atomic uint64_t calls;
	_Atomic uint64_t bytes_in;
	_Atomic uint64_t bytes_out;
	_Atomic uint64_t memory; /* device memory held now, bytes */
	_Atomic uint64_t errors; /* CUDA errors answered or latched */
	_Atomic uint64_t pid;	 /* as the guest says */
	_Atomic uint32_t greeted;
	char program_name[ACCOUNT_NAME_SIZE]; /* written before greeted */
};

/* A plain copy of it, with a name that is printable and ends. */
struct account_copy {
	uint64_t calls, bytes_in, bytes_out, memory, errors, pid;
	char program_name[ACCOUNT_NAME_SIZE];
};

/* A new page and the descriptor by which a worker gets it.  0 or negative errno. */
int account_new(struct account **ret_account, int *ret_fd);
/* The page behind fd, which stays the caller's. */
int account_map(int fd, struct account **ret_account);
struct account *account_unmap(struct account *account);

/* The worker's one thread is the only writer: no locked instruction is needed. */
static inline void
account_set(_Atomic uint64_t *counter, uint64_t value)
{
	atomic_store_explicit(counter, value, memory_order_relaxed);
}

static inline void
account_add(_Atomic uint64_t *counter, uint64_t n)
{
	account_set(counter, atomic_load_explicit(counter, memory_order_relaxed) + n);
}

void account_greet(struct account *account, const char *program_name, uint64_t pid);
void account_read(const struct account *account, struct account_copy *ret_copy);
