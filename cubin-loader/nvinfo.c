/* SPDX-License-Identifier: Apache-2.0 */
/* nvinfo.c: the records of a .nv.info section.
 *
 * A record is  u8 format, u8 attribute, u16 value or length.  Format 4 is followed by
 * length bytes; every other is complete with its four bytes.  Records come in any order,
 * usually the last parameter first.  Found by comparing the sections with the sources
 * that they were compiled from. */
#include "cubin-loader/nvinfo.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/reader.h"

enum {
	FORMAT_SIZED = 4,
	ATTRIBUTE_PARAM_BANK = 0x0a, /* u32 symbol, u16 base, u16 size */
	ATTRIBUTE_PARAM = 0x17,	     /* u32 index, u16 ordinal, u16 offset, u32 packed */
	ATTRIBUTE_PARAM_SIZE = 0x19, /* the value is the size of all parameters */
	ATTRIBUTE_PARAM_WIDE = 0x45, /* as 0x17, but u16 size, u8 alignment, u8 space */
};

struct record {
	uint8_t format;
	uint8_t attribute;
	uint16_t value;
	struct reader body;
};

static bool
next_record(struct reader *r, struct record *ret)
{
	ret->format = reader_u8(r);
	ret->attribute = reader_u8(r);
	ret->value = reader_u16(r);
	ret->body = (struct reader){ .failed = true };
	if (ret->format == FORMAT_SIZED) {
		const void *body = reader_bytes(r, ret->value);
		if (body != NULL) {
			ret->body = reader_of(body, ret->value);
		}
	}
	return !r->failed;
}

/* Whether the record describes a parameter. */
static bool
is_param(const struct record *record)
{
	return record->format == FORMAT_SIZED &&
	       (record->attribute == ATTRIBUTE_PARAM ||
		       record->attribute == ATTRIBUTE_PARAM_WIDE);
}

static int
count_params(const void *data, size_t size, size_t *ret_n, size_t *ret_total)
{
	struct reader r = reader_of(data, size);
	size_t n = 0;
	size_t total = 0;

	while (reader_left(&r) > 0) {
		struct record record;
		if (!next_record(&r, &record)) {
			return -EBADMSG;
		}
		if (is_param(&record)) {
			n++;
		} else if (record.attribute == ATTRIBUTE_PARAM_SIZE &&
			   record.format != FORMAT_SIZED) {
			total = record.value;
		} else if (record.attribute == ATTRIBUTE_PARAM_BANK &&
			   record.format == FORMAT_SIZED && total == 0) {
			reader_skip(&record.body, 6);
			total = reader_u16(&record.body);
		}
	}
	if (r.failed || n > NVINFO_PARAMS_MAX) {
		return -EBADMSG;
	}
	*ret_n = n;
	*ret_total = total;
	return 0;
}

/* Enter one parameter at its ordinal.  A size of 0 marks what has not been seen yet: even
 * an empty struct has size 1. */
static int
enter_param(struct record *record, struct image_param *params, size_t n, size_t total)
{
	struct reader *r = &record->body;

	reader_skip(r, 4);
	size_t ordinal = reader_u16(r);
	struct image_param param = { .offset = reader_u16(r) };
	if (record->attribute == ATTRIBUTE_PARAM_WIDE) {
		param.size = reader_u16(r);
		reader_skip(r, 2);
	} else {
		param.size = reader_u32(r) >> 18;
	}
	if (r->failed || ordinal >= n || params[ordinal].size != 0 || param.size == 0) {
		return -EBADMSG;
	}
	if (total > 0 && param.offset + param.size > total) {
		return -EBADMSG;
	}
	params[ordinal] = param;
	return 0;
}

int
nvinfo_params(const void *data, size_t size, struct image_param **ret_params,
	size_t *ret_n_params)
{
	size_t n;
	size_t total;

	int result = count_params(data, size, &n, &total);
	if (result < 0) {
		return result;
	}
	if (n == 0) {
		if (total > 0) {
			return -ENOTSUP;
		}
		*ret_params = NULL;
		*ret_n_params = 0;
		return 0;
	}

	cleanup_free struct image_param *params = calloc(n, sizeof(*params));
	if (params == NULL) {
		return -ENOMEM;
	}
	struct reader r = reader_of(data, size);
	while (reader_left(&r) > 0) {
		struct record record;
		if (!next_record(&r, &record)) {
			return -EBADMSG;
		}
		if (!is_param(&record)) {
			continue;
		}
		/* n records with n different ordinals below n: none can be missing. */
		result = enter_param(&record, params, n, total);
		if (result < 0) {
			return result;
		}
	}
	*ret_params = TAKE(params);
	*ret_n_params = n;
	return 0;
}

int
nvinfo_validate(const void *data, size_t size)
{
	size_t n;
	size_t total;

	return count_params(data, size, &n, &total);
}
