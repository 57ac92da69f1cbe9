/* SPDX-License-Identifier: BSD-2-Clause */
/* test_pmfs.c - pmfs by its functions: names, data, holes, directories, full devices, what mount refuses.
 * link: servers/fs/pmfs/
 * link: servers/kit/fs.c */
#include "pmfs_host.h"

#include "fs/pmfs/crc32c.h"
#include "fs/pmfs/layout.h"
#include "fs/pmfs/pmem_host.h"

#define MIB (1ull << 20)

static struct inode *file_open(struct device *d, const char *path, uint32_t flags)
{
	struct inode *inode;
	err_t err = pmfs_open(d->fs, path, flags, 0644, &inode);

	if (err != OK)
		fail_msg("open %s: %d", path, err);
	return inode;
}

static void file_put(struct device *d, const char *path, uint64_t offset, const void *data, size_t bytes)
{
	struct inode *inode = file_open(d, path, FS_OPEN_WRITE | FS_OPEN_CREATE);
	uint64_t done, end;

	assert_int_equal(pmfs_write(d->fs, inode, offset, false, data, bytes, &done, &end), OK);
	assert_int_equal(done, bytes);
	assert_int_equal(end, offset + bytes);
	pmfs_close(d->fs, inode);
}

static void file_expect(struct device *d, const char *path, const char *text)
{
	struct inode *inode = file_open(d, path, FS_OPEN_READ);
	char buffer[256] = { 0 };
	uint64_t done;

	assert_int_equal(pmfs_read(d->fs, inode, 0, buffer, sizeof(buffer), &done), OK);
	assert_int_equal(done, strlen(text));
	assert_memory_equal(buffer, text, done);
	pmfs_close(d->fs, inode);
}

static void test_names(void **state)
{
	struct device d;
	struct fs_stat st;
	struct inode *inode;
	char target[100];
	uint64_t bytes;

	(void)state;
	device_make(&d, 8 * MIB);
	device_mount(&d);
	assert_int_equal(pmfs_mkdir(d.fs, "a", 0755), OK);
	assert_int_equal(pmfs_mkdir(d.fs, "a/b/", 0700), OK);
	assert_int_equal(pmfs_mkdir(d.fs, "a", 0755), ERR_EXISTS);
	assert_int_equal(pmfs_mkdir(d.fs, "x/y", 0755), ERR_NOT_FOUND);
	file_put(&d, "a/b/f", 0, "hello", 5);
	assert_int_equal(pmfs_mkdir(d.fs, "a/b/f/g", 0755), ERR_NOT_DIR);
	assert_int_equal(pmfs_link(d.fs, "a/b/f", "g"), OK);
	assert_int_equal(pmfs_link(d.fs, "a", "h"), ERR_DENIED);
	assert_int_equal(pmfs_stat(d.fs, "g", true, &st), OK);
	assert_int_equal(st.links, 2);
	assert_int_equal(st.size, 5);
	assert_int_equal(pmfs_symlink(d.fs, "a/b/../b/./f", "s"), OK);
	file_expect(&d, "s", "hello");
	assert_int_equal(pmfs_symlink(d.fs, "/a", "abs"), OK);
	assert_int_equal(pmfs_stat(d.fs, "abs", true, &st), ERR_CROSS_DEVICE);
	assert_int_equal(pmfs_stat(d.fs, "abs", false, &st), OK);
	assert_int_equal(st.type, FS_TYPE_SYMLINK);
	assert_int_equal(pmfs_symlink(d.fs, "loop2", "loop1"), OK);
	assert_int_equal(pmfs_symlink(d.fs, "loop1", "loop2"), OK);
	assert_int_equal(pmfs_open(d.fs, "loop1", FS_OPEN_READ, 0, &inode), ERR_TOO_DEEP);
	assert_int_equal(pmfs_symlink(d.fs, "../../x", "a/up"), OK);
	assert_int_equal(pmfs_stat(d.fs, "a/up", true, &st), ERR_CROSS_DEVICE);
	assert_int_equal(pmfs_readlink(d.fs, "s", target, sizeof(target), &bytes), OK);
	assert_memory_equal(target, "a/b/../b/./f", bytes);
	assert_int_equal(pmfs_rmdir(d.fs, "a"), ERR_NOT_EMPTY);
	assert_int_equal(pmfs_rmdir(d.fs, "g"), ERR_NOT_DIR);
	assert_int_equal(pmfs_unlink(d.fs, "a"), ERR_IS_DIR);
	assert_int_equal(pmfs_rename(d.fs, "a", "a/b/c", false), ERR_ARGS);
	assert_int_equal(pmfs_rename(d.fs, "a/b", "a", false), ERR_NOT_EMPTY);
	assert_int_equal(pmfs_rename(d.fs, "a/b", "c", false), OK);
	file_expect(&d, "c/f", "hello");
	assert_int_equal(pmfs_rename(d.fs, "g", "c/f", true), ERR_EXISTS);
	file_put(&d, "new", 0, "new", 3);
	assert_int_equal(pmfs_rename(d.fs, "new", "c/f", false), OK);
	file_expect(&d, "c/f", "new");
	file_expect(&d, "g", "hello");
	device_remount(&d);
	file_expect(&d, "c/f", "new");
	assert_int_equal(pmfs_stat(d.fs, "g", true, &st), OK);
	assert_int_equal(st.links, 1);
	assert_int_equal(pmfs_open(d.fs, "g", FS_OPEN_CREATE | FS_OPEN_EXCLUSIVE, 0, &inode), ERR_EXISTS);
	assert_int_equal(pmfs_open(d.fs, "c", FS_OPEN_WRITE, 0, &inode), ERR_IS_DIR);
	assert_int_equal(pmfs_open(d.fs, "g/", FS_OPEN_READ, 0, &inode), ERR_NOT_DIR);
	device_check(&d);
	device_end(&d);
}

