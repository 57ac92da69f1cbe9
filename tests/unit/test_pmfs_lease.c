/* SPDX-License-Identifier: BSD-2-Clause */
/* test_pmfs_lease.c - what pmfs tells the keeper of a lease, and when: every change is published, no block goes before
 * it has been taken back, and nothing behind the size is shown.
 * link: servers/fs/pmfs/
 * link: servers/kit/fs.c */
#include "pmfs_host.h"

#include "fs/pmfs/inode.h"
#include "fs/pmfs/pmem_host.h"
#include "fs/pmfs/stores.h"

#define MIB (1u << 20)
#define PAGE 4096u

/* What the lease's keeper has heard last. */
static struct {
	struct inode *inode;
	uint32_t published;
	uint32_t revoked;        /* since the last publish */
	uint64_t size_at_revoke; /* the inode's, still */
	uint64_t from, end;      /* of the last revoke */
	struct fs_stat st;
	uint32_t flags;
} keeper;

static void keeper_revoke(void *lease, uint64_t offset, uint64_t bytes)
{
	assert_ptr_equal(lease, &keeper);
	keeper.revoked++;
	keeper.size_at_revoke = keeper.inode->now.size;
	keeper.from = offset;
	keeper.end = offset + bytes;
}

static void keeper_publish(void *lease, const struct fs_stat *st, uint32_t flags)
{
	assert_ptr_equal(lease, &keeper);
	keeper.published++;
	keeper.revoked = 0;
	keeper.st = *st;
	keeper.flags = flags;
}

static struct device d;

static int begin(void **state)
{
	const struct pmfs_options options = { .cpus = 2, .seed = 42, .log = device_log, .revoke = keeper_revoke,
		.publish = keeper_publish };
	static uint8_t some[8 * PAGE];
	char reason[PMFS_REASON_BYTES];
	uint64_t done, end;

	(void)state;
	device_make(&d, 4 * MIB);
	memset(&keeper, 0, sizeof(keeper));
	memset(some, 's', sizeof(some));
	if (pmfs_mount(d.base, d.bytes, &options, &d.fs, reason) != OK ||
			pmfs_open(d.fs, "f", FS_OPEN_READ | FS_OPEN_WRITE | FS_OPEN_CREATE, 0644, &keeper.inode) != OK ||
			pmfs_write(d.fs, keeper.inode, 0, false, some, sizeof(some), &done, &end) != OK)
		return 1;
	pmfs_lease_set(keeper.inode, &keeper);
	return 0;
}

static int end(void **state)
{
	(void)state;
	assert_int_equal(pmfs_lease_end(keeper.inode), OK);
	pmfs_close(d.fs, keeper.inode);
	device_end(&d);
	return 0;
}

/* Since the last time: told, and with nothing taken back that was not published after. */
static bool news(void)
{
	const bool told = keeper.published != 0 && keeper.revoked == 0;

	keeper.published = 0;
	return told;
}

static void every_change_is_published(void **state)
{
	uint64_t done, at;

	(void)state;
	assert_true(news());
	assert_int_equal(keeper.st.size, 8 * PAGE);
	assert_int_equal(pmfs_write(d.fs, keeper.inode, 5, false, "x", 1, &done, &at), OK);
	assert_true(news());
	assert_int_equal(keeper.flags, FS_LEASE_TIMES_LATE);
	assert_int_equal(pmfs_sync(d.fs, keeper.inode), OK);
	assert_true(news());
	assert_int_equal(keeper.flags, 0);
	assert_int_equal(pmfs_write(d.fs, keeper.inode, 0, true, "x", 1, &done, &at), OK);
	assert_true(news());
	assert_int_equal(keeper.st.size, 8 * PAGE + 1);
	assert_int_equal(pmfs_link(d.fs, "f", "g"), OK);
	assert_true(news());
	assert_int_equal(keeper.st.links, 2);
	assert_int_equal(pmfs_rename(d.fs, "g", "h", false), OK);
	assert_true(news());
	assert_int_equal(pmfs_unlink(d.fs, "h"), OK);
	assert_true(news());
	assert_int_equal(pmfs_setattr(d.fs, keeper.inode, &(struct fs_setattr) { .set = FS_SET_MODE, .mode = 0600 }), OK);
	assert_true(news());
	assert_int_equal(keeper.st.mode, 0600);
	assert_int_equal(pmfs_mkdir(d.fs, "other", 0755), OK);
	assert_int_equal(keeper.published, 0);
	assert_int_equal(pmfs_lease_stores(keeper.inode), OK);
	assert_true(news());
	assert_int_equal(keeper.flags & FS_LEASE_STORES, 0);
	pmfs_lease_shut(keeper.inode, true);
	assert_true(news());
	assert_int_equal(keeper.flags & FS_LEASE_SHUT, FS_LEASE_SHUT);
	assert_int_equal(pmfs_setattr(d.fs, keeper.inode, &(struct fs_setattr) { .set = FS_SET_MODE, .mode = 0640 }), OK);
	assert_true(news());
	assert_int_equal(keeper.flags & FS_LEASE_SHUT, FS_LEASE_SHUT);
	pmfs_lease_shut(keeper.inode, false);
	assert_true(news());
	assert_int_equal(keeper.flags & FS_LEASE_SHUT, 0);
	assert_int_equal(pmfs_unlink(d.fs, "f"), OK);
	assert_true(news());
	assert_int_equal(keeper.st.links, 0);
}

