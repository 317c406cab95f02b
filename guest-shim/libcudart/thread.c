/* SPDX-License-Identifier: Apache-2.0 */
/* thread.c: the storage of a thread's state. */
#include "guest-shim/libcudart/thread.h"

__thread struct thread thread_self;
