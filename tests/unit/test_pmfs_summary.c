/* SPDX-License-Identifier: BSD-2-Clause */
/* test_pmfs_summary.c - mounting after a clean end: how much of a large device is touched, that the summary
 * says what looking at everything says, and that it is left alone when there is any doubt.
 * link: servers/fs/pmfs/
 * link: servers/kit/fs.c */
#define _GNU_SOURCE
#include "pmfs_host.h"

#include "fs/pmfs/inode.h"

#include <sys/mman.h>
#include <unistd.h>

#define TIB (1ull << 40)
#define MIB (1ull << 20)
#define FILES 3000

static void mount_with(struct device *d, bool scan)
{
	const struct pmfs_options options = { .cpus = 2, .scan = scan, .log = device_log };
	char reason[PMFS_REASON_BYTES];
	err_t err = pmfs_mount(d->base, d->bytes, &options, &d->fs, reason);

	if (err != OK)
		fail_msg("mount: error %d: %s", err, reason);
}

static void fill(struct device *d, int files)
{
	struct inode *inode;
	uint64_t done, end;
	char name[40];

	for (int i = 0; i < files; i++) {
		if (i % 100 == 0) {
			snprintf(name, sizeof(name), "d%d", i / 100);
			assert_int_equal(pmfs_mkdir(d->fs, name, 0755), OK);
		}
		snprintf(name, sizeof(name), "d%d/file %d", i / 100, i);
		assert_int_equal(pmfs_open(d->fs, name, FS_OPEN_CREATE | FS_OPEN_WRITE, 0644, &inode), OK);
		assert_int_equal(pmfs_write(d->fs, inode, (uint64_t)i % 7 * 8192, false, name, sizeof(name), &done, &end), OK);
		if (i % 10 == 0) {
			struct inode *clone;
			char other[40];
			snprintf(other, sizeof(other), "d%d/clone %d", i / 100, i % 20);
			assert_int_equal(pmfs_open(d->fs, other, FS_OPEN_CREATE | FS_OPEN_WRITE, 0644, &clone), OK);
			assert_int_equal(pmfs_setattr(d->fs, clone, &(struct fs_setattr) { .set = FS_SET_SIZE }), OK);
			assert_int_equal(pmfs_clone(d->fs, inode, 0, clone, 0, 0), OK);
			if (i % 20 == 0)
				assert_int_equal(pmfs_clone(d->fs, inode, 0, clone, 60 * PMFS_BLOCK, 0), OK);
			pmfs_close(d->fs, clone);
		}
		pmfs_close(d->fs, inode);
		if (i % 3 == 2)
			assert_int_equal(pmfs_unlink(d->fs, name), OK);
	}
}

/* The media's bytes that this process has touched since the last media_forget. */
static uint64_t media_touched(const struct device *d)
{
	unsigned long from, to;
	char line[200];
	unsigned long long kib = 0;
	bool ours = false;
	FILE *maps = fopen("/proc/self/smaps", "r");

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			ours = from <= (uintptr_t)d->base && (uintptr_t)d->base < to;
		else if (ours && sscanf(line, "Rss: %llu", &kib) == 1)
			break;
	}
	fclose(maps);
	return kib * 1024;
}

static void media_forget(const struct device *d)
{
	assert_int_equal(madvise(d->base, d->bytes, MADV_DONTNEED), 0);
}

