/* SPDX-License-Identifier: Apache-2.0 */
/* handle.h: what happens to many handles at once. */
#pragma once

#include <cuda.h>

#include "rpc/call.h"

struct context;
struct object;
struct session;

/* What a context held is gone, and so are its handles; handles of the context stay. */
void handles_forget_context(struct session *s, struct context *context);
/* CUDA has given the primary context another address. */
void handles_rename_context(struct session *s, CUcontext before, CUcontext after);
/* Destroy all that there is but contexts and memory. */
void handles_destroy(struct session *s);
