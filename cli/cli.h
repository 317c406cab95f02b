/* SPDX-License-Identifier: Apache-2.0 */
/* cli.h: the subcommands of outboard. */
#pragma once

#include <stddef.h>

/* Each gets its own name as argv[0] and returns the program's exit status. */
int cli_run(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_ptx(int argc, char **argv);
int cli_bench(int argc, char **argv);

/* Where the libraries are: $OUTBOARD_LIBDIR, or ../lib/outboard beside this program. */
void cli_libdir(char *path, size_t size);
