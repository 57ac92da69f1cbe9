/* SPDX-License-Identifier: BSD-2-Clause */
/* test_pmfs_late.c - inodes that are in the journal and not yet in their places (change.h, C6): what a power cut leaves
 * when a journal has gone round many times and CPUs take turns; what that costs in fences; one that leaves DRAM.
 * link: servers/fs/pmfs/
 * link: servers/kit/fs.c */
#include "pmfs_host.h"

#include "fs/pmfs/inode.h"
#include "fs/pmfs/pmem_host.h"

#define MIB (1ull << 20)
#define FILES 9
#define CHANGES 400
#define SAME_BUCKET (INODE_IDLE_MAX + 2)

static uint32_t cpu_now;
static uint64_t seed;

static uint32_t cpu(void)
{
	return cpu_now;
}

static void mount_on_two(struct device *d)
{
	const struct pmfs_options options = { .cpus = 2, .seed = 42, .cpu = cpu, .log = device_log };
	char reason[PMFS_REASON_BYTES];

	cpu_now = 0;
	assert_int_equal(pmfs_mount(d->base, d->bytes, &options, &d->fs, reason), OK);
}

static void make(struct device *d, const char *path)
{
	struct inode *inode;

	assert_int_equal(pmfs_open(d->fs, path, FS_OPEN_CREATE | FS_OPEN_EXCLUSIVE | FS_OPEN_WRITE, 0644, &inode), OK);
	pmfs_close(d->fs, inode);
}

static void mode_set(struct device *d, const char *path, uint32_t mode)
{
	const struct fs_setattr attr = { .set = FS_SET_MODE, .mode = mode };

	assert_int_equal(pmfs_setattr_path(d->fs, path, &attr), OK);
}

static uint32_t mode_of(struct pmfs *fs, const char *path)
{
	struct fs_stat st;

	assert_int_equal(pmfs_stat(fs, path, true, &st), OK);
	return st.mode;
}

static void name_of(uint32_t i, char out[32])
{
	snprintf(out, 32, "%s/f%u", i % 2 == 0 ? "d" : "e", (unsigned)i);
}

/* The power is cut now: what is there? */
static void cut(struct device *d, struct pm_recorder *recorder, enum pm_crash how, const uint32_t mode[FILES])
{
	struct device image = { .bytes = d->bytes, .base = aligned_alloc(4096, d->bytes) };
	const uint32_t before = cpu_now;
	char name[32];

	assert_non_null(image.base);
	pm_crash_image(recorder, how, &seed, image.base);
	mount_on_two(&image);
	assert_true(pmfs_was_unclean(image.fs));
	for (uint32_t i = 0; i < FILES; i++) {
		name_of(i, name);
		if (mode_of(image.fs, name) != mode[i])
			fail_msg("%s: mode %o, should be %o", name, mode_of(image.fs, name), mode[i]);
	}
	device_check(&image);
	device_end(&image);
	cpu_now = before;
}

static void test_round(void **state)
{
	uint32_t mode[FILES];
	struct device d;
	char name[32];

	(void)state;
	seed = 77;
	device_make(&d, 4 * MIB);
	mount_on_two(&d);
	assert_int_equal(pmfs_mkdir(d.fs, "d", 0755), OK);
	assert_int_equal(pmfs_mkdir(d.fs, "e", 0755), OK);
	for (uint32_t i = 0; i < FILES; i++) {
		name_of(i, name);
		make(&d, name);
		mode[i] = 0644;
	}
	struct pm_recorder *recorder = pm_record(&d.fs->pm);
	assert_non_null(recorder);
	for (uint32_t n = 0; n < CHANGES; n++) {
		const uint32_t i = (uint32_t)(random_next(&seed) % FILES);
		cpu_now = random_next(&seed) % 8 == 0 ? !cpu_now : cpu_now;
		name_of(i, name);
		mode[i] = n & 0777;
		mode_set(&d, name, mode[i]);
		if (n % 3 == 0) { /* names too: two directories and a file in one record */
			char other[32];
			name_of(i + 1 < FILES ? i + 1 : 0, other);
			assert_int_equal(pmfs_rename(d.fs, other, "d/moved", false), OK);
			assert_int_equal(pmfs_rename(d.fs, "d/moved", other, false), OK);
		}
		cut(&d, recorder, n % 2 == 0 ? PM_CRASH_NONE : PM_CRASH_RANDOM, mode);
	}
	pm_record_end(&d.fs->pm);
	device_check(&d);
	device_end(&d);
}

