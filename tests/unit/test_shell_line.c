/* SPDX-License-Identifier: BSD-2-Clause */
/* test_shell_line.c - the shell's grammar and its line editor, key by key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "shell/edit.h"
#include "shell/line.h"

static void words_and_quotes(void **state)
{
	(void)state;
	struct line_command c;
	const char *cursor = "  echo 'a b'\"c \\\" d\" e\\ f '' # comment";
	assert_null(line_next(&cursor, &c));
	assert_int_equal(c.argc, 4);
	assert_string_equal(c.argv[0], "echo");
	assert_string_equal(c.argv[1], "a bc \" d");
	assert_string_equal(c.argv[2], "e f");
	assert_string_equal(c.argv[3], "");
	assert_null(c.argv[4]);
	assert_int_equal(c.next, LINE_END);
}

static void separators_and_redirections(void **state)
{
	(void)state;
	struct line_command c;
	const char *cursor = "cat<in>>out;ls -l&&pwd > 'x y' ;";
	assert_null(line_next(&cursor, &c));
	assert_int_equal(c.argc, 1);
	assert_string_equal(c.input, "in");
	assert_string_equal(c.output, "out");
	assert_true(c.append);
	assert_int_equal(c.next, LINE_THEN);
	assert_null(line_next(&cursor, &c));
	assert_int_equal(c.argc, 2);
	assert_null(c.output);
	assert_int_equal(c.next, LINE_AND);
	assert_null(line_next(&cursor, &c));
	assert_string_equal(c.output, "x y");
	assert_false(c.append);
	assert_int_equal(c.next, LINE_THEN);
	assert_null(line_next(&cursor, &c));
	assert_int_equal(c.argc, 0);
	assert_int_equal(c.next, LINE_END);
}

static void refuse_nonsense(void **state)
{
	(void)state;
	static const char *const lines[] = { "echo 'a", "echo \"a", "cat <", "cat > ;", "a & b", "> x", "&& a" };
	struct line_command c;
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		const char *cursor = lines[i];
		assert_non_null(line_next(&cursor, &c));
	}
	char many[LINE_WORDS_MAX * 2 + 3];
	for (size_t i = 0; i < sizeof many - 1; i++)
		many[i] = i % 2 ? ' ' : 'x';
	many[sizeof many - 1] = '\0';
	const char *cursor = many;
	assert_string_equal(line_next(&cursor, &c), "too many words");
	char longest[LINE_BYTES * 2];
	memset(longest, 'y', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	cursor = longest;
	assert_string_equal(line_next(&cursor, &c), "the line is too long");
}

/* A terminal that keeps one row: what is on it, and where its cursor is. */
struct screen {
	char row[256];
	size_t column;
	size_t parameter;
	int escape;
};

static void screen_byte(struct screen *s, char c)
{
	if (s->escape) {
		if (s->escape == 1 && c == '[') {
			s->escape = 2;
			s->parameter = 0;
		} else if (c >= '0' && c <= '9') {
			s->parameter = s->parameter * 10 + (size_t)(c - '0');
		} else {
			if (c == 'K')
				s->row[s->column] = '\0';
			if (c == 'D')
				s->column -= s->parameter;
			s->escape = 0;
		}
	} else if (c == 0x1b) {
		s->escape = 1;
	} else if (c == '\r') {
		s->column = 0;
	} else if (c != '\n') {
		if (!s->row[s->column])
			s->row[s->column + 1] = '\0';
		s->row[s->column++] = c;
	}
}

static void screen_write(void *context, const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		screen_byte(context, text[i]);
}

static size_t complete_e(void *context, const char *text, size_t cursor, char *insert, size_t bytes, bool *redraw)
{
	(void)context, (void)bytes, (void)redraw;
	if (!cursor || text[cursor - 1] != 'e')
		return 0;
	memcpy(insert, "cho ", 4);
	return 4;
}

static struct editor editor;
static struct screen screen;

static void start(size_t columns)
{
	struct edit_terminal terminal = { screen_write, complete_e, &screen };
	memset(&screen, 0, sizeof screen);
	edit_init(&editor, &terminal, columns);
	edit_start(&editor, "$ ");
}