static void test_large(void **state)
{
	struct device d = { .bytes = TIB };
	struct fs_statfs before, after;
	const int file = memfd_create("media", 0);

	(void)state;
	assert_true(file >= 0);
	assert_int_equal(ftruncate(file, TIB), 0);
	d.base = mmap(NULL, d.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
	assert_true(d.base != MAP_FAILED);
	mount_with(&d, false);
	fill(&d, FILES);
	pmfs_statfs(d.fs, &before);
	device_unmount(&d);

	media_forget(&d);
	mount_with(&d, false);
	const uint64_t quick = media_touched(&d);
	assert_false(pmfs_was_scanned(d.fs));
	pmfs_statfs(d.fs, &after);
	assert_memory_equal(&before, &after, sizeof(after));
	device_check(&d);
	device_unmount(&d);

	media_forget(&d);
	mount_with(&d, true);
	const uint64_t scan = media_touched(&d);
	assert_true(pmfs_was_scanned(d.fs));
	pmfs_statfs(d.fs, &after);
	assert_memory_equal(&before, &after, sizeof(after));
	device_unmount(&d);
	print_message("1 TiB: %llu KiB touched by a mount with summary, %llu KiB when every inode is looked at\n",
			(unsigned long long)quick / 1024, (unsigned long long)scan / 1024);
	assert_true(quick < MIB / 2);
	assert_true(scan > 2 * quick);
	munmap(d.base, d.bytes);
	close(file);
}

/* Whatever happens between two mounts: the numbers are those of a scan. */
static void test_same_numbers(void **state)
{
	struct fs_statfs quick, scan;
	uint64_t seed = 7;
	struct device d;
	char name[40];

	(void)state;
	device_make(&d, 16 * MIB);
	mount_with(&d, false);
	fill(&d, 600);
	for (int round = 0; round < 30; round++) {
		device_unmount(&d);
		mount_with(&d, round == 0);
		assert_int_equal(pmfs_was_scanned(d.fs), round == 0);
		pmfs_statfs(d.fs, &quick);
		device_check(&d);
		device_unmount(&d);
		mount_with(&d, true);
		pmfs_statfs(d.fs, &scan);
		assert_memory_equal(&quick, &scan, sizeof(scan));
		for (int i = 0; i < 10; i++) {
			const int n = (int)(random_next(&seed) % 600);
			snprintf(name, sizeof(name), "d%d/file %d", n / 100, n);
			err_t err = pmfs_unlink(d.fs, name);
			assert_true(err == OK || err == ERR_NOT_FOUND);
		}
	}
	device_end(&d);
}

/* U2: the place and the summary itself, one bit at a time; and the inodes are none the worse. */
static void test_doubt(void **state)
{
	struct fs_statfs want, have;
	struct device d;

	(void)state;
	device_make(&d, 8 * MIB);
	mount_with(&d, false);
	fill(&d, 50);
	pmfs_statfs(d.fs, &want);
	device_unmount(&d);
	uint8_t *good = malloc(d.bytes);
	assert_non_null(good);
	memcpy(good, d.base, d.bytes);
	const struct pmfs_summary_place *place = (const void *)(good + PMFS_STATE_BLOCK * PMFS_BLOCK + PMFS_SUMMARY_PLACE);
	const uint64_t starts[] = { PMFS_STATE_BLOCK * PMFS_BLOCK + PMFS_SUMMARY_PLACE, place->block * PMFS_BLOCK };
	const uint64_t sizes[] = { sizeof(*place), place->bytes };
	for (int part = 0; part < 2; part++) {
		for (uint64_t bit = 0; bit < sizes[part] * 8; bit += part == 0 ? 1 : 53) {
			d.base[starts[part] + bit / 8] ^= (uint8_t)(1u << bit % 8);
			mount_with(&d, false);
			assert_true(pmfs_was_scanned(d.fs));
			assert_false(pmfs_was_unclean(d.fs));
			pmfs_statfs(d.fs, &have);
			assert_memory_equal(&want, &have, sizeof(have));
			pmfs_abandon(d.fs);
			memcpy(d.base, good, d.bytes);
		}
	}
	mount_with(&d, false);
	assert_false(pmfs_was_scanned(d.fs));
	assert_int_equal(pmfs_unlink(d.fs, "d0/file 0"), OK);
	pmfs_abandon(d.fs);
	mount_with(&d, false); /* U1: it is still there, and does not hold any more */
	assert_true(pmfs_was_scanned(d.fs) && pmfs_was_unclean(d.fs));
	device_check(&d);
	free(good);
	device_end(&d);
}

/* A damaged inode is noticed when it is used, not before, and nothing of it is followed. */
static void test_damage_is_seen_late(void **state)
{
	struct fs_stat st;
	struct device d;

	(void)state;
	device_make(&d, 8 * MIB);
	mount_with(&d, false);
	fill(&d, 2);
	assert_int_equal(pmfs_stat(d.fs, "d0/file 1", true, &st), OK);
	uint8_t *slot = (uint8_t *)inode_slot(d.fs, st.inode);
	device_unmount(&d);
	slot[16] ^= 1;
	mount_with(&d, false);
	assert_int_equal(pmfs_stat(d.fs, "d0/file 0", true, &st), OK);
	assert_int_equal(pmfs_stat(d.fs, "d0/file 1", true, &st), ERR_CORRUPT);
	assert_int_equal(pmfs_check(d.fs, device_quiet, NULL), ERR_CORRUPT);
	pmfs_abandon(d.fs);
	free(d.base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_same_numbers),
		cmocka_unit_test(test_doubt),
		cmocka_unit_test(test_damage_is_seen_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
