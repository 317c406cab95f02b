/* SPDX-License-Identifier: Apache-2.0 */
/* limit.h: limits and preferences of a context. */
#pragma once

struct context;

/* The context is made anew. */
void limit_forget(struct context *context);
