/* SPDX-License-Identifier: Apache-2.0 */
/* systemd.c: sockets from the service manager, and news for it.
 *
 * Both protocols are a few lines, so that no library is needed for them:
 * sd_listen_fds(3) and sd_notify(3). */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "host-server/daemon.h"

int
systemd_listen_fds(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	int n = 0;

	if (pid != NULL && fds != NULL && strtol(pid, NULL, 10) == (long)getpid()) {
		n = (int)strtol(fds, NULL, 10);
	}
	/* Not for the workers. */
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return n > 0 ? n : 0;
}

void
systemd_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = path != NULL ? strlen(path) : 0;

	if (len == 0 || len >= sizeof(address.sun_path)) {
		return;
	}
	memcpy(address.sun_path, path, len);
	if (address.sun_path[0] == '@') {
		address.sun_path[0] = '\0'; /* abstract */
	}
	cleanup_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		sendto(fd, state, strlen(state), MSG_NOSIGNAL,
			(struct sockaddr *)&address,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	}
}
