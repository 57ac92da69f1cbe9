/* SPDX-License-Identifier: BSD-2-Clause */
/* test_shell_output.c - sizes, times and tables as people read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "shell/output.h"

static void sizes(void **state)
{
	(void)state;
	char text[FORMAT_BYTES];
	assert_string_equal(format_bytes(text, 0), "0 B");
	assert_string_equal(format_bytes(text, 1023), "1023 B");
	assert_string_equal(format_bytes(text, 1024), "1.0 KiB");
	assert_string_equal(format_bytes(text, 1536), "1.5 KiB");
	assert_string_equal(format_bytes(text, 1048575), "1023 KiB");
	assert_string_equal(format_bytes(text, 26600000), "25.3 MiB");
	assert_string_equal(format_bytes(text, 1ull << 40), "1.0 TiB");
	assert_string_equal(format_bytes(text, UINT64_MAX), "15.9 EiB");
}

static void times_and_counts(void **state)
{
	(void)state;
	char text[FORMAT_BYTES];
	assert_string_equal(format_ns(text, 999), "999 ns");
	assert_string_equal(format_ns(text, 12300), "12.3 us");
	assert_string_equal(format_ns(text, 123456789), "123 ms");
	assert_string_equal(format_ns(text, 1240000000), "1.2 s");
	assert_string_equal(format_count(text, 0), "0");
	assert_string_equal(format_count(text, 999), "999");
	assert_string_equal(format_count(text, 1000), "1,000");
	assert_string_equal(format_count(text, 12345678), "12,345,678");
	assert_true(strlen(format_count(text, UINT64_MAX)) < FORMAT_BYTES);
	assert_string_equal(format_rate(text, 1 << 20, 500000000), "2.0 MiB/s");
	assert_true(strlen(format_rate(text, UINT64_MAX, 1)) < FORMAT_BYTES);
	assert_string_equal(format_rate(text, 0, 0), "0 B/s");
}

static void aligned_table(void **state)
{
	(void)state;
	struct output out = { 0 };
	struct table t;
	int fds[2];
	char text[256] = "";
	assert_int_equal(pipe(fds), 0);
	out.fd = fds[1];
	table_start(&t, 0x1, "n|name");
	table_row(&t);
	table_cell(&t, 0, "%d", 7);
	table_cell(&t, 1, "seven");
	table_row(&t);
	table_cell(&t, 0, "%d", 1234);
	table_cell(&t, 9, "ignored");
	table_print(&t, &out, NULL);
	output_flush(&out);
	close(fds[1]);
	assert_int_equal(read(fds[0], text, sizeof text - 1), 30);
	assert_string_equal(text, "   n  name\n   7  seven\n1234  \n");
	table_start(&t, 0, "n|name");
	table_print(&t, &out, "nothing");
	assert_int_equal(out.used, 8);
	assert_memory_equal(out.bytes, "nothing\n", 8);
	close(fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(times_and_counts),
		cmocka_unit_test(aligned_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
