/* SPDX-License-Identifier: GPL-2.0-only */
/* boot_log.c - findings of the boot code, kept in boot_info until the kernel's log is up.
 * Rule: a line is kept whole or not at all. */

#include <stdarg.h>

#include "boot/boot.h"

struct text {
	char *at;
	uint32_t used;
	uint32_t bytes;
};

static void put_char(struct text *text, char c)
{
	if (text->used < text->bytes)
		text->at[text->used] = c;
	text->used++;
}

static void put_number(struct text *text, uint64_t value, uint32_t base)
{
	char digits[24];
	uint32_t n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (n)
		put_char(text, digits[--n]);
}

/* Signatures come from tables: whatever does not print becomes '?'. */
static void put_string(struct text *text, const char *string, uint32_t limit)
{
	for (uint32_t i = 0; i < limit && string[i]; i++)
		put_char(text, string[i] >= ' ' && string[i] < 127 ? string[i] : '?');
}

static const char *put_field(struct text *text, const char *at, va_list *arguments)
{
	uint32_t limit = UINT32_MAX;
	bool wide = false;

	if (at[0] == '.') {
		limit = (uint32_t)(at[1] - '0');
		at += 2;
	}
	if (*at == 'l') {
		wide = true;
		at++;
	}
	switch (*at) {
	case 's':
		put_string(text, va_arg(*arguments, const char *), limit);
		break;
	case 'u':
	case 'x':
		put_number(text, wide ? va_arg(*arguments, uint64_t) : va_arg(*arguments, uint32_t), *at == 'u' ? 10 : 16);
		break;
	default:
		put_char(text, *at);
	}
	return at + 1;
}

static uint32_t format_list(struct text *text, const char *format, va_list *arguments)
{
	while (*format) {
		if (*format == '%')
			format = put_field(text, format + 1, arguments);
		else
			put_char(text, *format++);
	}
	return text->used;
}

uint32_t boot_format(char *buffer, uint32_t bytes, const char *format, ...)
{
	struct text text = { .at = buffer, .bytes = bytes - 1 };
	va_list arguments;
	uint32_t length;

	va_start(arguments, format);
	length = format_list(&text, format, &arguments);
	va_end(arguments);
	length = length < bytes ? length : bytes - 1;
	buffer[length] = 0;
	return length;
}

void boot_log(struct boot_info *info, const char *format, ...)
{
	struct text text;
	va_list arguments;
	uint32_t used = 0;

	while (used < sizeof(info->log) - 1 && info->log[used])
		used++;
	text = (struct text){ .at = info->log + used, .bytes = sizeof(info->log) - 1 - used };
	va_start(arguments, format);
	format_list(&text, format, &arguments);
	va_end(arguments);
	put_char(&text, '\n');
	if (text.used > text.bytes)
		__builtin_memset(text.at, 0, text.bytes);
}
