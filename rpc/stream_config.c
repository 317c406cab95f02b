/* SPDX-License-Identifier: Apache-2.0 */
/* stream_config.c: which server a guest uses when nobody says. */
#include "rpc/stream.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

#define CONFIG_DEFAULT "/etc/outboard/client.conf"

/* The value of "server = VALUE", without surrounding space; NULL if line is something else. */
static char *
server_value(char *line)
{
	char *equals = strchr(line, '=');
	size_t key = strspn(line, " \t");

	if (equals == NULL || strncmp(line + key, "server", 6) != 0 ||
		line + key + 6 + strspn(line + key + 6, " \t") != equals) {
		return NULL;
	}
	char *value = equals + 1 + strspn(equals + 1, " \t");
	size_t len = strlen(value);
	while (len > 0 && isspace((unsigned char)value[len - 1])) {
		value[--len] = '\0';
	}
	return len > 0 ? value : NULL;
}

void
stream_configured_url(char *url, size_t size)
{
	const char *from_environment = getenv("OUTBOARD_SERVER");
	const char *path = getenv("OUTBOARD_CONFIG");
	char line[1024];

	snprintf(url, size, "%s", STREAM_URL_DEFAULT);
	if (from_environment != NULL && from_environment[0] != '\0') {
		snprintf(url, size, "%s", from_environment);
		return;
	}
	cleanup_fclose FILE *f = fopen(path != NULL ? path : CONFIG_DEFAULT, "re");
	if (f == NULL) {
		return;
	}
	while (fgets(line, sizeof(line), f) != NULL) {
		char *value = server_value(line);
		if (value != NULL) {
			snprintf(url, size, "%s", value);
			return;
		}
	}
}
