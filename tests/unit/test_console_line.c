/* SPDX-License-Identifier: BSD-2-Clause */
/* test_console_line.c - what the console server remembers of the terminal's current line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "console/line.h"

static void feed(struct line *line, const char *text)
{
	while (*text)
		line_add(line, (uint8_t)*text++);
}

static void assert_line(const struct line *line, const char *text)
{
	assert_true(line_is_whole(line));
	assert_int_equal(line->count, strlen(text));
	assert_memory_equal(line->bytes, text, line->count);
}

static void test_a_line_ends(void **state)
{
	struct line line = { 0 };

	(void)state;
	assert_true(line_is_empty(&line));
	feed(&line, "one\ntwo");
	assert_line(&line, "two");
	feed(&line, "\r\n");
	assert_true(line_is_empty(&line));
}

static void test_a_line_is_drawn_over(void **state)
{
	struct line line = { 0 };

	(void)state;
	feed(&line, "/> lx\r");
	assert_line(&line, "/> lx\r"); /* still on the screen */
	feed(&line, "/> ls");
	assert_line(&line, "/> ls");
}

static void test_a_long_line_is_not_kept(void **state)
{
	struct line line = { 0 };

	(void)state;
	for (int i = 0; i < 3 * LINE_BYTES_MAX; i++)
		line_add(&line, 'x');
	assert_false(line_is_whole(&line));
	assert_false(line_is_empty(&line));
	feed(&line, "\nshort");
	assert_line(&line, "short");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_ends),
		cmocka_unit_test(test_a_line_is_drawn_over),
		cmocka_unit_test(test_a_long_line_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
