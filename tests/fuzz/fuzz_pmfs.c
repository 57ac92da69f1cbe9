/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_pmfs.c - damaged media: a good image of 4 MiB is patched as the input says, checksums made
 * right where it asks for that, then mounted, checked, and used. It may be refused; it may not
 * crash, hang or be read out of bounds, nor stored to around pmem.h. Input: records of 5 bytes: place (3, of the first
 * 256 blocks), value, and flags (bit 0: mend the checksum of the inode, node or record there; bit 1: an unclean end).
 * `make fuzz-media` builds and runs it. From one input to the next only blocks that were stored to are made good again.
 * link: servers/fs/pmfs/
 * link: servers/kit/fs.c */
#include "fs/pmfs/change.h"
#include "fs/pmfs/crc32c.h"
#include "fs/pmfs/inode.h"
#include "fs/pmfs/pmem_host.h"
#include "fs/pmfs/pmfs.h"

#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICE_BYTES (4ull << 20)
#define DEVICE_BLOCKS (DEVICE_BYTES / PMFS_BLOCK)
#define PATCHED_BYTES (256u * PMFS_BLOCK)
#define FILES 80       /* two leaves */
#define COMPARED 1024u /* one input of so many: is all of the device good again? */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static uint8_t *good;
static uint8_t *device;
static bool touched[DEVICE_BLOCKS];

static void must(err_t err)
{
	if (err != OK)
		abort();
}

/* --- struct pmfs --- */

/* It is larger than what the sanitizer's allocator keeps at hand: a map, its faults and an unmap took a third of all
 * time. So one place is used again and again; while it is free nobody may touch it. */
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
void __real_free(void *memory);
void __wrap_free(void *memory);

static uint8_t fs_place[(sizeof(struct pmfs) + 63) / 64 * 64] ALIGNED(64);
static bool fs_taken;

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
	if (bytes != sizeof(fs_place) || fs_taken)
		return __real_aligned_alloc(alignment, bytes);
	fs_taken = true;
	__asan_unpoison_memory_region(fs_place, sizeof(fs_place));
	return fs_place;
}

void __wrap_free(void *memory)
{
	if (memory != fs_place) {
		__real_free(memory);
		return;
	}
	if (!fs_taken)
		abort();
	fs_taken = false;
	__asan_poison_memory_region(fs_place, sizeof(fs_place));
}

/* --- the device, and back to what it was --- */

static void touch(uint64_t at, size_t bytes)
{
	if (at > DEVICE_BYTES || bytes > DEVICE_BYTES - at)
		abort();
	for (uint64_t block = at / PMFS_BLOCK; block * PMFS_BLOCK < at + bytes; block++)
		touched[block] = true;
}

static void on_store(void *context, uint64_t at, const void *from, size_t bytes, bool non_temporal)
{
	(void)context;
	(void)from;
	(void)non_temporal;
	touch(at, bytes);
}

static void on_write_back(void *context, uint64_t at, size_t bytes)
{
	(void)context;
	if (at > DEVICE_BYTES || bytes > DEVICE_BYTES - at)
		abort();
}

static void on_fence(void *context)
{
	(void)context;
}

static void device_restore(void)
{
	static uint32_t inputs;

	for (uint32_t block = 0; block < DEVICE_BLOCKS; block++)
		if (touched[block])
			memcpy(device + (size_t)block * PMFS_BLOCK, good + (size_t)block * PMFS_BLOCK, PMFS_BLOCK);
	memset(touched, 0, sizeof(touched));
	if (inputs++ % COMPARED == 0 && memcmp(device, good, DEVICE_BYTES) != 0)
		abort(); /* somebody has stored around pmem.h */
}

/* --- the image --- */

static struct pmfs *mount_or_null(void)
{
	const struct pmfs_options options = { .cpus = 1, .seed = 7, .keep_blank = good != NULL };
	char reason[PMFS_REASON_BYTES];
	struct pmfs *fs;

	return pmfs_mount(device, DEVICE_BYTES, &options, &fs, reason) == OK ? fs : NULL;
}

static void image_make(void)
{
	static const struct pm_watch watch = { .store = on_store, .write_back = on_write_back, .fence = on_fence };
	struct inode *inode;
	struct pmfs *fs;
	uint64_t done, end;
	char name[64];

	device = aligned_alloc(4096, DEVICE_BYTES);
	if (device == NULL)
		abort();
	memset(device, 0, DEVICE_BYTES);
	fs = mount_or_null();
	if (fs == NULL)
		abort();
	must(pmfs_mkdir(fs, "d", 0755));
	must(pmfs_symlink(fs, "d/f", "s"));
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "d/file-%d", i);
		must(pmfs_open(fs, name, FS_OPEN_CREATE | FS_OPEN_WRITE, 0644, &inode));
		if (i % 25 == 0)
			for (uint64_t at = 0; at < 12; at++)
				must(pmfs_write(fs, inode, at * 8192, false, name, 10, &done, &end));
		if (i % 50 == 0) { /* two files have the same blocks, two times each */
			struct inode *clone;
			snprintf(name, sizeof(name), "d/clone-%d", i);
			must(pmfs_open(fs, name, FS_OPEN_CREATE | FS_OPEN_WRITE, 0644, &clone));
			must(pmfs_clone(fs, inode, 0, clone, 0, 0));
			must(pmfs_clone(fs, inode, 0, clone, 30 * PMFS_BLOCK, 0));
			pmfs_close(fs, clone);
		}
		pmfs_close(fs, inode);
	}
	must(pmfs_unmount(fs));
	good = malloc(DEVICE_BYTES);
	if (good == NULL)
		abort();
	memcpy(good, device, DEVICE_BYTES);
	pm_watch(&watch);
}

