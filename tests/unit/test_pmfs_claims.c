/* SPDX-License-Identifier: BSD-2-Clause */
/* test_pmfs_claims.c - how often blocks are claimed: the lists against a plain array, what a clone of 1 GiB writes,
 * what is refused on media, and that fsck counts for itself.
 * link: servers/fs/pmfs/
 * link: servers/kit/fs.c */
#define _GNU_SOURCE
#include "pmfs_share_host.h"

#include "fs/pmfs/pmem_host.h"

#include <sys/mman.h>

static uint64_t stored, fences;

static void count_store(void *context, uint64_t at, const void *from, size_t bytes, bool non_temporal)
{
	(void)context, (void)at, (void)from, (void)non_temporal;
	stored += bytes;
}

static void count_write_back(void *context, uint64_t at, size_t bytes)
{
	(void)context, (void)at, (void)bytes;
}

static void count_fence(void *context)
{
	(void)context;
	fences++;
}

/* 1 GiB: a record, two inodes, one fence. */
static void test_costs(void **state)
{
	const struct pm_watch watch = { count_store, count_write_back, count_fence, NULL };
	struct device device = { .bytes = 3ull << 30 };

	(void)state;
	d = device;
	d.base = mmap(NULL, d.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(d.base != MAP_FAILED);
	device_mount(&d);
	a = open_file("a");
	b = open_file("b");
	/* holes with an end: 1 GiB of blocks would be 1 GiB of memory here */
	struct pmfs_inode *now = &a->now;
	uint64_t start;
	uint32_t count;
	for (uint32_t left = 1u << 18; left != 0; left -= count) {
		assert_int_equal(space_alloc(&d.fs->space, 0, 0, left, false, &start, &count), OK);
		struct pmfs_extent *last = now->entries != 0 ? &now->root[now->entries - 1] : NULL;
		if (last != NULL && last->physical + last->count == start) {
			last->count += count;
		} else {
			assert_true(now->entries < PMFS_EXTENTS_INLINE);
			now->root[now->entries++] = (struct pmfs_extent) { (1u << 18) - left, count, start };
		}
		now->blocks += count;
	}
	now->size = 1ull << 30;
	pm_watch(&watch);
	stored = fences = 0;
	assert_int_equal(pmfs_clone(d.fs, a, 0, b, 0, 0), OK);
	pm_watch(NULL);
	print_message("a clone of 1 GiB in %u extents: %llu bytes stored, %llu fences\n", now->entries,
			(unsigned long long)stored, (unsigned long long)fences);
	assert_true(stored < 1024 && fences <= 2);
	expect_shared(1u << 18, 2u << 18);
	pmfs_close(d.fs, a);
	pmfs_close(d.fs, b);
	device_remount(&d);
	assert_int_equal(pmfs_unlink(d.fs, "a"), OK);
	expect_shared(0, 0);
	assert_int_equal(pmfs_unlink(d.fs, "b"), OK);
	device_check(&d);
	device_unmount(&d);
	munmap(d.base, d.bytes);
}

static void reseal(struct inode *inode)
{
	struct pmfs_inode *copy = &inode->slot->copy[inode->copy];

	*copy = inode->now;
	copy->crc = inode_crc(inode->number, copy);
}

/* Mounts that look at everything refuse it. */
static void expect_refused(const char *what, const char *says)
{
	const struct pmfs_options options = { .cpus = 2, .scan = true };
	char reason[PMFS_REASON_BYTES];
	struct pmfs *fs;

	if (pmfs_mount(d.base, d.bytes, &options, &fs, reason) != ERR_CORRUPT || strstr(reason, says) == NULL)
		fail_msg("%s: %s", what, reason);
}

static void test_damage(void **state)
{
	static const char *const what[] = { "neither says so", "the first does not", "the second does not", "a directory",
		"the table" };

	(void)state;
	for (uint32_t i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
		begin(8 * MIB);
		put(a, 0, 5 * B, 1);
		assert_int_equal(pmfs_clone(d.fs, a, 0, b, 0, 0), OK);
		if (i == 0 || i == 1)
			a->now.root[0].physical &= ~PMFS_EXTENT_SHARED;
		if (i == 0 || i == 2)
			b->now.root[0].physical &= ~PMFS_EXTENT_SHARED;
		struct inode *damaged = i == 3 ? d.fs->root : i == 4 ? d.fs->table_inode : a;
		if (i > 2)
			damaged->now.root[0].physical |= PMFS_EXTENT_SHARED;
		assert_int_equal(pmfs_sync(d.fs, a), OK);
		reseal(damaged);
		reseal(b);
		pmfs_abandon(d.fs);
		expect_refused(what[i], i < 3 ? "belong to somebody else" : "is no file");
		free(d.base);
	}
}

/* fsck counts for itself: a count that is too high, one too low, and a block that was freed all the same. */
static void test_counts_are_checked(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		begin(8 * MIB);
		put(a, 0, 5 * B, 1);
		assert_int_equal(pmfs_clone(d.fs, a, 0, b, 0, 0), OK);
		device_check(&d);
		const uint64_t block = extent_block(&a->now.root[0]) + 2;
		if (i == 0)
			assert_int_equal(space_share(&d.fs->space, block, 1), OK);
		if (i == 1)
			space_drop(&d.fs->space, block, 1);
		if (i == 2)
			for (int k = 0; k < 2; k++)
				space_drop(&d.fs->space, block, 1);
		if (i == 3) /* counted, and nobody has it */
			assert_int_equal(space_share(&d.fs->space, d.fs->space.blocks - 1, 1), OK);
		assert_int_equal(pmfs_check(d.fs, device_quiet, NULL), ERR_CORRUPT);
		pmfs_abandon(d.fs);
		free(d.base);
	}
}

