/* SPDX-License-Identifier: Apache-2.0 */
/* module_file.h: what loading from files and loading with JIT options need. */
#pragma once

#include <cuda.h>

/* All of a file, with NULs behind it.  Caller frees. */
CUresult module_read_file(const char *path, void **ret_image);
/* The compiler is on the host and its logs stay there: say that they are empty. */
void module_empty_logs(unsigned n, const CUjit_option *options, void **values);