static void test_long_names(void **state)
{
	struct device d;
	struct fs_stat st;
	char name[300], target[4096];
	uint64_t bytes;

	(void)state;
	device_make(&d, 8 * MIB);
	device_mount(&d);
	memset(name, 'n', sizeof(name));
	name[256] = 0;
	assert_int_equal(pmfs_mkdir(d.fs, name, 0755), ERR_NAME_TOO_LONG);
	name[255] = 0;
	for (int i = 0; i < 40; i++) {
		name[0] = (char)('a' + i % 26);
		name[1] = (char)('A' + i / 26);
		assert_int_equal(pmfs_mkdir(d.fs, name, 0755), OK);
		assert_int_equal(pmfs_stat(d.fs, name, true, &st), OK);
	}
	memset(target, 't', sizeof(target));
	target[4095] = 0;
	assert_int_equal(pmfs_symlink(d.fs, target, "long"), OK);
	device_remount(&d);
	char back[4096];
	assert_int_equal(pmfs_readlink(d.fs, "long", back, sizeof(back), &bytes), OK);
	assert_int_equal(bytes, 4095);
	assert_memory_equal(back, target, bytes);
	device_check(&d);
	device_end(&d);
}

static void test_holes(void **state)
{
	struct device d;
	struct inode *inode;
	struct fs_stat st;
	uint64_t done, found;
	uint8_t buffer[10000];

	(void)state;
	device_make(&d, 8 * MIB);
	device_mount(&d);
	file_put(&d, "f", 1ull << 40, "far", 3);
	file_put(&d, "f", 5000, "near", 4);
	inode = file_open(&d, "f", FS_OPEN_READ | FS_OPEN_WRITE);
	assert_int_equal(pmfs_seek(d.fs, inode, 0, FS_SEEK_DATA, &found), OK);
	assert_int_equal(found, 4096);
	assert_int_equal(pmfs_seek(d.fs, inode, 5000, FS_SEEK_HOLE, &found), OK);
	assert_int_equal(found, 8192);
	assert_int_equal(pmfs_seek(d.fs, inode, 8192, FS_SEEK_DATA, &found), OK);
	assert_int_equal(found, 1ull << 40);
	assert_int_equal(pmfs_seek(d.fs, inode, (1ull << 40) + 3, FS_SEEK_HOLE, &found), ERR_NOT_FOUND);
	memset(buffer, 1, sizeof(buffer));
	assert_int_equal(pmfs_read(d.fs, inode, 0, buffer, sizeof(buffer), &done), OK);
	assert_int_equal(done, sizeof(buffer));
	for (size_t i = 0; i < sizeof(buffer); i++)
		assert_int_equal(buffer[i], i >= 5000 && i < 5004 ? "near"[i - 5000] : 0);
	assert_int_equal(pmfs_setattr(d.fs, inode, &(struct fs_setattr) { .set = FS_SET_SIZE, .size = 5002 }), OK);
	assert_int_equal(pmfs_setattr(d.fs, inode, &(struct fs_setattr) { .set = FS_SET_SIZE, .size = 9000 }), OK);
	assert_int_equal(pmfs_read(d.fs, inode, 5000, buffer, 100, &done), OK);
	assert_memory_equal(buffer, "ne\0\0\0", 5);
	assert_int_equal(pmfs_fstat(d.fs, inode, &st), OK);
	assert_int_equal(st.blocks, 4096);
	assert_int_equal(pmfs_setattr(d.fs, inode, &(struct fs_setattr) { .set = FS_SET_SIZE, .size = UINT64_MAX }),
			ERR_TOO_BIG);
	pmfs_close(d.fs, inode);
	device_check(&d);
	device_end(&d);
}

