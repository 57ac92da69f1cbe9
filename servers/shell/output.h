/* SPDX-License-Identifier: BSD-2-Clause */
/* output.h - what commands print: a small buffer before a descriptor, formats for sizes and
 * times, aligned columns. One thread. An error of the descriptor is kept in `failed` and later
 * output is dropped. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTPUT_BYTES 4096
#define FORMAT_BYTES 24 /* room for what format_* write */

struct output {
	int fd;
	bool failed;
	size_t used;
	char bytes[OUTPUT_BYTES];
};

void output_bytes(struct output *o, const void *data, size_t bytes);
void output_print(struct output *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
void output_flush(struct output *o);

/* "512 B", "4.0 KiB", "25.3 MiB"; "1.24 s", "12.3 ms", "840 ns"; "12,345". All return `text`. */
const char *format_bytes(char text[FORMAT_BYTES], uint64_t bytes);
const char *format_ns(char text[FORMAT_BYTES], uint64_t ns);
const char *format_count(char text[FORMAT_BYTES], uint64_t count);
/* Bytes per second out of bytes and nanoseconds: "25.3 MiB/s". */
const char *format_rate(char text[FORMAT_BYTES], uint64_t bytes, uint64_t ns);

/* A table: cells are text, columns as wide as their widest cell, two blanks between. Rows are
 * copied. */
#define TABLE_COLUMNS_MAX 12
#define TABLE_CELL_BYTES 48

struct table {
	size_t columns;
	size_t rows;
	size_t room;      /* rows allocated */
	uint32_t right;   /* bit n: column n is flush right */
	char (*cells)[TABLE_CELL_BYTES];
	bool failed;      /* memory ran out: later rows are dropped, and table_print says so */
};

/* `header` is one NUL-terminated string with a '|' between the columns' names. */
void table_start(struct table *t, uint32_t right, const char *header);
void table_row(struct table *t);
void table_cell(struct table *t, size_t column, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Print it, if there is anything under the header or `empty` is NULL; else `empty`. Frees it. */
void table_print(struct table *t, struct output *o, const char *empty);
