/* SPDX-License-Identifier: Apache-2.0 */
/* call.h: the messages, as data: name, number, sizes and XDR filters of every call.
 *
 * The table is generated from rpc/calls/.  Guest, host, tests and fuzzers find in it all
 * that can be known about a message without knowing what the call means. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rpc/rpc.h>

#include "outboard.h"

/* Where the last opaque of a message is, so that its bytes need not be copied. */
struct call_payload_place {
	bool has;
	size_t wire_at;   /* of its length word, from the start of arguments or results */
	size_t struct_at; /* of its call_payload, in the args or out struct */
};

struct call_info {
	const char *name;
	uint32_t number;
	bool one_way;
	bool needs_context;
	size_t args_size;
	xdrproc_t args_xdr;
	size_t ret_size;
	xdrproc_t ret_xdr;
	size_t out_at; /* of the results in the ret struct; 0 if there are none */
	struct call_payload_place payload;
	struct call_payload_place ret_payload;
};

struct call_domain {
	const char *name;
	const struct call_info *calls;
	size_t n_calls;
};

#define CALL_DOMAINS_MAX 16
extern const struct call_domain call_domains[CALL_DOMAINS_MAX];

/* The first bytes of every ret struct. */
struct call_ret_head {
	call_lane lane;
	int result; /* CUresult */
};

/* NULL if there is no such procedure. */
static inline const struct call_info *
call_find(uint32_t number)
{
	uint32_t high = number >> 8, low = number & 0xff;

	if (high >= CALL_DOMAINS_MAX || low >= call_domains[high].n_calls) {
		return NULL;
	}
	const struct call_info *info = &call_domains[high].calls[low];
	return info->name != NULL ? info : NULL;
}

/* "cuMemAlloc_v2", or "procedure 0x..." is not known: "?". */
const char *call_name(uint32_t number);

/* ---- handles ---- */

/* The types a handle can have; the wire's numbers, never reused. */
enum handle_type {
	HANDLE_CUcontext = 1,
	HANDLE_CUmodule = 2,
	HANDLE_CUfunction = 3,
	HANDLE_CUlibrary = 4,
	HANDLE_CUkernel = 5,
	HANDLE_CUstream = 6,
	HANDLE_CUevent = 7,
	HANDLE_TYPES,
};

/* Handles of one guest at a time: bounds the host's table. */
#define HANDLE_INDEX_MAX (1u << 20)

static inline call_handle
handle_make(enum handle_type type, uint32_t generation, uint32_t index)
{
	return (call_handle)type << 56 | (call_handle)(generation & 0xffffff) << 32 | index;
}

static inline unsigned
handle_type_of(call_handle handle)
{
	return (unsigned)(handle >> 56);
}

static inline uint32_t
handle_generation_of(call_handle handle)
{
	return (uint32_t)(handle >> 32) & 0xffffff;
}

static inline uint32_t
handle_index_of(call_handle handle)
{
	return (uint32_t)handle;
}
