/* SPDX-License-Identifier: BSD-2-Clause */
/* test_pmfs_clone.c - files that share blocks: that neither file sees what happens to the other by any call, what
 * clients of both are told, full devices, and counts after every kind of mount.
 * link: servers/fs/pmfs/
 * link: servers/kit/fs.c */
#include "pmfs_share_host.h"

#include "fs/pmfs/pmem_host.h"

#define KEEP FS_ALLOCATE_KEEP_SIZE
#define FILE_MAX (64 * B)

struct contents {
	uint64_t bytes;
	uint8_t data[FILE_MAX];
};

static void contents_get(struct inode *inode, struct contents *out)
{
	assert_int_equal(pmfs_read(d.fs, inode, 0, out->data, FILE_MAX, &out->bytes), OK);
}

static void expect_same(struct inode *inode, const struct contents *want)
{
	static struct contents now;

	contents_get(inode, &now);
	assert_int_equal(now.bytes, want->bytes);
	for (uint64_t i = 0; i < now.bytes; i++)
		if (now.data[i] != want->data[i])
			fail_msg("byte %llu is %u, was %u", (unsigned long long)i, now.data[i], want->data[i]);
}

static struct fs_stat stat_of(struct inode *inode)
{
	struct fs_stat st;

	assert_int_equal(pmfs_fstat(d.fs, inode, &st), OK);
	return st;
}

static uint64_t free_blocks(void)
{
	return pmfs_blocks_free(d.fs) + d.fs->space.reserve_count;
}

/* Everything is sound, also for a mount that looks at all; and nothing is lost. */
static void end(void)
{
	const struct pmfs_options scan = { .cpus = 3, .scan = true, .log = device_log };
	char reason[PMFS_REASON_BYTES];
	uint64_t claims, again;

	pmfs_close(d.fs, a);
	pmfs_close(d.fs, b);
	const uint64_t blocks = shared_blocks(&claims);
	device_remount(&d);
	assert_false(pmfs_was_scanned(d.fs));
	assert_int_equal(shared_blocks(&again), blocks);
	assert_int_equal(again, claims);
	device_check(&d);
	device_unmount(&d);
	assert_int_equal(pmfs_mount(d.base, d.bytes, &scan, &d.fs, reason), OK);
	assert_int_equal(shared_blocks(&again), blocks);
	assert_int_equal(again, claims);
	device_check(&d);
	(void)!pmfs_unlink(d.fs, "a");
	device_check(&d);
	(void)!pmfs_unlink(d.fs, "b");
	device_check(&d);
	expect_shared(0, 0);
	assert_int_equal(free_blocks() + d.fs->table_inode->now.blocks + d.fs->root->now.blocks,
			d.fs->super.blocks - d.fs->super.first_data_block);
	device_end(&d);
}

static void test_clone(void **state)
{
	static struct contents old;

	(void)state;
	begin(8 * MIB);
	put(a, 0, 5 * B + 100, 1);
	put(a, 9 * B, 2 * B + 7, 2); /* a hole before it, and an end inside a block */
	contents_get(a, &old);
	const uint64_t before = free_blocks();
	const struct fs_stat was = stat_of(a);
	assert_int_equal(pmfs_clone(d.fs, a, 0, b, 0, 0), OK);
	assert_int_equal(free_blocks(), before);
	expect_same(a, &old);
	expect_same(b, &old);
	expect_shared(9, 18);
	assert_int_equal(stat_of(b).blocks, was.blocks);
	assert_int_equal(stat_of(a).blocks, was.blocks);
	assert_int_equal(stat_of(a).mtime, was.mtime);
	assert_int_equal(stat_of(a).ctime, was.ctime);
	device_check(&d);
	assert_int_equal(pmfs_clone(d.fs, a, 0, b, 0, 0), OK); /* once more */
	expect_shared(9, 18);
	device_check(&d);
	put(b, B + 10, 20, 3); /* one block is copied, and b's fourth extent makes a node */
	assert_int_equal(free_blocks(), before - 2);
	expect_shared(8, 16);
	expect_same(a, &old);
	put(a, 11 * B + 7, 10, 4); /* behind the end, in a block that both have */
	expect_shared(7, 14);
	assert_int_equal(pmfs_setattr(d.fs, b, &(struct fs_setattr) { .set = FS_SET_SIZE, .size = 12 * B }), OK);
	static struct contents now;
	contents_get(b, &now);
	assert_int_equal(now.bytes, 12 * B);
	for (uint64_t i = 11 * B + 7; i < 12 * B; i++)
		assert_int_equal(now.data[i], 0);
	end();
}

