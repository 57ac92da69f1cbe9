/* SPDX-License-Identifier: BSD-2-Clause */
/* test_pmfs_nameless.c - files that have no name: made, given one, gone when closed and after a power cut.
 * link: servers/fs/pmfs/
 * link: servers/kit/fs.c */
#include "pmfs_host.h"

#define NAMELESS (FS_OPEN_READ | FS_OPEN_WRITE | FS_OPEN_NAMELESS)

static struct device d;

static struct fs_statfs space(void)
{
	struct fs_statfs st;

	pmfs_statfs(d.fs, &st);
	return st;
}

static struct inode *make(const char *dir, uint32_t flags)
{
	struct inode *inode;
	uint64_t done, end;

	assert_int_equal(pmfs_open(d.fs, dir, NAMELESS | flags, 0640, &inode), OK);
	assert_int_equal(pmfs_write(d.fs, inode, 0, false, "hello", 5, &done, &end), OK);
	return inode;
}

static void begin(void)
{
	device_make(&d, 8ull << 20);
	device_mount(&d);
	assert_int_equal(pmfs_mkdir(d.fs, "d", 0755), OK);
}

static void test_goes_when_closed(void **state)
{
	(void)state;
	begin();
	const struct fs_statfs before = space();
	struct inode *inode = make("d", 0), *root = make("", 0);
	struct fs_stat st;

	assert_int_equal(pmfs_fstat(d.fs, inode, &st), OK);
	assert_int_equal(st.links, 0);
	assert_int_equal(st.mode, 0640);
	assert_int_equal(st.size, 5);
	assert_int_not_equal(pmfs_number(root), pmfs_number(inode));
	assert_int_equal(space().inodes_free + 2, before.inodes_free - (before.blocks_free - space().blocks_free) * 16);
	assert_int_equal(pmfs_rmdir(d.fs, "d"), OK); /* it is in no directory */
	pmfs_close(d.fs, inode);
	pmfs_close(d.fs, root);
	assert_int_equal(space().inodes_free, before.inodes_free + 1);
	assert_int_equal(space().blocks_free, before.blocks_free);
	device_check(&d);
	device_remount(&d);
	device_check(&d);
	device_end(&d);
}

static void test_gets_a_name(void **state)
{
	struct fs_stat st;

	(void)state;
	begin();
	struct inode *inode = make("d", 0);
	assert_int_equal(pmfs_link_file(d.fs, inode, "nowhere/f"), ERR_NOT_FOUND);
	assert_int_equal(pmfs_link_file(d.fs, inode, "d"), ERR_EXISTS);
	assert_int_equal(pmfs_link_file(d.fs, inode, "f/"), ERR_NOT_FOUND);
	assert_int_equal(pmfs_link_file(d.fs, inode, "d/f"), OK);
	assert_int_equal(pmfs_link_file(d.fs, inode, "d/f"), ERR_EXISTS);
	assert_int_equal(pmfs_link_file(d.fs, inode, "g"), OK); /* as any open file */
	assert_int_equal(pmfs_stat(d.fs, "g", true, &st), OK);
	assert_int_equal(st.links, 2);
	assert_int_equal(st.inode, pmfs_number(inode));
	assert_int_equal(pmfs_unlink(d.fs, "g"), OK);
	pmfs_close(d.fs, inode);
	pmfs_abandon(d.fs);
	device_mount(&d);
	assert_int_equal(pmfs_stat(d.fs, "d/f", true, &st), OK);
	assert_int_equal(st.size, 5);
	assert_int_equal(pmfs_open(d.fs, "d/f", FS_OPEN_READ, 0, &inode), OK);
	assert_int_equal(pmfs_unlink(d.fs, "d/f"), OK);
	assert_int_equal(pmfs_link_file(d.fs, inode, "d/f"), ERR_NOT_FOUND); /* it has lost its last name */
	pmfs_close(d.fs, inode);
	inode = make("d", FS_OPEN_EXCLUSIVE);
	assert_int_equal(pmfs_link_file(d.fs, inode, "d/f"), ERR_NOT_FOUND); /* it is never to have one */
	pmfs_close(d.fs, inode);
	device_check(&d);
	device_end(&d);
}

static void test_refusals(void **state)
{
	struct inode *inode, *dir;

	(void)state;
	begin();
	assert_int_equal(pmfs_open(d.fs, "d", FS_OPEN_READ | FS_OPEN_NAMELESS, 0, &inode), ERR_ARGS);
	assert_int_equal(pmfs_open(d.fs, "x", NAMELESS, 0, &inode), ERR_NOT_FOUND);
	assert_int_equal(pmfs_open(d.fs, "f", FS_OPEN_WRITE | FS_OPEN_CREATE, 0600, &inode), OK);
	pmfs_close(d.fs, inode);
	assert_int_equal(pmfs_open(d.fs, "f", NAMELESS, 0, &inode), ERR_NOT_DIR);
	assert_int_equal(pmfs_open(d.fs, "d", FS_OPEN_READ, 0, &dir), OK);
	assert_int_equal(pmfs_link_file(d.fs, dir, "n"), ERR_DENIED);
	pmfs_close(d.fs, dir);
	device_check(&d);
	device_end(&d);
}

static void test_power_cut(void **state)
{
	(void)state;
	begin();
	const struct fs_statfs before = space();
	make("d", 0);
	make("", 0);
	pmfs_abandon(d.fs); /* with both open */
	device_mount(&d);
	assert_true(pmfs_was_unclean(d.fs));
	assert_int_equal(space().inodes_free, before.inodes_free);
	assert_int_equal(space().blocks_free, before.blocks_free);
	device_check(&d);
	device_end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_goes_when_closed), cmocka_unit_test(test_gets_a_name),
		cmocka_unit_test(test_refusals), cmocka_unit_test(test_power_cut) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
