/* SPDX-License-Identifier: Apache-2.0 */
/* log.c: one line per event. */
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"

static enum log_level log_level = LOG_LEVEL_WARNING;
static int log_fd = STDERR_FILENO;
static bool log_structured;

static const char *const level_names[] = { "error", "warning", "info", "debug" };

void
log_set_level(enum log_level level)
{
	log_level = level;
}

enum log_level
log_get_level(void)
{
	return log_level;
}

bool
log_level_parse(const char *text, enum log_level *ret_level)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*ret_level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

void
log_set_output(int fd, bool structured)
{
	log_fd = fd;
	log_structured = structured;
}

static int
log_prefix(char *line, size_t room, enum log_level level)
{
	if (!log_structured) {
		return snprintf(line, room, "outboard: ");
	}
	struct timespec now;
	struct tm utc;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	size_t len = strftime(line, room, "%Y-%m-%dT%H:%M:%S", &utc);
	return (int)len + snprintf(line + len, room - len, ".%03ldZ %s pid=%d ",
		now.tv_nsec / 1000000, level_names[level], (int)getpid());
}

void
log_line(enum log_level level, const char *format, ...)
{
	if (level > log_level) {
		return;
	}
	/* One write, so that lines of several processes do not mix. */
	char line[1024];
	int saved_errno = errno;
	int len = log_prefix(line, sizeof(line), level);
	va_list args;

	va_start(args, format);
	int wanted = vsnprintf(line + len, sizeof(line) - (size_t)len - 1, format, args);
	va_end(args);
	len += wanted;
	if (wanted < 0 || len > (int)sizeof(line) - 2) {
		len = (int)sizeof(line) - 2;
	}
	line[len++] = '\n';
	if (write(log_fd, line, (size_t)len) < 0) {
		/* Nobody is left to be told. */
	}
	errno = saved_errno;
}
