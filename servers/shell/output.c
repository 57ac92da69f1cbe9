/* SPDX-License-Identifier: BSD-2-Clause */
/* output.c - see output.h. */
#include "shell/output.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void output_flush(struct output *o)
{
	size_t done = 0;
	while (done < o->used && !o->failed) {
		ssize_t n = write(o->fd, o->bytes + done, o->used - done);
		if (n <= 0)
			o->failed = true;
		else
			done += (size_t)n;
	}
	o->used = 0;
}

void output_bytes(struct output *o, const void *data, size_t bytes)
{
	const char *from = data;
	while (bytes) {
		if (o->used == sizeof o->bytes)
			output_flush(o);
		size_t take = sizeof o->bytes - o->used < bytes ? sizeof o->bytes - o->used : bytes;
		memcpy(o->bytes + o->used, from, take);
		o->used += take;
		from += take;
		bytes -= take;
	}
}

void output_print(struct output *o, const char *format, ...)
{
	char line[1024];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	if ((size_t)length < sizeof line) {
		output_bytes(o, line, (size_t)length);
		return;
	}
	char *longer = malloc((size_t)length + 1);
	if (!longer) {
		o->failed = true;
		return;
	}
	va_start(arguments, format);
	vsnprintf(longer, (size_t)length + 1, format, arguments);
	va_end(arguments);
	output_bytes(o, longer, (size_t)length);
	free(longer);
}

/* `value / unit` with one decimal below 100, none from there on; rounded down. */
static void format_scaled(char *text, uint64_t value, uint64_t unit, const char *name)
{
	uint64_t whole = value / unit;
	if (whole >= 100)
		snprintf(text, FORMAT_BYTES, "%" PRIu64 " %s", whole, name);
	else
		snprintf(text, FORMAT_BYTES, "%u.%u %s", (unsigned)whole, (unsigned)(value % unit * 10 / unit), name);
}

const char *format_bytes(char text[FORMAT_BYTES], uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	if (bytes < 1024) {
		snprintf(text, FORMAT_BYTES, "%u B", (unsigned)bytes);
		return text;
	}
	unsigned u = 0;
	while (u < 5 && bytes >> (10 * (u + 2)))
		u++;
	unsigned shift = 10 * (u + 1);
	uint64_t whole = bytes >> shift;
	uint64_t tenth = ((bytes >> (shift - 10) & 1023) * 10) >> 10;
	if (whole >= 100)
		snprintf(text, FORMAT_BYTES, "%u %s", (unsigned)whole, units[u]);
	else
		snprintf(text, FORMAT_BYTES, "%u.%u %s", (unsigned)whole, (unsigned)tenth, units[u]);
	return text;
}

const char *format_ns(char text[FORMAT_BYTES], uint64_t ns)
{
	if (ns < 1000)
		snprintf(text, FORMAT_BYTES, "%u ns", (unsigned)ns);
	else if (ns < 1000000)
		format_scaled(text, ns, 1000, "us");
	else if (ns < 1000000000)
		format_scaled(text, ns, 1000000, "ms");
	else
		format_scaled(text, ns, 1000000000, "s");
	return text;
}

const char *format_count(char text[FORMAT_BYTES], uint64_t count)
{
	char digits[21];
	int length = snprintf(digits, sizeof digits, "%" PRIu64, count);
	int commas = (length - 1) / 3;
	if (length + commas >= FORMAT_BYTES) {
		memcpy(text, digits, (size_t)length + 1);
		return text;
	}
	text[length + commas] = '\0';
	for (int i = length - 1, out = length + commas - 1, group = 0; i >= 0; i--) {
		if (group == 3) {
			text[out--] = ',';
			group = 0;
		}
		text[out--] = digits[i];
		group++;
	}
	return text;
}

const char *format_rate(char text[FORMAT_BYTES], uint64_t bytes, uint64_t ns)
{
	unsigned __int128 per_second = (unsigned __int128)bytes * 1000000000u / (ns ? ns : 1);
	format_bytes(text, per_second > UINT64_MAX ? UINT64_MAX : (uint64_t)per_second);
	size_t length = strlen(text);
	snprintf(text + length, FORMAT_BYTES - length, "/s");
	return text;
}

static char *cell_at(struct table *t, size_t row, size_t column)
{
	return t->cells[row * t->columns + column];
}

void table_row(struct table *t)
{
	if (t->failed)
		return;
	if (t->rows == t->room) {
		size_t room = t->room ? t->room * 2 : 16;
		void *cells = realloc(t->cells, room * t->columns * sizeof t->cells[0]);
		if (!cells) {
			t->failed = true;
			return;
		}
		t->cells = cells;
		t->room = room;
	}
	for (size_t c = 0; c < t->columns; c++)
		cell_at(t, t->rows, c)[0] = '\0';
	t->rows++;
}

void table_start(struct table *t, uint32_t right, const char *header)
{
	*t = (struct table){ .columns = 1, .right = right };
	for (const char *p = header; *p; p++)
		t->columns += *p == '|';
	table_row(t);
	for (size_t c = 0; c < t->columns && !t->failed; c++) {
		size_t length = strcspn(header, "|");
		snprintf(cell_at(t, 0, c), TABLE_CELL_BYTES, "%.*s", (int)length, header);
		header += length + (header[length] == '|');
	}
}

void table_cell(struct table *t, size_t column, const char *format, ...)
{
	if (t->failed || column >= t->columns)
		return;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(cell_at(t, t->rows - 1, column), TABLE_CELL_BYTES, format, arguments);
	va_end(arguments);
}

static void print_row(struct table *t, struct output *o, size_t row, const int *widths)
{
	for (size_t c = 0; c < t->columns; c++) {
		const char *text = cell_at(t, row, c);
		bool last = c + 1 == t->columns;
		if (t->right & 1u << c)
			output_print(o, "%*s", widths[c], text);
		else if (last)
			output_print(o, "%s", text);
		else
			output_print(o, "%-*s", widths[c], text);
		output_bytes(o, last ? "\n" : "  ", last ? 1 : 2);
	}
}

void table_print(struct table *t, struct output *o, const char *empty)
{
	int widths[TABLE_COLUMNS_MAX] = { 0 };
	for (size_t row = 0; row < t->rows; row++) {
		for (size_t c = 0; c < t->columns; c++) {
			int length = (int)strlen(cell_at(t, row, c));
			widths[c] = length > widths[c] ? length : widths[c];
		}
	}
	for (size_t row = 0; row < t->rows && (t->rows > 1 || !empty); row++)
		print_row(t, o, row, widths);
	if (t->rows <= 1 && empty)
		output_print(o, "%s\n", empty);
	if (t->failed)
		output_print(o, "(memory ran out: the table is not complete)\n");
	free(t->cells);
	t->cells = NULL;
}
