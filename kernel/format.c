/* SPDX-License-Identifier: GPL-2.0-only */
/* format.c - printf's formatting, as much of it as the kernel uses: d i u x p c s %, flags - and 0, width, precision of
 * strings, * for both, l ll z lengths. Always ends in a NUL; returns the number of bytes written before it. */
#include "kernel/log.h"

#define DIGITS_MAX 24

struct output {
	char *buffer;
	size_t limit; /* bytes that fit before the NUL */
	size_t used;
};

struct field {
	bool left;
	char pad;
	size_t width;
	size_t precision; /* SIZE_MAX: none given */
	bool wide;        /* 64-bit argument */
};

static void put(struct output *out, char c)
{
	if (out->used < out->limit)
		out->buffer[out->used++] = c;
}

static void put_field(struct output *out, const struct field *field, const char *text, size_t bytes)
{
	size_t padding = field->width > bytes ? field->width - bytes : 0;

	if (field->pad == '0' && !field->left && bytes > 0 && text[0] == '-') {
		put(out, '-');
		text++;
		bytes--;
	}
	for (; !field->left && padding > 0; padding--)
		put(out, field->pad);
	for (size_t i = 0; i < bytes; i++)
		put(out, text[i]);
	for (; padding > 0; padding--)
		put(out, ' ');
}

static void put_number(struct output *out, const struct field *field, uint64_t value, uint32_t base, const char *prefix,
		       bool negative)
{
	char digits[DIGITS_MAX];
	size_t at = DIGITS_MAX;

	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	for (size_t i = 0; prefix[i]; i++)
		put(out, prefix[i]);
	if (negative)
		digits[--at] = '-';
	put_field(out, field, digits + at, DIGITS_MAX - at);
}

static void put_string(struct output *out, const struct field *field, const char *text)
{
	size_t bytes = 0;

	if (text == NULL)
		text = "(null)";
	while (bytes < field->precision && text[bytes])
		bytes++;
	put_field(out, field, text, bytes);
}

static size_t number_parse(const char **format)
{
	size_t value = 0;

	while (**format >= '0' && **format <= '9')
		value = value * 10 + (size_t)(*(*format)++ - '0');
	return value;
}

static size_t size_parse(const char **format, __builtin_va_list *arguments)
{
	int value;

	if (**format != '*')
		return number_parse(format);
	(*format)++;
	value = __builtin_va_arg(*arguments, int);
	return value > 0 ? (size_t)value : 0;
}

static struct field field_parse(const char **format, __builtin_va_list *arguments)
{
	struct field field = { .pad = ' ', .precision = SIZE_MAX };

	for (;; (*format)++) {
		if (**format == '-')
			field.left = true;
		else if (**format == '0')
			field.pad = '0';
		else
			break;
	}
	field.width = size_parse(format, arguments);
	if (**format == '.') {
		(*format)++;
		field.precision = size_parse(format, arguments);
	}
	for (; **format == 'l' || **format == 'z'; (*format)++)
		field.wide = true;
	return field;
}

static void put_signed(struct output *out, const struct field *field, __builtin_va_list *arguments)
{
	int64_t value = field->wide ? __builtin_va_arg(*arguments, int64_t) : __builtin_va_arg(*arguments, int32_t);

	put_number(out, field, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, "", value < 0);
}

static void put_unsigned(struct output *out, const struct field *field, uint32_t base, __builtin_va_list *arguments)
{
	uint64_t value = field->wide ? __builtin_va_arg(*arguments, uint64_t) : __builtin_va_arg(*arguments, uint32_t);

	put_number(out, field, value, base, "", false);
}

static void put_argument(struct output *out, char kind, const struct field *field, __builtin_va_list *arguments)
{
	char one;

	switch (kind) {
	case 'd':
	case 'i':
		put_signed(out, field, arguments);
		break;
	case 'u':
		put_unsigned(out, field, 10, arguments);
		break;
	case 'x':
		put_unsigned(out, field, 16, arguments);
		break;
	case 'p':
		put_number(out, field, (uint64_t)__builtin_va_arg(*arguments, void *), 16, "0x", false);
		break;
	case 's':
		put_string(out, field, __builtin_va_arg(*arguments, const char *));
		break;
	case 'c':
		one = (char)__builtin_va_arg(*arguments, int);
		put_field(out, field, &one, 1);
		break;
	default: /* "%%", and whatever we do not know */
		put(out, kind);
	}
}

int format_vtext(char *buffer, size_t bytes, const char *format, __builtin_va_list arguments)
{
	struct output out = { .buffer = buffer, .limit = bytes > 0 ? bytes - 1 : 0 };
	struct field field;
	__builtin_va_list rest;

	__builtin_va_copy(rest, arguments);
	while (*format) {
		if (*format != '%') {
			put(&out, *format++);
			continue;
		}
		format++;
		field = field_parse(&format, &rest);
		if (*format)
			put_argument(&out, *format++, &field, &rest);
	}
	__builtin_va_end(rest);
	if (bytes > 0)
		buffer[out.used] = '\0';
	return (int)out.used;
}

int format_text(char *buffer, size_t bytes, const char *format, ...)
{
	__builtin_va_list arguments;
	int used;

	__builtin_va_start(arguments, format);
	used = format_vtext(buffer, bytes, format, arguments);
	__builtin_va_end(arguments);
	return used;
}
