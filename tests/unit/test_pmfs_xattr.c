/* SPDX-License-Identifier: BSD-2-Clause */
/* test_pmfs_xattr.c - extended attributes: random ones against a model, full devices, what a power cut leaves of a file
 * that goes, damage.
 * link: servers/fs/pmfs/
 * link: servers/kit/fs.c */
#include "pmfs_host.h"

#include "fs/pmfs/crc32c.h"
#include "fs/pmfs/inode.h"

#define MIB (1ull << 20)
#define NAMES 24

static uint8_t buffer[PMFS_ATTRIBUTE_VALUE_MAX];

static struct inode *file_open(struct device *d, const char *path, uint32_t flags)
{
	struct inode *inode;

	assert_int_equal(pmfs_open(d->fs, path, flags, 0644, &inode), OK);
	return inode;
}

struct value {
	bool there;
	uint32_t bytes;
	uint8_t seed;
};

static void value_fill(const struct value *v, uint8_t *to)
{
	for (uint32_t i = 0; i < v->bytes; i++)
		to[i] = (uint8_t)(v->seed + i * 13 + i / 256);
}

static void name_of(uint32_t i, char out[260])
{
	snprintf(out, 260, "%0*u", i % 5 == 4 ? 255 : 3 + (int)i, (unsigned)i);
}

static void model_compare(struct device *d, struct inode *inode, const struct value value[NAMES])
{
	static uint8_t want[PMFS_ATTRIBUTE_VALUE_MAX];
	uint64_t bytes, list_bytes = 0;
	char name[260];

	for (uint32_t i = 0; i < NAMES; i++) {
		name_of(i, name);
		err_t err = pmfs_xattr_get(d->fs, inode, name, buffer, sizeof(buffer), &bytes);
		assert_int_equal(err, value[i].there ? OK : ERR_NO_ATTRIBUTE);
		if (err != OK)
			continue;
		assert_int_equal(bytes, value[i].bytes);
		value_fill(&value[i], want);
		assert_memory_equal(buffer, want, bytes);
		list_bytes += strlen(name) + 1;
	}
	assert_int_equal(pmfs_xattr_list(d->fs, inode, (char *)buffer, sizeof(buffer), &bytes), OK);
	assert_int_equal(bytes, list_bytes);
}

static void test_model(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 40, 300, 1800, 4000, 4060, 9000, PMFS_ATTRIBUTE_VALUE_MAX };
	struct value value[NAMES] = { { 0 } };
	uint64_t seed = 77;
	struct device d;
	char name[260];

	(void)state;
	device_make(&d, 16 * MIB);
	device_mount(&d);
	const uint64_t free_before = pmfs_blocks_free(d.fs);
	struct inode *inode = file_open(&d, "f", FS_OPEN_WRITE | FS_OPEN_CREATE);
	for (uint32_t i = 0; i < 3000; i++) {
		const uint32_t n = (uint32_t)(random_next(&seed) >> 20) % NAMES;
		const uint32_t flags = (uint32_t)(random_next(&seed) >> 20) % 3;
		struct value next = { true, sizes[(random_next(&seed) >> 20) % 9], (uint8_t)(random_next(&seed) >> 20) };
		name_of(n, name);
		if (next.seed % 4 == 0) {
			assert_int_equal(pmfs_xattr_remove(d.fs, inode, name), value[n].there ? OK : ERR_NO_ATTRIBUTE);
			value[n].there = false;
		} else {
			value_fill(&next, buffer);
			const err_t want = flags == FS_ATTRIBUTE_CREATE && value[n].there ? ERR_EXISTS
					: flags == FS_ATTRIBUTE_REPLACE && !value[n].there ? ERR_NO_ATTRIBUTE : OK;
			assert_int_equal(pmfs_xattr_set(d.fs, inode, name, buffer, next.bytes, flags), want);
			if (want == OK)
				value[n] = next;
		}
		if (i % 100 == 99)
			model_compare(&d, inode, value);
		if (i % 500 == 499) {
			pmfs_close(d.fs, inode);
			device_remount(&d);
			inode = file_open(&d, "f", FS_OPEN_WRITE);
		}
	}
	for (uint32_t i = 0; i < NAMES; i++) {
		name_of(i, name);
		if (value[i].there)
			assert_int_equal(pmfs_xattr_remove(d.fs, inode, name), OK);
	}
	assert_int_equal(inode->now.attributes, 0); /* X3 */
	pmfs_close(d.fs, inode);
	assert_int_equal(pmfs_unlink(d.fs, "f"), OK);
	assert_int_equal(pmfs_blocks_free(d.fs), free_before - 1); /* the root's first leaf */
	device_check(&d);
	device_end(&d);
}