/* A file of many extents: every second block, written in an order that splits nodes in the middle. */
static void test_many_extents(void **state)
{
	struct device d;
	struct inode *inode;
	uint64_t done, end;
	const uint32_t n = 3000, step = 1237;

	(void)state;
	device_make(&d, 32 * MIB);
	device_mount(&d);
	const uint64_t before = pmfs_blocks_free(d.fs);
	inode = file_open(&d, "f", FS_OPEN_WRITE | FS_OPEN_CREATE);
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t block = i * step % n;
		assert_int_equal(pmfs_write(d.fs, inode, (uint64_t)block * 8192, false, &block, 4, &done, &end), OK);
	}
	pmfs_close(d.fs, inode);
	device_remount(&d);
	inode = file_open(&d, "f", FS_OPEN_READ | FS_OPEN_WRITE);
	for (uint32_t block = 0; block < n; block++) {
		uint32_t back;
		assert_int_equal(pmfs_read(d.fs, inode, (uint64_t)block * 8192, &back, 4, &done), OK);
		assert_int_equal(back, block);
	}
	assert_int_equal(pmfs_setattr(d.fs, inode, &(struct fs_setattr) { .set = FS_SET_SIZE, .size = 8192 * 1500 }), OK);
	device_check(&d);
	pmfs_close(d.fs, inode);
	assert_int_equal(pmfs_unlink(d.fs, "f"), OK);
	assert_in_range(pmfs_blocks_free(d.fs), before - 1, before); /* the root directory got its leaf */
	device_check(&d);
	device_end(&d);
}

static void test_big_directory(void **state)
{
	struct device d;
	struct inode *inode;
	char name[40], entries[4096];
	const int n = 20000;
	int seen = 0;
	uint64_t cookie = 0, bytes, next;

	(void)state;
	device_make(&d, 64 * MIB);
	device_mount(&d);
	assert_int_equal(pmfs_mkdir(d.fs, "d", 0755), OK);
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "d/file-%d", i);
		pmfs_close(d.fs, file_open(&d, name, FS_OPEN_CREATE));
	}
	device_remount(&d);
	inode = file_open(&d, "d", FS_OPEN_READ | FS_OPEN_DIRECTORY);
	for (;;) {
		assert_int_equal(pmfs_readdir(d.fs, inode, cookie, entries, sizeof(entries), &bytes, &next), OK);
		for (uint64_t at = 0; at < bytes;) {
			struct fs_dirent entry;
			memcpy(&entry, entries + at, sizeof(entry));
			/* Taking away what was read must not disturb what comes. */
			snprintf(name, sizeof(name), "d/%.*s", entry.name_bytes, entries + at + sizeof(entry));
			assert_int_equal(pmfs_unlink(d.fs, name), OK);
			at += entry.record_bytes;
			seen++;
		}
		if (next == 0)
			break;
		cookie = next;
	}
	assert_int_equal(seen, n);
	assert_int_equal(pmfs_readdir(d.fs, inode, 0, entries, 8, &bytes, &next), OK);
	pmfs_close(d.fs, inode);
	assert_int_equal(pmfs_rmdir(d.fs, "d"), OK);
	device_check(&d);
	device_end(&d);
}

