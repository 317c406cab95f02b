/* SPDX-License-Identifier: Apache-2.0 */
/* exec_builtin.c: functions that kernels call and no PTX defines: printf, malloc, assert.
 */
#include "exec_private.h"

#include <stdio.h>

#define MAX_TEXT 4096	/* of one printf of one thread */
#define MAX_STRING 1024 /* of one %s, file name or condition */
#define MAX_NUMBER 512	/* of one number, with its width */

static size_t
stride(uint32_t size)
{
	return ((size_t)size + 15) & ~(size_t)15;
}

static uint8_t *
call_area(struct exec_context *x, int lane)
{
	return x->frame->body + (size_t)lane * stride(x->frame->function->call_size);
}

/* Argument i, zero-extended; 0 if there are not so many. */
static uint64_t
argument(struct exec_context *x, const struct ptx_instr *in, uint32_t i, int lane)
{
	uint64_t value = 0;

	if (i < in->call->n_args) {
		const struct ptx_slot *slot = &in->call->args[i];

		memcpy(&value, call_area(x, lane) + slot->offset,
			slot->size < sizeof(value) ? slot->size : sizeof(value));
	}
	return value;
}

static void
give_back(struct exec_context *x, const struct ptx_instr *in, int lane, uint64_t value)
{
	if (in->call->n_rets > 0) {
		const struct ptx_slot *slot = &in->call->rets[0];

		memcpy(call_area(x, lane) + slot->offset, &value,
			slot->size < sizeof(value) ? slot->size : sizeof(value));
	}
}

/* Copy a string out of device memory, cut to size.  False: it leaves its allocation. */
static bool
read_string(struct exec_context *x, const struct ptx_instr *in, uint64_t address,
	int lane, char *text, size_t size)
{
	for (size_t i = 0; i < size - 1; i++) {
		const char *from =
			exec_mem_translate(x, in, PTX_GENERIC, address + i, 1, lane);

		if (from == NULL) {
			return false;
		}
		text[i] = *from;
		if (text[i] == 0) {
			return true;
		}
	}
	text[size - 1] = 0;
	return true;
}

/* What printf has formatted so far, and where its arguments are. */
struct format {
	struct exec_context *x;
	const struct ptx_instr *in;
	int lane;
	uint64_t arguments;
	uint64_t offset;
	char text[MAX_TEXT];
	size_t text_len;
};

static void
put(struct format *f, const char *text, size_t n)
{
	if (n > sizeof(f->text) - f->text_len) {
		n = sizeof(f->text) - f->text_len;
	}
	memcpy(f->text + f->text_len, text, n);
	f->text_len += n;
}

/* The next argument, of 4 or 8 bytes and as much aligned. */
static bool
next_argument(struct format *f, uint64_t size, uint64_t *ret_value)
{
	uint64_t value = 0;

	f->offset = (f->offset + size - 1) & ~(size - 1);
	const void *from = exec_mem_translate(
		f->x, f->in, PTX_GENERIC, f->arguments + f->offset, size, f->lane);

	if (from == NULL) {
		return false;
	}
	memcpy(&value, from, size);
	f->offset += size;
	*ret_value = value;
	return true;
}

/* One conversion of a format: what stands after the '%'. */
struct conversion {
	char spec[32]; /* as host's printf wants it */
	size_t spec_len;
	bool wide; /* the argument has 8 bytes */
	char letter;
};

/* Read flags, width, precision and length.  False: an argument for '*' is missing. */
static bool
parse_conversion(struct format *f, const char **text, struct conversion *c)
{
	const char *p = *text;
	int digits = 0;

	*c = (struct conversion){ .spec = "%", .spec_len = 1 };
	for (; *p != 0 && strchr("-+ #0123456789.*hlzjtLq", *p) != NULL; p++) {
		switch (*p) {
		case 'l':
		case 'z':
		case 'j':
		case 't':
		case 'q': c->wide = true; break;
		case 'h':
		case 'L': break;
		case '*': {
			uint64_t value;

			if (!next_argument(f, 4, &value)) {
				return false;
			}
			int width = (int32_t)value;

			width = width > 400 ? 400 : width < -400 ? -400 : width;
			if (c->spec_len < sizeof(c->spec) - 10) {
				c->spec_len += (size_t)snprintf(
					c->spec + c->spec_len, 8, "%d", width);
			}
			break;
		}
		default:
			digits = *p >= '0' && *p <= '9' ? digits + 1 : 0;
			/* Nobody needs a width above 999. */
			if (digits <= 3 && c->spec_len < sizeof(c->spec) - 6) {
				c->spec[c->spec_len++] = *p;
			}
		}
	}
	c->letter = *p != 0 ? *p++ : '%';
	*text = p;
	return true;
}

