/* SPDX-License-Identifier: Apache-2.0 */
/* ptx_lex.c: tokens of PTX, numbers, and the one place where errors are made.
 *
 * A word may contain dots and double colons, as in ld.shared::cta.u32 and %tid.x; but one
 * that begins with a dot ends at the next, because inline assembly is glued: ".reg.b16
 * r;". */
#include "soft-device/ptx_parse.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_word(char c)
{
	return is_letter(c) || is_digit(c) || c == '_' || c == '$' || c == '%' ||
	       c == '.';
}

static bool
fail_with(struct ptx_parser *p, int status, const char *message)
{
	if (p->status == 0) {
		uint32_t line = p->token.line != 0 ? p->token.line : p->line;

		p->status = status;
		p->error->text = p->text == 0 ? 0 : p->text - 1;
		p->error->line = line;
		if (p->n_texts > 1) {
			snprintf(p->error->message, sizeof(p->error->message),
				"ptx line %u of text %u: %s", line, p->error->text + 1,
				message);
		} else {
			snprintf(p->error->message, sizeof(p->error->message),
				"ptx line %u: %s", line, message);
		}
	}
	p->at = p->end;
	p->token.kind = TOKEN_END;
	p->token.len = 0;
	return false;
}

bool
ptx_fail(struct ptx_parser *p, const char *format, ...)
{
	char message[400];
	va_list ap;

	va_start(ap, format);
	vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	/* Names come from the text; they must not bring control characters to a log. */
	for (char *c = message; *c != '\0'; c++) {
		if ((unsigned char)*c < ' ' || *c == 127) {
			*c = '?';
		}
	}
	return fail_with(p, -EINVAL, message);
}

bool
ptx_fail_limit(struct ptx_parser *p, const char *what)
{
	char message[200];

	snprintf(message, sizeof(message), "%s", what);
	return fail_with(p, -E2BIG, message);
}

bool
ptx_fail_memory(struct ptx_parser *p)
{
	/* An arena does not say whether memory or the budget is at its end; the budget is
	 * by far the more likely. */
	return fail_with(p, -E2BIG, "the module needs too much memory");
}

bool
ptx_grow(struct ptx_parser *p, void **items, uint32_t n, uint32_t *capacity, size_t size)
{
	if (p->status != 0) {
		return false;
	}
	if (n < *capacity) {
		return true;
	}
	uint32_t more = *capacity == 0 ? 64 : *capacity * 2;
	size_t cost = (size_t)(more - *capacity) * size;

	if (more > UINT32_MAX / 4 || cost > *p->budget) {
		return ptx_fail_memory(p);
	}
	void *grown = realloc(*items, (size_t)more * size);

	if (grown == NULL) {
		return ptx_fail_memory(p);
	}
	*p->budget -= cost;
	*items = grown;
	*capacity = more;
	return true;
}

static void
skip_blanks(struct ptx_parser *p)
{
	for (;;) {
		while (p->at < p->end &&
			(*p->at == ' ' || (*p->at >= '\t' && *p->at <= '\r'))) {
			p->line += *p->at == '\n';
			p->at++;
		}
		if (p->at == p->end) {
			return;
		}
		bool two = p->end - p->at >= 2 && p->at[0] == '/';

		if (*p->at == '#' || (two && p->at[1] == '/')) {
			while (p->at < p->end && *p->at != '\n') {
				p->at++;
			}
		} else if (two && p->at[1] == '*') {
			p->at += 2;
			while (p->at < p->end &&
				!(p->end - p->at >= 2 && p->at[0] == '*' &&
					p->at[1] == '/')) {
				p->line += *p->at == '\n';
				p->at++;
			}
			p->at += p->at < p->end ? 2 : 0;
		} else {
			return;
		}
	}
}

static size_t
word_len(const char *s, const char *end)
{
	bool directive = *s == '.';
	const char *c = s + 1;

	while (c < end) {
		if (end - c >= 3 && c[0] == ':' && c[1] == ':' && is_word(c[2])) {
			c += 2;
		} else if (!is_word(*c) || (directive && *c == '.')) {
			break;
		}
		c++;
	}
	return (size_t)(c - s);
}

static size_t
number_len(const char *s, const char *end)
{
	const char *c = s;
	bool real = false;

	while (c < end && (is_letter(*c) || is_digit(*c) || *c == '.')) {
		real |= *c == '.';
		if (real && (*c == 'e' || *c == 'E') && end - c >= 2 &&
			(c[1] == '-' || c[1] == '+')) {
			c++;
		}
		c++;
	}
	return (size_t)(c - s);
}

