/* SPDX-License-Identifier: Apache-2.0 */
/* log.h: one line per event on one file descriptor, never on stdout.
 *
 * A line is  "TIME LEVEL topic: message"  in programs of ours and  "outboard: message"
 * in libraries that live in somebody else's program. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines at or below this level are written.  LOG_LEVEL_WARNING at start. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/* "error", "warning", "info" or "debug"; false if it is none of them. */
bool log_level_parse(const char *text, enum log_level *ret_level);
/* Where lines go (2 at start), and whether they carry time and level (no at start). */
void log_set_output(int fd, bool structured);

void log_line(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                              \
	do {                                                        \
		if (log_get_level() >= LOG_LEVEL_DEBUG) {           \
			log_line(LOG_LEVEL_DEBUG, __VA_ARGS__);     \
		}                                                   \
	} while (0)
