/* SPDX-License-Identifier: BSD-2-Clause */
/* test_path.c - libc's paths: what they are resolved to, what is too long, which mount they lie below.
 * link: libc/posix/path.c */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "posix/path.h"

static void expect(const char *cwd, const char *path, const char *wanted, bool wanted_directory)
{
	char *out = malloc(PATH_BYTES_MAX + 1); /* exactly as much as promised, for ASan */
	bool directory = !wanted_directory;

	assert_int_equal(path_normalise(cwd, path, out, &directory), OK);
	assert_string_equal(out, wanted);
	assert_int_equal(directory, wanted_directory);
	free(out);
}

static void test_resolved(void **state)
{
	(void)state;
	expect("/", "/", "/", true);
	expect("/", "a", "/a", false);
	expect("/tmp", "a", "/tmp/a", false);
	expect("/tmp", "/a//b///c", "/a/b/c", false);
	expect("/tmp/x", "../y", "/tmp/y", false);
	expect("/tmp", "..", "/", true);
	expect("/", "../../..", "/", true);
	expect("/tmp", ".", "/tmp", true);
	expect("/tmp", "a/", "/tmp/a", true);
	expect("/tmp", "a/.", "/tmp/a", true);
	expect("/tmp", "a/./b/../c", "/tmp/a/c", false);
	expect("/tmp", "...", "/tmp/...", false);
	expect("/a/b", "/../..", "/", true);
	expect("/a", ".hidden", "/a/.hidden", false);
}

/* What is called plain is what normalising leaves alone; at every place in a page, and at its end. */
static void test_plain(void **state)
{
	(void)state;
	static const char *const plain[] = { "/a", "/a/b", "/tmp/a.b/c", "/0123456789abcde", "/0123456789abcdef",
		"/0123456789abcd/x", "/0123456789abcdef/0123456789abcdef/y" };
	static const char *const other[] = { "", "/", "a", "a/b", "//a", "/a/", "/a//b", "/.", "/a/..", "/a/../b", "/a/./b",
		"/.h", "/0123456789abcd//x", "/0123456789abcde/", "/0123456789abcde/.", "/0123456789abcde//y",
		"/0123456789abcdef/./y" };
	char *pages = aligned_alloc(4096, 2 * 4096), out[PATH_BYTES_MAX + 1];
	bool directory;

	for (size_t skip = 0; skip < 64; skip++) {
		memset(pages, '/', 2 * 4096);
		for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
			char *at = pages + 4096 - strlen(plain[i]) - 1 - skip;
			strcpy(at, plain[i]);
			if (skip >= 16)
				assert_int_equal(path_plain_bytes(at), strlen(plain[i]));
			else
				assert_true(path_plain_bytes(at) == 0 || path_plain_bytes(at) == strlen(plain[i]));
			assert_int_equal(path_normalise("/x", at, out, &directory), OK);
			assert_string_equal(out, at);
			assert_false(directory);
		}
		for (size_t i = 0; i < ARRAY_LEN(other); i++) {
			char *at = pages + 4096 - strlen(other[i]) - 1 - skip;
			assert_int_equal(path_plain_bytes(strcpy(at, other[i])), 0);
		}
	}
	free(pages);
	static _Alignas(512) char name[512];

	memset(name, 'n', sizeof(name));
	name[0] = '/';
	name[255] = 0;
	assert_int_equal(path_plain_bytes(name), 255);
	name[255] = 'n';
	name[256] = 0; /* one name of 255: fine, but told the long way */
	assert_int_equal(path_plain_bytes(name), 0);
}

static void test_limits(void **state)
{
	(void)state;
	char *out = malloc(PATH_BYTES_MAX + 1), path[5001], name[258];
	bool directory;

	assert_int_equal(path_normalise("/", "", out, &directory), ERR_NOT_FOUND);
	memset(name, 'n', 257);
	name[256] = 0;
	assert_int_equal(path_normalise("/", name, out, &directory), ERR_NAME_TOO_LONG);
	name[255] = 0;
	assert_int_equal(path_normalise("/", name, out, &directory), OK);
	memset(path, '/', 5000);
	path[5000] = 0;
	assert_int_equal(path_normalise("/", path, out, &directory), ERR_NAME_TOO_LONG);
	path[PATH_BYTES_MAX] = 0;
	assert_int_equal(path_normalise("/", path, out, &directory), OK);
	for (int i = 0; i < PATH_BYTES_MAX; i++)
		path[i] = i % 2 ? 'x' : '/';
	assert_int_equal(path_normalise("/", path, out, &directory), OK);
	assert_int_equal(strlen(out), PATH_BYTES_MAX);
	char *deep = strdup(out);
	assert_int_equal(path_normalise(deep, "y", out, &directory), ERR_NAME_TOO_LONG);
	assert_int_equal(path_normalise(deep, "../y", out, &directory), OK);
	free(deep);
	free(out);
}

static void test_below(void **state)
{
	(void)state;
	const char *rest;
	assert_true(path_below("/tmp/a/b", "/tmp", 4, &rest));
	assert_string_equal(rest, "a/b");
	assert_true(path_below("/tmp", "/tmp", 4, &rest));
	assert_string_equal(rest, "");
	assert_false(path_below("/tmpfile", "/tmp", 4, &rest));
	assert_false(path_below("/", "/tmp", 4, &rest));
	assert_true(path_below("/x/y", "/", 1, &rest));
	assert_string_equal(rest, "x/y");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolved),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
