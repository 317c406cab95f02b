/* SPDX-License-Identifier: Apache-2.0 */
/* global.c: variables of modules and libraries, each asked for once.
 *
 * The runtime asks again for every copy to or from a variable, and a steady loop of such
 * copies shall not wait.  A library's variable has a place in each context. */
#include "guest-shim/libcuda/global.h"

#include <stdlib.h>
#include <string.h>

#include "guest-shim/libcuda/api.h"
#include "guest-shim/libcuda/context.h"
#include "guest-shim/libcuda/guest.h"
#include "guest-shim/libcuda/memory.h"
#include "guest-shim/libcuda/module.h"
#include "remote.h"

struct global {
	struct global *next;
	const struct context *context;
	CUdeviceptr address;
	size_t size;
	char name[];
};

/* The lock is held. */
static const struct global *
find(const struct module *owner, const struct context *context, const char *name)
{
	const struct global *global = owner->globals;

	while (global != NULL &&
		(global->context != context || strcmp(global->name, name) != 0)) {
		global = global->next;
	}
	return global;
}

/* What cannot be remembered is asked for again. */
static void
remember(struct module *owner, const struct global *found, const char *name)
{
	size_t len = strlen(name) + 1;

	module_lock();
	struct global *global = find(owner, found->context, name) == NULL
		? malloc(sizeof(*global) + len) : NULL;
	if (global != NULL) {
		*global = *found;
		memcpy(global->name, name, len);
		global->next = owner->globals;
		owner->globals = global;
	}
	module_unlock();
}

static CUresult
ask_host(struct module *owner, const char *name, CUdeviceptr *ret_address, size_t *ret_size)
{
	return owner->type == HANDLE_CUlibrary
		? remote_cuLibraryGetGlobal(ret_address, ret_size, owner->handle, name)
		: remote_cuModuleGetGlobal_v2(ret_address, ret_size, owner->handle, name);
}

static CUresult
ask(struct module *owner, const char *name, struct global *ret_found)
{
	struct global found = { .context = thread_self.current };

	CUresult result = ask_host(owner, name, &found.address, &found.size);
	/* The first one in a context may load the library there. */
	if (result == CUDA_ERROR_OUT_OF_MEMORY && memory_give_back()) {
		result = ask_host(owner, name, &found.address, &found.size);
	}
	if (result == CUDA_SUCCESS) {
		result = module_know_global(owner, found.address, found.size);
	}
	if (result == CUDA_SUCCESS) {
		remember(owner, &found, name);
		*ret_found = found;
	}
	return result;
}

CUresult
global_get(struct module *owner, const char *name, CUdeviceptr *dptr, size_t *bytes)
{
	struct global found;

	if (name == NULL || (dptr == NULL && bytes == NULL)) {
		return CUDA_ERROR_INVALID_VALUE;
	}
	CUresult result = context_check(thread_self.current);
	if (result != CUDA_SUCCESS) {
		return result;
	}
	module_lock();
	const struct global *known = find(owner, thread_self.current, name);
	if (known != NULL) {
		found = *known;
	}
	module_unlock();
	if (known == NULL) {
		result = ask(owner, name, &found);
	}
	if (result == CUDA_SUCCESS) {
		if (dptr != NULL) {
			*dptr = found.address;
		}
		if (bytes != NULL) {
			*bytes = found.size;
		}
	}
	return result;
}

void
global_end(struct module *owner, const struct context *only)
{
	struct global **at = &owner->globals;

	while (*at != NULL) {
		struct global *global = *at;
		if (only != NULL && global->context != only) {
			at = &global->next;
			continue;
		}
		*at = global->next;
		free(global);
	}
}
