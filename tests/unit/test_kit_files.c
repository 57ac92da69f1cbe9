/* SPDX-License-Identifier: BSD-2-Clause */
/* test_kit_files.c - sessions and open files: stale numbers, last users, reuse.
 * link: servers/kit/files.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kit/files.h"

static int closed;

static void close_one(void *file)
{
	closed += *(int *)file;
}

static void files_free(struct kit_files *files)
{
	for (uint32_t i = 0; i < KIT_SESSIONS_MAX; i++) {
		struct kit_session *session = atomic_load(&files->sessions[i]);
		if (session != NULL)
			free(session->slots);
		free(session);
	}
	free(files);
}

static void test_numbers(void **state)
{
	struct kit_files *files = malloc(sizeof(*files));
	uint64_t a, b, number, again;
	int one = 1;
	void *file;

	(void)state;
	closed = 0;
	assert_int_equal(kit_files_init(files, close_one), OK);
	assert_int_equal(kit_session_add(files, &a), OK);
	assert_int_equal(kit_session_add(files, &b), OK);
	assert_true(a != b && a != 0 && b != 0);
	assert_int_equal(kit_file_add(files, a, &one, &number), OK);
	assert_int_equal(kit_file_get(files, b, number, &file), ERR_BAD_HANDLE);
	assert_int_equal(kit_file_get(files, a, number, &file), OK);
	assert_ptr_equal(file, &one);
	assert_int_equal(kit_file_close(files, a, number), OK);
	assert_int_equal(closed, 0); /* somebody uses it */
	assert_int_equal(kit_file_get(files, a, number, &file), ERR_BAD_HANDLE);
	kit_file_put(files, a, number);
	assert_int_equal(closed, 1);
	assert_int_equal(kit_file_close(files, a, number), ERR_BAD_HANDLE);
	assert_int_equal(kit_file_add(files, a, &one, &again), OK);
	assert_true(again != number);
	assert_int_equal(kit_file_get(files, a, number, &file), ERR_BAD_HANDLE);
	for (int i = 0; i < 100; i++)
		assert_int_equal(kit_file_add(files, b, &one, &number), OK);
	kit_session_end(files, b);
	assert_int_equal(closed, 101);
	assert_int_equal(kit_file_add(files, b, &one, &number), ERR_BAD_HANDLE);
	assert_int_equal(kit_session_add(files, &number), OK);
	assert_true(number != b && (number & 0xffff) == (b & 0xffff));
	assert_true(kit_files_any_open(files));
	assert_int_equal(kit_files_close_all(files), 1);
	assert_false(kit_files_any_open(files));
	files_free(files);
}

static void test_end_while_used(void **state)
{
	struct kit_files *files = malloc(sizeof(*files));
	uint64_t a, other, number;
	int one = 1;
	void *file;

	(void)state;
	closed = 0;
	assert_int_equal(kit_files_init(files, close_one), OK);
	assert_int_equal(kit_session_add(files, &a), OK);
	assert_int_equal(kit_file_add(files, a, &one, &number), OK);
	assert_int_equal(kit_file_get(files, a, number, &file), OK);
	kit_session_end(files, a);
	assert_int_equal(closed, 0);
	assert_int_equal(kit_session_add(files, &other), OK); /* its place is not free yet */
	assert_true((other & 0xffff) != (a & 0xffff));
	kit_file_put(files, a, number);
	assert_int_equal(closed, 1);
	for (uint32_t i = 0; i < KIT_SESSIONS_MAX + 10; i++) {
		err_t err = kit_session_add(files, &other);
		assert_int_equal(err, i < KIT_SESSIONS_MAX - 2 ? OK : ERR_LIMIT);
	}
	files_free(files);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_numbers), cmocka_unit_test(test_end_while_used) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