static void test_unlinked_open(void **state)
{
	struct device d;
	struct inode *inode;
	char buffer[8];
	uint64_t done;

	(void)state;
	device_make(&d, 8 * MIB);
	device_mount(&d);
	file_put(&d, "f", 0, "alive", 5);
	const uint64_t before = pmfs_blocks_free(d.fs);
	inode = file_open(&d, "f", FS_OPEN_READ);
	assert_int_equal(pmfs_unlink(d.fs, "f"), OK);
	assert_int_equal(pmfs_read(d.fs, inode, 0, buffer, 8, &done), OK);
	assert_memory_equal(buffer, "alive", 5);
	assert_int_equal(pmfs_unmount(d.fs), ERR_BUSY);
	assert_int_equal(pmfs_blocks_free(d.fs), before);
	pmfs_close(d.fs, inode);
	assert_int_equal(pmfs_blocks_free(d.fs), before + 1);
	device_check(&d);
	device_end(&d);
}

/* Fill it, see that nothing is lost, and that there is a way back from full. */
static void test_full(void **state)
{
	struct device d;
	static uint8_t data[70000];
	char name[40];
	uint64_t done, end;
	int files = 0;
	err_t err = OK;

	(void)state;
	device_make(&d, 4 * MIB);
	device_mount(&d);
	memset(data, 7, sizeof(data));
	while (err == OK) {
		struct inode *inode;
		snprintf(name, sizeof(name), "f%d", files);
		err = pmfs_open(d.fs, name, FS_OPEN_WRITE | FS_OPEN_CREATE, 0644, &inode);
		if (err != OK)
			break;
		files++;
		err = pmfs_write(d.fs, inode, 0, false, data, sizeof(data), &done, &end);
		pmfs_close(d.fs, inode);
	}
	assert_int_equal(err, ERR_NO_SPACE);
	assert_true(files > 40);
	for (int i = 0; i < 5000 && err != OK; i++) { /* directories until those do not fit either */
		snprintf(name, sizeof(name), "d%d", i);
		err = pmfs_mkdir(d.fs, name, 0755);
		err = err == OK ? ERR_AGAIN : err == ERR_NO_SPACE ? OK : err;
	}
	assert_int_equal(err, OK);
	device_remount(&d);
	assert_int_equal(pmfs_blocks_free(d.fs), 0);
	for (int i = 0; i < files; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		assert_int_equal(pmfs_unlink(d.fs, name), OK);
	}
	device_remount(&d);
	file_put(&d, "again", 0, data, sizeof(data));
	device_check(&d);
	device_end(&d);
}

static void refuse(struct device *d, err_t want, const char *words)
{
	char reason[PMFS_REASON_BYTES];
	uint8_t *copy = malloc(d->bytes);

	assert_non_null(copy);
	memcpy(copy, d->base, d->bytes);
	assert_int_equal(device_try(d, false, reason), want);
	assert_non_null(strstr(reason, words));
	assert_memory_equal(copy, d->base, d->bytes);
	free(copy);
	d->fs = NULL;
}

/* The first copy is a good one of that version. */
static void super_seal(struct device *d, uint32_t version)
{
	struct pmfs_super *super = (struct pmfs_super *)(void *)d->base;

	super->version = version;
	super->crc = 0;
	super->crc = crc32c(0, super, sizeof(*super));
}

static void test_refusals(void **state)
{
	struct device d;
	uint64_t seed = 5;

	(void)state;
	device_make(&d, 1 * MIB);
	refuse(&d, ERR_BAD_FORMAT, "too small");
	device_end(&d);
	device_make(&d, 8 * MIB);
	for (uint64_t i = 0; i < d.bytes; i += 8)
		*(uint64_t *)(void *)(d.base + i) = random_next(&seed);
	refuse(&d, ERR_BAD_FORMAT, "something else");
	memset(d.base, 0, d.bytes);
	device_mount(&d);
	file_put(&d, "f", 0, "hello", 5);
	device_unmount(&d);
	d.bytes = 6 * MIB;
	refuse(&d, ERR_BAD_FORMAT, "cut short");
	d.bytes = 8 * MIB;
	d.base[8]++; /* the version */
	refuse(&d, ERR_BAD_FORMAT, "version 4");
	d.base[8]--;
	super_seal(&d, PMFS_VERSION - 1);
	refuse(&d, ERR_BAD_FORMAT, "version 2");
	super_seal(&d, PMFS_VERSION);
	d.base[100] ^= 1;
	device_mount(&d); /* the second superblock */
	file_expect(&d, "f", "hello");
	device_unmount(&d);
	assert_memory_equal(d.base, d.base + 4096, 256); /* the first one is mended */
	d.base[100] ^= 1;
	d.base[4096 + 100] ^= 1;
	refuse(&d, ERR_CORRUPT, "superblocks");
	device_end(&d);
}

