/* SPDX-License-Identifier: Apache-2.0 */
/* global.h: variables of modules and libraries, each asked for once. */
#pragma once

#include <cuda.h>

struct context;
struct module;

/* Where a variable is in the current context; either answer may be unwanted, not both. */
CUresult global_get(struct module *owner, const char *name, CUdeviceptr *dptr, size_t *bytes);
/* Forget them, or those of one context.  The modules' lock is held. */
void global_end(struct module *owner, const struct context *only);