/* What it takes from both, three of them, and that the last owner writes in place. */
static void test_last_owner(void **state)
{
	static struct contents old;
	struct inode *third;

	(void)state;
	begin(8 * MIB);
	put(a, 0, 20 * B, 1);
	contents_get(a, &old);
	third = open_file("c");
	assert_int_equal(pmfs_clone(d.fs, a, 0, b, 0, 0), OK);
	assert_int_equal(pmfs_clone(d.fs, b, 0, third, 0, 0), OK);
	expect_shared(20, 60);
	pmfs_close(d.fs, third);
	assert_int_equal(pmfs_unlink(d.fs, "c"), OK);
	expect_shared(20, 40);
	expect_same(a, &old);
	expect_same(b, &old);
	const uint64_t before = free_blocks();
	put(b, 3 * B, 2 * B, 9);
	assert_int_equal(free_blocks(), before - 2);
	pmfs_close(d.fs, b);
	assert_int_equal(pmfs_unlink(d.fs, "b"), OK);
	assert_int_equal(free_blocks(), before);
	expect_shared(0, 0);
	expect_same(a, &old);
	put(a, 0, 20 * B, 7);
	put(a, 20 * B, 100, 7);
	assert_int_equal(free_blocks(), before - 1);
	device_check(&d);
	b = open_file("b");
	end();
}

static void test_refusals(void **state)
{
	struct inode *dir;

	(void)state;
	begin(8 * MIB);
	put(a, 0, 4 * B + 5, 1);
	put(b, 0, 8 * B, 2);
	assert_int_equal(pmfs_clone(d.fs, a, 1, b, 0, B), ERR_ARGS);
	assert_int_equal(pmfs_clone(d.fs, a, 0, b, 1, B), ERR_ARGS);
	assert_int_equal(pmfs_clone(d.fs, a, 0, b, 0, B + 1), ERR_ARGS);
	assert_int_equal(pmfs_clone(d.fs, a, 0, b, 0, 0), ERR_ARGS); /* a's end lies inside of b */
	assert_int_equal(pmfs_clone(d.fs, a, 4 * B, b, 7 * B, 5), ERR_ARGS);
	assert_int_equal(pmfs_clone(d.fs, a, 5 * B, b, 0, 0), ERR_ARGS);
	assert_int_equal(pmfs_clone(d.fs, a, 4 * B, b, 0, B), ERR_ARGS);
	assert_int_equal(pmfs_clone(d.fs, b, 0, b, 0, 0), ERR_ARGS);
	assert_int_equal(pmfs_clone(d.fs, b, 0, b, 3 * B, 4 * B), ERR_ARGS);
	assert_int_equal(pmfs_clone(d.fs, b, 0, a, B * UINT32_MAX, B), ERR_TOO_BIG);
	assert_int_equal(pmfs_clone(d.fs, b, 0, a, UINT64_MAX - 5, B), ERR_TOO_BIG);
	assert_int_equal(pmfs_mkdir(d.fs, "d", 0755), OK);
	assert_int_equal(pmfs_open(d.fs, "d", FS_OPEN_READ, 0, &dir), OK);
	assert_int_equal(pmfs_clone(d.fs, dir, 0, a, 0, 0), ERR_IS_DIR);
	assert_int_equal(pmfs_clone(d.fs, a, 0, dir, 0, 0), ERR_IS_DIR);
	pmfs_close(d.fs, dir);
	assert_int_equal(pmfs_rmdir(d.fs, "d"), OK);
	expect_shared(0, 0);
	assert_int_equal(pmfs_clone(d.fs, a, 4 * B, b, 7 * B, 0), ERR_ARGS);
	assert_int_equal(pmfs_clone(d.fs, a, 4 * B, b, 8 * B, 5), OK); /* a's end becomes b's */
	assert_int_equal(stat_of(b).size, 8 * B + 5);
	assert_int_equal(pmfs_clone(d.fs, a, 4 * B + 5, b, 0, 0), ERR_ARGS);
	expect_shared(1, 2);
	end();
}

/* Every call that changes a's blocks, on a clone whose other owner must not notice; and the same bytes come out as
 * without a clone. */
struct way {
	const char *name;
	uint32_t mode;
	uint64_t offset;
	uint64_t bytes;
};
#define WRITE 0x100u
#define RESIZE 0x200u
#define COPY 0x400u