static void attributes_put(struct device *d, const char *path, uint32_t count, uint32_t bytes)
{
	struct inode *inode;
	char name[260];

	assert_int_equal(pmfs_find(d->fs, path, false, &inode), OK);
	for (uint32_t i = 0; i < count; i++) {
		name_of(i, name);
		assert_int_equal(pmfs_xattr_set(d->fs, inode, name, buffer, bytes, 0), OK);
	}
	pmfs_close(d->fs, inode);
}

/* Whichever way the owner goes, its attributes go too. */
static void test_freed_with_owner(void **state)
{
	struct fs_statfs before, after;
	struct device d;

	(void)state;
	device_make(&d, 16 * MIB);
	device_mount(&d);
	pmfs_close(d.fs, file_open(&d, "first", FS_OPEN_WRITE | FS_OPEN_CREATE));
	pmfs_statfs(d.fs, &before);
	for (int way = 0; way < 5; way++) {
		pmfs_close(d.fs, file_open(&d, "f", FS_OPEN_WRITE | FS_OPEN_CREATE));
		assert_int_equal(pmfs_mkdir(d.fs, "d", 0755), OK);
		assert_int_equal(pmfs_symlink(d.fs, "f", "l"), OK);
		attributes_put(&d, "f", NAMES, 5000);
		attributes_put(&d, "d", 2, 100);
		attributes_put(&d, "l", 1, 1);
		device_check(&d);
		assert_int_equal(pmfs_rmdir(d.fs, "d"), OK);
		assert_int_equal(pmfs_unlink(d.fs, "l"), OK);
		struct inode *open = way == 1 || way == 2 ? file_open(&d, "f", FS_OPEN_READ) : NULL;
		if (way == 3) {
			pmfs_close(d.fs, file_open(&d, "g", FS_OPEN_WRITE | FS_OPEN_CREATE));
			assert_int_equal(pmfs_rename(d.fs, "g", "f", false), OK);
		}
		assert_int_equal(pmfs_unlink(d.fs, "f"), OK);
		if (way == 2) { /* the power goes while it is open */
			pmfs_abandon(d.fs);
			device_mount(&d);
			assert_true(pmfs_was_unclean(d.fs));
		} else if (open != NULL) {
			assert_int_equal(pmfs_xattr_set(d.fs, open, "more", "x", 1, 0), OK);
			pmfs_close(d.fs, open);
		}
		device_check(&d);
		pmfs_statfs(d.fs, &after);
		assert_int_equal(after.blocks_free, before.blocks_free);
		assert_int_equal(after.inodes_free, before.inodes_free);
	}
	device_end(&d);
}

