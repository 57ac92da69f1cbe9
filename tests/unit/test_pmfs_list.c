/* SPDX-License-Identifier: BSD-2-Clause */
/* test_pmfs_list.c - readdir of a directory that changes all the time.
 * link: servers/fs/pmfs/
 * link: servers/kit/fs.c */
#include "pmfs_host.h"

/* Name i of the churn: of one to four slots, or of a length that ends near a word's or a slot's end. */
static void churn_name(char *name, int i)
{
	static const int bytes[] = { 3, 7, 8, 15, 16, 17, 40, 43, 44, 45, 108, 109, 172, 200 };
	const int n = bytes[i % (int)(sizeof(bytes) / sizeof(*bytes))];

	memset(name, 'a' + i % 26, (size_t)n);
	name[0] = (char)('A' + i / 26);
	name[1] = (char)('A' + i % 26);
	name[n] = 0;
}

static struct inode *dir_open(struct device *d)
{
	struct inode *dir;

	assert_int_equal(pmfs_open(d->fs, "d", FS_OPEN_READ | FS_OPEN_DIRECTORY, 0, &dir), OK);
	return dir;
}

static void make(struct device *d, const char *path)
{
	struct inode *inode;

	assert_int_equal(pmfs_open(d->fs, path, FS_OPEN_CREATE | FS_OPEN_EXCLUSIVE, 0644, &inode), OK);
	pmfs_close(d->fs, inode);
}

/* The directory, as much as `room` takes at a time: each name that is there once, and no other; in the order of
 * cookies. */
static void churn_list(struct device *d, const bool *there, int names, size_t room)
{
	struct inode *dir = dir_open(d);
	uint64_t cookie = 0, last = 0, bytes, next = 1;
	char entries[4096], name[256], wanted[256];
	bool seen[64] = { false };

	while (next != 0) {
		assert_int_equal(pmfs_readdir(d->fs, dir, cookie, entries, room, &bytes, &next), OK);
		for (uint64_t at = 0; at < bytes;) {
			struct fs_dirent entry;
			memcpy(&entry, entries + at, sizeof(entry));
			snprintf(name, sizeof(name), "%.*s", entry.name_bytes, entries + at + sizeof(entry));
			const int i = (name[0] - 'A') * 26 + name[1] - 'A';
			assert_in_range(i, 0, names - 1);
			churn_name(wanted, i);
			assert_string_equal(name, wanted);
			assert_true(there[i] && !seen[i]);
			seen[i] = true;
			assert_true(entry.cookie > last);
			last = entry.cookie;
			at += entry.record_bytes;
			assert_int_equal(entries[at - 1], 0);
		}
		assert_true(next == 0 || next == last);
		cookie = next;
	}
	assert_memory_equal(seen, there, (size_t)names);
	pmfs_close(d->fs, dir);
}

/* What readdir keeps of a leaf's order is of no use any more after each change, and must not be believed. */
static void test_listing_what_changes(void **state)
{
	enum { NAMES = 40 };
	bool there[64] = { false };
	struct device d;
	char path[300] = "d/";

	(void)state;
	srand(1);
	device_make(&d, 8ull << 20);
	device_mount(&d);
	assert_int_equal(pmfs_mkdir(d.fs, "d", 0755), OK);
	for (int round = 0; round < 3000; round++) {
		const int i = rand() % NAMES;
		churn_name(path + 2, i);
		if (there[i])
			assert_int_equal(pmfs_unlink(d.fs, path), OK);
		else
			make(&d, path);
		there[i] = !there[i];
		churn_list(&d, there, NAMES, 4096);
		churn_list(&d, there, NAMES, 232 + (size_t)(rand() % 64) * 8);
	}
	device_check(&d);
	device_end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_listing_what_changes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
