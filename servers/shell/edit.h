/* SPDX-License-Identifier: BSD-2-Clause */
/* edit.h - line editing on a terminal that knows the common ECMA-48 sequences (8.3: CUF, EL, ED).
 * Pure: bytes go in one at a time, what the terminal shall do comes out through a function.
 * UTF-8 counts a column a character. A line wider than the terminal scrolls sideways.
 * Keys: left right home end, ctrl-A E B F, alt or ctrl with left right: by words; backspace,
 * delete, ctrl-D, ctrl-W word, ctrl-U to the start, ctrl-K to the end; up down (ctrl-P N)
 * history; ctrl-L clear; ctrl-C drop the line; tab completes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EDIT_BYTES 4096
#define EDIT_HISTORY 64
#define EDIT_HISTORY_BYTES 16384

enum edit_result {
	EDIT_MORE,   /* go on */
	EDIT_LINE,   /* editor.text is a line */
	EDIT_CANCEL, /* ctrl-C */
	EDIT_END     /* ctrl-D on an empty line */
};

struct edit_terminal {
	void (*write)(void *context, const char *text, size_t bytes);
	/* The word that ends at `cursor` of `text`: bytes to insert there go to `insert` (their
	 * number is the result); when there are several ways on, it may print them, and then sets
	 * *redraw. NULL: no completion. */
	size_t (*complete)(void *context, const char *text, size_t cursor, char *insert, size_t bytes, bool *redraw);
	void *context;
};

struct editor {
	struct edit_terminal terminal;
	const char *prompt;
	size_t columns;
	size_t length;
	size_t cursor; /* byte offset in text */
	size_t scroll; /* first byte shown */
	uint8_t escape[8];
	size_t escape_bytes; /* of a sequence that has begun */
	bool after_cr;       /* an LF behind a CR is part of it */
	size_t history_used; /* bytes of history, lines with their NULs, oldest first */
	int browsing;        /* 0: the new line; n: the n-th line back */
	char history[EDIT_HISTORY_BYTES];
	char kept[EDIT_BYTES]; /* the new line while history is browsed */
	char text[EDIT_BYTES];
};

void edit_init(struct editor *e, const struct edit_terminal *terminal, size_t columns);

/* Begin a line: prints the prompt. `prompt` stays the caller's and must live until the line ends. */
void edit_start(struct editor *e, const char *prompt);

/* One byte from the terminal. */
enum edit_result edit_feed(struct editor *e, uint8_t byte);

/* Remember a line, unless it is empty or the same as the last. */
void edit_remember(struct editor *e, const char *line);

/* The n-th line back (1 is the last), or NULL. */
const char *edit_history(const struct editor *e, int back);