static void way_go(const struct way *way)
{
	uint64_t done;

	if (way->mode == WRITE)
		put(a, way->offset, way->bytes, 77);
	else if (way->mode == RESIZE)
		assert_int_equal(pmfs_setattr(d.fs, a, &(struct fs_setattr) { .set = FS_SET_SIZE, .size = way->offset }), OK);
	else if (way->mode == COPY)
		assert_int_equal(pmfs_copy(d.fs, a, way->offset, a, 20 * B, way->bytes, &done), OK);
	else
		assert_int_equal(pmfs_allocate(d.fs, a, way->mode, way->offset, way->bytes), OK);
	assert_int_equal(pmfs_sync(d.fs, a), OK);
}

static void test_ways(void **state)
{
	static const struct way ways[] = {
		{ "a byte", WRITE, 5, 1 }, { "a block", WRITE, B, B }, { "over blocks", WRITE, 100, 3 * B },
		{ "over the end", WRITE, 11 * B, 5 * B }, { "at the end", WRITE, 12 * B + 50, 40 },
		{ "beyond", WRITE, 15 * B + 9, 40 }, { "into the hole", WRITE, 6 * B - 10, 2 * B },
		{ "all", WRITE, 0, 14 * B }, { "to nothing", RESIZE, 0, 0 }, { "to a block", RESIZE, 3 * B, 0 },
		{ "into a block", RESIZE, 2 * B + 100, 0 }, { "into the last", RESIZE, 12 * B + 1, 0 },
		{ "up", RESIZE, 12 * B + 3000, 0 }, { "far up", RESIZE, 30 * B, 0 },
		{ "punch in a block", KEEP | FS_ALLOCATE_PUNCH_HOLE, 100, 50 },
		{ "punch", KEEP | FS_ALLOCATE_PUNCH_HOLE, 100, 3 * B },
		{ "punch all", KEEP | FS_ALLOCATE_PUNCH_HOLE, 0, 99 * B },
		{ "punch blocks", KEEP | FS_ALLOCATE_PUNCH_HOLE, B, 2 * B },
		{ "zero in a block", FS_ALLOCATE_ZERO_RANGE, 100, 50 }, { "zero", FS_ALLOCATE_ZERO_RANGE, 50, 7 * B },
		{ "zero beyond", FS_ALLOCATE_ZERO_RANGE, 11 * B + 1, 4 * B }, { "fill", 0, 0, 14 * B },
		{ "fill beyond", KEEP, 11 * B, 9 * B }, { "collapse", FS_ALLOCATE_COLLAPSE_RANGE, B, 3 * B },
		{ "insert", FS_ALLOCATE_INSERT_RANGE, 2 * B, 3 * B }, { "copy in itself", COPY, 0, 3 * B },
		{ "copy over the hole", COPY, 4 * B, 4 * B + 10 },
	};
	static struct contents old, want;

	(void)state;
	for (uint32_t cloned = 0; cloned < 2; cloned++) {
		for (uint32_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
			static struct contents plain[sizeof(ways) / sizeof(ways[0])];
			begin(8 * MIB);
			put(a, 0, 5 * B, 1);
			put(a, 8 * B, 4 * B + 50, 2);
			contents_get(a, &old);
			if (cloned)
				assert_int_equal(pmfs_clone(d.fs, a, 0, b, 0, 0), OK);
			way_go(&ways[i]);
			contents_get(a, &want);
			if (!cloned)
				plain[i] = want;
			else if (want.bytes != plain[i].bytes || memcmp(want.data, plain[i].data, want.bytes) != 0)
				fail_msg("%s: other bytes than without a clone", ways[i].name);
			if (cloned)
				expect_same(b, &old);
			device_check(&d);
			end();
		}
	}
}

