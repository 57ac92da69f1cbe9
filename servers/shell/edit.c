/* SPDX-License-Identifier: BSD-2-Clause */
/* edit.c - the line editor. Every change ends in redraw(), but for a character typed at the end
 * of a line that fits. */
#include "shell/edit.h"

#include <stdio.h>
#include <string.h>

#define CTRL(c) ((c) & 0x1f)
#define ESCAPE 0x1b
#define BACKSPACE 0x7f

static void show(struct editor *e, const char *text, size_t bytes)
{
	e->terminal.write(e->terminal.context, text, bytes);
}

static void show_text(struct editor *e, const char *text)
{
	show(e, text, strlen(text));
}

static bool is_continuation(char c)
{
	return ((uint8_t)c & 0xc0) == 0x80;
}

/* Characters in text[from, to). */
static size_t count_columns(const char *text, size_t from, size_t to)
{
	size_t columns = 0;
	for (size_t i = from; i < to; i++)
		columns += !is_continuation(text[i]);
	return columns;
}

static size_t next_character(const struct editor *e, size_t at)
{
	if (at < e->length)
		at++;
	while (at < e->length && is_continuation(e->text[at]))
		at++;
	return at;
}

static size_t previous_character(const struct editor *e, size_t at)
{
	if (at)
		at--;
	while (at && is_continuation(e->text[at]))
		at--;
	return at;
}

static size_t word_left(const struct editor *e, size_t at)
{
	while (at && e->text[at - 1] == ' ')
		at--;
	while (at && e->text[at - 1] != ' ')
		at--;
	return at;
}

static size_t word_right(const struct editor *e, size_t at)
{
	while (at < e->length && e->text[at] == ' ')
		at++;
	while (at < e->length && e->text[at] != ' ')
		at++;
	return at;
}

/* Columns that the line may use: one stays free, so that no terminal wraps. */
static size_t room(const struct editor *e)
{
	size_t prompt = count_columns(e->prompt, 0, strlen(e->prompt));
	return e->columns > prompt + 9 ? e->columns - prompt - 1 : 8;
}

static void redraw(struct editor *e)
{
	size_t width = room(e);
	if (e->cursor < e->scroll)
		e->scroll = e->cursor;
	while (count_columns(e->text, e->scroll, e->cursor) > width)
		e->scroll = next_character(e, e->scroll);
	size_t end = e->scroll;
	for (size_t i = 0; i < width && end < e->length; i++)
		end = next_character(e, end);
	show_text(e, "\r");
	show_text(e, e->prompt);
	show(e, e->text + e->scroll, end - e->scroll);
	show_text(e, "\x1b[K"); /* EL: erase to the end of the line */
	size_t back = count_columns(e->text, e->cursor, end);
	if (back) {
		char move[16];
		show(e, move, (size_t)snprintf(move, sizeof move, "\x1b[%zuD", back)); /* CUB */
	}
}

static void insert(struct editor *e, const char *text, size_t bytes)
{
	if (bytes > sizeof e->text - 1 - e->length)
		return;
	bool at_end = e->cursor == e->length;
	memmove(e->text + e->cursor + bytes, e->text + e->cursor, e->length - e->cursor);
	memcpy(e->text + e->cursor, text, bytes);
	e->length += bytes;
	e->cursor += bytes;
	e->text[e->length] = '\0';
	if (at_end && count_columns(e->text, e->scroll, e->length) <= room(e))
		show(e, text, bytes);
	else
		redraw(e);
}

/* Remove text[from, to); the cursor goes to `from`. */
static void cut(struct editor *e, size_t from, size_t to)
{
	memmove(e->text + from, e->text + to, e->length - to);
	e->length -= to - from;
	e->text[e->length] = '\0';
	e->cursor = from;
	redraw(e);
}

static void move_to(struct editor *e, size_t cursor)
{
	e->cursor = cursor;
	redraw(e);
}

static void replace_line(struct editor *e, const char *text)
{
	e->length = strlen(text);
	memmove(e->text, text, e->length + 1);
	e->scroll = 0;
	move_to(e, e->length);
}

const char *edit_history(const struct editor *e, int back)
{
	size_t end = e->history_used;
	size_t start = end;
	while (back-- > 0) {
		if (!start)
			return NULL;
		end = start - 1;
		for (start = end; start && e->history[start - 1]; start--)
			;
	}
	return e->history + start;
}

void edit_remember(struct editor *e, const char *line)
{
	size_t bytes = strlen(line) + 1;
	const char *last = edit_history(e, 1);
	if (bytes == 1 || bytes > sizeof e->history / 4 || (last && !strcmp(last, line)))
		return;
	while (e->history_used + bytes > sizeof e->history || edit_history(e, EDIT_HISTORY)) {
		size_t oldest = strlen(e->history) + 1;
		memmove(e->history, e->history + oldest, e->history_used - oldest);
		e->history_used -= oldest;
	}
	memcpy(e->history + e->history_used, line, bytes);
	e->history_used += bytes;
}

