/* SPDX-License-Identifier: Apache-2.0 */
/* ptx_header.c: what a PTX text says about itself and its kernels.
 *
 * The text is split into tokens; all are passed over but .version, .target and, outside
 * of braces, .entry with its parameters ("Kernel Function Directives" and "State Spaces"
 * in the PTX manual).  An entry's parameters lie behind each other, each at the next
 * multiple of its alignment, which is its size unless .align says otherwise. */
#include "cubin-loader/ptx_header.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/checked.h"
#include "common/cleanup.h"

struct token {
	const char *text; /* NULL at the end of the text */
	size_t len;
};

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_' || c == '$' || c == '%';
}

static bool
is_at(const struct ptx_text *t, const char *what, size_t len)
{
	return (size_t)(t->end - t->at) >= len && memcmp(t->at, what, len) == 0;
}

/* False if a comment does not end. */
static bool
skip_blank(struct ptx_text *t)
{
	while (t->at < t->end) {
		size_t left = (size_t)(t->end - t->at);

		if (is_space(*t->at)) {
			t->at++;
		} else if (is_at(t, "//", 2)) {
			const char *newline = memchr(t->at, '\n', left);
			t->at = newline != NULL ? newline + 1 : t->end;
		} else if (is_at(t, "/*", 2)) {
			const char *end = memmem(t->at + 2, left - 2, "*/", 2);
			if (end == NULL) {
				return false;
			}
			t->at = end + 2;
		} else {
			break;
		}
	}
	return true;
}

/* False if a string does not end. */
static bool
skip_string(struct ptx_text *t)
{
	for (t->at++; t->at < t->end; t->at++) {
		if (*t->at == '\\' && t->at + 1 < t->end) {
			t->at++;
		} else if (*t->at == '"') {
			t->at++;
			return true;
		}
	}
	return false;
}

/* A word, a word after a dot, a string, or one character.  False if malformed. */
static bool
next_token(struct ptx_text *t, struct token *ret)
{
	if (!skip_blank(t)) {
		return false;
	}
	if (t->at == t->end) {
		*ret = (struct token){ 0 };
		return true;
	}
	const char *start = t->at;
	if (*start == '\0') {
		return false;
	}
	if (*start == '"') {
		if (!skip_string(t)) {
			return false;
		}
	} else {
		t->at++;
		if (*start == '.' || is_word(*start)) {
			while (t->at < t->end && is_word(*t->at)) {
				t->at++;
			}
		}
	}
	*ret = (struct token){ start, (size_t)(t->at - start) };
	return true;
}

static bool
is(const struct token *token, const char *what)
{
	return token->text != NULL && token->len == strlen(what) &&
	       memcmp(token->text, what, token->len) == 0;
}

/* The next token has to be this one. */
static bool
expect(struct ptx_text *t, const char *what)
{
	struct token token;

	return next_token(t, &token) && is(&token, what);
}

