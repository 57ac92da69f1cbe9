/* SPDX-License-Identifier: BSD-2-Clause */
/* test_pmfs_bits.c - every bit of the metadata that is in use, flipped: it is refused, found by the
 * check, or said to have been mended; nothing of it is followed. One bit in seven, unless
 * PMFS_ALL_BITS is set.
 * link: servers/fs/pmfs/
 * link: servers/kit/fs.c */
#include "pmfs_host.h"

#include "fs/pmfs/directory.h"
#include "fs/pmfs/extent_tree.h"

#define RANGES_MAX 4096
#define DEVICE_BYTES (4ull << 20)

static struct {
	uint64_t at;
	uint64_t bytes;
} range[RANGES_MAX];
static uint32_t ranges;
static bool mended;

static void range_add(uint64_t at, uint64_t bytes)
{
	assert_true(ranges < RANGES_MAX);
	range[ranges].at = at;
	range[ranges++].bytes = bytes;
}

struct walker {
	struct pmfs *fs;
	uint8_t type;
};

static void leaf_add(struct pmfs *fs, uint64_t block)
{
	const struct pmfs_leaf *leaf = block_at(fs, block);

	range_add(block * PMFS_BLOCK, 64);
	for (uint32_t slot = 0; slot < PMFS_LEAF_SLOTS;) {
		const struct pmfs_dirent *entry = (const void *)leaf->slot[slot];
		if (leaf->used >> slot & 1)
			range_add(block * PMFS_BLOCK + 64 * (slot + 1), PMFS_DIRENT_BYTES + (uint64_t)entry->name_bytes);
		slot += leaf->used >> slot & 1 ? entry->slots : 1;
	}
}

/* Groups that follow each other. */
static void attributes_add(struct pmfs *fs, const struct pmfs_extent *run)
{
	for (uint32_t i = 0; i < run->count;) {
		const struct pmfs_attributes *group = block_at(fs, run->physical + i);
		range_add((run->physical + i) * PMFS_BLOCK, group->bytes);
		i += (group->bytes + PMFS_BLOCK - 1) / PMFS_BLOCK;
	}
}

static err_t tree_add(void *context, const struct pmfs_extent *what, bool leaf)
{
	struct walker *w = context;

	if (!leaf)
		range_add(what->physical * PMFS_BLOCK, PMFS_BLOCK);
	else if (w->type == PMFS_DIRECTORY)
		leaf_add(w->fs, what->physical);
	else if (w->type == PMFS_ATTRIBUTES)
		attributes_add(w->fs, what);
	return OK;
}

static void inode_add(struct pmfs *fs, uint64_t number)
{
	const struct pmfs_inode_slot *slot = inode_slot(fs, number);
	uint8_t copy;

	assert_int_equal(inode_slot_pick(number, slot, false, &copy), OK);
	range_add((uint64_t)((const uint8_t *)slot - fs->pm.base), sizeof(*slot));
	struct walker w = { fs, slot->copy[copy].type };
	struct tree_visitor visitor = { .visit = tree_add, .context = &w };
	if (w.type != PMFS_FREE)
		assert_int_equal(tree_walk(fs, number, &slot->copy[copy], &visitor), OK);
}

static void device_fill(struct device *d)
{
	struct inode *inode;
	uint64_t done, end;
	char name[300];

	assert_int_equal(pmfs_mkdir(d->fs, "d", 0755), OK);
	assert_int_equal(pmfs_symlink(d->fs, "d/f", "s"), OK);
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "d/%0*d", 10 + i * 8, i);
		assert_int_equal(pmfs_open(d->fs, name, FS_OPEN_CREATE | FS_OPEN_WRITE, 0644, &inode), OK);
		for (uint64_t at = 0; i == 7 && at < 12; at++)
			assert_int_equal(pmfs_write(d->fs, inode, at * 8192, false, name, 10, &done, &end), OK);
		if (i >= 28)
			assert_int_equal(pmfs_xattr_set(d->fs, inode, "name", range, i == 28 ? 100 : 5000, 0), OK);
		if (i == 28)
			assert_int_equal(pmfs_xattr_set(d->fs, inode, "other", range, 200, 0), OK);
		if (i == 7) { /* both trees have a node, of extents that say so */
			struct inode *clone;
			assert_int_equal(pmfs_open(d->fs, "clone", FS_OPEN_CREATE | FS_OPEN_WRITE, 0644, &clone), OK);
			assert_int_equal(pmfs_clone(d->fs, inode, 0, clone, 0, 0), OK);
			pmfs_close(d->fs, clone);
		}
		pmfs_close(d->fs, inode);
	}
	for (uint64_t number = 1; number < 39; number++)
		inode_add(d->fs, number);
	range_add(0, sizeof(struct pmfs_super));
	range_add(PMFS_BLOCK, sizeof(struct pmfs_super));
	range_add(PMFS_STATE_BLOCK * PMFS_BLOCK, 8);
}

static void log_watch(const char *line)
{
	mended |= strstr(line, "damaged") != NULL;
}

/* Does anybody notice? */
static bool flip_noticed(struct device *d)
{
	const struct pmfs_options options = { .cpus = 1, .keep_blank = true, .log = log_watch };
	char reason[PMFS_REASON_BYTES];

	mended = false;
	if (pmfs_mount(d->base, d->bytes, &options, &d->fs, reason) != OK)
		return reason[0] != 0;
	const bool noticed = mended || pmfs_was_unclean(d->fs) || pmfs_check(d->fs, device_quiet, NULL) != OK;
	pmfs_abandon(d->fs);
	return noticed;
}

static void test_every_bit(void **state)
{
	const uint64_t step = getenv("PMFS_ALL_BITS") != NULL ? 1 : 7;
	struct device d;
	uint64_t flips = 0, seen = 0;

	(void)state;
	device_make(&d, DEVICE_BYTES);
	device_mount(&d);
	device_fill(&d);
	device_unmount(&d);
	uint8_t *good = malloc(d.bytes);
	assert_non_null(good);
	memcpy(good, d.base, d.bytes);
	for (uint32_t r = 0; r < ranges; r++) {
		for (uint64_t bit = 0; bit < range[r].bytes * 8; bit++) {
			if (seen++ % step != 0)
				continue;
			d.base[range[r].at + bit / 8] ^= (uint8_t)(1u << bit % 8);
			if (!flip_noticed(&d))
				fail_msg("byte %llx bit %llu: nobody notices", (unsigned long long)(range[r].at + bit / 8),
						(unsigned long long)bit % 8);
			memcpy(d.base, good, 256 * PMFS_BLOCK);
			flips++;
		}
	}
	print_message("%llu flips of %llu bits\n", (unsigned long long)flips, (unsigned long long)seen);
	d.fs = NULL;
	free(good);
	device_end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_bit) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
