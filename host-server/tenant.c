/* SPDX-License-Identifier: Apache-2.0 */
/* tenant.c: who shares images with whom, as the daemon decides it.
 *
 * All that is known of a guest is where it calls from: over TCP an address, which is a
 * VM's or another machine's, over a unix socket a user of this machine. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "host-server/daemon.h"

void
tenant_name(const struct daemon_options *options, int fd, char *ret_name, size_t size)
{
	struct sockaddr_storage peer = { 0 };
	socklen_t len = sizeof(peer);
	struct ucred cred;
	socklen_t cred_len = sizeof(cred);
	char host[64];

	if (options->cache_shared) {
		snprintf(ret_name, size, "shared");
		return;
	}
	*ret_name = '\0';
	if (getpeername(fd, (struct sockaddr *)&peer, &len) != 0) {
		return;
	}
	if (peer.ss_family == AF_UNIX) {
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &cred_len) == 0) {
			snprintf(ret_name, size, "user-%u", cred.uid);
		}
		return;
	}
	/* Digits, dots, colons and the name of an interface behind '%', which has no '/'.
	 */
	if (getnameinfo((struct sockaddr *)&peer, len, host, sizeof(host), NULL, 0,
		    NI_NUMERICHOST) == 0) {
		snprintf(ret_name, size, "address-%s", host);
	}
}

/* What others may write into is not ours to believe. */
static int
check_folder(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		return -errno;
	}
	if (!S_ISDIR(st.st_mode)) {
		return -ENOTDIR;
	}
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		return -EPERM;
	}
	return access(path, R_OK | W_OK | X_OK) == 0 ? 0 : -errno;
}

int
tenant_open_cache(struct daemon_options *options)
{
	const char *asked = options->cache;
	const char *path = asked != NULL ? asked : DAEMON_CACHE;
	static char absolute[CONTROL_TEXT_SIZE];

	options->cache = NULL;
	if (strcmp(path, "none") == 0) {
		return 0;
	}
	int r = mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : check_folder(path);
	char *real = r == 0 ? realpath(path, NULL) : NULL;
	if (r == 0) {
		r = real == NULL		      ? -errno
		    : strlen(real) < sizeof(absolute) ? 0
						      : -ENAMETOOLONG;
	}
	if (r < 0) {
		free(real);
		if (asked != NULL) {
			log_error("tenant: cannot keep images in %s: %s", path,
				r == -EPERM
					? "it is, or can be written by, another user's"
					: strerror(-r));
			return r;
		}
		log_info("tenant: images are not kept: %s: %s; see --cache", path,
			strerror(-r));
		return 0;
	}
	snprintf(absolute, sizeof(absolute), "%s", real);
	free(real);
	options->cache = absolute;
	log_info("tenant: images are kept in %s, up to %llu MiB%s", absolute,
		(unsigned long long)(options->cache_size >> 20),
		options->cache_shared ? ", shared by all" : "");
	return 0;
}
