/* SPDX-License-Identifier: Apache-2.0 */
/* fence.c: words of host memory that the device writes when a stream has got so far. */
#include "host-server/fence.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "host-server/session.h"
#include "host-server/stream.h"

/* One that is put while so many others are on their way may be overwritten by the oldest:
 * then the driver is asked, as if there were none. */
#define WORDS 64
#define SIZE (WORDS * sizeof(uint32_t))

struct fences {
	_Atomic uint32_t *words; /* pinned */
	CUdeviceptr device;	 /* the same */
	uint32_t last;
};

void
fences_open(struct session *s)
{
	struct fences *fences = calloc(1, sizeof(*fences));
	void *words = NULL;

	if (fences == NULL || !driver_has(s->driver->cuStreamWriteValue32_v2) ||
		s->driver->cuMemHostAlloc(&words, SIZE, CU_MEMHOSTALLOC_DEVICEMAP) !=
			CUDA_SUCCESS) {
		free(fences);
		return;
	}
	memset(words, 0, SIZE);
	fences->words = words;
	s->fences = fences;
	if (s->driver->cuMemHostGetDevicePointer_v2(&fences->device, words, 0) !=
		CUDA_SUCCESS) {
		fences_clear(s);
	}
}

void
fences_clear(struct session *s)
{
	if (s->fences != NULL) {
		s->driver->cuMemFreeHost((void *)s->fences->words);
		free(s->fences);
		s->fences = NULL;
	}
}

uint32_t
fence_put(struct session *s, const struct stream_ref *ref)
{
	struct fences *fences = s->fences;

	if (fences == NULL || ref->context != s->home) {
		return 0;
	}
	uint32_t fence = ++fences->last != 0 ? fences->last : ++fences->last;
	CUdeviceptr word = fences->device + fence % WORDS * sizeof(uint32_t);
	/* An error of the context is for the one to tell who asks for it. */
	return s->driver->cuStreamWriteValue32_v2(ref->cuda, word, fence, 0) == CUDA_SUCCESS
		       ? fence
		       : 0;
}

bool
fence_passed(const struct session *s, uint32_t fence)
{
	return fence != 0 && s->fences != NULL &&
	       atomic_load_explicit(&s->fences->words[fence % WORDS], memory_order_acquire) ==
		       fence;
}