static void browse(struct editor *e, int step)
{
	int to = e->browsing + step;
	if (to < 0)
		return;
	if (to && !edit_history(e, to))
		return;
	if (!e->browsing)
		memcpy(e->kept, e->text, e->length + 1);
	e->browsing = to;
	replace_line(e, to ? edit_history(e, to) : e->kept);
}

static void complete(struct editor *e)
{
	char more[256];
	bool listed = false;
	if (!e->terminal.complete)
		return;
	size_t bytes = e->terminal.complete(e->terminal.context, e->text, e->cursor, more, sizeof more, &listed);
	if (listed)
		redraw(e);
	if (bytes)
		insert(e, more, bytes);
}

/* The last byte of a control sequence, its parameters in e->escape. ECMA-48 5.4: the final byte
 * is 0x40..0x7e. */
static void do_sequence(struct editor *e, uint8_t final)
{
	bool with_modifier = memchr(e->escape, ';', e->escape_bytes);
	switch (final) {
	case 'A': browse(e, 1); break;
	case 'B': browse(e, -1); break;
	case 'C': move_to(e, with_modifier ? word_right(e, e->cursor) : next_character(e, e->cursor)); break;
	case 'D': move_to(e, with_modifier ? word_left(e, e->cursor) : previous_character(e, e->cursor)); break;
	case 'H': move_to(e, 0); break;
	case 'F': move_to(e, e->length); break;
	case '~':
		switch (e->escape_bytes > 2 ? e->escape[2] : 0) {
		case '1': case '7': move_to(e, 0); break;
		case '4': case '8': move_to(e, e->length); break;
		case '3': cut(e, e->cursor, next_character(e, e->cursor)); break;
		}
		break;
	}
}

/* A byte of an escape sequence: ESC [ parameters final, ESC O final, or ESC and one key (alt). */
static void feed_escape(struct editor *e, uint8_t byte)
{
	if (e->escape_bytes == 1 && byte != '[' && byte != 'O') {
		e->escape_bytes = 0;
		if (byte == 'b')
			move_to(e, word_left(e, e->cursor));
		else if (byte == 'f')
			move_to(e, word_right(e, e->cursor));
		return;
	}
	if (e->escape_bytes == 1 || byte < 0x40 || byte > 0x7e) {
		if (e->escape_bytes < sizeof e->escape)
			e->escape[e->escape_bytes++] = byte;
		return;
	}
	do_sequence(e, byte);
	e->escape_bytes = 0;
}

static enum edit_result end_line(struct editor *e, enum edit_result result, const char *mark)
{
	if (e->cursor != e->length)
		move_to(e, e->length);
	show_text(e, mark);
	show_text(e, "\n");
	return result;
}

static enum edit_result feed_control(struct editor *e, uint8_t byte)
{
	switch (byte) {
	case '\r':
	case '\n':
		e->after_cr = byte == '\r';
		return end_line(e, EDIT_LINE, "");
	case CTRL('C'): return end_line(e, EDIT_CANCEL, "^C");
	case CTRL('D'):
		if (!e->length)
			return end_line(e, EDIT_END, "");
		cut(e, e->cursor, next_character(e, e->cursor));
		break;
	case CTRL('A'): move_to(e, 0); break;
	case CTRL('E'): move_to(e, e->length); break;
	case CTRL('B'): move_to(e, previous_character(e, e->cursor)); break;
	case CTRL('F'): move_to(e, next_character(e, e->cursor)); break;
	case CTRL('U'): cut(e, 0, e->cursor); break;
	case CTRL('K'): cut(e, e->cursor, e->length); break;
	case CTRL('W'): cut(e, word_left(e, e->cursor), e->cursor); break;
	case CTRL('P'): browse(e, 1); break;
	case CTRL('N'): browse(e, -1); break;
	case CTRL('H'):
	case BACKSPACE: cut(e, previous_character(e, e->cursor), e->cursor); break;
	case CTRL('L'):
		show_text(e, "\x1b[H\x1b[2J"); /* CUP, ED */
		redraw(e);
		break;
	case '\t': complete(e); break;
	case ESCAPE:
		e->escape[0] = byte;
		e->escape_bytes = 1;
		break;
	}
	return EDIT_MORE;
}

enum edit_result edit_feed(struct editor *e, uint8_t byte)
{
	bool second_half = byte == '\n' && e->after_cr;
	e->after_cr = false;
	if (second_half)
		return EDIT_MORE;
	if (e->escape_bytes) {
		feed_escape(e, byte);
		return EDIT_MORE;
	}
	if (byte < 0x20 || byte == BACKSPACE)
		return feed_control(e, byte);
	insert(e, (const char *)&byte, 1);
	return EDIT_MORE;
}

void edit_init(struct editor *e, const struct edit_terminal *terminal, size_t columns)
{
	memset(e, 0, sizeof *e);
	e->terminal = *terminal;
	e->columns = columns;
	e->prompt = "";
}

void edit_start(struct editor *e, const char *prompt)
{
	e->prompt = prompt;
	e->length = e->cursor = e->scroll = e->escape_bytes = 0;
	e->text[0] = '\0';
	e->browsing = 0;
	show_text(e, prompt);
}
