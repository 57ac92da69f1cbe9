/* SPDX-License-Identifier: BSD-2-Clause */
/* test_kit_fs.c - paths, links put into paths, directory records.
 * link: servers/kit/fs.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "kit/fs.h"

static void test_components(void **state)
{
	struct kit_component c;
	uint32_t at = 0;

	(void)state;
	assert_true(kit_path_next("//a///bc/", &at, &c));
	assert_int_equal(c.start, 2);
	assert_int_equal(c.bytes, 1);
	assert_false(c.last);
	assert_true(kit_path_next("//a///bc/", &at, &c));
	assert_int_equal(c.bytes, 2);
	assert_true(c.last);
	assert_false(kit_path_next("//a///bc/", &at, &c));
	assert_true(kit_path_wants_directory("a/"));
	assert_true(kit_path_wants_directory(""));
	assert_false(kit_path_wants_directory("a"));
}

/* Names of every length, at every distance from the end of the memory that can be read. */
static void test_name_bytes(void **state)
{
	char *pages = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(pages != MAP_FAILED);
	assert_int_equal(mprotect(pages + PAGE_SIZE, PAGE_SIZE, PROT_NONE), 0);
	for (uint32_t bytes = 0; bytes <= 255; bytes++) {
		for (uint32_t behind = 0; behind < 20; behind++) {
			char *name = pages + PAGE_SIZE - behind - bytes - 1;
			memset(name, 'n', bytes);
			memset(name + bytes, behind % 2 ? '/' : 0, 1);
			assert_int_equal(kit_name_bytes(name), bytes);
		}
	}
	munmap(pages, 2 * PAGE_SIZE);
}

/* The component `name` of `path`, replaced by `target`. */
static err_t splice(char *path, const char *name, const char *target)
{
	const struct kit_component c = { .start = (uint32_t)(strstr(path, name) - path), .bytes = (uint32_t)strlen(name) };

	return kit_path_splice(path, &c, target, strlen(target));
}

static err_t climb(char *path, const char *name)
{
	const struct kit_component c = { .start = (uint32_t)(strstr(path, name) - path), .bytes = (uint32_t)strlen(name) };

	return kit_path_climb(path, &c);
}

static void test_links(void **state)
{
	char path[FS_PATH_BYTES_MAX + 1] = "a/link/c", target[FS_PATH_BYTES_MAX + 1];

	(void)state;
	assert_int_equal(splice(path, "link", "../x/y"), OK);
	assert_string_equal(path, "a/../x/y/c");
	assert_int_equal(climb(path, ".."), OK);
	assert_string_equal(path, "/x/y/c");
	strcpy(path, "../x");
	assert_int_equal(climb(path, ".."), ERR_CROSS_DEVICE);
	strcpy(path, "a/./b");
	assert_int_equal(climb(path, "."), OK);
	assert_string_equal(path, "a//b");
	assert_int_equal(splice(path, "b", "/etc"), ERR_CROSS_DEVICE);
	assert_int_equal(splice(path, "b", ""), ERR_NOT_FOUND);
	memset(target, 'x', FS_PATH_BYTES_MAX);
	target[FS_PATH_BYTES_MAX] = 0;
	assert_int_equal(splice(path, "b", target), ERR_NAME_TOO_LONG);
	strcpy(path, "b");
	assert_int_equal(splice(path, "b", target), OK);
	assert_int_equal(strlen(path), FS_PATH_BYTES_MAX);
}

static void test_records(void **state)
{
	uint8_t buffer[80];
	struct fs_dirent entry;
	size_t used = 0;

	(void)state;
	memset(buffer, 0xff, sizeof(buffer));
	assert_true(kit_dirent_put(buffer, sizeof(buffer), &used, 7, 9, FS_TYPE_FILE, "abc", 3));
	memcpy(&entry, buffer, sizeof(entry));
	assert_int_equal(entry.record_bytes, used);
	assert_int_equal(used % 8, 0);
	assert_memory_equal(buffer + sizeof(entry), "abc\0", 4);
	const size_t before = used;
	assert_true(kit_dirent_put(buffer, sizeof(buffer), &used, 7, 9, FS_TYPE_FILE, "abcdefghij", 10));
	assert_false(kit_dirent_put(buffer, sizeof(buffer), &used, 7, 9, FS_TYPE_FILE, "a", 1));
	assert_true(used > before && used <= sizeof(buffer));
	used = 0;
	memset(buffer, 0xff, sizeof(buffer));
	assert_true(kit_dirent_put(buffer, sizeof(buffer), &used, 7, 9, FS_TYPE_FILE, "abcdefgh", 8));
	assert_int_equal(used, sizeof(entry) + 16); /* there is a NUL behind every name */
	assert_memory_equal(buffer + sizeof(entry), "abcdefgh\0\0\0\0\0\0\0", 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_components), cmocka_unit_test(test_name_bytes),
		cmocka_unit_test(test_links), cmocka_unit_test(test_records) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