/* mkfs was interrupted while it stored the second superblock, of which some has arrived: there is nothing here yet. */
static void test_torn_mkfs(void **state)
{
	struct device d;

	(void)state;
	device_make(&d, 4 * MIB);
	device_mount(&d);
	device_unmount(&d);
	*(uint64_t *)(void *)d.base = PMFS_FORMATTING;
	memset(d.base + PMFS_BLOCK + 64, 0, sizeof(struct pmfs_super) - 64);
	device_mount(&d);
	file_put(&d, "f", 0, "hello", 5);
	device_unmount(&d);
	device_end(&d);
}

static bool slot_written_back, slot_fenced;
static uint64_t slot_at;

static void watch_store(void *context, uint64_t at, const void *from, size_t bytes, bool non_temporal)
{
	(void)context, (void)at, (void)from, (void)bytes, (void)non_temporal;
}

static void watch_write_back(void *context, uint64_t at, size_t bytes)
{
	(void)context;
	slot_written_back |= at <= slot_at && at + bytes >= slot_at + sizeof(struct pmfs_inode_slot);
}

static void watch_fence(void *context)
{
	(void)context;
	slot_fenced |= slot_written_back;
}

/* After an unclean end a torn copy of an inode is mended, of which no record speaks any more. Both are made durable as
 * they are seen (C7): it may have been mended by a pmfs that died before it had fenced that; after a clean end it would
 * be damage. */
static void test_torn_copy(void **state)
{
	static const struct pm_watch watch = { .store = watch_store, .write_back = watch_write_back, .fence = watch_fence };
	char reason[PMFS_REASON_BYTES];
	struct device d;
	struct fs_stat st;

	(void)state;
	device_make(&d, 4 * MIB);
	device_mount(&d);
	file_put(&d, "f", 0, "hello", 5);
	assert_int_equal(pmfs_stat(d.fs, "f", true, &st), OK);
	slot_at = ((const struct pmfs_super *)(const void *)d.base)->first_data_block * PMFS_BLOCK +
			st.inode * sizeof(struct pmfs_inode_slot);
	device_unmount(&d);
	device_mount(&d);
	pmfs_abandon(d.fs);
	const struct pmfs_super *super = (const void *)d.base; /* as after many changes of other inodes */
	memset(d.base + PMFS_JOURNAL_BLOCK * PMFS_BLOCK, 0, super->journals * PMFS_BLOCK);
	struct pmfs_inode_slot *slot = (struct pmfs_inode_slot *)(void *)(d.base + slot_at);
	slot->copy[slot->copy[0].version > slot->copy[1].version].crc ^= 1;
	pm_watch(&watch);
	assert_int_equal(device_try(&d, false, reason), OK);
	pm_watch(NULL);
	assert_true(pmfs_was_unclean(d.fs));
	assert_true(slot_fenced);
	assert_memory_equal(&slot->copy[0], &slot->copy[1], sizeof(slot->copy[0]));
	device_unmount(&d);
	device_end(&d);
}

/* Every single bit of the metadata that is in use: flipped, it is detected at mount, by check, or
 * it does not matter. */
