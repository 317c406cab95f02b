/* SPDX-License-Identifier: Apache-2.0 */
/* copy.h: which copy of the runtime a piece of code believes to call.
 *
 * Every object with a statically linked runtime natively has a state of its own; all that
 * use the shared library have one in common.  After redirection all of them arrive in one
 * library, and what must not leak from one to the other is kept apart by this number.
 * It is found by the return address, so a function that ends by jumping to the runtime
 * (a tail call) counts as its own caller. */
#pragma once

#define COPY_SHARED 0u /* the shared library's; also of all that are too many to count */
#define COPY_MAX 32u   /* objects with a static runtime get 1 to COPY_MAX */
#define COPY_UNKNOWN (COPY_MAX + 1) /* called from within our own library */

/* Which one the code at address calls.  Thread-safe.  Slow (it reads the object's file)
 * the first time that it is asked of an object. */
unsigned copy_of(const void *address);