static enum edit_result type(const char *keys)
{
	enum edit_result result = EDIT_MORE;
	for (; *keys; keys++)
		result = edit_feed(&editor, (uint8_t)*keys);
	return result;
}

static void check(const char *keys, const char *text, size_t column)
{
	start(80);
	type(keys);
	assert_string_equal(editor.text, text);
	assert_int_equal(memcmp(screen.row, "$ ", 2), 0);
	assert_string_equal(screen.row + 2, text);
	assert_int_equal(screen.column, 2 + column);
}

static void every_key(void **state)
{
	(void)state;
	check("hello", "hello", 5);
	check("helo\x1b[Dl", "hello", 4);
	check("ello\x01h", "hello", 1);
	check("ello\x1b[Hh\x1b[F!", "hello!", 6);
	check("ello\x1b[1~h\x1bOF!", "hello!", 6);
	check("hellox\x7f", "hello", 5);
	check("hxello\x01\x06\x1b[3~", "hello", 1);
	check("one two three\x17", "one two ", 8);
	check("one two three\x17\x17", "one ", 4);
	check("one two\x02\x02\x15", "wo", 0);
	check("one two\x02\x02\x0b", "one t", 5);
	check("one two\x1b[1;5D\x1b[1;5DX", "Xone two", 1);
	check("one two\x1b"
		  "bX\x1b"
		  "fY",
		"one XtwoY", 9);
	check("e\tx", "echo x", 6);
	check("x\t", "x", 1);
	check("\x7f\x1b[D\x1b[A\x1b[B", "", 0);
	check("ab\x1b[99;99;99;99;99;99Zc", "abc", 3);
}

static void utf8_moves_by_characters(void **state)
{
	(void)state;
	start(80);
	type("a\xc3\xa4\xe2\x82\xac"
		 "b\x1b[D\x1b[D\x7f");
	assert_string_equal(editor.text, "a\xe2\x82\xac"
									 "b");
}

static void ends(void **state)
{
	(void)state;
	start(80);
	assert_int_equal(type("ls\r"), EDIT_LINE);
	edit_start(&editor, "$ ");
	assert_int_equal(type("\n"), EDIT_MORE);
	assert_int_equal(type("x\n"), EDIT_LINE);
	edit_start(&editor, "$ ");
	assert_int_equal(type("x\x03"), EDIT_CANCEL);
	edit_start(&editor, "$ ");
	assert_int_equal(type("\x04"), EDIT_END);
}

static void remember_and_browse(void **state)
{
	(void)state;
	start(80);
	edit_remember(&editor, "one");
	edit_remember(&editor, "two");
	edit_remember(&editor, "two");
	edit_remember(&editor, "");
	type("new\x1b[A");
	assert_string_equal(editor.text, "two");
	type("\x1b[A");
	assert_string_equal(editor.text, "one");
	type("\x1b[A");
	assert_string_equal(editor.text, "one");
	type("\x1b[B\x1b[B");
	assert_string_equal(editor.text, "new");
	char line[24];
	for (int i = 0; i < 5000; i++) {
		snprintf(line, sizeof line, "line %d", i);
		edit_remember(&editor, line);
	}
	assert_string_equal(edit_history(&editor, 1), "line 4999");
	assert_string_equal(edit_history(&editor, EDIT_HISTORY - 1), "line 4937");
	assert_null(edit_history(&editor, EDIT_HISTORY + 1));
}

static void long_lines_scroll(void **state)
{
	(void)state;
	start(20);
	type("0123456789abcdefghijklmnopqrstuvwxyz");
	assert_int_equal(editor.length, 36);
	assert_true(screen.column < 20);
	type("\x01");
	assert_int_equal(screen.column, 2);
	assert_memory_equal(screen.row, "$ 0123456789", 12);
	start(80);
	for (int i = 0; i < 2 * EDIT_BYTES; i++)
		edit_feed(&editor, 'x');
	assert_int_equal(editor.length, EDIT_BYTES - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_and_quotes),
		cmocka_unit_test(separators_and_redirections),
		cmocka_unit_test(refuse_nonsense),
		cmocka_unit_test(every_key),
		cmocka_unit_test(utf8_moves_by_characters),
		cmocka_unit_test(ends),
		cmocka_unit_test(remember_and_browse),
		cmocka_unit_test(long_lines_scroll),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