/* No space anywhere on the way: the old value stays; and removing always works. */
static void test_full_device(void **state)
{
	struct device d;
	uint64_t done, end, bytes;

	(void)state;
	device_make(&d, 4 * MIB);
	device_mount(&d);
	pmfs_close(d.fs, file_open(&d, "f", FS_OPEN_WRITE | FS_OPEN_CREATE));
	attributes_put(&d, "f", NAMES, 700);
	struct inode *filler = file_open(&d, "filler", FS_OPEN_WRITE | FS_OPEN_CREATE);
	struct inode *inode = file_open(&d, "f", FS_OPEN_READ);
	while (pmfs_write(d.fs, filler, 0, true, buffer, sizeof(buffer), &done, &end) == OK && done != 0)
		;
	assert_int_equal(pmfs_xattr_set(d.fs, inode, "000", buffer, sizeof(buffer), 0), ERR_NO_SPACE);
	assert_int_equal(pmfs_xattr_get(d.fs, inode, "000", buffer, sizeof(buffer), &bytes), OK);
	assert_int_equal(bytes, 700);
	struct inode *fresh;
	if (pmfs_open(d.fs, "new", FS_OPEN_WRITE | FS_OPEN_CREATE, 0644, &fresh) == OK) {
		assert_int_equal(pmfs_xattr_set(d.fs, fresh, "a", "b", 1, 0), ERR_NO_SPACE);
		assert_int_equal(pmfs_xattr_list(d.fs, fresh, NULL, 0, &bytes), OK);
		assert_int_equal(bytes, 0);
		pmfs_close(d.fs, fresh);
	}
	for (uint32_t i = 0; i < NAMES; i++) {
		char name[260];
		name_of(i, name);
		assert_int_equal(pmfs_xattr_remove(d.fs, inode, name), OK);
	}
	pmfs_close(d.fs, filler);
	pmfs_close(d.fs, inode);
	device_check(&d);
	device_end(&d);
}

static struct pmfs_inode *media_newest(const struct device *d, uint64_t number)
{
	const struct pmfs_super *super = (const void *)d->base;
	struct pmfs_inode_slot *slot = (void *)(d->base + super->first_data_block * 4096 + number * sizeof(*slot));

	return &slot->copy[slot->copy[1].version > slot->copy[0].version];
}

/* The entry of that name in the root's only leaf leads to `number` from now on. */
static void entry_turn(const struct device *d, const char *name, uint64_t number)
{
	const uint64_t root = PMFS_INODE_ROOT;
	struct pmfs_leaf *leaf = (void *)(d->base + media_newest(d, root)->root[0].physical * 4096);

	for (uint32_t i = 0; i < PMFS_LEAF_SLOTS; i++) {
		struct pmfs_dirent *entry = (void *)leaf->slot[i];
		if ((leaf->used >> i & 1) == 0 || entry->name_bytes != strlen(name) ||
				memcmp(entry->name, name, entry->name_bytes) != 0)
			continue;
		entry->inode = number;
		entry->crc = crc32c(crc32c(0, &root, 8), &entry->hash, PMFS_DIRENT_BYTES - 4 + entry->name_bytes);
		return;
	}
	fail_msg("there is no entry %s", name);
}

/* Damage that no checksum tells: a name leads to an attribute inode. It is refused however often somebody asks, and the
 * inode is not put twice. */
static void test_name_of_attributes(void **state)
{
	struct inode *inode;
	struct fs_stat st;
	struct device d;

	(void)state;
	device_make(&d, 4 * MIB);
	device_mount(&d);
	pmfs_close(d.fs, file_open(&d, "f", FS_OPEN_WRITE | FS_OPEN_CREATE));
	pmfs_close(d.fs, file_open(&d, "g", FS_OPEN_WRITE | FS_OPEN_CREATE));
	attributes_put(&d, "f", 1, 700);
	assert_int_equal(pmfs_stat(d.fs, "f", true, &st), OK);
	device_unmount(&d);
	entry_turn(&d, "g", media_newest(&d, st.inode)->attributes);
	device_mount(&d);
	for (uint32_t i = 0; i < 3 * INODE_IDLE_MAX; i++)
		assert_int_equal(pmfs_open(d.fs, "g", FS_OPEN_READ, 0, &inode), ERR_CORRUPT);
	pmfs_close(d.fs, file_open(&d, "f", FS_OPEN_READ));
	pmfs_abandon(d.fs);
	d.fs = NULL;
	device_end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_name_of_attributes),
		cmocka_unit_test(test_freed_with_owner),
		cmocka_unit_test(test_full_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