static void test_flipped_bits(void **state)
{
	struct device d;
	char reason[PMFS_REASON_BYTES];
	uint32_t detected = 0, harmless = 0;

	(void)state;
	device_make(&d, 4 * MIB);
	device_mount(&d);
	assert_int_equal(pmfs_mkdir(d.fs, "d", 0755), OK);
	file_put(&d, "d/f", 0, "hello", 5);
	assert_int_equal(pmfs_setattr_path(d.fs, "d/f", &(struct fs_setattr) { .set = FS_SET_MODE, .mode = 0600 }), OK);
	device_unmount(&d);
	uint8_t *image = malloc(d.bytes);
	assert_non_null(image);
	memcpy(image, d.base, d.bytes);
	for (uint64_t bit = 0; bit < 80 * 4096 * 8; bit += 61 + bit % 7) {
		const uint64_t at = bit / 8;
		if (image[at] == 0 && (at & 15) != 3) /* zeroes: a sample is enough */
			continue;
		d.base[at] ^= (uint8_t)(1 << bit % 8);
		if (device_try(&d, false, reason) != OK) {
			assert_true(reason[0] != 0);
			detected++;
		} else {
			struct inode *inode;
			char buffer[8];
			uint64_t done;
			if (pmfs_check(d.fs, device_quiet, NULL) != OK) {
				detected++;
			} else {
				harmless++;
				assert_int_equal(pmfs_open(d.fs, "d/f", FS_OPEN_READ, 0, &inode), OK);
				assert_int_equal(pmfs_read(d.fs, inode, 0, buffer, 8, &done), OK);
				assert_int_equal(done, 5);
				pmfs_close(d.fs, inode);
			}
			pmfs_abandon(d.fs);
		}
		memcpy(d.base, image, d.bytes);
	}
	assert_true(detected > 100);
	d.fs = NULL;
	free(image);
	device_end(&d);
	print_message("%u flips detected, %u harmless (second copies, journals, data, unused bytes)\n", detected, harmless);
}

/* A write over holes that finds room for its blocks, but not for the tree over them. */
static void test_full_in_the_middle(void **state)
{
	static char data[MIB];
	struct inode *inode, *filler;
	uint64_t done, end;
	struct device d;

	(void)state;
	for (uint64_t room = 0; room < 12; room++) {
		device_make(&d, 4 * MIB);
		device_mount(&d);
		for (uint64_t at = 0; at < 3; at++)
			file_put(&d, "f", at * 8192, "x", 1);
		assert_int_equal(pmfs_open(d.fs, "z", FS_OPEN_WRITE | FS_OPEN_CREATE, 0644, &filler), OK);
		for (uint64_t at = 0; pmfs_blocks_free(d.fs) > room; at += done) {
			const uint64_t most = (pmfs_blocks_free(d.fs) - room) * 4096;
			assert_int_equal(pmfs_write(d.fs, filler, at, false, data, most < MIB ? most : MIB, &done, &end), OK);
		}
		pmfs_close(d.fs, filler);
		assert_int_equal(pmfs_open(d.fs, "f", FS_OPEN_WRITE, 0644, &inode), OK);
		assert_int_equal(pmfs_write(d.fs, inode, 10, false, data, 60000, &done, &end), OK);
		assert_true(done >= 4086 && done <= 60000);
		pmfs_close(d.fs, inode);
		device_remount(&d);
		device_end(&d);
	}
}

static err_t store_all(void *context, void *lease, const struct pmfs_run *run)
{
	struct device *d = context;

	assert_non_null(lease);
	memset(d->base + run->device, 'm', run->bytes);
	return OK;
}

/* A client stores through its mapping, past the file's end too: nobody sees that, now or later. */
static void test_mapped_past_the_end(void **state)
{
	struct device d;
	struct inode *inode;
	uint64_t done;
	int lease;
	char byte;

	(void)state;
	device_make(&d, 4 * MIB);
	device_mount(&d);
	file_put(&d, "f", 0, "hello", 5);
	assert_int_equal(pmfs_open(d.fs, "f", FS_OPEN_READ | FS_OPEN_WRITE, 0, &inode), OK);
	pmfs_lease_set(inode, &lease);
	assert_int_equal(pmfs_lease_stores(inode), OK);
	assert_int_equal(pmfs_locate_with(d.fs, inode, 0, true, store_all, &d), OK);
	assert_int_equal(pmfs_sync(d.fs, inode), OK);
	assert_int_equal(pmfs_setattr(d.fs, inode, &(struct fs_setattr) { .set = FS_SET_SIZE, .size = 100 }), OK);
	assert_int_equal(pmfs_read(d.fs, inode, 50, &byte, 1, &done), OK);
	assert_int_equal(byte, 0);
	assert_int_equal(pmfs_locate_with(d.fs, inode, 0, true, store_all, &d), OK);
	assert_int_equal(pmfs_lease_end(inode), OK);
	pmfs_close(d.fs, inode);
	device_remount(&d);
	device_end(&d);
}

static uint32_t damage_lines;

static void damage_count(const char *line)
{
	assert_non_null(strstr(line, "is damaged"));
	damage_lines++;
}

static void path_find(void *context, const char *line)
{
	if (strncmp(line, "/d/f:", 5) == 0)
		*(bool *)context = true;
}