static void blocks_are_taken_back_before_they_go(void **state)
{
	const struct fs_setattr cut = { .set = FS_SET_SIZE, .size = 3 * PAGE + 7 };

	(void)state;
	assert_true(news());
	assert_int_equal(pmfs_setattr(d.fs, keeper.inode, &cut), OK);
	assert_true(news());
	assert_int_equal(keeper.size_at_revoke, 8 * PAGE);
	assert_int_equal(keeper.from, 3 * PAGE);
	assert_in_range(keeper.end, 8 * PAGE, UINT64_MAX);
	assert_int_equal(keeper.st.size, 3 * PAGE + 7);
}

static err_t run_keep(void *context, void *lease, const struct pmfs_run *run)
{
	assert_ptr_equal(lease, &keeper);
	*(struct pmfs_run *)context = *run;
	return OK;
}

static void holes_are_taken_back_when_they_are_filled(void **state)
{
	const struct fs_setattr grow = { .set = FS_SET_SIZE, .size = 64 * PAGE };
	struct pmfs_run run;

	(void)state;
	assert_int_equal(pmfs_setattr(d.fs, keeper.inode, &grow), OK);
	assert_true(news());
	assert_int_equal(pmfs_locate_with(d.fs, keeper.inode, 20 * PAGE, false, run_keep, &run), OK);
	assert_int_equal(run.device, 0);
	assert_int_equal(keeper.published, 0);
	assert_int_equal(pmfs_locate_with(d.fs, keeper.inode, 20 * PAGE, true, run_keep, &run), OK);
	assert_true(news());
	assert_int_not_equal(run.device, 0);
	assert_int_equal(keeper.from, 20 * PAGE);
	assert_int_equal(keeper.end, 21 * PAGE);
}

static bool arrived(struct pm_recorder *recorder, uint64_t device, const char *text)
{
	uint8_t *image = malloc(4 * MIB);
	uint64_t seed = 1;

	assert_non_null(image);
	pm_crash_image(recorder, PM_CRASH_NONE, &seed, image);
	const bool is_there = memcmp(image + device, text, strlen(text)) == 0;
	free(image);
	return is_there;
}