/* copy_file_range: whole blocks are shared, others are copied. */
static void test_copy(void **state)
{
	static struct contents old, now;
	uint64_t done;

	(void)state;
	begin(8 * MIB);
	put(a, 0, 10 * B + 30, 1);
	put(b, 0, 4 * B, 2);
	contents_get(a, &old);
	uint64_t before = free_blocks();
	assert_int_equal(pmfs_copy(d.fs, a, B, b, 6 * B, 3 * B, &done), OK);
	assert_int_equal(done, 3 * B);
	assert_int_equal(free_blocks(), before);
	expect_shared(3, 6);
	assert_int_equal(pmfs_copy(d.fs, a, B + 100, b, 100, 3 * B, &done), OK); /* a part, two blocks, a part */
	assert_int_equal(done, 3 * B);
	expect_shared(3, 8); /* the same blocks, two of them once more */
	assert_int_equal(free_blocks(), before + 2 - 1); /* b had blocks there; and there is a node */
	contents_get(b, &now);
	assert_memory_equal(now.data + 100, old.data + B + 100, 3 * B);
	assert_memory_equal(now.data + 6 * B, old.data + B, 3 * B);
	before = free_blocks();
	assert_int_equal(pmfs_copy(d.fs, a, 10, b, 11, 3 * B, &done), OK); /* no block of one is one of the other */
	assert_true(free_blocks() < before);
	assert_int_equal(pmfs_copy(d.fs, a, 0, b, 0, 100 * B, &done), OK); /* up to the end, which becomes b's */
	assert_int_equal(done, 10 * B + 30);
	assert_int_equal(stat_of(b).size, 10 * B + 30);
	expect_same(b, &old);
	expect_shared(11, 22);
	assert_int_equal(pmfs_setattr(d.fs, b, &(struct fs_setattr) { .set = FS_SET_SIZE, .size = 20 * B }), OK);
	assert_int_equal(pmfs_copy(d.fs, a, 0, b, 0, 100 * B, &done), OK); /* up to the end, which does not */
	assert_int_equal(done, 10 * B + 30);
	assert_int_equal(stat_of(b).size, 20 * B);
	expect_shared(10, 20);
	assert_int_equal(pmfs_copy(d.fs, b, 0, b, 20 * B, 4 * B, &done), OK); /* in itself */
	expect_shared(10, 24);
	const uint64_t size = stat_of(b).size;
	assert_int_equal(pmfs_copy(d.fs, b, 0, b, 40 * B, 39 * B, &done), OK); /* in itself, up to the end that was */
	assert_int_equal(done, size);
	assert_int_equal(stat_of(b).size, 40 * B + size);
	device_check(&d);
	end();
}

/* Two trees of two levels; the source's nodes are written anew only the first time. Small pieces of them are copied. */
static void test_trees(void **state)
{
	static uint8_t want[1500 * 2 * B], have[1500 * 2 * B];
	uint64_t done, claims;

	(void)state;
	begin(64 * MIB);
	for (uint64_t i = 0; i < 1500; i++)
		put(a, i * 2 * B, 100, (uint8_t)i);
	assert_int_equal(pmfs_read(d.fs, a, 0, want, sizeof(want), &done), OK);
	const uint64_t size = done;
	assert_int_equal(a->now.levels, 2);
	const struct pmfs_inode was = a->now;
	assert_int_equal(pmfs_clone(d.fs, a, 0, b, 0, 0), OK);
	assert_int_equal(shared_blocks(&claims), 1500);
	device_check(&d);
	assert_int_not_equal(memcmp(was.root, a->now.root, sizeof(was.root)), 0);
	assert_int_equal(pmfs_read(d.fs, b, 0, have, sizeof(have), &done), OK);
	assert_true(done == size && memcmp(want, have, size) == 0);
	const struct pmfs_inode again = a->now;
	assert_int_equal(pmfs_clone(d.fs, a, 0, b, 0, 0), OK);
	assert_memory_equal(&again, &a->now, sizeof(again)); /* it did not join */
	for (uint64_t i = 0; i < 1500; i += 3)
		put(b, i * 2 * B + 50, 10, 3);
	assert_int_equal(shared_blocks(&claims), 1000);
	assert_int_equal(pmfs_read(d.fs, a, 0, have, sizeof(have), &done), OK);
	assert_memory_equal(want, have, size);
	device_check(&d);
	assert_int_equal(pmfs_copy(d.fs, a, 0, b, 0, 2 * B, &done), OK);
	assert_int_equal(shared_blocks(&claims), 1000); /* two blocks: two trees of many nodes are dearer */
	assert_int_equal(pmfs_setattr(d.fs, b, &(struct fs_setattr) { .set = FS_SET_SIZE, .size = 700 * 2 * B + 30 }), OK);
	assert_int_equal(pmfs_read(d.fs, a, 0, have, sizeof(have), &done), OK);
	assert_memory_equal(want, have, size);
	end();
}

