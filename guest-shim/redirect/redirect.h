/* SPDX-License-Identifier: Apache-2.0 */
/* redirect.h: leads statically linked CUDA runtimes to our libcudart. */
#pragma once

/* Redirects the functions of every runtime of this major version that is linked into the
 * program or into one of its libraries, now and whenever a library is opened later.
 * find gives our function of a name, or NULL; it must not allocate and must not call the
 * dynamic linker, because it may be called while a library is being opened.
 * Called from constructor.c, for at most two majors; never undone. */
void redirect_install(int cudart_major, void *(*find)(const char *name));

/* To be called first where another copy of this code is loaded: if libraries that come
 * cannot be watched, that copy does all of this again, and is the one to complain. */
void redirect_yield(void);