void
ptx_next(struct ptx_parser *p)
{
	skip_blanks(p);
	p->token =
		(struct ptx_token){ .kind = TOKEN_END, .text = p->at, .line = p->line };
	if (p->at == p->end) {
		return;
	}
	char c = *p->at;

	if (is_letter(c) || c == '_' || c == '$' || c == '%' ||
		(c == '.' && p->end - p->at >= 2 && is_letter(p->at[1]))) {
		p->token.kind = TOKEN_WORD;
		p->token.len = word_len(p->at, p->end);
	} else if (is_digit(c)) {
		p->token.kind = TOKEN_NUMBER;
		p->token.len = number_len(p->at, p->end);
	} else if (c == '"') {
		const char *close = memchr(p->at + 1, '"', (size_t)(p->end - p->at - 1));

		if (close == NULL) {
			ptx_fail(p, "a string has no end");
			return;
		}
		p->token.kind = TOKEN_STRING;
		p->token.len = (size_t)(close + 1 - p->at);
	} else {
		p->token.kind = TOKEN_PUNCTUATION;
		p->token.len = 1;
	}
	if (p->token.len > PTX_MAX_NAME && p->token.kind != TOKEN_STRING) {
		ptx_fail_limit(p, "a name is too long");
		return;
	}
	p->at += p->token.len;
}

bool
ptx_token_is(const struct ptx_token *token, const char *text)
{
	return token->kind != TOKEN_END && strncmp(token->text, text, token->len) == 0 &&
	       text[token->len] == '\0';
}

bool
ptx_is(const struct ptx_parser *p, const char *text)
{
	return ptx_token_is(&p->token, text);
}

bool
ptx_accept(struct ptx_parser *p, const char *text)
{
	if (!ptx_is(p, text)) {
		return false;
	}
	ptx_next(p);
	return true;
}

bool
ptx_expect(struct ptx_parser *p, const char *text)
{
	if (ptx_accept(p, text)) {
		return true;
	}
	if (p->token.kind == TOKEN_END) {
		return ptx_fail(p, "expected '%s' before the end of the text", text);
	}
	return ptx_fail(p, "expected '%s' before '%.*s'", text,
		(int)(p->token.len > 200 ? 200 : p->token.len), p->token.text);
}

const char *
ptx_name(struct ptx_parser *p, const char *what)
{
	if (p->token.kind != TOKEN_WORD || p->token.text[0] == '.') {
		ptx_fail(p, "expected %s", what);
		return "";
	}
	const char *name =
		ptx_arena_string(p->module->arena, p->token.text, p->token.len);

	if (name == NULL) {
		ptx_fail_memory(p);
		return "";
	}
	ptx_next(p);
	return name;
}

bool
ptx_at_label(const struct ptx_parser *p)
{
	const char *c = p->at;

	if (p->token.kind != TOKEN_WORD || p->token.text[0] == '.') {
		return false;
	}
	while (c < p->end && (*c == ' ' || *c == '\t')) {
		c++;
	}
	return c < p->end && *c == ':';
}

void
ptx_skip_line(struct ptx_parser *p)
{
	/* The token itself may have been the last of its line. */
	while (p->at < p->end && *p->at != '\n') {
		p->at++;
	}
	ptx_next(p);
}

void
ptx_skip_statement(struct ptx_parser *p)
{
	uint32_t depth = 0;

	while (p->token.kind != TOKEN_END && !ptx_is(p, ";")) {
		if (ptx_is(p, "{")) {
			depth++;
		} else if (ptx_is(p, "}") && depth-- == 0) {
			break;
		}
		ptx_next(p);
	}
	ptx_expect(p, ";");
}

bool
ptx_skip_parentheses(struct ptx_parser *p, const char *word)
{
	uint32_t depth = 0;
	bool found = false;

	do {
		if (ptx_is(p, "(")) {
			depth++;
		} else if (depth == 0) {
			return ptx_expect(p, "(");
		} else if (ptx_is(p, ")")) {
			depth--;
		} else if (p->token.kind == TOKEN_END) {
			return ptx_expect(p, ")");
		}
		found |= ptx_is(p, word);
		ptx_next(p);
	} while (depth > 0);
	return found;
}

void
ptx_skip_block(struct ptx_parser *p)
{
	uint32_t depth = 0;

	do {
		if (ptx_is(p, "{")) {
			depth++;
		} else if (ptx_is(p, "}")) {
			depth--;
		} else if (p->token.kind == TOKEN_END) {
			ptx_fail(p, "expected '}' before the end of the text");
			return;
		}
		ptx_next(p);
	} while (depth > 0);
}

