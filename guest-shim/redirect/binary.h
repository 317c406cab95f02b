/* SPDX-License-Identifier: Apache-2.0 */
/* binary.h: what the file of a program or library says about a CUDA runtime inside it.
 *
 * Works on the bytes of the file alone; any bytes will do.  Only the headers, the section
 * headers and their names are touched, unless a runtime may be there. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/reader.h"

/* A section of this name says that a library is one of ours, and not to be redirected. */
#define BINARY_OURS ".outboard"

struct binary {
	struct reader file;
	struct reader sections;
	struct reader symbols; /* .symtab, else .dynsym, else empty */
	struct reader names;
	struct reader dynamic_names;
	bool has_fatbin;
	bool is_ours;
};

struct binary_function {
	const char *name;
	uint64_t address; /* as linked, to which the load bias is added */
	uint64_t size;
	const uint8_t *bytes; /* file contents; n_bytes of them to the section's end */
	uint64_t n_bytes;
};

enum binary_runtime {
	BINARY_NO_RUNTIME,	 /* none, or a shared one */
	BINARY_RUNTIME,		 /* a static one, with symbols */
	BINARY_RUNTIME_STRIPPED, /* a static one, whose functions cannot be found */
};

/* -EBADMSG if this is no 64-bit little-endian x86-64 program or library. */
int binary_parse(struct binary *ret_binary, const void *data, size_t size);
/* ret_major: 13, 12 or, for anything older, 11. */
enum binary_runtime binary_runtime(const struct binary *b, int *ret_major);
/* Steps through the functions cuda* and __cuda* that the file itself defines.  Begin with
 * *at = 0; false at the end. */
bool binary_next(
	const struct binary *b, size_t *at, struct binary_function *ret_function);
/* Where the next symbol after address begins; UINT64_MAX if there is none. */
uint64_t binary_next_address(const struct binary *b, uint64_t address);