/* An inode that is late goes on in its journal, whoever changes it: one fence. In two journals: one more, and one place
 * is durable then. */
static void test_fences(void **state)
{
	struct device d;

	(void)state;
	device_make(&d, 4 * MIB);
	mount_on_two(&d);
	assert_int_equal(pmfs_mkdir(d.fs, "d", 0755), OK);
	assert_int_equal(pmfs_mkdir(d.fs, "e", 0755), OK);
	make(&d, "d/f");
	struct pm_recorder *recorder = pm_record(&d.fs->pm);
	assert_non_null(recorder);
	for (uint32_t n = 0; n < 100; n++) {
		const uint64_t before = pm_record_fences(recorder);
		cpu_now = n % 2;
		mode_set(&d, "d", 0700 + n % 8);
		assert_int_equal(pm_record_fences(recorder) - before, 1);
	}
	pm_record_end(&d.fs->pm);
	device_check(&d);
	device_unmount(&d);
	mount_on_two(&d);
	recorder = pm_record(&d.fs->pm);
	assert_non_null(recorder);
	mode_set(&d, "d", 0755);
	cpu_now = 1;
	mode_set(&d, "e", 0755);
	uint64_t before = pm_record_fences(recorder);
	assert_int_equal(pmfs_rename(d.fs, "d/f", "e/f", false), OK);
	assert_int_equal(pm_record_fences(recorder) - before, 2);
	before = pm_record_fences(recorder);
	assert_int_equal(pmfs_rename(d.fs, "e/f", "d/f", false), OK);
	assert_int_equal(pm_record_fences(recorder) - before, 1);
	pm_record_end(&d.fs->pm);
	device_check(&d);
	device_end(&d);
}

/* More inodes of one bucket than stay in DRAM: the one that was read first goes, and it is late. */
static void test_leaves_dram(void **state)
{
	char same[SAME_BUCKET][32], name[32];
	uint32_t found = 0, bucket = 0;
	struct fs_stat st;
	struct device d;

	(void)state;
	device_make(&d, 32 * MIB);
	mount_on_two(&d);
	assert_int_equal(pmfs_mkdir(d.fs, "d", 0755), OK);
	assert_int_equal(pmfs_mkdir(d.fs, "e", 0755), OK);
	for (uint32_t i = 0; found < SAME_BUCKET; i++) {
		name_of(i, name);
		make(&d, name);
		assert_int_equal(pmfs_stat(d.fs, name, true, &st), OK);
		bucket = i == 100 ? (uint32_t)st.inode % INODE_BUCKETS : bucket;
		if (i >= 100 && st.inode % INODE_BUCKETS == bucket)
			memcpy(same[found++], name, sizeof(name));
	}
	device_remount(&d); /* nothing is in DRAM */
	for (uint32_t i = 0; i < INODE_IDLE_MAX; i++)
		assert_int_equal(mode_of(d.fs, same[i]), 0644);
	mode_set(&d, same[0], 0600);
	struct pm_recorder *recorder = pm_record(&d.fs->pm);
	assert_non_null(recorder);
	for (uint32_t i = INODE_IDLE_MAX; i < SAME_BUCKET; i++)
		assert_int_equal(mode_of(d.fs, same[i]), 0644);
	assert_int_equal(pm_record_fences(recorder), 1); /* on its way out it was settled */
	assert_int_equal(mode_of(d.fs, same[0]), 0600);
	pm_record_end(&d.fs->pm);
	for (uint32_t i = 0; i < 50; i++) /* the journal goes on */
		mode_set(&d, "d", 0700);
	device_remount(&d);
	assert_int_equal(mode_of(d.fs, same[0]), 0600);
	device_end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_round), cmocka_unit_test(test_fences),
		cmocka_unit_test(test_leaves_dram) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