/* The record of a journal in which that byte lies. */
static void record_mend(uint32_t at)
{
	const uint32_t end = (at / PMFS_HALF_BYTES + 1) * PMFS_HALF_BYTES;

	for (uint32_t from = end - PMFS_HALF_BYTES; from <= at;) {
		struct pmfs_journal *head = (struct pmfs_journal *)(void *)(device + from);
		if (head->bytes < sizeof(*head) || head->bytes > end - from)
			return;
		from += record_room(head->bytes);
		if (at < from)
			head->crc = crc32c(0, &head->ticket, head->bytes - offsetof(struct pmfs_journal, ticket));
	}
}

static void checksums_mend(uint32_t at)
{
	const uint64_t first_data = ((const struct pmfs_super *)(const void *)good)->first_data_block;
	const uint32_t block = at / PMFS_BLOCK;
	uint32_t *word = (uint32_t *)(void *)(device + (size_t)block * PMFS_BLOCK);

	if (block >= PMFS_JOURNAL_BLOCK && block < first_data) {
		record_mend(at);
	} else if (word[0] == PMFS_NODE_MAGIC) {
		word[1] = crc32c(0, word + 2, PMFS_BLOCK - 8);
	} else if (word[0] == PMFS_LEAF_MAGIC) {
		word[1] = crc32c(crc32c(0, word + 2, 16), word + 8, 32);
	} else if (block >= first_data || block == PMFS_ANCHOR_BLOCK) {
		struct pmfs_inode *inode = (struct pmfs_inode *)(void *)(device + at / 128 * 128);
		const uint64_t number = block == PMFS_ANCHOR_BLOCK ? PMFS_INODE_TABLE : (at / 256) - first_data * 16;
		inode->crc = inode_crc(number, inode);
	}
}

static void quiet(void *context, const char *line)
{
	(void)context;
	(void)line;
}

static void use(struct pmfs *fs)
{
	static const char *const names[] = { "d/file-0", "d/clone-50", "d/file-50", "d/clone-0", "d/file-79", "s", "d/new",
		"d" };
	static char buffer[100000];
	struct inode *inode, *clone;
	uint64_t done, end, next;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (pmfs_open(fs, names[i], FS_OPEN_READ | FS_OPEN_WRITE | FS_OPEN_CREATE, 0644, &inode) != OK &&
				pmfs_open(fs, names[i], FS_OPEN_READ, 0, &inode) != OK)
			continue;
		if (pmfs_read(fs, inode, 0, buffer, sizeof(buffer), &done) == OK &&
				pmfs_write(fs, inode, 8192, false, buffer, 9000, &done, &end) == OK)
			done = 0;
		if (pmfs_readdir(fs, inode, 0, buffer, sizeof(buffer), &done, &next) == OK)
			done = 0;
		if (pmfs_open(fs, "d/other", FS_OPEN_WRITE | FS_OPEN_CREATE, 0644, &clone) == OK) {
			if (pmfs_clone(fs, inode, 0, clone, 0, 0) == OK &&
					pmfs_setattr(fs, clone, &(struct fs_setattr) { .set = FS_SET_SIZE, .size = 9000 }) == OK)
				done = 0;
			pmfs_close(fs, clone);
		}
		pmfs_close(fs, inode);
		if (pmfs_unlink(fs, names[i]) == OK)
			done = 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	if (good == NULL)
		image_make();
	device_restore();
	for (size_t i = 0; i + 5 <= bytes; i += 5) {
		const uint32_t at = (data[i] | (uint32_t)data[i + 1] << 8 | (uint32_t)data[i + 2] << 16) % PATCHED_BYTES;
		touch(at, 1);
		device[at] ^= data[i + 3];
		if (data[i + 4] & 1)
			checksums_mend(at);
		if (data[i + 4] & 2) {
			touch(PMFS_STATE_BLOCK * PMFS_BLOCK, 8);
			memset(device + PMFS_STATE_BLOCK * PMFS_BLOCK, 0, 8);
		}
	}
	struct pmfs *fs = mount_or_null();
	if (fs == NULL)
		return 0;
	if (pmfs_check(fs, quiet, NULL) != ERR_NO_MEMORY)
		use(fs);
	pmfs_abandon(fs);
	return 0;
}