/* M1 to M3: of a large file, what a client has asked to store to is written back, and taken back; nothing else is. */
static void stores_are_watched(void **state)
{
	const uint64_t part = STORES_PART_BYTES, far = part + 5 * PAGE;
	struct pmfs_run run, other;
	uint64_t done, at;

	(void)state;
	assert_int_equal(pmfs_write(d.fs, keeper.inode, far, false, "far", 3, &done, &at), OK);
	assert_int_equal(pmfs_sync(d.fs, keeper.inode), OK);
	keeper.from = keeper.end = 1;
	assert_int_equal(pmfs_lease_stores(keeper.inode), OK);
	assert_int_equal(keeper.from, 0); /* what they have had so far */
	assert_in_range(keeper.end, far, UINT64_MAX);
	assert_int_equal(pmfs_locate_with(d.fs, keeper.inode, far, false, run_keep, &other), OK);
	assert_true(other.read_only);
	for (int round = 0; round < 3; round++) {
		const uint64_t before = keeper.st.mtime;
		assert_int_equal(pmfs_locate_with(d.fs, keeper.inode, PAGE, false, run_keep, &run), OK);
		assert_true(run.read_only);
		assert_int_equal(keeper.flags, 0);
		assert_int_equal(pmfs_locate_with(d.fs, keeper.inode, PAGE, true, run_keep, &run), OK);
		assert_false(run.read_only);
		assert_int_equal(run.offset, 0);
		assert_int_equal(run.bytes, 8 * PAGE);
		assert_int_equal(keeper.flags, FS_LEASE_STORES | FS_LEASE_TIMES_LATE);
		assert_true(keeper.st.mtime > before);
		assert_true(news());
		assert_int_equal(pmfs_locate_with(d.fs, keeper.inode, 3 * PAGE, true, run_keep, &run), OK);
		assert_false(news()); /* the part is marked */
		const char text[] = { 's', 't', 'o', (char)('0' + round), 0 };
		struct pm_recorder *recorder = pm_record(&d.fs->pm);
		pm_store(&d.fs->pm, d.base + run.device + PAGE, text, 4);
		pm_store(&d.fs->pm, d.base + other.device, text, 4); /* nobody may */
		assert_false(arrived(recorder, run.device + PAGE, text));
		keeper.from = keeper.end = 1;
		assert_int_equal(pmfs_sync(d.fs, keeper.inode), OK);
		assert_true(arrived(recorder, run.device + PAGE, text));
		assert_false(arrived(recorder, other.device, text));
		pm_record_end(&d.fs->pm);
		assert_int_equal(keeper.from, 0);
		assert_int_equal(keeper.end, part);
		assert_true(news());
	}
	/* of a small one clients keep theirs, and it is written back each time */
	assert_int_equal(pmfs_setattr(d.fs, keeper.inode,
			&(struct fs_setattr) { .set = FS_SET_SIZE, .size = STORES_KEEP_BYTES }), OK);
	assert_int_equal(pmfs_locate_with(d.fs, keeper.inode, 0, true, run_keep, &run), OK);
	keeper.from = keeper.end = 1;
	for (int round = 0; round < 3; round++) {
		const char text[] = { 'k', 'e', 'p', (char)('0' + round), 0 };
		struct pm_recorder *recorder = pm_record(&d.fs->pm);
		pm_store(&d.fs->pm, d.base + run.device, text, 4);
		assert_int_equal(keeper.flags & FS_LEASE_STORES, FS_LEASE_STORES);
		assert_int_equal(pmfs_sync(d.fs, keeper.inode), OK);
		assert_true(arrived(recorder, run.device, text));
		assert_int_equal(keeper.from, 1);
		pm_record_end(&d.fs->pm);
	}
}

/* M4: a store goes with its block, into a part that has no mark. */
static void stores_move_with_their_blocks(void **state)
{
	const uint64_t far = STORES_PART_BYTES + 5 * PAGE;
	struct pmfs_run run;
	uint64_t done, at;

	(void)state;
	assert_int_equal(pmfs_write(d.fs, keeper.inode, far, false, "far", 3, &done, &at), OK);
	assert_int_equal(pmfs_lease_stores(keeper.inode), OK);
	assert_int_equal(pmfs_locate_with(d.fs, keeper.inode, far, true, run_keep, &run), OK);
	struct pm_recorder *recorder = pm_record(&d.fs->pm);
	pm_store(&d.fs->pm, d.base + run.device + far - run.offset, "new", 3);
	assert_int_equal(pmfs_allocate(d.fs, keeper.inode, FS_ALLOCATE_COLLAPSE_RANGE, 8 * PAGE, 8 * PAGE), OK);
	assert_int_equal(pmfs_sync(d.fs, keeper.inode), OK);
	assert_true(arrived(recorder, run.device + far - run.offset, "new"));
	pm_record_end(&d.fs->pm);
}