static unsigned int
digit_of(char c)
{
	if (is_digit(c)) {
		return (unsigned int)(c - '0');
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (unsigned int)(c - 'a') + 10 : 99;
}

/* Decimal, 0x hexadecimal, 0b binary or 0 octal, maybe with U behind. */
static bool
number_of(const struct token *token, unsigned int *ret)
{
	const char *at = token->text;
	unsigned int base = 10;
	uint64_t value = 0;

	if (at == NULL || !is_digit(*at)) {
		return false;
	}
	const char *end = at + token->len;
	if (end - at > 1 && end[-1] == 'U') {
		end--;
	}
	if (end - at > 2 && at[0] == '0' && (at[1] | 0x20) == 'x') {
		base = 16;
		at += 2;
	} else if (end - at > 2 && at[0] == '0' && (at[1] | 0x20) == 'b') {
		base = 2;
		at += 2;
	} else if (end - at > 1 && at[0] == '0') {
		base = 8;
		at++;
	}
	for (; at < end; at++) {
		if (digit_of(*at) >= base) {
			return false;
		}
		value = value * base + digit_of(*at);
		if (value > UINT32_MAX) {
			return false;
		}
	}
	*ret = (unsigned int)value;
	return true;
}

static bool
next_number(struct ptx_text *t, unsigned int *ret)
{
	struct token token;

	return next_token(t, &token) && number_of(&token, ret);
}

/* sm_90, sm_90a, sm_100f; compute_90 is what older texts may say. */
static bool
arch_of(const struct token *token, struct ptx_header *header)
{
	const char *underscore =
		token->text != NULL ? memchr(token->text, '_', token->len) : NULL;
	if (underscore == NULL) {
		return false;
	}
	struct token digits = { underscore + 1, 0 };
	digits.len = token->len - (size_t)(digits.text - token->text);
	if (digits.len > 0 && !is_digit(digits.text[digits.len - 1])) {
		header->variant = digits.text[--digits.len];
	}
	return digits.len > 0 && number_of(&digits, &header->arch);
}

int
ptx_header_open(const char *text, size_t len, struct ptx_header *ret_header)
{
	struct ptx_header header = { .rest = { text, text + len } };
	struct ptx_text *t = &header.rest;
	struct token target;

	/* ".2" is a word behind a dot, hence one token. */
	struct token minor;
	if (!expect(t, ".version") || !next_number(t, &header.major) ||
		!next_token(t, &minor) || minor.len < 2 || minor.text[0] != '.') {
		return -EBADMSG;
	}
	minor.text++;
	minor.len--;
	if (!number_of(&minor, &header.minor) || !expect(t, ".target") ||
		!next_token(t, &target) || !arch_of(&target, &header)) {
		return -EBADMSG;
	}
	*ret_header = header;
	return 0;
}

void
ptx_header_deinit(struct ptx_header *header)
{
	free(header->params);
	header->params = NULL;
	header->params_allocated = 0;
}

/* .u8 -> 1, ..., .f16x2 -> 4; 0 if it is not a type.  Handles of textures, samplers and
 * surfaces are 8 bytes wide. */
static size_t
type_size(const struct token *token)
{
	static const struct {
		const char *name;
		size_t size;
	} types[] = {
		{ ".b8", 1 },
		{ ".u8", 1 },
		{ ".s8", 1 },
		{ ".b16", 2 },
		{ ".u16", 2 },
		{ ".s16", 2 },
		{ ".f16", 2 },
		{ ".bf16", 2 },
		{ ".b32", 4 },
		{ ".u32", 4 },
		{ ".s32", 4 },
		{ ".f32", 4 },
		{ ".f16x2", 4 },
		{ ".bf16x2", 4 },
		{ ".tf32", 4 },
		{ ".b64", 8 },
		{ ".u64", 8 },
		{ ".s64", 8 },
		{ ".f64", 8 },
		{ ".texref", 8 },
		{ ".samplerref", 8 },
		{ ".surfref", 8 },
		{ ".b128", 16 },
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (is(token, types[i].name)) {
			return types[i].size;
		}
	}
	return 0;
}

struct declaration {
	size_t element_size;
	size_t align;
	size_t n_elements;
};

/* What stands between .param and the name; *token is the name afterwards. */
static bool
read_type(struct ptx_text *t, struct token *token, struct declaration *d)
{
	bool is_pointer = false;

	for (;;) {
		if (!next_token(t, token) || token->text == NULL) {
			return false;
		}
		if (token->text[0] != '.') {
			return d->element_size > 0;
		}
		if (is(token, ".align")) {
			unsigned int align;
			if (!next_number(t, &align) || align == 0 ||
				(align & (align - 1)) != 0 ||
				align > PTX_PARAMS_SIZE_MAX) {
				return false;
			}
			/* Behind .ptr it is the alignment of what is pointed to. */
			if (!is_pointer) {
				d->align = align;
			}
		} else if (is(token, ".ptr")) {
			is_pointer = true;
		} else if (is(token, ".v2")) {
			d->n_elements *= 2;
		} else if (is(token, ".v4")) {
			d->n_elements *= 4;
		} else if (type_size(token) > 0) {
			d->element_size = type_size(token);
		} else if (!is_pointer) {
			return false;
		}
		if (d->n_elements > PTX_PARAMS_SIZE_MAX) {
			return false;
		}
	}
}

/* Dimensions behind the name; *token is what follows them. */
static bool
read_dimensions(struct ptx_text *t, struct token *token, struct declaration *d)
{
	while (next_token(t, token)) {
		unsigned int n;

		if (!is(token, "[")) {
			return true;
		}
		if (!next_number(t, &n) || n == 0 || !expect(t, "]") ||
			!checked_mul(d->n_elements, n, &d->n_elements) ||
			d->n_elements > PTX_PARAMS_SIZE_MAX) {
			return false;
		}
	}
	return false;
}

static int
append_param(struct ptx_header *header, size_t n, struct image_param param)
{
	if (n == header->params_allocated) {
		size_t grown = n > 0 ? 2 * n : 16;
		struct image_param *params =
			reallocarray(header->params, grown, sizeof(*params));
		if (params == NULL) {
			return -ENOMEM;
		}
		header->params = params;
		header->params_allocated = grown;
	}
	header->params[n] = param;
	return 0;
}

/* Everything between the parentheses.  The opening one has been read. */
static int
read_params(struct ptx_header *header, size_t *ret_n)
{
	struct ptx_text *t = &header->rest;
	struct token token;
	size_t n = 0;
	size_t end = 0;

	if (!next_token(t, &token)) {
		return -EBADMSG;
	}
	if (is(&token, ")")) {
		*ret_n = 0;
		return 0;
	}
	for (;;) {
		struct declaration d = { .n_elements = 1 };
		if (!is(&token, ".param") || !read_type(t, &token, &d)) {
			return -EBADMSG;
		}
		size_t align = d.align > 0 ? d.align : d.element_size * d.n_elements;
		if (!is_word(token.text[0]) || !read_dimensions(t, &token, &d)) {
			return -EBADMSG;
		}
		size_t offset = round_up(end, align);
		end = offset + d.element_size * d.n_elements;
		if (end > PTX_PARAMS_SIZE_MAX) {
			return -EBADMSG;
		}
		struct image_param param = { (uint32_t)offset, (uint32_t)(end - offset) };
		int r = append_param(header, n++, param);
		if (r < 0) {
			return r;
		}
		if (is(&token, ")")) {
			*ret_n = n;
			return 0;
		}
		if (!is(&token, ",") || !next_token(t, &token)) {
			return -EBADMSG;
		}
	}
}

/* .entry has been read. */
static int
read_kernel(struct ptx_header *header, struct ptx_kernel *ret_kernel)
{
	struct ptx_text *t = &header->rest;
	struct token name;

	if (!next_token(t, &name) || name.text == NULL || !is_word(name.text[0])) {
		return -EBADMSG;
	}
	struct ptx_text before = *t;
	struct token token;
	size_t n = 0;
	if (!next_token(t, &token)) {
		return -EBADMSG;
	}
	if (is(&token, "(")) {
		int r = read_params(header, &n);
		if (r < 0) {
			return r;
		}
	} else {
		*t = before; /* no parameter list; this may be the brace of the body */
	}
	*ret_kernel = (struct ptx_kernel){
		.name = name.text,
		.name_len = name.len,
		.params = header->params,
		.n_params = n,
	};
	return 1;
}

int
ptx_header_next_kernel(struct ptx_header *header, struct ptx_kernel *ret_kernel)
{
	struct ptx_text *t = &header->rest;
	size_t depth = 0;
	struct token token;

	while (next_token(t, &token)) {
		if (token.text == NULL) {
			return depth == 0 ? 0 : -EBADMSG;
		}
		if (is(&token, "{")) {
			depth++;
		} else if (is(&token, "}")) {
			if (depth-- == 0) {
				return -EBADMSG;
			}
		} else if (depth == 0 && is(&token, ".entry")) {
			return read_kernel(header, ret_kernel);
		}
	}
	return -EBADMSG;
}
