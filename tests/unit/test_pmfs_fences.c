/* SPDX-License-Identifier: BSD-2-Clause */
/* test_pmfs_fences.c - how many store fences each call costs, counted: a change of names or attributes at most two
 * (nearly all take one), an append of up to a block one, of more two, fsync after it none.
 * link: servers/fs/pmfs/
 * link: servers/kit/fs.c */
#include "pmfs_host.h"

#include "fs/pmfs/inode.h"
#include "fs/pmfs/pmem_host.h"

#define DEVICE_BYTES (32ull << 20)
#define NAMES 2000 /* enough to split leaves, and to make the tree over them grow */

static struct device d;
static struct pm_recorder *recorder;
static uint64_t before;

static void counting(void)
{
	before = pm_record_fences(recorder);
}

static void counted(const char *what, uint64_t most)
{
	const uint64_t fences = pm_record_fences(recorder) - before;

	if (fences > most)
		fail_msg("%s: %llu fences, at most %llu", what, (unsigned long long)fences, (unsigned long long)most);
	counting();
}

static int begin(void **state)
{
	(void)state;
	device_make(&d, DEVICE_BYTES);
	device_mount(&d);
	recorder = pm_record(&d.fs->pm);
	assert_non_null(recorder);
	counting();
	return 0;
}

static int end(void **state)
{
	(void)state;
	pm_record_end(&d.fs->pm);
	device_check(&d);
	device_end(&d);
	return 0;
}

static void make(const char *path)
{
	struct inode *inode;

	assert_int_equal(pmfs_open(d.fs, path, FS_OPEN_CREATE | FS_OPEN_EXCLUSIVE | FS_OPEN_WRITE, 0644, &inode), OK);
	pmfs_close(d.fs, inode);
}

static void test_names(void **state)
{
	const struct fs_setattr mode = { .set = FS_SET_MODE, .mode = 0600 };
	char target[200];

	(void)state;
	memset(target, 't', sizeof(target) - 1);
	target[sizeof(target) - 1] = 0;
	for (int round = 0; round < 3; round++) { /* the first makes the root's first leaf */
		make("f");
		counted("create", 1);
		assert_int_equal(pmfs_mkdir(d.fs, "d", 0755), OK);
		counted("mkdir", 1);
		assert_int_equal(pmfs_link(d.fs, "f", "d/l"), OK);
		counted("link, the first name of a directory", 1);
		assert_int_equal(pmfs_symlink(d.fs, "f", "s"), OK);
		counted("symlink", 1);
		assert_int_equal(pmfs_symlink(d.fs, target, "t"), OK);
		counted("symlink to a long target", 1);
		assert_int_equal(pmfs_setattr_path(d.fs, "d", &mode), OK);
		counted("chmod, after a change by record", 2);
		assert_int_equal(pmfs_setattr_path(d.fs, "d", &mode), OK);
		counted("chmod", 1);
		assert_int_equal(pmfs_rename(d.fs, "f", "g", false), OK);
		counted("rename", 1);
		assert_int_equal(pmfs_rename(d.fs, "d/l", "l", false), OK);
		counted("rename across", 1);
		assert_int_equal(pmfs_rename(d.fs, "t", "s", false), OK);
		counted("rename over", 1);
		assert_int_equal(pmfs_unlink(d.fs, "l"), OK);
		counted("unlink of one of two", 1);
		assert_int_equal(pmfs_unlink(d.fs, "g"), OK);
		counted("unlink", 1);
		assert_int_equal(pmfs_unlink(d.fs, "s"), OK);
		counted("unlink of a link", 1);
		assert_int_equal(pmfs_rmdir(d.fs, "d"), OK);
		counted("rmdir: a leaf goes", 2);
	}
}

static void test_many_names(void **state)
{
	uint64_t first = pm_record_fences(recorder);
	uint32_t leaves = 0;
	char name[40];

	(void)state;
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "a name of some length %d", i);
		counting();
		make(name);
		counted("create in a large directory", 4); /* now and then the table grows: two; or a leaf is split: one */
	}
	assert_in_range(pm_record_fences(recorder) - first, NAMES, NAMES + 2 * (NAMES / 16 + 1) + NAMES / 16);
	first = pm_record_fences(recorder);
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "a name of some length %d", i);
		assert_int_equal(pmfs_unlink(d.fs, name), OK);
		if (pm_record_fences(recorder) - before > 1 && leaves++ == 0) { /* a leaf went: its hashes have another one */
			const uint64_t now = pm_record_fences(recorder);
			make(name);
			device_check(&d);
			assert_int_equal(pmfs_unlink(d.fs, name), OK);
			first += pm_record_fences(recorder) - now;
			before += pm_record_fences(recorder) - now;
		}
		counted("unlink in a large directory", 2); /* the last name of a leaf: it goes */
	}
	assert_in_range(leaves, 1, NAMES / 16);
	assert_in_range(pm_record_fences(recorder) - first, NAMES, NAMES + NAMES / 16);
}