/* A file without clones: the same fences and bytes as ever; a block that is copied costs a block more. */
static void test_full(void **state)
{
	static struct contents old;
	uint8_t byte = 1, block[B] = { 1 };
	uint64_t done, after;
	struct inode *filler;

	(void)state;
	begin(8 * MIB);
	put(a, 0, 30 * B + 40, 1);
	contents_get(a, &old);
	assert_int_equal(pmfs_clone(d.fs, a, 0, b, 0, 0), OK);
	filler = open_file("c");
	while (pmfs_write(d.fs, filler, 0, true, block, B, &done, &after) == OK && done == B)
		;
	assert_int_equal(pmfs_write(d.fs, b, 5, false, &byte, 1, &done, &after), ERR_NO_SPACE);
	assert_int_equal(pmfs_write(d.fs, b, 0, true, &byte, 1, &done, &after), ERR_NO_SPACE);
	expect_same(a, &old);
	expect_same(b, &old);
	expect_shared(31, 62);
	device_check(&d);
	assert_int_equal(pmfs_setattr(d.fs, filler, &(struct fs_setattr) { .set = FS_SET_SIZE,
			.size = stat_of(filler).size - 3 * B }), OK);
	uint8_t many[8 * B];
	memset(many, 9, sizeof(many));
	assert_int_equal(pmfs_write(d.fs, b, B, false, many, sizeof(many), &done, &after), OK);
	assert_true(done > 0 && done < sizeof(many));
	assert_memory_equal((contents_get(b, &old), old.data + B), many, done);
	contents_get(a, &old);
	device_check(&d);
	/* with the blocks that are kept back, what frees goes on */
	assert_int_equal(pmfs_setattr(d.fs, b, &(struct fs_setattr) { .set = FS_SET_SIZE, .size = 20 * B + 7 }), OK);
	expect_same(a, &old);
	assert_int_equal(pmfs_allocate(d.fs, b, KEEP | FS_ALLOCATE_PUNCH_HOLE, 12 * B + 7, 100), OK);
	expect_same(a, &old);
	device_check(&d);
	pmfs_close(d.fs, filler);
	assert_int_equal(pmfs_unlink(d.fs, "c"), OK);
	end();
}

/* --- clients --- */

static struct {
	uint64_t from, end; /* of what was taken back since the last publish, all in all */
	uint32_t published;
	uint32_t revoked;
} keeper[2];

static void keeper_revoke(void *lease, uint64_t offset, uint64_t bytes)
{
	const uint32_t k = *(uint32_t *)lease;

	keeper[k].from = keeper[k].revoked != 0 && keeper[k].from < offset ? keeper[k].from : offset;
	keeper[k].end = keeper[k].revoked != 0 && keeper[k].end > offset + bytes ? keeper[k].end : offset + bytes;
	keeper[k].revoked++;
}

static void keeper_publish(void *lease, const struct fs_stat *st, uint32_t flags)
{
	const uint32_t k = *(uint32_t *)lease;

	(void)st, (void)flags;
	keeper[k].published++;
	keeper[k].revoked = 0;
}

static err_t run_keep(void *context, void *lease, const struct pmfs_run *run)
{
	(void)lease;
	*(struct pmfs_run *)context = *run;
	return OK;
}

static struct pmfs_run locate(struct inode *inode, uint64_t offset, bool store)
{
	struct pmfs_run run;

	assert_int_equal(pmfs_locate_with(d.fs, inode, offset, store, run_keep, &run), OK);
	return run;
}

