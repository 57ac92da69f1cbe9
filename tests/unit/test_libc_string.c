/* SPDX-License-Identifier: BSD-2-Clause */
/* test_libc_string.c - libc's own string functions: every short length at every address of a line, against the plainest
 * code there is. The bytes end where memory does, so that a read or a store too far is a fault. */
#define memcmp lintel_memcmp
#define memmove lintel_memmove
#define strcspn lintel_strcspn
#define strlen lintel_strlen
#include "core/string.c"
#undef memcmp
#undef memmove
#undef strcspn
#undef strlen

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

#define PAGE 4096u
#define LENGTHS 200u

static uint8_t *at_end[2]; /* the byte after a page */

static int set_up(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		uint8_t *pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (pages == MAP_FAILED || mprotect(pages, PAGE, PROT_NONE) || mprotect(pages + 2 * PAGE, PAGE, PROT_NONE))
			return 1;
		at_end[i] = pages + 2 * PAGE;
	}
	return 0;
}

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

static int plain_compare(const uint8_t *a, const uint8_t *b, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

static void fill(uint8_t *to, size_t bytes, uint32_t seed)
{
	for (size_t i = 0; i < bytes; i++)
		to[i] = (uint8_t)((seed = seed * 1103515245u + 12345u) >> 16);
}

static void test_compare(void **state)
{
	(void)state;
	for (size_t bytes = 0; bytes < LENGTHS; bytes++) {
		for (size_t shift = 0; shift < 17; shift++) {
			uint8_t *a = at_end[0] - bytes, *b = at_end[1] - bytes - shift;
			fill(a, bytes, (uint32_t)bytes);
			fill(b, bytes, (uint32_t)bytes);
			assert_int_equal(lintel_memcmp(a, b, bytes), 0);
			for (size_t i = 0; i < bytes; i++) { /* what differs later does not count */
				const uint8_t was = b[i];
				b[i] ^= (uint8_t)(i & 1 ? 0x80 : 0x01);
				if (i + 1 < bytes)
					b[bytes - 1] ^= 0x7f;
				assert_int_equal(sign(lintel_memcmp(a, b, bytes)), plain_compare(a, b, bytes));
				assert_int_equal(sign(lintel_memcmp(b, a, bytes)), plain_compare(b, a, bytes));
				if (i + 1 < bytes)
					b[bytes - 1] ^= 0x7f;
				b[i] = was;
			}
		}
	}
}

static void moves(uint8_t *area, size_t room, size_t from, size_t to, size_t bytes)
{
	uint8_t *expected = malloc(room);

	assert_non_null(expected);
	fill(area, room, 7);
	memcpy(expected, area, room);
	for (size_t i = 0; i < bytes; i++)
		expected[to + i] = area[from + i];
	assert_ptr_equal(lintel_memmove(area + to, area + from, bytes), area + to);
	assert_memory_equal(area, expected, room);
	free(expected);
}

static void test_move(void **state)
{
	(void)state;
	for (size_t bytes = 0; bytes < LENGTHS; bytes++) {
		for (size_t apart = 0; apart <= bytes + 3; apart++) {
			const size_t room = bytes + apart;
			moves(at_end[0] - room, room, 0, apart, bytes);
			moves(at_end[0] - room, room, apart, 0, bytes);
			moves(at_end[0] - 2 * PAGE + PAGE, room, 0, apart, bytes); /* at the beginning of memory, too */
			moves(at_end[0] - 2 * PAGE + PAGE, room, apart, 0, bytes);
		}
	}
	moves(at_end[0] - PAGE, PAGE, 0, 1, PAGE - 1);
	moves(at_end[0] - PAGE, PAGE, 1, 0, PAGE - 1);
}

static void test_span(void **state)
{
	static const char *const until[] = { "", "x", "xy", "xyz", "\xff", "\x80\xff", "abcdefghijklmnopq\xf0" };

	(void)state;
	for (size_t bytes = 0; bytes < 70; bytes++) {
		char *text = (char *)at_end[0] - bytes - 1;
		for (size_t set = 0; set < sizeof(until) / sizeof(*until); set++) {
			memset(text, '-', bytes);
			text[bytes] = 0;
			assert_int_equal(lintel_strlen(text), bytes);
			assert_int_equal(lintel_strcspn(text, until[set]), bytes);
			for (size_t i = 0; i < bytes && until[set][0] != 0; i++) {
				for (const char *end = until[set]; *end != 0; end++) {
					text[i] = *end;
					if (i + 1 < bytes)
						text[i + 1] = until[set][0];
					assert_int_equal(lintel_strcspn(text, until[set]), i);
				}
				memset(text, '-', bytes);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup(test_compare, set_up), cmocka_unit_test(test_move),
		cmocka_unit_test(test_span) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