static void test_data(void **state)
{
	static uint8_t data[200000];
	const struct fs_setattr cut = { .set = FS_SET_SIZE, .size = 5000 }, grow = { .set = FS_SET_SIZE, .size = 9000 };
	struct inode *inode;
	uint64_t done, at = 0;

	(void)state;
	make("f");
	assert_int_equal(pmfs_open(d.fs, "f", FS_OPEN_WRITE, 0, &inode), OK);
	counting();
	for (int i = 0; i < 100; i++) {
		const size_t bytes = i % 2 ? 4096 : 100 + (size_t)i;
		assert_int_equal(pmfs_write(d.fs, inode, 0, true, data, bytes, &done, &at), OK);
		counted("append", 1);
		assert_int_equal(pmfs_sync(d.fs, inode), OK);
		counted("fsync after an append", 0);
	}
	assert_int_equal(pmfs_write(d.fs, inode, 0, true, data, sizeof(data), &done, &at), OK);
	counted("append of many blocks", 2);
	assert_int_equal(pmfs_write(d.fs, inode, 10, false, data, 100, &done, &at), OK);
	counted("overwrite, after an append", 2);
	assert_int_equal(pmfs_write(d.fs, inode, 10, false, data, 100, &done, &at), OK);
	counted("overwrite", 1);
	assert_int_equal(pmfs_sync(d.fs, inode), OK);
	counted("fsync after an overwrite", 1);
	assert_int_equal(pmfs_setattr(d.fs, inode, &cut), OK);
	counted("truncate", 2);
	assert_int_equal(pmfs_write(d.fs, inode, 0, true, data, 100, &done, &at), OK);
	counting();
	assert_int_equal(pmfs_setattr(d.fs, inode, &cut), OK);
	counted("truncate, after an append", 2);
	assert_int_equal(pmfs_setattr(d.fs, inode, &grow), OK);
	counted("truncate to more", 2);
	pmfs_close(d.fs, inode);
	counted("close", 0);
	assert_int_equal(pmfs_unlink(d.fs, "f"), OK);
	counted("unlink of a file with blocks", 1);
}

static void test_clones(void **state)
{
	static uint8_t data[50000];
	struct inode *inode, *clone;
	uint64_t done, at = 0;

	(void)state;
	make("f");
	make("c");
	assert_int_equal(pmfs_open(d.fs, "f", FS_OPEN_WRITE, 0, &inode), OK);
	assert_int_equal(pmfs_open(d.fs, "c", FS_OPEN_WRITE, 0, &clone), OK);
	assert_int_equal(pmfs_write(d.fs, inode, 0, false, data, sizeof(data), &done, &at), OK);
	counting();
	assert_int_equal(pmfs_clone(d.fs, inode, 0, clone, 0, 0), OK);
	counted("clone of a file with an end inside a block: that is cleared", 2);
	assert_int_equal(pmfs_copy(d.fs, inode, 0, clone, 16 * 4096, 8 * 4096, &done), OK);
	counted("copy of blocks that are shared already, after a change by record", 2);
	assert_int_equal(pmfs_copy(d.fs, inode, 0, clone, 32 * 4096, 8 * 4096, &done), OK);
	counted("copy of blocks that are shared already", 1);
	assert_int_equal(pmfs_write(d.fs, clone, 10, false, data, 100, &done, &at), OK);
	counted("write to a shared block: data and inode", 2);
	assert_int_equal(pmfs_write(d.fs, clone, 5000, false, data, 100, &done, &at), OK);
	counted("write to another", 2);
	assert_int_equal(pmfs_write(d.fs, clone, 5000, false, data, 100, &done, &at), OK);
	counted("overwrite of the copy, after a record", 2);
	assert_int_equal(pmfs_write(d.fs, clone, 5000, false, data, 100, &done, &at), OK);
	counted("overwrite of the copy", 1);
	pmfs_close(d.fs, inode);
	pmfs_close(d.fs, clone);
	counting();
	assert_int_equal(pmfs_unlink(d.fs, "f"), OK);
	counted("unlink of a file with shared blocks", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names, begin, end),
		cmocka_unit_test_setup_teardown(test_many_names, begin, end),
		cmocka_unit_test_setup_teardown(test_data, begin, end),
		cmocka_unit_test_setup_teardown(test_clones, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
