/* SPDX-License-Identifier: Apache-2.0 */
/* account.c: what a guest has used, in a page that its worker and the daemon share. */
#include "host-server/account.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/cleanup.h"

int
account_new(struct account **ret_account, int *ret_fd)
{
	cleanup_close int fd =
		memfd_create("outboard-account", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, sizeof(struct account)) < 0) {
		return -errno;
	}
	/* A worker that could make the file shorter could kill the daemon by SIGBUS. */
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		return -errno;
	}
	int r = account_map(fd, ret_account);
	if (r < 0) {
		return r;
	}
	*ret_fd = fd;
	fd = -1;
	return 0;
}

int
account_map(int fd, struct account **ret_account)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		return -errno;
	}
	if (st.st_size < (off_t)sizeof(struct account)) {
		return -EINVAL;
	}
	void *page = mmap(
		NULL, sizeof(struct account), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED) {
		return -errno;
	}
	*ret_account = page;
	return 0;
}

struct account *
account_unmap(struct account *account)
{
	if (account != NULL) {
		munmap(account, sizeof(*account));
	}
	return NULL;
}

void
account_greet(struct account *account, const char *program_name, uint64_t pid)
{
	snprintf(
		account->program_name, sizeof(account->program_name), "%s", program_name);
	account_set(&account->pid, pid);
	atomic_store_explicit(&account->greeted, 1, memory_order_release);
}

void
account_read(const struct account *account, struct account_copy *ret_copy)
{
#define COPY(field) \
	ret_copy->field = atomic_load_explicit(&account->field, memory_order_relaxed)
	COPY(calls);
	COPY(bytes_in);
	COPY(bytes_out);
	COPY(memory);
	COPY(errors);
	COPY(pid);
#undef COPY
	memset(ret_copy->program_name, 0, sizeof(ret_copy->program_name));
	if (!atomic_load_explicit(&account->greeted, memory_order_acquire)) {
		return;
	}
	for (size_t i = 0; i + 1 < ACCOUNT_NAME_SIZE; i++) {
		char c = account->program_name[i];
		if (c == '\0') {
			break;
		}
		/* Goes into log lines and status replies, and came from a guest. */
		ret_copy->program_name[i] = c > ' ' && c < 0x7f && c != '"' ? c : '_';
	}
}