static void marks(void **state)
{
	enum { PARTS = 5000 };
	static bool marked[PARTS + 1];
	struct stores *stores = stores_new();
	uint64_t seed = 3, from, end;

	(void)state;
	assert_non_null(stores);
	from = 0;
	assert_false(stores_next(stores, &from, &end));
	assert_false(stores_next(NULL, &from, &end));
	for (uint32_t i = 0; i < 6000; i++) {
		const uint64_t part = random_next(&seed) % (i < 3000 ? 300 : PARTS);
		bool first;
		assert_int_equal(stores_mark(&stores, part * STORES_PART_BYTES + random_next(&seed) % STORES_PART_BYTES,
				&first), OK);
		assert_int_equal(first, !marked[part]);
		marked[part] = true;
		if (i % 100 != 0)
			continue;
		uint64_t at = 0;
		for (from = 0; stores_next(stores, &from, &end); from = end) {
			for (; at < from / STORES_PART_BYTES; at++)
				assert_false(marked[at]);
			for (; at < end / STORES_PART_BYTES; at++)
				assert_true(marked[at]);
		}
		for (; at < PARTS; at++)
			assert_false(marked[at]);
	}
	stores_free(stores);
}

/* Blocks that a truncate could not free are freed later without a word: they must not be shown meanwhile. */
static void nothing_behind_the_size_is_shown(void **state)
{
	struct pmfs_run run;

	(void)state;
	keeper.inode->now.size = 2 * PAGE + 1;
	keeper.inode->ragged = true;
	assert_int_equal(pmfs_locate_with(d.fs, keeper.inode, 0, false, run_keep, &run), OK);
	assert_int_equal(run.offset, 0);
	assert_int_equal(run.bytes, 3 * PAGE);
	assert_int_equal(pmfs_locate_with(d.fs, keeper.inode, 3 * PAGE, false, run_keep, &run), ERR_ARGS);
	assert_int_equal(pmfs_locate_with(d.fs, keeper.inode, 3 * PAGE, true, run_keep, &run), ERR_ARGS);
	assert_int_equal(pmfs_setattr(d.fs, keeper.inode, &(struct fs_setattr) { .set = FS_SET_SIZE, .size = 1 }), OK);
}

/* A pmfs that dies knows of stores through a mapping, the next one does not: they are in a cache, and whoever syncs the
 * file has to find them durable. Once: then the next one knows all. */
static void stores_before_a_death_are_synced(void **state)
{
	const struct pmfs_options options = { .cpus = 2, .seed = 42, .log = device_log, .publish = keeper_publish };
	uint8_t *image = malloc(4 * MIB);
	char reason[PMFS_REASON_BYTES];
	struct pmfs_run run;
	uint64_t seed = 1;

	(void)state;
	assert_non_null(image);
	pmfs_abandon(d.fs);
	assert_int_equal(pmfs_mount(d.base, d.bytes, &options, &d.fs, reason), OK);
	assert_true(pmfs_was_unclean(d.fs));
	assert_int_equal(pmfs_open(d.fs, "f", FS_OPEN_READ | FS_OPEN_WRITE, 0, &keeper.inode), OK);
	pmfs_lease_set(keeper.inode, &keeper);
	assert_int_equal(keeper.flags & FS_LEASE_STORES, FS_LEASE_STORES); /* no client may leave the call out */
	assert_int_equal(pmfs_locate_with(d.fs, keeper.inode, 2 * PAGE, false, run_keep, &run), OK);
	struct pmfs_run at = run;
	at.device += 2 * PAGE - at.offset;
	struct pm_recorder *recorder = pm_record(&d.fs->pm);
	pm_store(&d.fs->pm, d.base + at.device, "left in a cache", 15);
	assert_int_equal(pmfs_sync(d.fs, keeper.inode), OK);
	pm_crash_image(recorder, PM_CRASH_NONE, &seed, image);
	assert_memory_equal(image + at.device, "left in a cache", 15);
	assert_int_equal(keeper.flags & FS_LEASE_STORES, 0);
	pm_record_end(&d.fs->pm);
	free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_change_is_published, begin, end),
		cmocka_unit_test_setup_teardown(blocks_are_taken_back_before_they_go, begin, end),
		cmocka_unit_test_setup_teardown(holes_are_taken_back_when_they_are_filled, begin, end),
		cmocka_unit_test_setup_teardown(nothing_behind_the_size_is_shown, begin, end),
		cmocka_unit_test_setup_teardown(stores_are_watched, begin, end),
		cmocka_unit_test_setup_teardown(stores_move_with_their_blocks, begin, end),
		cmocka_unit_test(marks),
		cmocka_unit_test_setup_teardown(stores_before_a_death_are_synced, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