static bool
put_conversion(struct format *f, struct conversion *c)
{
	char out[MAX_STRING + MAX_NUMBER];
	char string[MAX_STRING];
	uint64_t value;
	int n;

	if (c->letter == '%') {
		put(f, "%", 1);
		return true;
	}
	bool is_float = strchr("fFeEgGaA", c->letter) != NULL;
	bool is_pointer = c->letter == 'p' || c->letter == 's' || c->letter == 'n';
	bool is_number = strchr("diouxXc", c->letter) != NULL;

	if (!is_float && !is_pointer && !is_number) {
		put(f, "%", 1);
		put(f, &c->letter, 1);
		return true;
	}
	if (!next_argument(f, c->wide || is_float || is_pointer ? 8 : 4, &value)) {
		return false;
	}
	char *end = c->spec + c->spec_len;

	if (is_number && c->wide && c->letter != 'c') {
		*end++ = 'l';
		*end++ = 'l';
	}
	*end++ = c->letter;
	*end = 0;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (c->letter == 'n') {
		n = 0; /* nothing is ever written through it */
	} else if (c->letter == 's') {
		if (value == 0) {
			strcpy(string, "(null)");
		} else if (!read_string(
				   f->x, f->in, value, f->lane, string, sizeof(string))) {
			return false;
		}
		n = snprintf(out, sizeof(out), c->spec, string);
	} else if (is_float) {
		n = snprintf(out, sizeof(out), c->spec, number_double(value));
	} else if (c->letter == 'p') {
		n = snprintf(out, sizeof(out), c->spec, (void *)(uintptr_t)value);
	} else if (c->wide && c->letter != 'c') {
		n = snprintf(out, sizeof(out), c->spec, (unsigned long long)value);
	} else {
		n = snprintf(out, sizeof(out), c->spec, (unsigned int)value);
	}
#pragma GCC diagnostic pop
	if (n > 0) {
		put(f, out, (size_t)n < sizeof(out) ? (size_t)n : sizeof(out) - 1);
	}
	return true;
}

/* int vprintf(const char *format, arguments): the number of arguments on a GPU. */
HANDLER(builtin_vprintf)
{
	const struct exec_output *output = x->state->launch->output;

	FOR_LANES(l, x->mask)
	{
		struct format f = { .x = x, .in = in, .lane = (int)l };
		char text[MAX_TEXT];
		uint64_t address = argument(x, in, 0, (int)l);
		int n = 0;
		bool good = read_string(x, in, address, (int)l, text, sizeof(text));

		f.arguments = argument(x, in, 1, (int)l);
		for (const char *p = text; good && *p != 0;) {
			size_t plain = strcspn(p, "%");

			put(&f, p, plain);
			p += plain;
			if (*p == '%') {
				struct conversion c;

				p++;
				good = parse_conversion(&f, &p, &c) &&
				       put_conversion(&f, &c);
				n += c.letter != '%';
			}
		}
		if (!good) {
			x->mask = 1u << l;
			return exec_mem_fault(x, in, NULL, address);
		}
		if (output != NULL && output->print != NULL) {
			output->print(output->opaque, f.text, f.text_len);
		}
		give_back(x, in, (int)l, (uint64_t)n);
	}
	return EXEC_NEXT;
}

HANDLER(builtin_malloc)
{
	const struct exec_memory *memory = x->state->launch->memory;

	FOR_LANES(l, x->mask)
	{
		uint64_t size = argument(x, in, 0, (int)l);
		uint64_t address = 0;

		if (size != 0 && memory->heap_alloc != NULL) {
			address = memory->heap_alloc(memory->opaque, size);
		}
		give_back(x, in, (int)l, address);
	}
	return EXEC_NEXT;
}

HANDLER(builtin_free)
{
	const struct exec_memory *memory = x->state->launch->memory;

	FOR_LANES(l, x->mask)
	{
		uint64_t address = argument(x, in, 0, (int)l);

		if (address != 0 &&
			(memory->heap_free == NULL ||
				!memory->heap_free(memory->opaque, address))) {
			x->mask = 1u << l;
			return exec_stop(x, in, EXEC_ILLEGAL_ADDRESS, address,
				"free of what malloc did not give");
		}
	}
	memset(x->bounds, 0, sizeof(x->bounds));
	return EXEC_NEXT;
}

/* void __assertfail(condition, file, line, function, size of a character) */
HANDLER(builtin_assertfail)
{
	const struct exec_output *output = x->state->launch->output;
	const uint32_t *size = x->state->launch->block;
	const uint32_t *block = x->block->index;
	char condition[MAX_STRING] = "?";
	char file[MAX_STRING] = "?";
	char function[MAX_STRING] = "?";
	char text[4 * MAX_STRING];

	FOR_LANES(l, x->mask)
	{
		uint32_t line = (uint32_t)argument(x, in, 2, (int)l);
		uint32_t t = (uint32_t)x->warp->id * WARP_SIZE + l;

		if (!read_string(x, in, argument(x, in, 0, (int)l), (int)l, condition,
			    sizeof(condition)) ||
			!read_string(x, in, argument(x, in, 1, (int)l), (int)l, file,
				sizeof(file)) ||
			!read_string(x, in, argument(x, in, 3, (int)l), (int)l, function,
				sizeof(function))) {
			break; /* an assertion has failed all the same */
		}
		int n = snprintf(text, sizeof(text),
			"%s:%u: %s: block: [%u,%u,%u], thread: [%u,%u,%u] Assertion `%s` "
			"failed.\n",
			file, line, function, block[0], block[1], block[2], t % size[0],
			t / size[0] % size[1], t / (size[0] * size[1]), condition);

		if (output != NULL && output->assertion != NULL) {
			output->assertion(output->opaque, text, (size_t)n);
		}
	}
	char what[MAX_STRING + 64];

	snprintf(what, sizeof(what), "assertion `%.200s` failed", condition);
	return exec_stop(x, in, EXEC_ASSERT, 0, what);
}

ptx_handler
exec_builtin_variant(const char *name)
{
	static const struct {
		const char *name;
		ptx_handler handler;
	} builtins[] = {
		{ "vprintf", builtin_vprintf },
		{ "malloc", builtin_malloc },
		{ "free", builtin_free },
		{ "__assertfail", builtin_assertfail },
	};

	for (size_t i = 0; i < sizeof(builtins) / sizeof(builtins[0]); i++) {
		if (strcmp(builtins[i].name, name) == 0) {
			return builtins[i].handler;
		}
	}
	return NULL;
}
