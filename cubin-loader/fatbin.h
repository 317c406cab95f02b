/* SPDX-License-Identifier: Apache-2.0 */
/* fatbin.h: fat binaries: the wrapper in a program, containers, and what they hold. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/reader.h"

#define FATBIN_WRAPPER_MAGIC 0x466243b1u
#define FATBIN_MAGIC 0xba55ed50u
#define FATBIN_HEADER_SIZE 16

/* One entry, uncompressed: the largest known cubin has 40 MB. */
#define FATBIN_UNCOMPRESSED_MAX ((uint64_t)512 << 20)
/* LZ4 cannot exceed 255; zstd reaches a few hundred on tables of zeros. */
#define FATBIN_RATIO_MAX 4096
/* All that one call may uncompress. */
#define FATBIN_BUDGET ((uint64_t)8 << 30)

enum fatbin_kind { FATBIN_PTX = 1, FATBIN_ELF = 2, FATBIN_LTO = 8 };

#define FATBIN_FLAG_LZ4 0x2000u
#define FATBIN_FLAG_ZSTD 0x8000u
#define FATBIN_FLAG_ARCH_SPECIFIC 0x100000u   /* sm_90a */
#define FATBIN_FLAG_FAMILY_SPECIFIC 0x200000u /* sm_100f */

/* What crt/fatbinary_section.h calls __fatBinC_Wrapper_t.  Version 1: one container at
 * data.  Version 2: a device-linked container at data, and those that it was linked from
 * in a list that ends with NULL. */
struct fatbin_wrapper {
	uint32_t magic;
	uint32_t version;
	const void *data;
	const void *const *list;
};

struct fatbin {
	struct reader entries;
};

struct fatbin_entry {
	uint16_t kind;  /* enum fatbin_kind, or one that we do not know */
	uint32_t arch;  /* major * 10 + minor */
	uint64_t flags;
	const void *data;
	size_t stored_size; /* of data */
	uint64_t size;      /* uncompressed */
	const void *whole;  /* with its header and padding, up to the next entry */
	size_t whole_size;
};

/* The bytes of an entry, uncompressed. */
struct fatbin_payload {
	const void *data;
	size_t size;
	void *owned; /* NULL if data lies in the container */
};

#define FATBIN_PAYLOAD_INIT { .data = NULL }

/* Header and all entries, according to the header.  data must hold FATBIN_HEADER_SIZE
 * bytes.  0, -EINVAL. */
int fatbin_measure(const void *data, uint64_t *ret_size);
/* size is that of the container exactly.  *ret_fatbin borrows data.  0, -EBADMSG. */
int fatbin_open(const void *data, size_t size, struct fatbin *ret_fatbin);
/* 1 and the next entry, 0 at the end, -EBADMSG. */
int fatbin_next(struct fatbin *fatbin, struct fatbin_entry *ret_entry);

/* Uncompress.  Takes the size off *budget before allocating.  The payload borrows the
 * container; fatbin_payload_deinit when done.  0, -EBADMSG, -E2BIG, -ENOMEM. */
int fatbin_payload(const struct fatbin_entry *entry, uint64_t *budget,
	struct fatbin_payload *ret_payload);
void fatbin_payload_deinit(struct fatbin_payload *payload);