static unsigned int
digit_value(char c)
{
	if (is_digit(c)) {
		return (unsigned int)(c - '0');
	}
	if (is_letter(c)) {
		return ((unsigned int)c | 32) - 'a' + 10;
	}
	return 99;
}

static bool
parse_digits(const char *s, size_t len, unsigned int base, uint64_t *ret)
{
	uint64_t value = 0;

	if (len == 0) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned int digit = digit_value(s[i]);

		if (digit >= base ||
			__builtin_mul_overflow(value, (uint64_t)base, &value) ||
			__builtin_add_overflow(value, (uint64_t)digit, &value)) {
			return false;
		}
	}
	*ret = value;
	return true;
}

/* In the C locale, whatever the program has set. */
static bool
parse_real(const char *s, size_t len, uint64_t *ret)
{
	char text[128];
	char *end;

	if (len >= sizeof(text)) {
		return false;
	}
	memcpy(text, s, len);
	text[len] = '\0';
	locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);

	if (c_locale == (locale_t)0) {
		return false;
	}
	double value = strtod_l(text, &end, c_locale);

	freelocale(c_locale);
	memcpy(ret, &value, sizeof(*ret));
	return *end == '\0';
}

uint64_t
ptx_number(struct ptx_parser *p, enum ptx_number_kind *ret_kind)
{
	const char *s = p->token.text;
	size_t len = p->token.len;
	uint64_t value = 0;
	bool valid;

	*ret_kind = NUMBER_INTEGER;
	if (p->token.kind != TOKEN_NUMBER) {
		ptx_fail(p, "expected a number");
		return 0;
	}
	char mark = len >= 2 && s[0] == '0' ? (char)(s[1] | 32) : '\0';

	if (mark == 'f' && len == 10) {
		*ret_kind = NUMBER_F32;
		valid = parse_digits(s + 2, 8, 16, &value);
	} else if (mark == 'd' && len == 18) {
		*ret_kind = NUMBER_F64;
		valid = parse_digits(s + 2, 16, 16, &value);
	} else if (memchr(s, '.', len) != NULL) {
		*ret_kind = NUMBER_F64;
		valid = parse_real(s, len, &value);
	} else {
		if (len > 1 && (s[len - 1] == 'U' || s[len - 1] == 'u')) {
			len--;
		}
		if (mark == 'x') {
			valid = parse_digits(s + 2, len - 2, 16, &value);
		} else if (mark == 'b') {
			valid = parse_digits(s + 2, len - 2, 2, &value);
		} else if (mark != '\0' && len > 1) {
			valid = parse_digits(s + 1, len - 1, 8, &value);
		} else {
			valid = parse_digits(s, len, 10, &value);
		}
	}
	if (!valid) {
		ptx_fail(p, "bad number '%.*s'", (int)(len > 100 ? 100 : len), s);
		return 0;
	}
	ptx_next(p);
	return value;
}

/* A number with any signs before it. */
static uint64_t
factor(struct ptx_parser *p)
{
	bool negative = false;
	bool inverted = false;

	for (;;) {
		if (ptx_accept(p, "-")) {
			negative = !negative;
		} else if (ptx_accept(p, "~")) {
			inverted = !inverted;
		} else {
			break;
		}
	}
	enum ptx_number_kind kind;
	uint64_t value = ptx_number(p, &kind);

	if (kind != NUMBER_INTEGER) {
		ptx_fail(p, "expected an integer");
		return 0;
	}
	value = inverted ? ~value : value;
	return negative ? 0 - value : value;
}

static uint64_t
product(struct ptx_parser *p)
{
	uint64_t value = factor(p);

	while (ptx_accept(p, "*")) {
		value *= factor(p);
	}
	return value;
}

int64_t
ptx_integer(struct ptx_parser *p)
{
	uint64_t value = product(p);

	for (;;) {
		if (ptx_accept(p, "+")) {
			value += product(p);
		} else if (ptx_is(p, "-")) {
			value += product(p);
		} else {
			return (int64_t)value;
		}
	}
}

uint64_t
ptx_count(struct ptx_parser *p, uint64_t maximum, const char *what)
{
	int64_t n = ptx_integer(p);

	if (n < 0 || (uint64_t)n > maximum) {
		ptx_fail_limit(p, what);
		return 0;
	}
	return (uint64_t)n;
}
