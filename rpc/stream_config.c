/* SPDX-License-Identifier: Apache-2.0 */
/* stream_config.c: which server a guest uses when nobody says, and how. */
#include "rpc/stream.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

#define CONFIG_DEFAULT "/etc/outboard/client.conf"

/* The value of "key = VALUE", without surrounding space; NULL if line is something else. */
static char *
value_of(char *line, const char *key)
{
	char *equals = strchr(line, '=');
	size_t at = strspn(line, " \t"), key_len = strlen(key);

	if (equals == NULL || strncmp(line + at, key, key_len) != 0 ||
		line + at + key_len + strspn(line + at + key_len, " \t") != equals) {
		return NULL;
	}
	char *value = equals + 1 + strspn(equals + 1, " \t");
	size_t len = strlen(value);
	while (len > 0 && isspace((unsigned char)value[len - 1])) {
		value[--len] = '\0';
	}
	return len > 0 ? value : NULL;
}

/* The variable if it is set, else the first line of the file that says it. */
static bool
configured(const char *variable, const char *key, char *ret_value, size_t size)
{
	const char *from_environment = getenv(variable);
	const char *path = getenv("OUTBOARD_CONFIG");
	char line[1024];

	if (from_environment != NULL && from_environment[0] != '\0') {
		snprintf(ret_value, size, "%s", from_environment);
		return true;
	}
	cleanup_fclose FILE *f = fopen(path != NULL ? path : CONFIG_DEFAULT, "re");
	if (f == NULL) {
		return false;
	}
	while (fgets(line, sizeof(line), f) != NULL) {
		char *value = value_of(line, key);
		if (value != NULL) {
			snprintf(ret_value, size, "%s", value);
			return true;
		}
	}
	return false;
}

void
stream_configured_url(char *url, size_t size)
{
	if (!configured("OUTBOARD_SERVER", "server", url, size)) {
		snprintf(url, size, "%s", STREAM_URL_DEFAULT);
	}
}

int
stream_configured_connections(void)
{
	char text[32], *end;

	if (!configured("OUTBOARD_CONNECTIONS", "connections", text, sizeof(text))) {
		return -1;
	}
	long n = strtol(text, &end, 10);
	return *end == '\0' && n >= 0 && n <= INT_MAX ? (int)n : -1;
}