/* fsck of what mount refuses: everything is told, with the path. */
static void test_damage_has_a_path(void **state)
{
	const struct pmfs_options options = { .cpus = 1, .damage = damage_count }, strict = { .cpus = 1, .scan = true };
	char reason[PMFS_REASON_BYTES];
	struct device d;
	struct fs_stat st;
	bool found = false;

	(void)state;
	device_make(&d, 4 * MIB);
	device_mount(&d);
	assert_int_equal(pmfs_mkdir(d.fs, "d", 0755), OK);
	file_put(&d, "d/f", 0, "hello", 5);
	file_put(&d, "g", 0, "hello", 5);
	assert_int_equal(pmfs_stat(d.fs, "d/f", true, &st), OK);
	const struct pmfs_super *super = (const void *)d.base;
	uint8_t *slot = d.base + super->first_data_block * 4096 + st.inode * 256;
	device_unmount(&d);
	slot[20] ^= 1;
	assert_int_equal(pmfs_mount(d.base, d.bytes, &strict, &d.fs, reason), ERR_CORRUPT);
	assert_int_equal(pmfs_mount(d.base, d.bytes, &options, &d.fs, reason), OK);
	assert_int_equal(damage_lines, 1);
	assert_int_equal(pmfs_check(d.fs, path_find, &found), ERR_CORRUPT);
	assert_true(found);
	pmfs_abandon(d.fs);
	d.fs = NULL;
	device_end(&d);
}

static err_t run_note(void *context, void *lease, const struct pmfs_run *run)
{
	(void)lease;
	*(struct pmfs_run *)context = *run;
	return OK;
}

/* 2 MiB of the file from `offset` on lie in one piece that 2 MiB leaves can show. */
static bool is_large(struct device *d, const char *path, uint64_t offset)
{
	struct inode *inode = file_open(d, path, FS_OPEN_READ);
	struct pmfs_run run;

	assert_int_equal(pmfs_locate_with(d->fs, inode, offset, false, run_note, &run), OK);
	pmfs_close(d->fs, inode);
	return run.offset <= offset && offset + 2 * MIB <= run.offset + run.bytes &&
			(run.device + (offset - run.offset)) % (2 * MIB) == 0;
}

/* Files that grow in odd pieces: from the second 2 MiB on they are what large leaves can show. Nothing is set aside for
 * that: the device can still be filled. */
static void test_growing_files_are_aligned(void **state)
{
	static uint8_t piece[11 * 4096 + 100];
	const char *const path[2] = { "first", "second" };
	struct fs_statfs st;
	struct inode *inode;
	uint64_t done, end;
	struct device d;

	(void)state;
	device_make(&d, 64 * MIB);
	device_mount(&d);
	file_put(&d, "odd", 0, piece, 3 * 4096);
	for (uint32_t i = 0; i < 2; i++) {
		for (uint64_t at = 0; at < 8 * MIB; at += sizeof(piece))
			file_put(&d, path[i], at, piece, sizeof(piece));
	}
	for (uint32_t i = 0; i < 2; i++) {
		for (uint64_t at = 2 * MIB; at < 8 * MIB; at += 2 * MIB)
			assert_true(is_large(&d, path[i], at));
	}
	inode = file_open(&d, "all", FS_OPEN_WRITE | FS_OPEN_CREATE);
	while (pmfs_write(d.fs, inode, 0, true, piece, sizeof(piece), &done, &end) == OK && done == sizeof(piece))
		;
	pmfs_statfs(d.fs, &st);
	assert_true(st.blocks_free < 4); /* a node of the tree may have wanted one more */
	pmfs_close(d.fs, inode);
	device_remount(&d);
	device_end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names), cmocka_unit_test(test_long_names), cmocka_unit_test(test_holes),
		cmocka_unit_test(test_many_extents), cmocka_unit_test(test_big_directory),
		cmocka_unit_test(test_unlinked_open), cmocka_unit_test(test_full), cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_flipped_bits), cmocka_unit_test(test_torn_mkfs),
		cmocka_unit_test(test_torn_copy),
		cmocka_unit_test(test_full_in_the_middle),
		cmocka_unit_test(test_mapped_past_the_end), cmocka_unit_test(test_damage_has_a_path),
		cmocka_unit_test(test_growing_files_are_aligned),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