static void test_clients(void **state)
{
	const struct pmfs_options options = { .cpus = 2, .seed = 42, .revoke = keeper_revoke, .publish = keeper_publish };
	static uint32_t lease[2] = { 0, 1 };
	static struct contents old, now;
	char reason[PMFS_REASON_BYTES];

	(void)state;
	device_make(&d, 8 * MIB);
	assert_int_equal(pmfs_mount(d.base, d.bytes, &options, &d.fs, reason), OK);
	a = open_file("a");
	b = open_file("b");
	put(a, 0, 40 * B + 10, 1);
	put(b, 0, 10 * B, 2);
	pmfs_lease_set(a, &lease[0]);
	pmfs_lease_set(b, &lease[1]);
	assert_false(locate(a, 0, false).read_only);
	/* a store of a client behind the end: the clone must not show it when it grows */
	const struct pmfs_run tail = locate(a, 40 * B, true);
	memset(d.base + tail.device + (40 * B - tail.offset) + 10, 'x', 50);
	contents_get(a, &old);
	memset(keeper, 0, sizeof(keeper));
	assert_int_equal(pmfs_clone(d.fs, a, 0, b, 0, 0), OK);
	assert_true(keeper[0].from == 0 && keeper[0].end >= 41 * B && keeper[0].published != 0 && keeper[0].revoked == 0);
	assert_true(keeper[1].from == 0 && keeper[1].end >= 10 * B && keeper[1].published != 0 && keeper[1].revoked == 0);
	for (int k = 0; k < 2; k++)
		assert_true(pm_is_zero(d.base + locate(k ? a : b, 40 * B, false).device +
				(40 * B - locate(k ? a : b, 40 * B, false).offset) + 10, B - 10));
	assert_true(locate(a, 3 * B, false).read_only && locate(b, 3 * B, false).read_only);
	assert_int_equal(locate(a, 3 * B, false).device, locate(b, 3 * B, false).device);
	/* a store: the block and its neighbours are its own, and the old ones have been taken from it */
	memset(keeper, 0, sizeof(keeper));
	struct pmfs_run run = locate(b, 20 * B, true);
	assert_false(run.read_only);
	assert_true(run.offset <= 16 * B && run.offset + run.bytes >= 32 * B);
	assert_true(keeper[1].from <= 16 * B && keeper[1].end >= 32 * B && keeper[1].published != 0);
	assert_int_equal(keeper[0].published, 0);
	d.base[run.device + 20 * B - run.offset] = 0xee;
	expect_same(a, &old);
	contents_get(b, &now);
	assert_int_equal(now.data[20 * B], 0xee);
	expect_shared(25, 50);
	/* the other one is the only one who has them now, and may store after one more question */
	pmfs_lease_set(b, NULL);
	assert_int_equal(pmfs_lease_end(b), OK);
	pmfs_close(d.fs, b);
	assert_int_equal(pmfs_unlink(d.fs, "b"), OK);
	assert_true(locate(a, 3 * B, false).read_only);
	const uint64_t before = free_blocks();
	memset(keeper, 0, sizeof(keeper));
	run = locate(a, 3 * B, true);
	assert_false(run.read_only);
	assert_int_equal(free_blocks(), before);
	assert_true(keeper[0].from <= 3 * B && keeper[0].end >= 4 * B && keeper[0].published != 0);
	assert_false(locate(a, 3 * B, false).read_only);
	expect_same(a, &old);
	pmfs_lease_set(a, NULL);
	assert_int_equal(pmfs_lease_end(a), OK);
	b = open_file("b");
	end();
}

static err_t run_store(void *context, void *lease, const struct pmfs_run *run)
{
	(void)lease;
	pm_store(&d.fs->pm, d.base + run->device - run->offset, context, 8); /* by way of the caches */
	return OK;
}

/* S2: what a client has stored through a mapping and not written back is in the clone, and durable with it. */
static void test_stores_are_written_back(void **state)
{
	const struct pmfs_options options = { .cpus = 2, .seed = 42, .revoke = keeper_revoke, .publish = keeper_publish };
	static uint32_t lease[1] = { 0 };
	char reason[PMFS_REASON_BYTES], word[8] = "stored!";
	uint64_t seed = 1, done;

	(void)state;
	device_make(&d, 8 * MIB);
	assert_int_equal(pmfs_mount(d.base, d.bytes, &options, &d.fs, reason), OK);
	a = open_file("a");
	b = open_file("b");
	put(a, 0, 3 * B, 1);
	pmfs_lease_set(a, lease);
	assert_int_equal(pmfs_lease_stores(a), OK);
	struct pm_recorder *recorder = pm_record(&d.fs->pm);
	assert_int_equal(pmfs_locate_with(d.fs, a, 0, true, run_store, word), OK);
	assert_int_equal(pmfs_clone(d.fs, a, 0, b, 0, 0), OK);
	struct device image = { .bytes = d.bytes, .base = aligned_alloc(4096, d.bytes) };
	assert_non_null(image.base);
	pm_crash_image(recorder, PM_CRASH_NONE, &seed, image.base);
	pm_record_end(&d.fs->pm);
	pmfs_lease_set(a, NULL);
	assert_int_equal(pmfs_lease_end(a), OK);
	end();

	struct inode *clone;
	char there[8];
	device_mount(&image);
	assert_int_equal(pmfs_open(image.fs, "b", FS_OPEN_READ, 0, &clone), OK);
	assert_int_equal(pmfs_read(image.fs, clone, 0, there, 8, &done), OK);
	assert_int_equal(done, 8);
	assert_memory_equal(there, word, 8);
	pmfs_close(image.fs, clone);
	device_end(&image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clone),
		cmocka_unit_test(test_last_owner),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_trees),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_clients),
		cmocka_unit_test(test_stores_are_written_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
