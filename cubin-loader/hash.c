/* SPDX-License-Identifier: Apache-2.0 */
/* hash.c: the name that an image has by its content.
 *
 * Of OpenSSL only the functions below the EVP interface are used: linked into a guest's
 * library they are 25 KB; with EVP it would be all of it. */
#define OPENSSL_API_COMPAT 0x10100000L
#include "cubin-loader/hash.h"

#include <endian.h>
#include <errno.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/background.h"
#include "common/cleanup.h"

#define PIECE ((size_t)256 << 10)
#define THREADS_MAX 4
/* A thread is not worth starting for less: it is an eighth of a millisecond's work. */
#define SHARE_MIN PIECE

struct work {
	const struct selection *selection;
	size_t n_pieces;
	atomic_size_t next;
	unsigned char (*digests)[IMAGE_HASH_SIZE];
};

/* Bytes [at, at + size) of all slices put together. */
static void
hash_range(const struct selection *selection, size_t at, size_t size,
	unsigned char *ret_digest)
{
	SHA256_CTX sha;

	SHA256_Init(&sha);
	for (size_t i = 0; i < selection->n_slices && size > 0; i++) {
		const struct image_slice *slice = &selection->slices[i];
		if (at >= slice->size) {
			at -= slice->size;
			continue;
		}
		size_t n = slice->size - at < size ? slice->size - at : size;
		SHA256_Update(&sha, (const unsigned char *)slice->data + at, n);
		size -= n;
		at = 0;
	}
	SHA256_Final(ret_digest, &sha);
}

static void *
hash_pieces(void *arg)
{
	struct work *work = arg;
	size_t piece;

	while ((piece = atomic_fetch_add(&work->next, 1)) < work->n_pieces) {
		size_t at = piece * PIECE, left = work->selection->size - at;
		hash_range(work->selection, at, left < PIECE ? left : PIECE,
			work->digests[piece]);
	}
	return NULL;
}

/* The caller is one of them.  What cannot be started is not missed. */
static void
hash_with_threads(struct work *work, size_t n_threads)
{
	pthread_t threads[THREADS_MAX];
	size_t n = 0;

	while (n + 1 < n_threads && background_start(&threads[n], hash_pieces, work) == 0) {
		n++;
	}
	hash_pieces(work);
	while (n > 0) {
		pthread_join(threads[--n], NULL);
	}
}

static size_t
threads_for(size_t size)
{
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t n = n_cpus < 1 ? 1 : n_cpus < THREADS_MAX ? (size_t)n_cpus : THREADS_MAX;

	return size / SHARE_MIN < n ? size / SHARE_MIN : n;
}

int
image_hash(const struct selection *selection, unsigned char *ret_hash)
{
	struct work work = { .selection = selection,
		.n_pieces = (selection->size + PIECE - 1) / PIECE };
	SHA256_CTX sha;

	cleanup_free void *digests = calloc(work.n_pieces, sizeof(*work.digests));
	if (digests == NULL) {
		return -ENOMEM;
	}
	work.digests = digests;
	hash_with_threads(&work, threads_for(selection->size));

	SHA256_Init(&sha);
	SHA256_Update(&sha, "outboard image 1", 16);
	uint32_t head[] = { htole32((uint32_t)selection->kind),
		htole32((uint32_t)selection->n_parts) };
	SHA256_Update(&sha, head, sizeof(head));
	for (size_t i = 0; i < selection->n_parts; i++) {
		uint64_t size = htole64(selection->part_sizes[i]);
		SHA256_Update(&sha, &size, sizeof(size));
	}
	SHA256_Update(&sha, digests, work.n_pieces * IMAGE_HASH_SIZE);
	SHA256_Final(ret_hash, &sha);
	return 0;
}

int
image_hash_whole(const struct image *image, unsigned char *ret_hash)
{
	struct selection *whole;

	int r = selection_whole(image, &whole);
	if (r == 0) {
		r = image_hash(whole, ret_hash);
		selection_free(whole);
	}
	return r;
}