/* The list of claims against a plain array of them. */
static void test_claims(void **state)
{
	enum { BLOCKS = 3000, FIRST = 100 };
	static uint32_t plain[BLOCKS];
	struct space space;
	uint64_t seed = 11;

	(void)state;
	assert_int_equal(space_init(&space, FIRST, BLOCKS, 1), OK);
	memset(plain, 0, sizeof(plain));
	for (uint32_t i = FIRST; i < BLOCKS - 10; i++)
		plain[i] = 1;
	assert_int_equal(space_mark(&space, FIRST, BLOCKS - 10 - FIRST), OK);
	for (int i = 0; i < 60000; i++) {
		const uint64_t start = FIRST + random_next(&seed) % (BLOCKS - 10 - FIRST);
		uint64_t count = 1 + random_next(&seed) % 90;
		count = start + count > BLOCKS - 10 ? BLOCKS - 10 - start : count;
		bool all = true;
		for (uint64_t k = start; k < start + count; k++)
			all &= plain[k] != 0;
		if (!all)
			continue;
		const bool more = random_next(&seed) % 100 < (i / 10000 % 2 ? 40u : 60u);
		if (more)
			assert_int_equal(space_share(&space, start, count), OK);
		else if (plain[start] > 1)
			space_free(&space, start | PMFS_EXTENT_SHARED, count = 1);
		else
			continue;
		for (uint64_t k = start; k < start + count; k++)
			plain[k] += more ? 1 : -1u;
		if (i % 97 != 0)
			continue;
		struct pmfs_summary_share run;
		uint64_t at = 0;
		uint32_t seen[BLOCKS] = { 0 };
		for (; space_next_share(&space, at, &run); at = run.block + run.blocks)
			for (uint32_t k = 0; k < run.blocks; k++)
				seen[run.block + k] = run.claims;
		for (uint32_t k = 0; k < BLOCKS; k++)
			assert_int_equal(seen[k], plain[k] > 1 ? plain[k] : 0);
		uint64_t ask = 200;
		const bool shared = space_is_shared(&space, start, &ask);
		assert_int_equal(shared, plain[start] > 1);
		for (uint64_t k = start; k < start + ask && k < BLOCKS - 10; k++)
			assert_int_equal(plain[k] > 1, shared);
	}
	space_destroy(&space);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_costs),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_counts_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
